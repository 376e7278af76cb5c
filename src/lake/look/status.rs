//! The state of topics by the ledger alone. It is read without a lock, while runs may commit, and nothing is written.

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

use crate::config::{Kind, Settings, Topic, check_topic_name};
use crate::lake::disk::lock::{self, LockHolder};
use crate::lake::disk::root::Root;
use crate::lake::file::parquet::{FileColumn, file_columns};
use crate::lake::layout::paths::HivePartition;
use crate::lake::ledger::{self, Debt, FileEntry, Manifest, TopicState, agreement, preconditions};
use crate::lake::opened::Lake;
use crate::problem::Problem;
use crate::record::Progress;
use crate::run_id;

/// How often a topic is read again because a run committed meanwhile; what is seen then may be a commit too old.
const TRIES: u32 = 10;

/// A topic as its last commit left it.
#[derive(Debug, Clone)]
pub struct Standing {
    pub kind: Kind,
    pub progress: Progress,
    /// When the state was written: by a run, a rebuild, a purge or an erasure.
    pub committed: Option<DateTime<Utc>>,
    /// The commit still owes files to the readers: its run is moving them, or was killed, and the next run will.
    pub unfinished: bool,
    /// The first day that a purge kept.
    pub purged_before: Option<NaiveDate>,
    /// By day, files included that the last commit still owes.
    pub days: BTreeMap<HivePartition, DayCount>,
    /// The columns of its Parquet files; none if it has no such file.
    pub columns: Vec<FileColumn>,
    /// Why the topic is not configured as it was when its data was taken in. Runs refuse such a topic; status still shows it.
    pub misfit: Option<Problem>,
}

/// What lies in a day folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayCount {
    pub files: u64,
    pub records: u64,
    pub bytes: u64,
    /// Files of Parquet, and those of them whose columns have other types by now.
    pub parquet: u64,
    pub older: u64,
}

/// What readers of several days of a stream have to mind, and the command that mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormatNote {
    pub note: String,
    pub fix: String,
}

impl Standing {
    /// What is different from day to day in the files of a stream. A table is read through its one snapshot.
    pub fn format_notes(&self, topic: &str) -> Vec<FormatNote> {
        if self.kind == Kind::Table {
            return Vec::new();
        }
        // Days without a date are counted by nobody.
        let has = |what: fn(&DayCount) -> bool| {
            let days = self.days.iter().filter_map(|(day, count)| match day {
                HivePartition::Day(day) if what(count) => Some(*day),
                _ => None,
            });
            days.collect::<Vec<_>>()
        };
        let mut notes = vec![(has(|count| count.older > 0), "Parquet files of older types")];
        if self.days.values().any(|count| count.parquet > 0) {
            let with_lines = has(|count| count.parquet < count.files);
            notes.push((with_lines, "lines of JSON, in a topic with Parquet files"));
        }
        let told = |(days, what): (Vec<NaiveDate>, &str)| {
            let (first, last) = days.first().zip(days.last())?;
            let span = match days.len() {
                1 => format!("{first} has"),
                number => format!("{number} days from {first} to {last} have"),
            };
            Some(FormatNote {
                note: format!("{span} {what}"),
                fix: format!("lakectl compact --format parquet --topics {topic}"),
            })
        };
        notes.into_iter().filter_map(told).collect()
    }
}

/// The last run that held a topic's lock, whatever it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    pub run_id: String,
    pub started: DateTime<Utc>,
}

/// The ledger, opened for reading.
#[derive(Debug)]
pub struct Ledger {
    root: Root,
    /// lake.prefix.
    prefix: String,
    /// Why the lake does not fit the configuration. Runs refuse such a lake; status still reads it.
    pub misfit: Option<Problem>,
}

impl Ledger {
    /// None: there is no lake yet.
    pub fn at(settings: &Settings) -> Result<Option<Ledger>> {
        let lake = &settings.lake;
        let Some(root) = Root::open(&lake.root, lake.file_mode, lake.dir_mode, false)? else {
            return Ok(None);
        };
        let opened = match ledger::exists(&root) {
            Ok(false) => return Ok(None),
            Ok(true) => Lake::at(settings, false).map(|_| ()),
            Err(error) => Err(error),
        };
        let misfit = opened.err().map(|error| Problem::of(&error));
        let prefix = lake.prefix.clone();
        Ok(Some(Ledger { root, prefix, misfit }))
    }

    /// All topics that the ledger knows, damaged ones included.
    pub fn topics(&self) -> Result<Vec<String>> {
        let mut names = ledger::topics(&self.root)?;
        names.retain(|name| check_topic_name(name).is_ok());
        Ok(names)
    }

