//! Writes lines while the next ones are made: one thread compresses, checksums and writes, another one syncs what was
//! written, so that little is left to sync when the run commits.

use anyhow::{Context, Result, anyhow};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::JoinHandle;

use super::compress::{FrameWriter, Scratch};
use crate::config::Compression;
use crate::problem::unexpected;

/// Bytes of a file's lines that are handed over as one chunk.
pub(in crate::lake) const CHUNK: usize = 512 * 1024;
/// From this many bytes of lines on, threads are started.
const THREADS_FROM: usize = 4 * 1024 * 1024;
/// Bytes of lines that may wait for the writing thread; only a single chunk, a very large line, may be larger.
/// Files mostly fill at the same pace: chunks that become full together must not keep the next lines waiting.
const AHEAD_MAX: usize = 4 * 1024 * 1024;
/// From this many unsynced bytes on, a file is synced before the commit.
const SYNC_BYTES: u64 = 4 * 1024 * 1024;
/// Files that may wait for such a sync; others are synced by the commit.
const SYNCS_AHEAD: usize = 16;
/// Buffers kept for reuse: as many as chunks may wait.
const SPARE_MAX: usize = AHEAD_MAX / CHUNK;

/// Lines for the end of a file.
#[derive(Debug)]
pub(in crate::lake) struct Chunk {
    /// The file's number in its writer.
    pub number: u32,
    pub file: Arc<File>,
    /// The path as people see it.
    pub shown: String,
    pub compression: Compression,
    pub lines: Vec<u8>,
}

/// Writes chunks: in the calling thread until there are enough of them for threads. If it is dropped, nobody waits for the
/// threads: the run has failed anyway.
#[derive(Debug)]
pub(in crate::lake) struct Writer {
    way: WriteMode,
    spare: Spare,
}

#[derive(Debug)]
enum WriteMode {
    Here { files: WrittenFiles, bytes: usize },
    Threads(Threads),
    Ended,
}

impl Writer {
    /// A writer of chunks that mostly come in buffers of `buffer` bytes.
    pub fn new(buffer: usize) -> Writer {
        Writer {
            way: WriteMode::Here {
                files: WrittenFiles::default(),
                bytes: 0,
            },
            spare: Spare {
                size: buffer,
                buffers: Vec::new(),
            },
        }
    }

    /// An empty buffer for the next lines.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.spare.take()
    }

    /// Writes a chunk, or hands it over once there is room.
    ///
    /// # Errors
    /// This chunk or an earlier one could not be written.
    pub fn write(&mut self, chunk: Chunk) -> Result<()> {
        match &mut self.way {
            WriteMode::Here { files, bytes } => {
                *bytes += chunk.lines.len();
                let many = *bytes >= THREADS_FROM;
                files.write(&chunk)?;
                self.spare.keep(chunk.lines);
                if many {
                    self.start_threads()?;
                }
                Ok(())
            }
            WriteMode::Threads(threads) => match threads.hand_over(chunk, &mut self.spare) {
                Ok(()) => Ok(()),
                Err(WriterEnded) => Err(self
                    .finish()
                    .err()
                    .unwrap_or_else(|| anyhow!("the writer has ended"))),
            },
            WriteMode::Ended => Err(anyhow!("the writer has ended")),
        }
    }

    /// Waits for all chunks to be written, and returns the files.
    pub fn finish(&mut self) -> Result<WrittenFiles> {
        match std::mem::replace(&mut self.way, WriteMode::Ended) {
            WriteMode::Here { files, .. } => Ok(files),
            WriteMode::Threads(Threads { chunks, thread, .. }) => {
                drop(chunks);
                join(thread)
            }
            WriteMode::Ended => Err(anyhow!("the writer has ended")),
        }
    }

    fn start_threads(&mut self) -> Result<()> {
        let mut files = self.finish()?;
        let (chunks, from) = channel();
        let (written, done) = channel();
        let thread = spawn("write", move || files.write_all(&from, &written).map(|()| files))?;
        self.way = WriteMode::Threads(Threads {
            chunks,
            done,
            ahead: 0,
            thread,
        });
        Ok(())
    }
}

/// Buffers for reuse: fresh memory costs more than filling it.
#[derive(Debug)]
struct Spare {
    /// Bytes of each buffer.
    size: usize,
    buffers: Vec<Vec<u8>>,
}

