//! How far a target is with a topic, and what a bounded read of it came to.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far a target is with a topic. The target's word wins over Kafka's group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Kafka partition -> offset of the first record that was not taken in. Empty: never drained.
    pub next: BTreeMap<i32, i64>,
    /// Kafka's id of the topic, where the broker gave one: a topic made anew has another.
    pub topic_id: Option<String>,
    /// When a run last took in everything there was, in milliseconds since 1970.
    pub complete_ms: Option<i64>,
    /// 1, and one more for each time the topic was made anew and accepted.
    pub generation: u32,
}

/// What a bounded read of a topic came to; the sink commits just this.
#[derive(Debug, Clone, Default)]
pub struct Drained {
    pub partitions: Vec<DrainedPartition>,
    pub topic_id: Option<String>,
    /// The generation that these records belong to: it differs from the progress's where the topic was made anew.
    pub generation: u32,
    /// Every Kafka partition was read up to the end that the plan saw.
    pub complete: bool,
    /// When the plan saw the ends, in milliseconds since 1970.
    pub planned_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainedPartition {
    pub partition: i32,
    pub start: i64,
    /// Where the next run begins.
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
