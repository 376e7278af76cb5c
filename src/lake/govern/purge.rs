//! Retention in the lake: the days that a purge may remove, by the manifests alone, and the purge itself.

use anyhow::Result;
use chrono::NaiveDate;
use rustix::fs::FileType;
use std::collections::HashSet;
use std::time::Duration;

use crate::config::Kind;
use crate::lake::commit::{self, trash};
use crate::lake::disk::lock;
use crate::lake::layout::paths::{HivePartition, day_folder, topic_folder};
use crate::lake::ledger::{self, Debt, Manifest, PendingPurge, TopicState, changed_since, preconditions};
use crate::lake::opened::Lake;
use crate::locked::Locked;
use crate::problem::Problem;
use crate::types::plausible;
use crate::words::one_line;

/// A topic's days, by its ledger.
#[derive(Debug, Clone)]
pub struct TopicDays {
    pub topic: String,
    pub kind: Kind,
    pub days: Vec<DayFolder>,
    /// Paths below the topic's folder that the ledger doesn't know.
    pub strangers: Vec<String>,
}

/// A day folder as its manifest counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFolder {
    pub day: HivePartition,
    /// Relative to the lake root.
    pub path: String,
    pub files: u64,
    pub records: u64,
    pub bytes: u64,
    /// It holds a table's current snapshot, which is a state and not history.
    pub current: bool,
}

/// The outcome of a topic's purge.
#[derive(Debug, Clone, Default)]
pub struct Purged {
    pub folders: Vec<DayFolder>,
    /// Foreign files that keep their days from being purged.
    pub foreign: Vec<String>,
    /// Foreign files that were put into a day at the last moment: this purge or an earlier one kept them in the trash.
    pub kept: Vec<String>,
}

/// The warning of a foreign file that keeps its day from being purged.
pub fn left_out(topic: &str, path: &str) -> Problem {
    let what = format!(
        "{} is not lakectl's, and the purge leaves its day out",
        one_line(path)
    );
    Problem::new(what)
        .about_topic(topic)
        .fix("move it elsewhere and purge again")
}

/// The warning of a foreign file that was moved into the trash with its day.
pub fn kept(topic: &str, path: &str) -> Problem {
    let what = format!(
        "{} is not lakectl's: it was put into a day that was about to be purged, and was kept",
        one_line(path)
    );
    Problem::new(what)
        .about_topic(topic)
        .fix("move it where it belongs")
}

