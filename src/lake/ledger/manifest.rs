//! The data files of a day, as the ledger lists them.

use anyhow::{Context, Result};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::change_log::Since;
use super::{check_place, topic_home};
use crate::config::Kind;
use crate::lake::disk::checksummed;
use crate::lake::disk::folder::Folder;
use crate::lake::disk::root::Root;
use crate::lake::layout::paths::{HivePartition, generation_of};

/// A data file as the ledger lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub name: String,
    pub records: u64,
    /// On disk.
    pub bytes: u64,
    /// XXH3-128 of the file as it lies on disk.
    pub checksum: String,
    pub partition: i32,
    /// Offsets of the file's first and last record.
    pub first: i64,
    pub last: i64,
    /// The commit that made the file.
    #[serde(default)]
    pub made: u64,
    /// The commit that last changed its records. A compaction changes none.
    #[serde(default)]
    pub changed: u64,
    /// The version of the topic's columns with which a Parquet file was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<u64>,
    /// The files whose records a compaction has put into this one, and those that they in turn were made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<ReplacedFile>,
}

/// A file that a compaction has replaced. It stays known: who has loaded it has to be told once the records in its place change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacedFile {
    pub name: String,
    /// The commit that made it, and the compaction that replaced it.
    pub made: u64,
    pub gone: u64,
}

impl ReplacedFile {
    /// Whether somebody who has followed the topic so far may have it. Who is not told of compactions may have it for ever.
    pub fn may_be_known(&self, since: Since) -> bool {
        self.made <= since.commit && !(since.compacted && self.gone <= since.commit)
    }
}

impl FileEntry {
    /// Kafka partition and generation. An offset means a record only together with both.
    pub fn source(&self) -> (i32, u32) {
        (self.partition, generation_of(&self.name))
    }
}

/// How many records the files hold of each Kafka partition.
pub fn by_partition<'f>(files: impl IntoIterator<Item = &'f FileEntry>) -> BTreeMap<i32, u64> {
    let mut records = BTreeMap::new();
    for file in files {
        *records.entry(file.partition).or_default() += file.records;
    }
    records
}

/// The data files of one day of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The topic whose files these are; empty in manifests that were written before this field existed.
    #[serde(default)]
    topic: String,
    #[serde(default)]
    day: String,
    pub kind: Kind,
    pub timezone: String,
    pub partition_time: String,
    pub records: u64,
    pub bytes: u64,
    pub files: Vec<FileEntry>,
}

impl Manifest {
    pub fn new(topic: &str, day: &str, kind: Kind, timezone: Tz, partition_time: &str) -> Self {
        Manifest {
            topic: topic.to_owned(),
            day: day.to_owned(),
            kind,
            timezone: timezone.name().to_owned(),
            partition_time: partition_time.to_owned(),
            records: 0,
            bytes: 0,
            files: Vec::new(),
        }
    }

    /// The files of a day; none if the day has no manifest.
    pub fn files_of(root: &Root, topic: &str, day: &str) -> Result<Vec<FileEntry>> {
        Ok(Self::load(root, topic, day)?.map_or_else(Vec::new, |manifest| manifest.files))
    }

    pub fn load(root: &Root, topic: &str, day: &str) -> Result<Option<Manifest>> {
        let path = Self::path(topic, day);
        let manifest =
            checksummed::read::<Manifest>(root, &path).with_context(|| format!("topic {topic} day {day}"))?;
        manifest
            .map(|mut manifest| {
                check_place(root, &path, &manifest.topic, topic)?;
                check_place(root, &path, &manifest.day, day)?;
                topic.clone_into(&mut manifest.topic);
                day.clone_into(&mut manifest.day);
                Ok(manifest)
            })
            .transpose()
    }

    /// When a commit last wrote the manifest, in milliseconds since 1970. A copy may be younger, never older.
    pub fn written_ms(root: &Root, topic: &str, day: &str) -> Result<Option<i64>> {
        Ok(root.stat(&Self::path(topic, day))?.map(|found| found.written_ms))
    }

    /// Writes the manifest into the folder of the topic's manifests. The caller syncs that folder.
    pub fn save(&self, home: &Folder<'_>) -> Result<()> {
        checksummed::write_in(home, &self.day, self)
    }

    /// Adds files; an entry of the same name is replaced.
    pub fn add(&mut self, files: impl IntoIterator<Item = FileEntry>) {
        let mut by_name: BTreeMap<String, FileEntry> = self
            .files
            .drain(..)
            .map(|file| (file.name.clone(), file))
            .collect();
        by_name.extend(files.into_iter().map(|file| (file.name.clone(), file)));
        self.files = by_name.into_values().collect();
        self.records = self.files.iter().map(|file| file.records).sum();
        self.bytes = self.files.iter().map(|file| file.bytes).sum();
    }

    /// Drops the entries of these files.
    pub fn forget(&mut self, names: &BTreeSet<&str>) {
        self.files.retain(|file| !names.contains(file.name.as_str()));
        self.add([]);
    }

    pub fn path(topic: &str, day: &str) -> String {
        format!("{}/{day}", Self::home(topic))
    }

    pub fn home(topic: &str) -> String {
        format!("{}/days", topic_home(topic))
    }

    /// The days that have a manifest, in order; Hive's null partition comes last.
    pub fn days(root: &Root, topic: &str) -> Result<Vec<HivePartition>> {
        let names = root.list(&Self::home(topic))?;
        let mut days: Vec<_> = names
            .iter()
            .filter_map(|(name, _)| HivePartition::parse(name))
            .collect();
        days.sort_unstable();
        Ok(days)
    }
}
