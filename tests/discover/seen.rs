//! Topics of which ksqlDB says nothing: the registry's subjects, the topic's settings, and a sample.

use serde_json::{Value, json};

use crate::common::avro::{PERSON, framed, person};
use crate::common::kafka::{Topic, record};
use crate::common::registry::register;
use crate::common::service;
use crate::place::Place;

fn registry() -> (String, Place) {
    let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
    let place = Place::with(&format!("[schema_registry]\nurl = \"{url}\"\n"));
    (url, place)
}

#[test]
fn subjects_say_the_formats() {
    let (url, place) = registry();
    let topic = Topic::compacted("subjects");
    let key = register(&url, &format!("{}-key", topic.name), PERSON, &Value::Null);
    let id = register(&url, &format!("{}-value", topic.name), PERSON, &Value::Null);
    topic.send(&[record("", "")
        .key(Some(&framed(key, &person("ann", 1))))
        .bytes(&framed(id, &person("bob", 2)))]);
    let (settings, from) = place.settings(&topic.name, 0);
    assert_eq!(
        settings,
        json!({"kind": "table", "key.format": "avro", "value.format": "avro"})
    );
    let known = |key: &str| from[key]["from"].as_str().unwrap().to_owned();
    assert_eq!(known("kind"), "Kafka: cleanup.policy = compact");
    assert_eq!(
        known("value.format"),
        format!("registry: subject {}-value, schema {id} (Avro)", topic.name)
    );
    let lines = place.check_and_drain(&topic.name);
    assert_eq!(
        (&lines[0]["_key"], &lines[0]["N"]),
        (&json!({"NAME": "ann", "N": 1}), &json!(2))
    );
}

#[test]
fn ids_without_a_subject_are_a_guess() {
    let (url, place) = registry();
    let topic = Topic::new("ids");
    let id = register(&url, &format!("{}-other", topic.name), PERSON, &Value::Null);
    topic.send(&[record("k", "").bytes(&framed(id, &person("bob", 2)))]);
    let (settings, from) = place.settings(&topic.name, 3);
    assert_eq!(
        settings,
        json!({"kind": "stream", "key.format": "string", "value.format": "avro"})
    );
    assert_eq!(
        (&from["kind"]["guess"], &from["value.format"]["guess"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(place.check_and_drain(&topic.name)[0]["NAME"], "bob");
}

#[test]
fn records_that_contradict_their_subject_are_noticed() {
    let (url, place) = registry();
    let topic = Topic::new("contradiction");
    register(&url, &format!("{}-value", topic.name), PERSON, &Value::Null);
    topic.send(&[record("", "{\"A\":1}").key(None)]);
    let shown = place.discover(&topic.name, 3);
    assert!(
        shown.contains("# the values of a sample do not all look like that"),
        "{shown}"
    );
}

#[test]
fn a_sample_says_what_nobody_else_does() {
    let place = Place::with("");
    let start = 1_700_000_100_000i64.to_be_bytes();
    let windowed = [&b"withdrawal"[..], &start].concat();
    let envelope = "{\"before\":null,\"after\":{\"A\":1},\"source\":{},\"op\":\"c\",\"ts_ms\":1}";
    // 22:15, and nothing in the sample says that the windows are shorter.
    let window = json!({"type": "tumbling", "size": "15m"});
    for (label, value, key, expected) in [
        (
            "object",
            &b"{\"A\":1}"[..],
            &b"k"[..],
            json!({"key.format": "string", "value.format": "json"}),
        ),
        (
            "window",
            b"{\"A\":1}",
            &windowed,
            json!({"key.format": "string", "window": window, "value.format": "json"}),
        ),
        (
            "debezium",
            envelope.as_bytes(),
            b"{\"A\":1}",
            json!({"key.format": "json", "value.format": "json", "value.unwrap": "debezium"}),
        ),
        (
            "double",
            &1.5f64.to_be_bytes(),
            &7i64.to_be_bytes(),
            json!({"key.format": "bigint", "value.format": "kafka", "value.columns": ["VALUE DOUBLE"]}),
        ),
        (
            "csv",
            b"a;b",
            b"k",
            json!({"key.format": "string", "value.format": "delimited", "value.columns": ["COLUMN_1", "COLUMN_2"],
                "value.delimiter": ";"}),
        ),
        (
            "bytes",
            b"\xff\xfe",
            &[255, 1, 2],
            json!({"key.format": "bytes", "value.format": "bytes"}),
        ),
    ] {
        let topic = Topic::new(label);
        topic.send(&[
            record("", "").key(Some(key)).bytes(value),
            record("", "").key(Some(key)).bytes(value),
        ]);
        let (mut settings, _) = place.settings(&topic.name, 3);
        assert_eq!(
            settings.as_object_mut().unwrap().remove("kind"),
            Some(json!("stream"))
        );
        assert_eq!(settings, expected, "{label}");
        Place::with("").check_and_drain(&topic.name);
    }
    let empty = Topic::compacted("empty");
    let shown = place.discover(&empty.name, 3);
    assert!(
        shown.contains("kind = \"table\"") && shown.contains("# a guess: the topic holds no record"),
        "{shown}"
    );
}

#[test]
fn records_behind_ids_wait_for_the_registry() {
    let topic = Topic::new("unregistered");
    topic.send(&[record("k", "").bytes(&framed(7, b"\xff\xfe"))]);
    let shown = Place::with("").discover(&topic.name, 3);
    assert!(
        shown.contains("schema_registry.url") && shown.contains("run this again"),
        "{shown}"
    );
}
