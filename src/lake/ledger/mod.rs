//! What the lake knows of itself, under `.lakectl/`: the root's own facts, a small state per topic, a manifest per day.

pub(super) mod change_log;
pub(super) mod changed_since;
pub(super) mod preconditions;

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::disk::folder::Folder;
use super::disk::root::Root;
use super::disk::{checksummed, lock};
use super::layout::paths::{HOME, HivePartition, generation_of};
use crate::config::Kind;
use crate::problem::{About, Problem};
use crate::record::{Gap, Progress};
use change_log::Changes;

const LAKE: &str = ".lakectl/lake";
const LAKE_LOCK: &str = ".lakectl/lake.lock";

/// Gaps that a topic's state remembers.
const GAPS_MAX: usize = 500;

/// Facts of the whole lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LakeFacts {
    format: u32,
    timezone: String,
}

/// Whether the root holds a lake already.
///
/// # Errors
/// Topics without the lake's own facts: they were lost.
pub fn exists(root: &Root) -> Result<bool> {
    if root.stat(LAKE)?.is_some() {
        return Ok(true);
    }
    if has_topics(root)? {
        bail!(
            "{} is gone, though the ledger holds topics; nothing was changed. Restore it from a backup, or copy that of \
             another lake of the same lake.timezone: it says nothing else",
            root.shown(LAKE)
        );
    }
    Ok(false)
}

/// Begins the ledger of a new lake, or checks that the lake's facts are still the configuration's.
///
/// # Errors
/// Another time zone than the one that decided the day folders so far: exit code 2.
pub fn open(root: &Root, zone: Tz, create: bool) -> Result<()> {
    let facts = LakeFacts {
        format: 1,
        timezone: zone.name().to_owned(),
    };
    if agrees(root, &facts)? || !create {
        return Ok(());
    }
    root.make_dirs(HOME)?;
    // Of runs that begin a lake at once, one writes; the others find it written.
    let _lock = lock::wait(root, LAKE_LOCK)?;
    if agrees(root, &facts)? {
        Ok(())
    } else {
        checksummed::write(root, LAKE, &facts)
    }
}

/// Whether the ledger holds these facts; false: there are none yet, or none that anything was made by.
fn agrees(root: &Root, facts: &LakeFacts) -> Result<bool> {
    if !exists(root)? {
        return Ok(false);
    }
    match checksummed::read::<LakeFacts>(root, LAKE)? {
        Some(known) if known == *facts => Ok(true),
        Some(known) if known.timezone != facts.timezone && has_topics(root)? => Problem::usage(format!(
            "lake.timezone is {}, but the day folders of {} were made in {}: a day would mean two things",
            facts.timezone,
            root.path().display(),
            known.timezone
        ))
        .fix(format!(
            "Set lake.timezone = \"{}\", or begin a new lake in another root",
            known.timezone
        ))
        .err(),
        Some(known) if known.format > 1 => Problem::usage(format!(
            "{} was written by a newer lakectl",
            root.path().display()
        ))
        .fix("use that one")
        .err(),
        _ => Ok(false),
    }
}

fn has_topics(root: &Root) -> Result<bool> {
    Ok(!root.list(&format!("{HOME}/topics"))?.is_empty())
}

/// Names of all topics that the ledger knows.
pub fn topics(root: &Root) -> Result<Vec<String>> {
    Ok(root
        .list(&format!("{HOME}/topics"))?
        .into_iter()
        .map(|(name, _)| name)
        .collect())
}

/// Where the ledger keeps a topic.
pub fn topic_home(topic: &str) -> String {
    format!("{HOME}/topics/{topic}")
}

/// Where a topic's runs stage their files.
pub fn staging_home(topic: &str) -> String {
    format!("{HOME}/staging/{topic}")
}

/// The state of one topic. Renaming a new one over it is the commit point of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicState {
    /// Whose state this is; one that was written before it was told has none.
    #[serde(default)]
    topic: String,
    pub kind: Kind,
    pub partition_time: String,
    pub topic_id: Option<String>,
    pub generation: u32,
    /// Kafka partition -> offset of the first record that was not taken in.
    pub next: BTreeMap<i32, i64>,
    pub complete_ms: Option<i64>,
    /// Kafka partition -> records of a stream that lie in the lake: what its days' manifests must add up to. None: the
    /// state was written before they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<BTreeMap<i32, u64>>,
    /// Offsets that were accepted to be lost, the newest last. Nothing is decided by them: they are for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<Gap>,
    /// The first day that a purge left: older records of streams, and older history of tables, stay erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cutoff: Option<NaiveDate>,
    /// How many commits there were, and what they took away.
    #[serde(default)]
    pub changes: Changes,
    /// The current snapshot of a table.
    pub snapshot: Option<Snapshot>,
    /// What the last commit still owes to the readers.
    pub pending: Option<Debt>,
}

impl TopicState {
    pub fn new(topic: &str, kind: Kind, partition_time: String) -> Self {
        TopicState {
            topic: topic.to_owned(),
            kind,
            partition_time,
            topic_id: None,
            generation: 1,
            next: BTreeMap::new(),
            complete_ms: None,
            records: Some(BTreeMap::new()),
            gaps: Vec::new(),
            cutoff: None,
            changes: Changes::default(),
            snapshot: None,
            pending: None,
        }
    }

