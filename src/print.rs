//! What the user sees at the end of a run: one JSON object, or a short table.

use std::io::{IsTerminal, Write};

use crate::audit::{CommandLine, names_secret};
use crate::cli::Common;
use crate::exit;
use crate::report::{PartitionReport, Report, Status, TargetReport, TopicReport, printable};

/// Prints what clap found wrong (or the help that was asked for), and says with which code to exit.
pub fn usage(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        // A closed pipe behind `--help | head` is nobody's mistake.
        let _ = error.print();
        return exit::DONE;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--json") {
        let known = [
            "lake",
            "warehouse",
            "purge",
            "init-db",
            "grant",
            "schema",
            "files",
        ];
        let named = |argument: &String| known.into_iter().find(|name| argument == name);
        let command = arguments.iter().find_map(named).unwrap_or("");
        let mut report = Report::new(command, false);
        let text = without_secrets(error.render().to_string(), &arguments);
        report.fail(&exit::usage(text.trim_end()));
        report.finish(None);
        json(&report);
    }
    let mut stderr = std::io::stderr();
    let text = match stderr.is_terminal() {
        true => error.render().ansi().to_string(),
        false => error.render().to_string(),
    };
    let _ = write!(stderr, "{}", without_secrets(text, &arguments));
    exit::USAGE
}

/// clap quotes the arguments that it complains of.
fn without_secrets(mut text: String, arguments: &[String]) -> String {
    let kept = CommandLine::new(arguments.iter().cloned()).into_arguments();
    for (at, (argument, kept)) in arguments.iter().zip(kept).enumerate() {
        let names_a_secret = at > 0 && names_secret(&arguments[at - 1]);
        let shown = if names_a_secret { "***" } else { &kept };
        text = text.replace(&format!("'{argument}'"), &format!("'{shown}'"));
    }
    text
}

/// The report, in the form that was asked for. Errors and warnings go to stderr.
///
/// # Errors
/// Stdout could not take it. A reader that has gone is none: nobody is left to miss anything.
pub fn report(report: &Report, common: &Common) -> std::io::Result<()> {
    let mut text = String::new();
    if common.json {
        text = serde_json::to_string(report)? + "\n";
    } else if let Some(output) = &report.output {
        text.clone_from(output);
    } else if !common.quiet {
        table(report, common.verbose, &mut text);
    }
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    let mut stderr = std::io::stderr().lock();
    if !common.json {
        for warning in &report.warnings {
            let _ = writeln!(stderr, "lakectl: warning: {warning}");
        }
        for topic in &report.topics {
            if let Some(error) = &topic.error {
                let _ = writeln!(stderr, "lakectl: {}", named(&topic.topic, error));
            }
        }
    }
    if let Some(error) = &report.error {
        let _ = writeln!(stderr, "lakectl: {error}");
    }
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = writeln!(
                stderr,
                "lakectl: what should be done is done, as far as nothing else is said here, but stdout took no \
                 report of it: {error}"
            );
            Err(error)
        }
        _ => Ok(()),
    }
}

/// An error of a topic names it, but not twice.
fn named(topic: &str, error: &str) -> String {
    match error.contains(topic) {
        true => error.to_owned(),
        false => format!("topic {topic}: {error}"),
    }
}

/// Lines on stdout, now.
pub fn lines(lines: &[String]) {
    let mut stdout = std::io::stdout().lock();
    for line in lines {
        let _ = writeln!(stdout, "{}", printable(line));
    }
}

fn json(report: &Report) {
    if let Ok(text) = serde_json::to_string(report) {
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }
}

fn table(report: &Report, verbose: bool, out: &mut String) {
    use std::fmt::Write;
    for line in &report.text {
        let _ = writeln!(out, "{}", printable(line));
    }
    let width = report
        .topics
        .iter()
        .map(|topic| topic.topic.len())
        .max()
        .unwrap_or(0);
    for topic in &report.topics {
        let what = what(topic, report.dry_run, verbose);
        let _ = writeln!(out, "{:width$}  {:6} {what}", topic.topic, topic.kind);
        for path in topic.changed_paths() {
            let _ = writeln!(out, "  {path}");
        }
    }
    let drained = report
        .topics
        .iter()
        .any(|topic| topic.status == Status::Ok && !topic.partitions.is_empty());
    if drained && !report.dry_run {
        let totals = &report.totals;
        let seconds = report.duration_ms as f64 / 1000.0;
        let left = if totals.remaining > 0 {
            format!(", {} left", totals.remaining)
        } else {
            String::new()
        };
        let read = count(totals.read, "record");
        let _ = writeln!(
            out,
            "{} read {read}, wrote {} in {seconds:.1} s{left}",
            report.command, totals.written
        );
    }
    if verbose {
        let _ = writeln!(out, "run {}", report.run_id);
    }
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
            "would read up to {} into {}",
            count(topic.remaining, "offset"),
            topic.into
        )),
        _ if matches!(topic.target, TargetReport::Verify(_)) => parts.push(done(topic)),
        (_, true, 0) => parts.push("nothing new".to_owned()),
        (_, true, _) => {}
        (..) => parts.push(done(topic)),
    }
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
        (topic.held, "held back by an open transaction"),
        (lost, "lost in gaps"),
        (if dry_run { 0 } else { topic.remaining }, "left"),
    ];
    parts.extend(
        extras
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, name)| format!("{n} {name}")),
    );
    let mut text = parts.join(", ");
    if dry_run || verbose {
        text.push_str(&ranges(topic, dry_run));
    }
    text
}

/// The offsets of each Kafka partition that a run took in, or would.
fn ranges(topic: &TopicReport, dry_run: bool) -> String {
    let to = |part: &PartitionReport| if dry_run { part.end } else { part.next };
    let moved = topic.partitions.iter().filter(|part| part.start < to(part));
    let ranges: Vec<_> = moved
        .map(|part| format!("{}:{}..{}", part.partition, part.start, to(part)))
        .collect();
    match ranges.is_empty() {
        true => String::new(),
        false => format!(" ({})", ranges.join(" ")),
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

/// `1 file`, `2 files`
pub fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
