//! The warehouse against a MySQL that locks, dies, cuts the wire or says no.

use crate::service::*;
use crate::{COUNTS, TOPICS, fresh};
use lakectl::exit;
use lakectl::target::Sink;
use lakectl::warehouse::{TableSink, Warehouse};
use mysql::prelude::Queryable;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const CUSTOM: &str = r#"
[topics.CUSTOM]
kind = "table"
key = { format = "string", columns = ["id"] }
"#;
const TOPIC: &str = "PRODUCT_PURCHASE_COUNTS";
const NEXT: &str = "SELECT next_offset FROM lakectl_progress";

/// Rows A and B at 1, progress at 2; then a load of A and B at 2, not committed yet.
fn two_rows(test: &TestDatabase) -> TableSink {
    let mut sink = test.open(TOPIC);
    let value = |n| match n {
        1 => r#"{"PURCHASE_COUNT":1}"#,
        _ => r#"{"PURCHASE_COUNT":2}"#,
    };
    load(
        &mut sink,
        &records(&[("A", Some(value(1))), ("B", Some(value(1)))]),
    );
    sink.take(&record(2, b"A", Some(value(2)))).unwrap();
    sink.take(&record(3, b"B", Some(value(2)))).unwrap();
    sink
}

/// Commits in a thread of its own.
fn commit(mut sink: TableSink) -> JoinHandle<anyhow::Result<(u64, u64, u64)>> {
    std::thread::spawn(move || {
        let mut report = report("T");
        sink.commit(&drained(2, 4), &mut report)?;
        Ok(counts(&report))
    })
}

fn landed_once(test: &TestDatabase, committed: JoinHandle<anyhow::Result<(u64, u64, u64)>>) {
    assert_eq!(committed.join().unwrap().unwrap(), (2, 0, 0));
    assert_eq!(test.rows(COUNTS), ["A|2", "B|2"]);
    assert_eq!(test.one(NEXT), "4");
}

/// Begins a transaction that keeps others from the second row.
fn hold_b(session: &mut mysql::Conn) {
    session.query_drop("BEGIN").unwrap();
    session
        .query_drop("UPDATE product_purchase_counts SET purchase_count = 7 WHERE product_id = 'B'")
        .unwrap();
}

/// Error 1205 takes back only the statement: the whole transaction is replayed.
#[test]
fn a_lock_wait_timeout_is_replayed() {
    let test = fresh();
    let sink = two_rows(&test);
    let mut holder = test.session();
    hold_b(&mut holder);
    let committed = commit(sink);
    let mut watcher = test.session();
    let first = until("a lock wait", || waiting_transaction(&mut watcher, &test.name));
    until("the second try", || {
        waiting_transaction(&mut watcher, &test.name).filter(|(_, transaction)| *transaction != first.1)
    });
    holder.query_drop("COMMIT").unwrap();
    landed_once(&test, committed);
}

/// Error 1213, with ourselves as the victim: the other transaction has changed more rows.
#[test]
fn a_deadlock_is_replayed() {
    let test = fresh();
    let sink = two_rows(&test);
    test.execute("CREATE TABLE heavy (n INT PRIMARY KEY)");
    let mut other = test.session();
    hold_b(&mut other);
    let many: Vec<String> = (0..500).map(|n| format!("({n})")).collect();
    other
        .query_drop(format!("INSERT INTO heavy VALUES {}", many.join(",")))
        .unwrap();
    let committed = commit(sink);
    let mut watcher = test.session();
    until("a lock wait", || waiting_transaction(&mut watcher, &test.name));
    // Ours holds A and waits for B; this closes the circle.
    other
        .query_drop("UPDATE product_purchase_counts SET purchase_count = 8 WHERE product_id = 'A'")
        .unwrap();
    other.query_drop("COMMIT").unwrap();
    landed_once(&test, committed);
}

