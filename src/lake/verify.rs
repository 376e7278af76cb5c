//! The lake against its ledger: every file that it knows, what its lines say of their offsets, and what it doesn't know.

use anyhow::{Context, Result, bail};
use roaring::RoaringTreemap;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ledger::{self, FileEntry, Manifest, TopicState, by_partition};
use super::path::{day_folder, generation_of, parent, topic_folder};
use super::snapshot::Lines;
use super::table::link_of;
use super::{Lake, commit, lock};
use crate::config::{Compression, Kind};
use crate::report::{Difference, VerifyReport};
use crate::stop::Stop;

/// What a topic's verification found; the inner error says who holds the topic's lock.
pub type Verified = Result<Result<(Kind, VerifyReport), String>>;

impl Lake<'_> {
    /// Reads every file of a topic, under its lock, and changes nothing.
    ///
    /// # Errors
    /// What keeps it from looking at all. What it finds is no error.
    pub fn verify(&self, topic: &str, run_id: &str, wait: Duration, stop: &Stop) -> Verified {
        let _lock = match lock::take(&self.root, topic, run_id, wait)? {
            Ok(lock) => lock,
            Err(holder) => return Ok(Err(holder)),
        };
        let state = match TopicState::load(&self.root, topic) {
            Ok(Some(state)) => state,
            Ok(None) => return Ok(Ok((Kind::Stream, VerifyReport::default()))),
            Err(error) => {
                let mut found = VerifyReport::default();
                found.differs(TopicState::path(topic), format!("{error:#}"));
                return Ok(Ok((Kind::Stream, found)));
            }
        };
        let mut look = Look {
            lake: self,
            topic,
            state: &state,
            seen: BTreeMap::new(),
            counted: BTreeMap::new(),
            known: BTreeSet::new(),
            found: VerifyReport::default(),
        };
        look.whole_topic(stop)?;
        Ok(Ok((state.kind, look.found)))
    }

    /// What lies in the lake where topics lie, and belongs to none that the ledger knows.
    pub fn homeless(&self) -> Result<Vec<String>> {
        let (mut folders, mut links) = (BTreeSet::new(), BTreeSet::new());
        for topic in ledger::topics(&self.root)? {
            match TopicState::load(&self.root, &topic) {
                Ok(Some(state)) => {
                    folders.insert(topic_folder(state.kind, &topic));
                    links.extend(state.snapshot.map(|snapshot| link_of(&topic, &snapshot.path)));
                    links.extend(
                        state
                            .pending
                            .and_then(|pending| pending.link)
                            .map(|(link, _)| link),
                    );
                }
                Ok(None) => {}
                // Whose state can't be read is no stranger for that.
                Err(_) => folders.extend([Kind::Stream, Kind::Table].map(|kind| topic_folder(kind, &topic))),
            }
        }
        let mut paths = Vec::new();
        for kind in [Kind::Stream, Kind::Table] {
            let found = self.root.list(kind.folder())?.into_iter();
            let found = found.map(|(name, _)| topic_folder(kind, &name));
            paths.extend(found.filter(|folder| !folders.contains(folder)));
        }
        let current = self.root.list("current")?.into_iter();
        let current = current.map(|(name, _)| format!("current/{name}"));
        paths.extend(current.filter(|path| !links.contains(path)));
        Ok(paths)
    }
}

struct Look<'l> {
    lake: &'l Lake<'l>,
    topic: &'l str,
    state: &'l TopicState,
    /// Kafka partition and generation -> offsets that lines have named so far.
    seen: BTreeMap<(i32, u32), RoaringTreemap>,
    /// Kafka partition -> records, by the manifests.
    counted: BTreeMap<i32, u64>,
    /// Data files that the ledger knows.
    known: BTreeSet<String>,
    found: VerifyReport,
}

