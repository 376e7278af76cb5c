//! Erases persons from the lake: data files are searched for their lines, and written anew without them.

use anyhow::{Context, Result};
use std::time::Duration;

use super::found::{LakeHits, LineCounts};
use crate::config::{FileFormat, Kind, Topic};
use crate::lake::commit;
use crate::lake::disk::lock;
use crate::lake::disk::root::Root;
use crate::lake::file::parquet::ParquetTarget;
use crate::lake::file::rewrite::{NewFile, each_line, open};
use crate::lake::layout::day::RecordDay;
use crate::lake::layout::paths::{HivePartition, day_folder};
use crate::lake::ledger::{
    self, Debt, FileEntry, Manifest, PendingFile, Snapshot, TopicState, changed_since,
};
use crate::lake::opened::Lake;
use crate::lake::table::merge::Merge;
use crate::lake::table::snapshot::FirstDrain;
use crate::lake::table::{self, TableChange};
use crate::locked::Locked;
use crate::problem::Problem;
use crate::stop::Stop;
use crate::subjects::matcher::{Matcher, Verdict};

/// The most files of one commit, because the ledger's state names them all.
const FILES_PER_COMMIT: usize = 10_000;

/// A data file and its day.
struct DayFile {
    day: String,
    folder: String,
    entry: FileEntry,
}

impl DayFile {
    fn path(&self) -> String {
        format!("{}/{}", self.folder, self.entry.name)
    }
}

impl Lake<'_> {
    /// The topics that the ledger knows, with their kind; None if a topic's state can't be read.
    pub fn known_topics(&self) -> Result<Vec<(String, Option<Kind>)>> {
        let mut topics = Vec::new();
        for topic in ledger::topics(&self.root)? {
            match TopicState::load(&self.root, &topic) {
                Ok(None) => {}
                Ok(Some(state)) => topics.push((topic, Some(state.kind))),
                Err(_) => topics.push((topic, None)),
            }
        }
        Ok(topics)
    }

    /// Searches all data files of a topic and changes nothing. A run may change them meanwhile.
    pub fn look_for(&self, topic: &Topic, matcher: &Matcher, stop: &Stop) -> Result<LakeHits> {
        let mut found = LakeHits::default();
        if let Some(state) = TopicState::load(&self.root, &topic.name)? {
            check_first_drain(&state, &topic.name)?;
            look(
                &self.root,
                &topic.name,
                state.kind,
                matcher,
                &LakeHits::default(),
                stop,
                &mut found,
                &mut |_| Ok(()),
            )?;
        }
        Ok(found)
    }

    /// Erases from a topic what `matcher` finds, under the topic's lock.
    /// Files that `seen` found clean and that have not changed are not read again.
    ///
    /// # Errors
    /// Lines whose erasure was committed before stay erased; another run erases the rest.
    pub fn erase(
        &self,
        topic: &Topic,
        matcher: &Matcher,
        seen: &LakeHits,
        run_id: &str,
        wait: Duration,
        stop: &Stop,
    ) -> Result<Locked<LakeHits>> {
        let _lock = match lock::take(&self.root, &topic.name, run_id, wait)? {
            Locked::Ours(lock) => lock,
            Locked::HeldBy(holder) => return Ok(Locked::HeldBy(holder)),
        };
        let mut found = LakeHits::default();
        let Some(state) = commit::recover(&self.root, self.settings, &topic.name)? else {
            return Ok(Locked::Ours(found));
        };
        check_first_drain(&state, &topic.name)?;
        let snapshot = state.snapshot.clone();
        let mut change = TopicRewrite {
            lake: self,
            topic,
            matcher,
            run_id,
            state,
            pending: Debt::default(),
            staged: 0,
            commits: 0,
            failed: Vec::new(),
        };
        let kind = change.state.kind;
        look(
            &self.root,
            &topic.name,
            kind,
            matcher,
            seen,
            stop,
            &mut found,
            &mut |file| {
                let current = snapshot.as_ref().filter(|snapshot| snapshot.path == file.path());
                let staged = match current {
                    Some(snapshot) => change.rewrite_snapshot(snapshot),
                    None => change.rewrite(&file),
                };
                // One damaged file must not keep the others from being erased.
                if let Err(error) = staged {
                    change.failed.push((file.path(), format!("{error:#}")));
                }
                change.commit_many()
            },
        )?;
        change.commit()?;
        found.fail(change.failed);
        Ok(Locked::Ours(found))
    }
}

