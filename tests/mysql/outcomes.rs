//! Locks on whole tables, answers that never come, and statements that must not come true after we have gone: what is told
//! is what the server has.

use crate::service::*;
use crate::{COUNTS, TOPICS, proxy};
use chrono_tz::UTC;
use lakectl::config::Database;
use lakectl::grants::{self, Permission};
use lakectl::locked::Locked;
use lakectl::problem::Problem;
use lakectl::stop::Stop;
use lakectl::subjects::subject::Subject;
use lakectl::target::Sink;
use lakectl::warehouse::{
    InitDbMode, PurgeEnded, RowsPurged, Session, TablePlan, Warehouse, init_db, init_db_within, standing,
};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const COUNTS_TOPIC: &str = "PRODUCT_PURCHASE_COUNTS";
const LIFECYCLE: &str = "TRANSACTION_LIFECYCLE";
const IDS: &str = "SELECT transaction_id FROM transaction_lifecycle ORDER BY 1";

fn on(service: &Service) -> TestDatabase {
    TestDatabase::new(service, TOPICS)
}

fn services() -> [Service; 2] {
    [mysql_service(), mariadb_service()]
}

/// Somebody else's table of that name, for which the server takes its time.
const SLOWLY_MADE: &str = "CREATE TABLE lakectl_erasures SELECT SLEEP(1000)";

fn wait_until_it_sleeps(watcher: &mut Conn, session: u32) {
    until("the other to begin", || {
        sessions(watcher, "ID = ? AND STATE = 'User sleep'", (session,)).pop()
    });
}

fn waiting(watcher: &mut Conn, test: &TestDatabase) -> Vec<u64> {
    sessions(watcher, "DB = ? AND STATE LIKE '%metadata lock%'", (&test.name,))
}

/// As a backup or a person at the keyboard does.
fn read_lock(test: &TestDatabase, table: &str) -> Conn {
    let mut holder = test.session();
    holder.query_drop(format!("LOCK TABLES {table} READ")).unwrap();
    holder
}

fn three_old_rows(test: &TestDatabase) -> TablePlan {
    test.execute(
        "INSERT INTO transaction_lifecycle (transaction_id, last_update_time) VALUES ('a', '2020-01-01'), \
         ('b', '2020-01-02'), ('c', '2020-01-03'), ('new', '2025-01-01')",
    );
    test.warehouse()
        .survey_rows(
            test.topic(LIFECYCLE),
            "last_update_time",
            "2021-01-01".parse().unwrap(),
            UTC,
        )
        .unwrap()
}

fn ours<T>(locked: Locked<T>) -> T {
    match locked {
        Locked::Ours(value) => value,
        Locked::HeldBy(holder) => panic!("the lock is free, not held by {holder}"),
    }
}

fn purge(database: &Database, plan: &TablePlan, deadline: Option<Instant>) -> anyhow::Result<RowsPurged> {
    let warehouse = Warehouse::connect(database)?;
    let purged = warehouse.purge_rows(plan, Duration::ZERO, deadline, &Stop::default(), &mut |_| {});
    purged.map(ours)
}

fn through(test: &TestDatabase, port: u16) -> Database {
    test.settings_at(TOPICS, port).database.unwrap()
}

