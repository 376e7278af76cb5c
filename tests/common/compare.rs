//! The lake against Kafka: every readable record, and nothing else, byte for byte.

use chrono::TimeZone;
use chrono_tz::Tz;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

use super::files::{DataFile, Line, data_files};
use super::kafka::{Record, Topic, read_topic};
use super::lake::Lake;

/// A key and its window, as a line must have them.
pub type Key = (Value, Option<(i64, i64)>);

/// How the lines of a lake are to be read.
#[derive(Clone, Copy)]
pub struct Compare {
    pub zone: Tz,
    pub prefix: &'static str,
    pub key: fn(&[u8]) -> Key,
    /// What the data files' names end with.
    pub extension: &'static str,
}

impl Default for Compare {
    fn default() -> Self {
        Compare {
            zone: Tz::UTC,
            prefix: "_",
            key: |key| (Value::from(std::str::from_utf8(key).unwrap()), None),
            extension: ".json",
        }
    }
}

/// The stream's lines equal Kafka's records.
pub fn assert_stream(lake: &Lake, topic: &Topic) -> Vec<DataFile> {
    Compare::default().stream(lake, &topic.name, &topic.read())
}

/// The table's rows equal the fold of Kafka's records.
pub fn assert_table(lake: &Lake, topic: &Topic) -> DataFile {
    Compare::default().table(lake, &topic.name, &topic.read())
}

impl Compare {
    pub fn stream(&self, lake: &Lake, topic: &str, records: &[Record]) -> Vec<DataFile> {
        let files = data_files(&lake.root().join("streams").join(topic));
        let mut lines = Vec::new();
        for file in &files {
            let own: Vec<Line> = file
                .lines
                .iter()
                .map(|text| Line::parse(text, self.prefix))
                .collect();
            self.check_file(file, &own);
            lines.extend(own);
        }
        lines.sort_by_key(|line| (line.partition, line.offset));
        let places = |found: &[(i64, i64)]| format!("{} records: {found:?}", found.len());
        let there: Vec<_> = lines.iter().map(|line| (line.partition, line.offset)).collect();
        let wanted: Vec<_> = records
            .iter()
            .map(|record| (i64::from(record.partition), record.offset))
            .collect();
        assert!(
            there == wanted,
            "the lake has {}\nKafka has {}",
            places(&there),
            places(&wanted)
        );
        for (line, record) in lines.iter().zip(records) {
            self.check_line(line, record);
        }
        files
    }

    /// Reads Kafka once more, for those who have no `Topic`.
    pub fn stream_named(&self, lake: &Lake, topic: &str) -> Vec<DataFile> {
        self.stream(lake, topic, &read_topic(topic))
    }

    fn check_file(&self, file: &DataFile, lines: &[Line]) {
        let (first, last) = (&lines[0], &lines[lines.len() - 1]);
        let batch = format!(
            "part-{:05}-{:020}-{:020}",
            first.partition, first.offset, last.offset
        );
        let single = format!("offset-{:05}-{:020}", first.partition, first.offset);
        let stem = file
            .name()
            .strip_suffix(self.extension)
            .unwrap_or_else(|| panic!("{} does not end in {}", file.name(), self.extension));
        let stem = stem.split_once("-g").map_or(stem, |(stem, _)| stem);
        let stem = stem.split_once("-c").map_or(stem, |(stem, _)| stem);
        assert!(
            stem == batch || (stem == single && lines.len() == 1),
            "{} holds {batch}",
            file.path
        );
        assert!(
            lines
                .windows(2)
                .all(|pair| pair[0].partition == pair[1].partition && pair[0].offset < pair[1].offset)
        );
        for line in lines {
            assert_eq!(file.day(), self.day(line.timestamp_ms), "{line:?}");
        }
    }

    /// The day folder of a time, told by chrono alone.
    pub fn day(&self, timestamp_ms: i64) -> String {
        let null = "__HIVE_DEFAULT_PARTITION__".to_owned();
        if timestamp_ms < 0 {
            return null;
        }
        match self.zone.timestamp_millis_opt(timestamp_ms).single() {
            Some(time) if chrono::Datelike::year(&time) <= 9999 => time.format("%Y-%m-%d").to_string(),
            _ => null,
        }
    }

