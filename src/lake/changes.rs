//! What each commit has changed, for those who follow a topic: which files are new, replaced or gone since a run.
//!
//! It stands in the topic's state and in the manifests' entries, and so moves in the moment of the commit like all else.

use anyhow::Result;
use chrono::Utc;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::ledger::{FileEntry, Manifest, Pending, TopicState};
use super::path::{HivePartition, day_folder};
use super::root::Root;
use crate::config::Kind;
use crate::report::PathsReport;
use crate::run_id;

/// Runs that are remembered by name.
const RUNS_MAX: usize = 500;
/// Removed files that are remembered.
const REMOVED_MAX: usize = 10_000;
/// In place of a run: before all of them, when there was no file.
const NONE: &str = "none";
/// In place of a run: before the first one that was remembered, when there were files.
const UNCOUNTED: &str = "uncounted";

/// The memory of a topic's commits, counted from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The last commit that changed files.
    commit: u64,
    /// Changes up to this commit are not remembered as a whole.
    #[serde(default)]
    forgotten: u64,
    /// Whether they were counted from the topic's beginning on.
    #[serde(default)]
    whole: bool,
    /// Newest last.
    #[serde(default)]
    runs: Vec<Mark>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    removed: Vec<Removed>,
}

/// The last commit that a run has seen, or made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    run: String,
    commit: u64,
    /// Milliseconds since 1970.
    at: i64,
}

/// Files of one day that a commit took away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Removed {
    commit: u64,
    day: String,
    /// Name, and the commit that had made the file.
    files: Vec<(String, u64)>,
}

impl Changes {
    /// Of a topic that is new to the lake.
    pub fn of_new_topic() -> Changes {
        Changes {
            whole: true,
            ..Changes::default()
        }
    }

    /// A run that has looked at the topic is between the commits before and after it. Which those are can be told from
    /// its start alone, unless somebody else has committed since: then it leaves a mark.
    pub fn seen_by(&mut self, run_id: &str) {
        let Some(began) = began_ms(run_id) else { return };
        if self
            .runs
            .last()
            .is_some_and(|last| last.run != run_id && last.at >= began)
        {
            self.mark(run_id);
        }
    }

    fn mark(&mut self, run_id: &str) {
        let earliest = self.runs.last().map_or(i64::MIN, |last| last.at);
        self.runs.retain(|mark| mark.run != run_id);
        self.runs.push(Mark {
            run: run_id.to_owned(),
            commit: self.commit,
            // A clock that was set back must not bring the runs out of order.
            at: Utc::now().timestamp_millis().max(earliest),
        });
        if self.runs.len() > RUNS_MAX {
            self.runs.drain(..self.runs.len() - RUNS_MAX);
            self.whole = false;
            self.forget(self.runs[0].commit);
        }
    }

    fn remove(&mut self, removed: Vec<Removed>) {
        self.removed.extend(removed);
        let mut known: usize = self.removed.iter().map(|removed| removed.files.len()).sum();
        let mut upto = self.forgotten;
        for removed in &self.removed {
            if known <= REMOVED_MAX {
                break;
            }
            known -= removed.files.len();
            upto = removed.commit;
        }
        self.forget(upto);
    }

    fn forget(&mut self, upto: u64) {
        self.forgotten = self.forgotten.max(upto);
        self.removed.retain(|removed| removed.commit > upto);
    }

    /// The last commit before which all was as this run has left it. None: that is not remembered.
    fn upto(&self, run_id: &str) -> Option<u64> {
        if run_id == UNCOUNTED {
            return (self.forgotten == 0).then_some(0);
        }
        let began = began_ms(run_id).filter(|&began| began <= Utc::now().timestamp_millis())?;
        let by_name = self.runs.iter().rev().find(|mark| mark.run == run_id);
        let by_time = self.runs.iter().rev().find(|mark| mark.at < began);
        let commit = match (by_name.or(by_time), self.whole) {
            (Some(mark), _) => mark.commit,
            (None, true) => 0,
            (None, false) => return None,
        };
        (commit >= self.forgotten).then_some(commit)
    }
}

