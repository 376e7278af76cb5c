//! Kafka partitions that come in turns: what was read of one is written, by a transaction of its own, while the next is
//! read. On a real MySQL.

use crate::service::*;
use crate::{TOPICS, fresh};
use lakectl::record::{DrainPlan, Drained, DrainedPartition, OffsetRange, Record};
use lakectl::target::{Rebuild, Sink};
use lakectl::warehouse::TableSink;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::ops::Range;
use std::time::Duration;

const TOPIC: &str = "PRODUCT_PURCHASE_COUNTS";
/// A few kilobytes are much: every turn of these tests is written by itself.
const BUDGET: usize = 100_000;
const PROGRESS: &str = "SELECT kafka_partition, next_offset FROM lakectl_progress ORDER BY 1";
/// Records that are taken together, of which no turn of these tests is a multiple.
const TOGETHER: usize = 16;
const VALUE: &str = r#"{"PURCHASE_COUNT":1}"#;

/// Each of these Kafka partitions is a turn, in which offsets 10 to 110 are to come.
fn in_turns(partitions: Range<i32>) -> DrainPlan {
    let range = |partition| OffsetRange {
        partition,
        start: 10,
        end: 110,
    };
    DrainPlan {
        ranges: partitions.clone().map(range).collect(),
        turns: partitions.map(|partition| vec![partition]).collect(),
        generation: 1,
        topic_id: Some("id-1".to_owned()),
        planned_ms: 1_761_868_800_000,
        ..DrainPlan::default()
    }
}

/// Has little memory, and is to take these turns.
fn begun(test: &TestDatabase, partitions: Range<i32>) -> TableSink {
    let mut sink = test.open(TOPIC);
    sink.set_budget(BUDGET);
    Sink::begin(&mut sink, &in_turns(partitions), None).unwrap();
    sink
}

fn read_all(plan: &DrainPlan) -> Drained {
    let part = |range: &OffsetRange| DrainedPartition {
        partition: range.partition,
        start: range.start,
        next: range.end,
        end: range.end,
        read: 100,
    };
    Drained {
        partitions: plan.ranges.iter().map(part).collect(),
        ..drained(0, 0)
    }
}

fn take(sink: &mut TableSink, partition: i32, offsets: Range<i64>) -> anyhow::Result<()> {
    for offset in offsets {
        let key = format!("P{partition}-{offset}");
        let record = record(offset, key.as_bytes(), Some(VALUE));
        sink.take(&Record { partition, ..record })?;
    }
    Ok(())
}

#[test]
fn a_turn_is_a_transaction_of_its_own() {
    let test = fresh();
    let mut sink = begun(&test, 0..3);
    take(&mut sink, 0, 10..110).unwrap();
    assert_eq!(test.rows(PROGRESS), [""; 0]);
    // Written beside, while the next turn is under way.
    take(&mut sink, 1, 10..11).unwrap();
    until("the first turn's transaction", || {
        (test.rows(PROGRESS) == ["0|110", "1|10", "2|10"]).then_some(())
    });
    take(&mut sink, 1, 11..60).unwrap();
    // A run that dies now has its first turn behind it, and its other Kafka partitions don't look new to the next.
    drop(sink);
    let count = "SELECT COUNT(*) FROM product_purchase_counts";
    assert_eq!(
        (test.one(count), test.rows(PROGRESS).len()),
        ("100".to_owned(), 3)
    );
    let mut sink = begun(&test, 0..3);
    assert_eq!(sink.progress().next, [(0, 110), (1, 10), (2, 10)].into());
    take(&mut sink, 1, 10..110).unwrap();
    take(&mut sink, 2, 10..110).unwrap();
    let mut report = report("T");
    sink.commit(&read_all(&in_turns(0..3)), &mut report).unwrap();
    assert_eq!(counts(&report), (200, 0, 0));
    let warnings = sink.warnings();
    assert!(
        warnings[0].what.contains("its first load is not complete yet") && warnings.len() == 1,
        "{warnings:?}"
    );
    let fix = warnings[0].fix.as_deref();
    assert!(
        fix.is_some_and(|fix| fix.contains("--rebuild --topics")),
        "{warnings:?}"
    );
    assert_eq!(
        (test.one(count), test.rows(PROGRESS)),
        (
            "300".to_owned(),
            vec!["0|110".to_owned(), "1|110".to_owned(), "2|110".to_owned()]
        )
    );
    assert_eq!(
        test.one("SELECT COUNT(*) FROM lakectl_progress WHERE complete_ms = 1761868800000"),
        "3"
    );
}

