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
pub(super) struct Output<'a> {
    root: &'a Root,
    folder: &'a str,
    compression: Compression,
    pub(super) lines: Vec<u8>,
    file: Arc<File>,
    pub(super) sidecar: Vec<u8>,
    sidecar_file: Arc<File>,
    writer: Writer,
    rows: u64,
    day_ms: Option<i64>,
}

/// The two files, as the writer tells them apart.
const SNAPSHOT: u32 = 0;
const SIDECAR: u32 = 1;

impl<'a> Output<'a> {
    pub(super) fn new(root: &'a Root, folder: &'a str, compression: Compression) -> Result<Self> {
        Ok(Output {
            root,
            folder,
            compression,
            lines: Vec::new(),
            file: Arc::new(root.create(&format!("{folder}/snapshot"))?),
            sidecar: Vec::new(),
            sidecar_file: Arc::new(root.create(&format!("{folder}/sidecar"))?),
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
        let before = self.lines.len();
        fold.write_line(&mut self.lines)?;
        let (key, origin) = (fold.key(), fold.origin());
        let head = Head::new(key.len(), Some(self.lines.len() - before), origin)?;
        self.sidecar.extend_from_slice(&head.bytes());
        self.sidecar.extend_from_slice(key);
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
        if self.lines.len() >= CHUNK {
            self.write_lines()?;
        }
        if self.sidecar.len() >= CHUNK {
            self.write_sidecar()?;
        }
        Ok(())
    }

    fn write_sidecar(&mut self) -> Result<()> {
        let buffer = self.writer.buffer();
        self.writer.write(Chunk {
            number: SIDECAR,
            file: Arc::clone(&self.sidecar_file),
            shown: self.root.shown(&format!("{}/sidecar", self.folder)),
            compression: Compression::None,
            lines: std::mem::replace(&mut self.sidecar, buffer),
        })
    }

    fn write_lines(&mut self) -> Result<()> {
        let buffer = self.writer.buffer();
        self.writer.write(Chunk {
            number: SNAPSHOT,
            file: Arc::clone(&self.file),
            shown: self.root.shown(&format!("{}/snapshot", self.folder)),
            compression: self.compression,
            lines: std::mem::replace(&mut self.lines, buffer),
        })
    }

    pub(super) fn finish(mut self) -> Result<Written> {
        if !self.lines.is_empty() || self.rows == 0 {
            // Nothing but an empty frame is an empty compressed file to every reader.
            self.write_lines()?;
        }
        self.write_sidecar()?;
        let written = self.writer.finish()?;
        let entry = |name: &str, number: u32| {
            let (bytes, checksum) = written
                .of(number)
                .with_context(|| format!("{}/{name} was not written", self.folder))?;
            anyhow::Ok(FileEntry {
                name: name.to_owned(),
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
            snapshot: entry("snapshot", SNAPSHOT)?,
            sidecar: entry("sidecar", SIDECAR)?,
            day_ms: self.day_ms,
        })
    }
}