impl Look<'_> {
    fn whole_topic(&mut self, stop: &Stop) -> Result<()> {
        let root = &self.lake.root;
        if self.state.pending.is_some() {
            self.found.differs(
                TopicState::path(self.topic),
                "a run was killed after its commit, and its files are not all in place; the next run finishes them"
                    .to_owned(),
            );
        }
        for day in Manifest::days(root, self.topic)? {
            let name = day.to_string();
            let manifest = match Manifest::load(root, self.topic, &name) {
                Ok(Some(manifest)) => manifest,
                Ok(None) => continue,
                Err(error) => {
                    self.found
                        .differs(Manifest::path(self.topic, &name), format!("{error:#}"));
                    continue;
                }
            };
            for (partition, records) in by_partition(&manifest.files) {
                *self.counted.entry(partition).or_default() += records;
            }
            let folder = day_folder(self.state.kind, self.topic, day);
            for entry in &manifest.files {
                if stop.signal().is_some() {
                    bail!(
                        "topic {}: stopped by a signal before all files were looked at",
                        self.topic
                    );
                }
                self.data_file(&format!("{folder}/{}", entry.name), entry);
            }
            self.strangers_in(&folder)?;
        }
        self.found.days = Manifest::days(root, self.topic)?.len() as u64;
        let survey = self.lake.survey_topic(self.topic, self.state);
        for path in survey.map(|days| days.strangers).unwrap_or_default() {
            self.found.stranger(path);
        }
        match self.state.kind {
            Kind::Stream => self.counts(),
            Kind::Table => self.snapshot()?,
        }
        Ok(())
    }

    /// A file that can't be read is a difference like any other: the others are looked at all the same.
    fn data_file(&mut self, path: &str, entry: &FileEntry) {
        self.known.insert(path.to_owned());
        self.found.files += 1;
        self.found.records += entry.records;
        self.found.bytes += entry.bytes;
        if let Err(error) = self.lines(path, entry) {
            self.found.differs(path.to_owned(), format!("{error:#}"));
        }
    }

    fn lines(&mut self, path: &str, entry: &FileEntry) -> Result<()> {
        let file = self.opened(path, entry)?;
        let mut lines = Lines::new(file, Compression::of(path))?;
        let (mut line, mut number, mut last) = (Vec::new(), 0, None);
        let offsets =
            (self.state.kind == Kind::Stream).then(|| (entry.partition, generation_of(&entry.name)));
        let prefix = &self.lake.settings.lake.prefix;
        while lines.next(&mut line)? {
            number += 1;
            let (Some(key), Some((partition, offset))) = (offsets, head(&line, prefix)) else {
                continue;
            };
            let in_range = partition == entry.partition && (entry.first..=entry.last).contains(&offset);
            if !in_range || last.is_some_and(|last| offset <= last) {
                bail!(
                    "line {number} is of Kafka partition {partition} offset {offset}, which the file should not hold \
                     there; rebuild the day with lake --rebuild, or restore it"
                );
            }
            last = Some(offset);
            let first_time =
                u64::try_from(offset).is_ok_and(|offset| self.seen.entry(key).or_default().insert(offset));
            if !first_time {
                bail!(
                    "line {number} repeats Kafka partition {partition} offset {offset}, which another file holds"
                );
            }
        }
        let checksum = lines.checksum()?;
        if checksum != entry.checksum {
            bail!(
                "its checksum is {checksum}, and was {} when it was written; restore it",
                entry.checksum
            );
        }
        if number != entry.records {
            bail!(
                "it has {number} lines, and the ledger counted {} records",
                entry.records
            );
        }
        Ok(())
    }

    /// The file, where it is one and as long as it was.
    fn opened(&self, path: &str, entry: &FileEntry) -> Result<std::fs::File> {
        let root = &self.lake.root;
        let file = root
            .read(path)?
            .context("it is gone; restore it, or rebuild its day with lake --rebuild")?;
        let bytes = file.metadata()?.len();
        if bytes != entry.bytes {
            bail!(
                "it has {bytes} bytes, and had {} when it was written; restore it",
                entry.bytes
            );
        }
        Ok(file)
    }

    /// What every offset between the first record and the progress came to; and no day may be missing from the sum.
    fn counts(&mut self) {
        for (&partition, &expected) in &self.state.records {
            let counted = self.counted.remove(&partition).unwrap_or(0);
            if counted != expected {
                self.found.differs(
                    ledger::topic_home(self.topic),
                    format!(
                        "its days hold {counted} records of Kafka partition {partition}, and {expected} were committed: \
                         restore the folder from a backup"
                    ),
                );
            }
        }
        for (partition, counted) in std::mem::take(&mut self.counted) {
            self.found.differs(
                ledger::topic_home(self.topic),
                format!(
                    "its days hold {counted} records of Kafka partition {partition}, and none were committed"
                ),
            );
        }
        for ((partition, generation), offsets) in &self.seen {
            let (Some(first), Some(last)) = (offsets.min(), offsets.max()) else {
                continue;
            };
            let next = match *generation == self.state.generation {
                true => self.state.next.get(partition).copied().unwrap_or(0),
                false => i64::MAX,
            };
            if i64::try_from(last).is_ok_and(|last| last >= next) {
                self.found.differs(
                    TopicState::path(self.topic),
                    format!("Kafka partition {partition}: offset {last} is in the lake, but the progress is {next}"),
                );
            }
            self.found.offsets_without_record += last - first + 1 - offsets.len();
        }
    }

    fn snapshot(&mut self) -> Result<()> {
        let root = &self.lake.root;
        let Some(snapshot) = &self.state.snapshot else {
            return Ok(());
        };
        if !self.known.contains(&snapshot.path) {
            self.found.differs(
                snapshot.path.clone(),
                "it is the current snapshot, and no day knows it".to_owned(),
            );
        }
        let sidecar = commit::checksum(root, &snapshot.sidecar);
        match sidecar {
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
        Ok(())
    }

    fn strangers_in(&mut self, folder: &str) -> Result<()> {
        for (name, _) in self.lake.root.list(folder)? {
            let path = format!("{folder}/{name}");
            if !self.known.contains(&path) {
                self.found.stranger(path);
            }
        }
        // Another day's files are looked up in its own folder: names needed for the links alone stay.
        self.known
            .retain(|path| parent(path) != folder || self.state.kind == Kind::Table);
        Ok(())
    }
}

/// Kafka partition and offset of a line that carries them.
fn head(line: &[u8], prefix: &str) -> Option<(i32, i64)> {
    let (partition, rest) = field(line.strip_prefix(b"{")?, prefix, "partition")?;
    let (offset, _) = field(rest.strip_prefix(b",")?, prefix, "offset")?;
    Some((i32::try_from(partition).ok()?, offset))
}

/// The number in `"PREFIXname":123`, and what follows it.
fn field<'l>(text: &'l [u8], prefix: &str, name: &str) -> Option<(i64, &'l [u8])> {
    let text = text.strip_prefix(b"\"")?.strip_prefix(prefix.as_bytes())?;
    let text = text.strip_prefix(name.as_bytes())?.strip_prefix(b"\":")?;
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    Some((number, &text[digits..]))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_where_it_comes_from() {
        let line = b"{\"_partition\":3,\"_offset\":42,\"_timestamp\":1}";
        assert_eq!(head(line, "_"), Some((3, 42)));
        assert_eq!(head(line, "k_"), None);
        for other in [
            &b"{\"partition\":3,\"offset\":42}"[..],
            b"{}",
            b"",
            b"{\"_partition\":x",
            b"{\"_partition\":1}",
        ] {
            assert_eq!(head(other, "_"), None);
        }
    }
}
