//! Checks the keys of a sample: whether they have the configured format and window, and which ones they seem to have.

use super::scope::CheckedTopic;
use super::{CheckName, Checks};
use crate::config::{KeyFormat, KeySchema, Kind, Window};
use crate::decode::key::{DecodedKey, Key, WindowBounds};
use crate::record::Record;

/// Windows of real records lie between 2000 and 2100; a key that gives another time has no window.
const PLAUSIBLE_MS: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;
/// The formats that a key is tried as, in this order.
const FORMATS: [KeyFormat; 4] = [
    KeyFormat::Json,
    KeyFormat::String,
    KeyFormat::Int,
    KeyFormat::Bigint,
];
const WINDOWS: [Option<Window>; 3] = [None, Some(Window::Time { size_ms: 0 }), Some(Window::Session)];

#[derive(Debug)]
pub(super) struct Keys {
    schema: KeySchema,
    records: u64,
    null: u64,
    undecodable: u64,
    /// The reason and place of the first of them.
    first: Option<(String, i32, i64)>,
    /// The formats that fit all keys so far.
    alike: Vec<KeySchema>,
}

impl Keys {
    pub(super) fn new(schema: &KeySchema) -> Keys {
        let alike = WINDOWS.iter().flat_map(|&window| {
            FORMATS.iter().map(move |&format| KeySchema {
                format,
                window,
                ..KeySchema::default()
            })
        });
        Keys {
            schema: schema.clone(),
            records: 0,
            null: 0,
            undecodable: 0,
            first: None,
            alike: alike.collect(),
        }
    }

    pub(super) fn take(&mut self, record: &Record<'_>, decoded: &DecodedKey<'_>) {
        self.records += 1;
        match decoded {
            DecodedKey::Null => self.null += 1,
            DecodedKey::Key { .. } => {}
            DecodedKey::Undecodable { reason, .. } => {
                self.undecodable += 1;
                self.first
                    .get_or_insert_with(|| (reason.to_string(), record.partition, record.offset));
            }
        }
        if record.key.is_some() {
            self.alike.retain(|schema| looks_like(schema, record.key));
        }
    }

    pub(super) fn judge(&self, subject: &CheckedTopic, checks: &mut Checks) {
        let place: CheckName<'_> = (subject.name(), "keys");
        let (there, format) = (self.records - self.null, self.schema.format);
        let is_table = subject.topic.kind == Kind::Table;
        if there == 0 && is_table {
            return checks.wrong(
                place,
                "no record has a key, but the records of a table need one",
                "kind = \"stream\", or give the records a key where they are produced",
            );
        }
        if there == 0 {
            return checks.ok(place, "the records have none");
        }
        let better = self.alike.first().filter(|alike| !same(alike, &self.schema));
        if self.undecodable * 2 > there {
            let (reason, partition, offset) = self.first.clone().unwrap_or_default();
            let fix = match better {
                Some(better) => settings(better, &self.schema),
                None => "look at such a key, and set key.format and window; \"bytes\" takes any".to_owned(),
            };
            return checks.wrong(
                place,
                format!(
                    "{} of {there} are not of format {format}: {reason} (Kafka partition {partition}, offset {offset})",
                    self.undecodable
                ),
                fix,
            );
        }
        match better.filter(|better| self.undecodable == 0 && self.misread(better)) {
            Some(better) if better.window.is_some() || is_table => checks.wrong(
                place,
                format!("all {there} can be read as {format}, but {}", seems(better)),
                settings(better, &self.schema),
            ),
            Some(better) => checks.ok_but(
                place,
                format!("{there} of {there} are {format}, though {}", seems(better)),
                Some(settings(better, &self.schema)),
            ),
            None => self.ok(place, there, checks),
        }
    }

    fn ok(&self, place: CheckName<'_>, there: u64, checks: &mut Checks) {
        let mut message = format!(
            "{} of {there} are {}",
            there - self.undecodable,
            self.schema.format
        );
        if self.schema.window.is_some() {
            message.push_str(" with a window");
        }
        if self.null > 0 {
            message.push_str(&format!(", {} records have none", self.null));
        }
        let others = self.first.as_ref().map(|(reason, partition, offset)| {
            format!(
                "the others are kept as bytes: {reason} (the first in Kafka partition {partition} at offset {offset})"
            )
        });
        checks.ok_but(place, message, others);
    }

