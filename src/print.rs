//! What the user sees at the end of a run: one JSON object, or a short table.

use std::io::Write;

use crate::cli::Common;
use crate::exit;
use crate::report::{Report, Status, TargetReport, TopicReport};

/// Prints what clap found wrong (or the help that was asked for), and says with which code to exit.
pub fn usage(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        // A closed pipe behind `--help | head` is nobody's mistake.
        let _ = error.print();
        return exit::DONE;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--json") {
        let known = ["lake", "warehouse", "purge", "init-db", "grant"];
        let command = known
            .into_iter()
            .find(|name| arguments.iter().any(|a| a == name))
            .unwrap_or("");
        let mut report = Report::new(command, false);
        report.fail(&exit::usage(error.render().to_string().trim_end().to_owned()));
        report.finish(None);
        json(&report);
    }
    let _ = error.print();
    exit::USAGE
}

/// The report, in the form that was asked for. Errors and warnings go to stderr.
pub fn report(report: &Report, common: &Common) {
    if common.json {
        json(report);
    } else if !common.quiet {
        let mut text = String::new();
        table(report, &mut text);
        // Nobody is left to tell that stdout is closed.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
    let mut stderr = std::io::stderr().lock();
    if !common.json {
        for warning in &report.warnings {
            let _ = writeln!(stderr, "lakectl: warning: {warning}");
        }
        for topic in report.topics.iter().filter(|topic| topic.error.is_some()) {
            let _ = writeln!(
                stderr,
                "lakectl: {}: {}",
                topic.topic,
                topic.error.as_deref().unwrap_or_default()
            );
        }
    }
    if let Some(error) = &report.error {
        let _ = writeln!(stderr, "lakectl: {error}");
    }
}

fn json(report: &Report) {
    if let Ok(text) = serde_json::to_string(report) {
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }
}

fn table(report: &Report, out: &mut String) {
    use std::fmt::Write;
    for line in &report.text {
        let _ = writeln!(out, "{line}");
    }
    let width = report
        .topics
        .iter()
        .map(|topic| topic.topic.len())
        .max()
        .unwrap_or(0);
    for topic in &report.topics {
        let _ = writeln!(
            out,
            "{:width$}  {:6} {}",
            topic.topic,
            topic.kind,
            what(topic, report.dry_run)
        );
    }
    if !report.topics.is_empty() && !report.dry_run {
        let totals = &report.totals;
        let seconds = report.duration_ms as f64 / 1000.0;
        let _ = writeln!(
            out,
            "{} read {}, wrote {} in {seconds:.1} s{}",
            report.command,
            count(totals.read, "record"),
            totals.written,
            if totals.remaining > 0 {
                format!(", {} left", totals.remaining)
            } else {
                String::new()
            },
        );
    }
}

fn what(topic: &TopicReport, dry_run: bool) -> String {
    match topic.status {
        Status::Failed => return "failed (see the error)".to_owned(),
        Status::Locked => return "locked by another run".to_owned(),
        _ => {}
    }
    let mut parts = Vec::new();
    if dry_run {
        parts.push(plan(topic));
    } else if topic.partitions.iter().all(|part| part.start == part.next) && topic.remaining == 0 {
        parts.push("nothing new".to_owned());
    } else {
        parts.push(done(topic));
    }
    let extras = [
        (topic.tombstones, "tombstones"),
        (topic.irregular, "irregular"),
        (topic.below_retention, "below retention"),
        (topic.erased, "of the erased"),
        (topic.before_from, "before --from"),
        (topic.held, "held back by an open transaction"),
        (
            topic
                .gaps
                .iter()
                .map(|gap| (gap.to - gap.from).unsigned_abs())
                .sum(),
            "lost in gaps",
        ),
    ];
    parts.extend(
        extras
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, name)| format!("{n} {name}")),
    );
    if !dry_run && topic.remaining > 0 {
        parts.push(format!("{} left", topic.remaining));
    }
    parts.join(", ")
}

fn plan(topic: &TopicReport) -> String {
    let ranges: Vec<_> = topic
        .partitions
        .iter()
        .filter(|part| part.start < part.end)
        .map(|part| format!("{}:{}..{}", part.partition, part.start, part.end))
        .collect();
    match ranges.is_empty() {
        true => "nothing new".to_owned(),
        false => format!(
            "would read up to {} ({})",
            count(topic.remaining, "offset"),
            ranges.join(" ")
        ),
    }
}

fn done(topic: &TopicReport) -> String {
    match &topic.target {
        TargetReport::Lake(lake) => {
            let noun = if topic.kind == crate::config::Kind::Table {
                "row"
            } else {
                "line"
            };
            let days = count(lake.days.len() as u64, "day");
            format!(
                "{} -> {} in {} over {days}, {}",
                count(topic.read, "record"),
                count(lake.written, noun),
                count(lake.files, "file"),
                indicatif::HumanBytes(lake.bytes)
            )
        }
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

fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
