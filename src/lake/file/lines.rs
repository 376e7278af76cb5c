//! Reads lines back from data files, and checksums the files on the way.

use anyhow::{Result, bail};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::num::NonZeroU64;

use crate::config::{Compression, FileFormat};
use crate::lake::disk::checksum::Checksum;
use crate::lake::file::parquet::ParquetLines;
use crate::problem::Problem;

/// Bytes that are read ahead; larger reads go past this buffer without a copy.
const READ_AHEAD: usize = 64 * 1024;
/// The most bytes that are read at once.
const STEP_MAX: u64 = 1024 * 1024;
/// How many bytes are read before the page cache is told to drop them.
const FORGET_STEP: u64 = 4 * 1024 * 1024;
const MISFIT: &str = "it does not fit its sidecar";

/// The lines of a data file, decompressed; the checksum is that of the bytes on disk.
pub(in crate::lake) enum Lines {
    Text(Box<TextLines>),
    /// Parquet is not read from beginning to end, so it was checksummed before.
    Parquet {
        lines: Box<ParquetLines>,
        checksum: String,
    },
}

/// Lines of JSON.
pub(in crate::lake) enum TextLines {
    Plain(BufReader<Hashing>),
    Gzip(BufReader<flate2::bufread::MultiGzDecoder<BufReader<Hashing>>>),
    Zstd(BufReader<zstd::Decoder<'static, BufReader<Hashing>>>),
}

impl Lines {
    pub(in crate::lake) fn new(file: File, format: FileFormat) -> Result<Self> {
        Lines::of(Hashing::new(file), format, None)
    }

    /// The lines of a file that is known by its checksum. Of Parquet it is compared first, so that nothing damaged is decoded; of
    /// text it is known in the end.
    pub(in crate::lake) fn of(mut file: Hashing, format: FileFormat, known: Option<&str>) -> Result<Self> {
        let compression = match format {
            FileFormat::Json(compression) => compression,
            FileFormat::Parquet => {
                // What the checksum has read is read again as columns.
                file.forgets = false;
                std::io::copy(&mut file, &mut std::io::sink())?;
                let checksum = file.checksum();
                if let Some(known) = known.filter(|known| *known != checksum) {
                    return Problem::new(format!(
                        "its checksum is {checksum}, and was {known} when it was written"
                    ))
                    .fix("restore it")
                    .err();
                }
                return Ok(Lines::Parquet {
                    checksum,
                    lines: Box::new(ParquetLines::new(file.file)?),
                });
            }
        };
        let raw = BufReader::with_capacity(READ_AHEAD, file);
        Ok(Lines::Text(Box::new(match compression {
            Compression::None => TextLines::Plain(raw),
            Compression::Gzip => TextLines::Gzip(BufReader::with_capacity(
                READ_AHEAD,
                flate2::bufread::MultiGzDecoder::new(raw),
            )),
            Compression::Zstd => TextLines::Zstd(BufReader::with_capacity(
                READ_AHEAD,
                zstd::Decoder::with_buffer(raw)?,
            )),
        })))
    }

    /// Reads the next line with its line feed into `line`; false at the end.
    pub(in crate::lake) fn next(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        line.clear();
        match self {
            Lines::Text(text) => Ok(text.reader().read_until(b'\n', line)? > 0),
            Lines::Parquet { lines, .. } => lines.next(line),
        }
    }

    /// Whether lines are made of columns, so that nobody knows their lengths before.
    pub(in crate::lake) fn are_made(&self) -> bool {
        matches!(self, Lines::Parquet { .. })
    }

    /// Appends the next lines of text, `length` bytes together; of lines that are made, the next one.
    pub(in crate::lake) fn take(&mut self, length: u64, lines: &mut Vec<u8>) -> Result<()> {
        match self {
            Lines::Text(text) => text.take(length, lines),
            Lines::Parquet { lines: from, .. } => match from.next(lines)? {
                true => Ok(()),
                false => bail!(MISFIT),
            },
        }
    }

    /// XXH3-128 of the whole file, whose lines must have been read to the end.
    pub(in crate::lake) fn checksum(self) -> Result<String> {
        match self {
            Lines::Text(text) => text.checksum(),
            Lines::Parquet { mut lines, checksum } => {
                if lines.next(&mut Vec::new())? {
                    bail!("it has more lines than its sidecar");
                }
                Ok(checksum)
            }
        }
    }
}

impl TextLines {
    fn reader(&mut self) -> &mut dyn BufRead {
        match self {
            TextLines::Plain(lines) => lines,
            TextLines::Gzip(lines) => lines,
            TextLines::Zstd(lines) => lines,
        }
    }

    fn take(&mut self, length: u64, lines: &mut Vec<u8>) -> Result<()> {
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

    fn checksum(mut self) -> Result<String> {
        if std::io::copy(&mut self.reader(), &mut std::io::sink())? != 0 {
            bail!("it has more lines than its sidecar");
        }
        let raw = match self {
            TextLines::Plain(lines) => lines,
            TextLines::Gzip(lines) => lines.into_inner().into_inner(),
            TextLines::Zstd(lines) => lines.into_inner().finish(),
        };
        Ok(raw.into_inner().checksum())
    }
}

/// A file that is read once from beginning to end, with the checksum of what was read.
pub(in crate::lake) struct Hashing {
    file: File,
    checksum: Checksum,
    read: u64,
    forgets: bool,
}

impl Hashing {
    pub(in crate::lake) fn new(file: File) -> Self {
        Hashing {
            file,
            checksum: Checksum::default(),
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
        self.checksum.to_string()
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
        self.checksum.update(&buffer[..n]);
        let before = self.read;
        self.read += n as u64;
        if self.forgets && before / FORGET_STEP < self.read / FORGET_STEP {
            self.forget();
        }
        Ok(n)
    }
}