impl Spare {
    fn take(&mut self) -> Vec<u8> {
        self.buffers
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(self.size))
    }

    /// Keeps a buffer; one of another size, which a very large line made, is freed.
    fn keep(&mut self, mut buffer: Vec<u8>) {
        if self.buffers.len() < SPARE_MAX && buffer.capacity() == self.size {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }
}

/// The writing thread, as the thread that makes lines uses it.
#[derive(Debug)]
struct Threads {
    chunks: Sender<Chunk>,
    /// Buffers whose lines are written.
    done: Receiver<Vec<u8>>,
    /// Bytes of lines that are not written yet.
    ahead: usize,
    thread: JoinHandle<Result<WrittenFiles>>,
}

/// The writing thread has ended; joining it returns the reason.
struct WriterEnded;

impl Threads {
    fn hand_over(&mut self, chunk: Chunk, spare: &mut Spare) -> Result<(), WriterEnded> {
        while self.ahead > 0 && self.ahead + chunk.lines.len() > AHEAD_MAX {
            let lines = self.done.recv().map_err(|_| WriterEnded)?;
            self.take_back(lines, spare);
        }
        while let Ok(lines) = self.done.try_recv() {
            self.take_back(lines, spare);
        }
        self.ahead += chunk.lines.len();
        self.chunks.send(chunk).map_err(|_| WriterEnded)
    }

    fn take_back(&mut self, lines: Vec<u8>, spare: &mut Spare) {
        self.ahead -= lines.len();
        spare.keep(lines);
    }
}

/// The files of a writer, with their length and checksum.
#[derive(Debug, Default)]
pub(in crate::lake) struct WrittenFiles {
    files: HashMap<u32, WrittenPart>,
    scratch: Scratch,
}

#[derive(Debug)]
struct WrittenPart {
    frames: FrameWriter,
    /// Bytes that were handed to the syncing thread.
    synced: u64,
}

impl WrittenFiles {
    /// A file's bytes on disk and their checksum; None if nothing was written to it.
    pub fn of(&self, number: u32) -> Option<(u64, String)> {
        let part = self.files.get(&number)?;
        Some((part.frames.bytes(), part.frames.checksum()))
    }

    /// Appends a chunk to its file.
    fn write(&mut self, chunk: &Chunk) -> Result<&mut WrittenPart> {
        let new = || WrittenPart {
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

    fn write_all(&mut self, chunks: &Receiver<Chunk>, done: &Sender<Vec<u8>>) -> Result<()> {
        let (syncs, from) = sync_channel::<(Arc<File>, String)>(SYNCS_AHEAD);
        let syncing = spawn("sync", move || sync_all(&from))?;
        for chunk in chunks {
            let part = self.write(&chunk)?;
            let bytes = part.frames.bytes();
            if bytes - part.synced >= SYNC_BYTES && syncs.try_send((chunk.file, chunk.shown)).is_ok() {
                part.synced = bytes;
            }
            // The last chunks are written even if nobody waits for them any more.
            let _ = done.send(chunk.lines);
        }
        drop(syncs);
        join(syncing)
    }
}

/// Syncs files. The kernel reports a failed write only once, so after a failure the run must not commit.
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
        .unwrap_or_else(|_| Err(unexpected("writing failed unexpectedly")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUFFER: usize = CHUNK + 1000;

    #[test]
    fn buffers_are_reused_but_not_those_of_very_large_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        let file = Arc::new(File::create(&path).unwrap());
        let mut writer = Writer::new(BUFFER);
        let mut expected = Vec::new();
        for n in 0..100_u8 {
            let mut lines = writer.buffer();
            assert_eq!((lines.len(), lines.capacity()), (0, BUFFER));
            let length = if n % 10 == 0 { 3 * BUFFER } else { CHUNK + 1 };
            lines.resize(length, n);
            expected.extend_from_slice(&lines);
            let chunk = Chunk {
                number: 0,
                file: Arc::clone(&file),
                shown: "lines".to_owned(),
                compression: Compression::None,
                lines,
            };
            writer.write(chunk).unwrap();
        }

        let WriteMode::Threads(threads) = &mut writer.way else {
            panic!("so many bytes are worth threads");
        };
        while threads.ahead > 0 {
            let lines = threads.done.recv().unwrap();
            threads.take_back(lines, &mut writer.spare);
        }
        assert!((1..=SPARE_MAX).contains(&writer.spare.buffers.len()));
        let written = writer.finish().unwrap();
        assert!(std::fs::read(&path).unwrap() == expected);
        assert_eq!(written.of(0).unwrap().0, expected.len() as u64);
    }
}
