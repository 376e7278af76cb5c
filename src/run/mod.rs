//! A run into lake or warehouse, the same for both: lock -> plan -> read -> take -> commit -> mirror -> report.

mod commit_queue;
mod kafka_facts;
mod options;
mod plan_topic;
mod same_logs;
pub mod select;
mod waves;

use anyhow::Result;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::config::{Kind, Settings, Topic};
use crate::kafka::{Client, ReadOutcome, Reading};
use crate::lake::layout::paths::topic_folder;
use crate::locked::Locked;
use crate::print::bars::TopicBar as Bar;
use crate::problem::{Problem, ProblemSubject};
use crate::record::{Gap, OffsetRange, Progress};
use crate::report::{PartitionReport, Report, Status, TargetReport, TimeDoubt, TopicReport};
use crate::target::{NoRoom, Rebuild, Sink, Target};
use crate::words::count;
use commit_queue::{Commits, Ended};
use kafka_facts::KafkaFacts;
pub use options::{RebuildRequest, RunOptions, StartPosition};
pub use same_logs::compare_logs;
use select::Selected;
use waves::waves;

/// How long to wait for room at the target if no topic of this run is open, so that others have to make it.
const ROOM_WAIT: Duration = Duration::from_secs(20);
const ROOM_PAUSE: Duration = Duration::from_millis(200);

/// A run of lake or warehouse.
#[derive(Debug)]
pub struct Run<'a> {
    pub client: &'a Client,
    pub options: RunOptions,
    /// The target's part of a topic's report, before anything happened.
    pub empty: TargetReport,
    pub report: &'a mut Report,
}

/// The topics of a run, with their Kafka partitions.
pub type Chosen = Vec<(Topic, Vec<i32>)>;

impl<'a> Run<'a> {
    /// Finds the topics of the run. Those that Kafka doesn't have are put into the report as failed.
    pub fn choose(&mut self, settings: &Settings, tables_only: bool) -> Result<Chosen> {
        let live = self.client.topics()?;
        let (patterns, kind) = (&self.options.patterns[..], self.options.kind);
        let request = select::Request {
            patterns,
            kind,
            tables_only,
        };
        let mut chosen = Vec::new();
        for selected in select::select(settings, request, self.client, &live)? {
            match selected {
                Selected::Topic(topic) => {
                    let partitions = live[&topic.name].clone();
                    // Without Kafka partitions a run would read nothing and report success.
                    if partitions.is_empty() {
                        let error = Problem::new(
                            "Kafka names none of its Kafka partitions: it may be making or deleting the topic",
                        )
                        .about_topic(&topic.name)
                        .fix("look at it with kafka-topics --describe, and run again");
                        self.fail(&topic.name, topic.kind, &error.into());
                    } else {
                        chosen.push((*topic, partitions));
                    }
                }
                Selected::Missing { topic, kind, error } => self.fail(&topic, kind, &error),
            }
        }
        Ok(chosen)
    }

    fn fail(&mut self, topic: &str, kind: Kind, error: &anyhow::Error) {
        let mut failed = TopicReport::new(topic, kind, self.empty.clone());
        failed.fail(error);
        self.report.topics.push(failed);
    }

    /// Reports that none of the topics can be drained.
    pub fn fail_all(&mut self, chosen: &Chosen, error: &anyhow::Error) {
        for (topic, _) in chosen {
            let mut line = self.line(topic);
            line.fail(error);
            self.report.topics.push(line);
        }
    }

    fn line(&self, topic: &Topic) -> TopicReport {
        let mut line = TopicReport::new(&topic.name, topic.kind, self.empty.clone());
        line.into = match &mut line.target {
            TargetReport::Warehouse(warehouse) => {
                warehouse.table.clone_from(&topic.table);
                topic.table.clone()
            }
            _ => topic_folder(topic.kind, &topic.name),
        };
        line
    }

