//! The checksum of a data file, as the ledger writes it.

use std::fmt;
use xxhash_rust::xxh3::Xxh3;

/// XXH3-128 of the bytes so far.
#[derive(Default)]
pub struct Checksum(Box<Xxh3>);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0.digest128())
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Checksum {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}
