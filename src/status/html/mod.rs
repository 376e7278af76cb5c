//! The status as a page: one file, which needs no script, no server and nothing from elsewhere.

mod calendar;
mod grid;
mod sections;

use chrono::{DateTime, Utc};

use super::ask::Status;
use super::model::{Source, rfc3339};
use crate::report::one_line;
use calendar::Calendars;

const STYLE: &str = include_str!("style.css");
/// Whatever a topic's name, a reason or a warning holds: it can load nothing and run nothing.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

pub fn page(status: &Status) -> String {
    let calendars = Calendars::new(status);
    let body = [
        header(status),
        tiles(status),
        warnings(status),
        sections::in_the_lake(status),
        calendars.section(),
        sections::in_the_warehouse(status),
        sections::rejects(status),
        sections::retention(status),
        sections::partitions(status),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>lakectl: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         {}</main>\n</body>\n</html>\n",
        escape(&overall(status).1),
        body.concat()
    )
}

/// Text from outside, fit to stand anywhere in the page.
fn escape(text: &str) -> String {
    let text = one_line(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The name of a topic, a table or a column, which may break where its words end.
fn name(text: &str) -> String {
    let mut out = String::from("<bdi>");
    for part in text.split_inclusive(['_', '-', '.']) {
        out.push_str(&escape(part));
        if part.ends_with(['_', '-', '.']) {
            out.push_str("<wbr>");
        }
    }
    out + "</bdi>"
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

/// A time as it is: the page may be read long after it was written.
fn moment(time: DateTime<Utc>) -> String {
    format!(
        "<time datetime=\"{}\">{}</time>",
        rfc3339(time),
        time.format("%Y-%m-%d %H:%M:%S")
    )
}

/// A sign that is told apart without its colour, and what it says.
fn overall(status: &Status) -> (&'static str, String) {
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

fn header(status: &Status) -> String {
    let (class, text) = overall(status);
    let sign = if class == "good" { "✓" } else { "!" };
    let place = |name: &str, what: &str, source: &Source| {
        let state = match source {
            Source::Answered => String::new(),
            Source::Absent(why) => format!(" <em>{}</em>", escape(why)),
            Source::Silent => " <em class=\"warn\">! could not be asked</em>".to_owned(),
        };
        format!(
            "<div><dt>{name}</dt><dd><bdi>{}</bdi>{state}</dd></div>\n",
            escape(what)
        )
    };
    let database = status.database.as_deref().unwrap_or("–");
    format!(
        "<header>\n<div class=\"title\"><h1>Lake and warehouse</h1>\n\
         <p class=\"state {class}\"><span aria-hidden=\"true\">{sign}</span> {text}</p></div>\n<dl class=\"places\">\n\
         <div><dt>As of</dt><dd>{} UTC</dd></div>\n{}{}{}</dl>\n</header>\n",
        moment(status.asked),
        place("Lake", &status.lake_root, &status.lake),
        place("Kafka", &status.brokers, &status.kafka),
        place("Warehouse", database, &status.warehouse),
    )
}

fn tiles(status: &Status) -> String {
    let lakes = || status.topics.iter().filter_map(|topic| topic.lake.as_ref());
    let tables = || status.topics.iter().flat_map(|topic| &topic.tables);
    let bytes = |bytes| indicatif::HumanBytes(bytes).to_string();
    let mut tiles = vec![("topics", grouped(status.topics.len() as u64))];
    if lakes().next().is_some() {
        let behind = status.topics.iter().filter(|topic| topic.in_kafka != Some(false));
        let behind = behind.filter_map(|topic| topic.lake.as_ref());
        tiles.extend([
            (
                "records in the lake",
                sum(lakes().map(|lake| lake.records), grouped),
            ),
            ("on disk", sum(lakes().map(|lake| lake.bytes), bytes)),
            ("behind Kafka, lake", sum(behind.map(|lake| lake.lag), grouped)),
        ]);
    }
    if tables().next().is_some() {
        // Tables that a topic went to before are behind nothing.
        let current = tables().filter(|table| table.current);
        tiles.extend([
            (
                "behind Kafka, warehouse",
                sum(current.map(|table| table.lag), grouped),
            ),
            (
                "rejected records",
                sum(tables().map(|table| table.rejects), grouped),
            ),
        ]);
    }
    let tile = |(what, number)| format!("<div><dt>{what}</dt><dd>{number}</dd></div>\n");
    let tiles: String = tiles.into_iter().map(tile).collect();
    format!("<dl class=\"tiles\">\n{tiles}</dl>\n")
}

const UNKNOWN: &str = "<abbr title=\"could not be asked\">?</abbr>";

/// What is known of a sum, and that there is more where a part is unknown.
fn sum(parts: impl Iterator<Item = Option<u64>>, shown: impl Fn(u64) -> String) -> String {
    let parts: Vec<Option<u64>> = parts.collect();
    let known = parts.iter().flatten().sum();
    match (parts.contains(&None), parts.iter().any(Option::is_some)) {
        (true, false) => UNKNOWN.to_owned(),
        (true, true) => format!("{} + {UNKNOWN}", shown(known)),
        (false, _) => shown(known),
    }
}

fn warnings(status: &Status) -> String {
    if status.warnings.is_empty() {
        return String::new();
    }
    let items: String = status
        .warnings
        .iter()
        .map(|warning| format!("<li><bdi>{}</bdi></li>\n", escape(warning)))
        .collect();
    format!(
        "<section class=\"warnings\" aria-labelledby=\"warnings\">\n<h2 id=\"warnings\">Needs a look</h2>\n<ul>\n{items}</ul>\n\
         </section>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(
            escape("<b a='1' c=\"2\">&\u{0}\n"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\\u{0}\\n"
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
