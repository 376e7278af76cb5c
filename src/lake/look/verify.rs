//! Compares the lake with its ledger: listed files, the offsets in their lines, and files that the ledger doesn't list.

mod lines;

use anyhow::Result;
use roaring::RoaringTreemap;
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::time::Duration;

use crate::advice;
use crate::config::{Kind, check_topic_name};
use crate::lake::commit::{self, trash};
use crate::lake::disk::lock;
use crate::lake::layout::paths::{HOME, day_folder, topic_folder};
use crate::lake::ledger::{self, FileEntry, Manifest, TopicState, by_partition, preconditions, topic_home};
use crate::lake::opened::Lake;
use crate::lake::table::link_of;
use crate::locked::Locked;
use crate::problem::Problem;
use crate::record::Progress;
use crate::report::{Difference, VerifyReport};
use crate::stop::Stop;

/// The names in every lake's root.
const ROOT_NAMES: [&str; 4] = [HOME, "streams", "tables", "current"];

/// What a topic's verification found.
pub type Verified = Result<Locked<(Kind, VerifyReport)>>;

impl Lake<'_> {
    /// Reads every file of a topic, under its lock, and changes nothing.
    ///
    /// # Errors
    /// The topic can't be looked at. Differences are not errors: they are in the report.
    pub fn verify(&self, topic: &str, run_id: &str, wait: Duration, stop: &Stop) -> Verified {
        let _lock = match self.lock_to_look(topic, run_id, wait)? {
            Locked::Ours(lock) => lock,
            Locked::HeldBy(holder) => return Ok(Locked::HeldBy(holder)),
        };
        let mut found = VerifyReport::default();
        let state = match TopicState::load(&self.root, topic) {
            Ok(Some(state)) => state,
            Ok(None) => {
                self.without_state(topic, &mut found)?;
                return Ok(Locked::Ours((Kind::Stream, found)));
            }
            Err(error) => {
                found.differs(TopicState::path(topic), format!("{error:#}"));
                return Ok(Locked::Ours((Kind::Stream, found)));
            }
        };
        let mut look = Look {
            lake: self,
            topic,
            state: &state,
            seen: BTreeMap::new(),
            last: BTreeMap::new(),
            counted: BTreeMap::new(),
            found,
        };
        look.whole_topic(stop)?;
        Ok(Locked::Ours((state.kind, look.found)))
    }

    /// Topics that the ledger knows, or that have a folder below `streams/` or `tables/`.
    pub fn topics_to_verify(&self) -> Result<Vec<String>> {
        let mut topics: BTreeSet<String> = ledger::topics(&self.root)?.into_iter().collect();
        for kind in [Kind::Stream, Kind::Table] {
            let names = self.root.list(kind.folder())?.into_iter().map(|(name, _)| name);
            topics.extend(names.filter(|name| check_topic_name(name).is_ok()));
        }
        Ok(topics.into_iter().collect())
    }

    /// How far these topics were taken in; those whose state is gone or damaged are left out.
    pub fn progress_of<'t>(&self, topics: impl Iterator<Item = &'t String>) -> BTreeMap<String, Progress> {
        let known = topics.filter_map(|topic| {
            let state = TopicState::load(&self.root, topic).ok()??;
            Some((topic.clone(), state.progress()))
        });
        known.collect()
    }

    /// Paths in the lake that belong to no topic.
    pub fn homeless(&self) -> Result<Vec<String>> {
        let mut links = BTreeSet::new();
        for topic in ledger::topics(&self.root)? {
            if let Ok(Some(state)) = TopicState::load(&self.root, &topic) {
                links.extend(state.snapshot.map(|snapshot| link_of(&topic, &snapshot.path)));
                links.extend(
                    state
                        .pending
                        .and_then(|pending| pending.link)
                        .map(|(link, _)| link),
                );
            }
        }
        let names = self.root.list("")?.into_iter().map(|(name, _)| name);
        let mut paths: Vec<String> = names.filter(|name| !ROOT_NAMES.contains(&&**name)).collect();
        for kind in [Kind::Stream, Kind::Table] {
            let names = self.root.list(kind.folder())?.into_iter().map(|(name, _)| name);
            let odd = names.filter(|name| check_topic_name(name).is_err());
            paths.extend(odd.map(|name| format!("{}/{name}", kind.folder())));
        }
        let current = self.root.list("current")?.into_iter();
        let current = current.map(|(name, _)| format!("current/{name}"));
        paths.extend(current.filter(|path| !links.contains(path)));
        Ok(paths)
    }

    /// Takes the topic's lock. None if the lake can't be written (a backup, say): then nobody changes it.
    fn lock_to_look(&self, topic: &str, run_id: &str, wait: Duration) -> Result<Locked<Option<File>>> {
        match lock::take(&self.root, topic, run_id, wait) {
            Ok(taken) => Ok(taken.map(Some)),
            Err(error) if may_not_write(&error) => Ok(Locked::Ours(None)),
            Err(error) => Err(error),
        }
    }

    /// Data without a state is a difference, because the state was lost; a folder without data is foreign.
    fn without_state(&self, topic: &str, found: &mut VerifyReport) -> Result<()> {
        for kind in [Kind::Stream, Kind::Table] {
            if let Err(lost) = preconditions::check_new_topic(&self.root, kind, topic) {
                found.differs(TopicState::path(topic), format!("{lost:#}"));
                return Ok(());
            }
        }
        for kind in [Kind::Stream, Kind::Table] {
            let folder = topic_folder(kind, topic);
            if self.root.stat(&folder)?.is_some() {
                found.stranger(folder);
            }
        }
        Ok(())
    }
}

