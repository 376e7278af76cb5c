//! Records in the envelopes of Debezium and Kafka Connect.

use serde_json::Value;

use crate::common::envelope::Converter::{self, Bare, WithSchema};
use crate::common::envelope::person;
use crate::common::files::{data_files, lines};
use crate::common::kafka::{Topic, record};
use crate::common::lake::{Lake, number};

const DEBEZIUM: &str = "key = { format = \"json\" }\nvalue.unwrap = \"debezium\"";

/// The lines of the snapshot, each with the number of its offset taken out.
fn snapshot(lake: &Lake, topic: &Topic) -> Vec<String> {
    let path = lake.root().join(format!("current/{}.json", topic.name));
    let without_head = |line: String| line[line.find("\"_key\"").unwrap()..].to_owned();
    lines(&path).into_iter().map(without_head).collect()
}

fn row(id: u32, name: &str) -> String {
    format!("\"_key\":{{\"id\":{id}}},{}", &person(id, name)[1..])
}

#[test]
fn changes_of_debezium_are_rows_of_a_snapshot() {
    // The schema of the keys changes with the table; the keys stay the same.
    for converters in [[Bare; 2], [WithSchema(1), WithSchema(2)]] {
        let topic = Topic::compacted("debezium");
        let lake = Lake::new().table(&topic, DEBEZIUM);
        let [first, then] = converters;
        topic.send(&[
            first.change(1, "r", "null", &person(1, "Ada")),
            first.change(2, "r", "null", &person(2, "Bob")),
            first.change(3, "c", "null", &person(3, "Cleo")),
        ]);
        assert_eq!(number(&lake.one(&[], 0), "written"), 3);
        assert_eq!(
            snapshot(&lake, &topic),
            [row(1, "Ada"), row(2, "Bob"), row(3, "Cleo")]
        );
        topic.send(&[
            then.change(1, "u", &person(1, "Ada"), &person(1, "Ada L.")),
            then.change(2, "d", &person(2, "Bob"), "null"),
            then.tombstone(2),
            // Its tombstone is still to come.
            then.change(3, "d", &person(3, "Cleo"), "null"),
        ]);
        let report = lake.one(&[], 0);
        assert_eq!(
            (number(&report, "tombstones"), number(&report, "irregular")),
            (3, 0)
        );
        assert_eq!(snapshot(&lake, &topic), [row(1, "Ada L.")]);
        lake.verify(0);
    }
}

/// The lines of the one file of a stream, with its offsets from 0.
fn stream_lines(lake: &Lake, topic: &Topic) -> Vec<String> {
    let files = data_files(&lake.root().join("streams").join(&topic.name));
    let [file] = &files[..] else { panic!("{files:?}") };
    for (line, offset) in file.lines.iter().zip(0..) {
        assert!(line.contains(&format!("\"_offset\":{offset},")), "{line}");
    }
    let without_head = |line: &String| line[line.find("\"_key\"").unwrap()..].to_owned();
    file.lines.iter().map(without_head).collect()
}

