//! Compaction: the many small files of a stream's closed days become few, with the same lines in the same order.
//!
//! plan -> stage -> commit. A new folder with all files of a day is staged, and takes the day's place in one moment.

mod plan;
mod stage;

use anyhow::{Context, Result};
use chrono::Utc;
use std::time::{Duration, Instant};

use super::commit;
use super::disk::lock;
use super::file::parquet::{ParquetTarget, Typing};
use super::file::rewrite::open;
use super::layout::paths::{HivePartition, day_folder};
use super::ledger::{
    self, Debt, FileEntry, Manifest, PendingExchange, TopicState, changed_since, preconditions,
};
use super::opened::Lake;
use crate::advice;
use crate::config::{FileFormat, Format, Kind};
use crate::decode::Decoder;
use crate::locked::Locked;
use crate::problem::Problem;
use crate::report::{CompactReport, CompactedDay};
use crate::stop::Stop;
use crate::types::stored::{StoredColumns, StoredType};
use crate::words::one_line;
use plan::DayPlan;
use stage::DayStage;

/// The most days of one commit: a run that is killed loses no more than what it staged for them.
const DAYS_PER_COMMIT: usize = 16;
/// From so many replaced files on it has fewer days: the ledger's state names them all.
const FILES_PER_COMMIT: u64 = 10_000;
/// So many bytes are staged at most before a commit, unless one day has more: the disk holds them twice until then.
const BYTES_PER_COMMIT: u64 = 1 << 30;

/// What is to be compacted, and until when.
#[derive(Debug, Clone, Copy)]
pub struct CompactRequest {
    /// What all files of a day are to be; None: what they are.
    pub format: Option<Format>,
    /// How long ago a day must have ended and got its newest commit.
    pub older_than: Duration,
    /// No day is begun after this moment.
    pub deadline: Option<Instant>,
}

/// What became of a topic.
#[derive(Debug, Default)]
pub struct Compacted {
    pub report: CompactReport,
    /// Foreign files, which keep their days from being compacted.
    pub foreign: Vec<String>,
    /// Days that could not be read or written, and stay as they were.
    pub failed: Vec<anyhow::Error>,
}

impl Lake<'_> {
    /// What a compaction would do now, by the ledger alone.
    pub fn plan_compaction(&self, topic: &str, request: CompactRequest) -> Result<Compacted> {
        let mut found = Compacted::default();
        let retyped = TopicState::load(&self.root, topic)?.map_or(0, |state| state.columns.retyped);
        for day in Manifest::days(&self.root, topic)? {
            match self.due(topic, day, request, retyped) {
                Ok(None) => {}
                Ok(Some(plan)) => {
                    let foreign = self.foreign(topic, day)?;
                    if foreign.is_empty() {
                        let after = plan.files_after(self.settings.lake.max_file_bytes);
                        found.report.add(counts(day, &plan, after, None));
                    }
                    found.foreign.extend(foreign);
                }
                Err(error) => found.failed.push(of_day(topic, day, error)),
            }
        }
        Ok(found)
    }

    /// Compacts a stream's closed days, under its lock.
    ///
    /// # Errors
    /// The topic's ledger can't be read. Days that can't be compacted are in the result, and stay as they were.
    pub fn compact(
        &self,
        topic: &str,
        request: CompactRequest,
        run_id: &str,
        wait: Duration,
        stop: &Stop,
    ) -> Result<Locked<Compacted>> {
        let _lock = match lock::take(&self.root, topic, run_id, wait)? {
            Locked::Ours(lock) => lock,
            Locked::HeldBy(holder) => return Ok(Locked::HeldBy(holder)),
        };
        let Some(state) = commit::recover(&self.root, self.settings, topic)? else {
            return Ok(Locked::Ours(Compacted::default()));
        };
        let mut run = TopicCompaction {
            lake: self,
            topic,
            run_id,
            declared: self.declared(topic),
            state,
            staging: String::new(),
            staged: Vec::new(),
            commits: 0,
            done: Compacted::default(),
        };
        let ended = run.all_days(request, stop);
        // Also on a full disk: the commit makes room, and what it needs is there already.
        let committed = run.commit();
        run.done
            .failed
            .extend(ended.err().into_iter().chain(committed.err()));
        Ok(Locked::Ours(run.done))
    }

    /// None: the day is not closed yet, or stays as it is.
    fn due(
        &self,
        topic: &str,
        day: HivePartition,
        request: CompactRequest,
        retyped: u64,
    ) -> Result<Option<DayPlan>> {
        let name = day.to_string();
        let Some(newest) = Manifest::written_ms(&self.root, topic, &name)? else {
            return Ok(None);
        };
        let (zone, now) = (self.settings.lake.timezone, Utc::now().timestamp_millis());
        if !plan::is_closed(day, zone, newest, now, request.older_than) {
            return Ok(None);
        }
        let files = Manifest::files_of(&self.root, topic, &name)?;
        let is_stale = |file: &FileEntry| match (request.format, FileFormat::of(&file.name)) {
            (None, _) | (Some(Format::Json), FileFormat::Json(_)) => false,
            (Some(Format::Json), FileFormat::Parquet) | (Some(Format::Parquet), FileFormat::Json(_)) => true,
            (Some(Format::Parquet), FileFormat::Parquet) => file.columns < Some(retyped),
        };
        plan::of_day(files, self.settings.lake.max_file_bytes, is_stale)
    }

    /// What a day's new files are: what they were, unless the request says otherwise, and the topic's format where both were.
    fn compacted_format(&self, topic: &str, request: CompactRequest, plan: &DayPlan) -> FileFormat {
        let lake = &self.settings.lake;
        let configured = self
            .settings
            .topics
            .get(topic)
            .and_then(|topic| topic.lake_format);
        let format = match (request.format, plan.format()) {
            (Some(format), _) | (None, Some(format)) => format,
            (None, None) => configured.unwrap_or(lake.format),
        };
        lake.written_as(format)
    }

    /// The columns whose types the configuration declares.
    fn declared(&self, topic: &str) -> Vec<(String, StoredType)> {
        let topic = self.settings.topics.get(topic);
        topic.map_or_else(Vec::new, |topic| {
            Decoder::of(topic, &self.registry).declared_columns()
        })
    }

    fn foreign(&self, topic: &str, day: HivePartition) -> Result<Vec<String>> {
        preconditions::foreign(&self.root, topic, Kind::Stream, day)
    }
}

