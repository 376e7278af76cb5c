//! The status as a page: one file without scripts, which needs no server and loads nothing.

mod calendar;
mod grid;
mod sections;

use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

use super::ask::StatusAnswer;
use super::model::{Source, rfc3339};
use crate::words::one_line;
use calendar::Calendars;

const STYLE: &str = include_str!("style.css");
/// The page can load and run nothing, whatever text a topic's name, a reason or a warning holds.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

pub fn page(status: &StatusAnswer) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                link rel="icon" href="data:,";
                title { "lakectl: " (overall(status).1) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (header(status))
                    (tiles(status))
                    (warnings(status))
                    (sections::in_the_lake(status))
                    (Calendars::new(status).section())
                    (sections::in_the_warehouse(status))
                    (sections::rejects(status))
                    (sections::retention(status))
                    (sections::partitions(status))
                }
            }
        }
    };
    page.into_string() + "\n"
}

/// The name of a topic, table or column, which may break between its words.
fn name(text: &str) -> Markup {
    let text = one_line(text);
    html! {
        bdi {
            @for part in text.split_inclusive(['_', '-', '.']) {
                (part)
                @if part.ends_with(['_', '-', '.']) { wbr; }
            }
        }
    }
}

/// `1,234,567`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// An absolute time, as the page may be read long after it was written.
fn moment(time: DateTime<Utc>) -> Markup {
    html! { time datetime=(rfc3339(time)) { (time.format("%Y-%m-%d %H:%M:%S")) } }
}

fn unknown() -> Markup {
    html! { abbr title="could not be asked" { "?" } }
}

/// A sign that is recognisable without its colour, with its meaning in words.
fn overall(status: &StatusAnswer) -> (&'static str, String) {
    let tables = status.topics.iter().flat_map(|topic| &topic.tables);
    let rejects: u64 = tables.filter_map(|table| table.rejects).sum();
    match (status.heard_anything(), status.warnings.len()) {
        (false, _) => ("bad", "nothing could be asked".to_owned()),
        (true, 0) if rejects > 0 => ("warn", "rejected records need a look".to_owned()),
        (true, 0) => ("good", "no warnings".to_owned()),
        (true, 1) => ("warn", "1 thing needs a look".to_owned()),
        (true, number) => ("warn", format!("{number} things need a look")),
    }
}

fn header(status: &StatusAnswer) -> Markup {
    let (class, text) = overall(status);
    let database = status.database.as_deref().unwrap_or("–");
    let places = [
        ("Lake", status.lake_root.as_str(), &status.lake),
        ("Kafka", &status.brokers, &status.kafka),
        ("Warehouse", database, &status.warehouse),
    ];
    html! {
        header {
            div.title {
                h1 { "Lake and warehouse" }
                p class={ "state " (class) } {
                    span aria-hidden="true" { @if class == "good" { "✓" } @else { "!" } } " " (text)
                }
            }
            dl.places {
                div { dt { "As of" } dd { (moment(status.asked)) " UTC" } }
                @for (name, what, source) in places {
                    div { dt { (name) } dd { bdi { (one_line(what)) } (state(source)) } }
                }
            }
        }
    }
}

fn state(source: &Source) -> Markup {
    html! {
        @match source {
            Source::Answered => {}
            Source::Absent(why) => { " " em { (why) } }
            Source::Silent => { " " em.warn { "! could not be asked" } }
        }
    }
}

fn tiles(status: &StatusAnswer) -> Markup {
    let lakes = || status.topics.iter().filter_map(|topic| topic.lake.as_ref());
    let tables = || status.topics.iter().flat_map(|topic| &topic.tables);
    let behind = status.topics.iter().filter(|topic| topic.in_kafka != Some(false));
    let behind = behind.filter_map(|topic| topic.lake.as_ref());
    // Tables that topics no longer fill have no lag.
    let current = tables().filter(|table| table.current);
    html! {
        dl.tiles {
            (tile("topics", grouped(status.topics.len() as u64)))
            @if lakes().next().is_some() {
                (tile("records in the lake", sum(lakes().map(|lake| lake.records), grouped)))
                (tile("on disk", sum(lakes().map(|lake| lake.bytes), bytes)))
                (tile("behind Kafka, lake", sum(behind.map(|lake| lake.lag), grouped)))
            }
            @if tables().next().is_some() {
                (tile("behind Kafka, warehouse", sum(current.map(|table| table.lag), grouped)))
                (tile("rejected records", sum(tables().map(|table| table.rejects), grouped)))
            }
        }
    }
}

fn tile(what: &str, number: impl Render) -> Markup {
    html! { div { dt { (what) } dd { (number) } } }
}

fn bytes(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// A sum of the known parts, marked if a part is unknown.
fn sum(parts: impl Iterator<Item = Option<u64>>, shown: impl Fn(u64) -> String) -> Markup {
    let parts: Vec<Option<u64>> = parts.collect();
    let known = shown(parts.iter().flatten().sum());
    match (parts.contains(&None), parts.iter().any(Option::is_some)) {
        (true, false) => unknown(),
        (true, true) => html! { (known) " + " (unknown()) },
        (false, _) => known.render(),
    }
}

fn warnings(status: &StatusAnswer) -> Markup {
    html! {
        @if !status.warnings.is_empty() {
            section.warnings aria-labelledby="warnings" {
                h2 #warnings { "Needs a look" }
                ul { @for warning in &status.warnings { li { bdi { (one_line(&warning.to_string())) } } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(
            name("<b a='1' c=\"2\">&\u{0}\n").into_string(),
            "<bdi>&lt;b a='1' c=&quot;2&quot;&gt;&amp;\\u{0}\\n</bdi>"
        );
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
