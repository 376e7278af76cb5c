//! How far a target has taken in a topic, and how far a bounded read went.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::LastRecords;

/// How far a target has taken in a topic. It decides where a run begins; Kafka's group offsets don't.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Kafka partition -> offset of the first record that was not taken in. Empty: never drained.
    pub next: BTreeMap<i32, i64>,
    /// By these a log is recognised. A Kafka partition has none if no record of it was taken, or if Kafka no longer had it.
    pub last: LastRecords,
    /// Kafka's id of the topic, if the broker gave one. A topic created again has another id.
    pub topic_id: Option<String>,
    /// When a run was last complete, in milliseconds since 1970.
    pub complete_ms: Option<i64>,
    /// 1, and one more for each time the topic was created again and accepted.
    pub generation: u32,
}

/// How far a bounded read of a topic went; the sink commits exactly this.
#[derive(Debug, Clone, Default)]
pub struct Drained {
    pub partitions: Vec<DrainedPartition>,
    /// The last records below `next`, as far as they are known.
    pub last: LastRecords,
    pub topic_id: Option<String>,
    /// The generation of these records: it differs from the progress's if the topic was created again.
    pub generation: u32,
    /// Whether every Kafka partition was read up to its planned end.
    pub complete: bool,
    /// When the ends were asked for, in milliseconds since 1970.
    pub planned_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainedPartition {
    pub partition: i32,
    pub start: i64,
    /// The offset where the next run begins.
    pub next: i64,
    pub end: i64,
    /// Records that were read, whether or not the sink kept them.
    pub read: u64,
}

/// Offsets that Kafka no longer had; `to` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub partition: i32,
    pub from: i64,
    pub to: i64,
}