    fn check_line(&self, line: &Line, record: &Record) {
        // Some values are large: they are printed only where something is wrong.
        let shown = || format!("{line:?}\nKafka has {record:?}");
        assert_eq!(line.timestamp_ms, record.timestamp_ms, "{}", shown());
        match (&line.key_bytes, &record.key) {
            (Some(bytes), key) => assert!(key.as_ref() == Some(bytes) && line.error.is_some(), "{}", shown()),
            (None, None) => assert_eq!(
                (&line.key, line.window),
                (&Some(Value::Null), None),
                "{}",
                shown()
            ),
            (None, Some(key)) => {
                let (key, window) = (self.key)(key);
                assert_eq!(
                    (line.key.as_ref(), line.window),
                    (Some(&key), window),
                    "{}",
                    shown()
                );
            }
        }
        let value = match line.form {
            Some("value_text" | "value_base64") => record.value.clone(),
            _ => record.value.as_deref().map(on_one_line),
        };
        let same = match self.extension {
            ".parquet" => is_same_in_columns(line.value.as_deref(), value.as_deref()),
            _ => line.value == value,
        };
        assert!(same, "{}", shown());
        assert_eq!(line.headers, headers(record), "{}", shown());
    }

    /// The one snapshot of a table, and the link to it.
    pub fn table(&self, lake: &Lake, topic: &str, records: &[Record]) -> DataFile {
        let folder = lake.root().join("tables").join(topic);
        let mut files = data_files(&folder);
        assert_eq!(files.len(), 1, "{files:?}");
        let file = files.remove(0);
        self.check_snapshot(&file, records);
        let link = lake.root().join(format!("current/{topic}{}", self.extension));
        let target = std::fs::read_link(&link).unwrap();
        assert_eq!(target, PathBuf::from(format!("../tables/{topic}/{}", file.path)));
        assert_eq!(
            std::fs::canonicalize(&link).unwrap(),
            std::fs::canonicalize(folder.join(&file.path)).unwrap()
        );
        file
    }

    pub fn check_snapshot(&self, file: &DataFile, records: &[Record]) {
        assert_eq!(file.name(), format!("snapshot_complet{}", self.extension));
        let rows = fold(records);
        let lines: Vec<_> = file
            .lines
            .iter()
            .map(|text| Line::parse(text, self.prefix))
            .collect();
        assert_eq!(lines.len(), rows.len(), "{lines:#?}\nthe fold is {rows:#?}");
        for (line, record) in lines.iter().zip(rows.values()) {
            assert_eq!(
                (line.partition, line.offset),
                (record.partition.into(), record.offset)
            );
            self.check_line(line, record);
        }
        if let Some(latest) = rows.values().map(|record| record.timestamp_ms).max() {
            assert_eq!(file.day(), self.day(latest), "{}", file.path);
        }
    }
}

/// The newest record per key, sorted by raw key; a key lives in one Kafka partition.
pub fn fold(records: &[Record]) -> BTreeMap<Vec<u8>, Record> {
    let mut rows = BTreeMap::new();
    for record in records {
        let Some(key) = &record.key else { continue };
        match record.value {
            Some(_) => rows.insert(key.clone(), record.clone()),
            None => rows.remove(key),
        };
    }
    rows
}

/// Whether columns hold what the record held: numbers have their columns' digits, and a field that is null has none.
fn is_same_in_columns(found: Option<&[u8]>, wanted: Option<&[u8]>) -> bool {
    let read = |value: &[u8]| match serde_json::from_slice::<Value>(value) {
        Ok(Value::Object(mut fields)) => {
            fields.retain(|_, value| !value.is_null());
            fields
                .values_mut()
                .filter(|value| value.is_number())
                .for_each(|value| *value = value.as_f64().into());
            Ok(Value::Object(fields))
        }
        Ok(value) => Ok(value),
        Err(_) => Err(value.to_vec()),
    };
    found.map(read) == wanted.map(read)
}

fn on_one_line(value: &[u8]) -> Vec<u8> {
    let flat = |b: &u8| if matches!(b, b'\n' | b'\r') { b' ' } else { *b };
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
    let start = value.iter().position(|b| !blank(b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !blank(b)).map_or(start, |at| at + 1);
    let flat: Vec<u8> = value[start..end].iter().map(flat).collect();
    // An object without fields leaves nothing to splice.
    if flat.first() == Some(&b'{') && flat[1..].iter().all(|b| blank(b) || *b == b'}') {
        b"{}".to_vec()
    } else {
        flat
    }
}

fn headers(record: &Record) -> Option<Value> {
    let one = |(name, value): &(String, Option<Vec<u8>>)| {
        let value = value
            .as_ref()
            .map(|value| String::from_utf8(value.clone()).unwrap());
        serde_json::json!({"name": name, "value": value})
    };
    (!record.headers.is_empty()).then(|| record.headers.iter().map(one).collect())
}
