//! Writes the files of a compacted day into a folder of its own, which then takes the day's place.

use anyhow::Result;

use super::plan::{DayPlan, Room};
use crate::config::FileFormat;
use crate::lake::disk::root::Root;
use crate::lake::file::parquet::ParquetTarget;
use crate::lake::file::rewrite::{NewFile, each_line};
use crate::lake::layout::paths::compacted_name;
use crate::lake::ledger::{FileEntry, ReplacedFile};
use crate::problem::unexpected;
use crate::stop::Stop;

/// Where a day is read, where its new files are written, and what they become.
pub(super) struct DayStage<'s> {
    pub root: &'s Root,
    pub format: FileFormat,
    /// With columns that are wide enough for all lines of the day, if it becomes Parquet.
    pub parquet: ParquetTarget<'s>,
    pub max_file_bytes: u64,
    /// The day's folder.
    pub folder: &'s str,
    /// The folder that takes its place.
    pub staged: &'s str,
    /// The commit that will make the files.
    pub commit: u64,
    pub stop: &'s Stop,
}

/// A new file, and the old ones whose lines are in it.
struct MergedFile {
    lines: NewFile,
    room: Room,
    old: Vec<FileEntry>,
}

impl DayStage<'_> {
    /// Stages the whole day. None: a signal came before it was complete.
    ///
    /// # Errors
    /// An old file is not what the ledger says, or a new one can't be written.
    pub fn write(&self, plan: DayPlan) -> Result<Option<Vec<FileEntry>>> {
        self.root.make_dirs(self.staged)?;
        let mut files = Vec::new();
        for source in plan.sources {
            let mut open: Option<MergedFile> = None;
            for old in source {
                if self.stop.signal().is_some() {
                    return Ok(None);
                }
                // A file goes into one new file as a whole: only so can be told which ones a new one replaces.
                let full = |open: &mut MergedFile| !open.room.has(old.bytes, self.max_file_bytes);
                if let Some(full) = open.take_if(full) {
                    files.push(self.finish(full)?);
                }
                let mut new = match open.take() {
                    Some(open) => open,
                    None => self.begin()?,
                };
                self.copy(old, &mut new)?;
                open = Some(new);
            }
            if let Some(open) = open {
                files.push(self.finish(open)?);
            }
        }
        Ok(Some(files))
    }

    /// The file that is being written. It gets its name once its last offset is known.
    fn unnamed(&self) -> String {
        format!("{}/new", self.staged)
    }

    fn begin(&self) -> Result<MergedFile> {
        Ok(MergedFile {
            lines: NewFile::create(self.root, &self.unnamed(), self.format, self.parquet)?,
            room: Room::default(),
            old: Vec::new(),
        })
    }

    fn copy(&self, old: FileEntry, new: &mut MergedFile) -> Result<()> {
        let path = format!("{}/{}", self.folder, old.name);
        each_line(self.root, &path, &old, &mut |line| new.lines.add(line))?;
        new.room.take(old.bytes, new.lines.size());
        new.old.push(old);
        Ok(())
    }

    fn finish(&self, MergedFile { lines, old, .. }: MergedFile) -> Result<FileEntry> {
        let (Some(oldest), Some(newest)) = (old.first(), old.last()) else {
            return Err(unexpected("a compacted file is made of none"));
        };
        let (partition, generation) = oldest.source();
        let (first, last) = (oldest.first, newest.last);
        let name = compacted_name(partition, (first, last), self.commit, generation, self.format);
        let made = lines.finish()?;
        if !self
            .root
            .rename_new(&self.unnamed(), &format!("{}/{name}", self.staged))?
        {
            return Err(unexpected(format!("{name} was staged twice")));
        }
        Ok(FileEntry {
            name,
            records: made.records,
            bytes: made.bytes,
            checksum: made.checksum,
            columns: made.columns,
            partition,
            first,
            last,
            made: self.commit,
            changed: old.iter().map(|file| file.changed).max().unwrap_or(0),
            replaces: self.replaced(old),
        })
    }

    fn replaced(&self, old: Vec<FileEntry>) -> Vec<ReplacedFile> {
        let mut replaced = Vec::new();
        for file in old {
            replaced.extend(file.replaces);
            replaced.push(ReplacedFile {
                name: file.name,
                made: file.made,
                gone: self.commit,
            });
        }
        replaced
    }
}
