//! A table's snapshot: the previous one, sorted by raw key, merged with a run's fold in one streaming pass.

use anyhow::{Context, Result, bail};
use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use xxhash_rust::xxh3::Xxh3;

use super::fold::Merge;
use super::ledger::{FileEntry, Snapshot};
use super::root::Root;
use super::row::{self, Line, Row};
use super::write::{FrameWriter, Scratch};
use crate::config::Compression;
use crate::erase::matcher::{Matcher, Verdict};

const CHUNK: usize = 512 * 1024;

/// A snapshot in staging, and its sidecar.
#[derive(Debug)]
pub struct Written {
    pub snapshot: FileEntry,
    pub sidecar: FileEntry,
    /// The highest time among the rows that decide the day; None where no row is left.
    pub day_ms: Option<i64>,
}

/// Merges `fold` over the previous snapshot and stages the result as `snapshot` and `sidecar` in `folder`.
/// What `erase` says of the previous snapshot's rows is left out.
pub fn merge(
    root: &Root,
    previous: Option<&Snapshot>,
    mut fold: Merge,
    folder: &str,
    compression: Compression,
    erase: Option<&Matcher>,
) -> Result<Written> {
    let mut old = previous
        .map(|snapshot| Previous::open(root, snapshot))
        .transpose()?;
    let mut out = Output::new(root, folder, compression)?;
    let mut old_row = next_old(&mut old)?;
    let mut new_row = fold.next()?;
    loop {
        let order = match (&old_row, &new_row) {
            (None, None) => break,
            (Some(old), Some(new)) => old.key.cmp(&new.key),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
        };
        if order.is_lt() {
            if let Some(row) = &old_row
                && !is_erased(row, erase)
            {
                out.add(row)?;
            }
        } else if let Some(row) = &new_row {
            // A tombstone has no line to add.
            out.add(row)?;
        }
        // Of a key that both have, the old row is passed over.
        if order.is_le() {
            old_row = next_old(&mut old)?;
        }
        if order.is_ge() {
            new_row = fold.next()?;
        }
    }
    if let (Some(old), Some(snapshot)) = (old, previous) {
        old.check(snapshot)?;
    }
    out.finish()
}

fn is_erased(row: &Row, erase: Option<&Matcher>) -> bool {
    match (&row.line, erase) {
        (Line::Here(line), Some(matcher)) => matcher.judge(line) == Verdict::Erase,
        _ => false,
    }
}

fn next_old(old: &mut Option<Previous>) -> Result<Option<Row>> {
    match old {
        Some(old) => old.next(),
        None => Ok(None),
    }
}

/// The rows of the previous snapshot, in order.
struct Previous {
    sidecar: BufReader<Hashing<File>>,
    lines: Lines,
    shown: String,
    shown_sidecar: String,
    last_key: Option<Vec<u8>>,
}

impl Previous {
    fn open(root: &Root, snapshot: &Snapshot) -> Result<Self> {
        let open = |path: &str| {
            root.read(path)?.with_context(|| {
                format!(
                    "{} is gone, but the ledger knows it; restore it, or run lake --rebuild",
                    root.shown(path)
                )
            })
        };
        let compression = Compression::of(&snapshot.path);
        Ok(Previous {
            sidecar: BufReader::with_capacity(CHUNK, Hashing::new(open(&snapshot.sidecar)?)),
            lines: Lines::new(open(&snapshot.path)?, compression)?,
            shown: root.shown(&snapshot.path),
            shown_sidecar: root.shown(&snapshot.sidecar),
            last_key: None,
        })
    }

    fn next(&mut self) -> Result<Option<Row>> {
        let row = row::read(&mut self.sidecar, false).with_context(|| self.damaged("it can't be read"))?;
        let Some(mut row) = row else { return Ok(None) };
        let Line::Elsewhere(length) = row.line else {
            bail!(self.damaged("a row of it is none"))
        };
        if self.last_key.as_ref().is_some_and(|last| *last >= row.key) {
            bail!(self.damaged("its keys are not sorted"));
        }
        let mut line = Vec::with_capacity((length as usize).min(1 << 20));
        self.lines.take(length.into(), &mut line).with_context(|| {
            format!(
                "{} and the ledger file {} don't belong together; restore them, or run lake --rebuild",
                self.shown, self.shown_sidecar
            )
        })?;
        row.line = Line::Here(line);
        match &mut self.last_key {
            Some(last) => last.clone_from(&row.key),
            last => *last = Some(row.key.clone()),
        }
        Ok(Some(row))
    }

    fn damaged(&self, how: &str) -> String {
        format!(
            "the ledger file {}, the keys of {}, is damaged: {how}; restore it, or run lake --rebuild",
            self.shown_sidecar, self.shown
        )
    }

    /// What was merged must have been what was committed.
    fn check(mut self, snapshot: &Snapshot) -> Result<()> {
        std::io::copy(&mut self.sidecar, &mut std::io::sink())?;
        if self.sidecar.get_ref().checksum() != snapshot.sidecar_checksum {
            bail!(self.damaged("its checksum is wrong"));
        }
        let lines = self.lines.checksum().with_context(|| {
            format!(
                "{} is not what the ledger knows; restore it, or run lake --rebuild",
                self.shown
            )
        })?;
        if lines != snapshot.checksum {
            bail!(
                "{} was changed since it was written (checksum); restore it, or run lake --rebuild",
                self.shown
            );
        }
        Ok(())
    }
}

