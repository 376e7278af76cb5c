//! What a search through a topic's data files found.

use std::collections::HashSet;
use xxhash_rust::xxh3::xxh3_128;

/// What a search through a topic's files found.
#[derive(Debug, Clone, Default)]
pub struct LakeHits {
    /// Files that hold lines to erase.
    pub files: Vec<FileHits>,
    /// Files with lines that somebody must look at: they can't be decoded, and hold the subject's bytes.
    pub not_searchable: Vec<FileHits>,
    /// Files with lines that are kept although another field holds the subject's value.
    pub mentions: Vec<FileHits>,
    /// Lines without a key to compare.
    pub without_key: u64,
    /// Files that could not be read, and why.
    pub failed: Vec<(String, String)>,
    /// Files without any such line, which need not be read again. Each is a hash of path and checksum: there may be millions.
    clean: HashSet<u128>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHits {
    /// Relative to the lake root.
    pub path: String,
    pub lines: u64,
}

#[derive(Debug, Default, Clone, Copy)]
pub(in crate::lake) struct LineCounts {
    pub erase: u64,
    pub(super) mention: u64,
    pub not_searchable: u64,
    pub without_key: u64,
}

impl LakeHits {
    pub fn fail(&mut self, failed: Vec<(String, String)>) {
        self.files
            .retain(|file| !failed.iter().any(|(path, _)| *path == file.path));
        self.failed.extend(failed);
    }

    /// Whether the file with this checksum was read and held nothing.
    pub(super) fn is_clean(&self, path: &str, checksum: &str) -> bool {
        self.clean.contains(&same_file(path, checksum))
    }

    /// Adds a file's counts; true if it holds lines to erase.
    pub(in crate::lake) fn note(&mut self, path: &str, checksum: &str, counts: LineCounts) -> bool {
        let hits = |lines: u64| FileHits {
            path: path.to_owned(),
            lines,
        };
        if counts.mention > 0 {
            self.mentions.push(hits(counts.mention));
        }
        if counts.not_searchable > 0 {
            self.not_searchable.push(hits(counts.not_searchable));
        }
        self.without_key += counts.without_key;
        let nothing = counts.erase + counts.mention + counts.not_searchable + counts.without_key == 0;
        if nothing {
            self.clean.insert(same_file(path, checksum));
        }
        if counts.erase > 0 {
            self.files.push(hits(counts.erase));
        }
        counts.erase > 0
    }
}

fn same_file(path: &str, checksum: &str) -> u128 {
    xxh3_128(format!("{path}\0{checksum}").as_bytes())
}
