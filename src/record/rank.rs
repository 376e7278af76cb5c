//! Where a key lives that has records in several Kafka partitions, as after their number was changed. Lake and warehouse
//! decide it alike.

/// The latest timestamp that a key has had in a Kafka partition, in milliseconds since 1970, and that partition. The key lives
/// where its rank is the highest, and its last offset there counts. A rank never falls while a Kafka partition is read, so a
/// record of a lower rank than one of another Kafka partition is outdated, in whatever order they come.
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
