//! Retention in the warehouse on real servers: what a purge takes, how it is interrupted, and that it stays gone.

use crate::service::*;
use crate::{TOPICS, fresh};
use chrono::NaiveDate;
use chrono_tz::{America, Europe, Tz, UTC};
use lakectl::exit;
use lakectl::locked::Locked;
use lakectl::stop::Stop;
use lakectl::warehouse::{RowsPurged, TablePlan};
use mysql::prelude::Queryable;
use std::time::{Duration, Instant};

const LIFECYCLE: &str = "TRANSACTION_LIFECYCLE";
const AT: &str = "last_update_time";
const IDS: &str = "SELECT transaction_id FROM transaction_lifecycle ORDER BY 1";
const CUTOFFS: &str = "SELECT cutoff FROM lakectl_cutoffs";

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn survey(test: &TestDatabase, topic: &str, column: &str, cutoff: &str, zone: Tz) -> TablePlan {
    let warehouse = test.warehouse();
    warehouse
        .survey_rows(test.topic(topic), column, day(cutoff), zone)
        .unwrap()
}

fn attempt(
    test: &TestDatabase,
    plan: &TablePlan,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Locked<RowsPurged>> {
    let warehouse = test.warehouse();
    warehouse.purge_rows(plan, Duration::ZERO, None, &Stop::default(), progress)
}

/// Nobody else holds the table.
fn purge(test: &TestDatabase, plan: &TablePlan) -> anyhow::Result<RowsPurged> {
    attempt(test, plan, &mut |_| {}).map(|purged| purged.ours().expect("the lock is free"))
}

fn gone(deleted: u64) -> RowsPurged {
    RowsPurged {
        deleted,
        ..RowsPurged::default()
    }
}

/// `count` rows, one a minute from 2020-01-01 on, and ten that have no time.
fn fill(test: &TestDatabase, count: u32) {
    let mut session = test.session();
    let rows: Vec<String> = (0..count)
        .map(|n| format!("('T{n:06}','2020-01-01 00:00:00' + INTERVAL {n} MINUTE)"))
        .chain((0..10).map(|n| format!("('N{n}',NULL)")))
        .collect();
    for chunk in rows.chunks(10_000) {
        session
            .query_drop(format!(
                "INSERT INTO transaction_lifecycle (transaction_id, last_update_time) VALUES {}",
                chunk.join(",")
            ))
            .unwrap();
    }
}

fn boundaries(test: &TestDatabase) {
    test.execute(
        "CREATE TABLE custom (id VARCHAR(9) PRIMARY KEY, a DATETIME(6), b TIMESTAMP NULL, c DATE, \
         INDEX (a), INDEX (b), INDEX (c))",
    );
    test.execute(
        "INSERT INTO custom VALUES ('old','2023-11-21 22:59:59.999999','2023-11-21 22:59:59','2023-11-21'), \
         ('new','2023-11-21 23:00:00.000000','2023-11-21 23:00:00','2023-11-22'), ('none',NULL,NULL,NULL)",
    );
    let expected = TablePlan {
        topic: "CUSTOM".into(),
        table: "custom".into(),
        column: "a".into(),
        cutoff: "2023-11-21 23:00:00".into(),
        rows: 1,
        rows_implausible: 0,
        with_implausible: false,
        rows_in_all: 3,
        rows_without_time: 1,
        oldest: Some("2023-11-21 22:59:59.999999".into()),
        newest: Some("2023-11-21 22:59:59.999999".into()),
        missing_index: None,
        dependents: Vec::new(),
        dependents_with_implausible: Vec::new(),
        rejects: 0,
        keeps_history: false,
    };
    assert_eq!(survey(test, "CUSTOM", "A", "2023-11-22", Europe::Paris), expected);
    for column in ["a", "b", "c"] {
        let plan = survey(test, "CUSTOM", column, "2023-11-22", Europe::Paris);
        assert_eq!(purge(test, &plan).unwrap(), gone(1), "{column}");
        assert_eq!(
            test.rows("SELECT id FROM custom ORDER BY id"),
            ["new", "none"],
            "{column}"
        );
        assert_eq!(purge(test, &plan).unwrap(), gone(0));
        test.execute(
            "INSERT INTO custom VALUES ('old','2023-11-21 22:59:59.999999','2023-11-21 22:59:59','2023-11-21')",
        );
    }
    // A day is a day, whatever the zone's midnight is in UTC.
    let plan = survey(test, "CUSTOM", "c", "2023-11-22", America::New_York);
    assert_eq!((plan.rows, plan.cutoff.as_str()), (1, "2023-11-22 00:00:00"));
    let plan = survey(test, "CUSTOM", "b", "2023-11-22", America::New_York);
    assert_eq!((plan.rows, plan.cutoff.as_str()), (2, "2023-11-22 05:00:00"));
    assert_eq!(survey(test, "CUSTOM", "b", "1752-01-01", UTC).rows, 0);
}

#[test]
fn boundaries_on_mysql() {
    boundaries(&fresh());
}

#[test]
fn many_rows_go_in_chunks_that_stop_and_resume() {
    let test = fresh();
    fill(&test, 120_000);
    // 110,000 minutes later.
    let cutoff = day("2020-03-17");
    let doomed = u64::try_from((cutoff - day("2020-01-01")).num_minutes()).unwrap();
    let plan = survey(&test, LIFECYCLE, AT, "2020-03-17", UTC);
    assert_eq!(
        (plan.rows, plan.rows_in_all, plan.rows_without_time),
        (doomed, 120_010, 10)
    );
    let warehouse = test.warehouse();
    let run = |deadline, stop: &Stop, progress: &mut dyn FnMut(u64)| {
        warehouse
            .purge_rows(&plan, Duration::ZERO, deadline, stop, progress)
            .unwrap()
            .ours()
            .unwrap()
    };
    let calm = Stop::default();
    let now = Instant::now();
    assert_eq!(
        run(Some(now), &calm, &mut |_| panic!("no time")),
        RowsPurged {
            left: doomed,
            ..RowsPurged::default()
        }
    );
    // The time ends during the first transaction.
    let deadline = Instant::now() + Duration::from_secs(5);
    let first = run(Some(deadline), &calm, &mut |_| {
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
    });
    assert!(
        first.deleted > 0 && first.deleted + first.left == doomed,
        "{first:?}"
    );
    assert_eq!(
        test.one("SELECT COUNT(*) FROM transaction_lifecycle"),
        (120_010 - first.deleted).to_string()
    );
    // A signal comes after the second one.
    let stop = Stop::on_signals().unwrap();
    let mut calls = 0;
    let second = run(None, &stop, &mut |_| {
        calls += 1;
        if calls == 2 {
            signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
        }
    });
    assert_eq!((calls, second.deleted + second.left), (2, first.left));
    let mut seen = Vec::new();
    let third = run(None, &calm, &mut |rows| seen.push(rows));
    assert_eq!(third, gone(second.left));
    assert!(
        seen.len() > 2 && seen.is_sorted() && seen.last() == Some(&third.deleted),
        "{seen:?}"
    );
    let left =
        "SELECT MIN(last_update_time), COUNT(*), SUM(last_update_time IS NULL) FROM transaction_lifecycle";
    assert_eq!(
        test.one(left),
        format!("2020-03-17 00:00:00|{}|10", 120_010 - doomed)
    );
}

#[test]
fn a_table_that_is_held_is_left_alone() {
    let test = fresh();
    fill(&test, 3);
    let plan = survey(&test, LIFECYCLE, AT, "2021-01-01", UTC);
    let sink = test.open(LIFECYCLE);
    let Locked::HeldBy(holder) = attempt(&test, &plan, &mut |_| {}).unwrap() else {
        panic!("a load has the lock");
    };
    assert!(
        holder.contains("transaction_lifecycle") && holder.contains("GET_LOCK"),
        "{holder}"
    );
    assert_eq!((test.rows(IDS).len(), test.one(CUTOFFS)), (13, String::new()));
    drop(sink);
    assert_eq!(purge(&test, &plan).unwrap(), gone(3));
    // And the lock is given back.
    drop(test.open(LIFECYCLE));
}

/// Error 1205 is waited out.
#[test]
fn rows_that_another_session_holds_are_waited_for() {
    let test = fresh();
    fill(&test, 3);
    let plan = survey(&test, LIFECYCLE, AT, "2021-01-01", UTC);
    let mut holder = test.session();
    holder.query_drop("BEGIN").unwrap();
    holder
        .query_drop("UPDATE transaction_lifecycle SET status_history = '[]' WHERE transaction_id = 'T000001'")
        .unwrap();
    std::thread::scope(|scope| {
        let purging = scope.spawn(|| purge(&test, &plan));
        let mut watcher = test.session();
        let first = until("a lock wait", || waiting_transaction(&mut watcher, &test.name));
        until("the second try", || {
            waiting_transaction(&mut watcher, &test.name).filter(|(_, transaction)| *transaction != first.1)
        });
        holder.query_drop("COMMIT").unwrap();
        assert_eq!(purging.join().unwrap().unwrap(), gone(3));
    });
}

#[test]
fn a_lost_connection_is_found_again_and_the_count_stays_true() {
    let test = fresh();
    fill(&test, 3_000);
    let plan = survey(&test, LIFECYCLE, AT, "2021-01-01", UTC);
    let mut watcher = test.session();
    let own = watcher.connection_id();
    let mut killed = false;
    let purged = attempt(&test, &plan, &mut |_| {
        if std::mem::replace(&mut killed, true) {
            return;
        }
        let theirs = sessions(&mut watcher, "DB = ? AND ID <> ?", (&test.name, own));
        for session in theirs {
            // One that only counted may just have ended by itself.
            let _ = watcher.query_drop(format!("KILL {session}"));
        }
    });
    assert_eq!((purged.unwrap().ours().unwrap(), killed), (gone(3_000), true));
    assert_eq!(test.rows(IDS).len(), 10);
}

fn a_missing_index_is_named(test: &TestDatabase) {
    test.execute("ALTER TABLE transaction_lifecycle DROP INDEX retention_last_update_time, ADD INDEX retention_last_update_time (transaction_id, last_update_time)");
    fill(test, 3);
    let plan = survey(test, LIFECYCLE, AT, "2020-01-01", UTC);
    let statement = plan.missing_index.unwrap();
    assert_eq!(
        statement,
        "CREATE INDEX `retention_last_update_time_2` ON `transaction_lifecycle` (`last_update_time`)"
    );
    // A small table is purged all the same.
    let plan = survey(test, LIFECYCLE, AT, "2021-01-01", UTC);
    assert_eq!(purge(test, &plan).unwrap(), gone(3));
    test.execute(&statement);
    assert_eq!(survey(test, LIFECYCLE, AT, "2021-01-01", UTC).missing_index, None);
    // The primary key serves where it begins with the column.
    let sliding = survey(
        test,
        "TOTAL_PAR_TYPE_5MIN_SLIDING",
        "window_start_time",
        "2021-01-01",
        UTC,
    );
    assert_eq!(sliding.missing_index, None);
}

#[test]
fn a_large_table_without_the_index_is_refused() {
    let test = fresh();
    a_missing_index_is_named(&test);
    test.execute("DROP INDEX retention_last_update_time_2 ON transaction_lifecycle");
    test.execute("DELETE FROM transaction_lifecycle");
    test.execute("DELETE FROM lakectl_cutoffs");
    fill(&test, 100_000);
    let plan = survey(&test, LIFECYCLE, AT, "2020-01-02", UTC);
    let error = purge(&test, &plan).unwrap_err();
    assert_eq!(exit::code_of(&error), exit::USAGE);
    assert!(
        format!("{error:#}").contains(&plan.missing_index.unwrap()),
        "{error:#}"
    );
    assert_eq!(
        (test.rows(IDS).len(), test.one(CUTOFFS)),
        (100_010, String::new())
    );
}

fn unfit_tables_are_refused_by_name(test: &TestDatabase) {
    let refused = |ddl: &str, column: &str, words: &[&str]| {
        test.execute("DROP TABLE IF EXISTS custom");
        if !ddl.is_empty() {
            test.execute(ddl);
        }
        let warehouse = test.warehouse();
        let error = warehouse
            .survey_rows(test.topic("CUSTOM"), column, day("2020-01-01"), UTC)
            .unwrap_err();
        let text = format!("{error:#}");
        assert_eq!(exit::code_of(&error), exit::USAGE, "{text}");
        assert!(
            text.contains("CUSTOM") && words.iter().all(|word| text.contains(word)),
            "{text}"
        );
    };
    refused("", "at", &["no table `custom`"]);
    let myisam = "CREATE TABLE custom (id INT PRIMARY KEY, at DATETIME) ENGINE = MyISAM";
    refused(myisam, "at", &["`custom`", "MyISAM"]);
    refused(
        "CREATE TABLE custom (id INT, at DATETIME)",
        "at",
        &["`custom`", "no primary key"],
    );
    let plain = "CREATE TABLE custom (id INT PRIMARY KEY, at_time DATETIME, n BIGINT, \
                 made DATETIME AS (at_time) STORED)";
    refused(
        plain,
        "attime",
        &["`custom`", "no column `attime`", "did you mean `at_time`"],
    );
    refused(plain, "n", &["`custom`", "`n`", "not a TIMESTAMP"]);
    refused(plain, "made", &["`custom`", "`made`", "computed"]);
    let warehouse = test.warehouse();
    let tomorrow = chrono::Utc::now().date_naive() + chrono::TimeDelta::days(1);
    let error = warehouse
        .survey_rows(test.topic("CUSTOM"), "at_time", tomorrow, UTC)
        .unwrap_err();
    assert!(format!("{error:#}").contains("future"), "{error:#}");
}

#[test]
fn unfit_tables_are_refused_by_name_on_mysql() {
    unfit_tables_are_refused_by_name(&fresh());
}

#[test]
fn a_plan_that_would_delete_more_by_now_or_later_is_refused() {
    let test = fresh();
    fill(&test, 3);
    let plan = survey(&test, LIFECYCLE, AT, "2021-01-01", UTC);
    test.execute(
        "INSERT INTO transaction_lifecycle (transaction_id, last_update_time) VALUES ('X','2020-05-05')",
    );
    let error = format!("{:#}", purge(&test, &plan).unwrap_err());
    assert!(error.contains("would delete more; plan again"), "{error}");
    for cutoff in ["2999-01-01 00:00:00", "soon", "2020-01-01"] {
        let plan = TablePlan {
            cutoff: cutoff.into(),
            ..plan.clone()
        };
        let error = purge(&test, &plan).unwrap_err();
        assert_eq!(exit::code_of(&error), exit::USAGE, "{error:#}");
    }
    assert_eq!((test.rows(IDS).len(), test.one(CUTOFFS)), (14, String::new()));
}

/// A plausible row that is gone by now makes no room for one that nobody has planned.
#[test]
fn rows_of_one_kind_do_not_stand_in_for_the_other() {
    let test = fresh();
    let add = |id: &str, time: &str| {
        test.execute(&format!(
            "INSERT INTO transaction_lifecycle (transaction_id, last_update_time) VALUES ('{id}','{time}')"
        ));
    };
    add("a", "2020-05-05");
    add("b", "1970-01-21");
    let plan = TablePlan {
        with_implausible: true,
        ..survey(&test, LIFECYCLE, AT, "2021-01-01", UTC)
    };
    assert_eq!((plan.rows, plan.rows_implausible), (1, 1));
    test.execute("DELETE FROM transaction_lifecycle WHERE transaction_id = 'a'");
    add("c", "1970-01-22");
    let error = format!("{:#}", purge(&test, &plan).unwrap_err());
    assert!(error.contains("would delete more"), "{error}");
    test.execute("DELETE FROM transaction_lifecycle WHERE transaction_id = 'c'");
    assert_eq!(purge(&test, &plan).unwrap(), gone(1));
}

/// Rows that another table refers to stay, and keep none of the others.
fn a_row_that_can_not_go_keeps_no_other(test: &TestDatabase) {
    fill(test, 1_200);
    let collation = test.one(
        "SELECT COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
         AND TABLE_NAME = 'transaction_lifecycle' AND COLUMN_NAME = 'transaction_id'",
    );
    test.execute(&format!(
        "CREATE TABLE note (n INT AUTO_INCREMENT PRIMARY KEY, about VARCHAR(64) CHARACTER SET utf8mb4 COLLATE {collation} NOT NULL, \
         FOREIGN KEY (about) REFERENCES transaction_lifecycle (transaction_id))"
    ));
    // More than a transaction begins with, and one at the end.
    test.execute(
        "INSERT INTO note (about) SELECT transaction_id FROM transaction_lifecycle \
         WHERE transaction_id < 'T000600' OR transaction_id = 'T001199'",
    );
    let plan = survey(test, LIFECYCLE, AT, "2021-01-01", UTC);
    for deleted in [599, 0] {
        let error = format!("{:#}", purge(test, &plan).unwrap_err());
        let words = format!("{deleted} rows are deleted, 601 are left; the server refuses to delete those");
        assert!(error.contains(&words) && error.contains("foreign key"), "{error}");
        assert_eq!(test.rows(IDS).len(), 611);
    }
    test.execute("DROP TABLE note");
    assert_eq!(purge(test, &plan).unwrap(), gone(601));
}

#[test]
fn a_row_that_can_not_go_keeps_no_other_on_mysql() {
    a_row_that_can_not_go_keeps_no_other(&fresh());
}

fn a_trigger_that_refuses_is_named(test: &TestDatabase) {
    fill(test, 3);
    test.execute(
        "CREATE TRIGGER legal_hold BEFORE DELETE ON transaction_lifecycle FOR EACH ROW \
         SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 31001, MESSAGE_TEXT = 'held'",
    );
    let plan = survey(test, LIFECYCLE, AT, "2021-01-01", UTC);
    let error = format!("{:#}", purge(test, &plan).unwrap_err());
    let words = [
        "0 rows are deleted, 3 are left",
        "refuses that rows of table `transaction_lifecycle` are deleted",
        "drop it",
        "held",
    ];
    assert!(words.iter().all(|words| error.contains(words)), "{error}");
    // MySQL shows triggers only to accounts with a right of their own.
    test.execute(&format!(
        "GRANT TRIGGER ON `{}`.transaction_lifecycle TO '{}'@'%'",
        test.name, test.account.user
    ));
    let error = format!("{:#}", purge(test, &plan).unwrap_err());
    assert!(error.contains("trigger legal_hold refuses"), "{error}");
    let topic = test.topic(LIFECYCLE);
    let subjects = [lakectl::subjects::subject::Subject::key(&format!("{LIFECYCLE}=T000001")).unwrap()];
    let erased = test
        .warehouse()
        .delete_subjects(topic, &subjects, Duration::ZERO, &Stop::default());
    let error = format!("{:#}", erased.unwrap_err());
    assert!(
        error.contains("trigger legal_hold refuses") && error.contains("31001") && !error.contains("held'"),
        "{error}"
    );
    assert_eq!(test.rows(IDS).len(), 13);
}

#[test]
fn a_trigger_that_refuses_is_named_on_mysql() {
    a_trigger_that_refuses_is_named(&fresh());
}

/// Rejected records go by the time of their rejection, also where no row is old enough.
fn rejects_go_with_their_tables_rows(test: &TestDatabase) {
    let reject = |offset: u32, topic: &str, at: &str| {
        test.execute(&format!(
            "INSERT INTO lakectl_rejects (table_name, topic, generation, `partition`, `offset`, reason, rejected_at) \
             VALUES ('transaction_lifecycle', '{topic}', 1, 0, {offset}, 'x', '{at}')"
        ));
    };
    reject(1, LIFECYCLE, "2020-12-31 23:59:59");
    reject(2, LIFECYCLE, "2021-01-01 00:00:00");
    reject(3, "OTHER", "2020-01-01 00:00:00");
    let plan = survey(test, LIFECYCLE, AT, "2021-01-01", UTC);
    assert_eq!((plan.rows, plan.rejects), (0, 1));
    assert_eq!(purge(test, &plan).unwrap().rejects, 1);
    assert_eq!(
        test.rows("SELECT `offset` FROM lakectl_rejects ORDER BY 1"),
        ["2", "3"]
    );
    assert_eq!(test.one(CUTOFFS), "");
}

#[test]
fn rejects_go_with_their_tables_rows_on_mysql() {
    rejects_go_with_their_tables_rows(&fresh());
}

#[test]
fn the_same_on_mariadb() {
    let service = mariadb_service();
    for check in [
        boundaries,
        a_missing_index_is_named,
        unfit_tables_are_refused_by_name,
        a_row_that_can_not_go_keeps_no_other,
        a_trigger_that_refuses_is_named,
        rejects_go_with_their_tables_rows,
    ] {
        check(&TestDatabase::new(&service, TOPICS));
    }
}
