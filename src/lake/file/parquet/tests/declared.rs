//! What schemas declare, there and back: each value is what it was, by the type of its column.

use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::*;
use crate::decode::{declared_messages, declared_records, fields};

/// A value in the one form that its column's type has.
fn normal_value(kind: &StoredType, raw: &str) -> Value {
    if raw == "null" {
        return Value::Null;
    }
    match kind {
        StoredType::Int | StoredType::Bigint | StoredType::Decimal { .. } => {
            let exact = Decimal::parse(raw).unwrap();
            let places = u32::try_from(exact.places().max(0)).unwrap();
            exact.fixed(1000, places).unwrap().to_string().into()
        }
        StoredType::Double if !raw.starts_with('"') => {
            let double: f64 = raw.parse().unwrap();
            double.to_bits().into()
        }
        StoredType::Text if raw.starts_with('"') => serde_json::from_str(raw).unwrap(),
        StoredType::Struct(of) => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(raw).unwrap();
            let mut normal = Map::new();
            for (name, raw) in fields {
                let (_, kind) = of.iter().find(|(known, _)| *known == name).unwrap();
                normal.insert(name, normal_value(kind, raw.get()));
            }
            normal.retain(|_, value| !value.is_null());
            normal.into()
        }
        StoredType::List(of) => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).unwrap();
            items.iter().map(|item| normal_value(of, item.get())).collect()
        }
        StoredType::Map(of) => {
            let entries: BTreeMap<String, &RawValue> = serde_json::from_str(raw).unwrap();
            let entries = entries.into_iter();
            entries
                .map(|(name, raw)| (name, normal_value(of, raw.get())))
                .collect()
        }
        // Booleans, days, times, bytes and JSON have one form only; what is no text in a column of texts is its text.
        _ => raw.trim_matches('"').into(),
    }
}

fn normal_line(line: &[u8], columns: &StoredColumns) -> Map<String, Value> {
    let mut normal = Map::new();
    for (name, raw) in fields::all(std::str::from_utf8(line).unwrap()).unwrap() {
        let column = columns.all().iter().find(|column| column.name == name);
        let value = match column {
            Some(column) => normal_value(&column.kind(), raw),
            None => raw.into(),
        };
        normal.insert(name.into_owned(), value);
    }
    normal.retain(|_, value| !value.is_null());
    normal
}

fn check(declared: &[(String, StoredType)], values: &[String]) {
    let lines: Vec<_> = (0..)
        .zip(values)
        .map(|(offset, value)| line(offset, value))
        .collect();
    let mut columns = StoredColumns::default();
    columns.declare(declared, 1000);
    let (back, columns, files) = there_and_back(&lines, columns, u64::MAX);
    assert_eq!(files[0].irregular, 0, "{declared:?} {values:#?}");
    assert_eq!(back.len(), lines.len());
    for (line, back) in lines.iter().zip(&back) {
        assert_eq!(normal_line(back, &columns), normal_line(line, &columns));
    }
    for ((name, kind), column) in declared.iter().zip(columns.all()) {
        assert_eq!((name, kind), (&column.name, &column.kind()));
    }
}

proptest! {
    #[test]
    fn records_of_avro_come_back((declared, values) in declared_records()) {
        check(&declared, &values);
    }

    /// Whatever two versions of a schema declare, their columns hold the records of both.
    #[test]
    fn versions_of_a_schema_meet((first, values) in declared_records(), (second, more) in declared_records()) {
        let mut columns = StoredColumns::default();
        columns.declare(&[first, second].concat(), 1000);
        let all: Vec<_> = columns.all().iter().map(|column| (column.name.clone(), column.kind())).collect();
        check(&all, &[values, more].concat());
    }
}

#[test]
fn messages_of_protobuf_come_back() {
    let all = declared_messages();
    assert!(all.len() > 10);
    for (declared, values) in all {
        check(&declared, &values);
    }
}

/// Numbers of the configuration's types, and the same in the columns' own form.
#[test]
fn numbers_become_days_and_times() {
    let millis = StoredType::Timestamp {
        micros: false,
        utc: true,
    };
    let declared = [("D".to_owned(), StoredType::Date), ("T".to_owned(), millis)];
    let mut columns = StoredColumns::default();
    columns.declare(&declared, 2);
    let lines = [
        line(0, r#"{"D":20392,"T":1761953400123}"#),
        line(1, r#"{"D":2147483647,"T":-9223372036854775808}"#),
    ];
    let (back, _, _) = there_and_back(&lines, columns, u64::MAX);
    let value = |at: usize| {
        let fields: Value = serde_json::from_slice(&back[at]).unwrap();
        json!([fields["D"], fields["T"]])
    };
    assert_eq!(value(0), json!(["2025-10-31", "2025-10-31T23:30:00.123Z"]));
    assert_eq!(value(1), json!([i32::MAX, i64::MIN]));
}