#[test]
fn few_rows_need_no_transaction_of_their_own() {
    let test = fresh();
    let plan = in_turns(0..3);
    let mut sink = test.open(TOPIC);
    Sink::begin(&mut sink, &plan, None).unwrap();
    for partition in 0..3 {
        take(&mut sink, partition, 10..110).unwrap();
    }
    assert_eq!(sink.progress().next, [].into());
    sink.commit(&read_all(&plan), &mut report("T")).unwrap();
    assert_eq!(test.rows(PROGRESS), ["0|110", "1|110", "2|110"]);
}

/// Records come some at a time, also where one turn ends and the next begins.
#[test]
fn a_turn_ends_among_records_that_are_taken_together() {
    let test = fresh();
    let mut sink = begun(&test, 0..2);
    let of = |partition: i32, offsets: Range<i64>| offsets.map(move |offset| (partition, offset));
    let places: Vec<_> = of(0, 10..110).chain(of(1, 10..50)).collect();
    let key = |(partition, offset): &(i32, i64)| format!("P{partition}-{offset}").into_bytes();
    let keys: Vec<_> = places.iter().map(key).collect();
    let records = places
        .iter()
        .zip(&keys)
        .map(|(&(partition, offset), key)| Record {
            partition,
            ..record(offset, key, Some(VALUE))
        });
    for together in records.collect::<Vec<_>>().chunks(TOGETHER) {
        sink.take_together(together).unwrap();
    }
    until("the first turn's transaction", || {
        (!test.rows(PROGRESS).is_empty()).then_some(())
    });
    drop(sink);
    assert_eq!(test.rows(PROGRESS), ["0|110", "1|10"]);
    assert_eq!(test.one("SELECT COUNT(*) FROM product_purchase_counts"), "100");
}

/// The transaction that fails takes the run with it; what stands is told, and nothing later is written.
#[test]
fn a_turn_that_fails_ends_the_run() {
    let test = fresh();
    let mut sink = begun(&test, 0..4);
    take(&mut sink, 0, 10..110).unwrap();
    take(&mut sink, 1, 10..110).unwrap();
    until("the first turn's transaction", || {
        (test.rows(PROGRESS).first()? == "0|110").then_some(())
    });
    test.execute("ALTER TABLE product_purchase_counts RENAME TO elsewhere");
    // The second turn is written now, and the third would be next.
    take(&mut sink, 2, 10..110).unwrap();
    let error = take(&mut sink, 3, 10..110).unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.contains("loading table `product_purchase_counts`: nothing of this transaction"),
        "{error}"
    );
    assert!(sink.commit(&read_all(&in_turns(0..4)), &mut report("T")).is_err());
    let warnings = warnings(&mut sink).join("\n");
    assert!(
        warnings.contains("earlier transactions of this run are committed, with 100 rows upserted"),
        "{warnings}"
    );
    drop(sink);
    assert_eq!(test.one("SELECT COUNT(*) FROM elsewhere"), "100");
    assert_eq!(test.rows(PROGRESS), ["0|110", "1|10", "2|10", "3|10"]);
}

/// Where the read fails, nobody comes to commit: the transaction beside is waited for, and told all the same.
#[test]
fn what_is_beside_a_read_that_fails_comes_to_its_end() {
    let test = fresh();
    let mut sink = begun(&test, 0..2);
    take(&mut sink, 0, 10..110).unwrap();
    take(&mut sink, 1, 10..11).unwrap();
    let warnings = warnings(&mut sink).join("\n");
    assert!(warnings.contains("with 100 rows upserted"), "{warnings}");
    drop(sink);
    assert_eq!(test.rows(PROGRESS), ["0|110", "1|10"]);
    // The lock is free again.
    drop(test.open(TOPIC));
}

