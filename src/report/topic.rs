//! What a run did with one topic, in Kafka, lake and warehouse.

use serde::Serialize;
use std::collections::BTreeSet;

use super::{CompactReport, Status, TimeDoubt, told};
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
    /// The exit code by this topic alone.
    #[serde(skip)]
    pub exit_code: u8,
    pub partitions: Vec<PartitionReport>,
    pub read: u64,
    pub tombstones: u64,
    /// Kept as text, or skipped because the key is missing.
    pub irregular: u64,
    /// Transaction markers, aborted records, compaction.
    pub skipped_offsets: u64,
    /// Read, but dropped: older than a purge's cutoff.
    pub below_retention: u64,
    /// Read, but dropped: they belong to an erased person.
    pub erased: u64,
    /// Read, but dropped: earlier than `--from`.
    pub before_from: u64,
    /// Read by a rebuild, but of other days.
    pub other_days: u64,
    /// Records of the lake that have no day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_day: Option<TimeDoubt>,
    /// Records whose day, or whose retention column, is implausible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implausible_time: Option<TimeDoubt>,
    pub remaining: u64,
    /// Records that an open transaction holds back.
    pub held: u64,
    pub gaps: Vec<Gap>,
    /// Whether Kafka may have deleted tombstones that no run of this table has read.
    #[serde(skip)]
    pub tombstones_forgotten: bool,
    /// What a person has to look at. The report has it among its warnings.
    #[serde(skip)]
    pub to_look_at: Vec<Problem>,
    #[serde(flatten)]
    pub target: TargetReport,
}

/// The run took the offsets from `start` up to, but without, `next`.
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
    Compact(CompactReport),
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
    /// Days of the past among them, which scripts have to process again.
    pub days_reopened: BTreeSet<String>,
    /// The changed files, with `-v`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<PathsReport>,
}

/// Data files, relative to the lake root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PathsReport {
    pub new: Vec<String>,
    /// Files that another one of the same name has replaced.
    pub replaced: Vec<String>,
    pub removed: Vec<String>,
    /// Files that a compaction has made, whose records are those of the files they replace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compacted: Vec<CompactedPath>,
}

/// A data file that a compaction has made, and those that it replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CompactedPath {
    pub path: String,
    pub replaces: Vec<String>,
}

impl CompactedPath {
    fn lines(&self) -> impl Iterator<Item = (char, &str)> {
        let replaced = self.replaces.iter().map(|path| ('-', path.as_str()));
        std::iter::once(('*', self.path.as_str())).chain(replaced)
    }
}

impl PathsReport {
    /// Adds the changes of a later commit.
    pub fn add(&mut self, later: PathsReport) {
        self.new.extend(later.new);
        self.replaced.extend(later.replaced);
        self.removed.extend(later.removed);
        for list in [&mut self.new, &mut self.replaced, &mut self.removed] {
            list.sort_unstable();
        }
    }

    /// One line for each: `+` new, `~` replaced, `-` removed; `*` made by a compaction, with a `-` for each that it replaces.
    pub fn lines(&self) -> impl Iterator<Item = (char, &str)> {
        let lists = [('+', &self.new), ('~', &self.replaced), ('-', &self.removed)];
        lists
            .into_iter()
            .flat_map(|(mark, paths)| paths.iter().map(move |path| (mark, path.as_str())))
            .chain(self.compacted.iter().flat_map(CompactedPath::lines))
    }
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct WarehouseReport {
    pub table: String,
    pub upserted: u64,
    pub deleted: u64,
    pub rejected: u64,
}

/// What `lake --verify` read, and where the lake differs from its ledger.
#[derive(Debug, Clone, Default, Serialize)]
pub struct VerifyReport {
    pub files: u64,
    /// Lines of streams, rows of snapshots.
    pub records: u64,
    /// On disk.
    pub bytes: u64,
    pub days: u64,
    /// Offsets without a record between the first and last record of a Kafka partition: transaction markers, aborted records,
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
            without_day: None,
            implausible_time: None,
            remaining: 0,
            held: 0,
            gaps: Vec::new(),
            tombstones_forgotten: false,
            to_look_at: Vec::new(),
            target,
        }
    }

    /// Fails this topic; the others go on.
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

    /// Notes that a person has to look at something: exit code 3 unless there is a worse one.
    pub fn needs_attention(&mut self) {
        self.exit_code = exit::worst([self.exit_code, exit::ATTENTION]);
    }

    /// The same, and says at what.
    pub fn needs_a_person(&mut self, problem: Problem) {
        self.to_look_at.push(problem);
        self.needs_attention();
    }

    /// A line for each day that was compacted; with `-v`, one for each file that a run of lake has made, replaced or removed.
    pub fn changed_paths(&self) -> Vec<String> {
        match &self.target {
            TargetReport::Lake(LakeReport {
                paths: Some(paths), ..
            }) => paths
                .lines()
                .map(|(mark, path)| format!("{mark} {path}"))
                .collect(),
            TargetReport::Compact(compacted) => {
                compacted.days.iter().map(|day| day.line(&self.topic)).collect()
            }
            _ => Vec::new(),
        }
    }
}
