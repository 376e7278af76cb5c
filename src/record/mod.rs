//! Kafka records as the sinks see them (borrowed bytes and their coordinates), plans and progress.

mod drain_plan;
mod last_record;
mod progress;
mod rank;

pub use drain_plan::{DrainPlan, OffsetRange};
pub use last_record::{LastRecord, LastRecords, note_last};
pub use progress::{Drained, DrainedPartition, Gap, Progress};
pub use rank::Rank;

/// Where a record stands in Kafka, and when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coordinates {
    /// Kafka partition.
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970; -1 where the record has none.
    pub timestamp_ms: i64,
}

impl Coordinates {
    /// For lines of the lake that carry none.
    pub const UNKNOWN: Coordinates = Coordinates {
        partition: -1,
        offset: -1,
        timestamp_ms: -1,
    };
}

/// A record; the sink knows its topic.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// Kafka partition.
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970; -1 where the record has none.
    pub timestamp_ms: i64,
    pub key: Option<&'a [u8]>,
    /// None: a tombstone in a table, just a row in a stream.
    pub value: Option<&'a [u8]>,
    pub headers: Vec<Header<'a>>,
}

impl Record<'_> {
    pub fn coordinates(&self) -> Coordinates {
        Coordinates {
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
        }
    }

    /// As the last record taken of its Kafka partition.
    pub fn as_last(&self) -> LastRecord {
        LastRecord::of(self.coordinates(), self.key, self.value)
    }
}

#[derive(Debug, Clone)]
pub struct Header<'a> {
    /// UTF-8 by Kafka's rule, which not every producer keeps.
    pub name: &'a [u8],
    pub value: Option<&'a [u8]>,
}