    /// Remembers gaps, and forgets the oldest of too many: each commit writes all of them.
    pub fn add_gaps(&mut self, gaps: &[Gap]) {
        self.gaps.extend(gaps);
        let surplus = self.gaps.len().saturating_sub(GAPS_MAX);
        self.gaps.drain(..surplus);
    }

    pub fn progress(&self) -> Progress {
        Progress {
            next: self.next.clone(),
            topic_id: self.topic_id.clone(),
            complete_ms: self.complete_ms,
            generation: self.generation,
        }
    }

    pub fn load(root: &Root, topic: &str) -> Result<Option<TopicState>> {
        let path = Self::path(topic);
        let state = checksummed::read::<TopicState>(root, &path).about_topic(topic)?;
        state
            .map(|mut state| {
                check_place(root, &path, &state.topic, topic)?;
                topic.clone_into(&mut state.topic);
                Ok(state)
            })
            .transpose()
    }

    /// Writes the state where a torn write would not matter: the commit itself goes through `commit::commit`.
    pub fn save(&self, root: &Root, topic: &str) -> Result<()> {
        checksummed::write(root, &Self::path(topic), self).about_topic(topic)
    }

    pub fn path(topic: &str) -> String {
        format!("{}/state", topic_home(topic))
    }
}

/// Whole as a file may be: in another's place it would be believed of the wrong topic or day.
fn check_place(root: &Root, path: &str, written_for: &str, place: &str) -> Result<()> {
    if written_for.is_empty() || written_for == place {
        return Ok(());
    }
    bail!(
        "the ledger file {} is that of {}, not of {place}; nothing was changed. Restore it from a backup",
        root.shown(path),
        written_for.escape_debug()
    );
}

/// A table's snapshot as readers see it, and the sidecar that tells what its lines alone don't.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Relative to the lake root.
    pub path: String,
    pub day: String,
    pub rows: u64,
    pub bytes: u64,
    /// XXH3-128 of the file as it lies on disk.
    pub checksum: String,
    pub sidecar: String,
    pub sidecar_checksum: String,
    /// Deleted keys that the sidecar holds beside the rows: the table's first drain is not complete.
    #[serde(default)]
    pub tombstones: u64,
}

/// What a committed change still owes to the readers. Every step of it can be done twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// The folder they were staged in.
    pub staging: String,
    pub files: Vec<PendingFile>,
    /// Whole day folders that take the place of those that are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<PendingExchange>,
    /// Whole day folders that go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purges: Vec<PendingPurge>,
    /// Data files that go, and that their day's manifest shall forget: day, name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forget: Vec<(String, String)>,
    /// Paths that go once the files are in place: an old snapshot, its sidecar.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// A table's link in `current/`, and what it points to.
    pub link: Option<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingFile {
    /// Name in the staging folder.
    pub staged: String,
    /// Folder relative to the lake root.
    pub folder: String,
    /// A day, where the file is data and its day's manifest shall know it.
    pub day: Option<String>,
    /// Whether a file of ours that stands at the target is replaced.
    #[serde(default)]
    pub replaces: bool,
    pub file: FileEntry,
}

/// A day folder that was staged as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingExchange {
    /// Name in the staging folder.
    pub staged: String,
    /// Relative to the lake root.
    pub folder: String,
    pub day: String,
    /// All files in the staged folder.
    pub files: Vec<FileEntry>,
}

/// A day folder on its way out, by way of the trash, so that readers never see half of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingPurge {
    /// Relative to the lake root.
    pub folder: String,
    pub day: String,
    /// Relative to the lake root; the manifest goes there too, with `.manifest` at its end.
    pub trash: String,
}

impl PendingFile {
    pub fn target(&self) -> String {
        format!("{}/{}", self.folder, self.file.name)
    }
}

/// A data file as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub name: String,
    pub records: u64,
    /// On disk.
    pub bytes: u64,
    /// XXH3-128 of the file as it lies on disk.
    pub checksum: String,
    pub partition: i32,
    /// Offsets of the first and the last record in it.
    pub first: i64,
    pub last: i64,
    /// The commits that made and that last changed it.
    #[serde(default)]
    pub made: u64,
    #[serde(default)]
    pub changed: u64,
}

impl FileEntry {
    /// Kafka partition and generation: what gives an offset its meaning.
    pub fn source(&self) -> (i32, u32) {
        (self.partition, generation_of(&self.name))
    }
}

/// Records of each Kafka partition.
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
    /// Whose files these are; a manifest that was written before it was told has none.
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

    /// The files of a day; none of one that the ledger doesn't know.
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

    /// Writes it into the folder of the topic's manifests, whose names the caller makes durable.
    pub fn save(&self, home: &Folder<'_>) -> Result<()> {
        checksummed::write_in(home, &self.day, self)
    }

    /// Adds files, or replaces the entries of those whose names it knows.
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

    /// The days that have a manifest, in order; Hive's null partition last.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_gaps_the_newest_are_remembered() {
        let gap = |from: usize| Gap {
            partition: 0,
            from: from as i64,
            to: from as i64 + 1,
        };
        let mut state = TopicState::new("t", Kind::Stream, String::new());
        for from in 0..GAPS_MAX + 2 {
            state.add_gaps(&[gap(from)]);
        }
        assert_eq!(state.gaps.len(), GAPS_MAX);
        assert_eq!(
            (state.gaps[0], state.gaps[GAPS_MAX - 1]),
            (gap(2), gap(GAPS_MAX + 1))
        );
    }
}
