//! Tables folded again from the topic's start, on a real MySQL and a real MariaDB.

use crate::service::{self, *};
use crate::{COUNTS, TOPICS, fresh};
use lakectl::kafka::{DrainPlan, OffsetRange};
use lakectl::record::Record;
use lakectl::sink::{Rebuild, Sink};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;

const PARTITIONS: i32 = 3;

fn a_rebuild_removes_what_the_fold_lacks(test: &TestDatabase) {
    let value = |n: usize| format!(r#"{{"PURCHASE_COUNT":{n}}}"#);
    for (budget, round) in [(usize::MAX, 0), (20_000, 100)] {
        let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
        load(
            &mut sink,
            &[
                record(1_000 + round, b"ghost", Some("{}")),
                record(1_001 + round, b"P00001", Some("{}")),
            ],
        );
        sink.rebuild(Rebuild::DropAbsent).unwrap();
        sink.set_budget(budget);
        for n in 0..500 {
            let (key, value) = (format!("P{n:05}"), value(n));
            sink.take(&record(n as i64, key.as_bytes(), Some(&value)))
                .unwrap();
        }
        sink.take(&record(500, b"P00002", None)).unwrap();
        sink.take(&record(501, b"P00003", Some("no JSON"))).unwrap();
        let mut open = drained(0, 1_002 + round);
        // Others see the old rows until the moment of the commit.
        assert_eq!(
            test.one("SELECT COUNT(*) FROM product_purchase_counts WHERE product_id = 'ghost'"),
            "1"
        );
        open.planned_ms += round;
        let mut report = report("T");
        sink.commit(&open, &mut report).unwrap();
        assert_eq!(counts(&report).2, 1);
        assert_eq!(
            test.one("SELECT COUNT(*), SUM(purchase_count), SUM(product_id = 'P00003') FROM product_purchase_counts"),
            format!("499|{}|1", (0..500).sum::<usize>() - 2)
        );
    }
}

#[test]
fn a_rebuild_removes_what_the_fold_lacks_on_mysql() {
    let test = fresh();
    a_rebuild_removes_what_the_fold_lacks(&test);
    let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
    sink.rebuild(Rebuild::DropAbsent).unwrap();
    let mut half = drained(0, 10);
    half.complete = false;
    assert!(sink.commit(&half, &mut report("T")).is_err());
    drop(sink);
    assert_eq!(test.one("SELECT COUNT(*) FROM product_purchase_counts"), "499");
}

/// Windows that Kafka let expire stay: nobody deleted them.
#[test]
fn a_rebuild_may_keep_what_the_fold_lacks() {
    let test = fresh();
    let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
    let value = r#"{"PURCHASE_COUNT":2}"#;
    load(
        &mut sink,
        &records(&[("expired", Some("{}")), ("P1", Some("{}"))]),
    );
    sink.rebuild(Rebuild::KeepAbsent).unwrap();
    load(&mut sink, &[record(1, b"P1", Some(value))]);
    assert_eq!(test.rows(COUNTS), ["P1|2", "expired|NULL"]);
}

/// Where the number of Kafka partitions grew, a key may have records in two: the later time wins.
#[test]
fn a_rebuild_goes_by_time_across_kafka_partitions() {
    let test = fresh();
    for budget in [usize::MAX, 1] {
        let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
        sink.rebuild(Rebuild::DropAbsent).unwrap();
        sink.set_budget(budget);
        let newer = Record {
            partition: 1,
            timestamp_ms: 2_000_000_000_000,
            ..record(0, b"P1", Some(r#"{"PURCHASE_COUNT":2}"#))
        };
        sink.take(&newer).unwrap();
        sink.take(&record(9, b"P1", Some(r#"{"PURCHASE_COUNT":1}"#)))
            .unwrap();
        // Within one Kafka partition the later offset counts, whatever its time.
        for (offset, timestamp_ms) in [(10, 2_000_000_000_000), (11, 1_000_000_000_000)] {
            let value = format!(r#"{{"PURCHASE_COUNT":{offset}}}"#);
            let record = record(offset, b"P2", Some(&value));
            sink.take(&Record {
                timestamp_ms,
                ..record
            })
            .unwrap();
        }
        sink.commit(&drained(0, 12), &mut service::report("T")).unwrap();
        assert_eq!(test.rows(COUNTS), ["P1|2", "P2|11"], "{budget}");
    }
}

/// Kafka partition, key, and what the record says of it; each is later than those before.
type Change = (i32, u8, Option<u8>);

#[derive(Debug, Clone)]
struct History {
    changes: Vec<Change>,
    /// Whether Kafka partitions come one after the other.
    apart: bool,
    budget: usize,
    /// Records that are taken together.
    together: usize,
    absent: Rebuild,
}

fn histories() -> impl Strategy<Value = History> {
    let value = proptest::option::weighted(0.7, any::<u8>());
    let changes = proptest::collection::vec((0..PARTITIONS, 0..8u8, value), 1..80);
    let budgets = prop_oneof![Just(1), Just(600), Just(3_000), Just(usize::MAX)];
    let absent = prop_oneof![Just(Rebuild::DropAbsent), Just(Rebuild::KeepAbsent)];
    let all = (
        changes,
        any::<bool>(),
        budgets,
        prop_oneof![Just(1), Just(16)],
        absent,
    );
    all.prop_map(|(changes, apart, budget, together, absent)| History {
        changes,
        apart,
        budget,
        together,
        absent,
    })
}

fn rebuilt(test: &TestDatabase, history: &History) -> Vec<String> {
    test.execute("DELETE FROM product_purchase_counts");
    test.execute("DELETE FROM lakectl_progress");
    test.execute("INSERT INTO product_purchase_counts (product_id, purchase_count) VALUES ('K0', 1000), ('ghost', 1000)");
    let range = |partition| OffsetRange {
        partition,
        start: 0,
        end: 100,
    };
    let plan = DrainPlan {
        ranges: (0..PARTITIONS).map(range).collect(),
        generation: 1,
        ..DrainPlan::default()
    };
    let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
    sink.set_budget(history.budget);
    Sink::begin(&mut sink, &plan, Some(history.absent)).unwrap();
    let texts = history.changes.iter().map(|(_, key, value)| {
        let value = value.map(|count| format!(r#"{{"PURCHASE_COUNT":{count}}}"#));
        (format!("K{key}"), value)
    });
    let texts: Vec<_> = texts.collect();
    let records = (0..).zip(&history.changes).zip(&texts);
    let records = records.map(|((at, (partition, ..)), (key, value))| Record {
        partition: *partition,
        timestamp_ms: 1_761_868_799_000 + at,
        ..record(at, key.as_bytes(), value.as_deref())
    });
    let mut records: Vec<_> = records.collect();
    if history.apart {
        records.sort_by_key(|record| record.partition);
    }
    for records in records.chunks(history.together) {
        sink.take_all(records).unwrap();
    }
    let mut report = report("T");
    sink.commit(&drained(0, 100), &mut report).unwrap();
    assert_eq!((sink.warnings(), report.exit_code), (vec![], 0));
    test.rows(COUNTS)
}

/// What the rows are to be: each key's latest record counts, in whichever Kafka partition it is.
fn folded(history: &History) -> Vec<String> {
    let mut rows = BTreeMap::new();
    if history.absent == Rebuild::KeepAbsent {
        rows.extend([("K0".to_owned(), Some(1000)), ("ghost".to_owned(), Some(1000))]);
    }
    let changes = history.changes.iter();
    rows.extend(changes.map(|(_, key, value)| (format!("K{key}"), value.map(u32::from))));
    let rows = rows.into_iter();
    rows.filter_map(|(key, value)| Some(format!("{key}|{}", value?)))
        .collect()
}

fn the_newest_record_of_a_key_counts(test: &TestDatabase, cases: u32) {
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let property = |history: History| {
        prop_assert_eq!(rebuilt(test, &history), folded(&history));
        Ok(())
    };
    runner.run(&histories(), property).unwrap();
}

/// Keys are in several Kafka partitions each, as after their number was changed: also those that are no longer in memory are
/// compared.
#[test]
fn the_newest_record_of_a_key_counts_on_mysql() {
    the_newest_record_of_a_key_counts(&fresh(), 60);
}

#[test]
fn the_newest_record_of_a_key_counts_on_mariadb() {
    the_newest_record_of_a_key_counts(&TestDatabase::new(&mariadb_service(), TOPICS), 30);
}

#[test]
fn rebuilds_on_mariadb() {
    a_rebuild_removes_what_the_fold_lacks(&TestDatabase::new(&mariadb_service(), TOPICS));
}
