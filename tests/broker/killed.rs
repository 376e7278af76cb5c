//! The broker itself: killed and started again, or stopped past every timeout, in the middle of a read.

use rustix::process::Signal;

use super::private::{OwnBroker, own_broker};
use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::compare::assert_stream;
use crate::common::kafka::{Topic, brokers, numbered};
use crate::common::kafka_proxy::{Hold, KafkaProxy};
use crate::common::lake::{Lake, number};
use crate::common::program::{Run, Running};

/// A stream and a table of two Kafka partitions each, which take a run many answers to read.
struct Topics {
    stream: Topic,
    table: Topic,
}

impl Topics {
    fn new(_broker: &OwnBroker) -> Topics {
        let stream = Topic::with("stream", 2, &[]);
        let table = Topic::with("table", 2, &[("cleanup.policy", "compact")]);
        stream.send_in_batches(&numbered("s", 900, 2), 30);
        let updates = (0..900).map(|i| count(&format!("k{}", i % 60), i).to(i as i32 % 2));
        table.send_in_batches(&updates.collect::<Vec<_>>(), 30);
        Topics { stream, table }
    }
}

/// One batch an answer, so that a run is in the middle of its read for long.
const SMALL_ANSWERS: [&str; 2] = ["-X", "fetch.message.max.bytes=1000"];

/// A run that stands in the middle of its read, and what it is held by.
struct Held {
    run: Running,
    hold: Hold,
}

impl Held {
    fn new(start: impl FnOnce(&[&str]) -> Running) -> Held {
        let (hold, judge) = Hold::after(5);
        let proxy = KafkaProxy::new(brokers(), judge);
        let run = start(&[&["--brokers", &proxy.address], &SMALL_ANSWERS[..]].concat());
        hold.wait();
        Held { run, hold }
    }

    fn release(self) -> Running {
        self.hold.release();
        self.run
    }
}

/// The message names the topic, and a Kafka partition with the offset where it stood.
fn assert_names_the_place(run: &Run, topic: &Topic) {
    let report = run.report();
    let error = report["topics"][0]["error"].as_str().unwrap();
    for word in [
        &topic.name,
        "no answer for 1 s",
        "Kafka partition",
        "at offset",
        "is the broker up",
    ] {
        assert!(error.contains(word), "no {word:?} in {error}");
    }
}

#[test]
fn a_broker_killed_and_started_again_amid_a_read() {
    let broker = own_broker();
    let Topics { stream, table } = Topics::new(&broker);
    let (mut lake, mut hasty) = (Lake::of_stream(&stream), Lake::of_stream(&stream));
    let mut warehouse = Warehouse::of_counts(&table);
    (lake.kafka, warehouse.kafka, hasty.kafka) = ("timeout = \"2m\"", "timeout = \"2m\"", "timeout = \"1s\"");
    let into_lake = Held::new(|arguments| lake.start(arguments));
    let into_warehouse = Held::new(|arguments| warehouse.start(arguments));
    let without_patience = Held::new(|arguments| hasty.start(arguments));
    broker.kill();
    let runs = [into_lake.release(), into_warehouse.release()];
    // A run whose patience is over fails, and leaves nothing.
    let failed = without_patience.release().wait().expect(1);
    assert_names_the_place(&failed, &stream);
    assert!(!hasty.root().join("streams").exists());
    broker.restart();
    // The others never notice that it was another process.
    for run in runs {
        let report = run.wait().expect(0).report();
        assert_eq!(number(&report["totals"], "read"), 900, "{report}");
    }
    assert_stream(&lake, &stream);
    COUNTS.assert_equals(&warehouse, &table);
    for again in [lake.drain(), warehouse.drain()] {
        assert_eq!(number(&again["totals"], "read"), 0);
    }
    hasty.drain();
    assert_stream(&hasty, &stream);
}

#[test]
fn a_broker_stopped_past_every_timeout() {
    let broker = own_broker();
    let Topics { stream, table } = Topics::new(&broker);
    let (mut lake, mut warehouse) = (Lake::of_stream(&stream), Warehouse::of_counts(&table));
    (lake.kafka, warehouse.kafka) = ("timeout = \"1s\"", "timeout = \"1s\"");
    let into_lake = Held::new(|arguments| lake.start(arguments));
    let into_warehouse = Held::new(|arguments| warehouse.start(arguments));
    broker.signal(Signal::STOP);
    for (held, topic) in [(into_lake, &stream), (into_warehouse, &table)] {
        assert_names_the_place(&held.release().wait().expect(1), topic);
    }
    assert!(!lake.root().join("streams").exists());
    assert_eq!(
        COUNTS.rows(&mut warehouse.session()),
        [] as [Vec<Option<String>>; 0]
    );
    broker.signal(Signal::CONT);
    lake.drain();
    assert_stream(&lake, &stream);
    warehouse.drain();
    COUNTS.assert_equals(&warehouse, &table);
}
