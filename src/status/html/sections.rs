//! The page's tables.

use maud::{Markup, Render, html};
use std::collections::BTreeMap;

use super::grid::{number, section, table, table_section, text};
use super::{bytes, grouped, moment, name, unknown};
use crate::status::ask::StatusAnswer;
use crate::status::model::{LakeState, LakeStatus, PartitionStatus, TableStatus, TopicStatus};
use crate::words::one_line;

/// Reasons that are shown for one table; the rest is a number.
const REASONS_MAX: usize = 20;
/// Kafka partitions that are shown.
const PARTITIONS_MAX: usize = 2_000;
const NONE: &str = "–";

fn known(what: Option<impl Render>) -> Markup {
    what.map_or_else(unknown, |what| what.render())
}

fn figure(number: Option<u64>) -> Markup {
    known(number.map(grouped))
}

pub(super) fn in_the_lake(status: &StatusAnswer) -> Markup {
    let row = |topic: &TopicStatus| {
        let lake = topic.lake.as_ref()?;
        Some(vec![
            text("Topic", name(&topic.topic)),
            text("Kind", topic.kind.to_string()),
            number("Behind Kafka", lag(lake.lag, &lake.partitions, topic)),
            text("Last commit", lake_committed(lake)),
            number("Records", figure(lake.records)),
            number("On disk", known(lake.bytes.map(bytes))),
            number("Files", figure(lake.files)),
            text("Days", days(lake)),
        ])
    };
    let rows: Vec<_> = status.topics.iter().filter_map(row).collect();
    let caption = "Records of streams, rows of tables. What is behind is counted in offsets.";
    table_section("lake", "In the lake", caption, &rows)
}

/// The lag, and the part of Kafka's offsets that has been read.
fn lag(lag: Option<u64>, partitions: &[PartitionStatus], topic: &TopicStatus) -> Markup {
    let Some(lag) = lag else {
        return known((topic.in_kafka == Some(false)).then_some("not in Kafka"));
    };
    let end: i64 = partitions.iter().filter_map(|part| part.end).sum();
    let left = lag as f64 / end.max(1) as f64;
    // Even a small lag must be visible, and must not look like none.
    let done = match lag {
        0 => 100.0,
        _ => ((1.0 - left.min(1.0)) * 100.0).floor(),
    };
    html! {
        (grouped(lag)) " "
        span.bar role="img" aria-label={ (done) " % read" } { i style={ "width:" (done) "%" } {} }
    }
}

fn lake_committed(lake: &LakeStatus) -> Markup {
    html! {
        @match (lake.state, lake.committed) {
            (LakeState::New, _) => { "never" }
            (LakeState::Damaged, _) => { strong.warn { "! ledger damaged" } }
            (_, Some(at)) => { (moment(at)) }
            (_, None) => { (unknown()) }
        }
        // The run that committed needs no mention.
        @if let Some(run) = &lake.last_run && lake.committed.is_none_or(|at| at < run.started) {
            br; small { "last run " (moment(run.started)) }
        }
        @if lake.unfinished { br; small { "files still on their way" } }
    }
}

fn days(lake: &LakeStatus) -> Markup {
    html! {
        (figure(lake.days))
        @match (lake.days, lake.first_day, lake.last_day) {
            (Some(1), Some(first), _) => { " " small { time { (first) } } }
            (Some(_), Some(first), Some(last)) => { " " small { time { (first) } " to " time { (last) } } }
            _ => {}
        }
        @for note in &lake.notes { br; small { (note.note) ": " code { (note.fix) } } }
    }
}

fn tables(status: &StatusAnswer) -> impl Iterator<Item = (&TopicStatus, &TableStatus)> {
    let topics = status.topics.iter();
    topics.flat_map(|topic| topic.tables.iter().map(move |table| (topic, table)))
}

pub(super) fn in_the_warehouse(status: &StatusAnswer) -> Markup {
    let row = |(topic, table): (&TopicStatus, &TableStatus)| {
        let committed = match (table.committed, table.rejects) {
            (Some(at), _) => moment(at),
            (None, rejects) => known(rejects.map(|_| "never")),
        };
        let rows = match (table.rows, table.rows_exact) {
            (Some(rows), false) => html! { abbr title="the database's estimate" { "~" (grouped(rows)) } },
            (rows, _) => figure(rows),
        };
        let behind = if table.current {
            lag(table.lag, &table.partitions, topic)
        } else {
            NONE.render()
        };
        vec![
            text("Table", name(&table.table)),
            text("Topic", name(&topic.topic)),
            number("Behind Kafka", behind),
            text("Last commit", committed),
            number("Rows", rows),
            number("Rejects", figure(table.rejects)),
        ]
    };
    let rows: Vec<_> = tables(status).map(row).collect();
    let caption = "Rows with ~ are the database's estimate: counting them would have taken too long.";
    table_section("warehouse", "In the warehouse", caption, &rows)
}

