//! A MySQL that is in the way: rights that are missing, rows that it refuses, a wire that is cut, a lock that is lost.

use mysql::prelude::Queryable;
use rustix::process::Signal;
use std::sync::atomic::Ordering;

use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::kafka::{Record, Topic, brokers, tombstone};
use crate::common::kafka_proxy::{Hold, KafkaProxy};
use crate::common::lake::number;
use crate::common::poll;
use crate::common::program::Run;
use crate::common::proxy::{self, Cut};

/// Another account on the warehouse's database, for the time of a test.
struct Account<'a> {
    warehouse: &'a Warehouse,
    name: String,
}

impl<'a> Account<'a> {
    fn new(warehouse: &'a Warehouse, rights: &str) -> Account<'a> {
        let name = format!("r{}", &warehouse.database["lakectl_outside_".len()..]);
        warehouse.execute(&format!("CREATE USER '{name}'@'%' IDENTIFIED BY 'canary-Pw1'"));
        warehouse.execute(&format!(
            "GRANT {rights} ON `{}`.* TO '{name}'@'%'",
            warehouse.database
        ));
        Account { warehouse, name }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let url = format!(
            "mysql://{}@{}/{}",
            self.name, self.warehouse.address, self.warehouse.database
        );
        let own = [
            ("LAKECTL_WAREHOUSE_URL", url.as_str()),
            ("LAKECTL_WAREHOUSE_PASSWORD", "canary-Pw1"),
        ];
        let run = self
            .warehouse
            .start_with(&[&["warehouse"], arguments].concat(), &own)
            .wait();
        assert!(!format!("{run:?}").contains("canary"), "{run:?}");
        run
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        let _ = self
            .warehouse
            .session()
            .query_drop(format!("DROP USER '{}'@'%'", self.name));
    }
}

#[test]
fn an_account_that_may_only_read() {
    let topic = Topic::compacted("reader");
    topic.send(&[count("a", 1)]);
    let warehouse = Warehouse::of_counts(&topic);
    let reader = Account::new(&warehouse, "SELECT");
    let grant = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON `{}`", warehouse.database);
    reader
        .run(&[])
        .fails(1, &["nothing of this transaction was committed", &grant]);
    assert_eq!(
        warehouse.value("SELECT COUNT(*) FROM product_purchase_counts"),
        "0"
    );
    warehouse.drain();
    COUNTS.assert_equals(&warehouse, &topic);
}

#[test]
fn a_rebuild_without_the_right_to_temporary_tables() {
    let topic = Topic::compacted("temporary");
    topic.send(&[count("a", 1), count("b", 1), tombstone("b")]);
    let warehouse = Warehouse::of_counts(&topic);
    let writer = Account::new(&warehouse, "SELECT, INSERT, UPDATE, DELETE");
    writer.run(&[]).expect(0);
    let grant = format!(
        "GRANT CREATE TEMPORARY TABLES ON `{}`.* TO '{}'",
        warehouse.database, writer.name
    );
    writer
        .run(&["--rebuild"])
        .fails(1, &["a rebuild needs a temporary table", &grant]);
    COUNTS.assert_equals(&warehouse, &topic);
    warehouse.execute(&format!(
        "GRANT CREATE TEMPORARY TABLES ON `{}`.* TO '{}'@'%'",
        warehouse.database, writer.name
    ));
    writer.run(&["--rebuild"]).expect(0);
}

#[test]
fn a_row_that_the_server_refuses_in_the_middle_of_a_batch() {
    let topic = Topic::compacted("check");
    let warehouse = Warehouse::of_counts(&topic);
    warehouse.execute("ALTER TABLE product_purchase_counts ADD CHECK (purchase_count <> 13)");
    topic.send(&[count("k0300", 1), count("k0301", 1)]);
    warehouse.drain();
    let mut records: Vec<Record> = (0..700).map(|i| count(&format!("k{i:04}"), i + 100)).collect();
    // One key's earlier update is good, of another there was only the row.
    records.insert(301, count("k0300", 13));
    records[302] = count("k0301", 13);
    topic.send(&records);
    let report = warehouse.one(&[], 3);
    assert_eq!(
        (number(&report, "upserted"), number(&report, "rejected")),
        (699, 2),
        "{report}"
    );
    let rejects = "SELECT `offset`, errno, `key` FROM lakectl_rejects ORDER BY 1";
    let text = |cells: [&str; 3]| cells.map(|cell| Some(cell.to_owned())).to_vec();
    assert_eq!(
        warehouse.query(rejects),
        [text(["303", "3819", "k0300"]), text(["304", "3819", "k0301"])]
    );
    let landed: Vec<Record> = topic
        .read()
        .into_iter()
        .filter(|record| ![303, 304].contains(&record.offset))
        .collect();
    assert_eq!(COUNTS.rows(&mut warehouse.session()), COUNTS.fold(&landed));
    assert_eq!(number(&warehouse.one(&[], 0), "read"), 0);
}

#[test]
fn a_connection_cut_in_the_middle_of_a_statement() {
    let topic = Topic::compacted("amid");
    let long = "x".repeat(200);
    topic.send(
        &(0..1_500)
            .map(|i| count(&format!("{long}{i}"), i))
            .collect::<Vec<_>>(),
    );
    let warehouse = Warehouse::of_counts(&topic);
    let port = warehouse.address.rsplit_once(':').unwrap().1.parse().unwrap();
    let (port, left) = proxy::start(port, Cut::Amid(30_000), 3);
    let url = format!(
        "mysql://{}@127.0.0.1:{port}/{}",
        warehouse.user, warehouse.database
    );
    let run = warehouse.run(&["--url", &url]).expect(0);
    assert_eq!(left.load(Ordering::SeqCst), 0);
    assert_eq!(number(&run.report()["totals"], "written"), 1_500);
    COUNTS.assert_equals(&warehouse, &topic);
}

/// Two hosts share no file lock: GET_LOCK keeps them apart, and where it is lost, the progress does.
#[test]
fn a_run_that_lost_its_lock_finds_the_progress_moved() {
    let topic = Topic::compacted("hosts");
    let warehouse = Warehouse::of_counts(&topic);
    topic.send_in_batches(
        &(0..400)
            .map(|i| count(&format!("k{}", i % 50), i))
            .collect::<Vec<_>>(),
        20,
    );
    let (hold, judge) = Hold::after(3);
    let proxy = KafkaProxy::new(brokers(), judge);
    let small = "fetch.message.max.bytes=1000";
    let first = warehouse.start(&["--brokers", &proxy.address, "-X", small, "--max-messages", "300"]);
    hold.wait();
    // The other host finds the lock, as long as it is held.
    warehouse.run(&[]).expect(11);
    first.signal(Signal::STOP);
    end_sessions(&warehouse);
    // Which is further than the first run will come.
    assert_eq!(number(&warehouse.one(&[], 0), "read"), 400);
    first.signal(Signal::CONT);
    hold.release();
    let report = first.wait().expect(1).report();
    let error = report["topics"][0]["error"].as_str().unwrap();
    for word in [
        "someone else moved the progress",
        "nothing was committed",
        "run again",
    ] {
        assert!(error.contains(word), "no {word:?} in {error}");
    }
    COUNTS.assert_equals(&warehouse, &topic);
    assert_eq!(number(&warehouse.one(&[], 0), "read"), 0);
}

/// As a router does that forgets its connections: the server ends the sessions, and the locks with them.
fn end_sessions(warehouse: &Warehouse) {
    let mut admin = warehouse.session();
    let own = admin.connection_id();
    let list = "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = ? AND ID <> ?";
    poll("the sessions to end", || {
        let sessions: Vec<u64> = admin.exec(list, (&warehouse.database, own)).unwrap();
        for session in &sessions {
            // Some of them may just have ended by themselves.
            let _ = admin.query_drop(format!("KILL {session}"));
        }
        sessions.is_empty().then_some(())
    });
}
