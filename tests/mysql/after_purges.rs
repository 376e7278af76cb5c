//! What was erased stays erased: loads after a purge of rows.

use crate::service::*;
use crate::{TOPICS, fresh};
use chrono_tz::UTC;
use lakectl::exit;
use lakectl::record::Record;
use lakectl::stop::Stop;
use lakectl::subjects::list::{ErasureSecret, entries};
use lakectl::subjects::subject::Subject;
use lakectl::target::{Rebuild, Sink};
use lakectl::warehouse::TableSink;
use std::time::Duration;

const LIFECYCLE: &str = "TRANSACTION_LIFECYCLE";
const ROWS: &str = "SELECT transaction_id, last_update_time FROM transaction_lifecycle ORDER BY 1";

const OLD: &str = r#"{"LAST_UPDATE_TIME":"2022-12-31T23:59:59.999Z"}"#;
/// The same instant as the cutoff, written in another zone.
const EDGE: &str = r#"{"LAST_UPDATE_TIME":"2023-01-01T01:00:00+01:00"}"#;
const NEW: &str = r#"{"LAST_UPDATE_TIME":1700000000000}"#;

/// Rows of `topic` before 2023; answers with how many went.
fn purge(test: &TestDatabase, topic: &str, column: &str) -> u64 {
    purge_before(test, topic, column, "2023-01-01")
}

fn purge_before(test: &TestDatabase, topic: &str, column: &str, cutoff: &str) -> u64 {
    let warehouse = test.warehouse();
    let plan = warehouse
        .survey_rows(test.topic(topic), column, cutoff.parse().unwrap(), UTC)
        .unwrap();
    let purged = warehouse.purge_rows(&plan, Duration::ZERO, None, &Stop::default(), &mut |_| {});
    purged.unwrap().ours().unwrap().deleted
}

/// Reads everything again as if the progress had been lost.
fn forget_progress(test: &TestDatabase) {
    test.execute("DELETE FROM lakectl_progress");
}

