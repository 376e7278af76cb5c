//! A table's snapshot: the previous one, sorted by raw key, merged with a run's fold in one streaming pass.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

use super::ledger::{FileEntry, Snapshot};
use super::merge::Merge;
use super::root::Root;
use super::row::{self, Head};
use super::writer::{Chunk, Writer};
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
    let mut out = Output::new(root, folder, compression)?;
    let mut more = fold.advance()?;
    if let Some(snapshot) = previous {
        let mut old = Previous::open(root, snapshot)?;
        while old.advance()? {
            while more && fold.key() < old.key() {
                old.copy_lines(&mut out)?;
                out.add(&mut fold)?;
                more = fold.advance()?;
            }
            // Of a key that both have, the old row is passed over.
            match erase {
                _ if more && fold.key() == old.key() => old.drop_line(&mut out)?,
                Some(matcher) => old.keep_unless(matcher, &mut out)?,
                None => old.keep(&mut out)?,
            }
        }
        old.copy_lines(&mut out)?;
        old.check(snapshot)?;
    }
    while more {
        out.add(&mut fold)?;
        more = fold.advance()?;
    }
    out.finish()
}

/// The rows of the previous snapshot, in order. Most of them stay as they are: their lines are copied many at once.
struct Previous {
    sidecar: Sidecar,
    lines: Lines,
    /// Bytes of lines that stay and have not been copied yet.
    due: u64,
    line: Vec<u8>,
    last_key: Option<Vec<u8>>,
    shown: String,
    shown_sidecar: String,
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
            sidecar: Sidecar::new(open(&snapshot.sidecar)?),
            lines: Lines::new(open(&snapshot.path)?, compression)?,
            due: 0,
            line: Vec::new(),
            last_key: None,
            shown: root.shown(&snapshot.path),
            shown_sidecar: root.shown(&snapshot.sidecar),
        })
    }

    /// Moves on to the next row; false: there is none.
    fn advance(&mut self) -> Result<bool> {
        if !self
            .sidecar
            .advance()
            .with_context(|| self.damaged("it can't be read"))?
        {
            return Ok(false);
        }
        let key = self.sidecar.key();
        match &mut self.last_key {
            Some(last) if last.as_slice() >= key => bail!(self.damaged("its keys are not sorted")),
            Some(last) => {
                last.clear();
                last.extend_from_slice(key);
            }
            last => *last = Some(key.to_vec()),
        }
        Ok(true)
    }

    fn key(&self) -> &[u8] {
        self.sidecar.key()
    }

    fn keep(&mut self, out: &mut Output<'_>) -> Result<()> {
        out.keep(&self.sidecar);
        self.due += u64::from(self.sidecar.line_length);
        match self.due >= CHUNK as u64 || out.sidecar.len() >= CHUNK {
            true => self.copy_lines(out),
            false => Ok(()),
        }
    }

    /// Copies the lines of the rows that were kept since the last time.
    fn copy_lines(&mut self, out: &mut Output<'_>) -> Result<()> {
        let due = std::mem::take(&mut self.due);
        if due > 0 {
            let taken = self.lines.take(due, &mut out.lines);
            taken.with_context(|| self.mismatch())?;
        }
        out.flush_full()
    }

    fn drop_line(&mut self, out: &mut Output<'_>) -> Result<()> {
        self.copy_lines(out)?;
        self.take_line()
    }

    fn keep_unless(&mut self, matcher: &Matcher, out: &mut Output<'_>) -> Result<()> {
        self.take_line()?;
        if matcher.judge(&self.line) != Verdict::Erase {
            out.keep(&self.sidecar);
            out.lines.extend_from_slice(&self.line);
        }
        out.flush_full()
    }

    fn take_line(&mut self) -> Result<()> {
        self.line.clear();
        let taken = self.lines.take(self.sidecar.line_length.into(), &mut self.line);
        taken.with_context(|| self.mismatch())
    }

    fn mismatch(&self) -> String {
        format!(
            "{} and the ledger file {} don't belong together; restore them, or run lake --rebuild",
            self.shown, self.shown_sidecar
        )
    }

    fn damaged(&self, how: &str) -> String {
        format!(
            "the ledger file {}, the keys of {}, is damaged: {how}; restore it, or run lake --rebuild",
            self.shown_sidecar, self.shown
        )
    }

    /// What was merged must have been what was committed.
    fn check(self, snapshot: &Snapshot) -> Result<()> {
        if self.sidecar.from.checksum() != snapshot.sidecar_checksum {
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

/// A snapshot's sidecar, row by row, without a copy of each.
struct Sidecar {
    from: Hashing<File>,
    buffer: Vec<u8>,
    /// The present row in the buffer.
    row: Range<usize>,
    line_length: u32,
    day_ms: i64,
}

impl Sidecar {
    fn new(file: File) -> Self {
        Sidecar {
            from: Hashing::new(file),
            buffer: Vec::new(),
            row: 0..0,
            line_length: 0,
            day_ms: -1,
        }
    }

    /// False: the last row was the last.
    fn advance(&mut self) -> Result<bool> {
        self.row = self.row.end..self.row.end;
        match self.fill(row::HEADER)? {
            0 => return Ok(false),
            found if found < row::HEADER => bail!("it ends in the middle of a row"),
            _ => {}
        }
        let mut header = [0; row::HEADER];
        header.copy_from_slice(&self.buffer[self.row.start..][..row::HEADER]);
        let head = Head::parse(&header);
        let Some(line_length) = head.line_length else {
            bail!("a row of it is none")
        };
        let length = row::HEADER + head.key_length as usize;
        if self.fill(length)? < length {
            bail!("it ends in the middle of a row");
        }
        self.row.end = self.row.start + length;
        (self.line_length, self.day_ms) = (line_length, head.origin.day_ms);
        Ok(true)
    }

    /// Reads on until the row has as many bytes, or the file is at its end; returns how many there are. A length that
    /// is damage takes no more memory than the file has bytes.
    fn fill(&mut self, length: usize) -> Result<usize> {
        while self.buffer.len() - self.row.start < length {
            self.buffer.drain(..self.row.start);
            self.row = 0..0;
            let before = self.buffer.len();
            self.buffer.resize(before + CHUNK, 0);
            let read = self.from.read(&mut self.buffer[before..])?;
            self.buffer.truncate(before + read);
            if read == 0 {
                break;
            }
        }
        Ok((self.buffer.len() - self.row.start).min(length))
    }

    fn key(&self) -> &[u8] {
        &self.buffer[self.row.clone()][row::HEADER..]
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
    compression: Compression,
    lines: Vec<u8>,
    file: Arc<File>,
    sidecar: Vec<u8>,
    sidecar_file: Arc<File>,
    writer: Writer,
    rows: u64,
    day_ms: Option<i64>,
}

/// The two files, as the writer tells them apart.
const SNAPSHOT: u32 = 0;
const SIDECAR: u32 = 1;

impl<'a> Output<'a> {
    fn new(root: &'a Root, folder: &'a str, compression: Compression) -> Result<Self> {
        Ok(Output {
            root,
            folder,
            compression,
            lines: Vec::new(),
            file: Arc::new(root.create(&format!("{folder}/snapshot"))?),
            sidecar: Vec::new(),
            sidecar_file: Arc::new(root.create(&format!("{folder}/sidecar"))?),
            writer: Writer::new(),
            rows: 0,
            day_ms: None,
        })
    }

    /// Adds the present row of the fold; a tombstone has no line to add.
    fn add(&mut self, fold: &mut Merge) -> Result<()> {
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

    /// Adds a row of the previous snapshot, whose line comes by itself.
    fn keep(&mut self, old: &Sidecar) {
        self.sidecar.extend_from_slice(&old.buffer[old.row.clone()]);
        self.count(old.day_ms);
    }

    fn count(&mut self, day_ms: i64) {
        self.rows += 1;
        if day_ms >= 0 {
            self.day_ms = self.day_ms.max(Some(day_ms));
        }
    }

    /// Each file by itself: two chunks at once, and nothing would be made ready while the writer writes them.
    fn flush_full(&mut self) -> Result<()> {
        if self.lines.len() >= CHUNK {
            self.write_lines()?;
        }
        if self.sidecar.len() >= CHUNK {
            self.write_sidecar()?;
        }
        Ok(())
    }

    fn write_sidecar(&mut self) -> Result<()> {
        self.writer.write(Chunk {
            number: SIDECAR,
            file: Arc::clone(&self.sidecar_file),
            shown: self.root.shown(&format!("{}/sidecar", self.folder)),
            compression: Compression::None,
            lines: std::mem::take(&mut self.sidecar),
        })
    }

    fn write_lines(&mut self) -> Result<()> {
        self.writer.write(Chunk {
            number: SNAPSHOT,
            file: Arc::clone(&self.file),
            shown: self.root.shown(&format!("{}/snapshot", self.folder)),
            compression: self.compression,
            lines: std::mem::take(&mut self.lines),
        })
    }

    fn finish(mut self) -> Result<Written> {
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
