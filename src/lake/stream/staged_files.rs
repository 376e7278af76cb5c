//! Stages a stream's records: their lines are written into data files that readers don't see yet.

use anyhow::{Context, Result};
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use crate::config::{Compression, FileFormat, Files, Kind, LakeSettings};
use crate::decode::Decoded;
use crate::lake::disk::folder::Folder;
use crate::lake::disk::root::Root;
use crate::lake::file::staged::to_parquet;
use crate::lake::file::writer::{CHUNK, Chunk, Writer};
use crate::lake::layout::paths::{HivePartition, batch_name, day_folder, message_name};
use crate::lake::ledger::{FileEntry, PendingFile};
use crate::lake::line::encode::LineWriter;
use crate::record::Record;
use crate::types::stored::{StoredColumns, StoredType};

/// Bytes of lines that are kept per file before they are written, with room for the line that fills the chunk.
const FILE_BUFFER: usize = CHUNK + 64 * 1024;
/// Bytes of memory that such lines of all files together may take.
const BUFFERS_MAX: usize = 24 * 1024 * 1024;
/// Files that stay open between writes; the others are opened again.
const OPEN_FILES_MAX: usize = 128;

/// One run's files of one stream topic.
#[derive(Debug)]
pub struct Stage<'a> {
    lake: &'a LakeSettings,
    topic: &'a str,
    format: FileFormat,
    generation: u32,
    folder: Folder<'a>,
    /// The file of the last record; neighbours mostly share it.
    current: Option<(FileKey, OpenFile)>,
    others: HashMap<FileKey, OpenFile>,
    done: Vec<(u32, PendingFile)>,
    sequence: u32,
    /// Bytes of memory that all buffers take, full or not.
    held: usize,
    open_files: usize,
    writer: Writer,
}

/// Kafka partition and day: their records share a file.
type FileKey = (i32, HivePartition);

#[derive(Debug)]
struct OpenFile {
    /// The file's number in this run, which is its name in staging.
    number: u32,
    file: Option<Arc<File>>,
    exists: bool,
    /// Lines that are not written yet.
    buffer: Vec<u8>,
    /// Bytes of lines, before compression.
    line_bytes: u64,
    records: u64,
    first: i64,
    last: i64,
}

impl<'a> Stage<'a> {
    pub fn new(
        root: &'a Root,
        lake: &'a LakeSettings,
        topic: &'a str,
        format: FileFormat,
        generation: u32,
        folder: &str,
    ) -> Result<Self> {
        root.make_dirs(folder)?;
        Ok(Stage {
            lake,
            topic,
            format,
            generation,
            folder: root.open_folder(folder)?,
            current: None,
            others: HashMap::new(),
            done: Vec::new(),
            sequence: 0,
            held: 0,
            open_files: 0,
            writer: Writer::new(FILE_BUFFER),
        })
    }

    /// Adds a record to the file of its Kafka partition and day. True: its line is irregular.
    pub fn add(
        &mut self,
        day: HivePartition,
        record: &Record<'_>,
        decoded: &Decoded<'_>,
        lines: &LineWriter,
    ) -> Result<bool> {
        let (place, mut part) = self.part((record.partition, day), record.offset);
        let (before, held) = (part.buffer.len(), part.buffer.capacity());
        let written = lines.write(record, decoded, &mut part.buffer);
        part.line_bytes += (part.buffer.len() - before) as u64;
        part.records += 1;
        part.last = record.offset;
        self.held += part.buffer.capacity() - held;
        // Parquet's own bytes are counted where it is made of the lines.
        let is_full = part.line_bytes >= self.lake.max_file_bytes && self.format != FileFormat::Parquet;
        if is_full || self.lake.files == Files::Message {
            self.finish(place, part)?;
            return Ok(written.irregular);
        }
        if part.buffer.len() >= CHUNK {
            self.flush(&mut part)?;
            // A buffer that filled up will probably fill again.
            part.buffer = self.writer.buffer();
            self.held += part.buffer.capacity();
        }
        self.current = Some((place, part));
        if self.held >= BUFFERS_MAX {
            self.flush_all()?;
        }
        Ok(written.irregular)
    }

