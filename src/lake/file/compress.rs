//! Compression in frames: a gzip or zstd file may consist of several, so a closed file can be continued.

use std::io::{self, Write};
use zstd::bulk::Compressor;

use crate::config::Compression;
use crate::lake::disk::checksum::Checksum;

/// Level 1: the broker mostly limits the speed of writing, and higher levels save little on JSON.
const ZSTD_LEVEL: i32 = 1;
/// gzip's own default.
const GZIP_LEVEL: u32 = 6;

/// Memory for compression, which writers share.
#[derive(Default)]
pub struct Scratch {
    bytes: Vec<u8>,
    /// Kept, because making one takes as long as compressing some hundred lines.
    zstd: Option<Compressor<'static>>,
}

/// Compresses chunks of lines for a file, and keeps the file's length and checksum.
pub struct FrameWriter {
    compression: Compression,
    checksum: Checksum,
    bytes: u64,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.bytes.len())
    }
}

impl std::fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, {} bytes", self.compression, self.bytes)
    }
}

impl FrameWriter {
    pub fn new(compression: Compression) -> Self {
        FrameWriter {
            compression,
            checksum: Checksum::default(),
            bytes: 0,
        }
    }

    /// The bytes on disk for a chunk of lines; `scratch` is the caller's, because there may be many writers.
    pub fn frame<'s>(&mut self, lines: &'s [u8], scratch: &'s mut Scratch) -> io::Result<&'s [u8]> {
        let Scratch { bytes: scratch, zstd } = scratch;
        scratch.clear();
        let bytes: &[u8] = match self.compression {
            Compression::None => lines,
            Compression::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                let mut encoder = flate2::write::GzEncoder::new(&mut *scratch, level);
                encoder.write_all(lines)?;
                encoder.finish()?;
                scratch
            }
            Compression::Zstd => {
                let zstd = match zstd {
                    Some(zstd) => zstd,
                    None => zstd.insert(Compressor::new(ZSTD_LEVEL)?),
                };
                scratch.reserve(zstd::zstd_safe::compress_bound(lines.len()));
                zstd.compress_to_buffer(lines, scratch)?;
                scratch
            }
        };
        self.checksum.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes)
    }

    /// Bytes on disk so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// XXH3-128 of the bytes on disk so far.
    pub fn checksum(&self) -> String {
        self.checksum.to_string()
    }
}