#[test]
fn a_session_killed_in_the_middle_is_replayed() {
    let test = fresh();
    let sink = two_rows(&test);
    let mut holder = test.session();
    hold_b(&mut holder);
    let committed = commit(sink);
    let mut watcher = test.session();
    let (session, _) = until("a lock wait", || waiting_transaction(&mut watcher, &test.name));
    watcher.query_drop(format!("KILL {session}")).unwrap();
    holder.query_drop("ROLLBACK").unwrap();
    landed_once(&test, committed);
}

fn end_sessions(watcher: &mut mysql::Conn, database: &str) {
    let own = watcher.connection_id();
    let theirs = sessions(watcher, "DB = ? AND ID <> ?", (database, own));
    for session in theirs {
        // Some of them may just have ended by themselves.
        let _ = watcher.query_drop(format!("KILL {session}"));
    }
}

#[test]
fn a_session_killed_while_idle_is_replayed() {
    let test = fresh();
    let sink = two_rows(&test);
    let mut watcher = test.session();
    end_sessions(&mut watcher, &test.name);
    landed_once(&test, commit(sink));
}

/// All of it or nothing: without its time, the next run would need the keys that the first drain remembers.
#[test]
fn the_time_of_a_complete_run_is_written_after_a_lost_session_too() {
    let test = fresh();
    drop(two_rows(&test));
    let mut sink = test.open(TOPIC);
    test.execute("INSERT INTO lakectl_first_drain (table_name, topic, seed, places) VALUES ('product_purchase_counts', 'PRODUCT_PURCHASE_COUNTS', 1, '')");
    let mut watcher = test.session();
    end_sessions(&mut watcher, &test.name);
    let mut later = drained(2, 2);
    later.planned_ms += 3_600_000;
    sink.commit(&later, &mut report("T")).unwrap();
    let complete = test.one("SELECT complete_ms FROM lakectl_progress");
    assert_eq!(complete, later.planned_ms.to_string());
    assert_eq!(test.one("SELECT COUNT(*) FROM lakectl_first_drain"), "0");
}

