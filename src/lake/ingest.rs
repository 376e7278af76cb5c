//! Takes one topic into the lake, under the topic's lock.

mod table;
mod undecoded;

use anyhow::Result;
use chrono::NaiveDate;
use std::collections::BTreeSet;
use std::fs::File;

use super::commit::{self, trash};
use super::disk::root::Root;
use super::govern::purge;
use super::layout::day::RecordDay;
use super::layout::paths::HivePartition;
use super::ledger::{self, Debt, PendingFile, TopicState, agreement, changed_since};
use super::line::encode::{self, LineWriter};
use super::opened::Lake;
use super::stream::rebuild_days;
use super::stream::staged_files::Stage;
use super::table::fold::Fold;
use crate::config::{Files, Kind, Settings, Topic};
use crate::decode::{Body, Decoded, Decoder};
use crate::problem::{Problem, unexpected};
use crate::record::{DrainPlan, Drained, LastRecords, Progress, Record};
use crate::report::{LakeReport, TargetReport, TopicReport};
use crate::subjects::filter::Filter;
use crate::target::{Rebuild, Sink};
use undecoded::Undecoded;

/// With one file per record, a commit after this many files keeps the ledger's state small.
const FILES_PER_COMMIT: usize = 10_000;

/// Takes a topic's records and commits them. It holds the topic's lock as long as it lives.
#[derive(Debug)]
pub struct TopicSink<'a> {
    root: &'a Root,
    settings: &'a Settings,
    topic: &'a Topic,
    /// Its copies share what they know of schemas.
    decoder: Decoder,
    run_id: String,
    state: TopicState,
    /// The topic, or some days of it, is read again.
    rebuild: Option<Rebuild>,
    /// When this run began, no run had been complete yet.
    is_first_drain: bool,
    taking: Option<Taking<'a>>,
    lines: LineWriter,
    /// Memory for a table's line without its head.
    rest: Vec<u8>,
    /// Memory for the key by which a table keeps a record.
    kept_key: Vec<u8>,
    day: RecordDay,
    /// Commits of this run so far.
    commits: u32,
    report: LakeReport,
    tombstones: u64,
    irregular: u64,
    undecoded: Undecoded,
    below_retention: u64,
    /// Finds records of erased persons, who must not come back.
    filter: Filter,
    erased: u64,
    other_days: u64,
    _lock: File,
}

#[derive(Debug)]
enum Taking<'a> {
    Stream {
        stage: Box<Stage<'a>>,
        /// With one file per record, for commits in the middle of a drain.
        taken: LastRecords,
    },
    Table(Fold<'a>),
}

impl<'a> TopicSink<'a> {
    pub(super) fn new(
        Lake {
            root,
            settings,
            registry,
        }: &'a Lake<'_>,
        topic: &'a Topic,
        run_id: &str,
        state: TopicState,
        filter: Filter,
        lock: File,
    ) -> Self {
        let metadata = settings.lake.metadata || topic.kind == Kind::Table;
        TopicSink {
            root,
            settings,
            decoder: encode::decoder(&settings.lake.prefix, topic, registry),
            topic,
            run_id: run_id.to_owned(),
            state,
            rebuild: None,
            is_first_drain: false,
            taking: None,
            lines: LineWriter::new(&settings.lake.prefix, topic.key.clone(), metadata),
            rest: Vec::new(),
            kept_key: Vec::new(),
            day: RecordDay::new(settings.lake.timezone, topic),
            commits: 0,
            report: LakeReport::default(),
            tombstones: 0,
            irregular: 0,
            undecoded: Undecoded::default(),
            below_retention: 0,
            filter,
            erased: 0,
            other_days: 0,
            _lock: lock,
        }
    }

    fn staging(&self) -> String {
        format!(
            "{}/{}-{}",
            ledger::staging_home(&self.topic.name),
            self.run_id,
            self.commits
        )
    }

