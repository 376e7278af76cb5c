//! The way of a run: lock -> plan -> drain -> commit -> mirror -> report, the same for lake and warehouse.

use anyhow::{Result, anyhow};
use chrono::NaiveDate;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cli::{Common, DrainArgs, KindArg};
use crate::config::{Kind, Overrides, Settings, Topic, units};
use crate::exit::usage;
use crate::kafka::{self, Accept, Client, DrainPlan, From, Limits, OffsetRange, PartitionOffsets, TopicList};
use crate::progress::Progress as Bar;
use crate::report::{PartitionReport, Report, TargetReport, TopicReport};
use crate::select::{self, Selected};
use crate::sink::{Drained, Progress, Rebuild, Sink, Target};
use crate::stop::Stop;

/// What flags say about a run, read once.
#[derive(Debug)]
pub struct Options {
    pub patterns: Vec<String>,
    pub kind: Option<Kind>,
    pub limits: Limits,
    pub wait: Duration,
    pub from: Option<FromArg>,
    pub accept: Accept,
    pub rebuild: Option<RebuildArg>,
    pub dry_run: bool,
    /// Whether bars may be drawn on stderr.
    pub bars: bool,
}

/// What `--rebuild` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebuildArg {
    /// Whole tables.
    Tables,
    /// These days of streams, both included.
    Days { first: NaiveDate, last: NaiveDate },
}

