//! The status as values. `None` is unknown: `?` for people, `null` for scripts.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use crate::config::Kind;
use crate::lake::FormatNote;
use crate::warehouse::RejectReason;

/// The state of lake, Kafka or warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Answered,
    /// There is none, which is not an error: no lake yet, or no warehouse configured.
    Absent(&'static str),
    /// It exists, or should, but gave no answer.
    Silent,
}

#[derive(Debug, Clone, Serialize)]
pub struct TopicStatus {
    pub topic: String,
    pub kind: Kind,
    pub configured: bool,
    /// None: Kafka gave no answer.
    pub in_kafka: Option<bool>,
    /// None: the topic does not go into the lake.
    pub lake: Option<LakeStatus>,
    /// Its tables in the warehouse.
    pub tables: Vec<TableStatus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LakeState {
    Ok,
    /// No record of the topic was ever committed.
    New,
    /// The ledger's files of the topic are damaged or lost.
    Damaged,
    /// The lake could not be read.
    Unknown,
}

#[derive(Debug, Clone, Serialize)]
pub struct LakeStatus {
    pub state: LakeState,
    pub error: Option<String>,
    pub lag: Option<u64>,
    pub partitions: Vec<PartitionStatus>,
    #[serde(serialize_with = "time")]
    pub committed: Option<DateTime<Utc>>,
    pub last_run: Option<RunStatus>,
    pub unfinished: bool,
    pub records: Option<u64>,
    pub bytes: Option<u64>,
    pub files: Option<u64>,
    /// Days with records; those without a usable date stand in `undated_records`.
    pub days: Option<u64>,
    pub first_day: Option<NaiveDate>,
    pub last_day: Option<NaiveDate>,
    pub undated_records: Option<u64>,
    pub generation: u32,
    pub retention: Option<String>,
    /// The first day that a purge has left.
    pub purged_before: Option<NaiveDate>,
    pub by_day: Vec<DayStatus>,
    /// Columns of its Parquet files.
    pub columns: Vec<ColumnStatus>,
    /// What readers have to mind.
    pub notes: Vec<FormatNote>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnStatus {
    pub name: String,
    pub r#type: String,
}

/// A Kafka partition: the target's next offset, and Kafka's stable end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    pub partition: i32,
    pub next: Option<i64>,
    pub end: Option<i64>,
    pub lag: Option<u64>,
}

/// The run that last held the topic's lock in the lake.
#[derive(Debug, Clone, Serialize)]
pub struct RunStatus {
    pub run_id: String,
    #[serde(serialize_with = "time_of")]
    pub started: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize)]
pub struct DayStatus {
    pub day: NaiveDate,
    pub records: u64,
    pub files: u64,
    pub bytes: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct TableStatus {
    pub table: String,
    /// Whether the configuration sends the topic there. If not, it did so before, and there is no lag.
    pub current: bool,
    pub error: Option<String>,
    pub lag: Option<u64>,
    pub partitions: Vec<PartitionStatus>,
    #[serde(serialize_with = "time")]
    pub committed: Option<DateTime<Utc>>,
    pub rows: Option<u64>,
    /// Whether the rows were counted; else the number is the database's estimate.
    pub rows_exact: bool,
    pub rejects: Option<u64>,
    pub rejects_by_reason: Vec<RejectReason>,
    pub retention: Option<RowRetentionStatus>,
    pub purged_before: Vec<RowsPurgedBefore>,
}

#[derive(Debug, Clone, Serialize)]
pub struct RowRetentionStatus {
    pub column: String,
    pub keep: String,
}

/// Rows whose column lies before that time, in UTC, were purged.
#[derive(Debug, Clone, Serialize)]
pub struct RowsPurgedBefore {
    pub column: String,
    pub before: String,
}

/// A time as in all reports: RFC 3339 in UTC, to the millisecond.
pub fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn time<S: Serializer>(time: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(rfc3339).serialize(serializer)
}

fn time_of<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time))
}
