//! How far a run goes: --max-messages, --max-duration, --from, --until, and --dry-run, which goes nowhere.

use serde_json::{Value, json};

use crate::common::compare::{Compare, assert_stream, assert_table};
use crate::common::kafka::{DAY_MS, HOUR_MS, NOON_MS, Record, Topic, numbered, record, tombstone};
use crate::common::lake::{Lake, assert_same, number};

/// What a topic's report says was taken in, of all that Kafka has.
fn taken(topic: &Value, records: &[Record]) -> Vec<Record> {
    let below = |record: &&Record| {
        let parts = topic["partitions"].as_array().unwrap();
        let part = parts.iter().find(|p| p["partition"] == record.partition).unwrap();
        record.offset < number(part, "next")
    };
    records.iter().filter(below).cloned().collect()
}

/// `next` is the first record that was not taken, or the end: never a marker's offset before one.
fn assert_next_is_a_record(topic: &Value, records: &[Record]) {
    for part in topic["partitions"].as_array().unwrap() {
        let next = number(part, "next");
        let there = |record: &Record| part["partition"] == record.partition && record.offset == next;
        assert!(next == number(part, "end") || records.iter().any(there), "{part}");
    }
}

#[test]
fn max_messages_in_small_steps() {
    let topic = Topic::with("max-messages", 2, &[]);
    for label in ["a", "b", "c"] {
        topic.commit(&numbered(label, 7, 2));
        topic.abort(&numbered("aborted", 3, 2));
    }
    let records = topic.read();
    let lake = Lake::of_stream(&topic);
    let mut total = 0;
    for step in [1, 1, 2, 3, 0, 7, 100] {
        let report = lake.one(&["--max-messages", &step.to_string()], 0);
        let read = number(&report, "read");
        assert_eq!(read, step.min(21 - total), "{report}");
        total += read;
        assert_next_is_a_record(&report, &records);
        Compare::default().stream(&lake, &topic.name, &taken(&report, &records));
    }
    assert_eq!(total, 21);
    let report = lake.one(&["--max-messages", "5"], 0);
    assert_eq!((number(&report, "read"), number(&report, "remaining")), (0, 0));
    assert_stream(&lake, &topic);
}

/// Where the next run begins, per Kafka partition.
fn nexts(report: &Value) -> Vec<i64> {
    let parts = report["partitions"].as_array().unwrap();
    parts.iter().map(|part| number(part, "next")).collect()
}

#[test]
fn max_messages_are_shared_by_the_kafka_partitions() {
    let topic = Topic::with("max-shared", 3, &[]);
    let of = |partition, n| -> Vec<Record> {
        let records = numbered("a", n, 1).into_iter();
        records.map(|record| record.to(partition)).collect()
    };
    // Of 300 offsets of the first, only the last has a record: what it leaves of its share goes to the others, twice.
    topic.abort(&of(0, 298));
    topic.send(&of(0, 1));
    topic.send(&of(1, 20_000));
    topic.send(&of(2, 30));
    let lake = Lake::of_stream(&topic);
    let mut wanted = vec![];
    for (limit, next) in [(90, [300, 59, 30]), (1000, [300, 1059, 30]), (1, [300, 1060, 30])] {
        let report = lake.one(&["--max-messages", &limit.to_string()], 0);
        assert_eq!((number(&report, "read"), nexts(&report)), (limit, next.to_vec()));
        wanted = taken(&report, &topic.read());
    }
    Compare::default().stream(&lake, &topic.name, &wanted);
    lake.drain();
    assert_stream(&lake, &topic);
}