impl RebuildArg {
    /// `2025-10-01..2025-10-07`, or one day alone.
    pub fn days(text: &str) -> Result<RebuildArg> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let day = |text: &str| units::date(text).map_err(|e| usage(format!("--rebuild: {e}")));
        let (first, last) = (day(first)?, day(last)?);
        match first <= last {
            true => Ok(RebuildArg::Days { first, last }),
            false => Err(usage(format!(
                "--rebuild {text}: the first day is after the last"
            ))),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub enum FromArg {
    Earliest,
    Latest,
    Time(i64),
}

impl Options {
    pub fn new(common: &Common, args: &DrainArgs, settings: &Settings, stop: &Stop) -> Result<Options> {
        let zone = settings.lake.timezone;
        let flag = |name: &str, error: anyhow::Error| usage(format!("{name}: {error}"));
        let duration = |name: &str, text: &Option<String>| {
            text.as_deref()
                .map(units::duration)
                .transpose()
                .map_err(|e| flag(name, e))
        };
        let from = match args.from.as_deref() {
            None => None,
            Some("earliest") => Some(FromArg::Earliest),
            Some("latest") => Some(FromArg::Latest),
            Some(text) => Some(FromArg::Time(
                units::time_ms(text, zone).map_err(|e| flag("--from", e))?,
            )),
        };
        let until = args
            .until
            .as_deref()
            .map(|text| units::time_ms(text, zone))
            .transpose();
        Ok(Options {
            patterns: args.topics.clone(),
            kind: args.kind.map(|kind| match kind {
                KindArg::Stream => Kind::Stream,
                KindArg::Table => Kind::Table,
            }),
            limits: Limits {
                records_left: args.max_messages,
                deadline: duration("--max-duration", &args.max_duration)?.map(|d| Instant::now() + d),
                until_ms: until.map_err(|e| flag("--until", e))?,
                silence_max: settings.kafka.timeout,
                stop: stop.clone(),
            },
            wait: duration("--wait", &args.wait)?.unwrap_or_default(),
            from,
            accept: Accept {
                gap: args.accept_gap,
                recreated: args.accept_recreated,
            },
            rebuild: None,
            dry_run: common.dry_run,
            bars: !common.json && !common.quiet,
        })
    }

    /// A rebuild reads all there is, or it would replace good data by less.
    pub fn check_rebuild(&self) -> Result<()> {
        let limited = self.limits.records_left.is_some()
            || self.limits.deadline.is_some()
            || self.limits.until_ms.is_some()
            || self.from.is_some();
        match self.rebuild.is_some() && limited {
            true => Err(usage(
                "--rebuild reads its topics from end to end: leave --from, --until and --max-* out",
            )),
            false => Ok(()),
        }
    }
}

/// What the flags of lake and warehouse say over the configuration.
pub fn overrides(args: &DrainArgs) -> Overrides {
    Overrides {
        brokers: args.brokers.clone(),
        group: args.group.clone(),
        kafka_options: args.options.clone(),
        ..Overrides::default()
    }
}

/// Finds the topics of a run; those that Kafka doesn't have stand in the report as failed.
pub fn choose(
    settings: &Settings,
    options: &Options,
    tables_only: bool,
    empty: &TargetReport,
    client: &Client,
    report: &mut Report,
) -> Result<(Vec<Topic>, TopicList)> {
    let live = client.topics()?;
    let request = select::Request {
        patterns: &options.patterns,
        kind: options.kind,
        tables_only,
    };
    let mut topics = Vec::new();
    for selected in select::select(settings, request, client, &live)? {
        match selected {
            Selected::Topic(topic) => topics.push(topic),
            Selected::Missing { topic, kind, error } => {
                let mut failed = TopicReport::new(&topic, kind, empty.clone());
                failed.fail(&error);
                report.topics.push(failed);
            }
        }
    }
    let partitions = topics
        .iter()
        .map(|topic| (topic.name.clone(), live[&topic.name].clone()))
        .collect();
    Ok((topics, partitions))
}

/// Says what a run would read, and touches nothing. `target` is None where there is no lake yet.
pub fn preview<T: Target>(
    target: Option<&T>,
    topics: &[Topic],
    partitions: &TopicList,
    options: &Options,
    empty: &TargetReport,
    client: &Client,
    report: &mut Report,
) -> Result<()> {
    let seen = Seen::look(client, partitions)?;
    for topic in topics {
        let mut line = TopicReport::new(&topic.name, topic.kind, empty.clone());
        let progress = target.map_or_else(|| Ok(Progress::default()), |target| target.progress(topic));
        let planned = progress.and_then(|progress| {
            plan_topic(
                client,
                topic,
                &seen,
                &progress,
                options,
                &mut line,
                &mut report.warnings,
            )
        });
        match planned {
            Ok((plan, _)) => {
                line.held = plan.held;
                line.gaps = plan.gaps.clone();
                line.remaining = plan.len();
                let part = |r: &OffsetRange| PartitionReport {
                    partition: r.partition,
                    start: r.start,
                    next: r.start,
                    end: r.end,
                };
                line.partitions = plan.ranges.iter().map(part).collect();
            }
            Err(error) => line.fail(&error),
        }
        report.topics.push(line);
    }
    Ok(())
}

/// Drains topics into a target. A topic that fails or is locked does not stop the others.
pub fn drain_topics<T: Target>(
    target: &T,
    topics: &[Topic],
    partitions: &TopicList,
    options: &mut Options,
    empty: &TargetReport,
    client: &Client,
    report: &mut Report,
) -> Result<()> {
    // All locks come before the ends: another run's progress must not lie past the ends that this one sees.
    let mut opened = Vec::new();
    for topic in topics {
        let mut line = TopicReport::new(&topic.name, topic.kind, empty.clone());
        match target.open(topic, &report.run_id, options.wait) {
            Ok(Ok(sink)) => opened.push((topic, sink, line)),
            Ok(Err(holder)) => {
                line.lock_out(holder);
                report.topics.push(line);
            }
            Err(error) => {
                line.fail(&error);
                report.topics.push(line);
            }
        }
    }
    let locked: TopicList = opened
        .iter()
        .map(|(topic, ..)| (topic.name.clone(), partitions[&topic.name].clone()))
        .collect();
    let seen = Seen::look(client, &locked)?;
    let mut mirror = Vec::new();
    for (topic, mut sink, mut line) in opened {
        match drain_topic(
            client,
            topic,
            &seen,
            &mut sink,
            options,
            &mut line,
            &mut report.warnings,
        ) {
            Ok(drained) => {
                mirror.extend(
                    drained
                        .partitions
                        .iter()
                        .map(|part| (topic.name.clone(), part.partition, part.next)),
                );
            }
            Err(error) => line.fail(&error),
        }
        for warning in sink.warnings() {
            report.warn(format!("topic {}: {warning}", topic.name));
        }
        report.topics.push(line);
    }
    report.topics.sort_by(|a, b| a.topic.cmp(&b.topic));
    // Progress is safe where it belongs: a mirror that fails is worth a word, not a failure.
    if let Err(error) = client.mirror(&mirror) {
        report.warn(format!("{error:#}"));
    }
    Ok(())
}

/// What Kafka said of the run's topics when it began.
struct Seen {
    offsets: BTreeMap<String, Vec<PartitionOffsets>>,
    ids: BTreeMap<String, String>,
    at_ms: i64,
}

impl Seen {
    fn look(client: &Client, topics: &TopicList) -> Result<Seen> {
        let names: Vec<String> = topics.keys().cloned().collect();
        let at_ms = chrono::Utc::now().timestamp_millis();
        Ok(Seen {
            ids: client.topic_ids(&names)?,
            offsets: client.offsets(topics)?,
            at_ms,
        })
    }
}

fn plan_topic(
    client: &Client,
    topic: &Topic,
    seen: &Seen,
    progress: &Progress,
    options: &Options,
    line: &mut TopicReport,
    warnings: &mut Vec<String>,
) -> Result<(DrainPlan, Option<Rebuild>)> {
    let offsets = seen.offsets.get(&topic.name).map_or(&[][..], Vec::as_slice);
    let topic_id = seen.ids.get(&topic.name).map(String::as_str);
    let mut progress = progress.clone();
    let rebuild = match options.rebuild {
        Some(RebuildArg::Days { first, last }) => {
            let plan = rebuild_plan(topic, offsets, topic_id, &progress, seen.at_ms)?;
            return Ok((plan, Some(Rebuild::Days { first, last })));
        }
        Some(RebuildArg::Tables) => {
            let anew = matches!((topic_id, &progress.topic_id), (Some(now), Some(then)) if now != then);
            // Read from its start, a table needs no progress; its generation still tells one topic from the next.
            progress = Progress {
                generation: progress.generation.max(1) + u32::from(anew),
                ..Progress::default()
            };
            Some(rebuild_kind(client, topic)?)
        }
        None => {
            check_table(client, topic, offsets, &progress, seen.at_ms, line, warnings)?;
            None
        }
    };
    let from = from(client, topic, &progress, offsets, options)?;
    let mut plan = kafka::plan(&topic.name, offsets, topic_id, &progress, &from, options.accept)?;
    plan.planned_ms = seen.at_ms;
    if !plan.gaps.is_empty() || plan.generation > progress.generation.max(1) {
        line.needs_attention();
    }
    Ok((plan, rebuild))
}

fn from(
    client: &Client,
    topic: &Topic,
    progress: &Progress,
    offsets: &[PartitionOffsets],
    options: &Options,
) -> Result<From> {
    match options.from {
        None => Ok(From::Earliest),
        Some(_) if !progress.next.is_empty() => Err(usage(format!(
            "--from: topic {} has progress already, and going back would double its records; leave --from out, \
             or use --rebuild to read days again",
            topic.name
        ))),
        Some(FromArg::Earliest) => Ok(From::Earliest),
        Some(FromArg::Latest) => Ok(From::Latest),
        Some(FromArg::Time(ms)) => {
            let partitions: Vec<i32> = offsets.iter().map(|at| at.partition).collect();
            Ok(From::Time {
                ms,
                offsets: client.offsets_at(&topic.name, &partitions, ms)?,
            })
        }
    }
}

/// A table is only as good as its fold: what Kafka forgot or moved since the last run makes it wrong.
fn check_table(
    client: &Client,
    topic: &Topic,
    offsets: &[PartitionOffsets],
    progress: &Progress,
    now_ms: i64,
    line: &mut TopicReport,
    warnings: &mut Vec<String>,
) -> Result<()> {
    if topic.kind != Kind::Table || progress.next.is_empty() {
        return Ok(());
    }
    if offsets
        .iter()
        .any(|at| !progress.next.contains_key(&at.partition))
    {
        return Err(anyhow!(
            "topic {} has gained Kafka partitions: its keys may have moved, and the order of their updates can't be \
             told from offsets any more. Run again with --rebuild --topics {0}",
            topic.name
        ));
    }
    let Some(complete_ms) = progress.complete_ms else {
        return Ok(());
    };
    let settings = client.topic_settings(&topic.name)?;
    let compacted = settings
        .get("cleanup.policy")
        .is_some_and(|policy| policy.contains("compact"));
    let kept_ms = settings
        .get("delete.retention.ms")
        .and_then(|text| text.parse::<i64>().ok());
    if let (true, Some(kept_ms)) = (compacted, kept_ms)
        && now_ms.saturating_sub(complete_ms) > kept_ms
    {
        line.needs_attention();
        line.tombstones_forgotten = true;
        warnings.push(format!(
            "topic {}: the last complete run was longer ago than Kafka keeps tombstones (delete.retention.ms = {kept_ms}): \
             deleted keys may still stand in the table. Run with --rebuild --topics {0}",
            topic.name
        ));
    }
    Ok(())
}

/// Days are read again from what lies below the progress, and nothing beyond it.
fn rebuild_plan(
    topic: &Topic,
    offsets: &[PartitionOffsets],
    topic_id: Option<&str>,
    progress: &Progress,
    now_ms: i64,
) -> Result<DrainPlan> {
    if progress.next.is_empty() {
        return Err(usage(format!(
            "--rebuild: topic {} has never been drained, there is nothing to rebuild",
            topic.name
        )));
    }
    // Only to notice a topic that was made anew: its offsets are not those of the days.
    kafka::plan(
        &topic.name,
        offsets,
        topic_id,
        progress,
        &From::Earliest,
        Accept {
            gap: true,
            recreated: false,
        },
    )?;
    let range = |at: &PartitionOffsets| {
        let end = progress
            .next
            .get(&at.partition)
            .copied()
            .unwrap_or(at.low)
            .min(at.stable_end);
        OffsetRange {
            partition: at.partition,
            start: at.low.min(end),
            end,
        }
    };
    Ok(DrainPlan {
        ranges: offsets.iter().map(range).collect(),
        generation: progress.generation.max(1),
        topic_id: progress.topic_id.clone(),
        planned_ms: now_ms,
        ..DrainPlan::default()
    })
}

fn rebuild_kind(client: &Client, topic: &Topic) -> Result<Rebuild> {
    let settings = client.topic_settings(&topic.name)?;
    let expires = settings
        .get("cleanup.policy")
        .is_some_and(|policy| policy.contains("compact") && policy.contains("delete"));
    Ok(if expires {
        Rebuild::KeepAbsent
    } else {
        Rebuild::DropAbsent
    })
}

fn drain_topic<S: Sink>(
    client: &Client,
    topic: &Topic,
    seen: &Seen,
    sink: &mut S,
    options: &mut Options,
    line: &mut TopicReport,
    warnings: &mut Vec<String>,
) -> Result<Drained> {
    let (plan, rebuild) = plan_topic(client, topic, seen, &sink.progress(), options, line, warnings)?;
    line.held = plan.held;
    line.gaps = plan.gaps.clone();
    sink.begin(&plan, rebuild)?;
    let bar = Bar::start(&topic.name, plan.len(), options.bars);
    let outcome = kafka::drain(client, &topic.name, &plan, &mut options.limits, &mut |record| {
        bar.advance(record.value.map_or(0, <[u8]>::len));
        sink.take(record)
    })?;
    bar.finish();
    let mut drained = outcome.drained;
    if rebuild.is_some() && !drained.complete {
        return Err(anyhow!(
            "topic {}: the rebuild was stopped before its end; nothing was replaced",
            topic.name
        ));
    }
    // Until a rebuild has mended the table, no run of it is complete.
    drained.complete &= !line.tombstones_forgotten;
    account(line, &drained, outcome.before_from);
    sink.commit(&drained, line)?;
    Ok(drained)
}

/// The report's numbers that follow from offsets alone.
fn account(line: &mut TopicReport, drained: &Drained, before_from: u64) {
    line.before_from = before_from;
    for part in &drained.partitions {
        let gap = line.gaps.iter().find(|gap| gap.partition == part.partition);
        line.read += part.read;
        line.skipped_offsets += (part.next - part.start).unsigned_abs() - part.read;
        line.remaining += (part.end - part.next).max(0).unsigned_abs();
        line.partitions.push(PartitionReport {
            partition: part.partition,
            start: gap.map_or(part.start, |gap| gap.from),
            next: part.next,
            end: part.end,
        });
    }
}
