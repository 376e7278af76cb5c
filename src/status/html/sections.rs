//! The page's tables.

use std::collections::BTreeMap;

use super::grid::{number, table, text};
use super::{UNKNOWN, escape, grouped, moment, name};
use crate::status::ask::Status;
use crate::status::model::{LakeState, LakeStatus, PartitionStatus, TableStatus, TopicStatus};

/// Reasons of one table that are told; the rest is a number.
const REASONS_MAX: usize = 20;
/// Kafka partitions that are told.
const PARTITIONS_MAX: usize = 2_000;
const NONE: &str = "–";

fn section(id: &str, title: &str, content: &str) -> String {
    format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n{content}</section>\n")
}

pub(super) fn in_the_lake(status: &Status) -> String {
    let mut rows = Vec::new();
    for topic in &status.topics {
        let Some(lake) = &topic.lake else { continue };
        rows.push(vec![
            name(&topic.topic),
            topic.kind.to_string(),
            lag(lake.lag, &lake.partitions, topic),
            lake_committed(lake),
            figure(lake.records),
            lake.bytes.map_or_else(
                || UNKNOWN.to_owned(),
                |bytes| indicatif::HumanBytes(bytes).to_string(),
            ),
            figure(lake.files),
            days(lake),
        ]);
    }
    if rows.is_empty() {
        return String::new();
    }
    let heads = [
        text("Topic"),
        text("Kind"),
        number("Behind Kafka"),
        text("Last commit"),
        number("Records"),
        number("On disk"),
        number("Files"),
        text("Days"),
    ];
    let caption = "Records of streams, rows of tables. What is behind is counted in offsets.";
    section("lake", "In the lake", &table(caption, &heads, &rows))
}

fn figure(number: Option<u64>) -> String {
    number.map_or_else(|| UNKNOWN.to_owned(), grouped)
}

/// The number, and how much of what Kafka counts has been read.
fn lag(lag: Option<u64>, partitions: &[PartitionStatus], topic: &TopicStatus) -> String {
    let Some(lag) = lag else {
        return match topic.in_kafka {
            Some(false) => "not in Kafka".to_owned(),
            _ => UNKNOWN.to_owned(),
        };
    };
    let end: i64 = partitions.iter().filter_map(|part| part.end).sum();
    let left = lag as f64 / end.max(1) as f64;
    // Whatever is left shall be seen, and what is left shall not look done.
    let done = match lag {
        0 => 100.0,
        _ => ((1.0 - left.min(1.0)) * 100.0).floor(),
    };
    format!(
        "{} <span class=\"bar\" role=\"img\" aria-label=\"{done:.0} % read\"><i style=\"width:{done:.0}%\"></i></span>",
        grouped(lag)
    )
}

fn lake_committed(lake: &LakeStatus) -> String {
    let mut lines = match (lake.state, lake.committed) {
        (LakeState::New, _) => vec!["never".to_owned()],
        (LakeState::Damaged, _) => vec!["<strong class=\"warn\">! ledger damaged</strong>".to_owned()],
        (_, Some(at)) => vec![moment(at)],
        (_, None) => vec![UNKNOWN.to_owned()],
    };
    // The run that committed is no news.
    if let Some(run) = &lake.last_run
        && lake.committed.is_none_or(|at| at < run.started)
    {
        lines.push(format!("<small>last run {}</small>", moment(run.started)));
    }
    if lake.unfinished {
        lines.push("<small>files still on their way</small>".to_owned());
    }
    lines.join("<br>")
}

fn days(lake: &LakeStatus) -> String {
    match (lake.days, lake.first_day, lake.last_day) {
        (Some(1), Some(first), _) => format!("1 <small><time>{first}</time></small>"),
        (Some(days), Some(first), Some(last)) => {
            format!(
                "{} <small><time>{first}</time> to <time>{last}</time></small>",
                grouped(days)
            )
        }
        (Some(days), ..) => grouped(days),
        (None, ..) => UNKNOWN.to_owned(),
    }
}

fn tables(status: &Status) -> impl Iterator<Item = (&TopicStatus, &TableStatus)> {
    let topics = status.topics.iter();
    topics.flat_map(|topic| topic.tables.iter().map(move |table| (topic, table)))
}