/// Whether an error means that nothing can be written here, or not by us.
fn may_not_write(error: &anyhow::Error) -> bool {
    let refused = [Errno::ROFS, Errno::ACCESS, Errno::PERM];
    advice::errno(error).is_some_and(|number| refused.contains(&number))
}

struct Look<'l> {
    lake: &'l Lake<'l>,
    topic: &'l str,
    state: &'l TopicState,
    /// Kafka partition and generation -> offsets found in lines so far.
    seen: BTreeMap<(i32, u32), RoaringTreemap>,
    /// Kafka partition and generation -> the last offset, by the manifests.
    last: BTreeMap<(i32, u32), i64>,
    /// Kafka partition -> records, by the manifests.
    counted: BTreeMap<i32, u64>,
    found: VerifyReport,
}

impl Look<'_> {
    fn whole_topic(&mut self, stop: &Stop) -> Result<()> {
        let root = &self.lake.root;
        if self.state.pending.is_some() {
            self.found.differs(
                TopicState::path(self.topic),
                "a run was killed after its commit, and not all files are in place: run lakectl lake, which finishes it, \
                 and verify again. Nothing else of the topic was looked at"
                    .to_owned(),
            );
            return Ok(());
        }
        let days = Manifest::days(root, self.topic)?;
        let mut folders = Vec::new();
        for day in days {
            let name = day.to_string();
            let folder = day_folder(self.state.kind, self.topic, day);
            folders.push(folder.clone());
            match Manifest::load(root, self.topic, &name) {
                Ok(Some(manifest)) => self.day(&folder, &manifest, stop)?,
                Ok(None) => {}
                Err(error) => self
                    .found
                    .differs(Manifest::path(self.topic, &name), format!("{error:#}")),
            }
        }
        self.found.days = folders.len() as u64;
        self.strangers(&folders);
        match self.state.kind {
            Kind::Stream => self.counts(),
            Kind::Table => self.snapshot(),
        }
        Ok(())
    }

    fn day(&mut self, folder: &str, manifest: &Manifest, stop: &Stop) -> Result<()> {
        for (partition, records) in by_partition(&manifest.files) {
            *self.counted.entry(partition).or_default() += records;
        }
        self.ranges(folder, &manifest.files);
        for entry in &manifest.files {
            if stop.signal().is_some() {
                return Problem::new("stopped by a signal before all files were looked at")
                    .about_topic(self.topic)
                    .err();
            }
            let path = format!("{folder}/{}", entry.name);
            self.found.files += 1;
            self.found.records += entry.records;
            self.found.bytes += entry.bytes;
            // A file that can't be read is a difference like any other; the other files are still looked at.
            if let Err(error) = self.lines(&path, entry) {
                self.found.differs(path, format!("{error:#}"));
            }
        }
        let known: BTreeSet<&str> = manifest.files.iter().map(|file| &*file.name).collect();
        match self.lake.root.list(folder) {
            Ok(names) => {
                let strangers = names.into_iter().filter(|(name, _)| !known.contains(&**name));
                strangers.for_each(|(name, _)| self.found.stranger(format!("{folder}/{name}")));
            }
            Err(error) => self.found.differs(folder.to_owned(), format!("{error:#}")),
        }
        Ok(())
    }

    /// Checks that files of one Kafka partition and day share no offset.
    fn ranges(&mut self, folder: &str, files: &[FileEntry]) {
        if self.state.kind == Kind::Table {
            return;
        }
        let mut by_source: BTreeMap<(i32, u32), Vec<&FileEntry>> = BTreeMap::new();
        for file in files {
            let source = file.source();
            by_source.entry(source).or_default().push(file);
            let last = self.last.entry(source).or_insert(file.last);
            *last = file.last.max(*last);
        }
        for files in by_source.values_mut() {
            files.sort_unstable_by_key(|file| file.first);
            for pair in files.windows(2).filter(|pair| pair[1].first <= pair[0].last) {
                let path = format!("{folder}/{}", pair[1].name);
                self.found.differs(
                    path,
                    format!("its offsets begin within those of {}", pair[0].name),
                );
            }
        }
    }

    fn strangers(&mut self, folders: &[String]) {
        let found = self.lake.strangers(self.topic, self.state.kind, folders);
        let kept = trash::kept(&self.lake.root, self.topic);
        match found.and_then(|found| Ok([found, kept?].concat())) {
            Ok(paths) => paths.into_iter().for_each(|path| self.found.stranger(path)),
            Err(error) => {
                let home = topic_folder(self.state.kind, self.topic);
                self.found.differs(home, format!("{error:#}"));
            }
        }
        let sidecar = self
            .state
            .snapshot
            .as_ref()
            .map(|snapshot| snapshot.sidecar.clone());
        let home = topic_home(self.topic);
        let ours = [TopicState::path(self.topic), format!("{home}/days")];
        for (name, _) in self.lake.root.list(&home).unwrap_or_default() {
            let path = format!("{home}/{name}");
            // A killed run may leave a `.new` file; the next run writes it anew.
            if !ours.contains(&path) && sidecar.as_ref() != Some(&path) && !name.ends_with(".new") {
                self.found.stranger(path);
            }
        }
    }

    /// Checks that the days add up to all records that were committed, and that no offset lies past the progress.
    fn counts(&mut self) {
        let mut partitions: BTreeSet<i32> = self.counted.keys().copied().collect();
        partitions.extend(
            self.state
                .records
                .iter()
                .flatten()
                .map(|(partition, _)| partition),
        );
        for partition in partitions {
            let counted = self.counted.get(&partition).copied().unwrap_or(0);
            // The state was written before records were counted: nothing to compare with.
            let Some(records) = &self.state.records else { break };
            let committed = records.get(&partition).copied().unwrap_or(0);
            if counted != committed {
                self.found.differs(
                    topic_home(self.topic),
                    format!(
                        "its days hold {counted} records of Kafka partition {partition}, and {committed} were committed: \
                         restore the folder from a backup"
                    ),
                );
            }
        }
        for (&(partition, generation), &last) in &self.last {
            let next = self.state.next.get(&partition).copied().unwrap_or(0);
            if generation == self.state.generation && last >= next {
                self.found.differs(
                    TopicState::path(self.topic),
                    format!("Kafka partition {partition}: offset {last} is in the lake, but the progress is {next}"),
                );
            }
        }
        for offsets in self.seen.values() {
            if let (Some(first), Some(last)) = (offsets.min(), offsets.max()) {
                self.found.offsets_without_record += last - first + 1 - offsets.len();
            }
        }
    }

    /// Checks that the state, the day's manifest, the sidecar and the link all belong to the same snapshot.
    fn snapshot(&mut self) {
        let root = &self.lake.root;
        let Some(snapshot) = &self.state.snapshot else {
            return;
        };
        let manifest = Manifest::load(root, self.topic, &snapshot.day).ok().flatten();
        let files = manifest.map_or_else(Vec::new, |manifest| manifest.files);
        let listed = files.iter().any(|file| {
            let same = (file.bytes, file.records, &file.checksum);
            snapshot.path.ends_with(&format!("/{}", file.name))
                && same == (snapshot.bytes, snapshot.rows, &snapshot.checksum)
        });
        if !listed {
            self.found.differs(
                snapshot.path.clone(),
                "it is not the snapshot that was committed last: restore it with its ledger files, or run lake --rebuild"
                    .to_owned(),
            );
        }
        match commit::checksum(root, &snapshot.sidecar) {
            Ok(checksum) if checksum == snapshot.sidecar_checksum => {}
            Ok(_) => self.found.differs(
                snapshot.sidecar.clone(),
                "its checksum is wrong; restore it, or run lake --rebuild".to_owned(),
            ),
            Err(error) => self.found.differs(snapshot.sidecar.clone(), format!("{error:#}")),
        }
        let (link, target) = (
            link_of(self.topic, &snapshot.path),
            format!("../{}", snapshot.path),
        );
        match root.link_target(&link) {
            Ok(Some(found)) if found == target => {}
            Ok(found) => self.found.differs(
                link,
                format!(
                    "it should point to {target}, and points to {}",
                    found.as_deref().unwrap_or("nothing")
                ),
            ),
            Err(error) => self.found.differs(link, format!("{error:#}")),
        }
    }
}

impl VerifyReport {
    fn differs(&mut self, path: String, what: String) {
        self.differences.push(Difference { path, what });
    }

    fn stranger(&mut self, path: String) {
        self.differs(
            path,
            "the ledger does not know it; move it out of the lake".to_owned(),
        );
    }
}