/// The lines of a data file, decompressed; the checksum is that of the bytes on disk.
pub(super) enum Lines {
    Plain(BufReader<Hashing<File>>),
    Gzip(BufReader<flate2::bufread::MultiGzDecoder<BufReader<Hashing<File>>>>),
    Zstd(BufReader<zstd::Decoder<'static, BufReader<Hashing<File>>>>),
}

impl Lines {
    pub(super) fn new(file: File, compression: Compression) -> Result<Self> {
        let raw = BufReader::with_capacity(CHUNK, Hashing::new(file));
        Ok(match compression {
            Compression::None => Lines::Plain(raw),
            Compression::Gzip => Lines::Gzip(BufReader::with_capacity(
                CHUNK,
                flate2::bufread::MultiGzDecoder::new(raw),
            )),
            Compression::Zstd => {
                Lines::Zstd(BufReader::with_capacity(CHUNK, zstd::Decoder::with_buffer(raw)?))
            }
        })
    }

    fn reader(&mut self) -> &mut dyn BufRead {
        match self {
            Lines::Plain(lines) => lines,
            Lines::Gzip(lines) => lines,
            Lines::Zstd(lines) => lines,
        }
    }

    /// The next line with its line feed, in place of what `line` held; false at the end.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> std::io::Result<bool> {
        line.clear();
        Ok(self.reader().read_until(b'\n', line)? > 0)
    }

    fn take(&mut self, length: u64, line: &mut Vec<u8>) -> Result<()> {
        let found = self.reader().take(length).read_to_end(line)?;
        if found as u64 != length || !line.ends_with(b"\n") {
            bail!("it does not fit its sidecar");
        }
        Ok(())
    }

    /// XXH3-128 of the whole file, which was read to its end.
    pub(super) fn checksum(mut self) -> Result<String> {
        if std::io::copy(&mut self.reader(), &mut std::io::sink())? != 0 {
            bail!("it has more lines than its sidecar");
        }
        let raw = match self {
            Lines::Plain(lines) => lines,
            Lines::Gzip(lines) => lines.into_inner().into_inner(),
            Lines::Zstd(lines) => lines.into_inner().finish(),
        };
        Ok(raw.into_inner().checksum())
    }
}

pub(super) struct Hashing<R> {
    inner: R,
    hasher: Box<Xxh3>,
}

impl<R> Hashing<R> {
    fn new(inner: R) -> Self {
        Hashing {
            inner,
            hasher: Box::new(Xxh3::new()),
        }
    }

    fn checksum(&self) -> String {
        format!("{:032x}", self.hasher.digest128())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        Ok(n)
    }
}

/// The new snapshot and its sidecar, in staging.
struct Output<'a> {
    root: &'a Root,
    folder: &'a str,
    lines: Vec<u8>,
    file: File,
    frames: FrameWriter,
    sidecar: Vec<u8>,
    sidecar_file: File,
    sidecar_frames: FrameWriter,
    scratch: Scratch,
    rows: u64,
    day_ms: Option<i64>,
}

impl<'a> Output<'a> {
    fn new(root: &'a Root, folder: &'a str, compression: Compression) -> Result<Self> {
        Ok(Output {
            root,
            folder,
            lines: Vec::new(),
            file: root.create(&format!("{folder}/snapshot"))?,
            frames: FrameWriter::new(compression),
            sidecar: Vec::new(),
            sidecar_file: root.create(&format!("{folder}/sidecar"))?,
            sidecar_frames: FrameWriter::new(Compression::None),
            scratch: Scratch::default(),
            rows: 0,
            day_ms: None,
        })
    }

    fn add(&mut self, row: &Row) -> Result<()> {
        let Line::Here(line) = &row.line else {
            return Ok(());
        };
        self.lines.extend_from_slice(line);
        row::write(&mut self.sidecar, &row.key, &row.origin, &row.line, false)?;
        self.rows += 1;
        if row.origin.day_ms >= 0 {
            self.day_ms = self.day_ms.max(Some(row.origin.day_ms));
        }
        match self.lines.len() >= CHUNK || self.sidecar.len() >= CHUNK {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let failed = || format!("writing a snapshot under {}", self.root.shown(self.folder));
        if !self.lines.is_empty() {
            let frame = self
                .frames
                .frame(&self.lines, &mut self.scratch)
                .with_context(failed)?;
            self.file.write_all(frame).with_context(failed)?;
        }
        let frame = self
            .sidecar_frames
            .frame(&self.sidecar, &mut self.scratch)
            .with_context(failed)?;
        self.sidecar_file.write_all(frame).with_context(failed)?;
        self.lines.clear();
        self.sidecar.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Written> {
        self.flush()?;
        if self.rows == 0 {
            // Nothing but an empty frame is an empty compressed file to every reader.
            let frame = self.frames.frame(b"", &mut self.scratch)?;
            self.file
                .write_all(frame)
                .with_context(|| format!("writing a snapshot under {}", self.root.shown(self.folder)))?;
        }
        let entry = |name: &str, records: u64, frames: &FrameWriter| FileEntry {
            name: name.to_owned(),
            records,
            bytes: frames.bytes(),
            checksum: frames.checksum(),
            partition: -1,
            first: 0,
            last: 0,
        };
        Ok(Written {
            snapshot: entry("snapshot", self.rows, &self.frames),
            sidecar: entry("sidecar", self.rows, &self.sidecar_frames),
            day_ms: self.day_ms,
        })
    }
}
