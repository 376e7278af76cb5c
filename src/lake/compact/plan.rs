//! Which days a compaction rewrites, and in which order their files go together: by what the ledger says of them alone.

use anyhow::Result;
use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::{FileFormat, Format, units};
use crate::lake::layout::paths::{HivePartition, is_compacted_name};
use crate::lake::ledger::FileEntry;
use crate::problem::Problem;

/// So many files that came after a day's compaction are worth another one.
const LATE_FILES: usize = 16;
/// And so are files with this part of the day's records, so that no record is rewritten more than some ten times.
const LATE_PART: u64 = 10;

/// The files of a day that is to be compacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DayPlan {
    /// Those of each Kafka partition and generation, by their offsets.
    pub sources: Vec<Vec<FileEntry>>,
}

impl DayPlan {
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        self.sources.iter().flatten()
    }

    /// What all of its files are; None: some are JSON, and some Parquet.
    pub fn format(&self) -> Option<Format> {
        let mut formats = self.files().map(|file| match FileFormat::of(&file.name) {
            FileFormat::Json(_) => Format::Json,
            FileFormat::Parquet => Format::Parquet,
        });
        let first = formats.next()?;
        formats.all(|format| format == first).then_some(first)
    }

    /// How many files it will be: in a compressed lake at least so many, because their lines are larger than the files.
    pub fn files_after(&self, max_file_bytes: u64) -> u64 {
        let files_of = |source: &Vec<FileEntry>| {
            let mut files = 0;
            let mut room = Room::default();
            for file in source {
                if files == 0 || !room.has(file.bytes, max_file_bytes) {
                    room = Room::default();
                    files += 1;
                }
                room.take(file.bytes, room.lines + file.bytes);
            }
            files
        };
        self.sources.iter().map(files_of).sum()
    }
}

/// How full a new file is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Room {
    /// Bytes of the old files in it, on disk, and of their lines.
    read: u64,
    lines: u64,
}

impl Room {
    /// Whether a further old file fits. Its lines are as large as its bytes on disk let expect from those before it.
    pub fn has(self, bytes: u64, max_file_bytes: u64) -> bool {
        let expected = u128::from(bytes) * u128::from(self.lines) / u128::from(self.read.max(1));
        u128::from(self.lines) + expected <= u128::from(max_file_bytes)
    }

    /// Counts an old file whose lines were added, so that there are `lines` bytes of them in all.
    pub fn take(&mut self, bytes: u64, lines: u64) {
        self.read += bytes;
        self.lines = lines;
    }
}

/// Whether a day has ended and got its newest commit at least this long ago. Records without a day may come at any time: only
/// the commit counts.
pub(super) fn is_closed(
    day: HivePartition,
    zone: Tz,
    newest_commit_ms: i64,
    now_ms: i64,
    older_than: Duration,
) -> bool {
    let end_ms = match day {
        HivePartition::Null => Some(i64::MIN),
        HivePartition::Day(day) => day.succ_opt().map(|next| units::midnight_ms(next, zone)),
    };
    let before_ms = now_ms.saturating_sub_unsigned(older_than.as_millis().try_into().unwrap_or(u64::MAX));
    end_ms.is_some_and(|end_ms| end_ms.max(newest_commit_ms) <= before_ms)
}

/// None: the day stays as it is, because it would have as many files, or because too little came since its last compaction; and
/// none of its files is stale.
///
/// # Errors
/// Two files of a Kafka partition share offsets, so that their records have no order.
pub(super) fn of_day(
    files: Vec<FileEntry>,
    max_file_bytes: u64,
    is_stale: impl Fn(&FileEntry) -> bool,
) -> Result<Option<DayPlan>> {
    let number = files.len() as u64;
    let stale = files.iter().any(is_stale);
    if !stale && !is_worth_it(&files) {
        return Ok(None);
    }
    let mut sources: BTreeMap<(i32, u32), Vec<FileEntry>> = BTreeMap::new();
    for file in files {
        sources.entry(file.source()).or_default().push(file);
    }
    let mut sources: Vec<_> = sources.into_values().collect();
    for source in &mut sources {
        source.sort_unstable_by_key(|file| file.first);
        if let Some(pair) = source.windows(2).find(|pair| pair[1].first <= pair[0].last) {
            return Problem::new(format!(
                "the offsets of {} begin within those of {}",
                pair[1].name, pair[0].name
            ))
            .fix("see what lakectl lake --verify says of the day, and rebuild it")
            .err();
        }
    }
    let plan = DayPlan { sources };
    Ok((stale || plan.files_after(max_file_bytes) < number).then_some(plan))
}

/// Whether the day has not been compacted, or enough has come since then.
fn is_worth_it(files: &[FileEntry]) -> bool {
    let records = |files: &[&FileEntry]| files.iter().map(|file| file.records).sum::<u64>();
    let (compacted, late): (Vec<_>, Vec<_>) = files.iter().partition(|file| is_compacted_name(&file.name));
    compacted.is_empty()
        || late.len() >= LATE_FILES
        || (!late.is_empty() && records(&late).saturating_mul(LATE_PART) >= records(&compacted))
}

#[cfg(test)]
mod tests;
