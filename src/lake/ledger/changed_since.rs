//! Which files of a topic are new, replaced or removed since a commit, for those who follow the topic.
//!
//! The topic's state and the manifests' entries hold it, so it changes in the moment of the commit like all else.

use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};

use super::change_log::{Removed, Since};
use super::{Debt, FileEntry, Manifest, ReplacedFile, TopicState, by_partition};
use crate::config::Kind;
use crate::lake::disk::root::Root;
use crate::lake::layout::paths::{HivePartition, day_folder};
use crate::report::{CompactedPath, PathsReport};

/// Notes in `state` the commit that is about to be made: its number, the records it adds and removes, and the files it
/// removes. Returns the paths it changes, relative to the lake root.
pub(in crate::lake) fn note(root: &Root, topic: &str, state: &mut TopicState) -> Result<PathsReport> {
    let Some(mut pending) = state.pending.take() else {
        return Ok(PathsReport::default());
    };
    state.changes.commit += 1;
    let mut change = CommitChange {
        root,
        topic,
        kind: state.kind,
        commit: state.changes.commit,
        paths: PathsReport::default(),
        removed: Vec::new(),
        added: BTreeMap::new(),
        gone: BTreeMap::new(),
    };
    let noted = change.add(&mut pending);
    state.pending = Some(pending);
    noted?;
    if state.kind == Kind::Stream {
        let mut records = match state.records.take() {
            Some(records) => records,
            None => counted(root, topic)?,
        };
        for (partition, number) in change.added {
            *records.entry(partition).or_default() += number;
        }
        for (partition, number) in change.gone {
            let left = records.entry(partition).or_default();
            *left = left.saturating_sub(number);
        }
        records.retain(|_, number| *number > 0);
        state.records = Some(records);
    }
    state.changes.remove(change.removed);
    Ok(change.paths)
}

struct CommitChange<'c> {
    root: &'c Root,
    topic: &'c str,
    kind: Kind,
    commit: u64,
    paths: PathsReport,
    removed: Vec<Removed>,
    /// Kafka partition -> records of new files, and of those that are removed or replaced.
    added: BTreeMap<i32, u64>,
    gone: BTreeMap<i32, u64>,
}

impl CommitChange<'_> {
    fn add(&mut self, pending: &mut Debt) -> Result<()> {
        let days = pending
            .files
            .iter()
            .filter(|file| file.replaces)
            .filter_map(|file| file.day.clone());
        let days = days.chain(pending.forget.iter().map(|(day, _)| day.clone()));
        let mut known = BTreeMap::new();
        for day in days.collect::<BTreeSet<_>>() {
            let files = self.files_of(&day)?;
            known.insert(day, files);
        }
        for file in &mut pending.files {
            let Some(day) = &file.day else { continue };
            let path = format!("{}/{}", file.folder, file.file.name);
            let before = known.get(day).and_then(|files| files.get(&file.file.name));
            self.add_file(&mut file.file, before.filter(|_| file.replaces), path);
        }
        for exchange in &mut pending.exchanges {
            if exchange.same_records {
                continue;
            }
            let mut before = self.files_of(&exchange.day)?;
            for file in &mut exchange.files {
                let path = format!("{}/{}", exchange.folder, file.name);
                let old = before.remove(&file.name);
                self.add_file(file, old.as_ref(), path);
            }
            self.remove_files(&exchange.day, before.into_values());
        }
        for purge in &pending.purges {
            let files = self.files_of(&purge.day)?;
            self.remove_files(&purge.day, files.into_values());
        }
        for (day, name) in &pending.forget {
            let file = known.get_mut(day).and_then(|files| files.remove(name));
            self.remove_files(day, file);
        }
        Ok(())
    }

    fn files_of(&self, day: &str) -> Result<BTreeMap<String, FileEntry>> {
        let files = Manifest::files_of(self.root, self.topic, day)?;
        Ok(files.into_iter().map(|file| (file.name.clone(), file)).collect())
    }

    fn add_file(&mut self, file: &mut FileEntry, before: Option<&FileEntry>, path: String) {
        *self.added.entry(file.partition).or_default() += file.records;
        if let Some(before) = before {
            *self.gone.entry(before.partition).or_default() += before.records;
        }
        match before {
            None => {
                (file.made, file.changed) = (self.commit, self.commit);
                self.paths.new.push(path);
            }
            // Even if the ledger lists the same bytes: a day is rebuilt because somebody spoiled the file.
            Some(before) => {
                (file.made, file.changed) = (before.made, self.commit);
                self.paths.replaced.push(path);
            }
        }
    }

    fn remove_files(&mut self, day: &str, files: impl IntoIterator<Item = FileEntry>) {
        let mut replaced = Vec::new();
        let files = files.into_iter().map(|file| {
            *self.gone.entry(file.partition).or_default() += file.records;
            replaced.extend(file.replaces);
            (file.name, file.made)
        });
        let files: Vec<_> = files.collect();
        let names = files.iter().map(|(name, _)| name.as_str());
        self.paths
            .removed
            .extend(paths(self.kind, self.topic, day, names));
        if !files.is_empty() {
            self.removed.push(Removed {
                commit: self.commit,
                day: day.to_owned(),
                files,
                replaced,
            });
        }
    }
}

/// The records of a stream that its days' manifests list.
fn counted(root: &Root, topic: &str) -> Result<BTreeMap<i32, u64>> {
    let mut files = Vec::new();
    for day in Manifest::days(root, topic)? {
        files.extend(Manifest::files_of(root, topic, &day.to_string())?);
    }
    Ok(by_partition(&files))
}

fn paths<'n>(kind: Kind, topic: &str, day: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let folder = HivePartition::parse(day).map(|day| day_folder(kind, topic, day));
    let path = |name| folder.as_ref().map(|folder| format!("{folder}/{name}"));
    names.into_iter().filter_map(path).collect()
}

/// What has changed since a commit. A file that a compaction made of others is no change, as long as its records are those that
/// they had. None: the ledger does not remember that far back.
pub(in crate::lake) fn since(
    topic: &str,
    state: &TopicState,
    files: &BTreeMap<String, (String, FileEntry)>,
    since: Since,
) -> Option<PathsReport> {
    let upto = since.commit;
    let changes = &state.changes;
    if !changes.remembers(upto) {
        return None;
    }
    let known = |day: &str, replaced: &[ReplacedFile]| {
        let known = replaced.iter().filter(|file| file.may_be_known(since));
        paths(state.kind, topic, day, known.map(|file| file.name.as_str()))
    };
    // Files that existed at that commit and were removed later.
    let mut gone = BTreeSet::new();
    for removed in changes.removed.iter().filter(|removed| removed.commit > upto) {
        let old = removed.files.iter().filter(|(_, made)| *made <= upto);
        let names = old.map(|(name, _)| name.as_str());
        gone.extend(paths(state.kind, topic, &removed.day, names));
        gone.extend(known(&removed.day, &removed.replaced));
    }
    for (day, file) in files.values().filter(|(_, file)| file.changed > upto) {
        gone.extend(known(day, &file.replaces));
    }
    let mut report = PathsReport::default();
    for (path, (day, file)) in files {
        // A file that was removed and made again is another file under the same name.
        let was_there = gone.remove(path) || file.made <= upto;
        if file.changed > upto {
            let list = if was_there {
                &mut report.replaced
            } else {
                &mut report.new
            };
            list.push(path.clone());
        } else if since.compacted && !was_there {
            report.compacted.push(CompactedPath {
                path: path.clone(),
                replaces: known(day, &file.replaces),
            });
        }
    }
    report.removed = gone.into_iter().collect();
    Some(report)
}
