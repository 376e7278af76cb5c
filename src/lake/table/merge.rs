//! Merges the sorted rows of several sources.

use anyhow::{Context, Result, bail};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;

use super::fold_memory::{Arena, At, FETCH_AHEAD};
use super::spill_row::{HEADER, RowHeader, RowOrigin};
use crate::lake::line::head::LineHead;

/// Goes through the keys of all sources in order, and chooses for each key the row that counts.
#[derive(Debug)]
pub struct Merge {
    sources: Vec<MergeSource>,
    lines: LineHead,
    /// The key of each source's next row, with the source's number.
    next: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    /// The current key, from all sources that have it.
    present: Vec<(Vec<u8>, usize)>,
    /// The source whose row counts.
    newest: usize,
    /// The latest timestamp of the current key in the Kafka partition of that row.
    latest_ms: i64,
}

impl Merge {
    pub fn nothing() -> Self {
        Merge::new(Vec::new(), LineHead::default())
    }

    pub fn new(sources: Vec<MergeSource>, lines: LineHead) -> Self {
        // No source has been read yet.
        let present = (0..sources.len()).map(|at| (Vec::new(), at)).collect();
        Merge {
            sources,
            lines,
            next: BinaryHeap::new(),
            present,
            newest: 0,
            latest_ms: -1,
        }
    }

    /// Moves on to the next key; false: there is none.
    pub fn advance(&mut self) -> Result<bool> {
        for (mut key, at) in self.present.drain(..) {
            if self.sources[at].advance(&mut key)? {
                self.next.push(Reverse((key, at)));
            }
        }
        let Some(Reverse((key, at))) = self.next.pop() else {
            return Ok(false);
        };
        (self.newest, self.latest_ms) = (at, self.sources[at].head().origin.latest_ms);
        self.present.push((key, at));
        while let Some(Reverse(present)) = self.next_of_same_key() {
            self.present.push(present);
        }
        if self.present.len() > 1 {
            self.choose(None);
        }
        Ok(true)
    }

    /// Whether a row of the current key counts instead of `before`, an older row that is in none of the sources.
    pub fn replaces(&mut self, before: &RowOrigin) -> bool {
        self.choose(Some(before))
    }

    /// Chooses the last row of the Kafka partition that the current key lives in. False: the sources have no row of it.
    fn choose(&mut self, before: Option<&RowOrigin>) -> bool {
        let origin = |at: usize| self.sources[at].head().origin;
        let rows = || self.present.iter().map(|&(_, at)| (at, origin(at)));
        let all = rows().map(|(_, origin)| origin).chain(before.copied());
        let Some(home) = all.max_by_key(RowOrigin::rank) else {
            return false;
        };
        let of_home = rows().filter(|(_, origin)| origin.partition == home.partition);
        let Some((newest, _)) = of_home.max_by_key(|(_, origin)| origin.offset) else {
            return false;
        };
        (self.newest, self.latest_ms) = (newest, home.latest_ms);
        true
    }

    fn next_of_same_key(&mut self) -> Option<Reverse<(Vec<u8>, usize)>> {
        match self.next.peek() {
            Some(Reverse((key, _))) if key == self.key() => self.next.pop(),
            _ => None,
        }
    }

    /// The current key; empty if there is none.
    pub fn key(&self) -> &[u8] {
        self.present.first().map_or(&[], |(key, _)| key)
    }

    pub fn origin(&self) -> RowOrigin {
        RowOrigin {
            latest_ms: self.latest_ms,
            ..self.sources[self.newest].head().origin
        }
    }

    pub(super) fn is_tombstone(&self) -> bool {
        self.sources[self.newest].head().line_length.is_none()
    }

    /// Appends the current row's line, with its line feed.
    pub(super) fn write_line(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let RowOrigin {
            partition,
            offset,
            timestamp_ms,
            ..
        } = self.origin();
        let key = self.present.first().map(|(key, _)| key.as_slice());
        // If the key can't be decoded, the reason is in the rest of the line.
        self.lines.write((partition, offset, timestamp_ms), key, out);
        self.sources[self.newest].take_rest(out)
    }
}

#[derive(Debug)]
pub(in crate::lake) enum MergeSource {
    Run(SpilledRun),
    Memory(Memory),
}

impl MergeSource {
    /// Moves on to the next row and puts its key into `key`; false: there is none.
    fn advance(&mut self, key: &mut Vec<u8>) -> Result<bool> {
        key.clear();
        match self {
            MergeSource::Run(run) => run.advance(key).context("reading a spilled run"),
            MergeSource::Memory(memory) => Ok(memory.advance(key)),
        }
    }

    fn head(&self) -> &RowHeader {
        match self {
            MergeSource::Run(run) => &run.head,
            MergeSource::Memory(memory) => &memory.head,
        }
    }

    /// Appends the row's line without its head.
    fn take_rest(&mut self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            MergeSource::Run(run) => run.take_rest(out).context("reading a spilled run"),
            MergeSource::Memory(memory) => {
                memory.rest(out);
                Ok(())
            }
        }
    }
}

