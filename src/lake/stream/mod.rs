//! Streams: files of new records, and days that are read again from Kafka.

pub(super) mod rebuild_days;
pub(super) mod staged_files;
