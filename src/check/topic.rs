//! Checks one topic after the other: whether it exists, whether Kafka keeps it as its kind needs, what its records look
//! like, and what the next run would say.

use anyhow::Result;
use std::collections::BTreeMap;

use super::broker::Broker;
use super::kept::{self, Position};
use super::scope::{CheckedTopic, ToCome};
use super::{CheckScope, Checks, sample, table};
use crate::config::did_you_mean;
use crate::decode::registry::header::Side;
use crate::kafka::{PartitionOffsets, TopicList};
use crate::lake::disk::lock;
use crate::lake::{Lake, Ledger};
use crate::print::bars::Display;
use crate::problem::Problem;
use crate::record::Progress;
use crate::report::{LakeReport, Report, TargetReport, TopicReport, WarehouseReport};
use crate::run::{Run, RunOptions};
use crate::run_id;
use crate::target::Target;
use crate::warehouse::Warehouse;
use crate::words::count;

/// About how many bytes a line of the lake has beside key and value.
const LINE_OVERHEAD_BYTES: u64 = 100;

/// What to do if an error doesn't say it.
const OTHERWISE: &str = "see what a run says: --dry-run";

/// What has answered.
pub(super) struct Sides<'a> {
    pub(super) kafka: Option<&'a Broker>,
    pub(super) warehouse: Option<&'a Warehouse>,
    pub(super) lake: Option<&'a super::place::Opened<'a>>,
    /// Without it, records of topics that need it can't be looked at.
    pub(super) registry_answers: bool,
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
    let found = offsets(kafka, subject, &partitions);
    if let Ok(offsets) = &found {
        kept::look(kafka, subject, offsets, &positions(scope, subject, sides), checks);
    }
    let mut record_bytes = None;
    match found {
        Err(error) => checks.error(
            (subject.name(), "offsets"),
            &error,
            "look at the brokers that lead this topic",
        ),
        Ok(_) if scope.request.sample > 0 && subject.topic.needs_registry() && !sides.registry_answers => {
            let why = "the schema registry does not answer, and has the schemas of the topic";
            checks.unknown((subject.name(), "records"), why);
        }
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
    formats(scope, subject, checks);
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
            let fix = did_you_mean(subject.name(), names)
                .unwrap_or_else(|| "create it, or take its entry out of the configuration".to_owned());
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

/// How far the targets have taken in the topic. Errors are left to the checks of the next runs.
fn positions(scope: &CheckScope<'_>, subject: &CheckedTopic, sides: &Sides<'_>) -> Vec<Position> {
    let mut positions = Vec::new();
    if let Some(opened) = sides.lake.filter(|_| subject.goes_to_lake(scope)) {
        let lake = opened.lake.as_ref();
        let holder = lake.and_then(|lake| lock::last_holder(lake.root(), subject.name()));
        let run = holder.and_then(|holder| run_id::began(&holder.run_id));
        positions.extend(position(
            "lake",
            lake,
            subject,
            run.map(|run| run.timestamp_millis()),
        ));
    }
    if let Some(warehouse) = sides.warehouse.filter(|_| subject.goes_to_warehouse(scope)) {
        positions.extend(position("warehouse", Some(warehouse), subject, None));
    }
    positions
}

/// `run_ms`: the last run that is known of, beside the last complete one.
fn position<T: Target>(
    name: &'static str,
    target: Option<&T>,
    subject: &CheckedTopic,
    run_ms: Option<i64>,
) -> Option<Position> {
    let progress = target.map_or_else(
        || Ok(Progress::default()),
        |target| target.progress(&subject.topic),
    );
    let progress = progress.ok()?;
    Some(Position {
        target: name,
        run_ms: run_ms.max(progress.complete_ms),
        progress,
    })
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
    let schemas = |side| sample.decoder.schemas_seen(side);
    sample.keys.judge(subject, schemas(Side::Key), checks);
    sample.values.judge(subject, schemas(Side::Value), checks);
    let doubts = &sample.doubts;
    if let Some(doubt) = &doubts.without_day {
        let by = &subject.topic.partition_time;
        let message = format!(
            "{} of {} have no time by lake.partition_time = \"{by}\", and would lie in no day: {}",
            doubt.records,
            sample.records,
            doubt.example()
        );
        let otherwise =
            "name a field that has a number or an ISO 8601 time in every record, or \"kafka\"".to_owned();
        checks.wrong(
            (subject.name(), "days"),
            message,
            doubt.unit_to_set().unwrap_or(otherwise),
        );
    }
    if let Some(doubt) = &doubts.implausible {
        checks.odd_times((subject.name(), "days"), doubt, "would lie in a day");
    }
}

/// Notes what readers of the topic's files have to mind. What can't be read of the ledger, the dry run says.
fn formats(scope: &CheckScope<'_>, subject: &CheckedTopic, checks: &mut Checks) {
    let Ok(Some(ledger)) = Ledger::at(scope.settings) else {
        return;
    };
    if let Ok(Some(standing)) = ledger.standing(subject.name(), None) {
        for note in standing.format_notes(subject.name()) {
            checks.ok_but((subject.name(), "formats"), note.note, Some(note.fix));
        }
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