/// A spilled run. Lines are read only when they are needed: those of all runs together may be large.
#[derive(Debug)]
pub(in crate::lake) struct SpilledRun {
    file: BufReader<File>,
    /// Bytes of the file that are not read yet.
    left: u64,
    head: RowHeader,
    /// How many of them belong to the current row's line.
    unread: u32,
}

impl SpilledRun {
    pub fn new(file: File, read_ahead: usize) -> Result<Self> {
        let left = file.metadata()?.len();
        Ok(SpilledRun {
            file: BufReader::with_capacity(read_ahead, file),
            left,
            head: NO_ROW,
            unread: 0,
        })
    }

    fn advance(&mut self, key: &mut Vec<u8>) -> Result<bool> {
        if self.unread > 0 {
            self.file.seek_relative(self.unread.into())?;
            self.left -= u64::from(self.unread);
            self.unread = 0;
        }
        if self.left == 0 {
            return Ok(false);
        }
        let mut header = [0; HEADER];
        self.file.read_exact(&mut header)?;
        let head = RowHeader::parse(&header);
        let rest = head.line_length.unwrap_or(0);
        // Checked first, so that a damaged length takes no more memory than the file has bytes.
        let length = HEADER as u64 + u64::from(head.key_length) + u64::from(rest);
        let Some(left) = self.left.checked_sub(length) else {
            bail!("it ends in the middle of a row");
        };
        key.resize(head.key_length as usize, 0);
        self.file.read_exact(key)?;
        self.left = left + u64::from(rest);
        (self.head, self.unread) = (head, rest);
        Ok(true)
    }

    fn take_rest(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        out.resize(start + self.unread as usize, 0);
        self.file.read_exact(&mut out[start..])?;
        self.left -= u64::from(self.unread);
        self.unread = 0;
        Ok(())
    }
}

/// The header before the first row.
pub(super) const NO_ROW: RowHeader = RowHeader {
    key_length: 0,
    line_length: None,
    origin: RowOrigin {
        partition: 0,
        offset: 0,
        timestamp_ms: 0,
        latest_ms: 0,
        day_ms: 0,
    },
};

/// Rows that a fold still had in memory at its end, in order.
#[derive(Debug)]
pub(in crate::lake) struct Memory {
    rows: Arc<Arena>,
    order: std::vec::IntoIter<At>,
    at: Option<At>,
    head: RowHeader,
}

impl Memory {
    pub fn new(rows: Arc<Arena>, order: Vec<At>) -> Self {
        Memory {
            rows,
            order: order.into_iter(),
            at: None,
            head: NO_ROW,
        }
    }

    fn advance(&mut self, key: &mut Vec<u8>) -> bool {
        self.at = self.order.next();
        let Some(at) = self.at else { return false };
        if let Some(&soon) = self.order.as_slice().get(FETCH_AHEAD) {
            self.rows.fetch(soon);
        }
        key.extend_from_slice(self.rows.key(at));
        self.head = self.rows.head(at);
        true
    }

    fn rest(&self, out: &mut Vec<u8>) {
        if let Some(at) = self.at {
            out.extend_from_slice(&self.rows.row(at)[HEADER + self.head.key_length as usize..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Seek, SeekFrom, Write};

    fn run(bytes: &[u8]) -> MergeSource {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        MergeSource::Run(SpilledRun::new(file, 16).unwrap())
    }

    fn row(key: &[u8], rest: Option<&[u8]>) -> Vec<u8> {
        let head = RowHeader::new(key.len(), rest.map(<[u8]>::len), NO_ROW.origin).unwrap();
        [&head.bytes(), key, rest.unwrap_or_default()].concat()
    }

    /// Reads all, every second line of it.
    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut merge = Merge::new(vec![run(bytes)], LineHead::default());
        let (mut keys, mut line) = (Vec::new(), Vec::new());
        while merge.advance()? {
            keys.push(merge.key().to_vec());
            line.clear();
            if keys.len() % 2 == 0 && !merge.is_tombstone() {
                merge.write_line(&mut line)?;
            }
        }
        Ok(keys)
    }

    #[test]
    fn a_run_that_ends_too_early_is_an_error() {
        let rows = [
            row(b"a", Some(b",\"x\":1}\n")),
            row(b"b", None),
            row(b"", Some(b"}\n")),
        ];
        let ends: Vec<usize> = (0..=3).map(|n| rows[..n].concat().len()).collect();
        let bytes = rows.concat();
        for length in 0..=bytes.len() {
            let found = read(&bytes[..length]);
            match ends.iter().position(|end| *end == length) {
                Some(count) => assert_eq!(found.unwrap().len(), count),
                None => assert!(found.is_err(), "{length} of {} bytes", bytes.len()),
            }
        }
    }

    proptest! {
        /// Damage is an error or other rows, and never a panic or more memory than the file has bytes.
        #[test]
        fn damage_does_not_panic(
            keys in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 1..5),
            at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut bytes: Vec<u8> = keys.iter().flat_map(|key| row(key, Some(key))).collect();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = read(&bytes);
        }
    }
}