/// Milliseconds since 1970.
fn began_ms(run_id: &str) -> Option<i64> {
    run_id::began(run_id).map(|began| began.timestamp_millis())
}

/// Counts the commit that is about to be made of `state`, and says what it changes; paths are relative to the lake root.
pub(super) fn note(root: &Root, topic: &str, state: &mut TopicState, run_id: &str) -> Result<PathsReport> {
    let Some(mut pending) = state.pending.take() else {
        return Ok(PathsReport::default());
    };
    let changes = state.changes.get_or_insert_default();
    changes.commit += 1;
    let mut change = Change {
        root,
        topic,
        kind: state.kind,
        commit: changes.commit,
        paths: PathsReport::default(),
        removed: Vec::new(),
    };
    let noted = change.of(&mut pending);
    state.pending = Some(pending);
    noted?;
    changes.remove(change.removed);
    changes.mark(run_id);
    Ok(change.paths)
}

struct Change<'c> {
    root: &'c Root,
    topic: &'c str,
    kind: Kind,
    commit: u64,
    paths: PathsReport,
    removed: Vec<Removed>,
}

impl Change<'_> {
    fn of(&mut self, pending: &mut Pending) -> Result<()> {
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
            self.comes(&mut file.file, before.filter(|_| file.replaces), path);
        }
        for exchange in &mut pending.exchanges {
            let mut before = self.files_of(&exchange.day)?;
            for file in &mut exchange.files {
                let path = format!("{}/{}", exchange.folder, file.name);
                let old = before.remove(&file.name);
                self.comes(file, old.as_ref(), path);
            }
            self.go(&exchange.day, before.into_values());
        }
        for purge in &pending.purges {
            let files = self.files_of(&purge.day)?;
            self.go(&purge.day, files.into_values());
        }
        for (day, name) in &pending.forget {
            let file = known.get_mut(day).and_then(|files| files.remove(name));
            self.go(day, file);
        }
        Ok(())
    }

    fn files_of(&self, day: &str) -> Result<BTreeMap<String, FileEntry>> {
        let files = Manifest::files_of(self.root, self.topic, day)?;
        Ok(files.into_iter().map(|file| (file.name.clone(), file)).collect())
    }

    fn comes(&mut self, file: &mut FileEntry, before: Option<&FileEntry>, path: String) {
        match before {
            None => {
                (file.made, file.changed) = (self.commit, self.commit);
                self.paths.new.push(path);
            }
            // Also where the ledger knows the same bytes: a day is rebuilt because somebody spoiled the file.
            Some(before) => {
                (file.made, file.changed) = (before.made, self.commit);
                self.paths.replaced.push(path);
            }
        }
    }

    fn go(&mut self, day: &str, files: impl IntoIterator<Item = FileEntry>) {
        let files: Vec<_> = files.into_iter().map(|file| (file.name, file.made)).collect();
        let names = files.iter().map(|(name, _)| name.as_str());
        self.paths
            .removed
            .extend(paths(self.kind, self.topic, day, names));
        if !files.is_empty() {
            self.removed.push(Removed {
                commit: self.commit,
                day: day.to_owned(),
                files,
            });
        }
    }
}

fn paths<'n>(kind: Kind, topic: &str, day: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let folder = HivePartition::parse(day).map(|day| day_folder(kind, topic, day));
    let path = |name| folder.as_ref().map(|folder| format!("{folder}/{name}"));
    names.into_iter().filter_map(path).collect()
}

/// Where somebody who has loaded all these files goes on: the run that changed them last, or a word where none did.
pub(super) fn last_run(state: &TopicState, no_files: bool) -> &str {
    let last = state.changes.as_ref().and_then(|changes| changes.runs.last());
    match last {
        Some(mark) => &mark.run,
        None if no_files => NONE,
        None => UNCOUNTED,
    }
}