/// Until a table's first drain is complete, a row that is gone would leave its place to an older record of another Kafka
/// partition, and the keys of deleted rows are kept to prevent just that.
fn check_first_drain(state: &TopicState, topic: &str) -> Result<()> {
    if !state.is_amid_first_drain() || state.snapshot.is_none() {
        return Ok(());
    }
    Problem::new("its first drain into the lake is not complete, so that nothing can be erased from its snapshot yet")
        .about_topic(topic)
        .fix(format!(
            "drain it to its end without limits (lakectl lake --topics {topic}), or rebuild it (with --rebuild), then erase again"
        ))
        .err()
}

/// Searches the files that the manifests list, and calls `hit` for each that holds lines to erase.
#[expect(clippy::too_many_arguments, reason = "one pass, with and without a change")]
fn look(
    root: &Root,
    topic: &str,
    kind: Kind,
    matcher: &Matcher,
    seen: &LakeHits,
    stop: &Stop,
    found: &mut LakeHits,
    hit: &mut dyn FnMut(DayFile) -> Result<()>,
) -> Result<()> {
    for day in Manifest::days(root, topic)? {
        let name = day.to_string();
        let Some(manifest) = Manifest::load(root, topic, &name)? else {
            continue;
        };
        for entry in manifest.files {
            if stop.signal().is_some() {
                return Problem::new("stopped by a signal")
                    .about_topic(topic)
                    .fix("run the erasure again for the rest")
                    .err();
            }
            let file = DayFile {
                day: name.clone(),
                folder: day_folder(kind, topic, day),
                entry,
            };
            let path = file.path();
            if seen.is_clean(&path, &file.entry.checksum) {
                continue;
            }
            match count(root, &path, &file.entry.checksum, matcher) {
                Ok(counts) if found.note(&path, &file.entry.checksum, counts) => hit(file)?,
                Ok(_) => {}
                Err(error) => found.failed.push((path, format!("{error:#}"))),
            }
        }
    }
    Ok(())
}

fn count(root: &Root, path: &str, checksum: &str, matcher: &Matcher) -> Result<LineCounts> {
    let mut lines = open(root, path, checksum)?;
    let mut counts = LineCounts::default();
    let mut line = Vec::new();
    while lines
        .next(&mut line)
        .with_context(|| format!("reading {}", root.shown(path)))?
    {
        match matcher.judge(&line) {
            Verdict::Keep => {}
            Verdict::Erase => counts.erase += 1,
            Verdict::Mention => counts.mention += 1,
            Verdict::NotSearchable => counts.not_searchable += 1,
            Verdict::WithoutKey => counts.without_key += 1,
        }
    }
    Ok(counts)
}

/// A topic's erasure, with the files that are staged so far.
struct TopicRewrite<'c> {
    lake: &'c Lake<'c>,
    topic: &'c Topic,
    matcher: &'c Matcher,
    run_id: &'c str,
    state: TopicState,
    pending: Debt,
    staged: u32,
    commits: u32,
    failed: Vec<(String, String)>,
}

