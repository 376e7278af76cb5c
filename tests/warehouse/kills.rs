//! Runs that are killed before an answer of MySQL's, and amid their transaction. Rows and progress never part, and the
//! next run makes it good. (tests/crash kills at every word to MySQL, and at any moment.)

use rustix::process::Signal;

use super::locks::Stuck;
use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::kafka::{Topic, tombstone};
use crate::common::lake::number;
use crate::common::strace;

/// The session of a run that was killed keeps the lock until the server notices.
const PATIENT: [&str; 2] = ["--wait", "50s"];

/// Kills before each answer is read, the COMMIT's among them: the server may still be at work on it.
#[test]
fn killed_before_every_answer() {
    let topic = Topic::with("every", 2, &[("cleanup.policy", "compact")]);
    let warehouse = Warehouse::of_counts(&topic);
    topic.send(&[count("new0", 0), count("other", 0).to(1)]);
    for nth in 1..1000 {
        // Nothing is left over, and what is new looks as it always does: the run says the same words each time.
        warehouse.run(&PATIENT).expect(0);
        let n = i64::from(nth);
        topic.send(&[
            count("always", n),
            count(&format!("new{n}"), n),
            tombstone(&format!("new{}", n - 1)),
            count("other", n).to(1),
        ]);
        let killed = strace::kill_at("recvfrom", nth, None, |command| {
            command
                .args(["warehouse", "-q"])
                .args(PATIENT)
                .env("LAKECTL_WAREHOUSE_URL", warehouse.url())
                .env("LAKECTL_WAREHOUSE_PASSWORD", &warehouse.password)
                .current_dir(warehouse.folder());
        });
        COUNTS.assert_whole(&warehouse, &topic, &topic.read());
        if killed.run.code == 0 {
            // A run says a good deal more than its login.
            assert!(nth > 10, "over at the {nth}th");
            COUNTS.assert_equals(&warehouse, &topic);
            assert_eq!(number(&warehouse.drain()["totals"], "read"), 0);
            return;
        }
        killed.run.expect(137);
    }
    panic!("no run came to its end");
}

#[test]
fn killed_amid_the_transaction() {
    let topic = Topic::compacted("amid");
    topic.send(&[count("a", 1), count("b", 1)]);
    let warehouse = Warehouse::of_counts(&topic);
    warehouse.drain();
    topic.send(&[count("a", 2), tombstone("b"), count("c", 2)]);
    let stuck = Stuck::at(&warehouse, "c", &[]);
    stuck.run.signal(Signal::KILL);
    stuck.release().wait().expect(137);
    let next = COUNTS.assert_whole(&warehouse, &topic, &topic.read());
    assert_eq!(next[&0], 2);
    warehouse.run(&PATIENT).expect(0);
    COUNTS.assert_equals(&warehouse, &topic);
}
