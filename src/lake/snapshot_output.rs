//! A table's new snapshot and its sidecar, on their way into staging.

use anyhow::{Context, Result};
use std::fs::File;
use std::sync::Arc;

use super::ledger::FileEntry;
use super::merge::Merge;
use super::root::Root;
use super::row::Head;
use super::writer::{CHUNK, Chunk, Writer};
use crate::config::Compression;

/// What was made ready and not quite full, and what is added to it at once.
const BUFFER: usize = 2 * CHUNK;

/// A snapshot in staging, and its sidecar.
#[derive(Debug)]
pub struct Written {
    pub snapshot: FileEntry,
    pub sidecar: FileEntry,
    /// The highest time among the rows that decide the day; None where no row is left.
    pub day_ms: Option<i64>,
}

/// The new snapshot and its sidecar, in staging.
pub(super) struct Output {
    pub(super) snapshot: Staged,
    pub(super) sidecar: Staged,
    writer: Writer,
    rows: u64,
    day_ms: Option<i64>,
}

/// One of the two files, and what is not written of it yet.
pub(super) struct Staged {
    /// How the writer tells it from the other one.
    number: u32,
    name: &'static str,
    shown: String,
    file: Arc<File>,
    compression: Compression,
    pub(super) buffer: Vec<u8>,
}

impl Output {
    pub(super) fn new(root: &Root, folder: &str, compression: Compression) -> Result<Self> {
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
            day_ms: None,
        })
    }

    /// Adds the present row of the fold; a tombstone has no line to add.
    pub(super) fn add(&mut self, fold: &mut Merge) -> Result<()> {
        if fold.is_tombstone() {
            return Ok(());
        }
        let lines = &mut self.snapshot.buffer;
        let before = lines.len();
        fold.write_line(lines)?;
        let (key, origin) = (fold.key(), fold.origin());
        let head = Head::new(key.len(), Some(lines.len() - before), origin)?;
        self.sidecar.buffer.extend_from_slice(&head.bytes());
        self.sidecar.buffer.extend_from_slice(key);
        self.count(origin.day_ms);
        self.flush_full()
    }

    /// A row more, whose line and sidecar row come by themselves.
    pub(super) fn count(&mut self, day_ms: i64) {
        self.rows += 1;
        if day_ms >= 0 {
            self.day_ms = self.day_ms.max(Some(day_ms));
        }
    }

    /// Each file by itself: two chunks at once, and nothing would be made ready while the writer writes them.
    pub(super) fn flush_full(&mut self) -> Result<()> {
        for staged in [&mut self.snapshot, &mut self.sidecar] {
            if staged.buffer.len() >= CHUNK {
                staged.write(&mut self.writer)?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Written> {
        if !self.snapshot.buffer.is_empty() || self.rows == 0 {
            // Nothing but an empty frame is an empty compressed file to every reader.
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
            })
        };
        Ok(Written {
            snapshot: entry(self.snapshot)?,
            sidecar: entry(self.sidecar)?,
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
