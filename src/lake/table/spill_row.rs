//! A table's row in sidecars and spilled runs: raw key and coordinates, which can't be read back from the line alone.

use anyhow::{Result, bail};

use crate::record::Rank;

/// The record that a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowOrigin {
    /// Kafka partition.
    pub partition: i32,
    pub offset: i64,
    /// Kafka's timestamp in milliseconds since 1970, -1 without one.
    pub timestamp_ms: i64,
    /// The latest timestamp that the key has had in this Kafka partition, up to this record.
    pub latest_ms: i64,
    /// The time that decides the day folder.
    pub day_ms: i64,
}

impl RowOrigin {
    /// A key that moved between Kafka partitions lives where its rank is highest, and its last offset there counts. Within a
    /// Kafka partition the rank never falls, so the order does not matter in which partitions are read.
    pub fn rank(&self) -> Rank {
        Rank::of(self.latest_ms, self.partition)
    }

    /// The same record, with the latest timestamp also of an earlier record of its key in its Kafka partition.
    pub fn after(self, earlier: &RowOrigin) -> RowOrigin {
        RowOrigin {
            latest_ms: self.latest_ms.max(earlier.latest_ms),
            ..self
        }
    }
}

const TOMBSTONE: u32 = u32::MAX;
/// Bytes of a row before its key.
pub const HEADER: usize = 44;

/// The bytes before a row's key: the lengths of the key and of the line that follows, and the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowHeader {
    pub key_length: u32,
    /// None: a tombstone.
    pub line_length: Option<u32>,
    pub origin: RowOrigin,
}

impl RowHeader {
    /// # Errors
    /// A length does not fit into the header.
    pub fn new(key_length: usize, line_length: Option<usize>, origin: RowOrigin) -> Result<RowHeader> {
        Ok(RowHeader {
            key_length: fit(key_length)?,
            line_length: line_length.map(fit).transpose()?,
            origin,
        })
    }

    pub fn parse(header: &[u8; HEADER]) -> RowHeader {
        let length = u32::from_le_bytes(array(header, 4));
        RowHeader {
            key_length: u32::from_le_bytes(array(header, 0)),
            line_length: (length != TOMBSTONE).then_some(length),
            origin: RowOrigin {
                partition: i32::from_le_bytes(array(header, 8)),
                offset: i64::from_le_bytes(array(header, 12)),
                timestamp_ms: i64::from_le_bytes(array(header, 20)),
                latest_ms: i64::from_le_bytes(array(header, 28)),
                day_ms: i64::from_le_bytes(array(header, 36)),
            },
        }
    }

    pub fn bytes(&self) -> [u8; HEADER] {
        let mut header = [0u8; HEADER];
        header[0..4].copy_from_slice(&self.key_length.to_le_bytes());
        header[4..8].copy_from_slice(&self.line_length.unwrap_or(TOMBSTONE).to_le_bytes());
        header[8..12].copy_from_slice(&self.origin.partition.to_le_bytes());
        header[12..20].copy_from_slice(&self.origin.offset.to_le_bytes());
        header[20..28].copy_from_slice(&self.origin.timestamp_ms.to_le_bytes());
        header[28..36].copy_from_slice(&self.origin.latest_ms.to_le_bytes());
        header[36..44].copy_from_slice(&self.origin.day_ms.to_le_bytes());
        header
    }
}

fn fit(length: usize) -> Result<u32> {
    match u32::try_from(length) {
        Ok(length) if length != TOMBSTONE => Ok(length),
        _ => bail!("a row of {length} bytes is too long"),
    }
}

fn array<const N: usize>(header: &[u8; HEADER], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn too_long_is_an_error() {
        let origin = RowOrigin {
            partition: 0,
            offset: 0,
            timestamp_ms: 0,
            latest_ms: 0,
            day_ms: 0,
        };
        assert!(RowHeader::new(0, Some(u32::MAX as usize), origin).is_err());
        assert!(RowHeader::new(u32::MAX as usize, None, origin).is_err());
        assert!(RowHeader::new(0, Some(u32::MAX as usize - 1), origin).is_ok());
    }

    proptest! {
        #[test]
        fn heads_read_back(
            key_length in 0..u32::MAX, line_length in proptest::option::of(0..u32::MAX),
            place in any::<(i32, i64, i64, i64, i64)>(),
        ) {
            let origin = RowOrigin { partition: place.0, offset: place.1, timestamp_ms: place.2, latest_ms: place.3, day_ms: place.4 };
            let head = RowHeader { key_length, line_length, origin };
            prop_assert_eq!(RowHeader::parse(&head.bytes()), head);
        }
    }
}
