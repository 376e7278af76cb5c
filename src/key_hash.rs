//! How keys are found in memory: cheaper than the standard library's hash, and as hard to foresee from outside.

use std::hash::{BuildHasher, RandomState};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// Keys come from outside: nobody shall know beforehand which of them meet.
#[derive(Debug, Clone, Copy)]
pub struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Seed(RandomState::new().hash_one(0))
    }
}

impl Seed {
    pub fn hash(self, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.0)
    }

    /// So long that no two keys have the same one.
    pub fn long_hash(self, key: &[u8]) -> u128 {
        xxh3_128_with_seed(key, self.0)
    }
}

/// A table of short hashes wants the bits that differ at both ends.
pub fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}
