mod declared;

use proptest::prelude::*;
use serde_json::{Map, Value};
use std::io::Write;

use super::*;
use crate::config::{Compression, FileFormat, KeySchema, Kind, ParquetCompression};
use crate::json::oracle;
use crate::lake::file::lines::Lines;
use crate::lake::line::encode::Recorder;
use crate::record::Record;
use crate::types::decimal::Decimal;
use crate::types::stored::{StoredColumns, StoredType};

/// Converts lines, reads them back, and returns them with the number of irregular objects and files.
fn there_and_back(
    lines: &[Vec<u8>],
    columns: StoredColumns,
    max_file_bytes: u64,
) -> (Vec<Vec<u8>>, StoredColumns, Vec<ConvertedFile>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lines");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&lines.concat()).unwrap();
    let open = || {
        Lines::new(
            std::fs::File::open(&path).unwrap(),
            FileFormat::Json(Compression::None),
        )
        .unwrap()
    };
    let mut typing = Typing::new(columns, &[], 1000);
    let mut from = open();
    typing.see(|line| from.next(line)).unwrap();
    let columns = typing.into_columns();
    let target = ParquetTarget {
        kind: Kind::Stream,
        columns: &columns,
        prefix: "_",
        compression: ParquetCompression::Zstd,
    };
    let mut names = Vec::new();
    let mut from = open();
    let files = convert(
        |line| from.next(line),
        target,
        max_file_bytes,
        || {
            names.push(dir.path().join(format!("{}.parquet", names.len())));
            Ok(std::fs::File::create(names.last().unwrap())?)
        },
    )
    .unwrap();
    let mut back = Vec::new();
    for (name, file) in names.iter().zip(&files) {
        let mut from = Lines::new(std::fs::File::open(name).unwrap(), FileFormat::Parquet).unwrap();
        let (mut line, mut count) = (Vec::new(), 0);
        while from.next(&mut line).unwrap() {
            back.push(line.clone());
            count += 1;
        }
        assert_eq!(count, file.records);
        assert_eq!(from.checksum().unwrap(), file.checksum);
        assert_eq!(std::fs::metadata(name).unwrap().len(), file.bytes);
    }
    (back, columns, files)
}

fn line(offset: i64, value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let record = Record {
        partition: 3,
        offset,
        timestamp_ms: 1_761_868_799_000 + offset,
        key: Some(b"TXN-42"),
        value: Some(value.as_bytes()),
        headers: Vec::new(),
    };
    Recorder::new("_", KeySchema::default(), true).write(&record, &mut out);
    out
}

fn back(values: &[&str]) -> (Vec<String>, StoredColumns) {
    let lines: Vec<_> = (0..)
        .zip(values)
        .map(|(offset, value)| line(offset, value))
        .collect();
    let (back, columns, _) = there_and_back(&lines, StoredColumns::default(), u64::MAX);
    let rest = |(offset, line): (usize, Vec<u8>)| {
        let head = format!(
            r#"{{"_partition":3,"_offset":{offset},"_timestamp":{},"_key":"TXN-42""#,
            1_761_868_799_000 + offset as i64
        );
        let line = String::from_utf8(line).unwrap();
        line.strip_prefix(&head).unwrap().trim_end().to_owned()
    };
    (back.into_iter().enumerate().map(rest).collect(), columns)
}