#[test]
fn a_stream_has_a_line_for_each_change() {
    let topic = Topic::new("debezium");
    let converter: Converter = WithSchema(1);
    let lake = Lake::new().stream(&topic, DEBEZIUM);
    let odd = [
        person(1, "without an envelope"),
        "{\"source\":{},\"op\":\"t\",\"ts_ms\":1}".to_owned(),
    ];
    topic.send(&[
        converter.change(1, "c", "null", &person(1, "Ada")),
        converter.change(1, "u", &person(1, "Ada"), " {\"id\" : 1.50}"),
        converter.change(1, "d", &person(1, "Ada"), "null"),
        converter.tombstone(1),
        record("{\"id\":1}", &odd[0]),
        record("", &odd[1]).key(None),
    ]);
    let report = lake.run(&[]).expect(3).report();
    let told = &report["topics"][0];
    assert_eq!((number(told, "tombstones"), number(told, "irregular")), (2, 2));
    let warning = report["warnings"][0].to_string();
    for words in [
        &*topic.name,
        "2 records",
        "offset 4",
        "it has no op",
        "value.unwrap",
    ] {
        assert!(warning.contains(words), "no {words} in {warning}");
    }
    let deleted = "\"_key\":{\"id\":1},\"_value\":null}";
    let kept = |key: &str, error: &str, value: &str| {
        format!(
            "\"_key\":{key},\"_error\":\"value: {error}\",\"_value_text\":{}}}",
            Value::from(value)
        )
    };
    let expected = [
        row(1, "Ada"),
        "\"_key\":{\"id\":1},\"id\" : 1.50}".to_owned(),
        deleted.to_owned(),
        deleted.to_owned(),
        kept("{\"id\":1}", "not Debezium's envelope: it has no op", &odd[0]),
        kept(
            "null",
            "Debezium's op is t: the whole table was truncated, which names no row",
            &odd[1],
        ),
    ];
    assert_eq!(stream_lines(&lake, &topic), expected);
}

#[test]
fn a_table_says_what_it_could_not_take() {
    let topic = Topic::new("truncated");
    let lake = Lake::new().table(&topic, DEBEZIUM);
    topic.send(&[
        Bare.change(1, "c", "null", &person(1, "Ada")),
        record("", "{\"source\":{},\"op\":\"t\",\"ts_ms\":1}").key(None),
    ]);
    let report = lake.run(&[]).expect(3).report();
    assert_eq!(number(&report["topics"][0], "irregular"), 1);
    let warning = report["warnings"][0].to_string();
    assert!(
        warning.contains("offset 1") && warning.contains("truncated"),
        "{warning}"
    );
    assert_eq!(snapshot(&lake, &topic), [row(1, "Ada")]);
    // It is told once.
    lake.run(&[]).expect(0);
}

#[test]
fn payloads_of_connect_are_lines() {
    let topic = Topic::new("connect");
    let lake = Lake::with("metadata = false")
        .stream(&topic, "key = { format = \"json\" }\nvalue.unwrap = \"connect\"");
    topic.send(&[
        WithSchema(1).row(1, "{\"id\":1,\"amount\":12.340}"),
        record("{\"id\":2}", &WithSchema(1).dress("7")),
        WithSchema(1).row(3, "{\"year\":2025}"),
    ]);
    lake.drain();
    let files = data_files(&lake.root().join("streams").join(&topic.name));
    let head = |offset: u32, id: u32| {
        format!(
            "{{\"_partition\":0,\"_offset\":{offset},\"_timestamp\":1761825600000,\"_key\":{{\"id\":{id}}}"
        )
    };
    let expected = [
        "{\"id\":1,\"amount\":12.340}".to_owned(),
        format!("{},\"_value\":7}}", head(1, 2)),
        format!("{},\"_value\":{{\"year\":2025}}}}", head(2, 3)),
    ];
    assert_eq!(files[0].lines, expected);
}

/// Rows of both forms would stand side by side, some of them twice.
#[test]
fn another_envelope_needs_a_rebuild_of_a_table() {
    let topic = Topic::compacted("changed");
    let mut lake = Lake::new().table(&topic, "key = { format = \"json\" }");
    topic.send(&[WithSchema(1).change(1, "c", "null", &person(1, "Ada"))]);
    lake.drain();
    let before = lake.kept();
    topic.send(&[WithSchema(1).change(1, "u", "null", &person(1, "Ada L."))]);
    lake.set_topics(&format!(
        "[topics.{:?}]\nkind = \"table\"\n{DEBEZIUM}\n",
        topic.name
    ));
    let report = lake.one(&[], 2);
    let error = report["error"].to_string();
    assert!(error.contains("lakectl lake --rebuild"), "{error}");
    crate::common::lake::assert_same(&lake.kept(), &before);
    lake.run(&["--rebuild"]).expect(0);
    assert_eq!(snapshot(&lake, &topic), [row(1, "Ada L.")]);
    lake.run(&[]).expect(0);
}
