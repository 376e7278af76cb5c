//! Keys and values of the sample.

use crate::answer::check;
use crate::common::kafka::{NOON_MS, Record, Topic, numbered, record, tombstone};
use crate::world::Warehouse;

fn with_key(key: &[u8]) -> Record {
    record("", "{\"A\":1}").key(Some(key))
}

fn windowed(key: &str, bounds: &[i64]) -> Record {
    let times: Vec<u8> = bounds.iter().flat_map(|ms| ms.to_be_bytes()).collect();
    with_key(&[key.as_bytes(), &times].concat())
}

#[test]
fn keys_that_are_something_else() {
    let json = || vec![with_key(b"{\"USER_ID\":\"a\",\"TYPE\":\"b\"}"); 3];
    let cases: [(&str, &str, Vec<Record>, &str); 10] = [
        (
            "json-table",
            "kind = \"table\"",
            json(),
            "key.format = \\\"json\\\"",
        ),
        (
            "unwindowed",
            "kind = \"table\"",
            vec![windowed("a", &[NOON_MS])],
            "window = { type = \\\"tumbling\\\"",
        ),
        (
            "session",
            "kind = \"stream\"",
            vec![windowed("a", &[NOON_MS, NOON_MS])],
            "type = \\\"session\\\"",
        ),
        (
            "hopping",
            "kind = \"table\"\nwindow = { type = \"hopping\", size = \"5m\" }",
            vec![windowed("a", &[NOON_MS + 1, NOON_MS])],
            "type = \\\"session\\\"",
        ),
        (
            "windowless",
            "kind = \"table\"\nwindow = { type = \"hopping\", size = \"5m\" }",
            vec![with_key(b"deposit-or-so")],
            "no window entry",
        ),
        (
            "bare",
            "kind = \"stream\"\nkey = { format = \"json\" }",
            vec![with_key(b"abc")],
            "key.format = \\\"string\\\"",
        ),
        (
            "int",
            "kind = \"stream\"\nkey = { format = \"int\" }",
            vec![with_key(&7i64.to_be_bytes())],
            "key.format = \\\"bigint\\\"",
        ),
        (
            "bytes",
            "kind = \"stream\"",
            vec![with_key(&[255, 1, 2])],
            "\\\"bytes\\\" takes any",
        ),
        (
            "none",
            "kind = \"stream\"\nkey = { format = \"none\" }",
            vec![with_key(b"abc")],
            "key.format = \\\"string\\\"",
        ),
        (
            "null",
            "kind = \"table\"",
            vec![record("", "{}").key(None)],
            "no record has a key",
        ),
    ];
    let topics = cases
        .each_ref()
        .map(|(label, ..)| Topic::new(&format!("check-{label}")));
    let few = Topic::new("check-few");
    few.send(&[numbered("a", 5, 1), vec![with_key(&[255])]].concat());
    let text = Topic::new("check-text");
    text.send(&json());
    let mut entries = format!(
        "[topics.{:?}]\nkind = \"stream\"\n[topics.{:?}]\nkind = \"stream\"\n",
        few.name, text.name
    );
    for (topic, (_, entry, records, _)) in topics.iter().zip(&cases) {
        topic.send(records);
        entries += &format!("[topics.{:?}]\n{entry}\n", topic.name);
    }
    let mut world = Warehouse::without_database();
    world.set_topics(&entries);
    let answer = check(&world, &["--only", "lake"], 3);
    for (topic, (.., fix)) in topics.iter().zip(&cases) {
        answer.is_wrong(&topic.name, "keys", &[fix]);
    }
    assert_eq!(answer.wrong().len(), cases.len(), "{:?}", answer.wrong());
    answer.ok(&few.name, "keys", &["5 of 6 are string", "not UTF-8", "offset 5"]);
    answer.ok(
        &text.name,
        "keys",
        &["3 of 3 are string", "they are JSON", "key.format"],
    );
}