#[test]
fn values_come_back_in_the_form_of_their_columns() {
    let (lines, columns) = back(&[
        r#"{"A":1,"B":"x","c":{"d":[1.50]},"E":true,"F":null}"#,
        r#"{"a":1.50,"E":false,"B":"\u00e9\n"}"#,
        r#"{"A":1.0E7,"_offset":1}"#,
        "[1, 2]",
        "\"text\"",
        "{}",
        "{broken",
    ]);
    assert_eq!(
        lines,
        [
            r#","A":1.00,"B":"x","c":{"d":[1.50]},"E":true}"#,
            r#","A":1.50,"B":"é\n","E":false}"#,
            r#","_value":{"A":1.0E7,"_offset":1}}"#,
            r#","_value":[1, 2]}"#,
            r#","_value":"text"}"#,
            "}",
            r#","_value_text":"{broken","_error":"value: key must be a string at line 1 column 2"}"#,
        ]
        .map(|line| line.replace(
            "value: key must be a string at line 1 column 2",
            lines[6]
                .split("_error\":\"")
                .nth(1)
                .unwrap()
                .trim_end_matches("\"}")
        ))
    );
    let kinds: Vec<String> = columns
        .all()
        .iter()
        .map(|column| format!("{} {}", column.name, column.kind()))
        .collect();
    assert_eq!(kinds, ["A DECIMAL(18,2)", "B VARCHAR", "c JSON", "E BOOLEAN"]);
    assert_eq!(columns.key(), StoredType::Text);
}

