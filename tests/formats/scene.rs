//! Many topics, drained in one run each of lake and warehouse, and what must lie there then.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

use crate::cases::Meant;
use crate::common::files::data_files;
use crate::common::kafka::{Record, Topic};
use crate::common::lake::Lake;
use crate::common::service;
use crate::exact::Exact;
use crate::kinds::Kind;
use crate::variant::Encoded;
use crate::world::{Row, Warehouse};

/// A topic that holds these records.
pub struct Filled {
    /// What failures call it.
    pub label: String,
    pub topic: Topic,
    pub encoded: Encoded,
}

/// Makes and fills a topic for each of them.
pub fn fill(policy: &str, all: Vec<(String, Encoded)>) -> Vec<Filled> {
    let topics = Topic::many_with("formats", all.len(), policy);
    let filled: Vec<_> = all.into_iter().zip(topics).collect();
    Topic::send_to_each(filled.iter().map(|((_, encoded), topic)| {
        let records = encoded.records.iter().map(record);
        (topic, records.collect())
    }));
    let filled = filled.into_iter().map(|((label, encoded), topic)| Filled {
        label,
        topic,
        encoded,
    });
    filled.collect()
}

fn record(meant: &Meant) -> Record {
    Record {
        partition: 0,
        offset: -1,
        timestamp_ms: meant.timestamp_ms,
        key: meant.key_bytes.clone(),
        value: meant.value_bytes.clone(),
        headers: Vec::new(),
    }
}

/// A configuration of all of them, each with a table of its own.
fn entries(all: &[&Filled], kind: &str) -> String {
    let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
    let mut text = format!("[schema_registry]\nurl = {url:?}\n");
    for (number, filled) in all.iter().enumerate() {
        let (name, entry) = (&filled.topic.name, &filled.encoded.entry);
        writeln!(text, "[topics.{name:?}]\nkind = {kind:?}\n{entry}").unwrap();
        if kind == "table" {
            writeln!(text, "warehouse.table = {:?}", table(number)).unwrap();
        }
    }
    text
}

fn table(number: usize) -> String {
    format!("t{number}")
}

/// Every record as a line, and every table as its newest rows.
pub fn check_lake(all: &[&Filled], kind: &str) {
    let mut lake = Lake::new();
    lake.set_topics(&entries(all, kind));
    let report = lake.drain();
    for topic in report["topics"].as_array().unwrap() {
        assert_eq!(topic["irregular"], 0, "{topic}");
    }
    for filled in all {
        let folder = lake.root().join(format!("{kind}s")).join(&filled.topic.name);
        let files = data_files(&folder);
        let mut lines: Vec<_> = files
            .iter()
            .flat_map(|file| &file.lines)
            .map(|line| Exact::parse(line))
            .collect();
        lines.sort_by_key(offset);
        let records = filled.encoded.records.iter().enumerate();
        let mut expected: Vec<_> = if kind == "stream" {
            records.map(|(offset, record)| line(offset, record)).collect()
        } else {
            newest(&filled.encoded.records)
                .into_iter()
                .map(|(offset, record)| line(offset, record))
                .collect()
        };
        expected.sort_by_key(offset);
        assert_eq!(lines, expected, "{}", filled.label);
    }
}

