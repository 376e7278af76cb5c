//! Keys that this run, or an earlier one of the same first drain, has written: after the number of Kafka partitions has
//! grown, a key's older record may be read later.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::record::{Rank, Record};

/// How many keys are remembered; they take 17 MB.
const KEYS_MAX: usize = 400_000;

/// Where keys live: all keys while they are few, then only those whose hash begins with more and more zeros. A sample is
/// enough to see that a topic's keys have moved, because many move together.
#[derive(Debug)]
pub(in crate::warehouse) struct RecentKeys {
    keys: HashTable<Home>,
    keys_max: usize,
    /// Zeros that the hash of a key must begin with.
    zeros: u32,
    moved: bool,
}

/// The Kafka partition that a key lives in, and its latest timestamp there. The hash is so long that no two keys share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::warehouse) struct Home {
    pub key: u128,
    pub partition: i32,
    pub latest_ms: i64,
}

/// What a record that is not outdated is among those of its key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placement {
    /// The key's latest timestamp in the record's Kafka partition.
    pub latest_ms: i64,
    /// Whether the key lived in another Kafka partition before.
    pub has_moved: bool,
}

impl Default for RecentKeys {
    fn default() -> Self {
        RecentKeys {
            keys: HashTable::new(),
            keys_max: KEYS_MAX,
            zeros: 0,
            moved: false,
        }
    }
}

impl RecentKeys {
    /// Sets how many keys are remembered; the default is 400,000.
    pub(super) fn set_keys_max(&mut self, keys_max: usize) {
        self.keys_max = keys_max;
    }

    /// Adds the keys of a batch.
    pub fn add(&mut self, batch: impl Iterator<Item = Home>) {
        let room = self.keys_max.saturating_sub(self.keys.len());
        let coming = batch.size_hint().1.unwrap_or(0);
        self.keys.reserve(coming.min(room), |home| short(home.key));
        for home in batch {
            let same = |other: &Home| other.key == home.key;
            if home.key.leading_zeros() < self.zeros {
                continue;
            }
            match self.keys.entry(short(home.key), same, |other| short(other.key)) {
                Entry::Occupied(mut place) => *place.get_mut() = home,
                Entry::Vacant(place) => {
                    place.insert(home);
                }
            }
            while self.keys.len() > self.keys_max {
                self.zeros += 1;
                self.keys.retain(|home| home.key.leading_zeros() >= self.zeros);
                // Otherwise the table would grow, because not all places of removed keys are used again.
                self.keys.shrink_to_fit(|home| short(home.key));
            }
        }
    }

    /// How a record stands to those of its key before. None if the key lives in another Kafka partition and the record is
    /// outdated.
    pub(super) fn placement(&mut self, key: u128, record: &Record<'_>) -> Option<Placement> {
        let same = |home: &Home| home.key == key;
        let new = Placement {
            latest_ms: record.timestamp_ms,
            has_moved: false,
        };
        let Some(home) = self.keys.find(short(key), same) else {
            return Some(new);
        };
        if home.partition == record.partition {
            return Some(Placement {
                latest_ms: record.timestamp_ms.max(home.latest_ms),
                ..new
            });
        }
        self.moved = true;
        let is_outdated =
            Rank::of(home.latest_ms, home.partition) > Rank::of(record.timestamp_ms, record.partition);
        (!is_outdated).then_some(Placement {
            has_moved: true,
            ..new
        })
    }

    /// Zeros that the hash of a key must begin with to be remembered.
    pub fn zeros(&self) -> u32 {
        self.zeros
    }

    /// Whether keys have moved between Kafka partitions and not all were remembered: for some, an older record may have
    /// been written last.
    pub fn has_missed_some(&self) -> bool {
        self.moved && self.zeros > 0
    }

    /// Notes that a key came from two Kafka partitions.
    pub(super) fn note_moved(&mut self) {
        self.moved = true;
    }
}

/// The low half of a hash: its leading zeros don't decide which keys are remembered.
fn short(key: u128) -> u64 {
    key as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::key_hash::Seed;

    fn home(n: u64, seed: &Seed) -> Home {
        Home {
            key: seed.long_hash(&n.to_be_bytes()),
            partition: 0,
            latest_ms: 100,
        }
    }

    fn is_outdated(written: &mut RecentKeys, key: u128, partition: i32, timestamp_ms: i64) -> bool {
        let record = Record {
            partition,
            offset: 0,
            timestamp_ms,
            key: None,
            value: None,
            headers: Vec::new(),
        };
        written.placement(key, &record).is_none()
    }

    #[test]
    fn what_is_not_remembered_is_not_missed_where_no_key_has_moved() {
        let (mut written, seed) = (RecentKeys::default(), Seed::default());
        written.set_keys_max(1000);
        written.add((0..50_000_u32).map(|n| home(n.into(), &seed)));
        assert!(
            (300..=1000).contains(&written.keys.len()),
            "{}",
            written.keys.len()
        );
        // Places of removed keys are used again.
        assert!(written.keys.capacity() < 2000, "{}", written.keys.capacity());
        for n in 0..50_000 {
            let key = home(n, &seed).key;
            assert!(!is_outdated(&mut written, key, 0, 50), "the offset decides");
        }
        assert!(!written.has_missed_some());

        // One in fifty keys is in another Kafka partition, as after their number has grown.
        let outdated = (0..1000).filter(|&n| is_outdated(&mut written, home(n, &seed).key, 1, 50));
        assert!((1..100).contains(&outdated.count()));
        assert!(written.has_missed_some());
    }

    #[test]
    fn all_that_fit_are_remembered() {
        let (mut written, seed) = (RecentKeys::default(), Seed::default());
        written.set_keys_max(1000);
        written.add((0..1000_u32).map(|n| home(n.into(), &seed)));
        assert!((0..1000).all(|n| is_outdated(&mut written, home(n, &seed).key, 1, 50)));
        assert!((0..1000).all(|n| !is_outdated(&mut written, home(n, &seed).key, 1, 200)));
        assert!(!written.has_missed_some());
    }
}