#[test]
fn an_object_that_cant_be_its_declared_types_is_kept_whole() {
    let mut columns = StoredColumns::default();
    let decimal = StoredType::Decimal {
        precision: 4,
        scale: 2,
    };
    columns.declare(
        &[("N".to_owned(), StoredType::Bigint), ("D".to_owned(), decimal)],
        2,
    );
    let lines = [
        line(0, r#"{"N":1,"D":12.3,"X":"a"}"#),
        line(1, r#"{"N":"one","X":"b"}"#),
        line(2, r#"{"D":1.234}"#),
    ];
    let (back, _, files) = there_and_back(&lines, columns, u64::MAX);
    let ends = [
        r#","N":1,"D":12.30,"X":"a"}"#,
        r#","_value":{"N":"one","X":"b"}}"#,
        r#","_value":{"D":1.234}}"#,
    ];
    for (line, end) in back.iter().zip(ends) {
        let line = String::from_utf8(line.clone()).unwrap();
        assert!(line.trim_end().ends_with(end), "{line}");
    }
    assert_eq!(files[0].irregular, 2);
}

#[test]
fn a_file_is_followed_by_another_one_where_it_is_full() {
    let noise: Vec<String> = (0..3000u64)
        .map(|n| format!("{:x}", xxhash_rust::xxh3::xxh3_128(&n.to_le_bytes())))
        .collect();
    let lines: Vec<_> = (0..)
        .zip(&noise)
        .map(|(offset, text)| line(offset, &format!("{{\"T\":\"{text}\"}}")))
        .collect();
    let (back, _, files) = there_and_back(&lines, StoredColumns::default(), 40_000);
    assert_eq!(back, lines);
    assert!(files.len() >= 2, "{}", files.len());
    assert!(files.iter().all(|file| file.bytes < 80_000));
    let ranges: Vec<_> = files
        .iter()
        .map(|file| (file.first, file.last, file.records as i64))
        .collect();
    let mut next = 0;
    for (first, last, records) in ranges {
        assert_eq!((first, last), (next, next + records - 1));
        next = last + 1;
    }
    assert_eq!(next, 3000);
}

#[test]
fn tombstones_and_unreadable_keys_come_back() {
    let mut lines = Vec::new();
    let record = |offset, key, value| Record {
        partition: 0,
        offset,
        timestamp_ms: -1,
        key,
        value,
        headers: Vec::new(),
    };
    for record in [
        record(0, Some(b"k".as_slice()), None),
        record(1, None, Some(b"{\"A\":1}".as_slice())),
        record(2, Some(b"\xff"), Some(b"\xfe")),
    ] {
        let mut out = Vec::new();
        Recorder::new("_", KeySchema::default(), true).write(&record, &mut out);
        lines.push(out);
    }
    let (back, _, _) = there_and_back(&lines, StoredColumns::default(), u64::MAX);
    for (line, back) in lines.iter().zip(back) {
        assert_eq!(normal(line, None), normal(&back, None));
    }
}

/// A line as a map. Fields that are null are left out, and numbers have one form; a column of mixed values is text.
fn normal(line: &[u8], columns: Option<&StoredColumns>) -> Map<String, Value> {
    let text = std::str::from_utf8(line).unwrap();
    let mut fields = Map::new();
    for (name, raw) in crate::decode::fields::all(text).unwrap() {
        let raw = raw.trim_ascii();
        let column = columns.and_then(|columns| {
            columns
                .all()
                .iter()
                .find(|column| column.name.to_lowercase() == name.to_lowercase())
        });
        let is_text = column.is_some_and(|column| column.kind() == StoredType::Text);
        let name = column.map_or(name.to_string(), |column| column.name.clone());
        let value = match raw.as_bytes()[0] {
            b'n' if name != "_value" => continue,
            b'"' => serde_json::from_str(raw).unwrap(),
            _ if is_text => Value::String(raw.to_owned()),
            b'-' | b'0'..=b'9' => {
                let exact = Decimal::parse(raw).unwrap();
                let places = u32::try_from(exact.places().max(0)).unwrap();
                match places <= 400 && exact.whole_digits() <= 400 {
                    true => Value::String(format!("number {}", exact.fixed(1000, places).unwrap())),
                    false => Value::String(format!("number {raw}")),
                }
            }
            _ => Value::String(format!("raw {raw}")),
        };
        fields.insert(name, value);
    }
    fields
}

proptest! {
    /// What lies in Parquet is what would lie in JSON.
    #[test]
    fn nothing_is_lost(values in proptest::collection::vec(value(), 1..20)) {
        let lines: Vec<_> = (0..).zip(&values).map(|(offset, value)| line(offset, value)).collect();
        let (back, columns, files) = there_and_back(&lines, StoredColumns::default(), u64::MAX);
        prop_assert_eq!(files[0].irregular, 0);
        prop_assert_eq!(back.len(), lines.len());
        for (line, back) in lines.iter().zip(&back) {
            prop_assert_eq!(normal(back, Some(&columns)), normal(line, Some(&columns)));
        }
        // What was read back is as good as what was written.
        let (again, columns_again, _) = there_and_back(&back, columns.clone(), u64::MAX);
        prop_assert_eq!(again, back);
        prop_assert_eq!(columns_again.version, columns.version);
    }

    /// Columns only widen: each part of the records fits all of the types.
    #[test]
    fn types_widen_from_run_to_run(first in proptest::collection::vec(value(), 1..8), second in proptest::collection::vec(value(), 1..8)) {
        let lines = |values: &[String]| -> Vec<_> { (0..).zip(values).map(|(offset, value)| line(offset, value)).collect() };
        let (_, columns, _) = there_and_back(&lines(&first), StoredColumns::default(), u64::MAX);
        let (_, columns, _) = there_and_back(&lines(&second), columns, u64::MAX);
        let (back, wide, files) = there_and_back(&lines(&first), columns.clone(), u64::MAX);
        prop_assert_eq!(files[0].irregular, 0);
        prop_assert_eq!(wide.version, columns.version);
        for (line, back) in lines(&first).iter().zip(&back) {
            prop_assert_eq!(normal(back, Some(&columns)), normal(line, Some(&columns)));
        }
    }
}

/// Values of records: mostly objects of few names, so that kinds meet in a column.
fn value() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,20})?",
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?[eE][-+]?[0-9]{1,3}",
    ];
    let scalar = prop_oneof![
        4 => number,
        2 => "[a-z0-9é\u{1}\"\\\\]{0,6}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        1 => Just("true".to_owned()),
        1 => Just("null".to_owned()),
        1 => Just("{\"x\":[1.0,null]}".to_owned()),
    ];
    let object = proptest::collection::btree_map("[ABCé]", scalar, 0..4).prop_map(|fields| {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, raw)| format!("\"{name}\":{raw}"))
            .collect();
        format!("{{{}}}", fields.join(","))
    });
    prop_oneof![8 => object, 1 => oracle::text()]
}