impl TopicRewrite<'_> {
    fn staging(&mut self) -> Result<String> {
        if self.pending.staging.is_empty() {
            let home = ledger::staging_home(&self.topic.name);
            self.pending.staging = format!("{home}/{}-erase-{}", self.run_id, self.commits);
            self.lake.root.make_dirs(&self.pending.staging)?;
        }
        Ok(self.pending.staging.clone())
    }

    /// Stages a file without the lines to erase; a file that holds no other lines is removed.
    fn rewrite(&mut self, file: &DayFile) -> Result<()> {
        let staging = self.staging()?;
        self.staged += 1;
        let staged = format!("file-{:08}", self.staged);
        let to = format!("{staging}/{staged}");
        let entry = self.write_without(file, &to)?;
        if entry.records == 0 {
            self.lake.root.remove_file(&to)?;
            self.pending
                .forget
                .push((file.day.clone(), file.entry.name.clone()));
        } else {
            self.pending.files.push(PendingFile {
                staged,
                folder: file.folder.clone(),
                day: Some(file.day.clone()),
                replaces: true,
                file: entry,
            });
        }
        Ok(())
    }

    /// Writes the other lines, of text byte for byte. The file keeps its name, even if the offsets in it are erased.
    fn write_without(&self, file: &DayFile, to: &str) -> Result<FileEntry> {
        let (root, settings) = (&self.lake.root, &self.lake.settings.lake);
        let path = file.path();
        let parquet = ParquetTarget::of(self.state.kind, &self.state.columns, settings);
        let mut kept = NewFile::create(root, to, FileFormat::of(&path), parquet)?;
        each_line(root, &path, &file.entry, &mut |line| {
            if self.matcher.judge(line) == Verdict::Erase {
                return Ok(());
            }
            kept.add(line)
        })?;
        Ok(kept.finish()?.in_place_of(&file.entry))
    }

    /// Commits what is staged of a stream if it is many files; a table is committed once.
    fn commit_many(&mut self) -> Result<()> {
        let many = self.pending.files.len() + self.pending.forget.len() >= FILES_PER_COMMIT;
        if many && self.state.kind == Kind::Stream {
            self.commit()
        } else {
            Ok(())
        }
    }

    /// Stages a table's snapshot, and the sidecar that holds its keys, without the rows to erase.
    fn rewrite_snapshot(&mut self, snapshot: &Snapshot) -> Result<()> {
        let staging = self.staging()?;
        let root = &self.lake.root;
        let change = TableChange {
            topic: self.topic,
            run_id: self.run_id,
            staging: staging.clone(),
            format: FileFormat::of(&snapshot.path),
            lake: &self.lake.settings.lake,
            columns: self.state.columns.clone(),
            declared: Vec::new(),
            previous: Some(snapshot),
            merge: true,
            fallback_day: HivePartition::Null,
            keeps_previous: self.topic.history && !self.state.has_purged_snapshot(),
            first_drain: if self.state.complete_ms.is_none() {
                FirstDrain::GoesOn
            } else {
                FirstDrain::WasComplete
            },
            erase: Some(self.matcher),
        };
        let zone = self.lake.settings.lake.timezone;
        let mut clock = RecordDay::new(zone, self.topic);
        // If each day's last snapshot is kept, it must neither leave its day nor replace another day's.
        let stays = HivePartition::parse(&snapshot.day).filter(|_| self.topic.history);
        let staged = table::stage(root, change, Merge::nothing(), |ms| {
            stays.unwrap_or_else(|| clock.of_time(ms))
        })?;
        let mut pending = staged.debt;
        self.pending.files.append(&mut pending.files);
        self.pending.forget.append(&mut pending.forget);
        self.pending.remove.append(&mut pending.remove);
        self.pending.link = pending.link;
        self.state.snapshot = Some(staged.snapshot);
        self.state.columns = staged.columns;
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        if pending.files.is_empty() && pending.forget.is_empty() {
            return Ok(());
        }
        self.state.pending = Some(pending);
        let lake = self.lake;
        changed_since::note(&lake.root, &self.topic.name, &mut self.state)?;
        commit::commit(&lake.root, lake.settings, &self.topic.name, &mut self.state)?;
        self.commits += 1;
        Ok(())
    }
}