    fn start_taking(&mut self) -> Result<&mut Taking<'a>> {
        if self.taking.is_none() {
            let folder = self.staging();
            self.taking = Some(match self.topic.kind {
                Kind::Stream => Taking::Stream {
                    stage: Box::new(Stage::new(
                        self.root,
                        &self.settings.lake,
                        &self.topic.name,
                        self.settings.lake.format_of(self.topic),
                        self.state.generation,
                        &folder,
                    )?),
                    taken: LastRecords::new(),
                },
                Kind::Table => Taking::Table(Fold::new(self.root, folder)?),
            });
        }
        // Filled just above.
        self.taking
            .as_mut()
            .ok_or_else(|| unexpected("the topic can't take records"))
    }

    fn take_stream(&mut self, record: &Record<'_>, decoded: &Decoded<'_>) -> Result<()> {
        let day = self.day.of(decoded);
        if !self.wants(day) {
            if self.state.has_purged(day) {
                // After a purge of such days, a wrong unit must not go unnoticed.
                self.day.note(decoded, day);
            }
            return Ok(());
        }
        if self.filter.hits(decoded) {
            self.erased += 1;
            return Ok(());
        }
        self.start_taking()?;
        let Some(Taking::Stream { stage, taken }) = &mut self.taking else {
            return Ok(());
        };
        self.undecoded.take(self.topic, decoded);
        let irregular = stage.add(day, record, decoded, &self.lines)?;
        self.day.note(decoded, day);
        self.irregular += u64::from(irregular);
        self.tombstones += u64::from(decoded.body == Body::Tombstone);
        self.report.written += 1;
        if self.settings.lake.files == Files::Message && self.rebuild.is_none() {
            taken.insert(record.partition, record.as_last());
            if stage.finished() >= FILES_PER_COMMIT {
                self.commit_so_far()?;
            }
        }
        Ok(())
    }

    /// Commits what was taken of a stream in the middle of a drain.
    fn commit_so_far(&mut self) -> Result<()> {
        let Some(Taking::Stream { mut stage, taken }) = self.taking.take() else {
            return Ok(());
        };
        let files = self.take_files(&mut stage)?;
        let next = taken.iter().map(|(&partition, last)| (partition, last.next()));
        self.state.next.extend(next);
        self.state.last.extend(taken);
        self.commit_files(files)
    }

    fn take_files(&mut self, stage: &mut Stage<'_>) -> Result<Vec<PendingFile>> {
        let (files, irregular) =
            stage.take_files(&mut self.state.columns, &self.decoder.declared_columns())?;
        self.irregular += irregular;
        Ok(files)
    }

    fn commit_files(&mut self, files: Vec<PendingFile>) -> Result<()> {
        let mut days = BTreeSet::new();
        for file in &files {
            self.report.files += 1;
            self.report.bytes += file.file.bytes;
            days.extend(file.day.clone());
        }
        self.report.days.extend(days);
        let staging = self.staging();
        self.state.pending = (!files.is_empty()).then(|| Debt {
            staging,
            files,
            ..Debt::default()
        });
        self.commit_state()?;
        self.commits += 1;
        Ok(())
    }

    /// Commits days that were read again; the progress does not move.
    fn commit_days(&mut self, first: NaiveDate, last: NaiveDate) -> Result<()> {
        let files = match self.taking.take() {
            Some(Taking::Stream { mut stage, .. }) => self.take_files(&mut stage)?,
            _ => Vec::new(),
        };
        let pending = rebuild_days::stage(self.root, &self.topic.name, (first, last), self.staging(), files)?;
        if pending.exchanges.is_empty() {
            return Ok(());
        }
        for exchange in &pending.exchanges {
            self.report.files += exchange.files.len() as u64;
            self.report.bytes += exchange.files.iter().map(|file| file.bytes).sum::<u64>();
            self.report.days.insert(exchange.day.clone());
        }
        self.state.pending = Some(pending);
        self.commit_state()
    }

    /// Whether a stream's record of this day is taken; the others are counted.
    fn wants(&mut self, day: HivePartition) -> bool {
        let date = match day {
            HivePartition::Day(date) => Some(date),
            HivePartition::Null => None,
        };
        if self.state.has_purged(day) {
            self.below_retention += 1;
            return false;
        }
        match self.rebuild {
            Some(Rebuild::Days { first, last })
                if !date.is_some_and(|date| (first..=last).contains(&date)) =>
            {
                self.other_days += 1;
                false
            }
            _ => true,
        }
    }

    fn commit_state(&mut self) -> Result<()> {
        let paths = changed_since::note(self.root, &self.topic.name, &mut self.state)?;
        self.report.paths.get_or_insert_default().add(paths);
        commit::commit(self.root, self.settings, &self.topic.name, &mut self.state)
    }

    /// Whether the ledger holds the same state, and its time of the last complete drain is less than `lag_max_ms` older.
    fn same_as_on_disk(&self, lag_max_ms: i64) -> Result<bool> {
        let Some(mut known) = TopicState::load(self.root, &self.topic.name)? else {
            return Ok(false);
        };
        let recent = match (known.complete_ms, self.state.complete_ms) {
            (Some(known), Some(now)) => now.saturating_sub(known) < lag_max_ms,
            // Nothing depends on a stream's time.
            (known, now) => known == now || lag_max_ms == i64::MAX,
        };
        known.complete_ms = self.state.complete_ms;
        Ok(recent && known == self.state)
    }

    fn fill(&mut self, report: &mut TopicReport) {
        report.tombstones = self.tombstones;
        report.irregular = self.irregular;
        if let Some(problem) = self.undecoded.problem(self.topic, &self.settings.lake.prefix) {
            report.needs_a_person(problem);
        }
        report.below_retention = self.below_retention;
        report.erased = self.erased;
        report.other_days = self.other_days;
        let doubts = self.day.doubts();
        report.without_day.clone_from(&doubts.without_day);
        report.implausible_time.clone_from(&doubts.implausible);
        let today = HivePartition::Day(RecordDay::today(self.settings.lake.timezone));
        let past = |day: &&String| HivePartition::parse(day).is_some_and(|day| day < today);
        self.report.days_reopened = self.report.days.iter().filter(past).cloned().collect();
        report.target = TargetReport::Lake(std::mem::take(&mut self.report));
    }
}

