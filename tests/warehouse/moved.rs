//! Keys that moved between Kafka partitions before a table's first drain was complete, as after their number was changed: lake and
//! MySQL hold the same rows, those of the later timestamp, wherever the first drain is cut.

use std::collections::BTreeMap;

use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::files::data_files;
use crate::common::kafka::{Record, Topic, tombstone};
use crate::common::lake::{Lake, number};
use crate::common::records::NOON_MS;

const KEYS: i64 = 200;
const SECOND_MS: i64 = 1_000;

/// A topic of two Kafka partitions that gets a third one, and its records before and after that.
fn grown(label: &str, before: &[Record], after: &[Record]) -> Topic {
    let topic = Topic::with(label, 2, &[("cleanup.policy", "compact")]);
    topic.send(before);
    topic.add_partitions(3);
    topic.send(after);
    topic
}

/// What a table has to hold: of the Kafka partition that has a key's latest timestamp (of equal ones the highest), the last record.
fn newest(records: &[Record]) -> BTreeMap<String, i64> {
    let mut keys: BTreeMap<&[u8], Vec<&Record>> = BTreeMap::new();
    for record in records {
        keys.entry(record.key.as_deref().unwrap())
            .or_default()
            .push(record);
    }
    let row = |(key, records): (&[u8], Vec<&Record>)| {
        let places = records
            .iter()
            .map(|record| (record.timestamp_ms, record.partition));
        let (_, home) = places.max()?;
        let at_home = records.iter().filter(|record| record.partition == home);
        let value = at_home.max_by_key(|record| record.offset)?.value.as_ref()?;
        let value: serde_json::Value = serde_json::from_slice(value).unwrap();
        Some((
            String::from_utf8(key.to_vec()).unwrap(),
            value["PURCHASE_COUNT"].as_i64()?,
        ))
    };
    keys.into_iter().filter_map(row).collect()
}

fn in_lake(lake: &Lake) -> BTreeMap<String, i64> {
    let files = data_files(&lake.root().join("tables"));
    let lines = files.iter().flat_map(|file| &file.lines);
    let row = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        (
            line["_key"].as_str().unwrap().to_owned(),
            line["PURCHASE_COUNT"].as_i64().unwrap(),
        )
    };
    lines.map(row).collect()
}

fn in_mysql(warehouse: &Warehouse) -> BTreeMap<String, i64> {
    let rows = warehouse.query("SELECT product_id, purchase_count FROM product_purchase_counts");
    let row = |row: Vec<Option<String>>| {
        let mut row = row.into_iter().flatten();
        (row.next().unwrap(), row.next().unwrap().parse().unwrap())
    };
    rows.into_iter().map(row).collect()
}

/// Drains into both, with a limit for every run, to the end.
fn assert_both(topic: &Topic, limit: i64) {
    let wanted = newest(&topic.read());
    let (lake, warehouse) = (Lake::of_table(topic), Warehouse::of_counts(topic));
    let limit = limit.to_string();
    let arguments = ["--max-messages", limit.as_str()];
    while number(&lake.one(&arguments, 0), "remaining") > 0 {
        lake.verify(0);
    }
    while number(&warehouse.one(&arguments, 0), "remaining") > 0 {}
    assert_eq!(in_lake(&lake), wanted, "the lake, {limit} records a run");
    assert_eq!(in_mysql(&warehouse), wanted, "MySQL, {limit} records a run");
    // Nothing of the first drain is remembered any longer than it is needed.
    assert_eq!(warehouse.value("SELECT COUNT(*) FROM lakectl_first_drain"), "0");
    lake.verify(0);
    // A rebuild says the same, to the byte.
    let files = || -> Vec<_> {
        let files = data_files(&lake.root().join("tables")).into_iter();
        files.map(|file| (file.path, file.lines)).collect()
    };
    let before = files();
    lake.one(&["--rebuild", "--topics", &topic.name], 0);
    assert_eq!(files(), before);
    warehouse.one(&["--rebuild", "--topics", &topic.name], 0);
    assert_eq!(in_mysql(&warehouse), wanted, "rebuilt");
}

fn key(n: i64) -> String {
    format!("key-{n:03}")
}

