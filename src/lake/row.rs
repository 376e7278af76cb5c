//! A table's row as the ledger keeps it: raw key and coordinates, which the line alone does not give back.

use anyhow::{Context, Result, bail};
use std::io::{ErrorKind, Read, Write};

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

/// A row, or a tombstone, with or without its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub key: Vec<u8>,
    pub origin: Origin,
    pub line: Line,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Tombstone,
    /// The line itself, with its line feed.
    Here(Vec<u8>),
}

const TOMBSTONE: u32 = u32::MAX;
/// Bytes of a row before its key.
pub const HEADER: usize = 36;

/// Writes a row; the line goes along where it is here.
pub fn write(out: &mut impl Write, key: &[u8], origin: &Origin, line: &Line, with_line: bool) -> Result<()> {
    let length = match line {
        Line::Tombstone => TOMBSTONE,
        Line::Here(line) => fit(line.len())?,
    };
    let mut header = [0u8; HEADER];
    header[0..4].copy_from_slice(&fit(key.len())?.to_le_bytes());
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..12].copy_from_slice(&origin.partition.to_le_bytes());
    header[12..20].copy_from_slice(&origin.offset.to_le_bytes());
    header[20..28].copy_from_slice(&origin.timestamp_ms.to_le_bytes());
    header[28..36].copy_from_slice(&origin.day_ms.to_le_bytes());
    out.write_all(&header)?;
    out.write_all(key)?;
    if let (true, Line::Here(line)) = (with_line, line) {
        out.write_all(line)?;
    }
    Ok(())
}

/// What stands before a row's key and line.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    pub key_length: u32,
    /// None: a tombstone.
    pub line_length: Option<u32>,
    pub origin: Origin,
}

impl Head {
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
}

/// Reads the next row, which was written with its line; None at the end.
pub fn read(from: &mut impl Read) -> Result<Option<Row>> {
    let mut header = [0u8; HEADER];
    match from.read_exact(&mut header[..1]) {
        Ok(()) => from.read_exact(&mut header[1..])?,
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let head = Head::parse(&header);
    let key = read_bytes(from, head.key_length)?;
    let line = match head.line_length {
        None => Line::Tombstone,
        Some(length) => Line::Here(read_bytes(from, length)?),
    };
    Ok(Some(Row {
        key,
        origin: head.origin,
        line,
    }))
}

/// Bytes of a length that may be damage: never trusted with an allocation of its own size at once.
fn read_bytes(from: &mut impl Read, length: u32) -> Result<Vec<u8>> {
    if length <= 1 << 20 {
        let mut bytes = vec![0; length as usize];
        from.read_exact(&mut bytes)
            .context("it ends in the middle of a row")?;
        return Ok(bytes);
    }
    let mut bytes = Vec::new();
    if from.take(length.into()).read_to_end(&mut bytes)? != length as usize {
        bail!("it ends in the middle of a row");
    }
    Ok(bytes)
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
    fn rows_read_back() {
        let origin = Origin {
            partition: 3,
            offset: 1 << 40,
            timestamp_ms: -1,
            day_ms: 7,
        };
        let rows = [
            (b"k".as_slice(), Line::Here(b"{}\n".to_vec())),
            (b"", Line::Tombstone),
        ];
        let mut bytes = Vec::new();
        for (key, line) in &rows {
            write(&mut bytes, key, &origin, line, true).unwrap();
        }
        let mut from = bytes.as_slice();
        for (key, line) in rows {
            assert_eq!(
                read(&mut from).unwrap(),
                Some(Row {
                    key: key.to_vec(),
                    origin,
                    line
                })
            );
        }
        assert_eq!(read(&mut from).unwrap(), None);
        assert!(read(&mut &bytes[..20]).is_err());
        assert!(read(&mut &bytes[..bytes.len() - HEADER - 1]).is_err());
    }

    proptest! {
        /// Rows of any bytes read back; damage is an error or other rows, and never a panic.
        #[test]
        fn rows_survive_and_damage_does_not_panic(
            key in proptest::collection::vec(any::<u8>(), 0..20), text in proptest::collection::vec(any::<u8>(), 0..20),
            place in any::<(i32, i64, i64, i64)>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let origin = Origin { partition: place.0, offset: place.1, timestamp_ms: place.2, day_ms: place.3 };
            let mut bytes = Vec::new();
            for line in [Line::Here(text.clone()), Line::Tombstone] {
                write(&mut bytes, &key, &origin, &line, true).unwrap();
            }
            let mut from = bytes.as_slice();
            for line in [Line::Here(text.clone()), Line::Tombstone] {
                prop_assert_eq!(read(&mut from).unwrap(), Some(Row { key: key.clone(), origin, line }));
            }
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let mut from = bytes.as_slice();
            while let Ok(Some(_)) = read(&mut from) {}
            let mut from = &bytes[..at];
            while let Ok(Some(_)) = read(&mut from) {}
        }
    }
}
