//! Folds a table's changelog to the newest value per key (and Kafka partition, for keys that moved), in bounded memory.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use super::fold_memory::{Arena, FETCH_AHEAD};
use super::merge::{Memory, Merge, MergeSource, SpilledRun};
use super::spill_row::{RowHeader, RowOrigin};
use crate::lake::disk::root::Root;
use crate::lake::line::head::LineHead;

/// Bytes of rows that are held in memory before a sorted run of them is spilled.
const MEMORY_MAX: usize = 80 * 1024 * 1024;
/// Rows are compacted if that frees one part in this many of the memory, else spilled.
const WASTE_WORTH: usize = 8;
/// Bytes that all runs together may read ahead.
const READ_AHEAD: usize = 16 * 1024 * 1024;

/// The newest row per key and Kafka partition of one run. Lines are kept without their heads.
#[derive(Debug)]
pub struct Fold<'a> {
    root: &'a Root,
    folder: String,
    rows: Arena,
    runs: u32,
}

impl<'a> Fold<'a> {
    pub fn new(root: &'a Root, folder: String) -> Result<Self> {
        Fold::with_memory(root, folder, MEMORY_MAX)
    }

    fn with_memory(root: &'a Root, folder: String, memory: usize) -> Result<Self> {
        root.make_dirs(&folder)?;
        Ok(Fold {
            root,
            folder,
            rows: Arena::new(memory)?,
            runs: 0,
        })
    }

    /// Takes an update of a key, in the order of offsets within its Kafka partition; None: a tombstone.
    pub fn add(&mut self, key: &[u8], mut origin: RowOrigin, rest: Option<&[u8]>) -> Result<()> {
        let length = rest.map_or(0, <[u8]>::len);
        let hash = self.rows.hash(key);
        let mut spare = 0;
        if let Some(at) = self.rows.find(hash, key, origin.partition) {
            origin = origin.after(&self.rows.head(at).origin);
            if self.rows.replace(at, origin, rest)? {
                return Ok(());
            }
            self.rows.remove(hash, at);
            // A line that has grown once will probably grow again.
            spare = length / 8;
        }
        if !self.rows.has_room(key.len(), length + spare) {
            self.make_room(key.len(), length + spare)?;
        }
        if self.rows.can_hold(key.len(), length + spare) {
            self.rows.push(hash, key, origin, rest, spare)
        } else {
            self.spill_alone(key, origin, rest)
        }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.runs == 0
    }

    /// All rows sorted by key, tombstones included.
    pub fn into_sorted(mut self, lines: LineHead) -> Result<Merge> {
        let mut sources = Vec::new();
        let read_ahead = READ_AHEAD / (self.runs.max(1) as usize);
        for number in 0..self.runs {
            let path = self.path(number);
            let file = self.root.read(&path)?;
            let file = file.with_context(|| format!("{} is gone", self.root.shown(&path)))?;
            sources.push(MergeSource::Run(SpilledRun::new(
                file,
                read_ahead.clamp(8 * 1024, 256 * 1024),
            )?));
        }
        let orders = self.rows.sorted();
        let rows = Arc::new(self.rows);
        for order in orders {
            sources.push(MergeSource::Memory(Memory::new(Arc::clone(&rows), order)));
        }
        Ok(Merge::new(sources, lines))
    }

    /// Makes room for a row by compacting the memory, or else by spilling it.
    fn make_room(&mut self, key: usize, rest: usize) -> Result<()> {
        if self.rows.is_empty() || self.rows.wasted() >= self.rows.capacity() / WASTE_WORTH {
            self.rows.compact();
        }
        if self.rows.has_room(key, rest) || self.rows.is_empty() {
            Ok(())
        } else {
            self.spill()
        }
    }

    fn spill(&mut self) -> Result<()> {
        for order in self.rows.sorted() {
            let rows = &self.rows;
            write_run(self.root, &self.path(self.runs), |out| {
                order.iter().enumerate().try_for_each(|(i, &at)| {
                    if let Some(&soon) = order.get(i + FETCH_AHEAD) {
                        rows.fetch(soon);
                    }
                    out.write_all(rows.row(at))
                })
            })?;
            self.runs += 1;
        }
        self.rows.clear();
        Ok(())
    }

    /// Writes a row that is larger than the memory as a run of its own.
    fn spill_alone(&mut self, key: &[u8], origin: RowOrigin, rest: Option<&[u8]>) -> Result<()> {
        let head = RowHeader::new(key.len(), rest.map(<[u8]>::len), origin)?;
        write_run(self.root, &self.path(self.runs), |out| {
            out.write_all(&head.bytes())?;
            out.write_all(key)?;
            out.write_all(rest.unwrap_or_default())
        })?;
        self.runs += 1;
        Ok(())
    }

    fn path(&self, run: u32) -> String {
        format!("{}/run-{run}", self.folder)
    }
}

fn write_run(
    root: &Root,
    path: &str,
    write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<()> {
    let mut out = BufWriter::with_capacity(256 * 1024, root.create(path)?);
    write(&mut out)
        .and_then(|()| out.flush())
        .with_context(|| format!("writing {}", root.shown(path)))
}

#[cfg(test)]
mod tests;
