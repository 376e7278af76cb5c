//! Each entry of the page: a record of its topic becomes the line that the page shows.

use chrono::DateTime;
use serde_json::{Value, json};

use crate::avro::{bytes, decimal, framed, nullable, record as schema, some, string, varint};
use crate::common::files::data_files;
use crate::common::kafka::{Record, Topic, record};
use crate::common::lake::{Lake, number};
use crate::common::registry::register;
use crate::common::{service, unique};
use crate::page;

/// One the registry doesn't have.
const UNKNOWN: u32 = 123_456_789;
const WINDOW: [i64; 3] = [1_700_000_100_000, 1_700_000_160_000, 1_700_000_400_000];

/// Registers a schema; returns its id.
fn id(schema: &str, kind: &str) -> u32 {
    register(
        &service("LAKECTL_SCHEMA_REGISTRY_URL"),
        &unique("documented"),
        schema,
        &json!({"schemaType": kind}),
    )
}

fn avro(schema: &Value, datum: &[u8]) -> Vec<u8> {
    framed(id(&schema.to_string(), "AVRO"), datum)
}

fn json_schema(of: &str) -> u32 {
    let schema = json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": of});
    id(&schema.to_string(), "JSON")
}

/// The record that stands behind a topic of the page.
fn record_of(topic: &str) -> Record {
    let plain = |key: &[u8], value: &[u8]| record("", "").key(Some(key)).bytes(value);
    match topic {
        "ORDERS" => plain(
            &avro(&json!("int"), &[84]),
            &avro(
                &schema(
                    "KsqlDataSourceSchema",
                    &[
                        ("NAME", nullable(json!("string"))),
                        ("TOTAL", nullable(decimal(9, 2))),
                    ],
                ),
                &[some(&string("Zoé")), some(&bytes(&1230i16.to_be_bytes()))].concat(),
            ),
        ),
        "PAYMENTS" => plain(b"P-1", &payment()),
        "CUSTOMERS" => plain(
            &framed(json_schema("string"), br#""C-7""#),
            &framed(json_schema("object"), br#"{"NAME":"Ada","BALANCE":0.10}"#),
        ),
        "STOCK" => {
            let (key, value) = ("Lyon,3", "\"nuts, bolts\",7,1.50,");
            let said = format!("The record was `{value}` with the key `{key}`.");
            assert!(page::text().contains(&said), "{said}");
            record(key, value)
        }
        "CLICKS_BY_PAGE" => plain(b"/home", &1234i64.to_be_bytes()),
        "LAST_PAGE" => plain(&7i64.to_be_bytes(), br#""/home""#),
        "CLICKS_5MIN" => {
            let key = avro(&json!("string"), &string("/home"));
            plain(&[&key[..], &WINDOW[0].to_be_bytes()].concat(), br#"{"CLICKS":3}"#)
        }
        "VISITS" => {
            let window = [WINDOW[1].to_be_bytes(), WINDOW[0].to_be_bytes()].concat();
            plain(&[b"U-1", &window[..]].concat(), br#"{"PAGES":9}"#)
        }
        "SPENT" => record("U-1|+|2025", r#"{"TOTAL":9.50}"#),
        "shop.public.customers" => {
            let row = schema("Value", &[("id", json!("int")), ("name", json!("string"))]);
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
                &some(&[&[14][..], &string("Ada")].concat()),
                &string("c"),
            ]
            .concat();
            plain(
                &avro(&schema("Key", &[("id", json!("int"))]), &[14]),
                &avro(&envelope, &datum),
            )
        }
        "OLD_ORDERS" => record("O-1", "").bytes(&framed(UNKNOWN, &[2])),
        other => panic!("the page has a topic that this test doesn't know: {other}"),
    }
}

fn payment() -> Vec<u8> {
    let schema = "syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\nmessage Payment {\n  int64 ID = 1;\n  \
                  google.protobuf.Timestamp PAID_AT = 2;\n  string NOTE = 3;\n}\n";
    let paid = DateTime::parse_from_rfc3339("2025-10-31T23:30:00Z").unwrap();
    let seconds = [&[0x08][..], &varint(paid.timestamp().cast_unsigned())].concat();
    let length = u8::try_from(seconds.len()).unwrap();
    let message = [&[0x08, 42, 0x12, length][..], &seconds].concat();
    framed(id(schema, "PROTOBUF"), &[&[0][..], &message].concat())
}

#[test]
fn each_entry_makes_the_line_that_is_shown() {
    let entries = page::entries();
    assert_eq!(entries.len(), 11, "the page has lost an example");
    let mut configuration = format!(
        "[schema_registry]\nurl = {:?}\n",
        service("LAKECTL_SCHEMA_REGISTRY_URL")
    );
    let mut topics = Vec::new();
    for entry in &entries {
        let topic = if entry.lines.contains("kind = \"table\"") {
            Topic::compacted(&entry.topic)
        } else {
            Topic::new(&entry.topic)
        };
        topic.send(&[record_of(&entry.topic)]);
        configuration += &format!("[topics.{:?}]\n{}", topic.name, entry.lines);
        topics.push(topic);
    }
    let mut lake = Lake::new();
    lake.set_topics(&configuration);
    let report = lake.run(&[]).expect(3).report();
    for (entry, topic) in entries.iter().zip(&topics) {
        let mut all = report["topics"].as_array().unwrap().iter();
        let told = all.find(|told| told["topic"] == topic.name[..]).unwrap();
        let is_kept = entry.topic == "OLD_ORDERS";
        assert_eq!(number(told, "irregular"), i64::from(is_kept), "{told}");
        let line = line(&lake, &topic.name);
        match entry.shown.split_once('…') {
            None => assert_eq!(line, entry.shown, "{}", entry.topic),
            // The registry's own words.
            Some((begin, end)) => assert!(
                is_kept && line.starts_with(begin) && line.ends_with(end),
                "{line}\n{}",
                entry.shown
            ),
        }
    }
}

/// The one line of a topic, without what says where the record was.
fn line(lake: &Lake, topic: &str) -> String {
    let folders = ["streams", "tables"].map(|kind| data_files(&lake.root().join(kind).join(topic)));
    let lines: Vec<String> = folders
        .into_iter()
        .flatten()
        .flat_map(|file| file.lines)
        .collect();
    let [line] = &lines[..] else {
        panic!("{topic}: {lines:?}")
    };
    let (place, rest) = line.split_once("\"_key\"").unwrap();
    assert!(place.starts_with("{\"_partition\":0,\"_offset\":0,\"_timestamp\":"));
    format!("{{\"_key\"{rest}")
}
