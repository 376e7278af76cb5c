//! A table of so many records that its Kafka partitions come in turns, each with a transaction of its own: runs that are
//! killed or stopped amid them, and limits, which no turn may be left behind by.

use rustix::process::Signal;

use super::locks::Stuck;
use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::kafka::Topic;
use crate::common::lake::number;
use crate::common::poll;

/// Two turns' worth: below that, all is one transaction.
const EACH: i64 = 100_000;
/// So many rows that a turn is worth a transaction.
const KEYS: i64 = 25_000;

fn two_turns(label: &str) -> Topic {
    let topic = Topic::with(label, 2, &[("cleanup.policy", "compact")]);
    for partition in 0..2 {
        let record = |n| count(&format!("key-{partition}-{}", n % KEYS), n).to(partition);
        topic.send(&(0..EACH).map(record).collect::<Vec<_>>());
    }
    topic
}

#[test]
fn killed_between_turns() {
    let topic = two_turns("between");
    let records = topic.read();
    let warehouse = Warehouse::of_counts(&topic);
    // What waits for this row is the second turn's transaction.
    let stuck = Stuck::at(&warehouse, "key-1-7", &[]);
    let next = COUNTS.assert_whole(&warehouse, &topic, &records);
    assert_eq!((next[&0], next[&1]), (EACH, 0));
    stuck.run.signal(Signal::KILL);
    stuck.release().wait().expect(137);
    COUNTS.assert_whole(&warehouse, &topic, &records);
    let report = warehouse.one(&["--wait", "50s"], 0);
    assert_eq!(
        (number(&report, "read"), number(&report, "upserted")),
        (EACH, KEYS)
    );
    COUNTS.assert_equals(&warehouse, &topic);
}

#[test]
fn stopped_amid_a_turn_and_limited() {
    let topic = two_turns("amid_turn");
    let records = topic.read();
    let warehouse = Warehouse::of_counts(&topic);
    // A limit is shared by both: turns would leave the second out, run after run.
    let report = warehouse.one(&["--max-messages", "80000"], 0);
    assert_eq!(number(&report, "read"), 80_000);
    let next = COUNTS.assert_whole(&warehouse, &topic, &records);
    assert_eq!((next[&0], next[&1]), (40_000, 40_000));
    for _ in 0..2 {
        warehouse.execute("DELETE FROM lakectl_progress");
        warehouse.execute("DELETE FROM product_purchase_counts");
        let mut run = warehouse.start(&[]);
        let tasks = format!("/proc/{}/task", run.child.id());
        poll("the thread that reads", || {
            let names = std::fs::read_dir(&tasks).ok()?.flatten();
            let mut names = names.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
            (run.is_over() || names.any(|name| name == "poll\n")).then_some(())
        });
        run.signal(Signal::TERM);
        run.wait().expect(143);
        COUNTS.assert_whole(&warehouse, &topic, &records);
    }
    warehouse.drain();
    COUNTS.assert_equals(&warehouse, &topic);
}
