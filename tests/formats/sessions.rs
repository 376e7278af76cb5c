//! Sessions that grow: ksqlDB deletes the row of the old bounds and writes one of the new.

use crate::cases::{Meant, object};
use crate::common::kafka::NOON_MS;
use crate::exact::Exact;
use crate::kinds::Kind;
use crate::scene::{check_lake, check_warehouse, fill};
use crate::variant::{Encoded, FORMATS, Format, writer};
use crate::world::Warehouse;

const SECOND: i64 = 1_000;

/// (user, seconds of start and end, count); no count: the session of these bounds is no more.
const CHANGES: [(&str, i64, i64, Option<i64>); 12] = [
    ("ada", 0, 0, Some(1)),
    // It grows at its end, then at its start.
    ("ada", 0, 0, None),
    ("ada", 0, 20, Some(2)),
    ("bob", 7, 7, Some(1)),
    ("ada", 0, 20, None),
    ("ada", -15, 20, Some(3)),
    // Another one, and an event between them that makes them one.
    ("ada", 70, 90, Some(2)),
    ("ada", -15, 20, None),
    ("ada", 70, 90, None),
    ("ada", -15, 90, Some(6)),
    // The same bounds, one more event.
    ("bob", 7, 7, Some(2)),
    ("ada", -15, 90, Some(7)),
];

fn changes(bare: bool) -> Vec<Meant> {
    let number = |number: i64| Exact::Number(number.to_string());
    let changes = CHANGES.iter().map(|&(user, start, end, count)| {
        let user = Exact::Text(user.to_owned());
        Meant {
            key: Some(if bare {
                user
            } else {
                object([("USER", user), ("SHOP", number(-1))])
            }),
            window: Some((NOON_MS + start * SECOND, NOON_MS + end * SECOND)),
            value: count.map(|count| object([("COUNT", number(count))])),
            timestamp_ms: NOON_MS + end * SECOND,
            key_bytes: None,
            value_bytes: None,
        }
    });
    changes.collect()
}

/// Keys in all formats, bare and of two columns; values as JSON or of the same registry format.
fn encoded() -> Vec<(String, Encoded)> {
    let text = |key: &Exact| match key {
        Exact::Text(text) => text.clone().into_bytes(),
        object => object
            .fields()
            .iter()
            .map(|(_, value)| value.to_string().replace('"', ""))
            .collect::<Vec<_>>()
            .join(",")
            .into_bytes(),
    };
    let json = |key: &Exact| key.to_string().into_bytes();
    let mut all = vec![
        ("string", with_keys(true, "key.columns = [\"ROWKEY\"]", text)),
        (
            "json, bare",
            with_keys(true, "key.format = \"json\"\nkey.columns = [\"ROWKEY\"]", json),
        ),
        ("json", with_keys(false, "key.format = \"json\"", json)),
        (
            "delimited",
            with_keys(
                false,
                "key.format = \"delimited\"\nkey.columns = [\"USER\", \"SHOP INT\"]",
                text,
            ),
        ),
    ];
    for format in FORMATS.into_iter().filter(|format| *format != Format::Own) {
        for bare in [true, false] {
            // Protobuf wraps a single column.
            let is_bare = bare && format != Format::Protobuf;
            let columns = if is_bare { "key.columns = [\"ROWKEY\"]" } else { "" };
            let entry = format!(
                "key.format = {:?}\n{columns}\nvalue.format = {:?}",
                format.name(),
                format.name()
            );
            let mut records = changes(bare);
            if bare && !is_bare {
                for record in &mut records {
                    record.key = record.key.take().map(|key| object([("ROWKEY", key)]));
                }
            }
            let kind = Kind::of(records.iter().filter_map(|record| record.key.as_ref()));
            let values = Kind::of(records.iter().filter_map(|record| record.value.as_ref()));
            all.push((
                format.name(),
                encode(records, &entry, writer(format, &kind), writer(format, &values)),
            ));
        }
    }
    all.into_iter()
        .map(|(name, encoded)| (name.to_owned(), encoded))
        .collect()
}

fn with_keys(bare: bool, entry: &str, write: impl Fn(&Exact) -> Vec<u8>) -> Encoded {
    encode(changes(bare), entry, write, |value| {
        value.to_string().into_bytes()
    })
}

fn encode(
    mut records: Vec<Meant>,
    entry: &str,
    write_key: impl Fn(&Exact) -> Vec<u8>,
    write_value: impl Fn(&Exact) -> Vec<u8>,
) -> Encoded {
    for record in &mut records {
        let (start, end) = record.window.unwrap();
        let mut key = write_key(record.key.as_ref().unwrap());
        key.extend(end.to_be_bytes());
        key.extend(start.to_be_bytes());
        record.key_bytes = Some(key);
        record.value_bytes = record.value.as_ref().map(&write_value);
    }
    Encoded {
        entry: format!("{entry}\nwindow = {{ type = \"session\" }}"),
        records,
    }
}

#[test]
fn sessions_that_grow_leave_one_row() {
    let all = fill("compact", encoded());
    let all: Vec<_> = all.iter().collect();
    check_lake(&all, "stream");
    check_lake(&all, "table");
    // Whatever a wrong expectation would say: one row each of ada and bob.
    for filled in &all {
        assert_eq!(crate::scene::newest(&filled.encoded.records).len(), 2);
    }
    check_warehouse(Warehouse::new(), &all);
    check_warehouse(Warehouse::on_mariadb(), &all);
}
