//! Overlapping runs under a live producer, killed, ended and stopped at moments that the dice tell.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::source::assert_no_line_twice;
use super::tables::{COUNTS, count};
use super::torture::Torture;
use super::world::Warehouse;
use crate::common::compare::{assert_stream, assert_table};
use crate::common::kafka::{NOON_MS, Record, Sender, Topic, record, tombstone};
use crate::common::lake::{Lake, number};
use crate::common::program::{Run, Running};

/// Of the long form's minutes.
const PART: f64 = 0.5;
/// Rounds of the short form.
const ROUNDS: u64 = 10;
/// How often what the lake holds is compared with Kafka: reading all of it takes longer and longer.
const LOOK_EVERY: u64 = 10;
const PARTITIONS: i32 = 3;

struct Scene {
    torture: Torture,
    stream: Topic,
    table: Topic,
    lake: Lake,
    warehouse: Warehouse,
}

/// What the rounds came to.
#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    runs: u64,
    killed: u64,
    ended: u64,
    stopped: u64,
    locked: u64,
    done: u64,
}

#[test]
fn at_any_moment() {
    let scene = Scene::new();
    let told = Again(&scene.torture);
    let began = Instant::now();
    let over = AtomicBool::new(false);
    let tally = std::thread::scope(|scope| {
        let producer = scope.spawn(|| {
            // However this ends, the rounds must not go on without it.
            let _over = Flag(&over);
            scene.produce(&over)
        });
        let tally = {
            let _over = Flag(&over);
            scene.rounds(&over)
        };
        let sent = producer.join().unwrap();
        println!("random: {sent} records in committed transactions");
        tally
    });
    scene.assert_made_good();
    println!(
        "random: {tally:?}, seed {}, {:.0?}",
        scene.torture.seed,
        began.elapsed()
    );
    assert!(tally.killed > 0 && tally.done > 0, "{tally:?}");
    drop(told);
}

impl Scene {
    fn new() -> Scene {
        let stream = Topic::with("random-stream", PARTITIONS, &[]);
        let table = Topic::with("random-table", PARTITIONS, &[("cleanup.policy", "compact")]);
        let lake = Lake::with("max_file_size = \"64KiB\"")
            .stream(&stream, "")
            .table(&table, "");
        let warehouse = Warehouse::of_counts(&table);
        lake.configure();
        warehouse.configure();
        Scene {
            torture: Torture::from_env(PART),
            stream,
            table,
            lake,
            warehouse,
        }
    }

    /// Transactions over both topics, one of five of them aborted, until it is over. Returns the number of records.
    fn produce(&self, over: &AtomicBool) -> usize {
        let mut random = StdRng::seed_from_u64(self.torture.seed + 1);
        let producer = Sender::transactional();
        let mut sent = 0;
        while !over.load(Ordering::Relaxed) {
            let (stream, table) = (updates(&mut random, 200), updates(&mut random, 50));
            producer.begin();
            producer.send(&self.stream.name, &stream);
            producer.send(&self.table.name, &table);
            match random.random_range(0..5) {
                0 => producer.abort(),
                _ => {
                    producer.commit();
                    sent += stream.len() + table.len();
                }
            }
        }
        sent
    }

    fn rounds(&self, over: &AtomicBool) -> Tally {
        let mut random = self.torture.random();
        let mut tally = Tally::default();
        while self.torture.goes_on(tally.rounds, ROUNDS) && !over.load(Ordering::Relaxed) {
            self.round(&mut random, &mut tally);
            tally.rounds += 1;
            if tally.rounds.is_multiple_of(LOOK_EVERY) {
                self.assert_whole();
            }
        }
        tally
    }

    /// A few runs of each command, that begin and meet their fate at any time.
    fn round(&self, random: &mut StdRng, tally: &mut Tally) {
        // Everything is diced before anything begins: the same seed gives the same round.
        let runs: Vec<Fate> = (0..random.random_range(4..7))
            .map(|_| Fate::dice(random))
            .collect();
        std::thread::scope(|scope| {
            let runs: Vec<_> = runs
                .iter()
                .enumerate()
                .map(|(n, fate)| scope.spawn(move || fate.meet(|| self.start(n % 2 == 0))))
                .collect();
            for run in runs {
                tally.count(&run.join().unwrap());
            }
        });
    }

