//! Whole runs: the mirror in Kafka, limits, dry runs, rebuilds.

use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::kafka::{Record, Topic, tombstone};
use crate::common::lake::number;

/// Updates and tombstones of a few keys over two Kafka partitions.
fn two_partitions(label: &str) -> (Topic, Vec<Record>) {
    let topic = Topic::with(label, 2, &[("cleanup.policy", "compact")]);
    let records = vec![
        count("a", 1),
        count("b", 1).to(1),
        count("a", 2),
        count("c", 1).to(1),
        tombstone("b").to(1),
        count("d", 4),
        count("a", 3),
    ];
    topic.send(&records);
    (topic, records)
}

#[test]
fn the_group_in_kafka_mirrors_the_progress() {
    let (topic, _) = two_partitions("mirror");
    let warehouse = Warehouse::of_counts(&topic);
    assert_eq!(warehouse.mirrored(&topic), []);
    warehouse.drain();
    assert_eq!(warehouse.mirrored(&topic), [(0, 4), (1, 3)]);
    topic.send(&[count("e", 1).to(1)]);
    warehouse.drain();
    assert_eq!(warehouse.mirrored(&topic), [(0, 4), (1, 4)]);
    // It is a mirror, no more: what it says moves nothing.
    crate::common::kafka::commit_offset(&format!("{}.warehouse", warehouse.group), &topic.name, 0, 1);
    assert_eq!(number(&warehouse.drain()["totals"], "read"), 0);
    let sql = "SELECT next_offset FROM lakectl_progress ORDER BY kafka_partition";
    let next = [vec![Some("4".to_owned())], vec![Some("4".to_owned())]];
    assert_eq!(warehouse.query(sql), next);
}

#[test]
fn a_dry_run_touches_nothing() {
    let (topic, records) = two_partitions("dry");
    let warehouse = Warehouse::of_counts(&topic);
    let tables =
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1";
    let tables: Vec<String> = warehouse.query(tables).into_iter().flatten().flatten().collect();
    let all = || -> Vec<_> {
        let rows = |table: &String| warehouse.query(&format!("CHECKSUM TABLE `{table}`"));
        tables.iter().map(rows).collect()
    };
    for round in 0..2 {
        let (before, mirrored) = (all(), warehouse.mirrored(&topic));
        let report = warehouse.run(&["-n"]).expect(0).report();
        assert_eq!(
            (&report["dry_run"], number(&report["totals"], "read")),
            (&true.into(), 0)
        );
        let own = &report["topics"][0];
        assert_eq!((number(own, "upserted"), &own["table"]), (0, &COUNTS.name.into()));
        let left = if round == 0 { records.len() as i64 } else { 2 };
        assert_eq!(number(own, "remaining"), left, "{own}");
        let told = warehouse.lakectl(&["warehouse", "--dry-run"]).expect(0).stdout;
        assert!(
            told.contains("would read") && told.contains(COUNTS.name),
            "{told}"
        );
        assert!(all() == before, "a dry run changed a table");
        assert_eq!(warehouse.mirrored(&topic), mirrored);
        if round == 0 {
            assert_eq!(warehouse.value("SELECT COUNT(*) FROM lakectl_progress"), "0");
            warehouse.drain();
            topic.send(&[count("a", 9), tombstone("d")]);
        }
    }
    warehouse.drain();
    COUNTS.assert_equals(&warehouse, &topic);
}

#[test]
fn a_dry_rebuild_touches_nothing() {
    let (topic, records) = two_partitions("dry-rebuild");
    let warehouse = Warehouse::of_counts(&topic);
    warehouse.drain();
    warehouse.execute("INSERT INTO product_purchase_counts (product_id) VALUES ('planted')");
    let report = warehouse.one(&["--rebuild", "--dry-run"], 0);
    assert_eq!(number(&report, "remaining"), records.len() as i64);
    assert_eq!(
        warehouse.value("SELECT COUNT(*) FROM product_purchase_counts"),
        "4"
    );
}

#[test]
fn one_record_at_a_time_is_the_same_as_all_at_once() {
    let (topic, records) = two_partitions("steps");
    let warehouse = Warehouse::of_counts(&topic);
    let there = topic.read();
    for left in (0..records.len() as i64).rev() {
        let report = warehouse.one(&["--max-messages", "1"], 0);
        assert_eq!(
            (number(&report, "read"), number(&report, "remaining")),
            (1, left),
            "{report}"
        );
        COUNTS.assert_whole(&warehouse, &topic, &there);
    }
    assert_eq!(number(&warehouse.one(&["--max-messages", "1"], 0), "read"), 0);
    let at_once = Warehouse::of_counts(&topic);
    at_once.drain();
    COUNTS.assert_equals(&at_once, &topic);
    assert_eq!(
        COUNTS.rows(&mut warehouse.session()),
        COUNTS.rows(&mut at_once.session())
    );
}

#[test]
fn a_rebuild_removes_what_the_topic_never_said() {
    let (topic, records) = two_partitions("rebuild");
    let warehouse = Warehouse::of_counts(&topic);
    warehouse.drain();
    warehouse
        .execute("INSERT INTO product_purchase_counts (product_id, purchase_count) VALUES ('planted', 7)");
    warehouse.execute("UPDATE product_purchase_counts SET purchase_count = 1000 WHERE product_id = 'a'");
    warehouse.execute("DELETE FROM product_purchase_counts WHERE product_id = 'c'");
    // A plain run has nothing to do, and knows nothing of it.
    warehouse.drain();
    assert_eq!(
        warehouse.value("SELECT COUNT(*) FROM product_purchase_counts"),
        "3"
    );
    let report = warehouse.one(&["--rebuild"], 0);
    assert_eq!(number(&report, "read"), records.len() as i64, "{report}");
    assert_eq!(
        (number(&report, "upserted"), number(&report, "deleted")),
        (3, 1),
        "{report}"
    );
    COUNTS.assert_equals(&warehouse, &topic);
    assert_eq!(number(&warehouse.one(&[], 0), "read"), 0);
    warehouse
        .run(&["--rebuild", "--max-messages", "1"])
        .fails(2, &["--rebuild"]);
}