const FIRST: [(&str, Option<&str>); 5] = [
    ("old", Some(OLD)),
    ("edge", Some(EDGE)),
    ("new", Some(NEW)),
    ("none", Some(r#"{"LAST_UPDATE_TIME":null}"#)),
    ("aged", Some(NEW)),
];

fn erased_rows_stay_away(test: &TestDatabase) {
    let kept = [
        "aged|2023-11-14 22:13:20",
        "edge|2023-01-01 00:00:00",
        "new|2023-11-14 22:13:20",
        "none|NULL",
    ];
    let report = load(&mut test.open(LIFECYCLE), &records(&FIRST));
    assert_eq!((counts(&report), report.below_retention), ((5, 0, 0), 0));
    assert_eq!(purge(test, LIFECYCLE, "last_update_time"), 1);
    assert_eq!(test.rows(ROWS), kept);
    // A replay of the whole topic.
    forget_progress(test);
    let report = load(&mut test.open(LIFECYCLE), &records(&FIRST));
    assert_eq!((counts(&report), report.below_retention), ((4, 0, 0), 1));
    assert_eq!(
        (test.rows(ROWS), report.exit_code),
        (kept.map(str::to_owned).to_vec(), exit::DONE)
    );
    // An update below the cutoff takes its row away; one above it comes in; the last of a key counts.
    let mut sink = test.open(LIFECYCLE);
    let late = [
        ("aged", Some(OLD)),
        ("old", Some(NEW)),
        ("new", Some(OLD)),
        ("new", Some(EDGE)),
        ("twice", Some(NEW)),
        ("twice", Some(OLD)),
        ("edge", Some(r#"{"STATUS_HISTORY":["x"]}"#)),
    ];
    let late: Vec<Record<'_>> = records(&late)
        .into_iter()
        .map(|record| Record {
            offset: record.offset + 5,
            ..record
        })
        .collect();
    let report = load(&mut sink, &late);
    assert_eq!((counts(&report), report.below_retention), ((3, 1, 0), 2));
    let rows = [
        "edge|2023-01-01 00:00:00",
        "new|2023-01-01 00:00:00",
        "none|NULL",
        "old|2023-11-14 22:13:20",
    ];
    assert_eq!(test.rows(ROWS), rows);
}

#[test]
fn erased_rows_stay_away_on_mysql() {
    erased_rows_stay_away(&fresh());
}

/// Key, window start in milliseconds.
fn windowed(sink: &mut TableSink, starts: &[i64]) -> (u64, u64) {
    let keys: Vec<Vec<u8>> = starts
        .iter()
        .map(|start| [b"purchase".as_slice(), &start.to_be_bytes()].concat())
        .collect();
    let records: Vec<Record<'_>> = keys
        .iter()
        .enumerate()
        .map(|(at, key)| record(at as i64, key, Some(r#"{"TOTAL_AMOUNT_5MIN":1.5}"#)))
        .collect();
    let report = load(sink, &records);
    (counts(&report).0, report.below_retention)
}

fn erased_windows_stay_away(test: &TestDatabase) {
    let topic = "TOTAL_PAR_TYPE_5MIN_SLIDING";
    // 2022-12-31 23:55, 2023-01-01 00:00
    let starts = [1_672_530_900_000, 1_672_531_200_000];
    assert_eq!(windowed(&mut test.open(topic), &starts), (2, 0));
    assert_eq!(purge(test, topic, "window_start_time"), 1);
    forget_progress(test);
    assert_eq!(windowed(&mut test.open(topic), &starts), (1, 1));
    assert_eq!(
        test.rows("SELECT window_start_time FROM total_par_type_5min_sliding"),
        ["2023-01-01 00:00:00"]
    );
}

#[test]
fn erased_windows_stay_away_on_mysql() {
    erased_windows_stay_away(&fresh());
}

/// Also where the rebuild does not fit in memory, and absent rows are kept.
#[test]
fn a_rebuild_brings_nothing_back() {
    for (absent, budget) in [
        (Rebuild::DropAbsent, 64 << 20),
        (Rebuild::DropAbsent, 1),
        (Rebuild::KeepAbsent, 64 << 20),
    ] {
        let test = fresh();
        load(&mut test.open(LIFECYCLE), &records(&FIRST));
        purge(&test, LIFECYCLE, "last_update_time");
        // Someone else put one back by hand.
        test.execute("INSERT INTO transaction_lifecycle (transaction_id, last_update_time) VALUES ('old','2020-01-01')");
        let mut sink = test.open(LIFECYCLE);
        sink.set_budget(budget);
        sink.rebuild(absent).unwrap();
        for record in &records(&FIRST) {
            sink.take(record).unwrap();
        }
        let mut report = report("T");
        sink.commit(&drained(0, 5), &mut report).unwrap();
        assert_eq!((counts(&report), report.below_retention), ((4, 1, 0), 1));
        assert_eq!(test.rows(ROWS).len(), 4);
    }
}

#[test]
fn cutoffs_are_only_ever_raised() {
    let test = fresh();
    for (cutoff, recorded) in [
        ("2019-01-01", "2019-01-01"),
        ("2021-01-01", "2021-01-01"),
        ("2020-06-01", "2021-01-01"),
    ] {
        purge_before(&test, LIFECYCLE, "last_update_time", cutoff);
        assert_eq!(
            test.one("SELECT table_name, column_name, cutoff FROM lakectl_cutoffs"),
            format!("transaction_lifecycle|last_update_time|{recorded} 00:00:00.000000")
        );
    }
}

#[test]
fn days_and_fractions_compare_as_they_are_stored() {
    let test = fresh();
    test.execute(
        "CREATE TABLE custom (id VARCHAR(9) PRIMARY KEY, at DATETIME(3), day DATE, INDEX (at), INDEX (day))",
    );
    purge(&test, "CUSTOM", "at");
    purge(&test, "CUSTOM", "day");
    let report = load(
        &mut test.open("CUSTOM"),
        &records(&[
            ("a", Some(r#"{"AT":"2022-12-31T23:59:59.9999Z"}"#)),
            (
                "b",
                Some(r#"{"AT":"2023-01-01T00:00:00.0001Z","DAY":"2023-01-01"}"#),
            ),
            ("c", Some(r#"{"AT":"2024-01-01","DAY":19357}"#)),
            ("d", Some(r#"{"DAY":19358}"#)),
            ("e", Some(r#"{"AT":"soon","DAY":19357}"#)),
        ]),
    );
    assert_eq!((counts(&report), report.below_retention), ((2, 0, 1), 2));
    let rows = ["b|2023-01-01 00:00:00.000|2023-01-01", "d|NULL|2023-01-01"];
    assert_eq!(test.rows("SELECT id, at, day FROM custom ORDER BY id"), rows);
}

#[test]
fn a_column_that_is_gone_stops_the_load() {
    let test = fresh();
    purge(&test, LIFECYCLE, "last_update_time");
    test.execute("ALTER TABLE transaction_lifecycle RENAME COLUMN last_update_time TO changed");
    let (code, error) = test.open_error(LIFECYCLE);
    assert_eq!(code, exit::USAGE);
    assert!(
        error.contains("`last_update_time`") && error.contains("lakectl_cutoffs"),
        "{error}"
    );
    test.execute("UPDATE lakectl_cutoffs SET column_name = 'Changed'");
    drop(test.open(LIFECYCLE));
}

/// A load that lost its lock for a moment has folded by the old cutoff.
#[test]
fn a_purge_that_came_in_between_is_noticed() {
    let test = fresh();
    let mut sink = test.open(LIFECYCLE);
    sink.take(&record(0, b"old", Some(OLD))).unwrap();
    test.execute("INSERT INTO lakectl_cutoffs (table_name, column_name, cutoff) VALUES ('transaction_lifecycle','last_update_time','2023-01-01')");
    let error = format!("{:#}", sink.commit(&drained(0, 1), &mut report("T")).unwrap_err());
    assert!(error.contains("came in between"), "{error}");
    drop(sink);
    let report = load(&mut test.open(LIFECYCLE), &[record(0, b"old", Some(OLD))]);
    assert_eq!((counts(&report), report.below_retention), ((0, 0, 0), 1));
    assert_eq!(test.one("SELECT next_offset FROM lakectl_progress"), "1");
}

#[test]
fn the_same_on_mariadb() {
    let service = mariadb_service();
    for check in [erased_rows_stay_away, erased_windows_stay_away] {
        check(&TestDatabase::new(&service, TOPICS));
    }
}

/// A late record of someone who was erased takes the row away. Where the server does not let it go, that is told without the
/// record.
#[test]
fn rejects_hold_nothing_of_the_erased() {
    let test = fresh();
    load(&mut test.open(LIFECYCLE), &records(&[("PERSON", Some(NEW))]));
    let persons = [Subject::key("TRANSACTION_LIFECYCLE=PERSON").unwrap()];
    test.warehouse()
        .register(&ErasureSecret::random().unwrap(), &|secret| {
            entries(&persons, None, secret, "run")
        })
        .unwrap();
    test.execute(
        "CREATE TRIGGER t BEFORE DELETE ON transaction_lifecycle FOR EACH ROW \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'it stays'",
    );
    let late = record(1, b"PERSON", Some(NEW));
    let report = load(&mut test.open(LIFECYCLE), &[late]);
    assert_eq!((counts(&report), report.erased), ((0, 0, 1), 1));
    assert_eq!(
        test.one("SELECT `offset`, reason, `key`, `value` FROM lakectl_rejects"),
        "1|it stays|NULL|NULL"
    );
}
