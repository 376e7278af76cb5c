//! Keys that moved between Kafka partitions before a table's first drain was complete, or that a rebuild finds in several of them:
//! their rows hold what the Kafka partition that counts says, and nothing of the others.

use crate::service::*;
use crate::{TOPICS, fresh};
use lakectl::exit;
use lakectl::record::{DrainPlan, Drained, DrainedPartition, OffsetRange, Record};
use lakectl::report::TopicReport;
use lakectl::target::{Rebuild, Sink};
use lakectl::warehouse::TableSink;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const PARTITIONS: i32 = 3;
const END: i64 = 1_000;
const NOTES: &str = "SELECT COUNT(*) FROM lakectl_first_drain";

/// Kafka partition, milliseconds, key, and the value; None is a tombstone.
type Change<'a> = (i32, i64, &'a str, Option<&'a str>);

/// The changes as records, whose offsets are their places.
fn records<'a>(changes: &[Change<'a>]) -> Vec<Record<'a>> {
    let changes = (0..).zip(changes);
    let record = |(offset, change): (i64, &Change<'a>)| Record {
        partition: change.0,
        timestamp_ms: change.1,
        ..record(offset, change.2.as_bytes(), change.3)
    };
    changes.map(record).collect()
}

fn both() -> [TestDatabase; 2] {
    [fresh(), TestDatabase::new(&mariadb_service(), TOPICS)]
}

/// A run over all Kafka partitions that has this much memory.
fn begun(test: &TestDatabase, topic: &str, budget: usize, rebuild: Option<Rebuild>) -> TableSink {
    let mut sink = test.open(topic);
    begin(&mut sink, budget, &[], rebuild);
    sink
}

fn begin(sink: &mut TableSink, budget: usize, turns: &[i32], rebuild: Option<Rebuild>) {
    sink.set_budget(budget);
    let next = sink.progress().next;
    let range = |partition| OffsetRange {
        partition,
        start: next.get(&partition).copied().unwrap_or(0),
        end: END,
    };
    let plan = DrainPlan {
        ranges: (0..PARTITIONS).map(range).collect(),
        turns: turns.iter().map(|&partition| vec![partition]).collect(),
        generation: 1,
        topic_id: Some("id-1".to_owned()),
        ..DrainPlan::default()
    };
    Sink::begin(sink, &plan, rebuild).unwrap();
}

