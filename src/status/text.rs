//! The status as text: streams, tables, and the MySQL tables that they fill, in aligned columns.

use chrono::{DateTime, Utc};
use indicatif::HumanBytes;
use unicode_width::UnicodeWidthStr;

use super::ask::StatusAnswer;
use super::model::{LakeState, LakeStatus, PartitionStatus, Source, TableStatus, TopicStatus, rfc3339};
use crate::config::Kind;
use crate::print::fit::{NAME_MIN, hang, pad, shorten};
use crate::words::{count, one_line};

const GAP: &str = "  ";
const UNKNOWN: &str = "?";
const NONE: &str = "-";
/// Below a topic.
const INDENT: &str = "    ";
/// What a narrow terminal has no room for, the first of these first.
const LEAVE_OUT: [&str; 8] = [
    "FILES",
    "DAYS",
    "SIZE",
    "KEPT FROM",
    "RECORDS",
    "ROWS",
    "REJECTS",
    "COMMITTED",
];

/// Aligned columns: the first to the left, the others to the right. A row may have lines below it.
struct Columns {
    rows: Vec<(Vec<String>, Vec<String>)>,
}

/// The lines of the status, within the width if there is one. `verbose` adds each topic's details below it.
pub fn lines(status: &StatusAnswer, verbose: bool, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut tell = |head: &str, text: &str| lines.extend(hang(head, &one_line(text), width));
    if verbose {
        tell("lake       ", &status.lake_root);
        tell("kafka      ", &status.brokers);
        tell(
            "warehouse  ",
            status.database.as_deref().unwrap_or("not configured"),
        );
    }
    if let Source::Absent(what) = &status.lake {
        tell("", &format!("{what} at {}", status.lake_root));
    }
    for (kind, name, what) in [
        (Kind::Stream, "STREAM", "RECORDS"),
        (Kind::Table, "TABLE", "ROWS"),
    ] {
        let in_lake = |topic: &&TopicStatus| topic.kind == kind && topic.lake.is_some();
        let topics: Vec<&TopicStatus> = status.topics.iter().filter(in_lake).collect();
        section(
            &mut lines,
            in_the_lake(&topics, name, what, status, verbose),
            width,
        );
    }
    section(&mut lines, in_the_warehouse(status, verbose), width);
    if status.topics.is_empty() {
        let none = "no topic is configured, and neither lake nor warehouse knows one";
        lines.extend(hang("", none, width));
    }
    lines
}

fn section(lines: &mut Vec<String>, columns: Columns, width: Option<usize>) {
    if columns.rows.len() > 1 {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(columns.lines(width));
    }
}

fn in_the_lake(
    topics: &[&TopicStatus],
    name: &str,
    what: &str,
    status: &StatusAnswer,
    verbose: bool,
) -> Columns {
    let lakes = || topics.iter().filter_map(|topic| topic.lake.as_ref());
    let purged = lakes().any(|lake| lake.purged_before.is_some());
    let head = [name, "LAG", "COMMITTED", what, "SIZE", "FILES", "DAYS"];
    let mut columns = Columns::new(head.into_iter().chain(purged.then_some("KEPT FROM")));
    for topic in topics {
        let Some(lake) = &topic.lake else { continue };
        let mut cells = vec![
            topic.topic.clone(),
            lag(lake.lag, topic),
            committed(lake, status.asked),
            number(lake.records),
            lake.bytes
                .map_or_else(|| UNKNOWN.to_owned(), |bytes| HumanBytes(bytes).to_string()),
            number(lake.files),
            number(lake.days),
        ];
        if purged {
            cells.push(
                lake.purged_before
                    .map_or_else(|| NONE.to_owned(), |day| day.to_string()),
            );
        }
        let mut below = if verbose { particulars(lake) } else { Vec::new() };
        let notes = lake.notes.iter();
        below.extend(notes.map(|note| format!("note: {}; to make them one: {}", note.note, note.fix)));
        columns.rows.push((cells, below));
    }
    columns
}

fn in_the_warehouse(status: &StatusAnswer, verbose: bool) -> Columns {
    let mut columns = Columns::new(["INTO MYSQL", "LAG", "COMMITTED", "ROWS", "REJECTS"].into_iter());
    for topic in &status.topics {
        for table in &topic.tables {
            let rows = match (table.rows, table.rows_exact) {
                (Some(rows), false) => format!("~{rows}"),
                (rows, _) => number(rows),
            };
            let committed = match (table.committed, table.rejects) {
                (Some(at), _) => ago(at, status.asked),
                (None, Some(_)) => "never".to_owned(),
                (None, None) => UNKNOWN.to_owned(),
            };
            let name = if topic.topic.to_lowercase() == table.table {
                table.table.clone()
            } else {
                format!("{} <- {}", table.table, topic.topic)
            };
            // A table that the topic no longer fills has no lag.
            let behind = if table.current {
                lag(table.lag, topic)
            } else {
                NONE.to_owned()
            };
            let cells = vec![name, behind, committed, rows, number(table.rejects)];
            columns.rows.push((
                cells,
                if verbose {
                    table_particulars(table)
                } else {
                    Vec::new()
                },
            ));
        }
    }
    columns
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| UNKNOWN.to_owned(), |number| number.to_string())
}