#[test]
fn max_messages_counts_the_whole_run() {
    let topics = ["whole-a", "whole-b", "whole-c"].map(Topic::new);
    let mut lake = Lake::new();
    for topic in &topics {
        topic.send(&numbered("a", 10, 1));
        lake = lake.stream(topic, "");
    }
    let report = lake.run(&["--max-messages", "14"]).expect(0).report();
    let read: Vec<i64> = report["topics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|topic| number(topic, "read"))
        .collect();
    assert_eq!(read, [10, 4, 0]);
    assert_eq!(number(&report["totals"], "remaining"), 16);
    lake.drain();
    for topic in &topics {
        assert_stream(&lake, topic);
    }
}

#[test]
fn max_messages_of_a_table() {
    let topic = Topic::compacted("max-table");
    topic.send(&[
        record("a", "{\"N\":1}"),
        record("b", "{}"),
        tombstone("a"),
        record("c", "{}"),
    ]);
    let records = topic.read();
    let lake = Lake::of_table(&topic);
    for _ in 0..4 {
        let report = lake.one(&["--max-messages", "1"], 0);
        Compare::default().table(&lake, &topic.name, &taken(&report, &records));
    }
    assert_eq!(number(&lake.one(&[], 0), "read"), 0);
}

#[test]
fn max_duration_commits_what_was_read() {
    let topic = Topic::with("max-duration", 2, &[]);
    topic.send(&numbered("a", 40_000, 2));
    let records = topic.read();
    let lake = Lake::of_stream(&topic);
    // Over before it reads at all, and somewhere in the middle.
    let report = lake.one(&["--max-duration", "1ms"], 0);
    assert_eq!(
        (number(&report, "read"), number(&report, "remaining")),
        (0, 40_000)
    );
    let report = lake.one(&["--max-duration", "200ms"], 0);
    assert_next_is_a_record(&report, &records);
    Compare::default().stream(&lake, &topic.name, &taken(&report, &records));
    lake.drain();
    Compare::default().stream(&lake, &topic.name, &records);
}

/// Out of order, as event times are.
fn hours() -> Vec<Record> {
    [0, 2, 1, 5, 3, 4, 9, 8]
        .into_iter()
        .map(|hour| record("k", &format!("{{\"HOUR\":{hour}}}")).at(NOON_MS + hour * HOUR_MS))
        .collect()
}

#[test]
fn from_a_time() {
    let topic = Topic::new("from-time");
    topic.send(&hours());
    let lake = Lake::of_stream(&topic);
    // The first record at or past 15:00 is hour 5; hours 3 and 4 follow it.
    let report = lake.one(&["--from", "2025-10-30T16:00:00Z"], 0);
    assert_eq!((number(&report, "read"), number(&report, "before_from")), (5, 1));
    let late = |record: &Record| record.timestamp_ms >= NOON_MS + 4 * HOUR_MS;
    let wanted: Vec<_> = topic.read().into_iter().filter(late).collect();
    Compare::default().stream(&lake, &topic.name, &wanted);
    // What comes later is no longer held against that time.
    topic.send(&[record("k", "{\"HOUR\":-1}").at(NOON_MS - HOUR_MS)]);
    assert_eq!(number(&lake.one(&[], 0), "written"), 1);
}

#[test]
fn from_a_date_is_midnight_in_the_lakes_zone() {
    let topic = Topic::new("from-date");
    topic.send(&[
        record("k", "{}").on("2025-10-29T22:59:59.999Z"),
        record("k", "{}").on("2025-10-29T23:00:00Z"),
        record("k", "{}").on("2025-10-30T00:00:00Z"),
    ]);
    let lake = Lake::with("timezone = \"Europe/Paris\"").stream(&topic, "");
    assert_eq!(number(&lake.one(&["--from", "2025-10-30"], 0), "written"), 2);
}

#[test]
fn from_a_time_past_the_end_and_from_latest() {
    for from in ["2030-01-01", "latest"] {
        let topic = Topic::with("from-latest", 2, &[]);
        topic.send(&numbered("a", 10, 2));
        let lake = Lake::of_stream(&topic);
        let report = lake.one(&["--from", from], 0);
        assert_eq!((number(&report, "read"), number(&report, "remaining")), (0, 0));
        topic.send(&numbered("b", 4, 2));
        assert_eq!(number(&lake.one(&[], 0), "read"), 4);
        let wanted: Vec<_> = topic
            .read()
            .into_iter()
            .filter(|record| record.offset >= 5)
            .collect();
        Compare::default().stream(&lake, &topic.name, &wanted);
    }
}

#[test]
fn from_is_refused_where_there_is_progress() {
    let (known, new) = (Topic::new("from-known"), Topic::new("from-new"));
    known.send(&numbered("a", 3, 1));
    let lake = Lake::new().stream(&known, "").stream(&new, "");
    lake.run(&["--topics", &known.name, "--from", "earliest"])
        .expect(0);
    known.send(&numbered("b", 3, 1));
    new.send(&numbered("a", 3, 1));
    for from in ["earliest", "latest", "2025-10-30"] {
        let report = lake.one(&["--from", from, "--topics", &known.name], 2);
        assert!(report["error"].as_str().unwrap().contains("--from"), "{report}");
    }
    // Where only one of two topics has progress, the other one is done.
    let report = lake.run(&["--from", "earliest"]).expect(2).report();
    let statuses = [&report["topics"][0]["status"], &report["topics"][1]["status"]];
    assert_eq!(statuses, ["failed", "ok"]);
    assert_stream(&lake, &new);
    lake.drain();
    assert_stream(&lake, &known);
}

#[test]
fn until_stops_each_kafka_partition_at_its_first_later_record() {
    let topic = Topic::with("until", 2, &[]);
    topic.send(&hours());
    topic.send(
        &hours()
            .into_iter()
            .rev()
            .map(|record| record.to(1))
            .collect::<Vec<_>>(),
    );
    let records = topic.read();
    let lake = Lake::of_stream(&topic);
    let report = lake.one(&["--until", "2025-10-30T17:00:00Z"], 0);
    let next = |i: usize| number(&report["partitions"][i], "next");
    assert_eq!((next(0), next(1)), (3, 0));
    assert_eq!(number(&report, "remaining"), 13);
    Compare::default().stream(&lake, &topic.name, &taken(&report, &records));
    lake.drain();
    Compare::default().stream(&lake, &topic.name, &records);
}

#[test]
fn until_is_no_record_of_a_marker() {
    let topic = Topic::new("until-marker");
    topic.commit(&hours());
    topic.commit(&[record("k", "{}").at(NOON_MS + DAY_MS)]);
    let records = topic.read();
    let lake = Lake::of_stream(&topic);
    // Markers carry the time of their writing, which is long past.
    let report = lake.one(&["--until", "2025-10-31T12:00:00Z"], 0);
    assert_eq!(number(&report, "read"), 8);
    assert_next_is_a_record(&report, &records);
    lake.drain();
    Compare::default().stream(&lake, &topic.name, &records);
}

#[test]
fn a_dry_run_touches_nothing() {
    let (stream, table) = (Topic::with("dry-stream", 2, &[]), Topic::compacted("dry-table"));
    let lake = Lake::new().stream(&stream, "").table(&table, "");
    let group = format!("{}.lake", lake.group);
    stream.send(&numbered("a", 10, 2));
    table.send(&numbered("a", 10, 1));
    let report = lake.run(&["--dry-run"]).expect(0).report();
    assert_eq!(
        (&report["dry_run"], number(&report["totals"], "remaining")),
        (&json!(true), 20)
    );
    assert!(!lake.root().exists());
    assert_eq!(stream.committed(&group), []);
    lake.drain();
    let (before, committed) = (lake.listing(), stream.committed(&group));
    stream.send(&numbered("b", 4, 2));
    table.send(&numbered("b", 4, 1));
    let report = lake.run(&["-n"]).expect(0).report();
    let parts = &report["topics"][0]["partitions"];
    assert_eq!(parts[0], json!({"partition": 0, "start": 5, "next": 5, "end": 7}));
    assert_eq!(number(&report["topics"][1], "remaining"), 4);
    assert_same(&lake.listing(), &before);
    assert_eq!(stream.committed(&group), committed);
    lake.drain();
    assert_stream(&lake, &stream);
    assert_table(&lake, &table);
}

#[test]
fn progress_is_mirrored_in_kafkas_group() {
    let (stream, table) = (Topic::with("mirror", 2, &[]), Topic::compacted("mirror"));
    stream.commit(&numbered("a", 5, 2));
    table.send(&numbered("a", 5, 1));
    let lake = Lake::new().stream(&stream, "").table(&table, "");
    let group = format!("{}.lake", lake.group);
    lake.run(&["--max-messages", "6"]).expect(0);
    let report = lake.run(&["--max-messages", "0"]).expect(0).report();
    for topic in [&stream, &table] {
        let topics = report["topics"].as_array().unwrap();
        let own = topics.iter().find(|own| own["topic"] == *topic.name).unwrap();
        let next: Vec<_> = own["partitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| {
                (
                    i32::try_from(number(part, "partition")).unwrap(),
                    number(part, "next"),
                )
            })
            .collect();
        assert_eq!(topic.committed(&group), next);
    }
    lake.drain();
    assert_eq!(stream.committed(&group), [(0, 4), (1, 3)]);
}
