//! Topics to sweep over, each with what Kafka held of it before and after; and what a lake of them must look like.

use std::collections::BTreeSet;

use crate::common::compare::{Compare, Key, fold};
use crate::common::files::{Line, data_files};
use crate::common::kafka::{DAY_MS, NOON_MS, Record, Topic, numbered, record, tombstone};
use crate::common::lake::Lake;

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Stream,
    Table,
    /// A table whose keys are windows of five minutes.
    Windowed,
}

pub struct Part {
    pub topic: Topic,
    kind: Kind,
    /// All records, each time that one looked.
    seen: Vec<Vec<Record>>,
}

pub struct Source(pub Vec<Part>);

impl Source {
    /// With what a first run finds: two days and two Kafka partitions; a table with a tombstone; two windows.
    pub fn new(label: &str, kinds: &[Kind]) -> Source {
        let parts = kinds.iter().map(|&kind| {
            let topic = match kind {
                Kind::Stream => Topic::with(label, 2, &[]),
                _ => Topic::compacted(label),
            };
            let [a, b, c] = ["a", "b", "c"].map(|key| record(key, "{\"N\":1.50}"));
            let (one, two) = (
                in_window(NOON_MS, "{\"N\":1}"),
                in_window(NOON_MS + 300_000, "{}"),
            );
            topic.send(&match kind {
                Kind::Stream => vec![a, b.to(0), later(vec![c.to(1)], 1).remove(0)],
                Kind::Table => vec![a, b, tombstone("b"), c],
                Kind::Windowed => vec![one, two],
            });
            let seen = vec![topic.read()];
            Part { topic, kind, seen }
        });
        Source(parts.collect())
    }

    /// What a later run finds: more of a day that is there, a new day, and a snapshot that moves to a new day.
    pub fn go_on(&mut self) {
        for part in &mut self.0 {
            part.topic.send(&match part.kind {
                Kind::Stream => later(numbered("c", 2, 2), 1)
                    .into_iter()
                    .chain(later(numbered("d", 1, 1), 2))
                    .collect(),
                Kind::Table => later(
                    vec![record("a", "{\"N\":2}"), tombstone("c"), record("d", "{}")],
                    1,
                ),
                Kind::Windowed => vec![in_window(NOON_MS, "{\"N\":3}")],
            });
            part.seen.push(part.topic.read());
        }
    }

    pub fn lake(&self, settings: &str) -> Lake {
        let add = |lake: Lake, part: &Part| match part.kind {
            Kind::Stream => lake.stream(&part.topic, ""),
            Kind::Table => lake.table(&part.topic, ""),
            Kind::Windowed => lake.table(&part.topic, "window = { type = \"hopping\", size = \"5m\" }"),
        };
        self.0.iter().fold(Lake::with(settings), add)
    }

    /// The lake holds all of the topics.
    pub fn assert_all(&self, lake: &Lake, extension: &'static str) {
        for part in &self.0 {
            let (compare, name) = (part.compare(extension), &part.topic.name);
            match part.kind {
                Kind::Stream => drop(compare.stream(lake, name, part.now())),
                _ => drop(compare.table(lake, name, part.now())),
            }
        }
    }

    /// No line of the lake is torn or stands twice, and a snapshot is one that there was or shall be.
    pub fn assert_readable(&self, lake: &Lake, extension: &'static str) {
        for part in &self.0 {
            match part.kind {
                Kind::Stream => assert_no_line_twice(lake, &part.topic.name, part.now()),
                _ => part.assert_snapshot(lake, &part.compare(extension)),
            }
        }
    }
}

impl Part {
    fn now(&self) -> &[Record] {
        &self.seen[self.seen.len() - 1]
    }

    fn compare(&self, extension: &'static str) -> Compare {
        let plain = Compare {
            extension,
            ..Compare::default()
        };
        match self.kind {
            Kind::Windowed => Compare {
                key: windowed_key,
                ..plain
            },
            _ => plain,
        }
    }

    /// What a reader finds under `current/` is whole, and was or is the table.
    fn assert_snapshot(&self, lake: &Lake, compare: &Compare) {
        let name = &self.topic.name;
        let link = lake.root().join(format!("current/{name}{}", compare.extension));
        if std::fs::symlink_metadata(&link).is_err() {
            assert_eq!(self.seen.len(), 1, "{link:?} is gone");
            return;
        }
        let target = std::fs::canonicalize(&link).unwrap();
        let lines = crate::common::files::lines(&target);
        let found: Vec<i64> = lines
            .iter()
            .map(|line| Line::parse(line, compare.prefix).offset)
            .collect();
        let rows = |records: &Vec<Record>| {
            let rows = fold(records);
            rows.values().map(|row| row.offset).collect::<Vec<_>>()
        };
        assert!(self.seen.iter().map(rows).any(|rows| rows == found), "{lines:#?}");
    }
}

/// Whatever a reader finds of a stream is a record of Kafka's, and none is there twice.
pub fn assert_no_line_twice(lake: &Lake, topic: &str, records: &[Record]) {
    let known: BTreeSet<_> = records
        .iter()
        .map(|record| (i64::from(record.partition), record.offset))
        .collect();
    let mut found = BTreeSet::new();
    for file in data_files(&lake.root().join("streams").join(topic)) {
        for line in &file.lines {
            let line = Line::parse(line, "_");
            let place = (line.partition, line.offset);
            assert!(known.contains(&place), "{} has {line:?}", file.path);
            assert!(found.insert(place), "{line:?} stands twice");
        }
    }
}

/// A name, and the window's start.
fn windowed_key(key: &[u8]) -> Key {
    let (name, start) = key.split_at(key.len() - 8);
    let start = i64::from_be_bytes(start.try_into().unwrap());
    let name = std::str::from_utf8(name).unwrap();
    (name.into(), Some((start, start + 300_000)))
}

fn in_window(start: i64, value: &str) -> Record {
    record("", value).key(Some(&[b"achat".as_slice(), &start.to_be_bytes()].concat()))
}

/// These records a number of days later.
pub fn later(records: Vec<Record>, days: i64) -> Vec<Record> {
    let one = |record: Record| {
        let time = record.timestamp_ms + days * DAY_MS;
        record.at(time)
    };
    records.into_iter().map(one).collect()
}
