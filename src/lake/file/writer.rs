//! Lines on their way to disk while the next ones are made: one thread compresses, checksums and writes, another one
//! brings what was written to the disk, so that little is left to sync when the run commits.

use anyhow::{Context, Result, anyhow};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::JoinHandle;

use super::compress::{FrameWriter, Scratch};
use crate::config::Compression;

/// Bytes of a file's lines that are worth handing over.
pub(in crate::lake) const CHUNK: usize = 512 * 1024;
/// Bytes of lines from which on threads are worth it.
const THREADS_FROM: usize = 4 * 1024 * 1024;
/// Bytes of lines that may be on their way; more of them only as one chunk by itself, which is a very large line.
/// Files mostly fill at the same pace: what they become at once must not keep the next lines waiting.
const AHEAD_MAX: usize = 4 * 1024 * 1024;
/// Bytes of one file that are worth a sync before the commit's own.
const SYNC_BYTES: u64 = 4 * 1024 * 1024;
/// Files that may wait for it; what finds no place waits for the commit.
const SYNCS_AHEAD: usize = 16;
/// Buffers that wait for lines: as many as may be on their way.
const SPARE_MAX: usize = AHEAD_MAX / CHUNK;

/// Lines for the end of a file.
#[derive(Debug)]
pub(in crate::lake) struct Chunk {
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
    /// Of chunks that are made ready in buffers of `buffer` bytes, as a rule.
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

    /// Writes a chunk, or hands it over once there is room for it.
    ///
    /// # Errors
    /// What went wrong, be it with an earlier one.
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

    /// Waits for all chunks to be written, and says what came of them.
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

/// Buffers of lines that are written, for others: fresh memory costs more than what is done with it.
#[derive(Debug)]
struct Spare {
    /// Bytes of each.
    size: usize,
    buffers: Vec<Vec<u8>>,
}

impl Spare {
    fn take(&mut self) -> Vec<u8> {
        self.buffers
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(self.size))
    }

    /// What is of another size, as very large lines make it, is given back.
    fn keep(&mut self, mut buffer: Vec<u8>) {
        if self.buffers.len() < SPARE_MAX && buffer.capacity() == self.size {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }
}

/// The thread that writes, seen from where lines are made.
#[derive(Debug)]
struct Threads {
    chunks: Sender<Chunk>,
    /// The lines that are written.
    done: Receiver<Vec<u8>>,
    /// Bytes of the others.
    ahead: usize,
    thread: JoinHandle<Result<WrittenFiles>>,
}

/// The thread that writes has ended, and says why when it is joined.
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

/// Files and what came to lie in them.
#[derive(Debug, Default)]
pub(in crate::lake) struct WrittenFiles {
    files: HashMap<u32, WrittenPart>,
    scratch: Scratch,
}

#[derive(Debug)]
struct WrittenPart {
    frames: FrameWriter,
    /// Bytes that were given to the thread that syncs.
    synced: u64,
}

impl WrittenFiles {
    /// Bytes on disk of a file, and their checksum; None where nothing was written to it.
    pub fn of(&self, number: u32) -> Option<(u64, String)> {
        let part = self.files.get(&number)?;
        Some((part.frames.bytes(), part.frames.checksum()))
    }

    /// Returns the file, which has grown.
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
            // A writer that nobody waits for any more has its last chunks to write all the same.
            let _ = done.send(chunk.lines);
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

#[cfg(test)]
mod tests {
    use super::*;

    const BUFFER: usize = CHUNK + 1000;

    #[test]
    fn buffers_come_back_empty_and_none_of_a_very_large_line() {
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