/// All of them are in the second Kafka partition, and later in the first one, which is read before it.
#[test]
fn the_later_timestamp_counts() {
    let old: Vec<_> = (0..KEYS).map(|n| count(&key(n), n).to(1)).collect();
    let moved = |n| {
        count(&key(n), 1_000 + n)
            .to(i32::try_from(n % 2).unwrap() * 2)
            .at(NOON_MS + SECOND_MS)
    };
    let topic = grown("moved", &old, &(0..KEYS).map(moved).collect::<Vec<_>>());
    for limit in [1_000, 399, 250, 120] {
        assert_both(&topic, limit);
    }
}

/// Deletions on both sides: the later one deletes, the earlier one does not, whichever is read first. Some keys were deleted and
/// came back in between.
#[test]
fn tombstones_count_by_their_timestamps() {
    let at = |n: i64| NOON_MS + n * SECOND_MS;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for n in 0..KEYS {
        let value = |value| count(&key(n), value);
        let gone = || tombstone(&key(n));
        let (old, new) = match n % 8 {
            0 => (vec![value(1).to(1).at(at(0))], vec![gone().to(0).at(at(1))]),
            1 => (vec![gone().to(1).at(at(0))], vec![value(2).to(0).at(at(1))]),
            // By the timestamp it is the new record that is outdated.
            2 => (vec![value(1).to(0).at(at(2))], vec![gone().to(2).at(at(1))]),
            3 => (vec![gone().to(0).at(at(2))], vec![value(2).to(2).at(at(1))]),
            4 => (
                vec![value(1).to(1).at(at(0)), gone().to(1).at(at(1))],
                vec![value(2).to(0).at(at(2)), gone().to(0).at(at(3))],
            ),
            5 => (
                vec![value(1).to(1).at(at(0))],
                vec![gone().to(0).at(at(2)), value(2).to(0).at(at(3))],
            ),
            // Within a Kafka partition the offset counts.
            6 => (
                vec![value(1).to(1).at(at(5)), value(2).to(1).at(at(3))],
                vec![value(3).to(0).at(at(4))],
            ),
            _ => (
                vec![value(1).to(1).at(at(5)), gone().to(1).at(at(3))],
                vec![value(3).to(0).at(at(4))],
            ),
        };
        before.extend(old);
        after.extend(new);
    }
    let topic = grown("moved_away", &before, &after);
    for limit in [1_000, 330, 199, 97] {
        assert_both(&topic, limit);
    }
}

/// What comes after the first complete drain is newer, whatever its timestamp; a Kafka partition more wants a rebuild.
#[test]
fn after_the_first_complete_drain_offsets_count() {
    let old: Vec<_> = (0..20).map(|n| count(&key(n), n).to(1)).collect();
    let topic = grown("moved_before", &old, &[]);
    let (lake, warehouse) = (Lake::of_table(&topic), Warehouse::of_counts(&topic));
    lake.drain();
    warehouse.drain();
    let late = |n| count(&key(n), 500 + n).at(NOON_MS - SECOND_MS);
    topic.send(&(0..20).map(late).collect::<Vec<_>>());
    lake.drain();
    warehouse.drain();
    let wanted = (0..20).map(|n| (key(n), 500 + n)).collect::<BTreeMap<_, _>>();
    assert_eq!((in_lake(&lake), in_mysql(&warehouse)), (wanted.clone(), wanted));
    topic.add_partitions(4);
    for report in [lake.one(&[], 1), warehouse.one(&[], 1)] {
        let error = report["error"].as_str().unwrap();
        assert!(
            error.contains("gained Kafka partitions") && error.contains("--rebuild"),
            "{error}"
        );
    }
}

/// A first load that was stopped amid its transactions knows what those had.
#[test]
fn a_table_that_is_not_moved_is_remembered_no_longer_than_needed() {
    let records: Vec<_> = (0..KEYS)
        .map(|n| count(&key(n), n).to(i32::try_from(n % 3).unwrap()))
        .collect();
    let topic = grown("stays", &[], &records);
    let warehouse = Warehouse::of_counts(&topic);
    warehouse.one(&["--max-messages", "90"], 0);
    assert_ne!(warehouse.value("SELECT COUNT(*) FROM lakectl_first_drain"), "0");
    warehouse.drain();
    assert_eq!(warehouse.value("SELECT COUNT(*) FROM lakectl_first_drain"), "0");
    COUNTS.assert_equals(&warehouse, &topic);
}
