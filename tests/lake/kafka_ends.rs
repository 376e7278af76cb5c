//! Where a run ends: transactions, markers, aborted and open ones, compaction. It ends by itself, at what is readable.

use crate::common::compare::{Compare, assert_stream, assert_table};
use crate::common::kafka::{DAY_MS, NOON_MS, Record, Topic, numbered, record, tombstone};
use crate::common::lake::{Lake, number};
use crate::common::poll;

#[test]
fn committed_and_aborted_transactions() {
    let topic = Topic::with("transactions", 2, &[]);
    topic.commit(&numbered("a", 20, 2));
    topic.abort(&numbered("aborted", 10, 2));
    topic.send(&numbered("b", 6, 2));
    topic.commit(&numbered("c", 4, 2));
    let lake = Lake::of_stream(&topic);
    let report = lake.one(&[], 0);
    // 10 aborted records, and a marker per transaction and Kafka partition.
    assert_eq!(
        (number(&report, "read"), number(&report, "skipped_offsets")),
        (30, 16)
    );
    assert_eq!((number(&report, "remaining"), number(&report, "held")), (0, 0));
    assert_stream(&lake, &topic);
}

#[test]
fn nothing_but_aborted_records() {
    let topic = Topic::new("aborted");
    topic.abort(&numbered("a", 5, 1));
    let lake = Lake::of_stream(&topic);
    let report = lake.one(&[], 0);
    assert_eq!(
        (number(&report, "read"), number(&report, "skipped_offsets")),
        (0, 6)
    );
    assert_eq!(report["partitions"][0]["next"], 6);
    assert_stream(&lake, &topic);
    // It does not go over them again.
    assert_eq!(number(&lake.one(&[], 0), "skipped_offsets"), 0);
}

#[test]
fn the_end_is_a_marker() {
    let topic = Topic::new("marker");
    topic.commit(&numbered("a", 5, 1));
    let lake = Lake::of_stream(&topic);
    let report = lake.one(&[], 0);
    assert_eq!(report["partitions"][0]["next"], 6);
    assert_stream(&lake, &topic);
    // A marker alone is nothing to write, but something to pass.
    topic.abort(&numbered("b", 1, 1));
    let before = lake.kept();
    let report = lake.one(&[], 0);
    assert_eq!(
        (number(&report, "skipped_offsets"), number(&report, "files")),
        (2, 0)
    );
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        lake.kept().keys().collect::<Vec<_>>()
    );
}

#[test]
fn an_open_transaction_holds_records_back() {
    let topic = Topic::new("open");
    topic.send(&numbered("a", 3, 1));
    let open = topic.open_transaction(&numbered("b", 2, 1));
    topic.send(&numbered("c", 4, 1));
    let lake = Lake::of_stream(&topic);
    let report = lake.one(&[], 0);
    assert_eq!(number(&report, "read"), 3);
    assert_eq!(number(&report, "held"), 6);
    assert_eq!(report["partitions"][0]["end"], 3);
    assert_stream(&lake, &topic);
    open.commit();
    let report = lake.one(&[], 0);
    assert_eq!((number(&report, "read"), number(&report, "held")), (6, 0));
    assert_stream(&lake, &topic);
}

#[test]
fn a_table_with_transactions() {
    let topic = Topic::compacted("table-transactions");
    topic.commit(&[record("a", "{\"N\":1}"), record("b", "{\"N\":1}")]);
    topic.abort(&[record("a", "{\"N\":9}"), tombstone("b")]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    assert_table(&lake, &topic);
    topic.commit(&[tombstone("a"), record("c", "{\"N\":3}")]);
    lake.drain();
    assert_eq!(assert_table(&lake, &topic).lines.len(), 2);
}

/// Settings with which the broker compacts within a second or two.
const COMPACTED_SOON: [(&str, &str); 5] = [
    ("cleanup.policy", "compact"),
    ("segment.ms", "1000"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("min.compaction.lag.ms", "0"),
    ("max.compaction.lag.ms", "1000"),
];

/// Updates of few keys, and waits until compaction has made holes of most of them.
fn wait_for_holes(topic: &Topic) -> Vec<Record> {
    let updates: Vec<Record> = (0..200)
        .map(|i| record(&format!("k{}", i % 7), &format!("{{\"N\":{i}}}")).at(NOON_MS + i))
        .collect();
    topic.send(&updates);
    // Time as records tell it closes the segment: only closed ones are compacted.
    topic.send(&[record("later", "{\"N\":0}").at(NOON_MS + DAY_MS)]);
    topic.send(&[record("last", "{\"N\":0}").at(NOON_MS + 2 * DAY_MS)]);
    poll("compaction", || {
        let records = topic.read();
        (records.len() < 20).then_some(records)
    })
}

#[test]
fn a_compacted_topic_has_holes() {
    let topic = Topic::with("holes", 1, &COMPACTED_SOON);
    let records = wait_for_holes(&topic);
    assert_eq!(records.last().map(|record| record.offset), Some(201));
    let lake = Lake::of_table(&topic);
    let report = lake.one(&[], 0);
    assert_eq!(number(&report, "read"), records.len() as i64);
    assert_eq!(number(&report, "skipped_offsets"), 202 - records.len() as i64);
    assert_table(&lake, &topic);
    let stream = Lake::of_stream(&topic);
    stream.drain();
    Compare::default().stream(&stream, &topic.name, &records);
}

#[test]
fn compaction_behind_the_progress_is_no_gap() {
    let topic = Topic::with("holes-between", 1, &COMPACTED_SOON);
    topic.send(&[record("k0", "{\"N\":-1}"), record("gone", "{\"N\":-1}")]);
    let lake = Lake::of_table(&topic);
    assert_eq!(number(&lake.one(&[], 0), "read"), 2);
    wait_for_holes(&topic);
    let report = lake.one(&[], 0);
    assert_eq!(
        (&report["gaps"], number(&report, "remaining")),
        (&serde_json::json!([]), 0)
    );
    assert_table(&lake, &topic);
}

#[test]
fn producers_that_go_on_do_not_keep_a_run() {
    let topic = Topic::with("busy", 2, &[]);
    topic.send(&numbered("a", 2_000, 2));
    let lake = Lake::of_stream(&topic);
    let mut running = lake.start(&[]);
    let mut sent = 0;
    while !running.is_over() {
        topic.send(&numbered(&format!("b{sent}"), 50, 2));
        sent += 1;
    }
    let report = running.wait().expect(0).report();
    let topic_report = &report["topics"][0];
    let taken = number(topic_report, "read");
    assert!((2_000..=2_000 + sent * 50).contains(&taken), "{taken}");
    assert_eq!(number(topic_report, "remaining"), 0);
    lake.drain();
    assert_stream(&lake, &topic);
}