/// Also of keys that moved and were not all remembered: what stands may have older rows, and the next run has forgotten all.
#[test]
fn keys_that_moved_are_told_where_the_read_fails_too() {
    let test = fresh();
    let mut sink = begun(&test, 0..2);
    sink.set_keys_remembered(50);
    for partition in 0..2 {
        for offset in 10..110 {
            let key = format!("K{offset}");
            let record = record(offset, key.as_bytes(), Some(VALUE));
            sink.take(&Record { partition, ..record }).unwrap();
        }
    }
    let warnings = warnings(&mut sink).join("\n");
    assert!(
        warnings.contains("with 100 rows upserted") && warnings.contains("several Kafka partitions,"),
        "{warnings}"
    );
}

/// Two turns that change the same row don't wait for each other: one is through before the next begins.
#[test]
fn a_transaction_beside_is_replayed() {
    let test = fresh();
    let mut sink = begun(&test, 0..2);
    sink.set_patience(Duration::from_secs(60));
    take(&mut sink, 0, 10..110).unwrap();
    let mut other = test.session();
    use mysql::prelude::Queryable;
    other
        .query_drop("BEGIN; ")
        .and_then(|()| other.query_drop("INSERT INTO product_purchase_counts (product_id) VALUES ('P0-50')"))
        .unwrap();
    take(&mut sink, 1, 10..60).unwrap();
    let mut watcher = test.session();
    let (session, _) = until("the turn's transaction to wait", || {
        waiting_transaction(&mut watcher, &test.name)
    });
    watcher.query_drop(format!("KILL {session}")).unwrap();
    other.query_drop("ROLLBACK").unwrap();
    take(&mut sink, 1, 60..110).unwrap();
    let mut report = report("T");
    sink.commit(&read_all(&in_turns(0..2)), &mut report).unwrap();
    assert_eq!(counts(&report), (200, 0, 0));
    assert_eq!(test.one("SELECT COUNT(*) FROM product_purchase_counts"), "200");
}

/// Kafka partition, key, milliseconds, and what the record says.
type Change = (i32, u8, i64, Option<(Option<u8>, Option<u8>)>);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let value = proptest::option::weighted(0.8, (any::<Option<u8>>(), any::<Option<u8>>()));
    proptest::collection::vec((0..3, 0..6u8, 0..8i64, value), 1..60)
}

/// The rows after all that; in turns or not, with this much memory, and so many records taken together.
fn rows_of(
    test: &TestDatabase,
    changes: &[Change],
    turns: bool,
    budget: usize,
    together: usize,
    rebuild: Option<Rebuild>,
) -> Vec<String> {
    test.execute("DELETE FROM total_par_transaction_type");
    test.execute("DELETE FROM lakectl_progress");
    let mut plan = in_turns(0..3);
    if !turns {
        plan.turns.clear();
    }
    let mut sink = test.open("TOTAL_PAR_TRANSACTION_TYPE");
    sink.set_budget(budget);
    Sink::begin(&mut sink, &plan, rebuild).unwrap();
    let texts = changes.iter().map(|(_, key, _, value)| {
        let value = value.as_ref().map(|(total, count)| {
            let field = |name: &str, number: &Option<u8>| number.map(|number| format!("\"{name}\":{number}"));
            let fields = [field("TOTAL_AMOUNT", total), field("TRANSACTION_COUNT", count)];
            format!(
                "{{{}}}",
                fields.into_iter().flatten().collect::<Vec<_>>().join(",")
            )
        });
        (format!("K{key}"), value)
    });
    let texts: Vec<_> = texts.collect();
    let records = (10..).zip(changes).zip(&texts);
    let records = records.map(|((offset, (partition, _, time, _)), (key, value))| Record {
        partition: *partition,
        timestamp_ms: 1_761_868_799_000 + time,
        ..record(offset, key.as_bytes(), value.as_deref())
    });
    for records in records.collect::<Vec<_>>().chunks(together) {
        sink.take_together(records).unwrap();
    }
    sink.commit(&read_all(&plan), &mut report("T")).unwrap();
    test.rows(
        "SELECT transaction_type, total_amount, transaction_count FROM total_par_transaction_type ORDER BY 1",
    )
}

