//! Lines on their way to disk while the next ones are made: one thread compresses, checksums and writes, another one
//! brings what was written to the disk, so that little is left to sync when the run commits.

use anyhow::{Context, Result, anyhow};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::write::{FrameWriter, Scratch};
use crate::config::Compression;

/// Bytes of one file that are worth a sync before the commit's own.
const SYNC_BYTES: u64 = 4 * 1024 * 1024;
/// Files that may wait for it; what finds no place waits for the commit.
const SYNCS_AHEAD: usize = 16;

/// Lines for the end of a file.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Tells the files of one writer apart.
    pub number: u32,
    pub file: Arc<File>,
    /// The path as people see it.
    pub shown: String,
    pub lines: Vec<u8>,
}

/// What came to lie in a file.
#[derive(Debug)]
pub(super) struct Written {
    pub bytes: u64,
    pub checksum: String,
}

/// The threads. Dropped, they end without anyone hearing of it: the run is lost then anyway.
#[derive(Debug)]
pub(super) struct Writer {
    chunks: Option<SyncSender<Chunk>>,
    thread: Option<JoinHandle<Result<HashMap<u32, Written>>>>,
}

impl Writer {
    pub(super) fn start(compression: Compression) -> Result<Writer> {
        // Nothing waits in between: a chunk may be one very large line.
        let (chunks, from) = sync_channel(0);
        let thread = spawn("write", move || write_all(&from, compression))?;
        Ok(Writer {
            chunks: Some(chunks),
            thread: Some(thread),
        })
    }

    /// Hands a chunk over once the one before is being written.
    ///
    /// # Errors
    /// What went wrong with an earlier one.
    pub(super) fn write(&mut self, chunk: Chunk) -> Result<()> {
        let sent = self
            .chunks
            .as_ref()
            .is_some_and(|chunks| chunks.send(chunk).is_ok());
        match sent {
            true => Ok(()),
            false => Err(self
                .finish()
                .err()
                .unwrap_or_else(|| anyhow!("the writer has ended"))),
        }
    }

    /// Waits for all chunks to be written; the files by their numbers.
    pub(super) fn finish(&mut self) -> Result<HashMap<u32, Written>> {
        self.chunks = None;
        match self.thread.take() {
            Some(thread) => join(thread),
            None => Ok(HashMap::new()),
        }
    }
}

fn write_all(chunks: &Receiver<Chunk>, compression: Compression) -> Result<HashMap<u32, Written>> {
    let (syncs, from) = sync_channel::<(Arc<File>, String)>(SYNCS_AHEAD);
    let syncing = spawn("sync", move || sync_all(&from))?;
    let mut files: HashMap<u32, (FrameWriter, u64)> = HashMap::new();
    let mut scratch = Scratch::default();
    for chunk in chunks {
        let (frames, synced) = files
            .entry(chunk.number)
            .or_insert_with(|| (FrameWriter::new(compression), 0));
        let frame = frames
            .frame(&chunk.lines, &mut scratch)
            .with_context(|| format!("compressing {}", chunk.shown))?;
        (&*chunk.file)
            .write_all(frame)
            .with_context(|| format!("writing {}", chunk.shown))?;
        let bytes = frames.bytes();
        if bytes - *synced >= SYNC_BYTES && syncs.try_send((chunk.file, chunk.shown)).is_ok() {
            *synced = bytes;
        }
    }
    drop(syncs);
    join(syncing)?;
    let written = |(number, (frames, _)): (u32, (FrameWriter, u64))| {
        let written = Written {
            bytes: frames.bytes(),
            checksum: frames.checksum(),
        };
        (number, written)
    };
    Ok(files.into_iter().map(written).collect())
}

/// A sync that fails tells of a write that failed, once: its run must not commit.
fn sync_all(files: &Receiver<(Arc<File>, String)>) -> Result<()> {
    for (file, shown) in files {
        file.sync_data().with_context(|| format!("syncing {shown}"))?;
    }
    Ok(())
}

fn spawn<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .with_context(|| format!("starting the thread `{name}`"))
}

fn join<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    thread
        .join()
        .unwrap_or_else(|_| Err(anyhow!("writing failed unexpectedly; please report it")))
}
