//! Keys that this run has written already: where the number of Kafka partitions has grown, a key's older record may
//! come later.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Keys that are remembered, in 17 MB.
const KEYS_MAX: usize = 400_000;

/// The newest records of keys: of all of them while they are few, then of those whose hash begins with more and more
/// zeros. They are enough to tell that a topic's keys have moved, which many do together.
#[derive(Debug)]
pub(super) struct Written {
    keys: HashTable<Newest>,
    keys_max: usize,
    /// Zeros that the hash of a key must begin with.
    zeros: u32,
    moved: bool,
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
            zeros: 0,
            moved: false,
        }
    }
}

impl Written {
    /// From now on as many keys are remembered, in place of 400,000.
    pub(super) fn set_keys_max(&mut self, keys_max: usize) {
        self.keys_max = keys_max;
    }

    /// Those of a batch.
    pub(super) fn add(&mut self, batch: impl ExactSizeIterator<Item = Newest>) {
        let room = self.keys_max.saturating_sub(self.keys.len());
        self.keys
            .reserve(batch.len().min(room), |newest| short(newest.key));
        for newest in batch {
            let same = |other: &Newest| other.key == newest.key;
            if newest.key.leading_zeros() < self.zeros {
                continue;
            }
            match self.keys.entry(short(newest.key), same, |other| short(other.key)) {
                Entry::Occupied(mut place) => *place.get_mut() = newest,
                Entry::Vacant(place) => {
                    place.insert(newest);
                }
            }
            while self.keys.len() > self.keys_max {
                self.zeros += 1;
                self.keys
                    .retain(|newest| newest.key.leading_zeros() >= self.zeros);
                // The places of those that are gone would not all be taken again, and the table would grow instead.
                self.keys.shrink_to_fit(|newest| short(newest.key));
            }
        }
    }

    /// Whether a record of another Kafka partition, written before, is the newer one.
    pub(super) fn is_newer(&mut self, key: u128, partition: i32, timestamp_ms: i64) -> bool {
        let found = self.keys.find(short(key), |newest| newest.key == key);
        let elsewhere = found.filter(|newest| newest.partition != partition);
        self.moved |= elsewhere.is_some();
        elsewhere.is_some_and(|newest| newest.timestamp_ms > timestamp_ms)
    }

    /// Whether keys came from several Kafka partitions each, and not all were remembered: of some, an older record may
    /// have been written last.
    pub(super) fn has_missed_some(&self) -> bool {
        self.moved && self.zeros > 0
    }

    /// A key came from two Kafka partitions.
    pub(super) fn note_moved(&mut self) {
        self.moved = true;
    }
}

/// The part of a hash that does not decide who is remembered.
fn short(key: u128) -> u64 {
    key as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_hash::Seed;

    fn newest(n: u64, seed: &Seed) -> Newest {
        Newest {
            key: seed.long_hash(&n.to_be_bytes()),
            partition: 0,
            timestamp_ms: 100,
        }
    }

    #[test]
    fn what_is_not_remembered_is_not_missed_where_no_key_has_moved() {
        let (mut written, seed) = (Written::default(), Seed::default());
        written.set_keys_max(1000);
        written.add((0..50_000_u32).map(|n| newest(n.into(), &seed)));
        assert!(
            (300..=1000).contains(&written.keys.len()),
            "{}",
            written.keys.len()
        );
        // Places of those that are gone are taken again.
        assert!(written.keys.capacity() < 2000, "{}", written.keys.capacity());
        for n in 0..50_000 {
            let key = newest(n, &seed).key;
            assert!(!written.is_newer(key, 0, 50), "the offset decides");
        }
        assert!(!written.has_missed_some());

        // One in fifty keys in another Kafka partition, as after its number had grown.
        let newer = (0..1000).filter(|&n| written.is_newer(newest(n, &seed).key, 1, 50));
        assert!((1..100).contains(&newer.count()));
        assert!(written.has_missed_some());
    }

    #[test]
    fn all_that_fit_are_remembered() {
        let (mut written, seed) = (Written::default(), Seed::default());
        written.set_keys_max(1000);
        written.add((0..1000_u32).map(|n| newest(n.into(), &seed)));
        assert!((0..1000).all(|n| written.is_newer(newest(n, &seed).key, 1, 50)));
        assert!((0..1000).all(|n| !written.is_newer(newest(n, &seed).key, 1, 200)));
        assert!(!written.has_missed_some());
    }
}
