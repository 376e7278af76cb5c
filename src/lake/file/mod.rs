//! Data files: lines are compressed, checksummed, written and synced, or converted to Parquet; and read back as lines, whatever
//! a file's format is.

pub(super) mod compress;
pub(super) mod lines;
pub(in crate::lake) mod parquet;
pub(super) mod rewrite;
pub(super) mod staged;
pub(super) mod writer;