#[test]
fn values_that_readers_choke_on() {
    let [avro, text, mixed, dayless] =
        ["avro", "text", "mixed", "dayless"].map(|name| Topic::new(&format!("check-{name}")));
    avro.send(&vec![record("a", "").bytes(b"\0\0\0\0\x07\x02\x08"); 3]);
    text.send(&[record("a", "hello"), record("b", "{\"A\":1}").bytes(b"\xff{}")]);
    mixed.send(
        &[
            numbered("a", 4, 1),
            vec![
                record("b", "17"),
                record("c", "{\"day\":1}"),
                record("d", "{\"a\":1,\"A\":2}"),
                tombstone("e"),
            ],
        ]
        .concat(),
    );
    dayless.send(&[
        record("a", "{\"T\":\"2025-10-30T12:00:00Z\"}"),
        record("b", "{\"u\":5}"),
    ]);
    let world = Warehouse::without_database()
        .stream(&avro)
        .stream(&text)
        .stream(&mixed);
    let mut world = world.stream(&dayless);
    let entries =
        [&avro, &text, &mixed].map(|topic| format!("[topics.{:?}]\nkind = \"stream\"\n", topic.name));
    let last = format!(
        "[topics.{:?}]\nkind = \"stream\"\nlake.partition_time = \"field:T\"\n",
        dayless.name
    );
    world.set_topics(&(entries.concat() + &last));
    let answer = check(&world, &["--only", "lake"], 3);
    answer.is_wrong(
        &avro.name,
        "values",
        &["3 of 3", "schema registry", "VALUE_FORMAT = 'JSON'"],
    );
    answer.is_wrong(&text.name, "values", &["2 of 2", "kept as text"]);
    answer.ok(
        &mixed.name,
        "values",
        &[
            "5 of 7",
            "occurs twice",
            "offset 6",
            "under `_value`",
            "lake.metadata_prefix",
        ],
    );
    answer.is_wrong(
        &dayless.name,
        "days",
        &["1 of 2", "field:T", "no field T", "offset 1"],
    );
    assert_eq!(answer.wrong().len(), 3, "{:?}", answer.wrong());
}

/// What a run would warn of, and a purge would leave.
#[test]
fn times_of_another_unit() {
    let [seconds, history] = ["seconds", "history"].map(|name| Topic::new(&format!("check-{name}")));
    let table = Topic::compacted("check-seconds-table");
    seconds.send(&[record("a", "{}"), record("b", "{}").at(1_766_000_000)]);
    history.send(&[
        record("a", "{\"born\":\"1985-05-05\"}"),
        record("b", "{\"born\":\"2012-05-05\"}"),
    ]);
    table.send(&[
        record("a", "{\"at\":1766000000,\"born\":\"1948-05-05\"}"),
        record("b", "{\"at\":1766000000000,\"born\":\"1948-05-05\"}"),
    ]);
    let mut world = Warehouse::new();
    world.execute(
        "CREATE TABLE aged (id VARCHAR(9) PRIMARY KEY, at DATETIME, born DATETIME, KEY (at)) ENGINE = InnoDB",
    );
    let entries = |unit: &str| {
        format!(
            "[topics.{:?}]\nkind = \"stream\"\n[topics.{:?}]\nkind = \"stream\"\nlake.partition_time = \"field:born\"\n\
             [topics.{:?}]\nkind = \"table\"\nkey.columns = [\"id\"]\nwarehouse.table = \"aged\"\n\
             warehouse.retention = {{ column = \"at\", keep = \"1y\" }}\n{unit}\n",
            seconds.name, history.name, table.name
        )
    };
    world.set_topics(&entries(""));
    let answer = check(&world, &[], 3);
    let hint = "looks like seconds: 1766000000 would be 2025-12-17";
    let fix = "timestamp_unit = \\\"s\\\"";
    answer.is_wrong(
        &seconds.name,
        "days",
        &["1 record", "1970-01-21", hint, "offset 1", fix],
    );
    answer.ok(
        &history.name,
        "days",
        &["1 record", "field born is 1985-05-05", "offset 0"],
    );
    answer.is_wrong(
        &table.name,
        "retention",
        &["1 record", "column at", hint, "offset 0", fix],
    );
    answer.has_none(&table.name, "days");
    assert_eq!(answer.wrong().len(), 2, "{:?}", answer.wrong());
}

/// The sample is what a run would read: committed records, also behind many that were aborted.
#[test]
fn only_committed_records_are_looked_at() {
    let topic = Topic::new("check-aborted");
    topic.commit(&numbered("a", 4, 1));
    topic.abort(&vec![record("x", "no JSON"); 150]);
    let world = Warehouse::without_database().stream(&topic);
    let answer = check(&world, &["--only", "lake", "--sample", "5"], 0);
    answer.ok(&topic.name, "values", &["4 of 4 are JSON objects"]);
    let answer = check(&world, &["--only", "lake", "--sample", "0"], 0);
    answer.has_none(&topic.name, "values");
    let open = topic.open_transaction(&numbered("b", 3, 1));
    let answer = check(&world, &["--only", "lake"], 0);
    answer.ok(&topic.name, "lake", &["held back by an open transaction"]);
    open.abort();
}

/// Kafka partitions that a first look found nothing in are looked at again, all of them.
#[test]
fn records_behind_aborted_ones_are_found_in_every_kafka_partition() {
    let topic = Topic::with("check-behind", 3, &[]);
    topic.commit(&numbered("a", 6, 3));
    topic.abort(&numbered("x", 150, 3));
    let world = Warehouse::without_database().stream(&topic);
    let answer = check(&world, &["--only", "lake", "--sample", "15"], 0);
    answer.ok(&topic.name, "values", &["6 of 6 are JSON objects"]);
}
