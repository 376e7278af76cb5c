//! What a compaction did with a topic of the lake, or would do.

use serde::Serialize;

use crate::words::count;

/// The days of a stream that were compacted.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CompactReport {
    pub days: Vec<CompactedDay>,
    /// Days that a limit or a signal left for the next run.
    pub days_left: u64,
    /// Of the days together.
    pub records: u64,
    pub files_before: u64,
    pub files_after: u64,
    /// On disk.
    pub bytes_before: u64,
    pub bytes_after: u64,
}

/// A day folder before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompactedDay {
    pub day: String,
    pub records: u64,
    pub files_before: u64,
    /// In a dry run of a compressed lake: at least.
    pub files_after: u64,
    /// On disk.
    pub bytes_before: u64,
    /// Not known in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_after: Option<u64>,
}

impl CompactReport {
    pub fn add(&mut self, day: CompactedDay) {
        self.records += day.records;
        self.files_before += day.files_before;
        self.files_after += day.files_after;
        self.bytes_before += day.bytes_before;
        self.bytes_after += day.bytes_after.unwrap_or(0);
        self.days.push(day);
    }

    /// Bytes of the new files; in a dry run, of the old ones.
    pub fn size(&self) -> u64 {
        self.days.iter().map(CompactedDay::size).sum()
    }

    /// What a person is told beside the numbers.
    pub fn remarks(&self) -> Vec<String> {
        let nothing = (self.days.is_empty() && self.days_left == 0).then(|| "nothing to compact".to_owned());
        let left = (self.days_left > 0).then(|| format!("{} left", count(self.days_left, "day")));
        nothing.into_iter().chain(left).collect()
    }
}

impl CompactedDay {
    fn size(&self) -> u64 {
        self.bytes_after.unwrap_or(self.bytes_before)
    }

    pub(super) fn line(&self, topic: &str) -> String {
        format!(
            "{topic} {}: {} -> {}, {}, {}",
            self.day,
            count(self.files_before, "file"),
            self.files_after,
            count(self.records, "record"),
            indicatif::HumanBytes(self.size())
        )
    }
}
