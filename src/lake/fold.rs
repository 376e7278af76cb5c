//! The fold of a table's changelog: the newest value per key, in bounded memory.

use anyhow::{Context, Result};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};

use super::root::Root;
use super::row::{self, Line, Origin, Row};

/// Bytes of rows that are held in memory before a sorted run of them is spilled.
const MEMORY_MAX: usize = 40 * 1024 * 1024;
/// What a row costs beside its bytes.
const ROW_OVERHEAD: usize = 120;

/// Which of two updates of a key is the newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// A key lives in one Kafka partition: what comes later is newer.
    Offsets,
    /// Kafka partitions were added and keys may have moved: between partitions the later timestamp wins.
    Timestamps,
}

impl Order {
    fn replaces(self, new: &Origin, old: &Origin) -> bool {
        match self {
            Order::Timestamps if new.partition != old.partition => {
                (new.timestamp_ms, new.partition) > (old.timestamp_ms, old.partition)
            }
            _ => true,
        }
    }
}

/// One run's newest row per key.
#[derive(Debug)]
pub struct Fold<'a> {
    root: &'a Root,
    folder: String,
    order: Order,
    rows: HashMap<Vec<u8>, (Origin, Line)>,
    memory: usize,
    runs: Vec<String>,
}

impl<'a> Fold<'a> {
    pub fn new(root: &'a Root, folder: String, order: Order) -> Result<Self> {
        root.make_dirs(&folder)?;
        Ok(Fold {
            root,
            folder,
            order,
            rows: HashMap::new(),
            memory: 0,
            runs: Vec::new(),
        })
    }

