//! Data files of the ledger, line by line: one is read and checked, another one is written. Whoever rewrites files knows no more
//! of their format than this.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;

use super::compress::{FrameWriter, Scratch};
use super::lines::{Hashing, Lines};
use super::parquet::{ConvertedFile, ParquetFile, ParquetTarget};
use super::writer::CHUNK;
use crate::config::{Compression, FileFormat};
use crate::lake::disk::root::Root;
use crate::lake::ledger::FileEntry;
use crate::problem::Problem;

/// Opens a data file that the ledger lists with this checksum.
pub(in crate::lake) fn open(root: &Root, path: &str, checksum: &str) -> Result<Lines> {
    let file = root.read(path)?.ok_or_else(|| {
        Problem::new(format!("{} is gone, but the ledger knows it", root.shown(path)))
            .fix("restore it from a backup")
    })?;
    Lines::of(Hashing::new(file), FileFormat::of(path), Some(checksum))
        .with_context(|| format!("reading {}", root.shown(path)))
}

/// Calls `take` with each line of a data file, line feed included.
///
/// # Errors
/// The file is not the one that the ledger lists. `take` may have seen all of its lines by then.
pub(in crate::lake) fn each_line(
    root: &Root,
    path: &str,
    entry: &FileEntry,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut lines = open(root, path, &entry.checksum)?;
    let (mut line, mut records) = (Vec::new(), 0);
    while lines
        .next(&mut line)
        .with_context(|| format!("reading {}", root.shown(path)))?
    {
        records += 1;
        take(&line)?;
    }
    let what = if lines.checksum()? != entry.checksum {
        "was changed since it was written (checksum)".to_owned()
    } else if records != entry.records {
        format!(
            "has {records} lines, and the ledger counts {} records in it",
            entry.records
        )
    } else {
        return Ok(());
    };
    Problem::new(format!("{} {what}", root.shown(path)))
        .fix("restore it from a backup, or take it out of the lake")
        .err()
}

/// A new data file of either format that lines are added to.
pub(in crate::lake) struct NewFile(Writing);

enum Writing {
    Text(Box<LineFile>),
    Parquet {
        file: Box<ParquetFile>,
        columns: u64,
        shown: String,
    },
}

/// What a complete file holds, for its entry in the ledger.
#[derive(Debug)]
pub(in crate::lake) struct RewrittenFile {
    pub records: u64,
    /// On disk.
    pub bytes: u64,
    pub checksum: String,
    /// The version of the topic's columns, of Parquet.
    pub columns: Option<u64>,
}

impl RewrittenFile {
    /// An entry for it in place of another file's.
    pub fn in_place_of(self, entry: &FileEntry) -> FileEntry {
        FileEntry {
            records: self.records,
            bytes: self.bytes,
            checksum: self.checksum,
            columns: self.columns,
            ..entry.clone()
        }
    }
}

impl NewFile {
    /// A file of either format. The columns of Parquet must be wide enough for all lines.
    pub fn create(
        root: &Root,
        path: &str,
        format: FileFormat,
        parquet: ParquetTarget<'_>,
    ) -> Result<NewFile> {
        let (file, shown) = (root.create(path)?, root.shown(path));
        Ok(NewFile(match format {
            FileFormat::Json(compression) => Writing::Text(Box::new(LineFile::new(file, shown, compression))),
            FileFormat::Parquet => Writing::Parquet {
                file: Box::new(ParquetFile::new(file, parquet)?),
                columns: parquet.columns.version,
                shown,
            },
        }))
    }

    /// Bytes so far, as lake.max_file_size counts them: of lines before compression, and Parquet's own.
    pub fn size(&self) -> u64 {
        match &self.0 {
            Writing::Text(file) => file.line_bytes,
            Writing::Parquet { file, .. } => file.size(),
        }
    }

    pub fn add(&mut self, line: &[u8]) -> Result<()> {
        match &mut self.0 {
            Writing::Text(file) => file.add(line),
            Writing::Parquet { file, shown, .. } => {
                file.add(line).with_context(|| format!("writing {shown}"))
            }
        }
    }

    pub fn finish(self) -> Result<RewrittenFile> {
        Ok(match self.0 {
            Writing::Text(file) => file.finish()?,
            Writing::Parquet { file, columns, shown } => {
                let ConvertedFile {
                    records,
                    bytes,
                    checksum,
                    ..
                } = file.finish().with_context(|| format!("writing {shown}"))?;
                RewrittenFile {
                    records,
                    bytes,
                    checksum,
                    columns: Some(columns),
                }
            }
        })
    }
}

/// A file of lines.
struct LineFile {
    file: File,
    shown: String,
    frames: FrameWriter,
    scratch: Scratch,
    /// Lines that are not written yet.
    buffer: Vec<u8>,
    records: u64,
    /// Before compression.
    line_bytes: u64,
}

impl LineFile {
    fn new(file: File, shown: String, compression: Compression) -> LineFile {
        LineFile {
            file,
            shown,
            frames: FrameWriter::new(compression),
            scratch: Scratch::default(),
            buffer: Vec::new(),
            records: 0,
            line_bytes: 0,
        }
    }

    fn add(&mut self, line: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(line);
        self.records += 1;
        self.line_bytes += line.len() as u64;
        if self.buffer.len() >= CHUNK {
            self.write()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<RewrittenFile> {
        if !self.buffer.is_empty() {
            self.write()?;
        }
        Ok(RewrittenFile {
            records: self.records,
            bytes: self.frames.bytes(),
            checksum: self.frames.checksum(),
            columns: None,
        })
    }

    fn write(&mut self) -> Result<()> {
        let written = self
            .frames
            .frame(&self.buffer, &mut self.scratch)
            .and_then(|frame| self.file.write_all(frame));
        written.with_context(|| format!("writing {}", self.shown))?;
        self.buffer.clear();
        Ok(())
    }
}
