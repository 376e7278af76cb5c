//! Reads a table's previous snapshot in order; most of its rows are copied unchanged.

use anyhow::{Context, Result, bail};
use std::io::Read;
use std::ops::Range;

use super::merge::NO_ROW;
use super::new_snapshot::Output;
use super::spill_row::{self, RowHeader, RowOrigin};
use crate::config::FileFormat;
use crate::lake::disk::root::Root;
use crate::lake::file::lines::{Hashing, Lines};
use crate::lake::file::writer::CHUNK;
use crate::lake::ledger::Snapshot;
use crate::problem::Problem;
use crate::subjects::matcher::{Matcher, Verdict};

/// The way out where a file is not what was committed.
const RESTORE: &str = "restore it, or run lake --rebuild";

/// The rows of the previous snapshot, in order. The lines of rows that are kept are copied many at once.
pub(super) struct Previous {
    sidecar: Sidecar,
    lines: Lines,
    /// Bytes of kept lines that are not copied yet.
    due: u64,
    line: Vec<u8>,
    shown: String,
    shown_sidecar: String,
}

impl Previous {
    pub fn open(root: &Root, snapshot: &Snapshot) -> Result<Self> {
        let open = |path: &str| {
            root.read(path)?.ok_or_else(|| {
                let what = format!("{} is gone, but the ledger knows it", root.shown(path));
                anyhow::Error::from(Problem::new(what).fix(RESTORE))
            })
        };
        let format = FileFormat::of(&snapshot.path);
        Ok(Previous {
            sidecar: Sidecar::new(Hashing::forgetting(open(&snapshot.sidecar)?)),
            lines: Lines::of(
                Hashing::forgetting(open(&snapshot.path)?),
                format,
                Some(&snapshot.checksum),
            )
            .with_context(|| format!("reading {}", root.shown(&snapshot.path)))?,
            due: 0,
            line: Vec::new(),
            shown: root.shown(&snapshot.path),
            shown_sidecar: root.shown(&snapshot.sidecar),
        })
    }

    /// Moves on to the next row; false: there is none.
    pub fn advance(&mut self) -> Result<bool> {
        let found = self
            .sidecar
            .advance()
            .with_context(|| self.damaged("it can't be read"))?;
        if found && !self.sidecar.is_sorted() {
            return self.damaged("its keys are not sorted").err();
        }
        Ok(found)
    }

    pub fn key(&self) -> &[u8] {
        self.sidecar.key()
    }

    pub fn origin(&self) -> &RowOrigin {
        &self.sidecar.head.origin
    }

    fn is_tombstone(&self) -> bool {
        self.sidecar.head.line_length.is_none()
    }

    /// Keeps the current row. It is copied together with its neighbours.
    pub fn keep(&mut self, out: &mut Output) -> Result<()> {
        if self.is_tombstone() && !out.keeps_tombstones() {
            return self.leave_out(out);
        }
        if self.lines.are_made() && !self.is_tombstone() {
            self.take_line()?;
            return self.put(out);
        }
        if self.due >= CHUNK as u64 || self.sidecar.kept() >= CHUNK {
            self.copy_kept(out)?;
        }
        self.due += u64::from(self.sidecar.line_length());
        self.count(out);
        Ok(())
    }

    fn count(&self, out: &mut Output) {
        if self.is_tombstone() {
            out.count_tombstone();
        } else {
            out.count(self.sidecar.head.origin.day_ms);
        }
    }

    /// Keeps the current row unless its line belongs to an erased person.
    pub(super) fn keep_unless(&mut self, matcher: &Matcher, out: &mut Output) -> Result<()> {
        if self.is_tombstone() {
            return self.keep(out);
        }
        self.take_line()?;
        if matcher.judge(&self.line) == Verdict::Erase {
            return self.leave_out(out);
        }
        if self.lines.are_made() {
            return self.put(out);
        }
        if self.sidecar.kept() >= CHUNK {
            self.copy_kept(out)?;
        }
        out.snapshot.buffer.extend_from_slice(&self.line);
        self.count(out);
        out.flush_full()
    }

    /// Puts the current row and its line, whose length is known only now.
    fn put(&mut self, out: &mut Output) -> Result<()> {
        let head = RowHeader::new(self.key().len(), Some(self.line.len()), *self.origin())?;
        self.leave_out(out)?;
        out.sidecar.buffer.extend_from_slice(&head.bytes());
        out.sidecar.buffer.extend_from_slice(self.sidecar.key());
        out.snapshot.buffer.extend_from_slice(&self.line);
        self.count(out);
        out.flush_full()
    }

    /// Leaves out the current row and its line.
    pub(super) fn drop_row(&mut self, out: &mut Output) -> Result<()> {
        self.leave_out(out)?;
        self.take_line()
    }

    fn leave_out(&mut self, out: &mut Output) -> Result<()> {
        self.copy_kept(out)?;
        self.sidecar.skip();
        Ok(())
    }

