//! Data files of the ledger, line by line: one is read and checked, another one is written. Whoever rewrites files knows no more
//! of their format than this.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;

use super::compress::{FrameWriter, Scratch};
use super::writer::CHUNK;
use crate::config::Compression;
use crate::lake::disk::root::Root;
use crate::lake::ledger::FileEntry;
use crate::lake::line::decode::Lines;
use crate::problem::Problem;

/// Opens a data file that the ledger lists.
pub(in crate::lake) fn open(root: &Root, path: &str) -> Result<Lines> {
    let file = root.read(path)?.ok_or_else(|| {
        Problem::new(format!("{} is gone, but the ledger knows it", root.shown(path)))
            .fix("restore it from a backup")
    })?;
    Lines::new(file, Compression::of(path)).with_context(|| format!("reading {}", root.shown(path)))
}

/// Calls `take` with each line of a data file, line feed included.
///
/// # Errors
/// The file is not the one that the ledger lists. `take` may have seen all of its lines by then.
pub(in crate::lake) fn each_line(
    root: &Root,
    path: &str,
    entry: &FileEntry,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut lines = open(root, path)?;
    let (mut line, mut records) = (Vec::new(), 0);
    while lines
        .next(&mut line)
        .with_context(|| format!("reading {}", root.shown(path)))?
    {
        records += 1;
        take(&line)?;
    }
    let what = if lines.checksum()? != entry.checksum {
        "was changed since it was written (checksum)".to_owned()
    } else if records != entry.records {
        format!(
            "has {records} lines, and the ledger counts {} records in it",
            entry.records
        )
    } else {
        return Ok(());
    };
    Problem::new(format!("{} {what}", root.shown(path)))
        .fix("restore it from a backup, or take it out of the lake")
        .err()
}

/// A new data file that lines are added to.
#[derive(Debug)]
pub(in crate::lake) struct LineFile {
    file: File,
    shown: String,
    frames: FrameWriter,
    scratch: Scratch,
    /// Lines that are not written yet.
    buffer: Vec<u8>,
    records: u64,
    /// Before compression.
    line_bytes: u64,
}

/// What a complete file holds, for its entry in the ledger.
#[derive(Debug)]
pub(in crate::lake) struct WrittenLines {
    pub records: u64,
    /// On disk.
    pub bytes: u64,
    pub checksum: String,
}

impl LineFile {
    pub fn create(root: &Root, path: &str, compression: Compression) -> Result<LineFile> {
        Ok(LineFile {
            file: root.create(path)?,
            shown: root.shown(path),
            frames: FrameWriter::new(compression),
            scratch: Scratch::default(),
            buffer: Vec::new(),
            records: 0,
            line_bytes: 0,
        })
    }

    /// Bytes of all lines so far, before compression.
    pub fn line_bytes(&self) -> u64 {
        self.line_bytes
    }

    pub fn add(&mut self, line: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(line);
        self.records += 1;
        self.line_bytes += line.len() as u64;
        if self.buffer.len() >= CHUNK {
            self.write()?;
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<WrittenLines> {
        if !self.buffer.is_empty() {
            self.write()?;
        }
        Ok(WrittenLines {
            records: self.records,
            bytes: self.frames.bytes(),
            checksum: self.frames.checksum(),
        })
    }

    fn write(&mut self) -> Result<()> {
        let frame = self.frames.frame(&self.buffer, &mut self.scratch);
        frame
            .and_then(|frame| self.file.write_all(frame))
            .with_context(|| format!("writing {}", self.shown))?;
        self.buffer.clear();
        Ok(())
    }
}