    /// Whether the configured format reads every key, but all of them wrongly.
    fn misread(&self, better: &KeySchema) -> bool {
        let window_missed = match (self.schema.window, better.window) {
            (None, Some(_)) => self.schema.format != KeyFormat::Bytes,
            (Some(Window::Time { .. }), Some(Window::Session)) => true,
            _ => false,
        };
        let json_as_text = self.schema.format == KeyFormat::String && better.format == KeyFormat::Json;
        window_missed || json_as_text
    }
}

fn same(one: &KeySchema, other: &KeySchema) -> bool {
    let kind = |window: Option<Window>| window.map(|window| matches!(window, Window::Session));
    one.format == other.format && kind(one.window) == kind(other.window)
}

/// Whether a key is not only readable in this format, but also seems to be meant so.
fn looks_like(schema: &KeySchema, key: Option<&[u8]>) -> bool {
    let DecodedKey::Key { key, window } = schema.decode(key) else {
        return false;
    };
    let plausible = |bounds: WindowBounds| {
        PLAUSIBLE_MS.contains(&bounds.start_ms) && PLAUSIBLE_MS.contains(&bounds.end_ms)
    };
    let text = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    window.is_none_or(plausible)
        && match key {
            Key::Text(value) => text(&value),
            // Numbers and bare words are more likely text.
            Key::Json(value) => value.starts_with(['{', '[', '"']),
            _ => true,
        }
}

fn seems(schema: &KeySchema) -> String {
    match (schema.window, schema.format) {
        (None, KeyFormat::Json) => "they are JSON".to_owned(),
        (None, format) => format!("they look like {format}"),
        (Some(Window::Session), _) => "they end in a session's two times".to_owned(),
        (Some(_), _) => "they end in the 8 bytes of a window's start".to_owned(),
    }
}

/// The configuration that would read such keys.
fn settings(better: &KeySchema, now: &KeySchema) -> String {
    let mut lines = Vec::new();
    if better.format != now.format {
        lines.push(format!("key.format = \"{}\"", better.format));
    }
    match (better.window, now.window) {
        (None, Some(_)) => lines.push("no window entry".to_owned()),
        (Some(Window::Session), _) => lines.push("window = { type = \"session\" }".to_owned()),
        (Some(_), None | Some(Window::Session)) => lines.push(
            "window = { type = \"tumbling\", size = \"…\" } (or \"hopping\"), with the size of the query's windows"
                .to_owned(),
        ),
        _ => {}
    }
    lines.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &[u8] = &1_761_825_600_000i64.to_be_bytes();

    fn alike(keys: &[Vec<u8>], configured: KeySchema) -> String {
        let mut seen = Keys::new(&configured);
        for key in keys {
            let record = Record {
                partition: 0,
                offset: 0,
                timestamp_ms: 0,
                key: Some(key),
                value: None,
                headers: Vec::new(),
            };
            seen.take(&record, &configured.decode(record.key));
        }
        let found = seen.alike.first();
        found.map_or_else(|| "nothing".to_owned(), |found| settings(found, &configured))
    }

    #[test]
    fn what_keys_look_like_is_named() {
        let plain = KeySchema::default;
        let windowed = |key: &[u8]| [key, START].concat();
        assert_eq!(alike(&[b"a".to_vec(), b"b".to_vec()], plain()), "");
        assert_eq!(alike(&[b"{\"A\":1}".to_vec()], plain()), "key.format = \"json\"");
        assert_eq!(
            alike(&[5i32.to_be_bytes().to_vec()], plain()),
            "key.format = \"int\""
        );
        assert!(alike(&[windowed(b"deposit")], plain()).starts_with("window = { type = \"tumbling\""));
        assert_eq!(
            alike(&[[b"deposit", START, START].concat()], plain()),
            "window = { type = \"session\" }"
        );
        assert!(
            alike(&[windowed(&7i64.to_be_bytes())], plain())
                .starts_with("key.format = \"bigint\" and window")
        );
        let hopping = KeySchema {
            window: Some(Window::Time { size_ms: 1 }),
            ..plain()
        };
        assert_eq!(alike(&[b"deposit".to_vec()], hopping), "no window entry");
        assert_eq!(alike(&[vec![1, 2, 3]], plain()), "nothing");
    }
}