    /// A topic's state; None if nothing was ever committed. `configured`: how the next run would take it in.
    ///
    /// # Errors
    /// A ledger file of the topic is damaged or lost.
    pub fn standing(&self, topic: &str, configured: Option<&Topic>) -> Result<Option<Standing>> {
        let mut tries = 0;
        loop {
            tries += 1;
            let before = read_state(&self.root, topic)?;
            let Some((state, committed)) = before.clone() else {
                let lost = self.check_nothing_is_lost(topic);
                // The first run of the topic may have committed meanwhile.
                if lost.is_err() && tries < TRIES && read_state(&self.root, topic)?.is_some() {
                    continue;
                }
                return lost.map(|()| None);
            };
            let days = count_days(&self.root, topic, &state);
            if read_state(&self.root, topic)? != before && tries < TRIES {
                continue;
            }
            return Ok(Some(Standing {
                kind: state.kind,
                progress: state.progress(),
                committed,
                unfinished: state.pending.is_some(),
                purged_before: state.cutoff,
                days: days?,
                columns: match state.columns.is_new() {
                    true => Vec::new(),
                    false => file_columns(&state.columns, &self.prefix),
                },
                misfit: configured.and_then(|topic| misfit(topic, &state)),
            }));
        }
    }

    /// An error if there is data without a state: the state was lost.
    fn check_nothing_is_lost(&self, topic: &str) -> Result<()> {
        [Kind::Stream, Kind::Table]
            .into_iter()
            .try_for_each(|kind| preconditions::check_new_topic(&self.root, kind, topic))
    }

    pub fn last_run(&self, topic: &str) -> Option<LastRun> {
        let LockHolder { run_id, .. } = lock::last_holder(&self.root, topic)?;
        let started = run_id::began(&run_id)?;
        Some(LastRun { run_id, started })
    }
}

fn misfit(topic: &Topic, state: &TopicState) -> Option<Problem> {
    let agrees = agreement::check(topic, state).and_then(|()| agreement::check_rows(topic, state, None));
    agrees.err().map(|error| Problem::of(&error))
}

/// The state, and when its file was written.
fn read_state(root: &Root, topic: &str) -> Result<Option<(TopicState, Option<DateTime<Utc>>)>> {
    let written = |file: std::fs::File| Some(DateTime::from(file.metadata().ok()?.modified().ok()?));
    let committed = root.read(&TopicState::path(topic))?.and_then(written);
    Ok(TopicState::load(root, topic)?.map(|state| (state, committed)))
}

fn count_days(root: &Root, topic: &str, state: &TopicState) -> Result<BTreeMap<HivePartition, DayCount>> {
    let nothing = Debt::default();
    let pending = state.pending.as_ref().unwrap_or(&nothing);
    let mut days = Manifest::days(root, topic)?;
    days.extend(
        pending
            .files
            .iter()
            .filter_map(|file| HivePartition::parse(file.day.as_deref()?)),
    );
    let mut counts = BTreeMap::new();
    for day in days {
        let name = day.to_string();
        let known = Manifest::files_of(root, topic, &name)?;
        let files = settled(&name, known, pending);
        let count = DayCount {
            files: files.len() as u64,
            records: files.iter().map(|file| file.records).sum(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            parquet: files.iter().filter(|file| file.columns.is_some()).count() as u64,
            older: files
                .iter()
                .filter(|file| {
                    file.columns
                        .is_some_and(|version| version < state.columns.retyped)
                })
                .count() as u64,
        };
        if count.files > 0 {
            counts.insert(day, count);
        }
    }
    Ok(counts)
}

/// A day's files as they will be once the debt is published, however much of it is published already.
fn settled(day: &str, known: Vec<FileEntry>, pending: &Debt) -> Vec<FileEntry> {
    if pending.purges.iter().any(|purge| purge.day == day) {
        return Vec::new();
    }
    let exchanged = pending.exchanges.iter().find(|exchange| exchange.day == day);
    let known = exchanged.map_or(known, |exchange| exchange.files.clone());
    let mut files: BTreeMap<String, FileEntry> =
        known.into_iter().map(|file| (file.name.clone(), file)).collect();
    for (_, name) in pending.forget.iter().filter(|(of, _)| of == day) {
        files.remove(name);
    }
    for pending in pending
        .files
        .iter()
        .filter(|file| file.day.as_deref() == Some(day))
    {
        files.insert(pending.file.name.clone(), pending.file.clone());
    }
    files.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pending_counts_once() {
        let file = |name: &str, records: u64| FileEntry {
            name: name.to_owned(),
            records,
            bytes: 1,
            checksum: String::new(),
            partition: 0,
            first: 0,
            last: 0,
            made: 1,
            changed: 1,
            columns: None,
            replaces: Vec::new(),
        };
        let entry = |name: &str, records: u64| ledger::PendingFile {
            staged: name.to_owned(),
            folder: String::new(),
            day: Some("2026-11-22".to_owned()),
            replaces: false,
            file: file(name, records),
        };
        let pending = Debt {
            files: vec![entry("b", 2)],
            forget: vec![("2026-11-22".to_owned(), "old".to_owned())],
            ..Debt::default()
        };
        let names = |known: Vec<FileEntry>| -> Vec<String> {
            let files = settled("2026-11-22", known, &pending);
            files.into_iter().map(|file| file.name).collect()
        };
        assert_eq!(names(vec![file("a", 1), file("old", 1)]), ["a", "b"]);
        assert_eq!(names(vec![file("a", 1), file("b", 2)]), ["a", "b"]);
        assert_eq!(settled("2026-11-21", vec![file("b", 2)], &pending).len(), 1);
    }
}
