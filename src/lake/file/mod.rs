//! Bytes of a data file on their way to the disk: compressed, checksummed, synced.

pub(super) mod compress;
pub(super) mod writer;
