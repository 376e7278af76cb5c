//! Reads lines back from data files, and checksums the files on the way.

use anyhow::{Result, bail};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::num::NonZeroU64;
use xxhash_rust::xxh3::Xxh3;

use crate::config::Compression;

/// Bytes that are read ahead; larger reads go past this buffer without a copy.
const READ_AHEAD: usize = 64 * 1024;
/// The most bytes that are read at once.
const STEP_MAX: u64 = 1024 * 1024;
/// How many bytes are read before the page cache is told to drop them.
const FORGET_STEP: u64 = 4 * 1024 * 1024;
const MISFIT: &str = "it does not fit its sidecar";

/// The lines of a data file, decompressed; the checksum is that of the bytes on disk.
pub(in crate::lake) enum Lines {
    Plain(BufReader<Hashing>),
    Gzip(BufReader<flate2::bufread::MultiGzDecoder<BufReader<Hashing>>>),
    Zstd(BufReader<zstd::Decoder<'static, BufReader<Hashing>>>),
}

impl Lines {
    pub(in crate::lake) fn new(file: File, compression: Compression) -> Result<Self> {
        Lines::of(Hashing::new(file), compression)
    }

    pub(in crate::lake) fn of(file: Hashing, compression: Compression) -> Result<Self> {
        let raw = BufReader::with_capacity(READ_AHEAD, file);
        Ok(match compression {
            Compression::None => Lines::Plain(raw),
            Compression::Gzip => Lines::Gzip(BufReader::with_capacity(
                READ_AHEAD,
                flate2::bufread::MultiGzDecoder::new(raw),
            )),
            Compression::Zstd => Lines::Zstd(BufReader::with_capacity(
                READ_AHEAD,
                zstd::Decoder::with_buffer(raw)?,
            )),
        })
    }

    fn reader(&mut self) -> &mut dyn BufRead {
        match self {
            Lines::Plain(lines) => lines,
            Lines::Gzip(lines) => lines,
            Lines::Zstd(lines) => lines,
        }
    }

    /// Reads the next line with its line feed into `line`; false at the end.
    pub(in crate::lake) fn next(&mut self, line: &mut Vec<u8>) -> std::io::Result<bool> {
        line.clear();
        Ok(self.reader().read_until(b'\n', line)? > 0)
    }

    /// Appends the next lines, `length` bytes together.
    pub(in crate::lake) fn take(&mut self, length: u64, lines: &mut Vec<u8>) -> Result<()> {
        let mut left = length;
        while left > 0 {
            // In steps, so that a damaged length takes no more memory than the file has bytes.
            let step = left.min(STEP_MAX);
            let before = lines.len();
            lines.resize(before + step as usize, 0);
            match self.reader().read_exact(&mut lines[before..]) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => bail!(MISFIT),
                read => read?,
            }
            left -= step;
        }
        if !lines.ends_with(b"\n") {
            bail!(MISFIT);
        }
        Ok(())
    }

    /// XXH3-128 of the whole file, whose lines must have been read to the end.
    pub(in crate::lake) fn checksum(mut self) -> Result<String> {
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

/// A file that is read once from beginning to end, with the checksum of what was read.
pub(in crate::lake) struct Hashing {
    file: File,
    hasher: Box<Xxh3>,
    read: u64,
    forgets: bool,
}

impl Hashing {
    pub(in crate::lake) fn new(file: File) -> Self {
        Hashing {
            file,
            hasher: Box::new(Xxh3::new()),
            read: 0,
            forgets: false,
        }
    }

    /// For a file that is about to be replaced: what was read is dropped from the page cache, which has room then for the
    /// new file. Otherwise the kernel would free it when the file is removed, while everybody waits.
    pub(in crate::lake) fn forgetting(file: File) -> Self {
        Hashing {
            forgets: true,
            ..Hashing::new(file)
        }
    }

    pub(in crate::lake) fn checksum(&self) -> String {
        format!("{:032x}", self.hasher.digest128())
    }

    /// A hint to the kernel; it does no harm if it is refused.
    fn forget(&self) {
        #[cfg(target_os = "linux")]
        let _ = rustix::fs::fadvise(
            &self.file,
            0,
            NonZeroU64::new(self.read),
            rustix::fs::Advice::DontNeed,
        );
    }
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        let before = self.read;
        self.read += n as u64;
        if self.forgets && before / FORGET_STEP < self.read / FORGET_STEP {
            self.forget();
        }
        Ok(n)
    }
}
