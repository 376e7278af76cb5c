//! What must not pass silently on the way to MySQL: lost records, topics created again, more Kafka partitions, tombstones
//! that Kafka has forgotten.

use serde_json::json;

use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::compare::assert_table;
use crate::common::kafka::{DAY_MS, NOON_MS, Topic, record, tombstone};
use crate::common::lake::{Lake, number};
use crate::common::poll;

/// The one topic of a run that fails, with all of these words.
fn refused(warehouse: &Warehouse, words: &[&str]) {
    let report = warehouse.one(&[], 1);
    let error = report["error"].as_str().unwrap();
    for word in words {
        assert!(error.contains(word), "no {word:?} in {error}");
    }
}

#[test]
fn a_gap_is_named_and_must_be_accepted() {
    let topic = Topic::with("gap", 2, &[("cleanup.policy", "compact,delete")]);
    let (one, two) = (count("a", 1), count("b", 1).to(1));
    topic.send(&[one.clone(), two.clone()]);
    let warehouse = Warehouse::of_counts(&topic);
    warehouse.drain();
    let early = topic.read();
    topic.send(&[two, count("b", 2).to(1), count("c", 3).to(1), one, count("a", 2)]);
    topic.delete_below(1, 3);
    refused(
        &warehouse,
        &[&topic.name, "Kafka partition 1 offsets 1 to 2", "--accept-gap"],
    );
    COUNTS.assert_whole(&warehouse, &topic, &early);
    let report = warehouse.one(&["--accept-gap"], 3);
    assert_eq!(report["gaps"], json!([{"partition": 1, "from": 1, "to": 3}]));
    assert_eq!(
        report["partitions"][1],
        json!({"partition": 1, "start": 1, "next": 4, "end": 4})
    );
    let mut all = [early, topic.read()].concat();
    all.sort_by_key(|record| (record.partition, record.offset));
    let next = COUNTS.assert_whole(&warehouse, &topic, &all);
    assert_eq!((next[&0], next[&1]), (3, 4));
    // It is behind us now.
    assert_eq!(warehouse.one(&[], 0)["gaps"], json!([]));
}

#[test]
fn a_topic_made_anew_is_told_by_its_id() {
    let topic = Topic::compacted("anew");
    let no_count = record("r", "{\"PURCHASE_COUNT\":\"many\"}");
    topic.send(&[no_count.clone(), count("old", 1), count("both", 1)]);
    let warehouse = Warehouse::of_counts(&topic);
    warehouse.run(&[]).expect(3);
    let old = topic.read();
    topic.recreate();
    // More than before: offsets alone don't tell.
    topic.send(&[no_count, count("both", 2), count("new", 2), count("new", 3)]);
    refused(
        &warehouse,
        &["created again", "another topic id", "--accept-recreated"],
    );
    let rows = "SELECT product_id, purchase_count FROM product_purchase_counts ORDER BY 1";
    let before = warehouse.query(rows);
    assert_eq!(before.len(), COUNTS.fold(&old[1..]).len());
    let report = warehouse.one(&["--accept-recreated"], 3);
    // The old topic's rows are not the new one's.
    assert_eq!(
        (
            number(&report, "read"),
            number(&report, "upserted"),
            number(&report, "deleted")
        ),
        (4, 2, 1)
    );
    assert_eq!(
        COUNTS.rows(&mut warehouse.session()),
        COUNTS.fold(&topic.read()[1..])
    );
    // Both rejects are there, at the same offset of two generations.
    let rejects = "SELECT generation, `offset` FROM lakectl_rejects ORDER BY 1";
    let text = |cells: [&str; 2]| cells.map(|cell| Some(cell.to_owned())).to_vec();
    assert_eq!(warehouse.query(rejects), [text(["1", "0"]), text(["2", "0"])]);
    topic.send(&[count("new", 4)]);
    assert_eq!(number(&warehouse.one(&[], 0), "read"), 1);
}