    /// Takes an update of a key, in the order in which Kafka gives them; None: a tombstone.
    pub fn add(&mut self, key: &[u8], origin: Origin, line: Option<&[u8]>) -> Result<()> {
        let added = line.map_or(0, <[u8]>::len);
        match self.rows.get_mut(key) {
            Some((old, row)) => {
                if self.order.replaces(&origin, old) {
                    *old = origin;
                    self.memory += added;
                    self.memory -= replace(row, line);
                }
            }
            None => {
                self.memory += added + key.len() + ROW_OVERHEAD;
                let row = line.map_or(Line::Tombstone, |line| Line::Here(line.to_vec()));
                self.rows.insert(key.to_vec(), (origin, row));
            }
        }
        match self.memory > MEMORY_MAX {
            true => self.spill(),
            false => Ok(()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.runs.is_empty()
    }

    /// All rows, sorted by key, tombstones among them.
    pub fn into_sorted(mut self) -> Result<Merge> {
        let mut sources = Vec::new();
        for run in &self.runs {
            let path = format!("{}/{run}", self.folder);
            let file = self
                .root
                .read(&path)?
                .with_context(|| format!("{} is gone", self.root.shown(&path)))?;
            sources.push(Source::Run(BufReader::with_capacity(64 * 1024, file)));
        }
        sources.push(Source::Memory(sorted(&mut self.rows).into_iter()));
        Merge::new(sources, self.order)
    }

    fn spill(&mut self) -> Result<()> {
        let name = format!("run-{}", self.runs.len());
        let path = format!("{}/{name}", self.folder);
        let mut out = BufWriter::with_capacity(256 * 1024, self.root.create(&path)?);
        for row in sorted(&mut self.rows) {
            row::write(&mut out, &row.key, &row.origin, &row.line, true)
                .with_context(|| format!("writing {}", self.root.shown(&path)))?;
        }
        out.flush()
            .with_context(|| format!("writing {}", self.root.shown(&path)))?;
        self.runs.push(name);
        self.memory = 0;
        Ok(())
    }
}

/// Puts the new line in the memory of the old one, whose length is returned.
fn replace(row: &mut Line, line: Option<&[u8]>) -> usize {
    match (row, line) {
        (Line::Here(old), Some(new)) => {
            let length = old.len();
            old.clear();
            old.extend_from_slice(new);
            // What a long line needed is not kept for a short one.
            old.shrink_to(2 * new.len());
            length
        }
        (row, line) => {
            let length = match row {
                Line::Here(old) => old.len(),
                _ => 0,
            };
            *row = line.map_or(Line::Tombstone, |line| Line::Here(line.to_vec()));
            length
        }
    }
}

fn sorted(rows: &mut HashMap<Vec<u8>, (Origin, Line)>) -> Vec<Row> {
    let mut rows: Vec<Row> = rows
        .drain()
        .map(|(key, (origin, line))| Row { key, origin, line })
        .collect();
    rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    rows
}

/// Sorted sources, the older first, merged into one.
#[derive(Debug)]
pub struct Merge {
    sources: Vec<Source>,
    heads: Vec<Option<Row>>,
    order: Order,
}

#[derive(Debug)]
enum Source {
    Run(BufReader<File>),
    Memory(std::vec::IntoIter<Row>),
}

impl Source {
    fn next(&mut self) -> Result<Option<Row>> {
        match self {
            Source::Run(file) => row::read(file).context("reading a spilled run"),
            Source::Memory(rows) => Ok(rows.next()),
        }
    }
}

impl Merge {
    fn new(mut sources: Vec<Source>, order: Order) -> Result<Self> {
        let heads = sources.iter_mut().map(Source::next).collect::<Result<_>>()?;
        Ok(Merge {
            sources,
            heads,
            order,
        })
    }

    /// The newest row of the next key.
    pub fn next(&mut self) -> Result<Option<Row>> {
        let heads = self.heads.iter().enumerate();
        let heads = heads.filter_map(|(at, head)| Some((&head.as_ref()?.key, at)));
        // Of equal keys the oldest source comes first.
        let Some((_, first)) = heads.min() else {
            return Ok(None);
        };
        let Some(mut newest) = self.advance(first)? else {
            return Ok(None);
        };
        for at in first + 1..self.heads.len() {
            if self.heads[at].as_ref().is_none_or(|row| row.key != newest.key) {
                continue;
            }
            match self.advance(at)? {
                Some(row) if self.order.replaces(&row.origin, &newest.origin) => newest = row,
                _ => {}
            }
        }
        Ok(Some(newest))
    }

    /// Takes the head of a source and moves on to its next row.
    fn advance(&mut self, at: usize) -> Result<Option<Row>> {
        let next = self.sources[at].next()?;
        Ok(std::mem::replace(&mut self.heads[at], next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(partition: i32, offset: i64, timestamp_ms: i64) -> Origin {
        Origin {
            partition,
            offset,
            timestamp_ms,
            day_ms: timestamp_ms,
        }
    }

    fn keys(fold: Fold<'_>) -> Vec<(String, i64)> {
        let mut merge = fold.into_sorted().unwrap();
        std::iter::from_fn(|| merge.next().unwrap())
            .map(|row| (String::from_utf8(row.key).unwrap(), row.origin.offset))
            .collect()
    }

    #[test]
    fn the_newest_wins_across_spilled_runs() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), 0o640, 0o750, true).unwrap().unwrap();
        let mut fold = Fold::new(&root, "staging".to_owned(), Order::Offsets).unwrap();
        for offset in 0..100 {
            let line = (offset % 3 != 0).then_some(&b"x\n"[..]);
            fold.add(
                format!("k{}", offset % 7).as_bytes(),
                origin(0, offset, 100 - offset),
                line,
            )
            .unwrap();
            if offset % 30 == 29 {
                fold.spill().unwrap();
            }
        }
        let expected: Vec<_> = (0..7)
            .map(|k| (format!("k{k}"), (0..100).rfind(|o| o % 7 == k).unwrap()))
            .collect();
        assert_eq!(keys(fold), expected);
    }

    #[test]
    fn a_key_that_moved_takes_the_later_timestamp() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), 0o640, 0o750, true).unwrap().unwrap();
        let mut fold = Fold::new(&root, "staging".to_owned(), Order::Timestamps).unwrap();
        fold.add(b"k", origin(1, 5, 200), Some(b"new\n")).unwrap();
        fold.spill().unwrap();
        fold.add(b"k", origin(0, 9, 100), Some(b"old\n")).unwrap();
        // Within one Kafka partition the offset decides, whatever the timestamps say.
        fold.add(b"j", origin(0, 1, 100), Some(b"old\n")).unwrap();
        fold.add(b"j", origin(0, 2, 50), Some(b"new\n")).unwrap();
        assert_eq!(keys(fold), [("j".to_owned(), 2), ("k".to_owned(), 5)]);
    }
}