fn offset(line: &Exact) -> i64 {
    match line.field("_offset") {
        Some(Exact::Number(number)) => number.parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The line that a record must have.
fn line(offset: usize, record: &Meant) -> Exact {
    let number = |number: i64| Exact::Number(number.to_string());
    let mut fields = vec![
        ("_partition".to_owned(), number(0)),
        ("_offset".to_owned(), number(offset as i64)),
        ("_timestamp".to_owned(), number(record.timestamp_ms)),
        ("_key".to_owned(), record.key.clone().unwrap_or(Exact::Null)),
    ];
    if let Some((start, end)) = record.window {
        fields.push(("_window_start".to_owned(), number(start)));
        fields.push(("_window_end".to_owned(), number(end)));
    }
    match &record.value {
        None => fields.push(("_value".to_owned(), Exact::Null)),
        Some(value) => fields.extend(value.fields().iter().cloned()),
    }
    Exact::Object(fields)
}

/// The newest record of each key and window, by offset, without those whose newest has no value.
pub fn newest(records: &[Meant]) -> Vec<(usize, &Meant)> {
    let mut newest = BTreeMap::new();
    for (offset, record) in records.iter().enumerate() {
        let key = record.key.as_ref().unwrap().to_string();
        newest.insert((key, record.window), (offset, record));
    }
    newest.retain(|_, (_, record)| record.value.is_some());
    newest.into_values().collect()
}

/// Every table's rows, on a server.
pub fn check_warehouse(mut warehouse: Warehouse, all: &[&Filled]) {
    warehouse.set_topics(&entries(all, "table"));
    let columns: Vec<_> = all
        .iter()
        .map(|filled| Columns::of(&filled.encoded.records))
        .collect();
    for (number, columns) in columns.iter().enumerate() {
        warehouse.execute(&columns.create(&table(number)));
    }
    let report = warehouse.drain();
    let rejected = |topic: &Value| topic["rejected"] != 0;
    assert!(
        !report["topics"].as_array().unwrap().iter().any(rejected),
        "{report}"
    );
    for (number, (filled, columns)) in all.iter().zip(&columns).enumerate() {
        let mut rows = warehouse.query(&columns.select(&table(number)));
        rows.iter_mut().for_each(|row| columns.normalise(row));
        let newest = newest(&filled.encoded.records);
        let mut expected: Vec<_> = newest.iter().map(|(_, record)| columns.row(record)).collect();
        rows.sort();
        expected.sort();
        assert_eq!(rows, expected, "{}", filled.label);
    }
}

/// The columns of a table: the key's, the window's, the value's.
struct Columns {
    keys: Vec<(String, Kind)>,
    is_windowed: bool,
    values: Vec<(String, Kind)>,
}

impl Columns {
    fn of(records: &[Meant]) -> Columns {
        let keys = match Kind::of(records.iter().map(|record| record.key.as_ref().unwrap())) {
            Kind::Record(fields) => fields,
            bare => vec![("ROWKEY".to_owned(), bare)],
        };
        let values = Kind::of(records.iter().filter_map(|record| record.value.as_ref()));
        Columns {
            keys,
            is_windowed: records[0].window.is_some(),
            values: values.fields().to_vec(),
        }
    }

    fn create(&self, table: &str) -> String {
        let mut columns = String::new();
        for (name, kind) in &self.keys {
            write!(columns, "`{name}` {} NOT NULL, ", kind.sql()).unwrap();
        }
        let mut keys: Vec<_> = self.keys.iter().map(|(name, _)| format!("`{name}`")).collect();
        if self.is_windowed {
            columns += "window_start DATETIME(3) NOT NULL, window_end DATETIME(3) NOT NULL, ";
            keys.extend(["window_start", "window_end"].map(str::to_owned));
        }
        for (name, kind) in &self.values {
            write!(columns, "`{name}` {}, ", kind.sql()).unwrap();
        }
        format!(
            "CREATE TABLE {table} ({columns}PRIMARY KEY ({})) ENGINE = InnoDB CHARACTER SET utf8mb4",
            keys.join(", ")
        )
    }

    fn select(&self, table: &str) -> String {
        let ms = |column: &str| format!("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {column}) DIV 1000");
        let mut columns: Vec<_> = self.keys.iter().map(|(name, _)| format!("`{name}`")).collect();
        if self.is_windowed {
            columns.extend(["window_start", "window_end"].map(ms));
        }
        columns.extend(self.values.iter().map(|(name, _)| format!("`{name}`")));
        format!("SELECT {} FROM {table}", columns.join(", "))
    }

    /// Gives JSON one spelling.
    fn normalise(&self, row: &mut Row) {
        let before = row.len() - self.values.len();
        for ((_, kind), text) in self.values.iter().zip(&mut row[before..]) {
            if kind.sql() == "JSON" {
                *text = text
                    .as_deref()
                    .map(|json| Exact::parse(json).sorted().to_string());
            }
        }
    }

    fn row(&self, record: &Meant) -> Row {
        let mut row = match record.key.as_ref().unwrap() {
            Exact::Object(fields) => fields.iter().map(|(_, value)| cell(value)).collect(),
            bare => vec![cell(bare)],
        };
        if let Some((start, end)) = record.window {
            row.extend([Some(start.to_string()), Some(end.to_string())]);
        }
        let value = record.value.as_ref().unwrap();
        row.extend(
            self.values
                .iter()
                .map(|(name, _)| cell(value.field(name).unwrap())),
        );
        row
    }
}

/// A column's text.
fn cell(value: &Exact) -> Option<String> {
    match value {
        Exact::Null => None,
        Exact::Bool(value) => Some(u8::from(*value).to_string()),
        Exact::Number(text) | Exact::Text(text) => Some(text.clone()),
        nested => Some(nested.sorted().to_string()),
    }
}