pub(super) fn rejects(status: &StatusAnswer) -> Markup {
    let kept_in = html! { code { "lakectl_rejects" } };
    let mut rows = Vec::new();
    for (topic, table) in tables(status) {
        let mut told = 0;
        let mut tell = |reason: Markup, errno: Option<u32>, records: u64, last: &str| {
            let errno = errno.map_or_else(|| NONE.to_owned(), |errno| errno.to_string());
            rows.push(vec![
                text("Table", name(&table.table)),
                text("Topic", name(&topic.topic)),
                text("Reason", reason),
                number("MySQL error", errno),
                number("Records", grouped(records)),
                text("Last", last),
            ]);
        };
        for reason in table.rejects_by_reason.iter().take(REASONS_MAX) {
            told += reason.records;
            let last = one_line(reason.last.trim_end_matches('Z')).replace('T', " ");
            let why = html! { bdi { (one_line(&reason.reason)) } };
            tell(why, reason.errno, reason.records, &last);
        }
        let others = table.rejects.unwrap_or(0).saturating_sub(told);
        if others > 0 {
            tell(html! { "other reasons (see " (kept_in) ")" }, None, others, NONE);
        }
    }
    let caption = html! {
        "Records that no row could be made of. They are kept in " (kept_in) ", with their offsets."
    };
    table_section("rejects", "Rejected records", caption, &rows)
}

/// Retention, and the cutoff of the last purge; topics with the same values share a row.
pub(super) fn retention(status: &StatusAnswer) -> Markup {
    // The key is the column (none for the lake, which has days), the retention, and the cutoff.
    let mut groups: BTreeMap<(Option<&str>, String, String), Vec<&str>> = BTreeMap::new();
    let mut add = |who, column, kept: Option<&str>, purged: Option<String>| {
        let kept = kept.map_or_else(|| NONE.to_owned(), one_line);
        let purged = purged.unwrap_or_else(|| NONE.to_owned());
        groups.entry((column, kept, purged)).or_default().push(who);
    };
    for topic in &status.topics {
        if let Some(lake) = &topic.lake
            && (lake.retention.is_some() || lake.purged_before.is_some())
        {
            let purged = lake.purged_before.map(|day| day.to_string());
            add(topic.topic.as_str(), None, lake.retention.as_deref(), purged);
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
                    Some(column),
                    kept.map(|retention| retention.keep.as_str()),
                    purged.map(|purged| format!("{} UTC", one_line(&purged.before))),
                );
            }
        }
    }
    let row = |((column, kept, purged), who): ((Option<&str>, String, String), Vec<&str>)| {
        let who = html! {
            @for (at, who) in who.into_iter().enumerate() {
                @if at > 0 { ", " }
                (name(who))
            }
        };
        let place = html! {
            @if let Some(column) = column { "warehouse, by " (name(column)) } @else { "lake, by day" }
        };
        vec![
            text("Topics or table", who),
            text("Where", place),
            text("Kept for", kept),
            text("Purged before", purged),
        ]
    };
    let rows: Vec<_> = groups.into_iter().map(row).collect();
    let caption = "What a purge has deleted stays away, whatever is read again.";
    table_section("retention", "Retention", caption, &rows)
}

pub(super) fn partitions(status: &StatusAnswer) -> Markup {
    let offset = |offset: Option<i64>| offset.map(|at| grouped(at.unsigned_abs()));
    let mut rows = Vec::new();
    for topic in &status.topics {
        let lake = topic.lake.iter().map(|lake| ("lake", &lake.partitions));
        let tables = topic
            .tables
            .iter()
            .map(|table| (table.table.as_str(), &table.partitions));
        for (target, partitions) in lake.chain(tables) {
            rows.extend(partitions.iter().map(|part| {
                vec![
                    text("Topic", name(&topic.topic)),
                    text("Target", name(target)),
                    number("Kafka partition", part.partition),
                    number(
                        "Next offset",
                        offset(part.next).unwrap_or_else(|| NONE.to_owned()),
                    ),
                    number("End", known(offset(part.end))),
                    number("Behind", figure(part.lag)),
                ]
            }));
        }
    }
    let left = rows.len().saturating_sub(PARTITIONS_MAX);
    rows.truncate(PARTITIONS_MAX);
    let caption = html! {
        "The end is where committed records end."
        @if left > 0 { " " (grouped(left as u64)) " more stand in the report of " code { "--json" } "." }
    };
    let content = html! {
        details {
            summary { "Progress and end of each Kafka partition" }
            (table(caption, &rows))
        }
    };
    html! {
        @if !rows.is_empty() { (section("partitions", "Kafka partitions", &content)) }
    }
}
