//! Runs side by side: one has the table, the others say so.

use mysql::Conn;
use mysql::prelude::Queryable;

use super::tables::{BY_TYPE, COUNTS, count};
use super::world::Warehouse;
use crate::common::kafka::{Record, Topic, record};
use crate::common::lake::number;
use crate::common::poll;
use crate::common::program::Running;

/// A run in the middle of its transaction: it has the lock, and waits for a row that another session has in hand.
pub struct Stuck {
    other: Conn,
    pub run: Running,
}

impl Stuck {
    pub fn at(warehouse: &Warehouse, key: &str, arguments: &[&str]) -> Stuck {
        let mut other = warehouse.session();
        other.query_drop("START TRANSACTION").unwrap();
        other
            .exec_drop(
                "INSERT INTO product_purchase_counts (product_id) VALUES (?)",
                (key,),
            )
            .unwrap();
        let run = warehouse.start(arguments);
        wait_for_one_that_waits(warehouse);
        Stuck { other, run }
    }

    /// The row is free again, as if nobody had ever touched it.
    pub fn release(mut self) -> Running {
        self.other.query_drop("ROLLBACK").unwrap();
        self.run
    }
}

fn wait_for_one_that_waits(warehouse: &Warehouse) {
    let mut watcher = warehouse.session();
    poll("a run to wait for a row", || {
        let waiting: Option<i32> = watcher
            .exec_first(
                "SELECT 1 FROM performance_schema.data_lock_waits AS w \
                 JOIN performance_schema.threads AS t ON t.THREAD_ID = w.REQUESTING_THREAD_ID \
                 WHERE t.PROCESSLIST_DB = ?",
                (&warehouse.database,),
            )
            .unwrap();
        waiting
    });
}

fn counts(number: i64) -> Vec<Record> {
    (0..number).map(|i| count(&format!("k{}", i % 50), i)).collect()
}

#[test]
fn of_two_runs_one_is_locked_out() {
    let (topic, other) = (Topic::compacted("locked"), Topic::compacted("other"));
    topic.send(&counts(200));
    other.send(&[record("refund", "{\"TOTAL_AMOUNT\":1.5,\"TRANSACTION_COUNT\":1}")]);
    let warehouse =
        Warehouse::of_counts(&topic).table(&other, "total_par_transaction_type", "transaction_type");
    let stuck = Stuck::at(&warehouse, "k0", &["--topics", &topic.name]);
    let report = warehouse.run(&[]).expect(11).report();
    let (own, free) = (&report["topics"][0], &report["topics"][1]);
    assert_eq!(
        (&own["topic"], &own["status"]),
        (&topic.name[..].into(), &"locked".into())
    );
    assert!(own["error"].as_str().unwrap().contains("another run"), "{own}");
    assert_eq!((&free["status"], number(free, "upserted")), (&"ok".into(), 1));
    BY_TYPE.assert_equals(&warehouse, &other);
    // A failure elsewhere is the worse news.
    let list = format!("{},no-such-topic", topic.name);
    warehouse.run(&["--kind", "table", "--topics", &list]).expect(1);
    warehouse
        .run(&["--wait", "100ms", "--topics", &topic.name])
        .expect(11);
    // A dry run takes no lock.
    let report = warehouse.run(&["--dry-run"]).expect(0).report();
    assert_eq!(number(&report["totals"], "remaining"), 200);
    let waiting = warehouse.start(&["--wait", "1m", "--topics", &topic.name]);
    let first = stuck.release().wait().expect(0).report();
    assert_eq!(number(&first["topics"][0], "upserted"), 50);
    let second = waiting.wait().expect(0).report();
    assert_eq!(number(&second["totals"], "read"), 0);
    COUNTS.assert_equals(&warehouse, &topic);
}

#[test]
fn runs_that_start_together_double_nothing() {
    let topic = Topic::with("together", 3, &[("cleanup.policy", "compact")]);
    let spread = |(i, record): (usize, Record)| record.to(i32::try_from(i % 3).unwrap());
    // 51 has 3 as a divisor: a key stays in its Kafka partition.
    let records = (0..3_000).map(|i| count(&format!("k{}", i % 51), i));
    topic.send(&records.enumerate().map(spread).collect::<Vec<_>>());
    let warehouse = Warehouse::of_counts(&topic);
    let runs: Vec<Running> = (0..4).map(|_| warehouse.start(&[])).collect();
    let runs: Vec<_> = runs.into_iter().map(Running::wait).collect();
    assert!(runs.iter().all(|run| matches!(run.code, 0 | 11)), "{runs:#?}");
    let read = |run: &crate::common::program::Run| number(&run.report()["totals"], "read");
    assert_eq!(runs.iter().map(read).sum::<i64>(), 3_000, "{runs:#?}");
    COUNTS.assert_equals(&warehouse, &topic);
    assert_eq!(number(&warehouse.drain()["totals"], "read"), 0);
}

/// The wait for a lock is not repeated after a signal.
#[test]
fn an_erasure_that_waits_for_a_row_hears_a_signal() {
    let topic = Topic::compacted("signal");
    topic.send(&[count("a", 1)]);
    let warehouse = Warehouse::of_counts(&topic);
    warehouse.drain();
    let mut other = warehouse.session();
    other.query_drop("START TRANSACTION").unwrap();
    other
        .query_drop("UPDATE product_purchase_counts SET purchase_count = 2")
        .unwrap();
    let key = format!("{}=a", topic.name);
    let erase = ["purge", "--only", "warehouse", "--yes", "--key", &key];
    let run = warehouse.start_with(&erase, &[]);
    wait_for_one_that_waits(&warehouse);
    run.signal(rustix::process::Signal::TERM);
    let run = run.wait();
    other.query_drop("ROLLBACK").unwrap();
    run.fails(143, &["stopped by a signal, and nothing was changed"]);
    assert_eq!(COUNTS.rows(&mut warehouse.session()).len(), 1);
}
