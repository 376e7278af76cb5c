//! The last record before the progress is read again: another one means that the log is no longer the one that was read. A log
//! that is the same is never taken for another, wherever it begins and ends.

use serde_json::{Value, json};
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_128;

use crate::common::compare::{Compare, assert_stream, assert_table};
use crate::common::kafka::{DAY_MS, NOON_MS, Topic, numbered, record};
use crate::common::lake::{Lake, assert_same, number};
use crate::common::poll;

fn path(lake: &Lake, topic: &Topic) -> PathBuf {
    let topics = lake.root().join(".lakectl/topics");
    topics.join(&topic.name).join("state")
}

fn state(lake: &Lake, topic: &Topic) -> Value {
    let text = std::fs::read_to_string(path(lake, topic)).unwrap();
    serde_json::from_str(text.split_once('\n').unwrap().1).unwrap()
}

/// Changes the ledger's state of a topic, and seals it.
fn change(lake: &Lake, topic: &Topic, how: impl FnOnce(&mut Value)) {
    let mut state = state(lake, topic);
    how(&mut state);
    let json = state.to_string();
    let seal = xxh3_128(json.as_bytes());
    std::fs::write(path(lake, topic), format!("lakectl 1 {seal:032x}\n{json}\n")).unwrap();
}

/// The offset of the last record of a Kafka partition; null if none is known.
fn last(lake: &Lake, topic: &Topic, partition: &str) -> Value {
    state(lake, topic)["last"][partition]["offset"].clone()
}

#[test]
fn another_record_before_the_progress_is_noticed_once_there_are_new_ones() {
    let topic = Topic::with("same-log", 2, &[]);
    topic.send(&numbered("a", 10, 2));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    for (field, other) in [("hash", 7), ("timestamp_ms", 7), ("offset", 3)] {
        let written = state(&lake, &topic);
        change(&lake, &topic, |state| state["last"]["1"][field] = json!(other));
        assert_eq!(number(&lake.one(&[], 0), "read"), 0);
        topic.send(&numbered("b", 2, 2));
        let before = lake.kept();
        let days = ["--rebuild", "2025-10-30..2025-10-30", "--topics", &topic.name];
        for arguments in [&[][..], &["--dry-run"], &["--max-messages", "1"], &days] {
            let error = lake.one(arguments, 1)["error"].to_string();
            for word in ["Kafka partition 1", "Kafka lost its end", "--accept-recreated"] {
                assert!(error.contains(word), "no {word:?} in {error}");
            }
        }
        assert_same(&lake.kept(), &before);
        lake.verify(3);
        // It was the same all the time.
        change(&lake, &topic, |state| state["last"] = written["last"].clone());
        lake.one(&["--dry-run"], 0);
        lake.verify(0);
        assert_eq!(number(&lake.one(&[], 0), "read"), 2);
    }
    // A state that was written before last records were kept.
    topic.send(&numbered("c", 2, 2));
    change(&lake, &topic, |state| {
        state.as_object_mut().unwrap().remove("last");
    });
    assert_eq!(number(&lake.one(&[], 0), "read"), 2);
    assert_stream(&lake, &topic);
    let kept = ["0", "1"].map(|partition| last(&lake, &topic, partition));
    assert_eq!(kept, [json!(8), json!(8)]);
}

#[test]
fn a_verified_lake_needs_no_kafka() {
    let topic = Topic::new("same-log-alone");
    topic.send(&numbered("a", 3, 1));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    let report = lake.start(&["--verify", "--brokers", "127.0.0.1:1"]).wait();
    let report = report.expect(0).report();
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("not compared with Kafka") && warning.contains("is the broker up"),
        "{warning}"
    );
    assert_eq!(report["topics"][0]["differences"], json!([]));
}

/// Every shape that the end of a log and its beginning can have, in runs that see some of it at a time.
#[test]
fn a_log_that_is_the_same_is_never_taken_for_another() {
    for settings in ["", "files = \"message\""] {
        let topic = Topic::with("same-log-grows", 2, &[]);
        let lake = Lake::with(settings).stream(&topic, "");
        // Nothing yet, and nothing but aborted records.
        lake.drain();
        topic.abort(&numbered("aborted", 4, 2));
        lake.drain();
        assert_eq!(last(&lake, &topic, "0"), Value::Null);
        topic.send(&numbered("one", 1, 1));
        lake.drain();
        topic.commit(&numbered("a", 6, 2));
        lake.drain();
        topic.abort(&numbered("aborted", 4, 2));
        lake.drain();
        // The marker and the aborted records behind it, again and again.
        topic.abort(&numbered("aborted", 4, 2));
        lake.one(&["--until", "2000-01-01"], 0);
        let open = topic.open_transaction(&numbered("open", 2, 2));
        topic.send(&numbered("b", 7, 2));
        lake.drain();
        open.commit();
        for limit in ["1", "3", "2"] {
            lake.one(&["--max-messages", limit], 0);
            lake.verify(0);
        }
        lake.drain();
        assert_stream(&lake, &topic);
        lake.verify(0);
        // Kafka deletes what was read, the last record included.
        let records = topic.read();
        let next = state(&lake, &topic)["next"].clone();
        topic.delete_below(0, next["0"].as_i64().unwrap());
        topic.delete_below(1, next["1"].as_i64().unwrap() - 1);
        lake.drain();
        topic.send(&numbered("c", 4, 2));
        lake.drain();
        let mut all = [records, topic.read()].concat();
        all.sort_by_key(|record| (record.partition, record.offset));
        all.dedup();
        Compare::default().stream(&lake, &topic.name, &all);
        lake.verify(0);
    }
}

/// What lies before the time is read and left out, and may come last.
#[test]
fn a_log_that_was_begun_with_a_time_is_the_same() {
    let topic = Topic::with("same-log-from", 2, &[]);
    let (old, new) = (NOON_MS - DAY_MS, NOON_MS + DAY_MS);
    topic.send(&[
        record("new", "{}").at(new),
        record("old", "{}").at(old),
        record("old", "{}").at(old).to(1),
    ]);
    let lake = Lake::of_stream(&topic);
    lake.one(&["--from", "2025-10-30"], 0);
    assert_eq!(last(&lake, &topic, "0"), json!(1));
    topic.send(&numbered("a", 2, 2));
    assert_eq!(number(&lake.one(&[], 0), "read"), 2);
    lake.verify(0);
}

/// Compaction takes the last record, and whatever stands behind it.
#[test]
fn a_log_whose_last_record_was_compacted_is_the_same() {
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "1000"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("min.compaction.lag.ms", "0"),
        ("max.compaction.lag.ms", "1000"),
    ];
    let topic = Topic::with("same-log-compacted", 1, &settings);
    topic.send(&[record("k", "{\"N\":1}"), record("k", "{\"N\":2}")]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    assert_eq!(last(&lake, &topic, "0"), json!(1));
    let mut days = 0;
    poll("compaction", || {
        days += 1;
        let at = NOON_MS + days * DAY_MS;
        topic.send(&[record("k", &format!("{{\"N\":{days}}}")).at(at)]);
        let records = topic.read();
        (records[0].offset > 1).then_some(())
    });
    lake.drain();
    assert_table(&lake, &topic);
    lake.verify(0);
    lake.one(&["--rebuild", "--topics", &topic.name], 0);
    assert_table(&lake, &topic);
    lake.verify(0);
}
