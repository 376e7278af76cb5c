//! The report with a line per topic, for logs and scripts.

use super::Log;
use crate::config::Kind;
use crate::report::{CompactReport, PartitionReport, Report, Status, TargetReport, TimeDoubt, TopicReport};
use crate::words::{count, printable};

pub(super) fn of(report: &Report, verbose: bool, log: &Log) -> String {
    let mut lines = Vec::new();
    for line in &report.text {
        lines.push(if report.text_is_log {
            log.line(None, &printable(line))
        } else {
            printable(line)
        });
    }
    let width = report.topics.iter().map(|topic| topic.topic.len()).max();
    let width = width.unwrap_or(0);
    // In JSON, the line of its error says all about a failed topic.
    let told = |topic: &&TopicReport| topic.status == Status::Ok || !log.names_the_topic();
    for topic in report.topics.iter().filter(told) {
        let what = what(topic, report.dry_run, verbose);
        let line = if log.names_the_topic() {
            what
        } else {
            format!("{:width$}  {:6} {what}", topic.topic, topic.kind)
        };
        lines.push(log.line(Some(&topic.topic), &line));
        let paths = topic.changed_paths();
        lines.extend(
            paths
                .iter()
                .map(|path| log.line(Some(&topic.topic), &format!("  {path}"))),
        );
    }
    if drained(report) {
        lines.push(log.line(None, &totals(report, |n| n.to_string())));
    }
    if verbose {
        lines.push(log.line(None, &format!("run {}", report.run_id)));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Whether the run read from Kafka into a target.
pub(super) fn drained(report: &Report) -> bool {
    let mut topics = report.topics.iter();
    !report.dry_run && topics.any(|topic| topic.status == Status::Ok && !topic.partitions.is_empty())
}

pub(super) fn totals(report: &Report, number: impl Fn(u64) -> String) -> String {
    let totals = &report.totals;
    let left = match totals.remaining {
        0 => String::new(),
        left => format!(", {} left", number(left)),
    };
    format!(
        "{} read {} {}, wrote {} in {:.1} s{left}",
        report.command,
        number(totals.read),
        if totals.read == 1 { "record" } else { "records" },
        number(totals.written),
        report.duration_ms as f64 / 1000.0
    )
}

fn what(topic: &TopicReport, dry_run: bool, verbose: bool) -> String {
    match topic.status {
        Status::Failed => return "failed (see the error)".to_owned(),
        Status::Locked => return "locked by another run".to_owned(),
        _ => {}
    }
    let untouched = topic.partitions.iter().all(|part| part.start == part.next);
    let mut parts = Vec::new();
    match (dry_run, untouched, topic.remaining) {
        (true, _, 1..) => parts.push(format!(
            "would read up to {} {}",
            count(topic.remaining, "offset"),
            whereto(topic)
        )),
        _ if matches!(topic.target, TargetReport::Verify(_) | TargetReport::Compact(_)) => {
            parts.push(done(topic, dry_run));
        }
        (_, true, 0) => parts.push("nothing new".to_owned()),
        (_, true, _) => {}
        (..) => parts.push(done(topic, dry_run)),
    }
    parts.extend(notes(topic, dry_run, |n| n.to_string()));
    let mut text = parts.join(", ");
    if dry_run || verbose {
        text.push_str(&ranges(topic, dry_run));
    }
    text
}

/// The target in a dry run.
pub(super) fn whereto(topic: &TopicReport) -> String {
    match &topic.replaces {
        Some(replaced) => format!("again, and replace {replaced}"),
        None => format!("into {}", topic.into),
    }
}

/// Remarks on a topic, beside what was read and written.
pub(super) fn notes(topic: &TopicReport, dry_run: bool, number: impl Fn(u64) -> String) -> Vec<String> {
    let lost = topic
        .gaps
        .iter()
        .map(|gap| (gap.to - gap.from).unsigned_abs())
        .sum();
    let extras = [
        (topic.tombstones, "tombstones"),
        (topic.irregular, "irregular"),
        (topic.below_retention, "below retention"),
        (topic.erased, "of the erased"),
        (topic.before_from, "before --from"),
        (doubted(&topic.without_day), "without a day"),
        (doubted(&topic.implausible_time), "of an implausible time"),
        (topic.held, "held back by an open transaction"),
        (lost, "lost in gaps"),
        (if dry_run { 0 } else { topic.remaining }, "left"),
    ];
    let some = extras.iter().filter(|(n, _)| *n > 0);
    some.map(|(n, name)| format!("{} {name}", number(*n))).collect()
}

fn doubted(doubt: &Option<TimeDoubt>) -> u64 {
    doubt.as_ref().map_or(0, |doubt| doubt.records)
}

/// The offsets of each Kafka partition that a run has taken, or would take.
pub(super) fn ranges(topic: &TopicReport, dry_run: bool) -> String {
    let to = |part: &PartitionReport| if dry_run { part.end } else { part.next };
    let moved = topic.partitions.iter().filter(|part| part.start < to(part));
    let ranges: Vec<_> = moved
        .map(|part| format!("{}:{}..{}", part.partition, part.start, to(part)))
        .collect();
    if ranges.is_empty() {
        String::new()
    } else {
        format!(" ({})", ranges.join(" "))
    }
}

fn done(topic: &TopicReport, dry_run: bool) -> String {
    match &topic.target {
        TargetReport::Lake(lake) => {
            let noun = if topic.kind == Kind::Table { "row" } else { "line" };
            let days = count(lake.days.len() as u64, "day");
            format!(
                "{} -> {} in {} over {days}, {}",
                count(topic.read, "record"),
                count(lake.written, noun),
                count(lake.files, "file"),
                indicatif::HumanBytes(lake.bytes)
            )
        }
        TargetReport::Verify(found) => format!(
            "{} in {} over {}, {}: {}",
            count(found.records, "record"),
            count(found.files, "file"),
            count(found.days, "day"),
            indicatif::HumanBytes(found.bytes),
            match found.differences.len() {
                0 => "all as the ledger says".to_owned(),
                number => count(number as u64, "difference"),
            }
        ),
        TargetReport::Compact(compacted) => told_compaction(compacted, dry_run),
        TargetReport::None {} => String::new(),
        TargetReport::Warehouse(warehouse) => format!(
            "{} -> {} upserted, {} deleted{}",
            count(topic.read, "record"),
            warehouse.upserted,
            warehouse.deleted,
            if warehouse.rejected > 0 {
                format!(", {} rejected", warehouse.rejected)
            } else {
                String::new()
            }
        ),
    }
}

fn told_compaction(compacted: &CompactReport, dry_run: bool) -> String {
    let numbers = (!compacted.days.is_empty()).then(|| {
        format!(
            "{}{} in {} -> {} over {}, {}",
            if dry_run { "would compact " } else { "" },
            count(compacted.records, "record"),
            count(compacted.files_before, "file"),
            compacted.files_after,
            count(compacted.days.len() as u64, "day"),
            indicatif::HumanBytes(compacted.size())
        )
    });
    let parts: Vec<String> = numbers.into_iter().chain(compacted.remarks()).collect();
    parts.join(", ")
}