/// What has changed since a run. None: the ledger does not remember that.
pub(super) fn since(
    topic: &str,
    state: &TopicState,
    files: &BTreeMap<String, FileEntry>,
    run_id: &str,
) -> Option<PathsReport> {
    if run_id == NONE {
        return Some(PathsReport {
            new: files.keys().cloned().collect(),
            ..PathsReport::default()
        });
    }
    let none_yet = Changes::default();
    let changes = state.changes.as_ref().unwrap_or(&none_yet);
    let upto = changes.upto(run_id)?;
    // What went after that run, of what it had left.
    let mut gone = BTreeSet::new();
    for removed in changes.removed.iter().filter(|removed| removed.commit > upto) {
        let of_then = removed.files.iter().filter(|(_, made)| *made <= upto);
        let names = of_then.map(|(name, _)| name.as_str());
        gone.extend(paths(state.kind, topic, &removed.day, names));
    }
    let mut report = PathsReport::default();
    for (path, file) in files {
        // One that went and came back is another one under the same name.
        let was_there = gone.remove(path) || file.made <= upto;
        if file.changed > upto {
            let list = if was_there {
                &mut report.replaced
            } else {
                &mut report.new
            };
            list.push(path.clone());
        }
    }
    report.removed = gone.into_iter().collect();
    Some(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "20260101T000000000Z-00000001";
    const SECOND: &str = "20260101T000001000Z-00000002";
    const LATER: &str = "20260101T000002500Z-0000000a";

    fn mark(run: &str, commit: u64, at: &str) -> Mark {
        Mark {
            run: run.to_owned(),
            commit,
            at: began_ms(at).unwrap(),
        }
    }

    #[test]
    fn runs_are_found_by_name_and_else_by_their_start() {
        let mut changes = Changes::of_new_topic();
        assert_eq!(changes.upto(FIRST), Some(0));
        changes.commit = 2;
        changes.runs = vec![mark(FIRST, 1, SECOND), mark("x", 2, LATER)];
        assert_eq!(changes.upto(FIRST), Some(1));
        // It began while the first one was still at work, and has seen nothing of it.
        assert_eq!(changes.upto("20260101T000000500Z-00000003"), Some(0));
        assert_eq!(changes.upto("20260101T000001001Z-00000003"), Some(1));
        assert_eq!(changes.upto("20260101T000003000Z-00000003"), Some(2));
        changes.whole = false;
        assert_eq!(changes.upto("20260101T000000500Z-00000003"), None);
        changes.forgotten = 2;
        assert_eq!(changes.upto(FIRST), None);
        for id in [
            "",
            "x",
            "20260101T000000000Z",
            "20260101T000000000Z-xyz",
            "99990101T000000000Z-00000001",
        ] {
            assert_eq!(changes.upto(id), None, "{id}");
        }
    }

    #[test]
    fn a_run_leaves_a_mark_where_its_start_does_not_tell() {
        let mut changes = Changes::of_new_topic();
        changes.seen_by(SECOND);
        assert_eq!(changes.runs, []);
        changes.commit = 1;
        changes.runs = vec![mark("other", 1, FIRST)];
        changes.seen_by(SECOND);
        assert_eq!(changes.runs.len(), 1);
        changes.runs = vec![mark("other", 1, LATER)];
        changes.seen_by(SECOND);
        assert_eq!(changes.upto(SECOND), Some(1));
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut changes = Changes::of_new_topic();
        for commit in 1..=RUNS_MAX as u64 + 1 {
            changes.commit = commit;
            changes.mark(&format!("20260101T000000000Z-{commit:08x}"));
        }
        assert_eq!(
            (changes.runs.len(), changes.whole, changes.forgotten),
            (RUNS_MAX, false, 2)
        );
        let removed = |commit, count: usize| Removed {
            commit,
            day: "2026-01-01".to_owned(),
            files: (0..count).map(|i| (i.to_string(), 1)).collect(),
        };
        changes.remove(vec![removed(600, 10)]);
        changes.remove(vec![removed(601, REMOVED_MAX)]);
        assert_eq!((changes.removed.len(), changes.forgotten), (1, 600));
        changes.remove(vec![removed(602, REMOVED_MAX + 1)]);
        assert_eq!((changes.removed.len(), changes.forgotten), (0, 602));
    }
}
