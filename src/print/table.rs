//! The report at a terminal: a table as wide as the terminal. Rows that need a person stand out, with and without colours.

use anstyle::{AnsiColor, Style};
use indicatif::{HumanBytes, HumanCount};
use unicode_width::UnicodeWidthStr;

use super::fit::{NAME_MIN, cut, pad, shorten, terminal_width, wrap};
use super::paint::Paint;
use super::plain;
use crate::exit;
use crate::report::{CompactReport, Report, Status, TargetReport, TopicReport};
use crate::words::{count, printable};

const GAP: &str = "  ";

pub(super) fn of(report: &Report, verbose: bool) -> String {
    render(report, verbose, Paint::for_stdout(), terminal_width())
}

fn render(report: &Report, verbose: bool, paint: Paint, width: usize) -> String {
    let mut lines: Vec<String> = report.text.iter().map(|line| printable(line)).collect();
    if !report.topics.is_empty() {
        Table::new(report, verbose).lines(paint, width, &mut lines);
    }
    lines.extend(report.topics.iter().flat_map(TopicReport::changed_paths));
    lines.extend(last_line(report, paint));
    if verbose {
        lines.push(format!("run {}", report.run_id));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

struct Table {
    /// Cells between the topic's name and the remarks.
    titles: Vec<&'static str>,
    rows: Vec<TableRow>,
}

struct TableRow {
    name: String,
    cells: Vec<String>,
    /// The colour, which only repeats what the words say.
    style: Style,
    notes: String,
}

impl Table {
    fn new(report: &Report, verbose: bool) -> Self {
        let mut topics = report.topics.iter();
        let target = topics.find_map(|topic| match &topic.target {
            TargetReport::None {} => None,
            target => Some(target),
        });
        let numbers: &[&str] = match target {
            Some(TargetReport::Compact(_)) => &["RECORDS", "FILES", "DAYS", "SIZE"],
            _ if report.dry_run => &["OFFSETS"],
            None => &[],
            Some(TargetReport::Warehouse(_)) => &["RECORDS", "UPSERTED", "DELETED", "REJECTED"],
            Some(TargetReport::Verify(_)) => &["RECORDS", "FILES", "DAYS", "SIZE"],
            Some(_) => &["RECORDS", "WRITTEN", "FILES", "DAYS", "SIZE"],
        };
        let row = |topic: &TopicReport| TableRow::of(topic, report.dry_run, verbose, numbers.len());
        Table {
            titles: [&["KIND"], numbers].concat(),
            rows: report.topics.iter().map(row).collect(),
        }
    }

    /// Fits the table to the width, in this order: remarks go below their rows, names are shortened, columns are left out.
    fn lines(mut self, paint: Paint, width: usize, out: &mut Vec<String>) {
        let names = self.rows.iter().map(|row| row.name.width()).max().unwrap_or(0);
        let names = names.max("TOPIC".len());
        while self.numbers_width() + NAME_MIN.min(names) > width && self.titles.len() > 1 {
            self.leave_out_a_column();
        }
        let names = names.min(width.saturating_sub(self.numbers_width()).max(NAME_MIN));
        let widths = self.widths();
        let taken = names + self.numbers_width();
        let behind = width.saturating_sub(taken + GAP.len());
        let line = |name: &str, cells: &[String]| {
            let mut line = pad(&shorten(name, names), names, true);
            for ((cell, title), width) in cells.iter().zip(&self.titles).zip(&widths) {
                line += GAP;
                line += &pad(cell, *width, *title == "KIND");
            }
            line
        };
        let titles: Vec<String> = self.titles.iter().map(|title| (*title).to_owned()).collect();
        let head = line("TOPIC", &titles);
        out.push(paint.text(Style::new().bold(), &cut(head.trim_end(), width)));
        for row in &self.rows {
            let numbers = line(&row.name, &row.cells);
            if row.notes.width() <= behind {
                let notes = paint.text(row.style, &row.notes);
                out.push(format!("{numbers}{GAP}{notes}").trim_end().to_owned());
                continue;
            }
            out.push(numbers.trim_end().to_owned());
            let below = wrap(&row.notes, width.saturating_sub(GAP.len()).max(1));
            out.extend(
                below
                    .iter()
                    .map(|notes| format!("{GAP}{}", paint.text(row.style, notes))),
            );
        }
    }

    fn widths(&self) -> Vec<usize> {
        let width = |(at, title): (usize, &&str)| {
            let cells = self.rows.iter().map(|row| row.cells[at].width());
            cells.max().unwrap_or(0).max(title.width())
        };
        self.titles.iter().enumerate().map(width).collect()
    }

    fn numbers_width(&self) -> usize {
        self.widths().iter().map(|width| GAP.len() + width).sum()
    }

    /// The kind is left out first, the first number last.
    fn leave_out_a_column(&mut self) {
        let at = match self.titles[0] {
            "KIND" => 0,
            _ => self.titles.len() - 1,
        };
        self.titles.remove(at);
        for row in &mut self.rows {
            row.cells.remove(at);
        }
    }
}

impl TableRow {
    fn of(topic: &TopicReport, dry_run: bool, verbose: bool, numbers: usize) -> Self {
        let mut notes = Vec::new();
        let mut cells = vec![topic.kind.to_string()];
        let untouched = topic.partitions.iter().all(|part| part.start == part.next);
        match topic.status {
            Status::Failed => notes.push("failed: see below".to_owned()),
            Status::Locked => notes.push("locked by another run".to_owned()),
            _ if dry_run && topic.remaining > 0 => {
                cells.push(HumanCount(topic.remaining).to_string());
                notes.push(plain::whereto(topic));
            }
            _ if untouched && topic.remaining > 0 => {}
            _ => match &topic.target {
                TargetReport::Verify(found) => {
                    cells.extend(verified(found));
                    notes.push(match found.differences.len() {
                        0 => "as the ledger says".to_owned(),
                        number => count(number as u64, "difference"),
                    });
                }
                TargetReport::Compact(compacted) => {
                    cells.extend(as_compacted(compacted));
                    notes.extend(compacted.remarks());
                }
                _ if untouched => notes.push("nothing new".to_owned()),
                target => cells.extend(written(topic, target)),
            },
        }
        if matches!(topic.status, Status::Ok) {
            notes.extend(plain::notes(topic, dry_run, |n| HumanCount(n).to_string()));
        }
        let mut notes = notes.join(", ");
        if dry_run || verbose {
            notes += &plain::ranges(topic, dry_run);
        }
        cells.resize(1 + numbers, String::new());
        TableRow {
            name: printable(&topic.topic),
            cells,
            style: style_of(topic),
            notes,
        }
    }
}

fn written(topic: &TopicReport, target: &TargetReport) -> Vec<String> {
    let number = |n: u64| HumanCount(n).to_string();
    match target {
        TargetReport::Lake(lake) => vec![
            number(topic.read),
            number(lake.written),
            number(lake.files),
            number(lake.days.len() as u64),
            HumanBytes(lake.bytes).to_string(),
        ],
        TargetReport::Warehouse(warehouse) => vec![
            number(topic.read),
            number(warehouse.upserted),
            number(warehouse.deleted),
            number(warehouse.rejected),
        ],
        TargetReport::Verify(_) | TargetReport::Compact(_) | TargetReport::None {} => Vec::new(),
    }
}

fn verified(found: &crate::report::VerifyReport) -> [String; 4] {
    [
        HumanCount(found.records).to_string(),
        HumanCount(found.files).to_string(),
        HumanCount(found.days).to_string(),
        HumanBytes(found.bytes).to_string(),
    ]
}

fn as_compacted(compacted: &CompactReport) -> Vec<String> {
    if compacted.days.is_empty() {
        return Vec::new();
    }
    vec![
        HumanCount(compacted.records).to_string(),
        format!("{} -> {}", compacted.files_before, compacted.files_after),
        HumanCount(compacted.days.len() as u64).to_string(),
        HumanBytes(compacted.size()).to_string(),
    ]
}

fn style_of(topic: &TopicReport) -> Style {
    match (topic.status, topic.exit_code) {
        (Status::Failed, _) => AnsiColor::Red.on_default().bold(),
        (Status::Locked, _) | (_, exit::ATTENTION) => AnsiColor::Yellow.on_default(),
        _ => Style::new(),
    }
}

/// The result of the run, in a word and in numbers.
fn last_line(report: &Report, paint: Paint) -> Option<String> {
    let (word, color) = match report.status {
        Status::Ok => ("done", AnsiColor::Green),
        Status::Partial => ("done, but look at the warnings", AnsiColor::Yellow),
        Status::Failed => ("failed", AnsiColor::Red),
        Status::Locked => ("another run holds a lock", AnsiColor::Yellow),
        Status::Interrupted => ("stopped by a signal", AnsiColor::Yellow),
    };
    let word = paint.text(color.on_default().bold(), word);
    let compacts = |topic: &TopicReport| matches!(topic.target, TargetReport::Compact(_));
    match (report.dry_run, plain::drained(report)) {
        (true, _) if report.topics.iter().any(compacts) => {
            Some("dry run: this would be compacted; nothing was touched".to_owned())
        }
        (true, _) if !report.topics.is_empty() => Some(format!(
            "dry run: {} would read up to {} offsets; nothing was touched",
            report.command,
            HumanCount(report.totals.remaining)
        )),
        (false, true) => {
            let totals = plain::totals(report, |n| HumanCount(n).to_string());
            Some(format!("{totals}: {word}"))
        }
        (false, false) if report.text.is_empty() && !report.topics.is_empty() => {
            Some(format!("{}: {word}", report.command))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
