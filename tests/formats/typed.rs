//! Types that schemas and the configuration declare, in Parquet: DuckDB sees just these, and each value.

use serde_json::{Value, json};

use crate::common::kafka::{Topic, record};
use crate::common::lake::{Lake, number};
use crate::common::registry::register;
use crate::common::{python, service, unique};
use crate::datum::{bytes, decimal, framed, long, nullable, record as schema, some, string};

const MILLIS: i64 = 1_761_953_400_123;

/// What DuckDB says of a topic's files: the columns of its values with their types, and the rows as texts in the order of the offsets.
const READ: &str = r#"
import duckdb, glob, json, sys
files = sorted(glob.glob(sys.argv[1] + "/**/*.parquet", recursive=True))
connection = duckdb.connect()
connection.sql("SET TimeZone = 'UTC'")
table = f"read_parquet({files}, hive_partitioning = false)"
ours = [name for name, *_ in connection.sql(f"DESCRIBE SELECT * FROM {table}").fetchall() if not name.startswith("_")] + ["_value"]
types = connection.sql(f"DESCRIBE SELECT * FROM {table}").fetchall()
casts = ", ".join(f'CAST("{name}" AS VARCHAR)' for name in ours)
rows = connection.sql(f"SELECT {casts} FROM {table} ORDER BY _offset").fetchall()
print(json.dumps([{name: kind for name, kind, *_ in types if name in ours}, [dict(zip(ours, row)) for row in rows]]))
"#;

fn read(lake: &Lake, topic: &Topic) -> (Value, Value) {
    let folder = lake.root().join("streams").join(&topic.name);
    let printed = python::run("readers", lake.folder(), &["-c", READ, folder.to_str().unwrap()]);
    let [types, rows] = serde_json::from_str::<[Value; 2]>(&printed).unwrap();
    (types, rows)
}

fn entry(topic: &Topic, values: &str) -> String {
    format!("[topics.{:?}]\nkind = \"stream\"\n{values}\n", topic.name)
}

/// Some columns of the types, which must be these.
fn check(found: &Value, expected: &[(&str, Value)]) {
    for (name, value) in expected {
        assert_eq!(found[name], *value, "{name}: {found:#}");
    }
}

#[test]
fn versions_of_a_schema_declare_the_columns() {
    let logical = |of: &str, name: &str| json!({"type": of, "logicalType": name});
    let line = |more: &[(&str, Value)]| json!({"type": "array", "items": schema("Line", &[&[("ITEM", json!("string"))], more].concat())});
    let first = schema(
        "Order",
        &[
            ("ID", json!("int")),
            ("AT", logical("long", "timestamp-millis")),
            ("MICROS", logical("long", "timestamp-micros")),
            ("NANOS", logical("long", "timestamp-nanos")),
            ("LOCAL", logical("long", "local-timestamp-millis")),
            ("PAID_ON", logical("int", "date")),
            ("CLOCK", logical("int", "time-millis")),
            ("AMOUNT", decimal(9, 2)),
            ("WIDE", decimal(64, 2)),
            ("RATE", json!("double")),
            ("RAW", json!("bytes")),
            ("LINES", line(&[])),
            ("TAGS", json!({"type": "map", "values": "int"})),
            ("ANY", json!(["null", "int", "string"])),
            ("OFTEN", nullable(json!("string"))),
        ],
    );
    let second = schema(
        "Order",
        &[
            ("ID", json!("long")),
            ("LINES", line(&[("PRICE", decimal(5, 2))])),
            ("NEW", logical("int", "date")),
        ],
    );
    let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
    let [first, second] =
        [first, second].map(|schema| register(&url, &unique("typed"), &schema.to_string(), &Value::Null));
    let days = long(MILLIS / 86_400_000);
    let of_first = [
        long(-7),
        long(MILLIS),
        long(MILLIS * 1000 + 456),
        long(MILLIS * 1_000_000),
        long(MILLIS),
        days.clone(),
        long(MILLIS % 86_400_000),
        bytes(&1230i16.to_be_bytes()),
        bytes(&[1]),
        0.1f64.to_le_bytes().to_vec(),
        bytes(&[0xde, 0xad]),
        [&long(1)[..], &string("nuts"), &[0]].concat(),
        [&long(1)[..], &string("a"), &long(-1), &[0]].concat(),
        [&[4][..], &string("x")].concat(),
        some(&string("Zoé")),
    ]
    .concat();
    let price = bytes(&1250i16.to_be_bytes());
    let of_second = [
        long(9_007_199_254_740_993),
        [&long(1)[..], &string("bolts"), &price, &[0]].concat(),
        days,
    ]
    .concat();
    let topic = Topic::new("typed-avro");
    topic.send(&[
        record("k", "").bytes(&framed(first, &of_first)),
        record("k", "").bytes(&framed(second, &of_second)),
    ]);
    let mut lake = Lake::with("format = \"parquet\"");
    lake.set_topics(&format!(
        "[schema_registry]\nurl = {url:?}\n{}",
        entry(&topic, "value.format = \"avro\"")
    ));
    assert_eq!(number(&lake.drain()["topics"][0], "irregular"), 0);

    let (types, rows) = read(&lake, &topic);
    assert_eq!(
        types,
        json!({
            "ID": "BIGINT",
            "AT": "TIMESTAMP WITH TIME ZONE",
            "MICROS": "TIMESTAMP WITH TIME ZONE",
            "NANOS": "VARCHAR",
            "LOCAL": "TIMESTAMP",
            "PAID_ON": "DATE",
            "CLOCK": "VARCHAR",
            "AMOUNT": "DECIMAL(9,2)",
            "WIDE": "VARCHAR",
            "RATE": "DOUBLE",
            "RAW": "BLOB",
            "LINES": "STRUCT(ITEM VARCHAR, PRICE DECIMAL(5,2))[]",
            "TAGS": "MAP(VARCHAR, INTEGER)",
            "ANY": "VARCHAR",
            "OFTEN": "VARCHAR",
            "NEW": "DATE",
            "_value": "VARCHAR",
        })
    );
    check(
        &rows[0],
        &[
            ("ID", json!("-7")),
            ("AT", json!("2025-10-31 23:30:00.123+00")),
            ("MICROS", json!("2025-10-31 23:30:00.123456+00")),
            ("NANOS", json!("2025-10-31T23:30:00.123000000Z")),
            ("LOCAL", json!("2025-10-31 23:30:00.123")),
            ("PAID_ON", json!("2025-10-31")),
            ("CLOCK", json!("23:30:00.123")),
            ("AMOUNT", json!("12.30")),
            ("WIDE", json!("0.01")),
            ("RATE", json!("0.1")),
            ("RAW", json!("\\xDE\\xAD")),
            ("LINES", json!("[{'ITEM': nuts, 'PRICE': NULL}]")),
            ("TAGS", json!("{a=-1}")),
            ("ANY", json!("\"x\"")),
            ("OFTEN", json!("Zoé")),
            ("NEW", Value::Null),
            ("_value", Value::Null),
        ],
    );
    check(
        &rows[1],
        &[
            ("ID", json!("9007199254740993")),
            ("AT", Value::Null),
            ("LINES", json!("[{'ITEM': bolts, 'PRICE': 12.50}]")),
            ("NEW", json!("2025-10-31")),
        ],
    );
    let verified = lake.verify(0);
    assert_eq!(verified["warnings"], json!([]), "{verified}");
}