    /// Reports what the run would read, and changes nothing. `target` is None if there is no lake yet.
    pub fn preview<T: Target>(&mut self, target: Option<&T>, chosen: &Chosen) -> Result<()> {
        let seen = KafkaFacts::look(
            self.client,
            chosen.iter().map(|(topic, partitions)| (topic, partitions)),
        )?;
        for (topic, _) in chosen {
            let mut line = self.line(topic);
            let progress = target.map_or_else(|| Ok(Progress::default()), |target| target.progress(topic));
            let planned = progress.and_then(|progress| self.plan(topic, &seen, &progress, false, &mut line));
            let accepted = planned.and_then(|(plan, rebuild)| {
                target.map_or(Ok(()), |target| target.check_begin(topic, rebuild))?;
                Ok((plan, rebuild))
            });
            match accepted {
                Ok((plan, rebuild)) => {
                    let part = |range: &OffsetRange| {
                        let start = before_gap(&line.gaps, range.partition, range.start);
                        PartitionReport {
                            partition: range.partition,
                            start,
                            next: start,
                            end: range.end,
                        }
                    };
                    line.partitions = plan.ranges.iter().map(part).collect();
                    line.remaining = plan.len();
                    line.replaces = rebuild.map(|rebuild| rebuild.replaces(&line.into));
                }
                Err(error) => line.fail(&error),
            }
            self.report.topics.push(line);
        }
        Ok(())
    }