/// The record before the progress is another one than was taken there: the log lost its end and grew again.
#[test]
fn another_record_before_the_progress_is_told_like_a_topic_made_anew() {
    for on in [Warehouse::new as fn() -> Warehouse, Warehouse::on_mariadb] {
        let topic = Topic::with("same-log", 2, &[("cleanup.policy", "compact")]);
        topic.send(&[count("a", 1), count("b", 1).to(1), count("c", 1).to(1)]);
        let warehouse = on().counts(&topic);
        warehouse.drain();
        let rows = COUNTS.rows(&mut warehouse.session());
        let last =
            "SELECT last_offset, last_timestamp_ms, last_hash FROM lakectl_progress ORDER BY kafka_partition";
        let written = warehouse.query(last);
        assert_eq!(
            [&written[0][0], &written[1][0]],
            [&Some("0".to_owned()), &Some("1".to_owned())]
        );
        let hash = written[1][2].clone().unwrap();
        let set = |hash: &str| {
            warehouse.execute(&format!(
                "UPDATE lakectl_progress SET last_hash = {hash} WHERE kafka_partition = 1"
            ));
        };
        set("7");
        assert_eq!(number(&warehouse.one(&[], 0), "read"), 0);
        topic.send(&[count("b", 2).to(1), count("d", 2)]);
        refused(
            &warehouse,
            &[
                &topic.name,
                "Kafka partition 1 has another record at offset 1",
                "--accept-recreated",
            ],
        );
        warehouse.one(&["--dry-run"], 1);
        assert_eq!(COUNTS.rows(&mut warehouse.session()), rows);
        // It was the same all the time; or nobody knows.
        set(&hash);
        assert_eq!(number(&warehouse.one(&[], 0), "read"), 2);
        set("NULL");
        topic.send(&[count("b", 3).to(1)]);
        assert_eq!(number(&warehouse.one(&[], 0), "read"), 1);
        COUNTS.assert_equals(&warehouse, &topic);
        assert_ne!(warehouse.query(last)[1][2], None);
        set("7");
        warehouse.one(&["--accept-recreated"], 3);
        COUNTS.assert_equals(&warehouse, &topic);
        set("7");
        warehouse.one(&["--rebuild"], 0);
        COUNTS.assert_equals(&warehouse, &topic);
    }
}

#[test]
fn a_topic_that_gained_partitions_wants_a_rebuild() {
    let topic = Topic::compacted("gained");
    topic.send(&[count("a", 1), count("b", 1), count("c", 1)]);
    let warehouse = Warehouse::of_counts(&topic);
    warehouse.drain();
    let early = topic.read();
    topic.add_partitions(2);
    // The keys moved, and the clock tells which update is the later one.
    topic.send(&[
        count("a", 2).to(1).at(NOON_MS + 1_000),
        tombstone("b").to(1).at(NOON_MS + 1_000),
        count("c", 0).to(1).at(NOON_MS - 1_000),
    ]);
    refused(&warehouse, &[&topic.name, "gained Kafka partitions", "--rebuild"]);
    COUNTS.assert_whole(&warehouse, &topic, &early);
    let report = warehouse.one(&["--rebuild"], 0);
    assert_eq!((number(&report, "read"), number(&report, "upserted")), (6, 2));
    let mut wanted = topic.read();
    wanted.sort_by_key(|record| record.timestamp_ms);
    assert_eq!(COUNTS.rows(&mut warehouse.session()), COUNTS.fold(&wanted));
    topic.send(&[count("a", 3).to(1)]);
    assert_eq!(number(&warehouse.one(&[], 0), "read"), 1);
}

#[test]
fn tombstones_that_kafka_forgot_are_noticed_and_mended() {
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "1000"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("min.compaction.lag.ms", "0"),
        ("max.compaction.lag.ms", "1000"),
        ("delete.retention.ms", "1"),
    ];
    let topic = Topic::with("forgotten", 1, &settings);
    topic.send(&[count("gone", 1), count("kept", 1)]);
    let (lake, warehouse) = (Lake::of_table(&topic), Warehouse::of_counts(&topic));
    lake.drain();
    warehouse.drain();
    topic.send(&[tombstone("gone")]);
    // Time as records tell it closes the segments: only closed ones are compacted.
    let mut days = 0;
    poll("Kafka to forget the tombstone", || {
        days += 1;
        topic.send(&[count("clock", days).at(NOON_MS + days * DAY_MS)]);
        std::thread::sleep(std::time::Duration::from_millis(200));
        let forgotten = topic.read().iter().all(|record| record.value.is_some());
        forgotten.then_some(())
    });
    let noticed = [lake.run(&[]), warehouse.run(&[])];
    for run in noticed {
        let report = run.expect(3).report();
        let warning = report["warnings"][0].as_str().unwrap();
        assert!(
            warning.contains("--rebuild") && warning.contains(&topic.name),
            "{warning}"
        );
    }
    // No record said that it was deleted.
    let rows = "SELECT COUNT(*) FROM product_purchase_counts WHERE product_id = 'gone'";
    assert_eq!(warehouse.value(rows), "1");
    lake.one(&["--rebuild"], 0);
    let report = warehouse.one(&["--rebuild"], 0);
    assert_eq!(number(&report, "deleted"), 1, "{report}");
    assert_table(&lake, &topic);
    COUNTS.assert_equals(&warehouse, &topic);
    assert_eq!(warehouse.value(rows), "0");
}