/// The lag in words. If Kafka no longer has the topic, there is none.
fn lag(lag: Option<u64>, topic: &TopicStatus) -> String {
    match topic.in_kafka {
        Some(false) => NONE.to_owned(),
        _ => number(lag),
    }
}

pub(super) fn committed(lake: &LakeStatus, now: DateTime<Utc>) -> String {
    match (lake.state, lake.committed) {
        (LakeState::New, _) => "never".to_owned(),
        (LakeState::Damaged, _) => "damaged".to_owned(),
        (_, Some(at)) => ago(at, now),
        (_, None) => UNKNOWN.to_owned(),
    }
}

/// `42 s ago`, `3 min ago`, `5 h ago`, `12 d ago`; a time ahead of this machine's clock is shown as it is.
pub(super) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (now - at).num_seconds() {
        ..-60 => rfc3339(at),
        seconds @ ..60 => format!("{} s ago", seconds.max(0)),
        seconds @ ..3_600 => format!("{} min ago", seconds / 60),
        seconds @ ..86_400 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

fn particulars(lake: &LakeStatus) -> Vec<String> {
    let mut lines = vec![offsets(&lake.partitions)];
    match (lake.first_day, lake.last_day, lake.days) {
        (Some(day), _, Some(1)) => lines.push(format!("1 day, {day}")),
        (Some(first), Some(last), Some(days)) => lines.push(format!("{days} days from {first} to {last}")),
        _ => {}
    }
    if let Some(undated) = lake.undated_records.filter(|&undated| undated > 0) {
        lines.push(format!("{} without a usable date", count(undated, "record")));
    }
    if let Some(at) = lake.committed {
        lines.push(format!("committed {}", rfc3339(at)));
    }
    if let Some(run) = &lake.last_run {
        lines.push(format!("last run {}", run.run_id));
    }
    if lake.unfinished {
        lines.push("the last commit still moves its files into place".to_owned());
    }
    let kept = lake.retention.as_deref().map(|keep| format!("retention {keep}"));
    lines.extend(kept);
    if let Some(day) = lake.purged_before {
        lines.push(format!("purged before {day}"));
    }
    if !lake.columns.is_empty() {
        let columns = lake.columns.iter();
        let columns: Vec<String> = columns
            .map(|column| format!("{} {}", column.name, column.r#type))
            .collect();
        lines.push(format!("Parquet columns {}", columns.join(", ")));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn table_particulars(table: &TableStatus) -> Vec<String> {
    let mut lines = vec![offsets(&table.partitions)];
    lines.extend(table.committed.map(|at| format!("committed {}", rfc3339(at))));
    lines.extend(
        table
            .rejects_by_reason
            .iter()
            .map(|reason| format!("{} rejected: {}", reason.records, reason.reason)),
    );
    let retention = table.retention.as_ref();
    lines.extend(retention.map(|retention| format!("retention {} by {}", retention.keep, retention.column)));
    for purged in &table.purged_before {
        lines.push(format!(
            "purged where {} is before {}",
            purged.column, purged.before
        ));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// Progress and end of each Kafka partition.
fn offsets(partitions: &[PartitionStatus]) -> String {
    let offset =
        |offset: Option<i64>, none: &str| offset.map_or_else(|| none.to_owned(), |at| at.to_string());
    let each: Vec<String> = partitions
        .iter()
        .map(|part| {
            let (next, end) = (offset(part.next, NONE), offset(part.end, UNKNOWN));
            let behind = part.lag.filter(|&lag| lag > 0);
            let behind = behind.map_or_else(String::new, |lag| format!(" ({lag} behind)"));
            format!("{}:{next} of {end}{behind}", part.partition)
        })
        .collect();
    if each.is_empty() {
        String::new()
    } else {
        format!("at {}", each.join(", "))
    }
}

impl Columns {
    fn new<'n>(head: impl Iterator<Item = &'n str>) -> Columns {
        let head = head.map(str::to_owned).collect();
        Columns {
            rows: vec![(head, Vec::new())],
        }
    }

    /// Fits the table to the width: columns are left out, which a line below says, and names are shortened.
    fn lines(mut self, width: Option<usize>) -> Vec<String> {
        for (cells, below) in &mut self.rows {
            for text in cells.iter_mut().chain(below) {
                *text = one_line(text);
            }
        }
        let left_out = width.map_or_else(Vec::new, |width| self.fit(width));
        let widths = self.widths();
        let mut lines = Vec::new();
        for (cells, below) in &self.rows {
            let mut line = String::new();
            for (at, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
                match at {
                    0 => line += &pad(cell, width, true),
                    _ => line.extend([GAP, &pad(cell, width, false)]),
                }
            }
            lines.push(line.trim_end().to_owned());
            lines.extend(below.iter().flat_map(|text| hang(INDENT, text, width)));
        }
        if !left_out.is_empty() {
            let what = format!("… no room for {}", left_out.join(", "));
            lines.extend(hang("", &what, width));
        }
        lines
    }

    fn widths(&self) -> Vec<usize> {
        let cells = self.rows.iter().map(|(cells, _)| cells);
        let count = cells.clone().map(Vec::len).max().unwrap_or(0);
        let width = |at: usize| {
            let column = cells.clone().filter_map(|cells| cells.get(at));
            column.map(|cell| cell.width()).max().unwrap_or(0)
        };
        (0..count).map(width).collect()
    }

    /// Returns the titles of the columns that were left out.
    fn fit(&mut self, width: usize) -> Vec<String> {
        let mut left_out = Vec::new();
        loop {
            let widths = self.widths();
            let (names, others) = widths.split_first().map_or((0, 0), |(names, others)| {
                (*names, others.iter().map(|width| GAP.len() + width).sum())
            });
            let has_room = names.min(NAME_MIN) + others <= width;
            match self.next_to_leave_out().filter(|_| !has_room) {
                Some(at) => left_out.push(self.leave_out(at)),
                None => {
                    let room = width.saturating_sub(others).max(NAME_MIN);
                    for (cells, _) in &mut self.rows {
                        cells[0] = shorten(&cells[0], room);
                    }
                    return left_out;
                }
            }
        }
    }

    /// Returns the column's title.
    fn leave_out(&mut self, at: usize) -> String {
        let removed: Vec<String> = self.rows.iter_mut().map(|(cells, _)| cells.remove(at)).collect();
        removed.into_iter().next().unwrap_or_default()
    }

    fn next_to_leave_out(&self) -> Option<usize> {
        let (head, _) = self.rows.first()?;
        let place = |title: &&str| head.iter().position(|cell| cell == title);
        LEAVE_OUT.iter().find_map(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_whatever_is_in_them() {
        let mut columns = Columns::new(["NAME", "LAG"].into_iter());
        for name in ["dépenses", "数量", "x"] {
            columns
                .rows
                .push((vec![name.to_owned(), "7".to_owned()], Vec::new()));
        }
        let lines = columns.lines(None);
        assert!(lines.iter().all(|line| line.width() == 13), "{lines:?}");
    }

    /// A table with rows of all lengths.
    fn wide(names: &[&str]) -> Columns {
        let head = [
            "STREAM",
            "LAG",
            "COMMITTED",
            "RECORDS",
            "SIZE",
            "FILES",
            "DAYS",
            "KEPT FROM",
        ];
        let mut columns = Columns::new(head.into_iter());
        for name in names {
            let cells = [
                *name,
                "200",
                "59 min ago",
                "1234567890",
                "224.32 KiB",
                "1290",
                "489",
                "2025-07-23",
            ];
            let below =
                vec!["at 0:1381 of 1450 (69 behind), 1:1323 of 1388 (65 behind), 2:1396 of 1462".to_owned()];
            columns.rows.push((cells.map(str::to_owned).to_vec(), below));
        }
        columns
    }

    #[test]
    fn a_narrow_terminal_loses_nothing_without_a_word() {
        let names = ["TOTAL_DEPENSE_PAR_USER_TYPE", "数量数量数量数量数量", "x"];
        let whole = wide(&names).lines(None);
        assert_eq!(wide(&names).lines(Some(200)), whole);
        for width in 40..=100 {
            let lines = wide(&names).lines(Some(width));
            assert!(
                lines.iter().all(|line| line.width() <= width),
                "{width}: {lines:#?}"
            );
            let words = lines.iter().flat_map(|line| line.split_whitespace());
            let text = words.collect::<Vec<_>>().join(" ");
            let titles = whole[0].split(GAP).map(str::trim);
            for title in titles.filter(|title| !title.is_empty()) {
                assert!(text.contains(title), "{width}: no {title} in {text}");
            }
            // Whatever is shortened says so, and what stands below a row is all there.
            assert!(text.contains(names[0]) || text.contains('…'), "{width}: {text}");
            let below = "at 0:1381 of 1450 (69 behind), 1:1323 of 1388 (65 behind), 2:1396 of 1462";
            assert_eq!(text.matches(below).count(), names.len(), "{width}: {text}");
        }
        let narrow = wide(&names).lines(Some(40));
        assert_eq!(narrow[0], "STREAM                   LAG   COMMITTED");
        assert_eq!(narrow[1], "TOTAL_DEPEN…R_USER_TYPE  200  59 min ago");
        assert!(
            narrow
                .join(" ")
                .ends_with("… no room for FILES, DAYS, SIZE, KEPT FROM, RECORDS")
        );
    }

    #[test]
    fn times_are_told_from_now() {
        let now = DateTime::parse_from_rfc3339("2026-11-23T12:00:00Z")
            .unwrap()
            .to_utc();
        let told = |seconds: i64| ago(now - chrono::Duration::seconds(seconds), now);
        assert_eq!(told(-30), "0 s ago");
        assert_eq!(told(59), "59 s ago");
        assert_eq!(told(3_599), "59 min ago");
        assert_eq!(told(86_399), "23 h ago");
        assert_eq!(told(9 * 86_400), "9 d ago");
        assert_eq!(told(-3_600), "2026-11-23T13:00:00.000Z");
    }
}
