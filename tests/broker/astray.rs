//! Kafka that can't be reached: it sends us to addresses at which nobody answers, or gives no sign while we connect.

use rustix::process::Signal;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::tables::count;
use super::world::Warehouse;
use crate::common::kafka::{Topic, brokers, numbered};
use crate::common::kafka_proxy::KafkaProxy;
use crate::common::lake::Lake;
use crate::common::program::{Run, Running};

/// Says within seconds, and far before `kafka.timeout`, which setting of the broker's is wrong.
fn assert_tells(began: Instant, run: Running, code: i32, words: &[&str]) -> Run {
    let run = run.wait().expect(code);
    assert!(began.elapsed() < Duration::from_secs(25), "{run:?}");
    let told = run.stdout.clone() + &run.stderr;
    for word in [words, &["advertised.listeners", "sends us to"]].concat() {
        assert!(told.contains(word), "no {word:?} in {told}");
    }
    run
}

#[test]
fn advertised_listeners_that_do_not_answer_are_named() {
    let (stream, table) = (Topic::new("astray"), Topic::compacted("astray-table"));
    stream.send(&numbered("a", 5, 1));
    table.send(&[count("a", 1)]);
    // The kernel takes connections, and nobody ever answers them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent
        .local_addr()
        .map(|address| (silent, address.port()))
        .unwrap();
    for (host, port, failure) in [
        (b"x.invalid", 9092, "Failed to resolve"),
        (b"127.0.0.1", 1, "Connection refused"),
        (b"127.0.0.1", silent.1, "timed out"),
    ] {
        let proxy = KafkaProxy::that_names(brokers(), host, port);
        let address = format!("{}:{port}", String::from_utf8_lossy(host));
        let words = [proxy.address.as_str(), &address, failure];
        let (mut lake, mut warehouse) = (Lake::of_stream(&stream), Warehouse::of_counts(&table));
        (lake.kafka, warehouse.kafka) = ("timeout = \"1m\"", "timeout = \"1m\"");
        let through = ["--brokers", &proxy.address];
        let began = Instant::now();
        let into_lake = lake.start(&through);
        let into_warehouse = warehouse.start(&through);
        let check = warehouse.start_with(&[&["check", "--json"], &through[..]].concat(), &[]);
        assert_tells(began, into_lake, 1, &words);
        assert_tells(began, into_warehouse, 1, &words);
        // Not once for each topic.
        let check = assert_tells(began, check, 3, &words);
        assert_eq!(check.stdout.matches("sends us to").count(), 1, "{check:?}");
        assert!(!lake.root().exists());
    }
}

#[test]
fn a_signal_is_heard_while_connecting() {
    let topic = Topic::named("nowhere".to_owned());
    for signal in [Signal::TERM, Signal::INT] {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = nobody.local_addr().unwrap().to_string();
        let lake = Lake::of_stream(&topic);
        let run = lake.start(&["--brokers", &address, "-X", "reconnect.backoff.max.ms=100"]);
        run.wait_until_signals_are_taken();
        // Every connection is closed at once. The first short try is over, and the long one goes on.
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(2_500) {
            drop(nobody.accept().unwrap());
        }
        let signalled = Instant::now();
        run.signal(signal);
        let report = run.wait().expect(128 + signal.as_raw()).report();
        assert!(signalled.elapsed() < Duration::from_secs(4), "{report}");
        assert_eq!(report["status"], "interrupted", "{report}");
        assert!(!lake.root().exists());
    }
}
