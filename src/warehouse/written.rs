//! Keys that this run has written already: where the number of Kafka partitions has grown, a key's older record may
//! come later.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// About as many as a batch can hold: what is forgotten would not have stood in one batch with what comes.
const KEYS_MAX: usize = 400_000;

/// The newest records of keys.
#[derive(Debug)]
pub(super) struct Written {
    keys: HashTable<Newest>,
    keys_max: usize,
}

/// The key is told by a hash so long that no two have the same.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) key: u128,
    pub(super) partition: i32,
    pub(super) timestamp_ms: i64,
}

impl Default for Written {
    fn default() -> Self {
        Written {
            keys: HashTable::new(),
            keys_max: KEYS_MAX,
        }
    }
}

impl Written {
    /// From now on, however many there are.
    pub(super) fn forget_none(&mut self) {
        self.keys_max = usize::MAX;
    }

    /// Those of a batch.
    pub(super) fn add(&mut self, batch: impl ExactSizeIterator<Item = Newest>) {
        if self.keys.len() + batch.len() > self.keys_max {
            self.keys.clear();
        }
        self.keys.reserve(batch.len(), |other| short(other.key));
        for newest in batch {
            let same = |other: &Newest| other.key == newest.key;
            match self.keys.entry(short(newest.key), same, |other| short(other.key)) {
                Entry::Occupied(mut place) => *place.get_mut() = newest,
                Entry::Vacant(place) => {
                    place.insert(newest);
                }
            }
        }
    }

    /// Whether a record of another Kafka partition, written before, is the newer one.
    pub(super) fn is_newer(&self, key: u128, partition: i32, timestamp_ms: i64) -> bool {
        let found = self.keys.find(short(key), |newest| newest.key == key);
        found.is_some_and(|newest| newest.partition != partition && newest.timestamp_ms > timestamp_ms)
    }
}

fn short(key: u128) -> u64 {
    key as u64
}
