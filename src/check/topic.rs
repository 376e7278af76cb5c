//! Checks one topic after the other: whether it exists, whether Kafka keeps it as its kind needs, what its records look
//! like, and what the next run would say.

use anyhow::Result;
use std::collections::BTreeMap;

use super::broker::Broker;
use super::scope::{CheckedTopic, ToCome};
use super::{CheckScope, Checks, sample, table};
use crate::config::{Kind, closest};
use crate::kafka::{PartitionOffsets, TopicList};
use crate::lake::Lake;
use crate::print::bars::Display;
use crate::problem::Problem;
use crate::report::{LakeReport, Report, TargetReport, TopicReport, WarehouseReport};
use crate::run::{Run, RunOptions};
use crate::target::Target;
use crate::warehouse::Warehouse;
use crate::words::count;

/// Cron can't run lakectl reliably if Kafka keeps records for less than this.
const KEPT_MIN_MS: i64 = 3_600_000;
/// About how many bytes a line of the lake has beside key and value.
const LINE_OVERHEAD_BYTES: u64 = 100;

/// What to do if an error doesn't say it.
const OTHERWISE: &str = "see what a run says: --dry-run";

/// What has answered.
pub(super) struct Sides<'a> {
    pub(super) kafka: Option<&'a Broker>,
    pub(super) warehouse: Option<&'a Warehouse>,
    pub(super) lake: Option<&'a super::place::Opened<'a>>,
}

pub(super) fn look(
    scope: &CheckScope<'_>,
    topics: &[CheckedTopic],
    sides: &Sides<'_>,
    checks: &mut Checks,
) -> Result<ToCome> {
    let mut to_come = ToCome::default();
    for subject in topics {
        if scope.stop.signal().is_some() {
            break;
        }
        let one = one(scope, subject, sides, checks)?;
        to_come.records += one.records;
        to_come.bytes += one.bytes;
    }
    Ok(to_come)
}

fn one(
    scope: &CheckScope<'_>,
    subject: &CheckedTopic,
    sides: &Sides<'_>,
    checks: &mut Checks,
) -> Result<ToCome> {
    let warehouse = sides.warehouse.filter(|_| subject.goes_to_warehouse(scope));
    let partitions = sides.kafka.and_then(|kafka| exists(kafka, subject, checks));
    let mut trial = warehouse.and_then(|warehouse| table::begin(warehouse, subject, checks));
    let (Some(kafka), Some(partitions)) = (sides.kafka, partitions) else {
        return Ok(ToCome::default());
    };
    kept(kafka, subject, checks);
    let mut record_bytes = None;
    match offsets(kafka, subject, &partitions) {
        Err(error) => checks.error(
            (subject.name(), "offsets"),
            &error,
            "look at the brokers that lead this topic",
        ),
        Ok(offsets) if scope.request.sample > 0 => {
            match sample::read(scope, &kafka.client, subject, &offsets, trial.as_mut()) {
                Ok(sample) => {
                    record_bytes = sample.bytes.checked_div(sample.records);
                    judge(subject, &sample, checks);
                    if let Some(trial) = trial.take().filter(|_| sample.records > 0) {
                        table::finish(trial, subject, checks);
                    }
                }
                Err(error) => checks.error(
                    (subject.name(), "sample"),
                    &error,
                    "look at the brokers that lead this topic",
                ),
            }
        }
        Ok(_) => {}
    }
    let table_fits = !checks.has_wrong(subject.name(), "table");
    if let Some(warehouse) = warehouse.filter(|_| table_fits) {
        let empty = TargetReport::Warehouse(WarehouseReport::default());
        let line = next_run(scope, kafka, Some(warehouse), (subject, &partitions), empty);
        ahead((subject, "warehouse"), line, checks);
    }
    let Some(lake) = sides.lake.filter(|_| subject.goes_to_lake(scope)) else {
        return Ok(ToCome::default());
    };
    let empty = TargetReport::Lake(LakeReport::default());
    let line = next_run::<Lake<'_>>(scope, kafka, lake.lake.as_ref(), (subject, &partitions), empty);
    let records = ahead((subject, "lake"), line, checks);
    let each = record_bytes.unwrap_or(0) + LINE_OVERHEAD_BYTES;
    Ok(ToCome {
        records,
        bytes: records.saturating_mul(each),
    })
}

fn exists(kafka: &Broker, subject: &CheckedTopic, checks: &mut Checks) -> Option<Vec<i32>> {
    let place = (subject.name(), "topic");
    match kafka.client.leadership(subject.name()) {
        Err(error) => checks.error(place, &error, "look at the brokers"),
        Ok(None) => {
            let names = kafka
                .live
                .keys()
                .map(String::as_str)
                .filter(|name| !name.starts_with('_'));
            let fix = match closest(subject.name(), names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "create it, or take its entry out of the configuration".to_owned(),
            };
            checks.wrong(place, "Kafka has no such topic, or doesn't show it to us", fix);
        }
        Ok(Some(seen)) if !seen.leaderless.is_empty() => {
            let which: Vec<String> = seen.leaderless.iter().map(i32::to_string).collect();
            checks.wrong(
                place,
                format!("Kafka partitions without a leader: {}", which.join(", ")),
                "start the brokers that have them; runs fail until then",
            );
        }
        Ok(Some(seen)) => {
            let partitions = count(seen.partitions.len() as u64, "Kafka partition");
            checks.ok(place, format!("{}, {partitions}", subject.topic.kind));
            return Some(seen.partitions);
        }
    }
    None
}