pub(super) fn in_the_warehouse(status: &Status) -> String {
    let rows: Vec<Vec<String>> = tables(status)
        .map(|(topic, table)| {
            let committed = match (table.committed, table.rejects) {
                (Some(at), _) => moment(at),
                (None, Some(_)) => "never".to_owned(),
                (None, None) => UNKNOWN.to_owned(),
            };
            let rows = match (table.rows, table.rows_exact) {
                (Some(rows), false) => {
                    format!(
                        "<abbr title=\"the database's estimate\">~{}</abbr>",
                        grouped(rows)
                    )
                }
                (rows, _) => figure(rows),
            };
            let behind = match table.current {
                true => lag(table.lag, &table.partitions, topic),
                false => NONE.to_owned(),
            };
            vec![
                name(&table.table),
                name(&topic.topic),
                behind,
                committed,
                rows,
                figure(table.rejects),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let heads = [
        text("Table"),
        text("Topic"),
        number("Behind Kafka"),
        text("Last commit"),
        number("Rows"),
        number("Rejects"),
    ];
    let caption = "Rows with ~ are the database's estimate: counting them would have taken too long.";
    section("warehouse", "In the warehouse", &table(caption, &heads, &rows))
}

pub(super) fn rejects(status: &Status) -> String {
    let mut rows = Vec::new();
    for (topic, table) in tables(status) {
        let target = name(&table.table);
        let topic = name(&topic.topic);
        let mut told = 0;
        for reason in table.rejects_by_reason.iter().take(REASONS_MAX) {
            told += reason.records;
            rows.push(vec![
                target.clone(),
                topic.clone(),
                format!("<bdi>{}</bdi>", escape(&reason.reason)),
                reason
                    .errno
                    .map_or_else(|| NONE.to_owned(), |errno| errno.to_string()),
                grouped(reason.records),
                escape(reason.last.trim_end_matches('Z')).replace('T', " "),
            ]);
        }
        let others = table.rejects.unwrap_or(0).saturating_sub(told);
        if others > 0 {
            let why = "other reasons (see <code>lakectl_rejects</code>)".to_owned();
            rows.push(vec![
                target,
                topic,
                why,
                NONE.to_owned(),
                grouped(others),
                NONE.to_owned(),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let heads = [
        text("Table"),
        text("Topic"),
        text("Reason"),
        number("MySQL error"),
        number("Records"),
        text("Last"),
    ];
    let caption = "Records that no row could be made of. They are kept in <code>lakectl_rejects</code>, with their offsets.";
    section("rejects", "Rejected records", &table(caption, &heads, &rows))
}

/// Who is kept how long and was purged up to when; those that agree share a row.
pub(super) fn retention(status: &Status) -> String {
    let mut groups: BTreeMap<[String; 3], Vec<String>> = BTreeMap::new();
    let mut add = |who: &str, place: String, kept: Option<&str>, purged: Option<String>| {
        let kept = kept.map_or_else(|| NONE.to_owned(), escape);
        let terms = [place, kept, purged.unwrap_or_else(|| NONE.to_owned())];
        groups.entry(terms).or_default().push(name(who));
    };
    for topic in &status.topics {
        if let Some(lake) = &topic.lake
            && (lake.retention.is_some() || lake.purged_before.is_some())
        {
            let purged = lake.purged_before.map(|day| day.to_string());
            let place = "lake, by day".to_owned();
            add(&topic.topic, place, lake.retention.as_deref(), purged);
        }
        for table in &topic.tables {
            let configured = table.retention.as_ref();
            let mut columns: Vec<&String> = configured.iter().map(|it| &it.column).collect();
            columns.extend(table.purged_before.iter().map(|purged| &purged.column));
            columns.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
            for column in columns {
                let same = |other: &String| other.eq_ignore_ascii_case(column);
                let purged = table.purged_before.iter().find(|purged| same(&purged.column));
                let kept = configured.filter(|retention| same(&retention.column));
                add(
                    &table.table,
                    format!("warehouse, by {}", name(column)),
                    kept.map(|retention| retention.keep.as_str()),
                    purged.map(|purged| format!("{} UTC", escape(&purged.before))),
                );
            }
        }
    }
    if groups.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = groups
        .into_iter()
        .map(|([place, kept, purged], who)| vec![who.join(", "), place, kept, purged])
        .collect();
    let heads = [
        text("Topics or table"),
        text("Where"),
        text("Kept for"),
        text("Purged before"),
    ];
    let caption = "What a purge has deleted stays away, whatever is read again.";
    section("retention", "Retention", &table(caption, &heads, &rows))
}

pub(super) fn partitions(status: &Status) -> String {
    let mut rows = Vec::new();
    for topic in &status.topics {
        let lake = topic.lake.iter().map(|lake| ("lake", &lake.partitions));
        let tables = topic
            .tables
            .iter()
            .map(|table| (table.table.as_str(), &table.partitions));
        for (target, partitions) in lake.chain(tables) {
            let offset = |offset: Option<i64>, none: &str| {
                offset.map_or_else(|| none.to_owned(), |at| grouped(at.unsigned_abs()))
            };
            rows.extend(partitions.iter().map(|part| {
                vec![
                    name(&topic.topic),
                    name(target),
                    part.partition.to_string(),
                    offset(part.next, NONE),
                    offset(part.end, UNKNOWN),
                    figure(part.lag),
                ]
            }));
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let left = rows.len().saturating_sub(PARTITIONS_MAX);
    rows.truncate(PARTITIONS_MAX);
    let heads = [
        text("Topic"),
        text("Target"),
        number("Kafka partition"),
        number("Next offset"),
        number("End"),
        number("Behind"),
    ];
    let more = match left {
        0 => String::new(),
        left => format!(
            " {} more stand in the report of <code>--json</code>.",
            grouped(left as u64)
        ),
    };
    let caption = format!("The end is where committed records end.{more}");
    let summary = "<summary>Progress and end of each Kafka partition</summary>";
    let content = format!(
        "<details>\n{summary}\n{}</details>\n",
        table(&caption, &heads, &rows)
    );
    section("partitions", "Kafka partitions", &content)
}