/// Whether COMMIT arrived or not: the progress rows tell, and nothing is done twice.
#[test]
fn a_commit_without_an_answer_is_looked_up() {
    for cut in [crate::proxy::Cut::Before, crate::proxy::Cut::After] {
        let test = fresh();
        drop(two_rows(&test));
        let (port, left) = crate::proxy::start(test.port(), cut, 1);
        let settings = test.settings_at(TOPICS, port);
        let warehouse = Warehouse::connect(settings.database.as_ref().unwrap()).unwrap();
        let mut sink = warehouse
            .open(test.topic(TOPIC), Duration::ZERO)
            .unwrap()
            .ours()
            .unwrap();
        // A trigger counts what really happens to the rows.
        test.execute("CREATE TABLE seen (n INT)");
        test.execute("CREATE TRIGGER t AFTER UPDATE ON product_purchase_counts FOR EACH ROW INSERT INTO seen VALUES (1)");
        sink.take(&record(2, b"A", Some(r#"{"PURCHASE_COUNT":2}"#)))
            .unwrap();
        sink.take(&record(3, b"B", Some(r#"{"PURCHASE_COUNT":2}"#)))
            .unwrap();
        landed_once(&test, commit(sink));
        assert_eq!(left.load(Ordering::SeqCst), 0);
        assert_eq!(test.one("SELECT COUNT(*) FROM seen"), "2");
    }
}

#[test]
fn patience_ends() {
    let test = fresh();
    let mut sink = two_rows(&test);
    sink.set_patience(Duration::from_secs(1));
    let mut holder = test.session();
    holder.query_drop("BEGIN").unwrap();
    holder
        .query_drop("SELECT * FROM product_purchase_counts FOR UPDATE")
        .unwrap();
    let began = Instant::now();
    let error = commit(sink).join().unwrap().unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(
        format!("{error:#}").contains("nothing of this transaction was committed"),
        "{error:#}"
    );
    assert_eq!(exit::code_of(&error), exit::FAILED);
    holder.query_drop("ROLLBACK").unwrap();
    assert_eq!(
        (test.rows(COUNTS), test.one(NEXT)),
        (vec!["A|1".to_owned(), "B|1".to_owned()], "2".to_owned())
    );
}

/// Two hosts, a lock that was lost: whoever finds the progress moved stops.
#[test]
fn progress_that_a_stranger_moved_stops_the_load() {
    let test = fresh();
    let sink = two_rows(&test);
    test.execute("UPDATE lakectl_progress SET next_offset = 3");
    let error = commit(sink).join().unwrap().unwrap_err();
    assert!(
        format!("{error:#}").contains("someone else moved the progress"),
        "{error:#}"
    );
    assert_eq!(
        (test.rows(COUNTS), test.one(NEXT)),
        (vec!["A|1".to_owned(), "B|1".to_owned()], "3".to_owned())
    );
}

/// The lock was lost, and another run has it by now.
#[test]
fn a_lock_that_another_run_has_stops_the_load() {
    let test = fresh();
    let mut sink = two_rows(&test);
    sink.set_patience(Duration::from_secs(1));
    let mut watcher = test.session();
    let other = until("another run to get the lock", || {
        end_sessions(&mut watcher, &test.name);
        let opened = test.warehouse().open(test.topic(TOPIC), Duration::ZERO);
        opened.unwrap().ours()
    });
    let error = commit(sink).join().unwrap().unwrap_err();
    assert!(
        format!("{error:#}").contains("the lock is held by another run"),
        "{error:#}"
    );
    assert_eq!(exit::code_of(&error), exit::FAILED);
    drop(other);
    assert_eq!(test.one(NEXT), "2");
}

/// A full disk, lost rights, a dropped column: neither another try nor another record would mend it.
#[test]
fn any_other_error_stops_and_commits_nothing() {
    let test = fresh();
    let mut sink = two_rows(&test);
    test.execute("ALTER TABLE product_purchase_counts DROP COLUMN purchase_count");
    let mut report = report("T");
    let error = sink.commit(&drained(2, 4), &mut report).unwrap_err();
    assert!(format!("{error:#}").contains("1054"), "{error:#}");
    assert_eq!(counts(&report), (0, 0, 0));
    assert_eq!(test.one(NEXT), "2");
    assert!(sink.take(&record(4, b"C", None)).is_err());
}

#[test]
fn an_account_that_may_only_read_is_told_so() {
    let test = fresh();
    let user = test.name.replace("lakectl_test", "r");
    test.execute(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'canary-Pw1'"));
    test.execute(&format!("GRANT SELECT ON `{}`.* TO '{user}'@'%'", test.name));
    let settings = test.settings_as(&user, "canary-Pw1");
    let warehouse = Warehouse::connect(settings.database.as_ref().unwrap()).unwrap();
    let mut sink = warehouse
        .open(test.topic(TOPIC), Duration::ZERO)
        .unwrap()
        .ours()
        .unwrap();
    sink.take(&record(0, b"A", Some("{}"))).unwrap();
    let error = format!("{:#}", sink.commit(&drained(0, 1), &mut report("T")).unwrap_err());
    test.execute(&format!("DROP USER '{user}'@'%'"));
    assert!(
        error.contains("1142")
            && error.contains("product_purchase_counts")
            && error.contains("GRANT SELECT, INSERT"),
        "{error}"
    );
    assert!(!error.contains("canary"), "{error}");
    assert_eq!(test.one("SELECT COUNT(*) FROM product_purchase_counts"), "0");
}

/// A CHECK and a foreign key that only the server knows: record by record, what it takes of a key stands.
fn the_earlier_good_update_counts(service: &Service) {
    let test = TestDatabase::new(service, CUSTOM);
    test.execute("CREATE TABLE parent (p INT PRIMARY KEY)");
    test.execute("INSERT INTO parent VALUES (1), (2)");
    test.execute(
        "CREATE TABLE custom (id VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, n INT, CHECK (n <> 13), p INT, \
         CONSTRAINT known FOREIGN KEY (p) REFERENCES parent (p))",
    );
    // The server keeps this row against its tombstone.
    test.execute(
        "CREATE TABLE child (id VARCHAR(20) COLLATE utf8mb4_bin, FOREIGN KEY (id) REFERENCES custom (id))",
    );
    let mut sink = test.open("CUSTOM");
    let before: Vec<(&str, Option<&str>)> = ["a", "b", "c", "d", "e", "f"]
        .map(|key| (key, Some(r#"{"N":1,"P":1}"#)))
        .to_vec();
    load(&mut sink, &records(&before));
    test.execute("INSERT INTO child VALUES ('e')");
    let changes = [
        ("a", Some(r#"{"N":2,"P":1}"#)),
        ("a", Some(r#"{"N":13,"P":1}"#)),
        // The later one brings nothing of what is wrong with the earlier one.
        ("b", Some(r#"{"N":13}"#)),
        ("b", Some(r#"{"P":2}"#)),
        ("c", Some(r#"{"N":2,"P":1}"#)),
        ("c", Some(r#"{"N":3,"P":2}"#)),
        ("c", Some(r#"{"N":4,"P":99}"#)),
        ("c", Some(r#"{"N":13,"P":1}"#)),
        ("d", None),
        ("d", Some(r#"{"N":13}"#)),
        ("e", Some(r#"{"N":5,"P":2}"#)),
        ("e", None),
        // Nothing good came before it but the row itself.
        ("f", Some(r#"{"N":13}"#)),
        ("g", Some(r#"{"N":7}"#)),
        ("g", None),
        ("h", Some(r#"{"N":8}"#)),
        ("h", Some(r#"{"N":9}"#)),
    ];
    let numbered = changes.iter().enumerate();
    let changes: Vec<_> = numbered
        .map(|(at, (key, value))| record(10 + at as i64, key.as_bytes(), *value))
        .collect();
    let report = load(&mut sink, &changes);
    assert_eq!(
        test.rows("SELECT id, n, p FROM custom ORDER BY id"),
        ["a|2|1", "b|1|2", "c|3|2", "e|5|2", "f|1|1", "h|9|NULL"]
    );
    assert_eq!(
        test.rows("SELECT `offset`, `key` FROM lakectl_rejects ORDER BY 1"),
        ["11|a", "12|b", "16|c", "17|c", "19|d", "21|e", "22|f"]
    );
    // d's row went before its later update was tried; it is not counted.
    assert_eq!((counts(&report), report.exit_code), ((5, 0, 7), exit::ATTENTION));
    assert_eq!(test.one(NEXT), "27");
}

#[test]
fn the_earlier_good_update_counts_on_mysql() {
    the_earlier_good_update_counts(&mysql_service());
}

#[test]
fn the_earlier_good_update_counts_on_mariadb() {
    the_earlier_good_update_counts(&mariadb_service());
}

#[test]
fn a_server_that_is_not_there_or_says_no_is_told_within_seconds() {
    let test = fresh();
    let began = Instant::now();
    let settings = test.settings_at(TOPICS, 1);
    let error = format!(
        "{:#}",
        Warehouse::connect(settings.database.as_ref().unwrap()).unwrap_err()
    );
    assert!(
        error.contains(":1/") && error.contains("is MySQL running there"),
        "{error}"
    );
    let settings = test.settings_as("nobody", "canary-Pw1");
    let error = format!(
        "{:#}",
        Warehouse::connect(settings.database.as_ref().unwrap()).unwrap_err()
    );
    assert!(
        error.contains("LAKECTL_WAREHOUSE_PASSWORD") && error.contains("`nobody`"),
        "{error}"
    );
    assert!(!error.contains("canary"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
    // A server that takes the connection and then says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = test.settings_at(TOPICS, silent.local_addr().unwrap().port());
    assert!(Warehouse::connect(settings.database.as_ref().unwrap()).is_err());
    assert!(began.elapsed() < Duration::from_secs(20));
}