    /// Takes out the file that a record belongs to.
    fn part(&mut self, place: FileKey, offset: i64) -> (FileKey, OpenFile) {
        match self.current.take() {
            Some(current) if current.0 == place => return current,
            Some((other, part)) => self.others.insert(other, part),
            None => None,
        };
        let known = self.others.remove(&place);
        (place, known.unwrap_or_else(|| self.new_part(offset)))
    }

    /// How many complete files wait for their commit.
    pub fn finished(&self) -> usize {
        self.done.len()
    }

    /// Completes all files and returns them for the commit, with the number of objects that Parquet's columns can't hold. They
    /// and what is declared of them widen `columns`. The stage can't be used afterwards.
    pub fn take_files(
        &mut self,
        columns: &mut StoredColumns,
        declared: &[(String, StoredType)],
    ) -> Result<(Vec<PendingFile>, u64)> {
        let lines = self.take_lines()?;
        if self.format != FileFormat::Parquet || lines.is_empty() {
            return Ok((lines, 0));
        }
        let staged: Vec<_> = lines
            .iter()
            .map(|file| (&*file.staged, file.file.bytes))
            .collect();
        let converted = to_parquet(&self.folder, &staged, Kind::Stream, columns, declared, self.lake)?;
        let (mut files, mut irregular) = (Vec::new(), 0);
        for (lines, (staged, made)) in lines
            .iter()
            .zip(converted)
            .flat_map(|(lines, made)| made.into_iter().map(move |made| (lines, made)))
        {
            irregular += made.irregular;
            let partition = lines.file.partition;
            files.push(PendingFile {
                staged,
                file: FileEntry {
                    name: batch_name(partition, made.first, made.last, self.generation, self.format),
                    records: made.records,
                    bytes: made.bytes,
                    checksum: made.checksum,
                    first: made.first,
                    last: made.last,
                    columns: Some(columns.version),
                    ..lines.file.clone()
                },
                ..lines.clone()
            });
        }
        Ok((files, irregular))
    }

    fn take_lines(&mut self) -> Result<Vec<PendingFile>> {
        let mut parts = self.take_parts();
        parts.sort_unstable_by_key(|(place, _)| *place);
        for (place, part) in parts {
            self.finish(place, part)?;
        }
        let written = self.writer.finish()?;
        let complete = |(number, mut pending): (u32, PendingFile)| {
            let (bytes, checksum) = written
                .of(number)
                .with_context(|| format!("{} was not written", pending.file.name))?;
            (pending.file.bytes, pending.file.checksum) = (bytes, checksum);
            Ok(pending)
        };
        self.done.drain(..).map(complete).collect()
    }

    fn new_part(&mut self, first: i64) -> OpenFile {
        self.sequence += 1;
        OpenFile {
            number: self.sequence,
            file: None,
            exists: false,
            buffer: Vec::new(),
            line_bytes: 0,
            records: 0,
            first,
            last: first,
        }
    }

    /// Takes out all files, in no order.
    fn take_parts(&mut self) -> Vec<(FileKey, OpenFile)> {
        self.current
            .take()
            .into_iter()
            .chain(self.others.drain())
            .collect()
    }

    fn flush_all(&mut self) -> Result<()> {
        let mut parts = self.take_parts();
        let flushed = parts.iter_mut().try_for_each(|(_, part)| self.flush(part));
        self.others.extend(parts);
        flushed
    }