#[test]
fn a_load_into_a_locked_table_ends_in_time() {
    for service in services() {
        let test = on(&service);
        let mut sink = test.open(COUNTS_TOPIC);
        load(&mut sink, &records(&[("A", Some(r#"{"PURCHASE_COUNT":1}"#))]));
        drop(sink);
        let mut holder = read_lock(&test, "product_purchase_counts");
        let mut sink = test.open(COUNTS_TOPIC);
        sink.set_patience(Duration::from_secs(1));
        sink.take(&record(1, b"A", Some(r#"{"PURCHASE_COUNT":2}"#)))
            .unwrap();
        let error = sink.commit(&drained(1, 2), &mut report("T")).unwrap_err();
        let text = format!("{error:#}");
        let fix = Problem::of(&error).fix.unwrap_or_default();
        assert!(fix.starts_with("another session holds a lock"), "{text}");
        for word in [
            "nothing of this transaction was committed",
            "SHOW FULL PROCESSLIST",
            "performance_schema.metadata_locks",
        ] {
            assert!(text.contains(word), "no {word:?} in: {text}");
        }
        assert_eq!(waiting(&mut test.session(), &test), [0; 0]);
        holder.query_drop("UNLOCK TABLES").unwrap();
        drop(sink);
        assert_eq!(test.rows(COUNTS), ["A|1"]);
        let mut sink = test.open(COUNTS_TOPIC);
        load(&mut sink, &[record(1, b"A", Some(r#"{"PURCHASE_COUNT":2}"#))]);
        assert_eq!(test.rows(COUNTS), ["A|2"]);
    }
}

#[test]
fn a_purge_of_a_locked_table_ends_in_time_and_deletes_nothing_later() {
    for service in services() {
        let test = on(&service);
        let plan = three_old_rows(&test);
        let mut holder = read_lock(&test, "transaction_lifecycle");
        // The time is over when the first wait is.
        let soon = Instant::now() + Duration::from_secs(1);
        let purged = purge(test.settings.database.as_ref().unwrap(), &plan, Some(soon)).unwrap();
        assert_eq!((purged.deleted, purged.left), (0, 3));
        assert_eq!(waiting(&mut test.session(), &test), [0; 0]);
        holder.query_drop("UNLOCK TABLES").unwrap();
        // Whoever had waited before us would have had the table by now.
        test.execute("LOCK TABLES transaction_lifecycle WRITE");
        assert_eq!(test.rows(IDS), ["a", "b", "c", "new"]);
    }
}

/// A proxy whose clients can be cut off without the server's noticing.
#[derive(Clone, Default)]
struct HalfOpen(Arc<Mutex<Vec<TcpStream>>>);

impl HalfOpen {
    fn start(&self, server: u16) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let clients = self.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let upstream = TcpStream::connect(("127.0.0.1", server)).unwrap();
                clients.0.lock().unwrap().push(client.try_clone().unwrap());
                let (mut to, mut from) = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    // As long as this lives, the server's side stays open.
                    std::mem::forget(to);
                });
                let (mut from, mut to) = (upstream, client);
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        });
        port
    }

    fn cut_all(&self) {
        for client in self.0.lock().unwrap().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

#[test]
fn a_session_that_was_lost_while_it_waited_is_ended() {
    for service in services() {
        let test = on(&service);
        let plan = three_old_rows(&test);
        let wire = HalfOpen::default();
        let database = through(&test, wire.start(test.port()));
        let mut holder = read_lock(&test, "transaction_lifecycle");
        let mut watcher = test.session();
        std::thread::scope(|scope| {
            let purging = scope.spawn(|| purge(&database, &plan, None));
            let ghost = until("a wait for the table", || waiting(&mut watcher, &test).pop());
            wire.cut_all();
            until("the lost session's end", || {
                sessions(&mut watcher, "ID = ?", (ghost,))
                    .is_empty()
                    .then_some(())
            });
            holder.query_drop("UNLOCK TABLES").unwrap();
            let purged = purging.join().unwrap().unwrap();
            assert_eq!((purged.deleted, purged.left), (3, 0));
        });
        assert_eq!(test.rows(IDS), ["new"]);
    }
}

/// The cutoff's COMMIT; and that of the rows, unless the cutoff's never came through.
#[test]
fn a_purge_whose_commits_are_not_answered_counts_what_went() {
    for service in services() {
        for cut in [proxy::Cut::Before, proxy::Cut::After] {
            let test = on(&service);
            let plan = three_old_rows(&test);
            let (port, left) = proxy::start(test.port(), cut, 2);
            let purged = purge(&through(&test, port), &plan, None).unwrap();
            assert_eq!((purged.deleted, purged.left), (3, 0));
            assert_eq!(left.load(Ordering::SeqCst), 0);
            assert_eq!(test.rows(IDS), ["new"]);
            assert_eq!(test.one("SELECT COUNT(*) FROM lakectl_cutoffs"), "1");
        }
    }
}

/// Somebody else writes while the outcome of the COMMIT is looked up.
#[test]
fn what_others_write_meanwhile_is_not_taken_for_ours() {
    for service in services() {
        let rows_of_others = [
            // Ours went, and others bring more old rows.
            (
                proxy::Cut::AfterDeletion,
                "INSERT INTO transaction_lifecycle (transaction_id, last_update_time) VALUES ('d', '2020-01-01'), \
                 ('e', '2020-01-01'), ('f', '2020-01-01')",
                RowsPurged {
                    deleted: 3,
                    ..RowsPurged::default()
                },
                &["d", "e", "f", "new"][..],
            ),
            // Ours stayed, and others delete them.
            (
                proxy::Cut::BeforeDeletion,
                "DELETE FROM transaction_lifecycle WHERE transaction_id <> 'new'",
                RowsPurged::default(),
                &["new"],
            ),
        ];
        for (cut, of_others, expected, left) in rows_of_others {
            let test = on(&service);
            let plan = three_old_rows(&test);
            let other = Mutex::new(test.session());
            let (port, cuts_left) = proxy::start_then(test.port(), cut, 1, move || {
                let mut other = other.lock().unwrap();
                if cut == proxy::Cut::AfterDeletion {
                    until("the COMMIT to count", || {
                        let rows: Option<u64> = other
                            .query_first("SELECT COUNT(*) FROM transaction_lifecycle")
                            .unwrap();
                        (rows == Some(1)).then_some(())
                    });
                }
                other.query_drop(of_others).unwrap();
            });
            let purged = purge(&through(&test, port), &plan, None).unwrap();
            assert_eq!(purged, expected);
            assert_eq!(cuts_left.load(Ordering::SeqCst), 0);
            assert_eq!(test.rows(IDS), left);
        }
    }
}

/// A lost connection is asked nothing more: on a silent wire each question would be waited for.
#[test]
fn a_lost_session_is_not_asked_to_roll_back() {
    let said_nothing_more = |said: &Mutex<Vec<u8>>| {
        let said = String::from_utf8_lossy(&said.lock().unwrap()).into_owned();
        assert!(!said.contains("ROLLBACK"), "{said:?}");
    };
    let test = on(&mysql_service());
    let plan = three_old_rows(&test);
    let (port, said) = proxy::deaf(test.port(), "DELETE FROM");
    let purged = purge(&through(&test, port), &plan, None).unwrap();
    assert_eq!((purged.deleted, purged.left), (3, 0));
    said_nothing_more(&said);

    let (port, said) = proxy::deaf(test.port(), "INSERT INTO user_permissions");
    let mut session = Session::open(&through(&test, port)).unwrap();
    grants::set(&mut session, ("ann", "streams"), Permission::Read, "run", false).unwrap();
    said_nothing_more(&said);

    let (port, said) = proxy::deaf(test.port(), "INSERT INTO `product_purchase_counts`");
    let warehouse = Warehouse::connect(&through(&test, port)).unwrap();
    let opened = warehouse.open(test.topic(COUNTS_TOPIC), Duration::ZERO).unwrap();
    let mut sink = ours(opened);
    sink.set_patience(Duration::ZERO);
    sink.take(&record(0, b"A", Some(r#"{"PURCHASE_COUNT":1}"#)))
        .unwrap();
    let error = sink.commit(&drained(0, 1), &mut report("T")).unwrap_err();
    assert!(format!("{error:#}").contains("nothing of this transaction was committed"));
    drop(sink);
    said_nothing_more(&said);
}

#[test]
fn a_survey_that_loses_its_connection_says_where_and_what_to_do() {
    let test = on(&mysql_service());
    let (port, left) = proxy::start(test.port(), proxy::Cut::Of("SELECT COUNT(*)"), 1);
    let database = through(&test, port);
    let warehouse = Warehouse::connect(&database).unwrap();
    let day = "2021-01-01".parse().unwrap();
    let lost = warehouse.survey_rows(test.topic(LIFECYCLE), "last_update_time", day, UTC);
    let text = format!("{:#}", lost.unwrap_err());
    assert_eq!(left.load(Ordering::SeqCst), 0);
    let where_and_what = [
        format!("topic {LIFECYCLE}"),
        format!("the connection to {} was lost", database.shown()),
        "nothing was changed".to_owned(),
        "run again".to_owned(),
    ];
    for word in where_and_what {
        assert!(text.contains(&word), "no {word:?} in: {text}");
    }
}

#[test]
fn an_erasure_whose_commits_are_not_answered_counts_what_went() {
    for cut in [proxy::Cut::Before, proxy::Cut::After] {
        let test = on(&mysql_service());
        let mut sink = test.open(COUNTS_TOPIC);
        let one = Some(r#"{"PURCHASE_COUNT":1}"#);
        let refused = Some(r#"{"PURCHASE_COUNT":"many"}"#);
        load(&mut sink, &records(&[("A", one), ("B", one), ("A", refused)]));
        drop(sink);
        let (port, left) = proxy::start(test.port(), cut, 2);
        let warehouse = Warehouse::connect(&through(&test, port)).unwrap();
        let subjects = [Subject::key(&format!("{COUNTS_TOPIC}=A")).unwrap()];
        let topic = test.topic(COUNTS_TOPIC);
        let deleted = warehouse.delete_subjects(topic, &subjects, Duration::ZERO, &Stop::default());
        let hits = ours(deleted.unwrap());
        assert_eq!((hits.rows, hits.rejects), (1, 1));
        assert_eq!(left.load(Ordering::SeqCst), 0);
        assert_eq!(test.rows(COUNTS), ["B|1"]);
        assert_eq!(test.one("SELECT COUNT(*) FROM lakectl_rejects"), "0");
    }
}

#[test]
fn a_permission_whose_commit_is_not_answered_is_given_once() {
    for service in services() {
        for cut in [proxy::Cut::Before, proxy::Cut::After] {
            let test = on(&service);
            let (port, left) = proxy::start(test.port(), cut, 1);
            let mut session = Session::open(&through(&test, port)).unwrap();
            let place = ("ann", "streams");
            let (change, entry) = grants::set(&mut session, place, Permission::Read, "run", false).unwrap();
            assert!(change.changed && entry.is_some());
            assert_eq!(left.load(Ordering::SeqCst), 0);
            let told =
                "SELECT user_id, permission, (SELECT COUNT(*) FROM lakectl_audit) FROM user_permissions";
            assert_eq!(test.rows(told), ["ann|read|1"]);
        }
    }
}

/// The server lets nobody in any more after the COMMIT of the rows.
#[test]
fn what_nobody_can_tell_is_told_as_unknown() {
    let test = on(&mysql_service());
    let plan = three_old_rows(&test);
    let user = test.name.replace("lakectl_test", "u");
    test.execute(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY ''"));
    test.execute(&format!("GRANT ALL ON `{}`.* TO '{user}'@'%'", test.name));
    let mut admin = test.session();
    let lock_out = format!("ALTER USER '{user}'@'%' ACCOUNT LOCK");
    let cutoffs = "SELECT 1 FROM lakectl_cutoffs";
    let locked_out = Arc::new(Mutex::new(false));
    let (admin_too, done) = (Mutex::new(test.session()), Arc::clone(&locked_out));
    let (port, _) = proxy::start_then(test.port(), proxy::Cut::After, 2, move || {
        let mut admin = admin_too.lock().unwrap();
        // The first is the cutoff's, and counts by now or a moment later.
        if std::mem::replace(&mut *done.lock().unwrap(), true) {
            admin.query_drop(&lock_out).unwrap();
        } else {
            until("the cutoff", || admin.query_first::<u8, _>(cutoffs).unwrap());
        }
    });
    let database = test.settings_as_at(&user, "", TOPICS, port).database.unwrap();
    let error = purge(&database, &plan, None).unwrap_err();
    admin.query_drop(format!("DROP USER '{user}'@'%'")).unwrap();
    let text = format!("{error:#}");
    assert!(
        text.contains("0 rows are deleted, 3 are left") && text.contains("of 3 of these it is unknown"),
        "{text}"
    );
    let ended = error.downcast_ref::<PurgeEnded>().unwrap();
    assert_eq!(
        (ended.purged.deleted, ended.purged.left, ended.unknown),
        (0, 3, 3)
    );
}

/// Somebody is making a table of that name, and takes his time.
#[test]
fn a_schema_that_is_locked_is_not_waited_for_for_ever() {
    let test = on(&mysql_service());
    test.execute("DROP TABLE lakectl_erasures");
    let mut holder = test.session();
    let session = holder.connection_id();
    let mut watcher = test.session();
    std::thread::scope(|scope| {
        let making = scope.spawn(move || holder.query_drop(SLOWLY_MADE));
        wait_until_it_sleeps(&mut watcher, session);
        let refused = init_db(test.settings.database.as_ref(), InitDbMode::Apply);
        let left = waiting(&mut watcher, &test);
        watcher.query_drop(format!("KILL {session}")).unwrap();
        making.join().unwrap().unwrap_err();
        let text = format!("{:#}", refused.unwrap_err());
        assert!(
            text.contains("migration 006_erasures") && text.contains("another session holds a lock"),
            "{text}"
        );
        assert_eq!(left, [0; 0]);
    });
    // Whether the other's table came to be depends on where it was interrupted.
    test.execute("DROP TABLE IF EXISTS lakectl_erasures");
    let outcome = init_db(test.settings.database.as_ref(), InitDbMode::Apply).unwrap();
    assert_eq!(outcome.applied, ["006_erasures"]);
}

/// The wire is cut while the statement waits, and the time is up: nothing of it comes true later, and what is missing is told.
#[test]
fn a_schema_statement_that_was_lost_is_ended_and_looked_up() {
    let test = on(&mysql_service());
    test.execute("DROP TABLE lakectl_erasures");
    let wire = HalfOpen::default();
    let database = through(&test, wire.start(test.port()));
    let mut holder = test.session();
    let session = holder.connection_id();
    let mut watcher = test.session();
    std::thread::scope(|scope| {
        let making = scope.spawn(move || holder.query_drop(SLOWLY_MADE));
        wait_until_it_sleeps(&mut watcher, session);
        let applying = scope.spawn(|| init_db_within(Some(&database), InitDbMode::Apply, Duration::ZERO));
        let ghost = until("a wait for the table", || waiting(&mut watcher, &test).pop());
        wire.cut_all();
        let text = format!("{:#}", applying.join().unwrap().unwrap_err());
        assert!(
            text.contains("not made yet: migration 006_erasures: CREATE TABLE"),
            "{text}"
        );
        assert!(!waiting(&mut watcher, &test).contains(&ghost));
        watcher.query_drop(format!("KILL {session}")).unwrap();
        making.join().unwrap().unwrap_err();
    });
}

#[test]
fn a_schema_statement_whose_answer_was_lost_is_looked_up() {
    for service in services() {
        let test = on(&service);
        test.execute("DROP TABLE lakectl_last_change");
        let watcher = Mutex::new(test.session());
        let made = proxy::Cut::AnswerTo("CREATE TABLE IF NOT EXISTS lakectl_last_change");
        let (port, left) = proxy::start_then(test.port(), made, 1, move || {
            let mut watcher = watcher.lock().unwrap();
            until("the table", || {
                watcher.query_drop("SELECT 1 FROM lakectl_last_change").ok()
            });
        });
        let database = through(&test, port);
        let outcome = init_db_within(Some(&database), InitDbMode::Apply, Duration::ZERO).unwrap();
        assert_eq!(left.load(Ordering::SeqCst), 0);
        assert_eq!(outcome.applied, ["008_last_change"]);
    }
}

/// A proxy that answers SET by itself, or sets something else: no session of any command begins to read or write.
#[test]
fn a_session_that_is_not_as_it_was_set_is_refused() {
    for service in services() {
        let test = on(&service);
        let port = proxy::rewriting(test.port(), "time_zone = '+00:00'", "time_zone = '+05:00'");
        let database = through(&test, port);
        let refused = [
            Warehouse::connect(&database).map(drop),
            Session::open(&database).map(drop),
            init_db(Some(&database), InitDbMode::Apply).map(drop),
            init_db(Some(&database), InitDbMode::Check).map(drop),
            init_db(Some(&database), InitDbMode::Preview).map(drop),
            standing(&database, &[], Duration::from_secs(5)).map(drop),
        ];
        for refused in refused {
            let text = format!("{:#}", refused.unwrap_err());
            let words = "the session's time_zone is +05:00, although lakectl has just set it to +00:00";
            assert!(text.contains(words), "{text}");
        }
        let port = proxy::rewriting(test.port(), "sql_safe_updates = 0", "sql_safe_updatez = 0");
        let refused = Warehouse::connect(&through(&test, port)).unwrap_err();
        let text = format!("{refused:#}");
        assert!(
            text.contains("can't have lakectl's settings") && text.contains("sql_safe_updatez"),
            "{text}"
        );
    }
}

/// On a server that tells case apart these are two tables, and a person may be in both.
#[test]
fn tables_whose_names_differ_in_case_are_two() {
    let test = TestDatabase::new(
        &mysql_service(),
        "[topics.ORDERS]\nkind = \"table\"\nwarehouse.table = \"orders\"\n",
    );
    test.execute("INSERT INTO lakectl_progress (table_name, topic, kafka_partition, next_offset) VALUES ('Orders', 'ORDERS', 0, 7)");
    let topics = test.warehouse().loaded_topics(&test.settings).unwrap();
    let tables: Vec<&str> = topics.iter().map(|topic| topic.table.as_str()).collect();
    assert_eq!(tables, ["Orders", "orders"]);
}
