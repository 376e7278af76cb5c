//! The status as text: streams, tables, and the MySQL tables that they fill, in aligned columns.

use chrono::{DateTime, Utc};
use indicatif::HumanBytes;
use unicode_width::UnicodeWidthStr;

use super::ask::StatusAnswer;
use super::model::{LakeState, LakeStatus, PartitionStatus, Source, TableStatus, TopicStatus, rfc3339};
use crate::config::Kind;
use crate::words::{count, one_line};

const GAP: &str = "  ";
const UNKNOWN: &str = "?";
const NONE: &str = "-";

/// Aligned columns: the first to the left, the others to the right. A row may have lines below it.
struct Columns {
    rows: Vec<(Vec<String>, Vec<String>)>,
}

/// The lines of the status. `verbose` adds each topic's details below it.
pub fn lines(status: &StatusAnswer, verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if verbose {
        lines.extend([
            format!("lake       {}", status.lake_root),
            format!("kafka      {}", status.brokers),
            format!(
                "warehouse  {}",
                status.database.as_deref().unwrap_or("not configured")
            ),
        ]);
    }
    if let Source::Absent(what) = &status.lake {
        lines.push(format!("{what} at {}", status.lake_root));
    }
    for (kind, name, what) in [
        (Kind::Stream, "STREAM", "RECORDS"),
        (Kind::Table, "TABLE", "ROWS"),
    ] {
        let in_lake = |topic: &&TopicStatus| topic.kind == kind && topic.lake.is_some();
        let topics: Vec<&TopicStatus> = status.topics.iter().filter(in_lake).collect();
        section(&mut lines, in_the_lake(&topics, name, what, status, verbose));
    }
    section(&mut lines, in_the_warehouse(status, verbose));
    if status.topics.is_empty() {
        lines.push("no topic is configured, and neither lake nor warehouse knows one".to_owned());
    }
    lines.iter().map(|line| one_line(line)).collect()
}

fn section(lines: &mut Vec<String>, columns: Columns) {
    if columns.rows.len() > 1 {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(columns.lines());
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
        columns
            .rows
            .push((cells, if verbose { particulars(lake) } else { Vec::new() }));
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

    fn lines(&self) -> Vec<String> {
        let cells = self.rows.iter().map(|(cells, _)| cells);
        let count = cells.clone().map(Vec::len).max().unwrap_or(0);
        let width = |at: usize| {
            let column = cells.clone().filter_map(|cells| cells.get(at));
            column.map(|cell| cell.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..count).map(width).collect();
        let mut lines = Vec::new();
        for (cells, below) in &self.rows {
            let mut line = String::new();
            for (at, cell) in cells.iter().enumerate() {
                let padding = " ".repeat(widths[at].saturating_sub(cell.width()));
                match at {
                    0 => line.extend([cell.as_str(), &padding]),
                    _ => line.extend([GAP, padding.as_str(), cell]),
                }
            }
            lines.push(line.trim_end().to_owned());
            lines.extend(below.iter().map(|text| format!("    {text}")));
        }
        lines
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
        let lines = columns.lines();
        assert!(lines.iter().all(|line| line.width() == 13), "{lines:?}");
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
