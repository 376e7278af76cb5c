//! Writing data files: lines are compressed, checksummed, written and synced.

pub(super) mod compress;
pub(super) mod writer;
