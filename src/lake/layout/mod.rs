//! Which folder and which file name a record belongs to: topics, days, Hive partitions.

pub(super) mod day;
pub mod paths;