    /// Copies the kept rows before the current one, and their lines, as far as they are not copied yet.
    pub(super) fn copy_kept(&mut self, out: &mut Output) -> Result<()> {
        out.sidecar.buffer.extend_from_slice(self.sidecar.take_kept());
        let due = std::mem::take(&mut self.due);
        if due > 0 {
            let taken = self.lines.take(due, &mut out.snapshot.buffer);
            taken.with_context(|| self.mismatch())?;
        }
        out.flush_full()
    }

    fn take_line(&mut self) -> Result<()> {
        self.line.clear();
        if self.is_tombstone() {
            return Ok(());
        }
        let taken = self.lines.take(self.sidecar.line_length().into(), &mut self.line);
        taken.with_context(|| self.mismatch())
    }

    fn mismatch(&self) -> Problem {
        Problem::new(format!(
            "{} and the ledger file {} don't belong together",
            self.shown, self.shown_sidecar
        ))
        .fix("restore them, or run lake --rebuild")
    }

    fn damaged(&self, how: &str) -> Problem {
        Problem::new(format!(
            "the ledger file {}, the keys of {}, is damaged: {how}",
            self.shown_sidecar, self.shown
        ))
        .fix(RESTORE)
    }

    /// Checks that the merged files are what was committed.
    pub fn check(self, snapshot: &Snapshot) -> Result<()> {
        if self.sidecar.from.checksum() != snapshot.sidecar_checksum {
            return self.damaged("its checksum is wrong").err();
        }
        let lines = self.lines.checksum().with_context(|| {
            Problem::new(format!("{} is not what the ledger describes", self.shown)).fix(RESTORE)
        })?;
        if lines != snapshot.checksum {
            return Problem::new(format!(
                "{} was changed since it was written (checksum)",
                self.shown
            ))
            .fix(RESTORE)
            .err();
        }
        Ok(())
    }
}

/// A snapshot's sidecar, row by row, without a copy of each.
struct Sidecar {
    from: Hashing,
    buffer: Vec<u8>,
    /// Where the bytes end that were read.
    end: usize,
    /// Where the kept rows begin that are not taken yet; they end at the current row.
    kept: usize,
    /// Where the row before the current one begins.
    last: usize,
    /// The current row in the buffer.
    row: Range<usize>,
    head: RowHeader,
}

impl Sidecar {
    fn new(from: Hashing) -> Self {
        Sidecar {
            from,
            buffer: Vec::new(),
            end: 0,
            kept: 0,
            last: 0,
            row: 0..0,
            head: NO_ROW,
        }
    }

    /// Moves on to the next row; false: there is none.
    fn advance(&mut self) -> Result<bool> {
        self.last = self.row.start;
        self.row = self.row.end..self.row.end;
        match self.fill(spill_row::HEADER)? {
            0 => return Ok(false),
            found if found < spill_row::HEADER => bail!("it ends in the middle of a row"),
            _ => {}
        }
        let mut header = [0; spill_row::HEADER];
        header.copy_from_slice(&self.buffer[self.row.start..][..spill_row::HEADER]);
        let head = RowHeader::parse(&header);
        let length = spill_row::HEADER + head.key_length as usize;
        if self.fill(length)? < length {
            bail!("it ends in the middle of a row");
        }
        self.row.end = self.row.start + length;
        self.head = head;
        Ok(true)
    }

    fn line_length(&self) -> u32 {
        self.head.line_length.unwrap_or(0)
    }

    /// Reads until `length` bytes of the row are there, or the file ends; returns how many there are.
    fn fill(&mut self, length: usize) -> Result<usize> {
        while self.end - self.row.start < length && self.read()? {}
        Ok((self.end - self.row.start).min(length))
    }

    /// Reads the next bytes into the buffer, over rows that are done; false: the file has ended. It reads chunk by chunk, so
    /// that a damaged length takes no more memory than the file has bytes.
    fn read(&mut self) -> Result<bool> {
        let done = self.kept.min(self.last);
        if done > 0 {
            self.buffer.copy_within(done..self.end, 0);
            for place in [
                &mut self.kept,
                &mut self.last,
                &mut self.row.start,
                &mut self.row.end,
                &mut self.end,
            ] {
                *place -= done;
            }
        }
        if self.buffer.len() < self.end + CHUNK {
            self.buffer.resize(self.end + CHUNK, 0);
        }
        let read = self.from.read(&mut self.buffer[self.end..])?;
        self.end += read;
        Ok(read > 0)
    }

    fn key(&self) -> &[u8] {
        &self.buffer[self.row.clone()][spill_row::HEADER..]
    }

    /// Whether the current key is greater than the one before it, if there is one.
    fn is_sorted(&self) -> bool {
        let last = &self.buffer[self.last..self.row.start];
        last.is_empty() || &last[spill_row::HEADER..] < self.key()
    }

    /// Bytes of kept rows that are not taken yet.
    fn kept(&self) -> usize {
        self.row.start - self.kept
    }

    fn take_kept(&mut self) -> &[u8] {
        let kept = std::mem::replace(&mut self.kept, self.row.start);
        &self.buffer[kept..self.row.start]
    }

    /// Leaves out the current row; the kept rows before it must be taken already.
    fn skip(&mut self) {
        self.kept = self.row.end;
    }
}
