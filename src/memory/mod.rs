//! Memory used well: keys in a table of hashes, and bytes that are wanted soon.

pub mod key_hash;
pub mod prefetch;
