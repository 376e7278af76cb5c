//! Data files: lines are compressed, checksummed, written and synced. A further file format has its writer and its reader here.

pub(super) mod compress;
pub(super) mod lines;
pub(super) mod writer;
