//! The last record that was taken of a Kafka partition, as a later run recognises it. If another record stands there, the log has
//! lost its end and grown again: then offsets below the progress hold records that nobody has taken.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Coordinates, Record};

/// Bytes of a key or a value that are hashed. Of larger ones, the rest is not worth the time.
const HASHED_MAX: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRecord {
    pub offset: i64,
    /// Milliseconds since 1970; -1 where the record has none.
    pub timestamp_ms: i64,
    /// Of key and value.
    pub hash: u64,
}

/// Kafka partition -> the last record taken. Between it and the progress there was none.
pub type LastRecords = BTreeMap<i32, LastRecord>;

impl LastRecord {
    pub fn of(at: Coordinates, key: Option<&[u8]>, value: Option<&[u8]>) -> LastRecord {
        LastRecord {
            offset: at.offset,
            timestamp_ms: at.timestamp_ms,
            hash: hash(hash(0, key).wrapping_add(1), value),
        }
    }

    /// Where the next run begins, if this is the last record before it.
    pub fn next(&self) -> i64 {
        self.offset + 1
    }
}

/// Notes the last of some records of each Kafka partition, which come in the order of their offsets.
pub fn note_last(last: &mut LastRecords, records: &[Record<'_>]) {
    for records in records.chunk_by(|one, next| one.partition == next.partition) {
        if let Some(record) = records.last() {
            last.insert(record.partition, record.as_last());
        }
    }
}

fn hash(seed: u64, bytes: Option<&[u8]>) -> u64 {
    let Some(bytes) = bytes else {
        return seed;
    };
    let head = &bytes[..bytes.len().min(HASHED_MAX)];
    xxh3_64_with_seed(head, seed.wrapping_add(bytes.len() as u64).wrapping_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(key: Option<&[u8]>, value: Option<&[u8]>) -> LastRecord {
        LastRecord::of(Coordinates::UNKNOWN, key, value)
    }

    #[test]
    fn records_differ_by_key_and_value() {
        let all = [
            last(None, None),
            last(None, Some(b"")),
            last(Some(b""), None),
            last(Some(b""), Some(b"")),
            last(Some(b"a"), Some(b"b")),
            last(Some(b"b"), Some(b"a")),
            last(Some(b"ab"), Some(b"")),
            last(Some(b""), Some(b"ab")),
            last(None, Some(&[0; HASHED_MAX])),
            last(None, Some(&[0; HASHED_MAX + 1])),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(!all[..i].contains(one), "{i}");
        }
    }

    /// It is written down, and compared with by later versions.
    #[test]
    fn the_hash_stays_what_it_is() {
        assert_eq!(last(Some(b"key"), Some(b"{\"N\":1}")).hash, 4_485_973_814_446_767);
    }
}