impl Lake<'_> {
    /// The days of all topics that the ledger knows, without looking at data files; an error if a topic's ledger can't be read.
    pub fn survey(&self) -> Result<Vec<(String, Result<TopicDays>)>> {
        let mut found = Vec::new();
        for topic in ledger::topics(&self.root)? {
            let days = TopicState::load(&self.root, &topic)
                .and_then(|state| state.map(|state| self.survey_topic(&topic, &state)).transpose());
            if let Some(days) = days.transpose() {
                found.push((topic, days));
            }
        }
        Ok(found)
    }

    /// Checks, before the commit, that the folders can be removed: the disk is mounted, and no day was replaced by a symlink.
    fn check_places(&self, topic: &str, kind: Kind, folders: &[DayFolder]) -> Result<()> {
        let home = topic_folder(kind, topic);
        if self.root.stat(&home)?.is_none() {
            return Problem::new(format!(
                "{} is missing; nothing was deleted",
                self.root.shown(&home)
            ))
            .about_topic(topic)
            .fix("is a disk not mounted?")
            .err();
        }
        for folder in folders {
            if let Some(found) = self.root.stat(&folder.path)?
                && found.kind != FileType::Directory
            {
                return Problem::new(format!(
                    "{} is not a folder (a symlink is never followed); nothing of the topic was deleted",
                    self.root.shown(&folder.path)
                ))
                .about_topic(topic)
                .fix("put the folder back or move the link away")
                .err();
            }
        }
        Ok(())
    }

    fn survey_topic(&self, topic: &str, state: &TopicState) -> Result<TopicDays> {
        let current = state.snapshot.as_ref().map(|snapshot| snapshot.day.as_str());
        let mut days = Vec::new();
        for day in Manifest::days(&self.root, topic)? {
            let name = day.to_string();
            let Some(manifest) = Manifest::load(&self.root, topic, &name)? else {
                continue;
            };
            days.push(DayFolder {
                day,
                path: day_folder(state.kind, topic, day),
                files: manifest.files.len() as u64,
                records: manifest.records,
                bytes: manifest.bytes,
                current: current == Some(&name),
            });
        }
        let folders: Vec<_> = days.iter().map(|day| day.path.clone()).collect();
        let strangers = self.strangers(topic, state.kind, &folders)?;
        Ok(TopicDays {
            topic: topic.to_owned(),
            kind: state.kind,
            days,
            strangers,
        })
    }

    /// Foreign paths beside the topic's year, month and day folders.
    pub fn strangers(&self, topic: &str, kind: Kind, days: &[String]) -> Result<Vec<String>> {
        let ours: HashSet<&str> = days.iter().flat_map(|day| with_parents(day)).collect();
        let mut strangers = Vec::new();
        let mut level = vec![topic_folder(kind, topic)];
        for _ in ["year=", "month=", "day="] {
            let mut next = Vec::new();
            for folder in level {
                for (name, _) in self.root.list(&folder)? {
                    let path = format!("{folder}/{name}");
                    if ours.contains(path.as_str()) {
                        next.push(path);
                    } else {
                        strangers.push(path);
                    }
                }
            }
            level = next;
        }
        Ok(strangers)
    }

    /// Splits days into those that hold only files of their manifests, which a purge may remove, and the foreign files in
    /// the others.
    pub fn part_foreign(
        &self,
        topic: &str,
        kind: Kind,
        days: Vec<DayFolder>,
    ) -> Result<(Vec<DayFolder>, Vec<String>)> {
        let (mut clean, mut foreign) = (Vec::new(), Vec::new());
        for day in days {
            let found = preconditions::foreign(&self.root, topic, kind, day.day)?;
            if found.is_empty() {
                clean.push(day);
            }
            foreign.extend(found);
        }
        Ok((clean, foreign))
    }

    /// Purges the `planned` days except those with foreign files, and records that nothing before `cutoff` may come back.
    ///
    /// # Errors
    /// A folder holds more by now than was planned. Nothing of the topic is deleted.
    pub fn purge(
        &self,
        topic: &str,
        cutoff: NaiveDate,
        planned: &[DayFolder],
        run_id: &str,
        wait: Duration,
    ) -> Result<Locked<Purged>> {
        let _lock = match lock::take(&self.root, topic, run_id, wait)? {
            Locked::Ours(lock) => lock,
            Locked::HeldBy(holder) => return Ok(Locked::HeldBy(holder)),
        };
        let Some(mut state) = commit::recover(&self.root, self.settings, topic)? else {
            return Ok(Locked::Ours(Purged::default()));
        };
        let now = self.survey_topic(topic, &state)?;
        let folders = check(topic, planned, &now)?;
        if !folders.is_empty() {
            self.check_places(topic, state.kind, &folders)?;
        }
        let (folders, foreign) = self.part_foreign(topic, state.kind, folders)?;
        // If nothing is purged, the cutoff does not move.
        if !folders.is_empty() {
            self.purge_folders(topic, cutoff, &folders, run_id, &mut state)?;
        }
        Ok(Locked::Ours(Purged {
            folders,
            foreign,
            kept: trash::kept(&self.root, topic)?,
        }))
    }

    fn purge_folders(
        &self,
        topic: &str,
        cutoff: NaiveDate,
        folders: &[DayFolder],
        run_id: &str,
        state: &mut TopicState,
    ) -> Result<()> {
        state.cutoff = state.cutoff.max(Some(cutoff));
        let first = HivePartition::Day(plausible::FIRST_DAY);
        state.purged_implausible |= folders.iter().any(|folder| folder.day < first);
        let purge = |(number, folder): (usize, &DayFolder)| PendingPurge {
            folder: folder.path.clone(),
            day: folder.day.to_string(),
            trash: format!("{}/{run_id}-{number}", trash::home(topic)),
        };
        let purges: Vec<_> = folders.iter().enumerate().map(purge).collect();
        state.pending = Some(Debt {
            purges,
            ..Debt::default()
        });
        changed_since::note(&self.root, topic, state)?;
        commit::commit(&self.root, self.settings, topic, state)
    }
}

/// A folder and those above it.
fn with_parents(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |below| {
        below.rsplit_once('/').map(|(above, _)| above)
    })
}

/// The planned folders that are still there; an error if one has grown.
fn check(topic: &str, planned: &[DayFolder], now: &TopicDays) -> Result<Vec<DayFolder>> {
    let mut folders = Vec::new();
    for plan in planned {
        let Some(found) = now.days.iter().find(|day| day.day == plan.day) else {
            continue;
        };
        if found.current {
            return Problem::new(format!(
                "{} holds the table's current snapshot by now",
                found.path
            ))
            .about_topic(topic)
            .fix("plan again")
            .err();
        }
        if found.files > plan.files || found.records > plan.records {
            return Problem::new(format!(
                "{} holds {} records in {} files by now, but {} in {} were planned; nothing of the topic was deleted",
                found.path,
                found.records,
                found.files,
                plan.records,
                plan.files
            ))
            .about_topic(topic)
            .fix("plan again")
            .err();
        }
        folders.push(found.clone());
    }
    Ok(folders)
}