    fn start(&self, lake: bool) -> Running {
        if lake {
            self.lake.start(&["-q"])
        } else {
            self.warehouse.start(&["-q"])
        }
    }

    /// What holds amid it all: no line is torn or there twice, and rows and progress belong together.
    fn assert_whole(&self) {
        // Kafka is read last: whatever the lake holds was there by then.
        let files = self.lake.root().join("streams").join(&self.stream.name);
        assert!(files.exists() || !self.lake.root().join("streams").exists());
        assert_no_line_twice(&self.lake, &self.stream.name, &self.stream.read());
        COUNTS.assert_whole(&self.warehouse, &self.table, &self.table.read());
    }

    /// One more plain run of each, and all is as Kafka has it.
    fn assert_made_good(&self) {
        self.lake.run(&["--wait", "50s"]).expect(0);
        assert_stream(&self.lake, &self.stream);
        assert_table(&self.lake, &self.table);
        self.warehouse.run(&["--wait", "50s"]).expect(0);
        COUNTS.assert_equals(&self.warehouse, &self.table);
        // And there is nothing left to do.
        assert_eq!(number(&self.lake.drain()["totals"], "read"), 0);
        assert_eq!(number(&self.warehouse.drain()["totals"], "read"), 0);
    }
}

/// Updates of 300 keys, one of ten a tombstone, over four days; a key lives in one Kafka partition.
fn updates(random: &mut StdRng, number: usize) -> Vec<Record> {
    let one = |_| {
        let key = random.random_range(0..300);
        let name = format!("k{key}");
        let record = match random.random_range(0..10) {
            0 => tombstone(&name),
            1..5 => record(
                &name,
                &format!("{{\"PURCHASE_COUNT\":{key},\"CITY\":\"Orléans\"}}"),
            ),
            _ => count(&name, random.random_range(0..1_000_000_000)),
        };
        record
            .to(key % PARTITIONS)
            .at(NOON_MS + random.random_range(0..4 * 86_400_000))
    };
    (0..number).map(one).collect()
}

/// What happens to a run, and when.
#[derive(Debug)]
struct Fate {
    begins: Duration,
    after: Duration,
    blow: Blow,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Blow {
    Kill,
    Term,
    /// Stopped for so long, and killed then or let go on.
    Stop(Duration, bool),
    None,
}

impl Fate {
    fn dice(random: &mut StdRng) -> Fate {
        let ms = |random: &mut StdRng, most| Duration::from_millis(random.random_range(0..most));
        Fate {
            begins: ms(random, 300),
            after: ms(random, 400),
            blow: match random.random_range(0..10) {
                0..6 => Blow::Kill,
                6 => Blow::Term,
                7..9 => Blow::Stop(ms(random, 700), random.random_range(0..2) == 0),
                _ => Blow::None,
            },
        }
    }

    /// The waits are for nothing: when a run begins and is hit is what differs from round to round.
    fn meet(&self, start: impl FnOnce() -> Running) -> (Blow, Run) {
        std::thread::sleep(self.begins);
        let mut run = start();
        std::thread::sleep(self.after);
        if !run.is_over() {
            match self.blow {
                Blow::Kill => run.signal(Signal::KILL),
                Blow::Term => run.signal(Signal::TERM),
                Blow::Stop(time, killed) => {
                    run.signal(Signal::STOP);
                    std::thread::sleep(time);
                    run.signal(if killed { Signal::KILL } else { Signal::CONT });
                }
                Blow::None => {}
            }
        }
        (self.blow, run.wait())
    }
}

impl Tally {
    fn count(&mut self, (blow, run): &(Blow, Run)) {
        self.runs += 1;
        self.stopped += u64::from(matches!(blow, Blow::Stop(..)));
        match run.code {
            0 => self.done += 1,
            11 => self.locked += 1,
            137 if matches!(blow, Blow::Kill | Blow::Stop(_, true)) => self.killed += 1,
            143 if *blow == Blow::Term => self.ended += 1,
            _ => panic!("{blow:?} gives {run:?}"),
        }
    }
}

/// Raised when it is dropped.
struct Flag<'a>(&'a AtomicBool);

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Says how to repeat it, if there is a panic.
struct Again<'a>(&'a Torture);

impl Drop for Again<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0.again());
        }
    }
}