impl Sink for TopicSink<'_> {
    fn progress(&self) -> Progress {
        self.state.progress()
    }

    fn begin(&mut self, plan: &DrainPlan, rebuild: Option<Rebuild>) -> Result<()> {
        self.rebuild = rebuild;
        if matches!(rebuild, Some(Rebuild::Days { .. })) {
            return Ok(());
        }
        if self.topic.kind == Kind::Table {
            agreement::check_rows(self.topic, &self.state, rebuild)?;
            self.state.unwrap = self.topic.value.unwrap;
            self.state.kept_keys = agreement::kept_keys(&self.topic.key);
        }
        if plan.generation != self.state.generation {
            self.state.next.clear();
            // Keys of a new table may have moved as well.
            if self.topic.kind == Kind::Table {
                self.state.complete_ms = None;
            }
        }
        self.state.generation = plan.generation;
        self.state.topic_id.clone_from(&plan.topic_id);
        self.state.last.clone_from(&plan.last);
        // A commit in the middle must hold all Kafka partitions, also those without a record so far, and the gaps that it
        // has passed.
        self.state
            .next
            .extend(plan.ranges.iter().map(|range| (range.partition, range.start)));
        self.state.add_gaps(&plan.gaps);
        self.is_first_drain = self.state.is_amid_first_drain();
        Ok(())
    }

    fn decoder(&self) -> Decoder {
        let decoder = self.decoder.clone();
        if self.day.is_by_field() || self.filter.wants_fields() {
            decoder.with_fields()
        } else {
            decoder
        }
    }

    fn take_all(&mut self, records: &[Record<'_>], decoded: &[Decoded<'_>]) -> Result<()> {
        records
            .iter()
            .zip(decoded)
            .try_for_each(|(record, decoded)| match self.topic.kind {
                Kind::Stream => self.take_stream(record, decoded),
                Kind::Table => self.take_table(record, decoded),
            })
    }

    fn warnings(&mut self) -> Vec<Problem> {
        match trash::kept(self.root, &self.topic.name) {
            Ok(kept) => kept
                .iter()
                .map(|path| purge::kept(&self.topic.name, path))
                .collect(),
            Err(error) => vec![Problem::of(&error)],
        }
    }

    fn commit(&mut self, drained: &Drained, report: &mut TopicReport) -> Result<()> {
        if let Some(Rebuild::Days { first, last }) = self.rebuild {
            self.commit_days(first, last)?;
            self.fill(report);
            return Ok(());
        }
        self.state.next = drained
            .partitions
            .iter()
            .map(|part| (part.partition, part.next))
            .collect();
        self.state.last.clone_from(&drained.last);
        if drained.complete {
            self.state.complete_ms = Some(drained.planned_ms);
        }
        match self.topic.kind {
            Kind::Table => self.commit_table()?,
            Kind::Stream => match self.taking.take() {
                Some(Taking::Stream { mut stage, .. }) => {
                    let files = self.take_files(&mut stage)?;
                    self.commit_files(files)?;
                }
                // Only the time of the last complete run has changed: that is not worth a write.
                _ if self.same_as_on_disk(i64::MAX)? => {}
                _ => self.commit_state()?,
            },
        }
        self.fill(report);
        Ok(())
    }
}