    /// Writes a file's lines. Its buffer is given up, so that files that are seldom written take no memory.
    fn flush(&mut self, part: &mut OpenFile) -> Result<()> {
        let lines = std::mem::take(&mut part.buffer);
        self.held -= lines.capacity();
        if lines.is_empty() {
            return Ok(());
        }
        let name = staged_name(part.number);
        let file = match part.file.take() {
            Some(file) => {
                self.open_files -= 1;
                file
            }
            None if part.exists => Arc::new(self.folder.append(&name)?),
            None => Arc::new(self.folder.create(&name)?),
        };
        part.exists = true;
        if self.open_files < OPEN_FILES_MAX {
            part.file = Some(Arc::clone(&file));
            self.open_files += 1;
        }
        self.writer.write(Chunk {
            number: part.number,
            file,
            shown: self.folder.shown(&name),
            compression: match self.format {
                FileFormat::Json(compression) => compression,
                FileFormat::Parquet => Compression::None,
            },
            lines,
        })
    }

    /// Completes a file; the writer has its length and checksum in the end.
    fn finish(&mut self, (partition, day): FileKey, mut part: OpenFile) -> Result<()> {
        self.flush(&mut part)?;
        if part.file.is_some() {
            self.open_files -= 1;
        }
        let (generation, format) = (self.generation, self.format);
        let name = match self.lake.files {
            Files::Batch => batch_name(partition, part.first, part.last, generation, format),
            Files::Message => message_name(partition, part.first, generation, format),
        };
        let pending = PendingFile {
            staged: staged_name(part.number),
            folder: day_folder(Kind::Stream, self.topic, day),
            day: Some(day.to_string()),
            replaces: false,
            file: FileEntry {
                name,
                records: part.records,
                bytes: 0,
                checksum: String::new(),
                partition,
                first: part.first,
                last: part.last,
                made: 0,
                changed: 0,
                columns: None,
                replaces: Vec::new(),
            },
        };
        self.done.push((part.number, pending));
        Ok(())
    }
}

fn staged_name(number: u32) -> String {
    format!("{number:08}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, KeySchema, ParquetCompression};
    use crate::decode::Decoder;
    use chrono::{Days, NaiveDate};

    /// Days with a little more than one buffer of lines must not keep another buffer each.
    #[test]
    fn memory_does_not_grow_with_days() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), 0o640, 0o750, true).unwrap().unwrap();
        let lake = LakeSettings {
            root: dir.path().to_owned(),
            timezone: chrono_tz::UTC,
            files: Files::Batch,
            max_file_bytes: u64::MAX,
            metadata: true,
            prefix: "_".to_owned(),
            format: Format::Json,
            compression: Compression::None,
            parquet_compression: ParquetCompression::Zstd,
            max_columns: 1000,
            retention: None,
            file_mode: 0o640,
            dir_mode: 0o750,
        };
        let mut stage = Stage::new(
            &root,
            &lake,
            "T",
            FileFormat::Json(Compression::None),
            0,
            "staging",
        )
        .unwrap();
        let lines = LineWriter::new("_", KeySchema::default(), true);
        let mut decoder = Decoder::default();
        let large = format!("\"{}\"", "x".repeat(CHUNK));
        for (offset, value) in (0..).zip([large.as_str(), "1"].repeat(60)) {
            let record = Record {
                partition: 0,
                offset,
                timestamp_ms: 0,
                key: None,
                value: Some(value.as_bytes()),
                headers: Vec::new(),
            };
            let day = NaiveDate::default() + Days::new(offset as u64 / 2);
            let decoded = decoder.decode(&record).unwrap();
            stage
                .add(HivePartition::Day(day), &record, &decoded, &lines)
                .unwrap();
            let parts = stage
                .others
                .values()
                .chain(stage.current.iter().map(|(_, part)| part));
            let held: usize = parts.map(|part| part.buffer.capacity()).sum();
            assert_eq!(held, stage.held);
            assert!(held < BUFFERS_MAX, "{held} bytes after {offset} records");
        }
        let (files, _) = stage.take_files(&mut StoredColumns::default(), &[]).unwrap();
        assert_eq!(files.iter().map(|file| file.file.records).sum::<u64>(), 120);
        assert_eq!((files.len(), stage.held), (60, 0));
    }
}
