//! The page's table of types: each line in Avro, in the lake and in MySQL.

use serde_json::{Value, json};
use std::fmt::Write;

use crate::avro::{bytes, decimal, framed, long, record as schema, string};
use crate::common::files::data_files;
use crate::common::kafka::{Topic, record};
use crate::common::lake::{Lake, number};
use crate::common::registry::register;
use crate::common::{service, unique};
use crate::page;
use crate::world::Warehouse;

const MILLIS: i64 = 1_761_953_400_123;
const UUID: &str = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";

/// The schema of a type that the page names, and a datum of it.
fn example(avro: &str) -> (Value, Vec<u8>) {
    let logical = |of: &str, name: &str| json!({"type": of, "logicalType": name});
    match avro {
        "boolean" => (json!("boolean"), vec![1]),
        "int" => (json!("int"), long(-7)),
        "long" => (json!("long"), long(9_007_199_254_740_993)),
        "float" => (json!("float"), 0.1f32.to_le_bytes().to_vec()),
        "double" => (json!("double"), 0.1f64.to_le_bytes().to_vec()),
        "bytes, decimal" => (decimal(9, 2), bytes(&1230i16.to_be_bytes())),
        "string" => (json!("string"), string("Zoé")),
        "bytes" => (json!("bytes"), bytes(&[0xde, 0xad, 0xbe, 0xef])),
        "int, date" => (logical("int", "date"), long(MILLIS / 86_400_000)),
        "int, time-millis" => (logical("int", "time-millis"), long(MILLIS % 86_400_000)),
        "long, timestamp-millis" => (logical("long", "timestamp-millis"), long(MILLIS)),
        "long, timestamp-micros" => (logical("long", "timestamp-micros"), long(MILLIS * 1000 + 456)),
        "long, local-timestamp-millis" => (logical("long", "local-timestamp-millis"), long(MILLIS)),
        "array" => (json!({"type": "array", "items": "int"}), vec![4, 2, 4, 0]),
        "map" => (
            json!({"type": "map", "values": "int"}),
            [&[2][..], &string("a"), &[2, 0]].concat(),
        ),
        "record" => (schema("S", &[("A", json!("int"))]), vec![2]),
        "enum" => (
            json!({"type": "enum", "name": "E", "symbols": ["new", "paid"]}),
            vec![2],
        ),
        "string, uuid" => (logical("string", "uuid"), string(UUID)),
        other => panic!("the page has a type that this test doesn't know: {other}"),
    }
}

#[test]
fn each_type_is_in_lake_and_mysql_what_is_shown() {
    let rows = page::types();
    assert_eq!(rows.len(), 18, "the page has lost a type");
    let (mut fields, mut datum, mut columns, mut shown) = (Vec::new(), Vec::new(), String::new(), Vec::new());
    let names: Vec<String> = (0..rows.len()).map(|at| format!("C{at}")).collect();
    for (row, name) in rows.iter().zip(&names) {
        let [_, avro, _, as_json, column, _] = &row[..] else {
            panic!("{row:?}")
        };
        let (of, bytes) = example(avro);
        fields.push((name.as_str(), of));
        datum.extend(bytes);
        write!(columns, ", {name} {column}").unwrap();
        shown.push(format!("\"{name}\":{as_json}"));
    }
    let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
    let id = register(
        &url,
        &unique("types"),
        &schema("Types", &fields).to_string(),
        &Value::Null,
    );
    let topic = Topic::compacted("types");
    topic.send(&[record("k", "").bytes(&framed(id, &datum))]);
    let entry = format!(
        "[schema_registry]\nurl = {url:?}\n[topics.{:?}]\nkind = \"table\"\nkey.columns = [\"k\"]\nvalue.format = \"avro\"\n\
         warehouse.table = \"types\"\n",
        topic.name
    );

    let mut lake = Lake::new();
    lake.set_topics(&entry);
    lake.drain();
    let files = data_files(&lake.root().join("tables").join(&topic.name));
    let expected = format!("\"_key\":\"k\",{}}}", shown.join(","));
    assert!(
        files[0].lines[0].ends_with(&expected),
        "{}\n{expected}",
        files[0].lines[0]
    );

    let mut warehouse = Warehouse::new();
    warehouse.set_topics(&entry);
    warehouse.execute(&format!(
        "CREATE TABLE types (k VARCHAR(9) PRIMARY KEY{columns}) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_bin"
    ));
    let report = warehouse.drain();
    assert_eq!(number(&report["topics"][0], "upserted"), 1, "{report}");
    let select = |(row, name): (&Vec<String>, &String)| match row[4].starts_with("VARBINARY") {
        true => format!("HEX({name})"),
        false => name.clone(),
    };
    let select: Vec<String> = rows.iter().zip(&names).map(select).collect();
    let found = warehouse.query(&format!("SELECT {} FROM types", select.join(", ")));
    let expected: Vec<_> = rows.iter().map(|row| Some(row[5].clone())).collect();
    assert_eq!(found, [expected]);
}

/// Avro writes such a date as a number, and Connect's JSON Schema each: a number of days, which is no time of 1970.
#[test]
fn a_date_that_is_a_number_counts_days() {
    let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
    let date = json!({"type": "int", "logicalType": "date"});
    let avro = register(
        &url,
        &unique("days"),
        &schema("Days", &[("D", date.clone()), ("T", date)]).to_string(),
        &Value::Null,
    );
    let connect = json!({"type": "object", "properties": {"D": {
        "type": "integer", "title": "org.apache.kafka.connect.data.Date", "connect.type": "int32"}}});
    let connect = register(
        &url,
        &unique("days-json"),
        &connect.to_string(),
        &json!({"schemaType": "JSON"}),
    );
    let day = |days: i64| [long(days), long(0)].concat();
    for (format, values) in [
        (
            "avro",
            [framed(avro, &day(20_392)), framed(avro, &day(2_932_897))],
        ),
        (
            "json_sr",
            [
                framed(connect, b"{\"D\":20392}"),
                framed(connect, b"{\"D\":2932897}"),
            ],
        ),
    ] {
        let topic = Topic::compacted("days");
        topic.send(&[
            record("k", "").bytes(&values[0]),
            record("far", "").bytes(&values[1]),
        ]);
        let mut warehouse = Warehouse::new();
        warehouse.set_topics(&format!(
            "[schema_registry]\nurl = {url:?}\n[topics.{:?}]\nkind = \"table\"\nkey.columns = [\"k\"]\n\
             value.format = {format:?}\nwarehouse.table = \"days\"\n",
            topic.name
        ));
        warehouse.execute("CREATE TABLE days (k VARCHAR(9) PRIMARY KEY, d DATETIME)");
        let report = warehouse.one(&[], 3);
        assert_eq!(
            (number(&report, "upserted"), number(&report, "rejected")),
            (1, 1),
            "{report}"
        );
        assert_eq!(warehouse.value("SELECT d FROM days"), "2025-10-31 00:00:00");
        let reason = warehouse.value("SELECT reason FROM lakectl_rejects");
        assert!(reason.contains("years 1 to 9999"), "{reason}");
    }
}
