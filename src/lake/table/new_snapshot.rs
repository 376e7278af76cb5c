//! Writes a table's new snapshot and its sidecar into staging.

use anyhow::{Context, Result};
use std::fs::File;
use std::sync::Arc;

use super::merge::Merge;
use super::spill_row::RowHeader;
use crate::config::Compression;
use crate::lake::disk::root::Root;
use crate::lake::file::writer::{CHUNK, Chunk, Writer};
use crate::lake::ledger::FileEntry;

/// Room for a chunk that is not quite full, and for as much again that is added at once.
const BUFFER: usize = 2 * CHUNK;

/// A snapshot and its sidecar, complete in staging.
#[derive(Debug)]
pub struct StagedSnapshot {
    pub snapshot: FileEntry,
    pub sidecar: FileEntry,
    /// Rows of the sidecar that are deleted keys.
    pub tombstones: u64,
    /// The highest time among the rows, which decides the day; None if no row has one.
    pub day_ms: Option<i64>,
}

/// The new snapshot and its sidecar, while they are written.
pub(super) struct Output {
    pub snapshot: Staged,
    pub sidecar: Staged,
    writer: Writer,
    rows: u64,
    keeps_tombstones: bool,
    tombstones: u64,
    day_ms: Option<i64>,
}

/// One of the two files, and its bytes that are not written yet.
pub(super) struct Staged {
    /// The file's number in the writer.
    number: u32,
    name: &'static str,
    shown: String,
    file: Arc<File>,
    compression: Compression,
    pub buffer: Vec<u8>,
}

impl Output {
    pub fn new(root: &Root, folder: &str, compression: Compression, keeps_tombstones: bool) -> Result<Self> {
        let staged = |number, name, compression| {
            let path = format!("{folder}/{name}");
            anyhow::Ok(Staged {
                number,
                name,
                shown: root.shown(&path),
                file: Arc::new(root.create(&path)?),
                compression,
                buffer: Vec::new(),
            })
        };
        Ok(Output {
            snapshot: staged(0, "snapshot", compression)?,
            sidecar: staged(1, "sidecar", Compression::None)?,
            writer: Writer::new(BUFFER),
            rows: 0,
            keeps_tombstones,
            tombstones: 0,
            day_ms: None,
        })
    }

    /// Adds the current row of the fold; a tombstone has no line.
    pub fn add(&mut self, fold: &mut Merge) -> Result<()> {
        let line_length = if fold.is_tombstone() {
            if !self.keeps_tombstones {
                return Ok(());
            }
            self.count_tombstone();
            None
        } else {
            let lines = &mut self.snapshot.buffer;
            let before = lines.len();
            fold.write_line(lines)?;
            let length = lines.len() - before;
            self.count(fold.origin().day_ms);
            Some(length)
        };
        let head = RowHeader::new(fold.key().len(), line_length, fold.origin())?;
        self.sidecar.buffer.extend_from_slice(&head.bytes());
        self.sidecar.buffer.extend_from_slice(fold.key());
        self.flush_full()
    }

    pub(super) fn keeps_tombstones(&self) -> bool {
        self.keeps_tombstones
    }

    /// Counts one more deleted key in the sidecar.
    pub(super) fn count_tombstone(&mut self) {
        self.tombstones += 1;
    }

    /// Counts one more row; the caller writes its line and its sidecar row.
    pub fn count(&mut self, day_ms: i64) {
        self.rows += 1;
        if day_ms >= 0 {
            self.day_ms = self.day_ms.max(Some(day_ms));
        }
    }

    /// Writes full chunks, each file's when it is full: with both at once, no rows would be added while the writer works.
    pub(super) fn flush_full(&mut self) -> Result<()> {
        for staged in [&mut self.snapshot, &mut self.sidecar] {
            if staged.buffer.len() >= CHUNK {
                staged.write(&mut self.writer)?;
            }
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<StagedSnapshot> {
        if !self.snapshot.buffer.is_empty() || self.rows == 0 {
            // A compressed file without rows needs an empty frame: some readers refuse a file of no bytes.
            self.snapshot.write(&mut self.writer)?;
        }
        self.sidecar.write(&mut self.writer)?;
        let written = self.writer.finish()?;
        let entry = |staged: Staged| {
            let (bytes, checksum) = written
                .of(staged.number)
                .with_context(|| format!("{} was not written", staged.shown))?;
            anyhow::Ok(FileEntry {
                name: staged.name.to_owned(),
                records: self.rows,
                bytes,
                checksum,
                partition: -1,
                first: 0,
                last: 0,
                made: 0,
                changed: 0,
                columns: None,
                replaces: Vec::new(),
            })
        };
        Ok(StagedSnapshot {
            snapshot: entry(self.snapshot)?,
            sidecar: entry(self.sidecar)?,
            tombstones: self.tombstones,
            day_ms: self.day_ms,
        })
    }
}

impl Staged {
    fn write(&mut self, writer: &mut Writer) -> Result<()> {
        let buffer = writer.buffer();
        writer.write(Chunk {
            number: self.number,
            file: Arc::clone(&self.file),
            shown: self.shown.clone(),
            compression: self.compression,
            lines: std::mem::replace(&mut self.buffer, buffer),
        })
    }
}
