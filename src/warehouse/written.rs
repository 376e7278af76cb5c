//! Keys that this run has written already: where the number of Kafka partitions has grown, a key's older record may
//! come later.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::key_hash::KeyHash;

/// About as many as a batch can hold: what is forgotten would not have stood in one batch with what comes.
const KEYS_MAX: usize = 400_000;

/// Hash of a key -> Kafka partition and timestamp of its newest record.
#[derive(Debug)]
pub(super) struct Written {
    keys: HashMap<u128, (i32, i64), KeyHash>,
    /// Keys come from outside: nobody shall know beforehand which collide.
    seed: u64,
    keys_max: usize,
}

impl Default for Written {
    fn default() -> Self {
        Written {
            keys: HashMap::default(),
            seed: RandomState::new().hash_one(0),
            keys_max: KEYS_MAX,
        }
    }
}

impl Written {
    /// From now on, however many there are.
    pub(super) fn forget_none(&mut self) {
        self.keys_max = usize::MAX;
    }

    /// Keys of a batch, each with its Kafka partition and timestamp.
    pub(super) fn add<'k>(&mut self, batch: impl ExactSizeIterator<Item = (&'k [u8], i32, i64)>) {
        if self.keys.len() + batch.len() > self.keys_max {
            self.keys.clear();
        }
        for (key, partition, timestamp_ms) in batch {
            self.keys.insert(self.hash(key), (partition, timestamp_ms));
        }
    }

    /// Whether a record of another Kafka partition, written before, is the newer one.
    pub(super) fn is_newer(&self, key: &[u8], partition: i32, timestamp_ms: i64) -> bool {
        !self.keys.is_empty()
            && self
                .keys
                .get(&self.hash(key))
                .is_some_and(|&(other, time)| other != partition && time > timestamp_ms)
    }

    fn hash(&self, key: &[u8]) -> u128 {
        xxh3_128_with_seed(key, self.seed)
    }
}