    /// Opens the topic, and waits up to `room_wait` for room at the target.
    fn open<'t, T: Target>(
        &self,
        target: &'t T,
        topic: &'t Topic,
        room_wait: Duration,
    ) -> Result<Locked<T::Sink<'t>>> {
        let deadline = Instant::now() + room_wait;
        loop {
            match self.take_lock(target, topic) {
                Err(error) if NoRoom::is_in(&error) && self.may_wait(deadline) => {
                    std::thread::sleep(ROOM_PAUSE);
                }
                opened => return opened,
            }
        }
    }

    fn may_wait(&self, deadline: Instant) -> bool {
        Instant::now() < deadline && self.options.limits.stop.signal().is_none()
    }

    /// Takes the topic's lock, and waits for it as long as `--wait` says.
    fn take_lock<'t, T: Target>(&self, target: &'t T, topic: &'t Topic) -> Result<Locked<T::Sink<'t>>> {
        let mut waiting = None;
        self.options.limits.stop.attempt(self.options.wait, |step| {
            let opened = target.open(topic, &self.report.run_id, step)?;
            if let (Locked::HeldBy(holder), false) = (&opened, step.is_zero()) {
                waiting.get_or_insert_with(|| self.options.display.waiting(&topic.name, holder));
            }
            Ok(opened)
        })
    }

    /// Drains topics into a target. The others go on if a topic fails or is locked.
    pub fn drain<T: Target>(&mut self, target: &T, chosen: &Chosen) -> Result<()> {
        let mut mirror = Vec::new();
        let drained = self.drain_waves(target, chosen, &mut mirror);
        self.report.topics.sort_by(|a, b| a.topic.cmp(&b.topic));
        if let Some(warning) = self.client.slowed_down() {
            self.report.warn_of(warning);
        }
        // The target has the progress: a mirror that fails is only worth a warning.
        if let Err(error) = self.client.mirror(&mirror) {
            self.report.warn_of(Problem::of(&error));
        }
        drained
    }

    fn drain_waves<T: Target>(
        &mut self,
        target: &T,
        chosen: &Chosen,
        mirror: &mut Vec<(String, i32, i64)>,
    ) -> Result<()> {
        let places = chosen.iter().map(|(topic, _)| self.line(topic).into);
        let mut waves = VecDeque::from(waves(places, T::OPEN_MAX));
        while let Some(mut wave) = waves.pop_front() {
            let topics: Vec<_> = wave.iter().map(|&at| &chosen[at]).collect();
            let opened = self.drain_wave(target, &topics, mirror)?;
            let no_room = wave.split_off(opened);
            if !no_room.is_empty() {
                waves.push_front(no_room);
            }
            let left: usize = waves.iter().map(Vec::len).sum();
            if self.options.limits.stop.signal().is_some() && left > 0 {
                self.report.warn(format!(
                    "stopped before {} were read; the next run takes them",
                    count(left as u64, "topic")
                ));
                break;
            }
        }
        Ok(())
    }

    /// Drains topics that are open together. Returns how many: for the others the target had no room yet.
    fn drain_wave<T: Target>(
        &mut self,
        target: &T,
        wave: &[&(Topic, Vec<i32>)],
        mirror: &mut Vec<(String, i32, i64)>,
    ) -> Result<usize> {
        // All locks are taken before the ends are asked for: another run's progress must not lie past them.
        let mut opened = Vec::new();
        let mut tried = 0;
        let mut room_wait = ROOM_WAIT;
        for (topic, partitions) in wave {
            let mut line = self.line(topic);
            match self.open(target, topic, room_wait) {
                Ok(Locked::Ours(sink)) => {
                    opened.push((topic, partitions, sink, line));
                    // From here on this run itself makes room.
                    room_wait = Duration::ZERO;
                    tried += 1;
                    continue;
                }
                Err(error) if NoRoom::is_in(&error) && !opened.is_empty() => break,
                Ok(Locked::HeldBy(holder)) => line.lock_out(holder),
                Err(error) => {
                    if NoRoom::is_in(&error) {
                        room_wait = Duration::ZERO;
                    }
                    line.fail(&error);
                }
            }
            self.report.topics.push(line);
            tried += 1;
        }
        let asked = opened.iter().map(|(topic, partitions, ..)| (*topic, *partitions));
        let seen = match KafkaFacts::look(self.client, asked) {
            Ok(seen) => seen,
            Err(error) => {
                self.report
                    .topics
                    .extend(opened.into_iter().map(|(.., mut line)| {
                        line.fail(&error);
                        line
                    }));
                return Err(error);
            }
        };
        let beside = opened.len() >= commit_queue::TOPICS_MIN;
        let mut turns = opened
            .into_iter()
            .map(|(topic, _, sink, line)| Turn { topic, sink, line });
        std::thread::scope(|scope| {
            let mut commits = Commits::new(scope);
            // Shown until the next topic's bar, or until all commits have ended.
            let mut bar = None;
            let mut coming = self.start(turns.next(), &seen);
            while let Some((mut turn, started)) = coming {
                drop(bar.take());
                let rebuilds = started.as_ref().is_ok_and(|(_, rebuild)| rebuild.is_some());
                let alone = rebuilds || turn.sink.wants_to_be_alone();
                if alone {
                    for ended in commits.rest() {
                        self.settle(ended, mirror);
                    }
                }
                let outcome = started.and_then(|started| self.read(&mut turn, started, &mut bar));
                // Kafka sends the next topic's records while this topic is committed.
                coming = self.start(turns.next(), &seen);
                for ended in commits.add(turn, outcome, beside && !alone) {
                    self.settle(ended, mirror);
                }
            }
            for ended in commits.rest() {
                self.settle(ended, mirror);
            }
        });
        Ok(tried)
    }

    /// Puts the result of a topic into the report.
    fn settle(&mut self, ended: Ended, mirror: &mut Vec<(String, i32, i64)>) {
        let topic = ProblemSubject::topic(&ended.line.topic);
        for warning in ended.warnings.into_iter().chain(wants_a_person(&ended.line)) {
            let subject = warning.subject.clone().unwrap_or_else(|| topic.clone());
            self.report.warn_of(warning.about(subject));
        }
        mirror.extend(ended.next);
        self.report.topics.push(ended.line);
    }

    /// Plans a topic's drain, and lets Kafka begin to send its records.
    fn start<'t, S: Sink>(
        &mut self,
        turn: Option<Turn<'t, S>>,
        seen: &KafkaFacts,
    ) -> Option<(Turn<'t, S>, Result<Started<'t>>)>
    where
        'a: 't,
    {
        let mut turn = turn?;
        let planned = self.plan(turn.topic, seen, &turn.sink.progress(), true, &mut turn.line);
        let started = planned.and_then(|(plan, rebuild)| {
            let plan = turn.sink.suit(plan, rebuild);
            let reading = Reading::start(self.client, &turn.topic.name, plan, &self.options.limits)?;
            Ok((reading, rebuild))
        });
        Some((turn, started))
    }

    fn read<S: Sink>(
        &mut self,
        turn: &mut Turn<'_, S>,
        (reading, rebuild): Started<'_>,
        bar: &mut Option<Bar>,
    ) -> Result<ReadOutcome> {
        let topic = &turn.topic.name;
        turn.sink.begin(reading.plan(), rebuild)?;
        let bar = bar.insert(self.options.display.topic(topic, reading.plan()));
        let mut decoder = turn.sink.decoder();
        let mut outcome = reading.read(&mut self.options.limits, &mut |records| {
            records.iter().for_each(|record| bar.advance(record));
            let mut decoded = Vec::with_capacity(records.len());
            for record in records {
                decoded.push(decoder.decode(record)?);
            }
            turn.sink.take_all(records, &decoded)?;
            decoder.take_back(decoded);
            Ok(())
        })?;
        bar.committing();
        if outcome.nothing_came {
            turn.line.needs_attention();
            let what = "the time of the run was over (--max-duration) before Kafka sent any of its records";
            let fix = "give runs more time, and look whether Kafka is slow or a quota holds for this client";
            self.report
                .warn_of(Problem::new(what).about_topic(topic).fix(fix));
        }
        if rebuild.is_some() && !outcome.drained.complete {
            return Problem::new("the rebuild was stopped before its end, and nothing was replaced")
                .about_topic(topic)
                .fix("run it again")
                .err();
        }
        // No run is complete until a rebuild has mended the table.
        outcome.drained.complete &= !turn.line.tombstones_forgotten;
        Ok(outcome)
    }
}