/// The warning of a foreign file that keeps its day from being compacted.
pub fn kept_out(topic: &str, path: &str) -> Problem {
    let what = format!(
        "{} is not lakectl's, and its day is not compacted",
        one_line(path)
    );
    Problem::new(what)
        .about_topic(topic)
        .fix("move it elsewhere and compact again")
}

/// A topic's compaction, with the days that are staged so far.
struct TopicCompaction<'c> {
    lake: &'c Lake<'c>,
    topic: &'c str,
    run_id: &'c str,
    /// The columns whose types the configuration declares.
    declared: Vec<(String, StoredType)>,
    state: TopicState,
    /// The folder of the next commit; empty: there is none yet.
    staging: String,
    staged: Vec<(HivePartition, PendingExchange, CompactedDay)>,
    commits: u32,
    done: Compacted,
}

impl TopicCompaction<'_> {
    /// Compacts day by day. A damaged one must not keep the others from it.
    fn all_days(&mut self, request: CompactRequest, stop: &Stop) -> Result<()> {
        for day in Manifest::days(&self.lake.root, self.topic)? {
            let plan = match self
                .lake
                .due(self.topic, day, request, self.state.columns.retyped)
            {
                Ok(None) => continue,
                Ok(Some(plan)) => plan,
                Err(error) => {
                    self.done.failed.push(of_day(self.topic, day, error));
                    continue;
                }
            };
            let late = request
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline);
            if late || stop.signal().is_some() {
                self.done.report.days_left += 1;
                continue;
            }
            let foreign = self.lake.foreign(self.topic, day)?;
            if !foreign.is_empty() {
                self.done.foreign.extend(foreign);
                continue;
            }
            match self.stage(day, plan, request, stop) {
                Ok(()) => self.commit_many()?,
                // The disk is full, say: the next day would fare no better.
                Err(error) if advice::errno(&error).is_some() => return Err(of_day(self.topic, day, error)),
                Err(error) => self.done.failed.push(of_day(self.topic, day, error)),
            }
        }
        Ok(())
    }

    fn stage(
        &mut self,
        day: HivePartition,
        plan: DayPlan,
        request: CompactRequest,
        stop: &Stop,
    ) -> Result<()> {
        let (root, lake) = (&self.lake.root, &self.lake.settings.lake);
        if self.staging.is_empty() {
            let home = ledger::staging_home(self.topic);
            self.staging = format!("{home}/{}-compact-{}", self.run_id, self.commits);
        }
        let folder = day_folder(Kind::Stream, self.topic, day);
        let name = day.to_string();
        let staged = format!("{}/{name}", self.staging);
        let format = self.lake.compacted_format(self.topic, request, &plan);
        if format == FileFormat::Parquet {
            self.state.columns = self.columns_with(&folder, &plan)?;
        }
        let stage = DayStage {
            root,
            format,
            parquet: ParquetTarget::of(Kind::Stream, &self.state.columns, lake),
            max_file_bytes: lake.max_file_bytes,
            folder: &folder,
            staged: &staged,
            commit: self.state.changes.commit + 1,
            stop,
        };
        let before = counts(day, &plan, 0, None);
        let files = match stage.write(plan) {
            Ok(Some(files)) => files,
            unfinished => {
                root.remove_tree(&staged)?;
                self.done.report.days_left += u64::from(unfinished?.is_none());
                return Ok(());
            }
        };
        let counts = CompactedDay {
            files_after: files.len() as u64,
            bytes_after: Some(files.iter().map(|file| file.bytes).sum()),
            ..before
        };
        let exchange = PendingExchange {
            staged: name.clone(),
            folder,
            day: name,
            files,
            same_records: true,
        };
        self.staged.push((day, exchange, counts));
        Ok(())
    }

    /// The topic's columns, wide enough for a day's lines of JSON.
    fn columns_with(&self, folder: &str, plan: &DayPlan) -> Result<StoredColumns> {
        let mut typing = Typing::new(
            self.state.columns.clone(),
            &self.declared,
            self.lake.settings.lake.max_columns,
        );
        for file in plan
            .files()
            .filter(|file| FileFormat::of(&file.name) != FileFormat::Parquet)
        {
            let path = format!("{folder}/{}", file.name);
            let mut lines = open(&self.lake.root, &path, &file.checksum)?;
            typing
                .see(|line| lines.next(line))
                .with_context(|| format!("reading {path}"))?;
        }
        Ok(typing.into_columns())
    }

    fn commit_many(&mut self) -> Result<()> {
        let sum = |of: fn(&CompactedDay) -> u64| self.staged.iter().map(|(.., day)| of(day)).sum::<u64>();
        let many = self.staged.len() >= DAYS_PER_COMMIT
            || sum(|day| day.files_before) >= FILES_PER_COMMIT
            || sum(|day| day.bytes_after.unwrap_or(0)) >= BYTES_PER_COMMIT;
        if many { self.commit() } else { Ok(()) }
    }

    /// Commits the staged days. Those into whose folders somebody has put a file meanwhile are left out: it would go with the old
    /// folder.
    fn commit(&mut self) -> Result<()> {
        let (mut exchanges, mut days) = (Vec::new(), Vec::new());
        for (day, exchange, counts) in self.staged.drain(..) {
            let foreign = self.lake.foreign(self.topic, day)?;
            if foreign.is_empty() {
                exchanges.push(exchange);
                days.push(counts);
            }
            self.done.foreign.extend(foreign);
        }
        let staging = std::mem::take(&mut self.staging);
        if exchanges.is_empty() {
            return self.drop_staging(&staging);
        }
        self.state.pending = Some(Debt {
            staging,
            exchanges,
            ..Debt::default()
        });
        let lake = self.lake;
        changed_since::note(&lake.root, self.topic, &mut self.state)?;
        commit::commit(&lake.root, lake.settings, self.topic, &mut self.state)?;
        self.commits += 1;
        days.into_iter().for_each(|day| self.done.report.add(day));
        Ok(())
    }

    /// Nothing was staged that stays.
    fn drop_staging(&self, staging: &str) -> Result<()> {
        if !staging.is_empty() {
            self.lake.root.remove_tree(staging)?;
            self.lake
                .root
                .remove_empty_dir(&ledger::staging_home(self.topic))?;
        }
        Ok(())
    }
}

fn counts(day: HivePartition, plan: &DayPlan, files_after: u64, bytes_after: Option<u64>) -> CompactedDay {
    CompactedDay {
        day: day.to_string(),
        records: plan.files().map(|file| file.records).sum(),
        files_before: plan.files().count() as u64,
        files_after,
        bytes_before: plan.files().map(|file| file.bytes).sum(),
        bytes_after,
    }
}

fn of_day(topic: &str, day: HivePartition, error: anyhow::Error) -> anyhow::Error {
    Problem::new(format!("day {day} stays as it was"))
        .about_topic(topic)
        .caused_by(error)
}
