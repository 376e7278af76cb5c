//! A table's row as the ledger and spilled runs keep it: raw key and coordinates, which the line alone does not give back.

use anyhow::{Result, bail};

/// Where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Kafka partition.
    pub partition: i32,
    pub offset: i64,
    /// Kafka's timestamp in milliseconds since 1970, -1 without one.
    pub timestamp_ms: i64,
    /// The time that decides the day folder.
    pub day_ms: i64,
}

/// Which of two updates of a key is the newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// A key lives in one Kafka partition: what comes later is newer.
    Offsets,
    /// Kafka partitions were added and keys may have moved: between partitions the later timestamp wins.
    Timestamps,
}

impl Order {
    pub(super) fn replaces(self, new: &Origin, old: &Origin) -> bool {
        match self {
            Order::Timestamps if new.partition != old.partition => {
                (new.timestamp_ms, new.partition) > (old.timestamp_ms, old.partition)
            }
            _ => true,
        }
    }
}

const TOMBSTONE: u32 = u32::MAX;
/// Bytes of a row before its key.
pub const HEADER: usize = 36;

/// What stands before a row's key, and what may follow that of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub key_length: u32,
    /// None: a tombstone.
    pub line_length: Option<u32>,
    pub origin: Origin,
}

impl Head {
    /// # Errors
    /// A length does not fit.
    pub fn new(key_length: usize, line_length: Option<usize>, origin: Origin) -> Result<Head> {
        Ok(Head {
            key_length: fit(key_length)?,
            line_length: line_length.map(fit).transpose()?,
            origin,
        })
    }

    pub fn parse(header: &[u8; HEADER]) -> Head {
        let length = u32::from_le_bytes(array(header, 4));
        Head {
            key_length: u32::from_le_bytes(array(header, 0)),
            line_length: (length != TOMBSTONE).then_some(length),
            origin: Origin {
                partition: i32::from_le_bytes(array(header, 8)),
                offset: i64::from_le_bytes(array(header, 12)),
                timestamp_ms: i64::from_le_bytes(array(header, 20)),
                day_ms: i64::from_le_bytes(array(header, 28)),
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
        header[28..36].copy_from_slice(&self.origin.day_ms.to_le_bytes());
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
        let origin = Origin {
            partition: 0,
            offset: 0,
            timestamp_ms: 0,
            day_ms: 0,
        };
        assert!(Head::new(0, Some(u32::MAX as usize), origin).is_err());
        assert!(Head::new(u32::MAX as usize, None, origin).is_err());
        assert!(Head::new(0, Some(u32::MAX as usize - 1), origin).is_ok());
    }

    proptest! {
        #[test]
        fn heads_read_back(
            key_length in 0..u32::MAX, line_length in proptest::option::of(0..u32::MAX),
            place in any::<(i32, i64, i64, i64)>(),
        ) {
            let origin = Origin { partition: place.0, offset: place.1, timestamp_ms: place.2, day_ms: place.3 };
            let head = Head { key_length, line_length, origin };
            prop_assert_eq!(Head::parse(&head.bytes()), head);
        }
    }
}
