//! What a run did with one topic, and what it did to the topic's place in lake or warehouse.

use serde::Serialize;
use std::collections::BTreeSet;

use super::{Status, told};
use crate::config::Kind;
use crate::exit;
use crate::problem::Problem;
use crate::record::Gap;

#[derive(Debug, Clone, Serialize)]
pub struct TopicReport {
    pub topic: String,
    pub kind: Kind,
    pub status: Status,
    pub error: Option<Problem>,
    /// The folder in the lake, or the MySQL table.
    pub into: String,
    /// What a dry run of a rebuild would replace.
    #[serde(skip)]
    pub replaces: Option<String>,
    /// What this topic makes of the run's exit code.
    #[serde(skip)]
    pub exit_code: u8,
    pub partitions: Vec<PartitionReport>,
    pub read: u64,
    pub tombstones: u64,
    /// Kept as text, or skipped for want of a key.
    pub irregular: u64,
    /// Transaction markers, aborted records, compaction.
    pub skipped_offsets: u64,
    /// Read, but dropped: older than what a purge has erased.
    pub below_retention: u64,
    /// Read, but dropped: of someone who was erased.
    pub erased: u64,
    /// Read, but dropped: earlier than `--from`.
    pub before_from: u64,
    /// Read by a rebuild, of days that it is not about.
    pub other_days: u64,
    pub remaining: u64,
    /// Records that an open transaction holds back.
    pub held: u64,
    pub gaps: Vec<Gap>,
    /// Kafka may have deleted tombstones that this table never saw.
    #[serde(skip)]
    pub tombstones_forgotten: bool,
    #[serde(flatten)]
    pub target: TargetReport,
}

/// What this run took in is `start`..`next`, half open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PartitionReport {
    pub partition: i32,
    pub start: i64,
    pub next: i64,
    /// The end that the run saw when it began.
    pub end: i64,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum TargetReport {
    Lake(LakeReport),
    Warehouse(WarehouseReport),
    Verify(VerifyReport),
    /// A purge, which reads no records.
    None {},
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct LakeReport {
    /// Lines of streams, rows of snapshots.
    pub written: u64,
    pub files: u64,
    /// On disk.
    pub bytes: u64,
    pub days: BTreeSet<String>,
    /// Those of the days that lie in the past: what scripts have to process again.
    pub days_reopened: BTreeSet<String>,
    /// What the run changed, with `-v`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<PathsReport>,
}

/// Data files, relative to the lake root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PathsReport {
    pub new: Vec<String>,
    /// Others under the same name.
    pub replaced: Vec<String>,
    pub removed: Vec<String>,
}

impl PathsReport {
    /// Takes in what a later commit changed.
    pub fn add(&mut self, later: PathsReport) {
        self.new.extend(later.new);
        self.replaced.extend(later.replaced);
        self.removed.extend(later.removed);
        for list in [&mut self.new, &mut self.replaced, &mut self.removed] {
            list.sort_unstable();
        }
    }

    /// One line for each: `+` new, `~` replaced, `-` removed.
    pub fn lines(&self) -> impl Iterator<Item = (char, &str)> {
        let lists = [('+', &self.new), ('~', &self.replaced), ('-', &self.removed)];
        lists
            .into_iter()
            .flat_map(|(mark, paths)| paths.iter().map(move |path| (mark, path.as_str())))
    }
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct WarehouseReport {
    pub table: String,
    pub upserted: u64,
    pub deleted: u64,
    pub rejected: u64,
}

/// What `lake --verify` looked at, and what is not as the ledger says.
#[derive(Debug, Clone, Default, Serialize)]
pub struct VerifyReport {
    pub files: u64,
    /// Lines of streams, rows of snapshots.
    pub records: u64,
    /// On disk.
    pub bytes: u64,
    pub days: u64,
    /// Offsets between a Kafka partition's first and last record that hold none: transaction markers, aborted records,
    /// compaction, purges, accepted gaps.
    pub offsets_without_record: u64,
    pub differences: Vec<Difference>,
}

/// A path relative to the lake root, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub path: String,
    pub what: String,
}

impl TopicReport {
    pub fn new(topic: &str, kind: Kind, target: TargetReport) -> Self {
        TopicReport {
            topic: topic.to_owned(),
            kind,
            status: Status::Ok,
            error: None,
            into: String::new(),
            replaces: None,
            exit_code: exit::DONE,
            partitions: Vec::new(),
            read: 0,
            tombstones: 0,
            irregular: 0,
            skipped_offsets: 0,
            below_retention: 0,
            erased: 0,
            before_from: 0,
            other_days: 0,
            remaining: 0,
            held: 0,
            gaps: Vec::new(),
            tombstones_forgotten: false,
            target,
        }
    }

    /// Ends this topic with an error; the others go on.
    pub fn fail(&mut self, error: &anyhow::Error) {
        self.status = Status::Failed;
        self.exit_code = exit::code_of(error);
        self.error = Some(told(error));
    }

    pub fn lock_out(&mut self, holder: String) {
        self.status = Status::Locked;
        self.exit_code = exit::LOCKED;
        self.error = Some(Problem::new(holder));
    }

    /// Something a person has to look at: exit code 3 unless something is worse.
    pub fn needs_attention(&mut self) {
        self.exit_code = exit::worst([self.exit_code, exit::ATTENTION]);
    }

    /// With `-v`, the files that a run of lake has made, replaced and removed, a line each.
    pub fn changed_paths(&self) -> Vec<String> {
        match &self.target {
            TargetReport::Lake(LakeReport {
                paths: Some(paths), ..
            }) => paths
                .lines()
                .map(|(mark, path)| format!("{mark} {path}"))
                .collect(),
            _ => Vec::new(),
        }
    }
}