/// Keys move between Kafka partitions, records come late and lack fields: where one transaction ends makes no difference, nor how
/// many records are taken together, nor where a rebuild's memory is full.
fn turns_come_out_as_one_transaction(test: &TestDatabase) {
    let mut runner = TestRunner::new(Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    });
    let budgets = prop_oneof![Just(1), Just(600), Just(3_000), Just(20_000)];
    let property = |(mut changes, apart, budget): (Vec<Change>, bool, usize)| {
        if apart {
            changes.sort_by_key(|(partition, ..)| *partition);
        }
        let rows =
            |turns, budget, together, rebuild| rows_of(test, &changes, turns, budget, together, rebuild);
        let one = rows(false, usize::MAX, 1, None);
        prop_assert_eq!(&rows(apart, budget, TOGETHER, None), &one);
        prop_assert_eq!(&rows(false, budget, TOGETHER, None), &one);
        prop_assert_eq!(&rows(false, budget, 1, Some(Rebuild::DropAbsent)), &one);
        prop_assert_eq!(&rows(false, budget, TOGETHER, Some(Rebuild::KeepAbsent)), &one);
        Ok(())
    };
    runner
        .run(&(changes(), any::<bool>(), budgets), property)
        .unwrap();
}

#[test]
fn turns_come_out_as_one_transaction_on_mysql() {
    turns_come_out_as_one_transaction(&fresh());
}

#[test]
fn turns_come_out_as_one_transaction_on_mariadb() {
    turns_come_out_as_one_transaction(&TestDatabase::new(&mariadb_service(), TOPICS));
}

/// Where the number of Kafka partitions was changed, a key has records in several, and the newest by its time counts. A run
/// with more keys than are remembered can't promise that: it says so. A rebuild can.
#[test]
fn keys_that_moved_and_are_too_many_to_remember_are_told() {
    const COUNT: &str = "SELECT COUNT(*) FROM product_purchase_counts WHERE purchase_count = 1";
    let newer = format!(r#"{{"PURCHASE_COUNT":1,"PAD":"{}"}}"#, "x".repeat(100));
    let older = newer.replace(":1,", ":2,");
    let load = |remembered: Option<usize>, rebuild: Option<Rebuild>| {
        let test = fresh();
        let plan = in_turns(0..2);
        let mut sink = test.open(TOPIC);
        sink.set_budget(BUDGET);
        if let Some(keys) = remembered {
            sink.set_keys_remembered(keys);
        }
        Sink::begin(&mut sink, &plan, rebuild).unwrap();
        for (partition, value, timestamp_ms) in [(0, &newer, 2000), (1, &older, 1000)] {
            for offset in 10..110 {
                let key = format!("K{offset}");
                let record = record(offset, key.as_bytes(), Some(value));
                let record = Record {
                    partition,
                    timestamp_ms,
                    ..record
                };
                sink.take(&record).unwrap();
            }
        }
        let mut report = report("T");
        sink.commit(&read_all(&plan), &mut report).unwrap();
        let newest: u64 = test.one(COUNT).parse().unwrap();
        let told = warnings(&mut sink)
            .iter()
            .any(|warning| warning.contains("several Kafka partitions,"));
        (newest, told, report.exit_code)
    };
    assert_eq!(load(None, None), (100, false, 0));
    let (newest, told, code) = load(Some(50), None);
    assert!(newest < 100 && told && code == 3, "{newest} {told} {code}");
    assert_eq!(load(Some(50), Some(Rebuild::KeepAbsent)), (100, false, 0));
}