/// Takes these records; `complete` if they are the last ones.
fn run(sink: &mut TableSink, records: &[Record<'_>], complete: bool) -> TopicReport {
    sink.take_together(records).unwrap();
    let before = sink.progress().next;
    let part = |partition| {
        let theirs = records.iter().filter(|record| record.partition == partition);
        let next = theirs.map(|record| record.offset + 1).max();
        DrainedPartition {
            partition,
            start: 0,
            next: match next {
                _ if complete => END,
                Some(next) => next,
                None => before.get(&partition).copied().unwrap_or(0),
            },
            end: END,
            read: 0,
        }
    };
    let drained = Drained {
        partitions: (0..PARTITIONS).map(part).collect(),
        complete,
        ..drained(0, 0)
    };
    let mut report = report("T");
    sink.commit(&drained, &mut report).unwrap();
    report
}

/// How the records are loaded.
#[derive(Debug, Clone)]
enum Load {
    /// In one run of this much memory.
    Whole(usize),
    /// Kafka partitions one after the other, each written while the next is read.
    InTurns,
    /// In runs that end after each of them.
    EachARun,
    Rebuild(usize),
}

const LOADS: [Load; 5] = [
    Load::Whole(usize::MAX),
    Load::Whole(1),
    Load::EachARun,
    Load::Rebuild(usize::MAX),
    Load::Rebuild(1),
];

/// Loads all records into the table as it stands, as if it had never been loaded. Returns the last report.
fn load(test: &TestDatabase, topic: &str, records: &[Record<'_>], how: &Load) -> TopicReport {
    test.execute("DELETE FROM lakectl_progress");
    test.execute("DELETE FROM lakectl_rejects");
    let Some((last, others)) = records.split_last() else {
        return report("T");
    };
    let whole = |budget, turns: &[i32], rebuild| {
        let mut sink = test.open(topic);
        begin(&mut sink, budget, turns, rebuild);
        others.iter().for_each(|record| sink.take(record).unwrap());
        run(&mut sink, std::slice::from_ref(last), true)
    };
    let report = match how {
        Load::Whole(budget) => whole(*budget, &[], None),
        Load::Rebuild(budget) => whole(*budget, &[], Some(Rebuild::KeepAbsent)),
        Load::InTurns => {
            let mut turns: Vec<i32> = records.iter().map(|record| record.partition).collect();
            turns.dedup();
            // A record is enough for a turn's transaction, and none is written before.
            whole(4_000, &turns, None)
        }
        Load::EachARun => {
            for record in records {
                run(
                    &mut begun(test, topic, usize::MAX, None),
                    std::slice::from_ref(record),
                    false,
                );
            }
            run(&mut begun(test, topic, usize::MAX, None), &[], true)
        }
    };
    assert_eq!(test.one(NOTES), "0");
    report
}

/// The newer records lack a column: it gets its default, whatever that is, and columns of others stay.
#[test]
fn a_key_leaves_its_fields_behind() {
    let changes = [
        (
            1,
            10,
            "K",
            Some(r#"{"A":1,"B":1,"C":"2020-01-01T00:00:00Z","D":1,"N":1}"#),
        ),
        (1, 11, "K", Some(r#"{"E":1,"N":1}"#)),
        (1, 11, "stays", Some(r#"{"A":1,"B":1,"N":1}"#)),
        (1, 12, "stays", Some(r#"{"E":1,"N":3}"#)),
        (0, 20, "K", Some(r#"{"N":2}"#)),
        // The column counts again.
        (0, 21, "K", Some(r#"{"E":5,"N":2}"#)),
        (0, 22, "stays", None),
        (0, 23, "stays", Some(r#"{"N":4}"#)),
    ];
    for test in both() {
        test.execute(
            "CREATE TABLE custom (id VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, n INT NOT NULL, a INT, \
             b INT NOT NULL DEFAULT 7, c TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, \
             d INT DEFAULT (3 + 4), e INT, hand INT, twice INT AS (b * 2), \
             seq BIGINT NOT NULL AUTO_INCREMENT, INDEX (seq))",
        );
        for how in LOADS {
            test.execute("DELETE FROM custom");
            test.execute("INSERT INTO custom (id, n, hand) VALUES ('K', 0, 99)");
            load(&test, "CUSTOM", &records(&changes), &how);
            assert_eq!(
                test.rows("SELECT id, n, a, b, c > '2021-01-01', d, e, hand, twice FROM custom ORDER BY 1"),
                ["K|2|NULL|7|1|7|5|99|14", "stays|4|NULL|7|1|7|NULL|NULL|14"],
                "{how:?}"
            );
        }
    }
}

/// The older records come last: they fill nothing that the newer ones lack.
#[test]
fn an_outdated_record_fills_nothing() {
    let changes = [
        (0, 20, "K", Some(r#"{"N":2}"#)),
        (1, 10, "K", Some(r#"{"N":1,"A":1}"#)),
        (0, 21, "K", Some(r#"{"B":2}"#)),
        (2, 15, "K", None),
    ];
    for test in both() {
        test.execute(
            "CREATE TABLE custom (id VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, n INT, a INT, b INT)",
        );
        for how in LOADS {
            test.execute("DELETE FROM custom");
            load(&test, "CUSTOM", &records(&changes), &how);
            assert_eq!(test.rows("SELECT * FROM custom"), ["K|2|NULL|2"], "{how:?}");
        }
    }
}

/// A row that was loaded before its key moved is what the rebuild's records say, whichever it reads first; a column that none of them
/// fills stays.
#[test]
fn a_rebuild_resets_what_was_loaded_before() {
    let older = (1, 10, "K", Some(r#"{"A":1,"N":1}"#));
    let newer = (0, 20, "K", Some(r#"{"N":2}"#));
    for test in both() {
        test.execute(
            "CREATE TABLE custom (id VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, n INT, a INT, hand INT)",
        );
        for changes in [[older, newer], [newer, older]] {
            test.execute("REPLACE INTO custom VALUES ('K', 1, 1, 99)");
            load(&test, "CUSTOM", &records(&changes), &Load::Rebuild(usize::MAX));
            assert_eq!(test.rows("SELECT * FROM custom"), ["K|2|NULL|99"]);
        }
    }
}

/// A key's records: Kafka partitions in the order of time, and in each the records of it: some fields, or none of a tombstone.
type Moves = Vec<(i32, Vec<Option<(Option<u8>, Option<u8>)>>)>;

fn moves() -> impl Strategy<Value = Vec<Moves>> {
    let value = proptest::option::weighted(0.8, (any::<Option<u8>>(), any::<Option<u8>>()));
    let records = proptest::collection::vec(value, 0..3);
    let order = Just(vec![0, 1, 2]).prop_shuffle();
    let key = (order, proptest::collection::vec(records, PARTITIONS as usize))
        .prop_map(|(order, records)| order.into_iter().zip(records).collect::<Moves>());
    proptest::collection::vec(key, 1..4)
}

/// The row of a key: what the last Kafka partition that has records of it says.
fn folded(moves: &Moves) -> Option<(Option<u8>, Option<u8>)> {
    let (_, records) = moves.iter().rfind(|(_, records)| !records.is_empty())?;
    let mut row = None;
    for record in records {
        row = record.map(|(a, b)| {
            let (old_a, old_b) = row.unwrap_or_default();
            (a.or(old_a), b.or(old_b))
        });
    }
    row
}

/// However Kafka partitions are read, and wherever transactions and runs end: a row is the fold of the one that counts.
fn rows_are_folds_of_what_counts(test: &TestDatabase, cases: u32) {
    test.execute("CREATE TABLE custom (id VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, a INT, b INT)");
    let property = |(all, order, how): (Vec<Moves>, Vec<prop::sample::Index>, Load)| {
        let mut queues: Vec<Vec<(i64, String, Option<String>)>> = vec![Vec::new(); PARTITIONS as usize];
        for (n, moves) in all.iter().enumerate() {
            for (at, (partition, records)) in (0..).zip(moves) {
                let field = |name: &str, value: Option<u8>| value.map(|value| format!("\"{name}\":{value}"));
                let text = |(a, b)| {
                    let fields: Vec<String> = [field("A", a), field("B", b)].into_iter().flatten().collect();
                    format!("{{{}}}", fields.join(","))
                };
                let queue = &mut queues[*partition as usize];
                let changes = (0..).zip(records);
                queue.extend(changes.map(|(nth, value)| (at * 10 + nth, format!("K{n}"), value.map(text))));
            }
        }
        // Takes a record of one Kafka partition or another, each in its order.
        let mut order = order.iter().cycle();
        let mut left: Vec<_> = (0..).zip(&queues).map(|(at, queue)| (at, queue.iter())).collect();
        let mut changes: Vec<Change<'_>> = Vec::new();
        loop {
            left.retain(|(_, queue)| queue.len() > 0);
            let Some(at) = order.next().filter(|_| !left.is_empty()) else {
                break;
            };
            let at = at.index(left.len());
            let (partition, queue) = &mut left[at];
            let (time, key, value) = queue.next().unwrap();
            changes.push((*partition, *time, key, value.as_deref()));
        }
        test.execute("DELETE FROM custom");
        load(test, "CUSTOM", &records(&changes), &how);
        let number = |value: Option<u8>| value.map_or("NULL".to_owned(), |value| value.to_string());
        let row = |(n, moves)| folded(moves).map(|(a, b)| format!("K{n}|{}|{}", number(a), number(b)));
        let wanted: Vec<String> = (0..).zip(&all).filter_map(row).collect();
        prop_assert_eq!(test.rows("SELECT * FROM custom ORDER BY 1"), wanted);
        Ok(())
    };
    let loads = prop_oneof![
        Just(Load::Whole(1)),
        Just(Load::Whole(1_000)),
        Just(Load::Whole(usize::MAX)),
        Just(Load::EachARun),
        Just(Load::Rebuild(1)),
        Just(Load::Rebuild(1_000)),
        Just(Load::Rebuild(usize::MAX)),
    ];
    let order = proptest::collection::vec(any::<prop::sample::Index>(), 1..20);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    runner.run(&(moves(), order, loads), property).unwrap();
}

#[test]
fn rows_are_folds_of_what_counts_on_mysql() {
    rows_are_folds_of_what_counts(&fresh(), 40);
}

#[test]
fn rows_are_folds_of_what_counts_on_mariadb() {
    rows_are_folds_of_what_counts(&TestDatabase::new(&mariadb_service(), TOPICS), 20);
}

/// Kafka partition, milliseconds, and the value.
type OfOneKey<'a> = (i32, i64, &'a str);

/// Of several changes the last that the server accepts counts, in whichever Kafka partition it is.
#[test]
fn what_is_refused_gives_way_to_another_kafka_partition() {
    // The server refuses a `v` below 0.
    let cases: [(&[OfOneKey<'_>], &str, usize); 9] = [
        // Nothing of a refused record lands by way of those before and after it.
        (
            &[
                (0, 5, r#"{"V":1,"W":1}"#),
                (0, 6, r#"{"V":-1,"W":2}"#),
                (0, 7, r#"{"V":3}"#),
            ],
            "K|3|1",
            1,
        ),
        (&[(1, 9, r#"{"V":-1}"#), (0, 5, r#"{"V":1}"#)], "K|1|NULL", 1),
        (
            &[(0, 5, r#"{"V":1}"#), (1, 9, r#"{"V":-1}"#), (2, 3, r#"{"V":2}"#)],
            "K|1|NULL",
            1,
        ),
        (
            &[
                (1, 3, r#"{"V":2,"W":2}"#),
                (1, 9, r#"{"V":-1}"#),
                (0, 5, r#"{"V":1}"#),
            ],
            "K|1|NULL",
            1,
        ),
        (
            &[
                (1, 7, r#"{"V":2,"W":2}"#),
                (1, 9, r#"{"V":-1}"#),
                (0, 5, r#"{"V":1}"#),
            ],
            "K|2|2",
            1,
        ),
        (
            &[
                (0, 5, r#"{"V":1,"W":1}"#),
                (1, 7, r#"{"V":2}"#),
                (1, 9, r#"{"V":-1}"#),
            ],
            "K|2|NULL",
            1,
        ),
        (
            &[
                (2, 9, r#"{"V":-1}"#),
                (1, 8, r#"{"V":-1}"#),
                (0, 5, r#"{"W":1}"#),
                (0, 4, r#"{"V":3}"#),
            ],
            "K|3|1",
            2,
        ),
        // What is refused takes nothing along, either.
        (
            &[
                (0, 5, r#"{"V":4}"#),
                (1, 7, r#"{"V":-1,"W":1}"#),
                (0, 9, r#"{"W":9}"#),
            ],
            "K|4|9",
            1,
        ),
        (
            &[
                (0, 5, r#"{"V":4}"#),
                (2, 6, r#"{"V":-1}"#),
                (1, 7, r#"{"W":1}"#),
                (0, 9, r#"{"W":9}"#),
            ],
            "K|NULL|9",
            1,
        ),
    ];
    for test in both() {
        test.execute(
            "CREATE TABLE custom (id VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, v INT, w INT, CHECK (v >= 0))",
        );
        for (changes, row, refused) in &cases {
            for how in LOADS.iter().chain([&Load::InTurns]) {
                test.execute("DELETE FROM custom");
                let changes: Vec<Change<'_>> = changes
                    .iter()
                    .map(|&(partition, time, value)| (partition, time, "K", Some(value)))
                    .collect();
                load(&test, "CUSTOM", &records(&changes), how);
                assert_eq!(test.rows("SELECT * FROM custom"), [*row], "{changes:?} {how:?}");
                assert_eq!(
                    test.rows("SELECT 1 FROM lakectl_rejects").len(),
                    *refused,
                    "{changes:?} {how:?}"
                );
            }
        }
    }
}

/// More keys than are remembered, of which a few have moved: the end of the first drain finds them.
#[test]
fn a_first_drain_of_many_keys_misses_no_move_silently() {
    let keys: Vec<String> = (0..300).map(|n| format!("P{n:03}")).collect();
    let value = |n: i32| format!(r#"{{"PURCHASE_COUNT":{n}}}"#);
    let (newer, older) = (value(2), value(1));
    for moved in [0, 1, 2] {
        for cut in [false, true] {
            let test = fresh();
            let first: Vec<Change<'_>> = keys
                .iter()
                .map(|key| (1, 20, key.as_str(), Some(newer.as_str())))
                .collect();
            // No key is remembered.
            let forgetful = || {
                let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
                sink.set_keys_remembered(0);
                begin(&mut sink, 30_000, &[], None);
                sink
            };
            let mut sink = forgetful();
            if cut {
                run(&mut sink, &records(&first), false);
                drop(sink);
                sink = forgetful();
            } else {
                sink.take_together(&records(&first)).unwrap();
            }
            let second: Vec<Change<'_>> = keys[..moved]
                .iter()
                .map(|key| (0, 10, key.as_str(), Some(older.as_str())))
                .collect();
            let mut last = records(&second);
            last.push(Record {
                partition: 2,
                ..record(0, b"other", Some(&newer))
            });
            let report = run(&mut sink, &last, true);
            let warnings = warnings(&mut sink).join("\n");
            if moved == 0 {
                assert_eq!(report.exit_code, exit::DONE, "{cut}");
                assert!(!warnings.contains("several Kafka partitions"), "{warnings}");
                continue;
            }
            assert_eq!(report.exit_code, exit::ATTENTION, "{moved} {cut}");
            let told = if moved == 1 { "for 1 key," } else { "for 2 keys," };
            assert!(
                warnings.contains(told) && warnings.contains("--rebuild"),
                "{warnings}"
            );
            assert_eq!(test.one(NOTES), "0");
        }
    }
}