/// Checks how long Kafka keeps unread records, and whether that fits the topic's kind.
fn kept(kafka: &Broker, subject: &CheckedTopic, checks: &mut Checks) {
    let place = (subject.name(), "kept");
    let asked = [subject.name().to_owned()];
    let settings = match kafka.client.topic_settings(&asked).remove(subject.name()) {
        Some(Ok(settings)) => settings,
        Some(Err(error)) => return checks.unknown(place, error),
        None => return checks.unknown(place, "Kafka does not give its settings"),
    };
    let (compacts, retention) = (settings.compacts(), settings.kept_ms());
    let kind = subject.topic.kind;
    let alter = |setting: &str| {
        format!(
            "kafka-configs --alter --topic {} --add-config {setting}",
            subject.name()
        )
    };
    if compacts && subject.guessed {
        return checks.wrong(
            place,
            "the topic is compacted, so it may be a table: a run would ask",
            format!(
                "give it a [topics.{}] entry with its kind, or say --kind",
                subject.name()
            ),
        );
    }
    if kind == Kind::Table && !compacts && retention.is_some() {
        let after = span(retention.unwrap_or(0));
        return checks.wrong(
            place,
            format!("Kafka deletes the records of this table after {after}, also those of keys that are still valid"),
            format!("{}, or kind = \"stream\"", alter("cleanup.policy=compact")),
        );
    }
    let mut message = match retention {
        Some(ms) => format!("cleanup.policy {}, records for {}", settings.policy(), span(ms)),
        None => format!("cleanup.policy {}, records for ever", settings.policy()),
    };
    if let Some(bytes) = settings.kept_bytes() {
        message.push_str(&format!(", at most {bytes} bytes of each Kafka partition"));
    }
    let tombstones = settings.tombstones_kept_ms().filter(|_| kind == Kind::Table);
    if let Some(ms) = tombstones {
        message.push_str(&format!(", tombstones for {}", span(ms)));
    }
    let shortest = [retention, tombstones];
    match shortest.into_iter().flatten().min() {
        Some(ms) if ms < KEPT_MIN_MS => checks.wrong(
            place,
            format!("{message}: records that no run has read by then are lost"),
            alter(if retention == Some(ms) {
                "retention.ms=604800000"
            } else {
                "delete.retention.ms=604800000"
            }),
        ),
        _ if compacts && kind == Kind::Stream => checks.ok_but(
            place,
            message,
            Some("compaction may take older records of a key before a run has read them".to_owned()),
        ),
        _ => checks.ok(place, message),
    }
}

fn span(ms: i64) -> String {
    let units = [
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (60_000, "minute"),
        (1_000, "second"),
    ];
    let (unit, name) = units
        .into_iter()
        .find(|(unit, _)| ms >= *unit && ms % unit == 0)
        .unwrap_or((1, "millisecond"));
    count((ms / unit).unsigned_abs(), name)
}

fn offsets(kafka: &Broker, subject: &CheckedTopic, partitions: &[i32]) -> Result<Vec<PartitionOffsets>> {
    let list: TopicList = BTreeMap::from([(subject.name().to_owned(), partitions.to_vec())]);
    match kafka.client.offsets(&list)?.remove(subject.name()) {
        Some(offsets) => Ok(offsets?),
        None => Ok(Vec::new()),
    }
}

fn judge(subject: &CheckedTopic, sample: &sample::Sample, checks: &mut Checks) {
    if sample.records == 0 {
        return checks.unknown((subject.name(), "records"), "the topic holds none");
    }
    sample.keys.judge(subject, checks);
    sample.values.judge(subject, checks);
    if sample.dayless > 0 {
        checks.wrong(
            (subject.name(), "days"),
            format!(
                "{} of {} have no time by lake.partition_time = \"{}\", and would lie in no day",
                sample.dayless, sample.records, subject.topic.partition_time
            ),
            "name a field that has epoch milliseconds or an ISO 8601 time in every record, or \"kafka\"",
        );
    }
}

/// Reports what a dry run says of the topic.
fn next_run<T: Target>(
    scope: &CheckScope<'_>,
    kafka: &Broker,
    target: Option<&T>,
    (subject, partitions): (&CheckedTopic, &[i32]),
    empty: TargetReport,
) -> Result<(TopicReport, Vec<Problem>)> {
    let mut report = Report::new("check", true);
    let display = Display::new(scope.print, &report, scope.stop);
    let mut run = Run {
        client: &kafka.client,
        options: RunOptions::new(scope.settings, display, scope.stop),
        empty: empty.clone(),
        report: &mut report,
    };
    run.preview(target, &vec![(subject.topic.clone(), partitions.to_vec())])?;
    let line = report.topics.pop();
    let line = line.unwrap_or_else(|| TopicReport::new(subject.name(), subject.topic.kind, empty));
    Ok((line, report.warnings))
}

/// Reports it, and returns how much there is to read.
fn ahead(
    (subject, name): (&CheckedTopic, &'static str),
    line: Result<(TopicReport, Vec<Problem>)>,
    checks: &mut Checks,
) -> u64 {
    let place = (subject.name(), name);
    let (line, warnings) = match line {
        Ok(told) => told,
        Err(error) => {
            checks.error(place, &error, OTHERWISE);
            return 0;
        }
    };
    if let Some(error) = &line.error {
        checks.problem(place, error, OTHERWISE);
        return 0;
    }
    if line.exit_code != crate::exit::DONE {
        for warning in &warnings {
            checks.problem(place, warning, OTHERWISE);
        }
        return line.remaining;
    }
    let mut message = match line.remaining {
        0 => "nothing new".to_owned(),
        left => format!("{} to read", count(left, "offset")),
    };
    if line.held > 0 {
        message.push_str(&format!(", {} held back by an open transaction", line.held));
    }
    checks.ok(place, message);
    line.remaining
}
