//! Decides in which Kafka partition a key lives, if several hold records of it, as after partitions were added. Lake and
//! warehouse both use it.

/// The latest timestamp of a key in a Kafka partition, in milliseconds since 1970, and that partition. The key lives where
/// its rank is highest, and its last offset there counts. A rank never falls while a Kafka partition is read, so a record is
/// outdated if one of another Kafka partition has a higher rank, whichever is read first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    latest_ms: i64,
    partition: i32,
}

impl Rank {
    pub fn of(latest_ms: i64, partition: i32) -> Rank {
        Rank { latest_ms, partition }
    }
}