#[test]
fn an_object_that_is_not_of_its_configured_types_is_kept_whole() {
    let topic = Topic::new("typed-json");
    topic.send(&[
        record(
            "k",
            r#"{"N":1,"T":1761953400123,"D":20392,"B":"3q0=","X":5,"V":5}"#,
        ),
        record("k", r#"{"N":"abc","X":6}"#),
    ]);
    let mut lake = Lake::with("format = \"parquet\"");
    lake.set_topics(&entry(
        &topic,
        r#"value.columns = ["N BIGINT", "T TIMESTAMP", "D DATE", "B BYTES", "P DECIMAL(9,2)", "V"]"#,
    ));
    assert_eq!(number(&lake.drain()["topics"][0], "irregular"), 1);
    let (types, rows) = read(&lake, &topic);
    assert_eq!(
        types,
        json!({
            "N": "BIGINT",
            "T": "TIMESTAMP WITH TIME ZONE",
            "D": "DATE",
            "B": "BLOB",
            "P": "DECIMAL(9,2)",
            "X": "BIGINT",
            "V": "BIGINT",
            "_value": "VARCHAR",
        })
    );
    check(
        &rows[0],
        &[
            ("N", json!("1")),
            ("T", json!("2025-10-31 23:30:00.123+00")),
            ("D", json!("2025-10-31")),
            ("B", json!("\\xDE\\xAD")),
            ("_value", Value::Null),
        ],
    );
    check(
        &rows[1],
        &[
            ("N", Value::Null),
            ("X", Value::Null),
            ("_value", json!(r#"{"N":"abc","X":6}"#)),
        ],
    );
}

#[test]
fn a_row_in_an_envelope_has_the_types_of_its_schema() {
    let row = schema(
        "Value",
        &[
            ("id", json!("int")),
            ("paid", nullable(json!({"type": "int", "logicalType": "date"}))),
        ],
    );
    let envelope = schema(
        "Envelope",
        &[
            ("before", nullable(row)),
            ("after", nullable(json!("Value"))),
            ("op", json!("string")),
        ],
    );
    let datum = [
        &[0][..],
        &some(&[long(7), some(&long(20392))].concat()),
        &string("c"),
    ]
    .concat();
    let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
    let id = register(&url, &unique("typed"), &envelope.to_string(), &Value::Null);
    let topic = Topic::new("typed-envelope");
    topic.send(&[record("k", "").bytes(&framed(id, &datum))]);
    let mut lake = Lake::with("format = \"parquet\"");
    lake.set_topics(&format!(
        "[schema_registry]\nurl = {url:?}\n{}",
        entry(&topic, "value = { format = \"avro\", unwrap = \"debezium\" }")
    ));
    assert_eq!(number(&lake.drain()["topics"][0], "irregular"), 0);
    let (types, rows) = read(&lake, &topic);
    assert_eq!(
        types,
        json!({"id": "INTEGER", "paid": "DATE", "_value": "VARCHAR"})
    );
    check(&rows[0], &[("id", json!("7")), ("paid", json!("2025-10-31"))]);
}