/// A topic under its lock, until it is committed.
struct Turn<'t, S> {
    topic: &'t Topic,
    sink: S,
    line: TopicReport,
}

/// A read that Kafka has begun to send, and the rebuild that it is for.
type Started<'t> = (Reading<'t>, Option<Rebuild>);

/// Warnings on what the report counts, with what to do.
fn wants_a_person(line: &TopicReport) -> Vec<Problem> {
    let mut warnings = line.to_look_at.clone();
    warnings.extend(line.without_day.as_ref().map(TimeDoubt::of_no_day));
    let implausible = line.implausible_time.as_ref();
    warnings.extend(implausible.map(|doubt| doubt.of_implausible(&line.target)));
    if let TargetReport::Warehouse(warehouse) = &line.target
        && warehouse.rejected > 0
    {
        warnings.push(
            Problem::new(format!(
                "{} rejected, and the rows of those keys were left as they were",
                match warehouse.rejected {
                    1 => "1 record was".to_owned(),
                    n => format!("{n} records were"),
                }
            ))
            .fix(format!(
                "look at them: SELECT `partition`, `offset`, reason FROM lakectl_rejects WHERE topic = '{}'",
                line.topic
            )),
        );
    }
    let lost: u64 = line
        .gaps
        .iter()
        .map(|gap| (gap.to - gap.from).unsigned_abs())
        .sum();
    if lost > 0 && line.status == Status::Ok {
        warnings.push(
            Problem::new(format!(
                "{lost} offsets are lost: Kafka had deleted them before they were read"
            ))
            .fix("keep records longer in Kafka (retention.ms), or run more often"),
        );
    }
    warnings
}

/// Where the Kafka partition's gap begins, or `start` if it has none.
fn before_gap(gaps: &[Gap], partition: i32, start: i64) -> i64 {
    gaps.iter()
        .find(|gap| gap.partition == partition)
        .map_or(start, |gap| gap.from)
}
