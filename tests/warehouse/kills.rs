//! Runs that are killed: at every word they say to MySQL, amid their transaction, and at any moment. Rows and progress
//! never part, and the next run makes it good.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::locks::Stuck;
use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::kafka::{Record, Topic, tombstone};
use crate::common::lake::number;

/// The session of a run that was killed keeps the lock until the server notices.
const PATIENT: [&str; 2] = ["--wait", "50s"];

/// Runs `lakectl warehouse`, and kills it when a thread of it makes a system call for the `nth` time. True: it never
/// came to that.
fn kill_at(warehouse: &Warehouse, call: &str, nth: u32) -> bool {
    warehouse.configure();
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e"])
        .arg(format!("inject={call}:signal=KILL:when={nth}"))
        .args([env!("CARGO_BIN_EXE_lakectl"), "warehouse", "-q"])
        .args(PATIENT)
        .args(["--config", "lakectl.toml"])
        .env_remove("LAKECTL_GROUP")
        .env("LAKECTL_WAREHOUSE_URL", warehouse.url())
        .env("LAKECTL_WAREHOUSE_PASSWORD", &warehouse.password)
        .current_dir(warehouse.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("strace: {error}; scripts/test installs it"));
    let code = status.code();
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    assert!(
        code == Some(0) || signal == Some(9) || code == Some(137),
        "{status}"
    );
    code == Some(0)
}

/// Kills before each packet to MySQL, or before each answer is read: the COMMIT's among them.
fn killed_at_every(call: &str) {
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
        let over = kill_at(&warehouse, call, nth);
        COUNTS.assert_whole(&warehouse, &topic, &topic.read());
        if over {
            // A run says a good deal more than its login.
            assert!(nth > 10, "over at the {nth}th {call}");
            COUNTS.assert_equals(&warehouse, &topic);
            assert_eq!(number(&warehouse.drain()["totals"], "read"), 0);
            return;
        }
    }
    panic!("no run came to its end");
}

#[test]
fn killed_before_every_packet() {
    killed_at_every("sendto");
}

#[test]
fn killed_before_every_answer() {
    killed_at_every("recvfrom");
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

#[test]
fn killed_at_any_moment() {
    const ROUNDS: usize = 12;
    const UPDATES: usize = 20_000;
    let topic = Topic::with("any", 2, &[("cleanup.policy", "compact")]);
    let warehouse = Warehouse::of_counts(&topic);
    let mut random = StdRng::seed_from_u64(42);
    let mut killed = 0;
    // A run that nobody kills tells how long one takes.
    topic.send(&updates(&mut random, UPDATES / 4));
    let began = Instant::now();
    warehouse.drain();
    let whole = began.elapsed();
    for _ in 0..ROUNDS {
        topic.send(&updates(&mut random, UPDATES / ROUNDS));
        let running = warehouse.start(&PATIENT);
        // Not a wait for anything: the moment of the kill is what differs from round to round.
        std::thread::sleep(whole.mul_f64(random.random_range(0.1..1.0)));
        running.signal(Signal::KILL);
        let code = running.wait().code;
        assert!(matches!(code, 0 | 137), "{code}");
        killed += usize::from(code == 137);
        COUNTS.assert_whole(&warehouse, &topic, &topic.read());
    }
    assert!(
        killed > 0 && whole < Duration::from_secs(30),
        "{killed} runs were killed"
    );
    warehouse.run(&PATIENT).expect(0);
    COUNTS.assert_equals(&warehouse, &topic);
    assert_eq!(number(&warehouse.drain()["totals"], "read"), 0);
}

/// Updates of 1,500 keys, one of ten a tombstone; even keys live in Kafka partition 0, odd ones in 1.
fn updates(random: &mut StdRng, number: usize) -> Vec<Record> {
    let one = |_| {
        let key = random.random_range(0..1_500);
        let name = format!("k{key}");
        let record = match random.random_range(0..10) {
            0 => tombstone(&name),
            _ => count(&name, random.random_range(0..1_000_000_000)),
        };
        record.to(key % 2)
    };
    (0..number).map(one).collect()
}
