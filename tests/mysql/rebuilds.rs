//! Tables folded again from the topic's start, on a real MySQL and a real MariaDB.

use crate::service::{self, *};
use crate::{COUNTS, TOPICS, fresh};
use lakectl::record::{DrainPlan, OffsetRange, Record};
use lakectl::target::{Rebuild, Sink};
use lakectl::warehouse::TableSink;
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

/// Takes records within one batch's memory, of which so much is left for what comes after them.
fn take_as_one_batch(sink: &mut TableSink, records: &[Record<'_>], left: usize) {
    let (last, others) = records.split_last().unwrap();
    sink.set_budget(usize::MAX);
    sink.take_together(others).unwrap();
    sink.set_budget(left);
    sink.take(last).unwrap();
}

/// A key's row of more than one statement's keys: those of the first half are newer in the batch before.
fn each_of_many_keys_is_compared(test: &TestDatabase) {
    const KEYS: i64 = 1200;
    let keys: Vec<String> = (0..KEYS).map(|n| format!("P{n:05}")).collect();
    let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
    sink.rebuild(Rebuild::DropAbsent).unwrap();
    for (partition, budget) in [(0, 1), (1, usize::MAX)] {
        let value = format!(r#"{{"PURCHASE_COUNT":{partition}}}"#);
        let records = (0..).zip(&keys).map(|(n, key)| Record {
            partition,
            // In the second Kafka partition older, of the same time, or newer.
            timestamp_ms: if partition == 0 { KEYS / 2 } else { n },
            ..record(n, key.as_bytes(), Some(&value))
        });
        take_as_one_batch(&mut sink, &records.collect::<Vec<_>>(), budget);
    }
    sink.commit(&drained(0, KEYS), &mut service::report("T")).unwrap();
    assert_eq!(
        test.rows(
            "SELECT MIN(product_id), COUNT(*) FROM product_purchase_counts GROUP BY purchase_count ORDER BY 1"
        ),
        ["P00000|600", "P00600|600"]
    );
}

#[test]
fn each_of_many_keys_is_compared_on_both() {
    each_of_many_keys_is_compared(&fresh());
    each_of_many_keys_is_compared(&TestDatabase::new(&mariadb_service(), TOPICS));
}

const ANY_KEY: &str = r#"
[topics.ANY_KEY]
kind = "table"
key = { format = "json" }
"#;

/// Types of a key's column, and keys of two rows, each spelled in one way or in two.
const KEY_TYPES: [(&str, &str); 9] = [
    ("VARCHAR(9) COLLATE utf8mb4_general_ci", r#""x" "X" "y""#),
    ("CHAR(9) COLLATE utf8mb4_bin", r#""x" "y""#),
    ("DATE", r#""2020-01-01" "2021-01-01""#),
    (
        "DATETIME(6)",
        r#""2020-01-01T00:00:00.000001Z" "2020-01-01T00:00:00.000002Z""#,
    ),
    ("DECIMAL(20,3)", r#"1.1 "1.100" 1.101"#),
    ("VARBINARY(8)", r#""AQI=" "AQIA""#),
    ("ENUM('a','b')", r#""b" "a""#),
    ("BIT(5)", "1 30"),
    ("DOUBLE", "-0.0 0 0.1"),
];

/// Whatever its type, and however it is spelled, a key that comes again is found: the newer record came first.
fn keys_of_every_type_are_compared(service: &Service, in_one_batch: bool) {
    let test = TestDatabase::new(service, ANY_KEY);
    for (kind, values) in KEY_TYPES {
        test.execute("DROP TABLE IF EXISTS any_key");
        test.execute(&format!(
            "CREATE TABLE any_key (id {kind} NOT NULL, o INT NOT NULL, v INT, PRIMARY KEY (o, id))"
        ));
        test.execute("DELETE FROM lakectl_progress");
        let keys: Vec<String> = values
            .split(' ')
            .map(|value| format!(r#"{{"id":{value},"o":7}}"#))
            .collect();
        let newer = keys.iter().map(|key| (0, 1000, key, r#"{"v":2}"#));
        let older = keys.iter().map(|key| (1, 500, key, r#"{"v":1}"#));
        // Spellings that are one row are compared within a batch, too.
        let budget = if in_one_batch { usize::MAX } else { 1 };
        let mut sink = test.open("ANY_KEY");
        sink.rebuild(Rebuild::KeepAbsent).unwrap();
        sink.set_budget(budget);
        for (offset, (partition, timestamp_ms, key, value)) in (0..).zip(newer.chain(older)) {
            let record = Record {
                partition,
                timestamp_ms,
                ..record(offset, key.as_bytes(), Some(value))
            };
            sink.take(&record).unwrap();
        }
        sink.commit(&drained(0, 100), &mut service::report("T")).unwrap();
        assert_eq!(test.rows("SELECT v FROM any_key"), ["2", "2"], "{kind}");
    }
}

#[test]
fn keys_of_every_type_are_compared_on_both() {
    for in_one_batch in [false, true] {
        keys_of_every_type_are_compared(&mysql_service(), in_one_batch);
        keys_of_every_type_are_compared(&mariadb_service(), in_one_batch);
    }
}

/// A key that only the server can tell to be none is rejected, as in any load, and the rest is rebuilt.
#[test]
fn keys_that_the_server_refuses_are_rejected() {
    for service in [mysql_service(), mariadb_service()] {
        let test = TestDatabase::new(&service, TOPICS);
        test.execute("CREATE TABLE custom (id VARCHAR(9) COLLATE utf8mb3_bin PRIMARY KEY, v INT)");
        for (absent, budget) in [
            (Rebuild::DropAbsent, usize::MAX),
            (Rebuild::DropAbsent, 1),
            (Rebuild::KeepAbsent, 1),
        ] {
            test.execute("DELETE FROM lakectl_rejects");
            test.execute("REPLACE INTO custom VALUES ('ghost', 9)");
            let keys = (0..700).map(|n| match n {
                0 | 255 | 600 => format!("😀{n}"),
                n => format!("K{n}"),
            });
            let keys: Vec<String> = keys.collect();
            let mut sink = test.open("CUSTOM");
            sink.rebuild(absent).unwrap();
            // The second time from another Kafka partition, and older.
            for (partition, timestamp_ms, value) in [(0, 2, r#"{"v":2}"#), (1, 1, r#"{"v":1}"#)] {
                let records = (0..).zip(&keys).map(|(n, key)| Record {
                    partition,
                    timestamp_ms,
                    ..record(n, key.as_bytes(), Some(value))
                });
                take_as_one_batch(&mut sink, &records.collect::<Vec<_>>(), budget);
            }
            sink.commit(&drained(0, 700), &mut service::report("T")).unwrap();
            let ghosts = u8::from(absent == Rebuild::KeepAbsent);
            assert_eq!(
                test.one("SELECT SUM(v = 2), SUM(v = 1), SUM(id = 'ghost') FROM custom"),
                format!("697|0|{ghosts}")
            );
            assert_eq!(
                test.rows("SELECT DISTINCT `key` FROM lakectl_rejects WHERE errno > 0 ORDER BY 1"),
                ["😀0", "😀255", "😀600"]
            );
        }
    }
}

/// A record that no row can be made of says nothing of the time: an older one of another Kafka partition counts.
#[test]
fn a_refused_record_outdates_none() {
    let test = fresh();
    for budget in [1, usize::MAX] {
        let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
        sink.rebuild(Rebuild::DropAbsent).unwrap();
        sink.set_budget(budget);
        sink.take(&record(9, b"P1", Some("no JSON"))).unwrap();
        let older = Record {
            partition: 1,
            timestamp_ms: -1,
            ..record(0, b"P1", Some(r#"{"PURCHASE_COUNT":5}"#))
        };
        sink.take(&older).unwrap();
        sink.commit(&drained(0, 10), &mut service::report("T")).unwrap();
        assert_eq!(test.rows(COUNTS), ["P1|5"], "{budget}");
    }
}

/// Where the server refuses what changes fold to, they are tried one by one, but only those that are not outdated by a batch
/// before.
#[test]
fn what_is_refused_gives_way_to_the_change_before() {
    let test = fresh();
    test.execute(
        "CREATE TABLE custom (id VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, v INT, CHECK (v >= 0))",
    );
    // Kafka partition, milliseconds, and the value; the first is a batch of its own, or all are one.
    let cases = [
        (&[(0, 5, 1), (1, 3, 2), (1, 7, -1)][..], "1"),
        (&[(0, 5, 0), (1, 6, 1), (1, 7, -1), (2, 8, -2)], "1"),
        (&[(0, 5, 0), (1, 4, 3), (1, 3, 1), (1, 7, 4), (1, 8, -1)], "4"),
    ];
    for (changes, row) in cases {
        for first in [1, changes.len()] {
            let mut sink = test.open("CUSTOM");
            sink.rebuild(Rebuild::DropAbsent).unwrap();
            let values: Vec<_> = changes
                .iter()
                .map(|(_, _, v)| format!(r#"{{"v":{v}}}"#))
                .collect();
            let records = (0..).zip(changes).zip(&values);
            let records = records.map(|((offset, &(partition, timestamp_ms, _)), value)| Record {
                partition,
                timestamp_ms,
                ..record(offset, b"K", Some(value))
            });
            let records: Vec<_> = records.collect();
            sink.set_budget(if first == 1 { 1 } else { usize::MAX });
            sink.take_together(&records[..first]).unwrap();
            sink.set_budget(usize::MAX);
            sink.take_together(&records[first..]).unwrap();
            sink.commit(&drained(0, 100), &mut service::report("T")).unwrap();
            assert_eq!(test.rows("SELECT v FROM custom"), [row], "{changes:?} {first}");
        }
    }
}

/// Rows of all types that are as their records say are read and not written; whatever differs is written. The server's own
/// statistics tell how many rows were written.
#[test]
fn rows_that_are_as_they_should_be_are_not_written() {
    let test = fresh();
    test.execute(
        "CREATE TABLE custom (id VARCHAR(20) COLLATE utf8mb4_0900_bin PRIMARY KEY, n BIGINT, u BIGINT UNSIGNED, d DECIMAL(9,2), \
         f DOUBLE, t VARCHAR(40), b BLOB, at DATETIME(3), day DATE, flag BOOLEAN, e ENUM('x', 'y'), long_text TEXT)",
    );
    let value = |n: usize| {
        format!(
            r#"{{"n":{n},"u":{n},"d":{n}.5,"f":0.{n},"t":"é{n}","at":"2026-01-02T03:04:05.{:03}Z","day":"2026-01-02","flag":true,"e":"x","long_text":null}}"#,
            n % 1000
        )
    };
    let changes: Vec<(String, String)> = (0..1_500).map(|n| (format!("K{n:05}"), value(n))).collect();
    let rebuild = |absent, budget| {
        let mut sink = test.open("CUSTOM");
        sink.rebuild(absent).unwrap();
        sink.set_budget(budget);
        let records = (0..).zip(&changes);
        let records: Vec<_> = records
            .map(|(at, (key, value))| record(at, key.as_bytes(), Some(value)))
            .collect();
        for records in records.chunks(100) {
            sink.take_together(records).unwrap();
        }
        let mut report = report("T");
        sink.commit(&drained(0, 1_500), &mut report).unwrap();
        counts(&report)
    };
    let written = || -> u64 {
        test.one(
            "SELECT CAST(COALESCE(SUM(COUNT_INSERT + COUNT_UPDATE), 0) AS CHAR) \
             FROM performance_schema.table_io_waits_summary_by_table \
             WHERE OBJECT_SCHEMA = DATABASE() AND OBJECT_NAME = 'custom'",
        )
        .parse()
        .unwrap()
    };
    let rows = "SELECT * FROM custom ORDER BY id";
    assert_eq!(rebuild(Rebuild::DropAbsent, usize::MAX), (1_500, 0, 0));
    let (loaded, first) = (test.rows(rows), written());
    assert!(first > 0 && loaded.len() == 1_500);
    for (absent, budget) in [(Rebuild::DropAbsent, 50_000), (Rebuild::KeepAbsent, usize::MAX)] {
        assert_eq!(rebuild(absent, budget), (1_500, 0, 0));
        assert_eq!(written(), first, "{absent:?}: rows were written");
    }
    for wrong in [
        "n = n + 1",
        "u = NULL",
        "d = d + 0.01",
        "f = f + 1e-9",
        "t = 'É1'",
        "at = at + INTERVAL 1000 MICROSECOND",
        "day = '2026-01-03'",
        "flag = FALSE",
        "e = 'y'",
        "long_text = ''",
    ] {
        test.execute(&format!(
            "UPDATE custom SET {wrong} WHERE id IN ('K00001', 'K01499')"
        ));
        test.execute("INSERT INTO custom (id) VALUES ('ghost')");
        test.execute("DELETE FROM custom WHERE id = 'K00700'");
        assert_eq!(rebuild(Rebuild::DropAbsent, 50_000), (1_500, 1, 0), "{wrong}");
        assert_eq!(test.rows(rows), loaded, "{wrong}");
    }
    assert!(written() > first);
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
    test.execute("INSERT INTO product_purchase_counts (product_id, purchase_count) VALUES ('K0', 1000), ('ghost', 1000)");
    rebuilt_over(test, history)
}

/// Rebuilds the table as it stands.
fn rebuilt_over(test: &TestDatabase, history: &History) -> Vec<String> {
    test.execute("DELETE FROM lakectl_progress");
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
        sink.take_together(records).unwrap();
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
        // Now most rows are as they should be; those of one key in three are not, or are gone.
        let keys = ["K1", "K4", "K7"].map(|key| {
            history
                .changes
                .iter()
                .any(|change| format!("K{}", change.1) == key)
        });
        if keys[0] {
            test.execute("UPDATE product_purchase_counts SET purchase_count = 2000 WHERE product_id = 'K1'");
        }
        if keys[1] {
            test.execute("UPDATE product_purchase_counts SET purchase_count = NULL WHERE product_id = 'K4'");
        }
        if keys[2] {
            test.execute("DELETE FROM product_purchase_counts WHERE product_id = 'K7'");
        }
        prop_assert_eq!(rebuilt_over(test, &history), folded(&history));
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
