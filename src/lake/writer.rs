//! Lines on their way to disk while the next ones are made: one thread compresses, checksums and writes, another one
//! brings what was written to the disk, so that little is left to sync when the run commits.

use anyhow::{Context, Result, anyhow};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::JoinHandle;

use super::write::{FrameWriter, Scratch};
use crate::config::Compression;

/// Bytes of lines from which on threads are worth it.
const THREADS_FROM: usize = 4 * 1024 * 1024;
/// Bytes of lines that may be on their way; more of them only as one chunk by itself, which is a very large line.
/// Files mostly fill at the same pace: what they become at once must not keep the next lines waiting.
const AHEAD_MAX: usize = 4 * 1024 * 1024;
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
    pub compression: Compression,
    pub lines: Vec<u8>,
}

/// Writes chunks: here, until there is so much that threads are worth it. Dropped, the threads end without anyone
/// hearing of it: the run is lost then anyway.
#[derive(Debug)]
pub(super) enum Writer {
    Here {
        files: Written,
        bytes: usize,
    },
    Threads {
        chunks: Sender<Chunk>,
        /// Bytes of each chunk that is written.
        done: Receiver<usize>,
        /// Bytes of the others.
        ahead: usize,
        thread: JoinHandle<Result<Written>>,
    },
    Ended,
}

impl Writer {
    pub(super) fn new() -> Writer {
        Writer::Here {
            files: Written::default(),
            bytes: 0,
        }
    }

    /// Writes a chunk, or hands it over once there is room for it.
    ///
    /// # Errors
    /// What went wrong, be it with an earlier one.
    pub(super) fn write(&mut self, chunk: Chunk) -> Result<()> {
        match self {
            Writer::Here { files, bytes } => {
                *bytes += chunk.lines.len();
                let many = *bytes >= THREADS_FROM;
                files.write(&chunk)?;
                if many {
                    self.start_threads()?;
                }
                Ok(())
            }
            Writer::Threads {
                chunks, done, ahead, ..
            } => match hand_over(chunk, chunks, done, ahead) {
                Ok(()) => Ok(()),
                Err(Refused) => Err(self
                    .finish()
                    .err()
                    .unwrap_or_else(|| anyhow!("the writer has ended"))),
            },
            Writer::Ended => Err(anyhow!("the writer has ended")),
        }
    }

    /// Waits for all chunks to be written, and says what came of them.
    pub(super) fn finish(&mut self) -> Result<Written> {
        match std::mem::replace(self, Writer::Ended) {
            Writer::Here { files, .. } => Ok(files),
            Writer::Threads { chunks, thread, .. } => {
                drop(chunks);
                join(thread)
            }
            Writer::Ended => Err(anyhow!("the writer has ended")),
        }
    }

    fn start_threads(&mut self) -> Result<()> {
        let mut files = self.finish()?;
        let (chunks, from) = channel();
        let (written, done) = channel();
        let thread = spawn("write", move || files.write_all(&from, &written).map(|()| files))?;
        *self = Writer::Threads {
            chunks,
            done,
            ahead: 0,
            thread,
        };
        Ok(())
    }
}

/// The thread that writes has ended, and says why when it is joined.
struct Refused;

fn hand_over(
    chunk: Chunk,
    chunks: &Sender<Chunk>,
    done: &Receiver<usize>,
    ahead: &mut usize,
) -> Result<(), Refused> {
    while *ahead > 0 && *ahead + chunk.lines.len() > AHEAD_MAX {
        *ahead -= done.recv().map_err(|_| Refused)?;
    }
    *ahead += chunk.lines.len();
    chunks.send(chunk).map_err(|_| Refused)
}

/// Files and what came to lie in them.
#[derive(Debug, Default)]
pub(super) struct Written {
    files: HashMap<u32, Part>,
    scratch: Scratch,
}

#[derive(Debug)]
struct Part {
    frames: FrameWriter,
    /// Bytes that were given to the thread that syncs.
    synced: u64,
}

impl Written {
    /// Bytes on disk of a file, and their checksum; None where nothing was written to it.
    pub(super) fn of(&self, number: u32) -> Option<(u64, String)> {
        let part = self.files.get(&number)?;
        Some((part.frames.bytes(), part.frames.checksum()))
    }

    /// Returns the file, which has grown.
    fn write(&mut self, chunk: &Chunk) -> Result<&mut Part> {
        let new = || Part {
            frames: FrameWriter::new(chunk.compression),
            synced: 0,
        };
        let part = self.files.entry(chunk.number).or_insert_with(new);
        let frame = part
            .frames
            .frame(&chunk.lines, &mut self.scratch)
            .with_context(|| format!("compressing {}", chunk.shown))?;
        (&*chunk.file)
            .write_all(frame)
            .with_context(|| format!("writing {}", chunk.shown))?;
        Ok(part)
    }

    fn write_all(&mut self, chunks: &Receiver<Chunk>, done: &Sender<usize>) -> Result<()> {
        let (syncs, from) = sync_channel::<(Arc<File>, String)>(SYNCS_AHEAD);
        let syncing = spawn("sync", move || sync_all(&from))?;
        for chunk in chunks {
            let length = chunk.lines.len();
            let part = self.write(&chunk)?;
            let bytes = part.frames.bytes();
            if bytes - part.synced >= SYNC_BYTES && syncs.try_send((chunk.file, chunk.shown)).is_ok() {
                part.synced = bytes;
            }
            // A writer that nobody waits for any more has its last chunks to write all the same.
            let _ = done.send(length);
        }
        drop(syncs);
        join(syncing)
    }
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
