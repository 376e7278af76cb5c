//! The plan of a run's read of a topic, made once before it reads.

use super::LastRecords;
use super::progress::Gap;

/// A half-open range of offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    pub partition: i32,
    pub start: i64,
    pub end: i64,
}

/// The bounded read of one topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrainPlan {
    pub ranges: Vec<OffsetRange>,
    /// Groups of Kafka partitions, which are read one group after the other. Empty: all partitions at once.
    pub turns: Vec<Vec<i32>>,
    /// Whether records are read without headers: librdkafka takes long to look for them, even if there are none.
    pub without_headers: bool,
    pub gaps: Vec<Gap>,
    /// The last records before the starts, as far as Kafka still has them: the read begins with them, to see that they are the
    /// same.
    pub last: LastRecords,
    /// How many offsets an open transaction holds back.
    pub held: u64,
    pub generation: u32,
    pub topic_id: Option<String>,
    /// Drop records earlier than this.
    pub from_ms: Option<i64>,
    /// When the ends were asked for, in milliseconds since 1970.
    pub planned_ms: i64,
}

impl DrainPlan {
    /// How many offsets will be read.
    pub fn len(&self) -> u64 {
        self.ranges
            .iter()
            .map(|range| (range.end - range.start).unsigned_abs())
            .sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
