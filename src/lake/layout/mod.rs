//! The folder and file name of each record: topics, days, Hive partitions.

pub(super) mod day;
pub mod paths;
