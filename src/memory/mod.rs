//! Fast memory: a hash index of keys, and prefetching.

pub mod key_hash;
pub mod prefetch;
