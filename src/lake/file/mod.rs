//! Data files: lines are compressed, checksummed, written and synced. A further file format has its writer and its reader here.

pub(super) mod compress;
pub(in crate::lake) mod parquet;
pub(super) mod staged;
pub(super) mod writer;
