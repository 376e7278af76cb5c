//! The staging of a stream's run: lines on their way into data files that nobody sees yet.

use anyhow::{Context, Result};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;

use super::ledger::{FileEntry, PendingFile};
use super::line::LineWriter;
use super::path::{HivePartition, batch_name, day_folder, message_name};
use super::root::Root;
use super::write::FrameWriter;
use crate::config::{Files, Kind, Lake};
use crate::record::Record;

/// Bytes of lines that one file may hold back before they are written.
const FILE_BUFFER_MAX: usize = 512 * 1024;
/// Bytes of lines that all files together may hold back.
const BUFFERS_MAX: usize = 24 * 1024 * 1024;
/// Files that stay open between writes; the others are opened again.
const OPEN_FILES_MAX: usize = 128;

/// One run's files of one stream topic.
#[derive(Debug)]
pub struct Stage<'a> {
    root: &'a Root,
    lake: &'a Lake,
    topic: &'a str,
    generation: u32,
    folder: String,
    parts: HashMap<(i32, HivePartition), Part>,
    done: Vec<PendingFile>,
    sequence: u32,
    buffered: usize,
    open_files: usize,
    /// Compressed bytes, on their way to disk.
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Part {
    staged: String,
    file: Option<File>,
    /// Lines that are not written yet.
    buffer: Vec<u8>,
    frames: FrameWriter,
    /// Bytes of lines, before compression.
    line_bytes: u64,
    records: u64,
    first: i64,
    last: i64,
}

impl<'a> Stage<'a> {
    pub fn new(
        root: &'a Root,
        lake: &'a Lake,
        topic: &'a str,
        generation: u32,
        folder: String,
    ) -> Result<Self> {
        root.make_dirs(&folder)?;
        Ok(Stage {
            root,
            lake,
            topic,
            generation,
            folder,
            parts: HashMap::new(),
            done: Vec::new(),
            sequence: 0,
            buffered: 0,
            open_files: 0,
            scratch: Vec::new(),
        })
    }

    /// Adds a record to the file of its Kafka partition and day. True: its line is irregular.
    pub fn add(&mut self, day: HivePartition, record: &Record<'_>, lines: &mut LineWriter) -> Result<bool> {
        let key = (record.partition, day);
        if !self.parts.contains_key(&key) {
            let part = self.new_part(record.offset);
            self.parts.insert(key, part);
        }
        let Some(part) = self.parts.get_mut(&key) else {
            return Ok(false);
        };
        let before = part.buffer.len();
        let written = lines.write(record, &mut part.buffer);
        let added = part.buffer.len() - before;
        part.line_bytes += added as u64;
        part.records += 1;
        part.last = record.offset;
        self.buffered += added;
        let full = part.line_bytes >= self.lake.max_file_bytes || self.lake.files == Files::Message;
        if full {
            self.finish(key)?;
        } else if part.buffer.len() >= FILE_BUFFER_MAX {
            self.flush(key)?;
        } else if self.buffered >= BUFFERS_MAX {
            self.flush_all()?;
        }
        Ok(written.irregular)
    }

    /// Files that are complete, and so far from their commit.
    pub fn finished(&self) -> usize {
        self.done.len()
    }

    /// Completes all files and hands them over for the commit.
    pub fn take_files(&mut self) -> Result<Vec<PendingFile>> {
        let mut keys: Vec<_> = self.parts.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            self.finish(key)?;
        }
        Ok(std::mem::take(&mut self.done))
    }

    fn new_part(&mut self, first: i64) -> Part {
        self.sequence += 1;
        Part {
            staged: format!("{:08}", self.sequence),
            file: None,
            buffer: Vec::new(),
            frames: FrameWriter::new(self.lake.compression),
            line_bytes: 0,
            records: 0,
            first,
            last: first,
        }
    }

    fn flush_all(&mut self) -> Result<()> {
        let keys: Vec<_> = self.parts.keys().copied().collect();
        keys.into_iter().try_for_each(|key| self.flush(key))
    }

    fn flush(&mut self, key: (i32, HivePartition)) -> Result<()> {
        let Some(part) = self.parts.get_mut(&key) else {
            return Ok(());
        };
        if part.buffer.is_empty() {
            return Ok(());
        }
        let path = format!("{}/{}", self.folder, part.staged);
        let mut file = match part.file.take() {
            Some(file) => {
                self.open_files -= 1;
                file
            }
            None if part.frames.bytes() == 0 => self.root.create(&path)?,
            None => self.root.append(&path)?,
        };
        let frame = part
            .frames
            .frame(&part.buffer, &mut self.scratch)
            .with_context(|| format!("compressing {}", self.root.shown(&path)))?;
        file.write_all(frame)
            .with_context(|| format!("writing {}", self.root.shown(&path)))?;
        self.buffered -= part.buffer.len();
        // Memory must not stay with files that are seldom written.
        part.buffer = Vec::new();
        if self.open_files < OPEN_FILES_MAX {
            part.file = Some(file);
            self.open_files += 1;
        }
        Ok(())
    }

    fn finish(&mut self, key: (i32, HivePartition)) -> Result<()> {
        self.flush(key)?;
        let Some(part) = self.parts.remove(&key) else {
            return Ok(());
        };
        if part.file.is_some() {
            self.open_files -= 1;
        }
        let (partition, day) = key;
        let name = match self.lake.files {
            Files::Batch => batch_name(
                partition,
                part.first,
                part.last,
                self.generation,
                self.lake.compression,
            ),
            Files::Message => message_name(partition, part.first, self.generation, self.lake.compression),
        };
        self.done.push(PendingFile {
            staged: part.staged,
            folder: day_folder(Kind::Stream, self.topic, day),
            day: Some(day.to_string()),
            replaces: false,
            file: FileEntry {
                name,
                records: part.records,
                bytes: part.frames.bytes(),
                checksum: part.frames.checksum(),
                partition,
                first: part.first,
                last: part.last,
            },
        });
        Ok(())
    }
}
