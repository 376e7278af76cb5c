//! Hashes of keys and an index by them: cheaper than the standard library's hash, and as hard to predict from outside.

use hashbrown::HashTable;
use std::hash::{BuildHasher, RandomState};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// Longest key whose long hash is XXH3. For longer keys it works in stripes of 64 bytes, and some keys collide with every
/// seed.
const XXH3_MAX: usize = 240;

/// A random seed. Keys come from outside, and nobody may know beforehand which of them collide.
#[derive(Debug, Clone, Copy)]
pub struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Seed(RandomState::new().hash_one(0))
    }
}

impl Seed {
    /// A seed that was stored.
    pub fn of(number: u64) -> Seed {
        Seed(number)
    }

    pub fn number(self) -> u64 {
        self.0
    }

    pub fn hash(self, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.0)
    }

    /// A hash so long that no two keys share it.
    pub fn long_hash(self, key: &[u8]) -> u128 {
        if key.len() <= XXH3_MAX {
            return xxh3_128_with_seed(key, self.0);
        }
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&self.0.to_le_bytes());
        let hash = blake3::keyed_hash(&secret, key);
        u128::from_le_bytes(std::array::from_fn(|at| hash.as_bytes()[at]))
    }
}

/// An index of rows: a part of each key's hash, so that hardly any other key is compared, and the row's place.
#[derive(Debug, Default)]
pub struct Places(HashTable<(u32, u32)>);

impl Places {
    pub fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let is_it = |&(other, at): &(u32, u32)| other == hash && is_it(at);
        self.0.find(spread(hash), is_it).map(|&(_, at)| at)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The memory of all places, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.allocation_size()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a row whose key is not in the index.
    pub fn insert(&mut self, hash: u32, at: u32) {
        self.0
            .insert_unique(spread(hash), (hash, at), |&(hash, _)| spread(hash));
    }

    pub fn remove(&mut self, hash: u32, at: u32) {
        if let Ok(place) = self.0.find_entry(spread(hash), |place| place.1 == at) {
            place.remove();
        }
    }
}

/// Spreads the bits of a hash: the table uses those at both ends.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_length_have_long_hashes_of_their_own() {
        let (seed, other) = (Seed(1), Seed(2));
        let mut seen = std::collections::BTreeSet::new();
        for length in (0..600).chain([10_000]) {
            let mut key = vec![7; length];
            assert_eq!(seed.long_hash(&key), seed.long_hash(&key.clone()));
            assert!(seen.insert(seed.long_hash(&key)) && seen.insert(other.long_hash(&key)));
            if let Some(last) = key.last_mut() {
                *last = 8;
                assert!(seen.insert(seed.long_hash(&key)));
            }
        }
    }
}
