//! The wire to the broker: cut at any byte, spoilt, or silent where only the mirror of the progress is at stake.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::compare::assert_stream;
use crate::common::kafka::{Topic, brokers, numbered, record};
use crate::common::kafka_proxy::{Fate, Judge, KafkaProxy, OFFSET_COMMIT, has_records};
use crate::common::lake::{Lake, assert_same, number};

/// Every other answer with records is cut somewhere, sixteen in all.
fn cuts(seed: u64) -> Judge {
    let (mut random, mut left) = (StdRng::seed_from_u64(seed), 16);
    Box::new(move |api, frame| match has_records(api, frame) {
        true if left > 0 && random.random_bool(0.5) => {
            left -= 1;
            Fate::CutAfter(random.random_range(0..frame.len()))
        }
        _ => Fate::Pass,
    })
}

/// Through the proxy, in many answers, and soon back after a cut.
fn quick(proxy: &KafkaProxy) -> [&str; 6] {
    let options = ["fetch.message.max.bytes=1000", "reconnect.backoff.max.ms=100"];
    ["--brokers", &proxy.address, "-X", options[0], "-X", options[1]]
}

#[test]
fn connections_cut_at_any_byte() {
    let (stream, table) = (Topic::with("cut", 2, &[]), Topic::compacted("cut-table"));
    stream.send_in_batches(&numbered("s", 800, 2), 20);
    let updates = (0..800).map(|i| count(&format!("k{}", i % 40), i));
    table.send_in_batches(&updates.collect::<Vec<_>>(), 20);
    let (lake, warehouse) = (Lake::of_stream(&stream), Warehouse::of_counts(&table));
    let (first, second) = (
        KafkaProxy::new(brokers(), cuts(1)),
        KafkaProxy::new(brokers(), cuts(2)),
    );
    let into_lake = lake.start(&quick(&first));
    let into_warehouse = warehouse.start(&quick(&second));
    for run in [into_lake, into_warehouse] {
        let report = run.wait().expect(0).report();
        assert_eq!(number(&report["totals"], "read"), 800, "{report}");
    }
    assert_stream(&lake, &stream);
    COUNTS.assert_equals(&warehouse, &table);
}

/// One bit of a record's value is another, in each answer that holds it.
fn spoils(word: &'static [u8]) -> Judge {
    Box::new(move |api, frame| {
        if has_records(api, frame) {
            let found = frame.windows(word.len()).position(|window| window == word);
            if let Some(at) = found {
                frame[at] ^= 1;
            }
        }
        Fate::Pass
    })
}

#[test]
fn a_spoilt_record_is_an_error() {
    let (stream, table) = (Topic::new("spoilt"), Topic::compacted("spoilt-table"));
    let (lake, warehouse) = (Lake::of_stream(&stream), Warehouse::of_counts(&table));
    let long = "x".repeat(600);
    let value = |n: i64| format!("{{\"PURCHASE_COUNT\":{n},\"NOTE\":\"{long}\"}}");
    for n in 0..5 {
        stream.send(&[record("a", &value(n))]);
        table.send(&[record("a", &value(n))]);
    }
    lake.drain();
    warehouse.drain();
    stream.send(&[record("a", &value(6)), record("a", "{\"PURCHASE_COUNT\":77777}")]);
    table.send(&[record("a", &value(6)), record("a", "{\"PURCHASE_COUNT\":77777}")]);
    let before = lake.kept();
    let proxy = KafkaProxy::new(brokers(), spoils(b"77777"));
    let through = ["--brokers", &proxy.address];
    let into_lake = lake.one(&through, 1);
    let into_warehouse = warehouse.one(&through, 1);
    for (report, topic) in [(into_lake, &stream), (into_warehouse, &table)] {
        let error = report["error"].as_str().unwrap();
        for word in [&topic.name, "checksum", "nothing of the topic was committed"] {
            assert!(error.contains(word), "no {word:?} in {error}");
        }
        // The producer may put both records into one batch, which is refused as a whole, or each into its own.
        let places = ["at offset 5", "at offset 6"];
        assert!(places.iter().any(|place| error.contains(place)), "{error}");
    }
    assert_same(&lake.kept(), &before);
    let next = COUNTS.assert_whole(&warehouse, &table, &table.read());
    assert_eq!(next[&0], 5);
    // Read again without the fault, it is what it always was.
    lake.drain();
    assert_stream(&lake, &stream);
    warehouse.drain();
    COUNTS.assert_equals(&warehouse, &table);
}

/// Kafka has committed the group's offsets, and nobody hears of it: `fate` befalls the first `times` answers.
fn deaf(fate: fn() -> Fate, times: usize) -> Judge {
    let mut left = times;
    Box::new(move |api, _| match api {
        OFFSET_COMMIT if left > 0 => {
            left -= 1;
            fate()
        }
        _ => Fate::Pass,
    })
}

#[test]
fn an_offset_commit_whose_answer_is_lost() {
    for (fate, times) in [
        (|| Fate::CutAfter(0), 1),
        (|| Fate::CutAfter(0), usize::MAX),
        (|| Fate::Swallow, usize::MAX),
    ] as [(fn() -> Fate, usize); 3]
    {
        let (stream, table) = (Topic::new("deaf"), Topic::compacted("deaf-table"));
        let (lake, warehouse) = (Lake::of_stream(&stream), Warehouse::of_counts(&table));
        stream.send(&numbered("a", 10, 1));
        table.send(&[count("a", 1), count("b", 1)]);
        let first = KafkaProxy::new(brokers(), deaf(fate, times));
        let second = KafkaProxy::new(brokers(), deaf(fate, times));
        let into_lake = lake.start(&["--brokers", &first.address]);
        let into_warehouse = warehouse.start(&["--brokers", &second.address]);
        for (run, read) in [(into_lake, 10), (into_warehouse, 2)] {
            let run = run.wait().expect(0);
            let report = run.report();
            assert_eq!(
                (number(&report["totals"], "read"), &report["status"]),
                (read, &"ok".into())
            );
            // Where a second try is heard, there is nothing to say.
            let warned = report["warnings"].to_string();
            assert_eq!(warned.contains("mirroring progress"), times > 1, "{report}");
        }
        assert_stream(&lake, &stream);
        COUNTS.assert_equals(&warehouse, &table);
        // The lake and the database know how far they are.
        stream.send(&numbered("b", 3, 1));
        table.send(&[count("a", 2)]);
        assert_eq!(number(&lake.one(&[], 0), "read"), 3);
        assert_eq!(number(&warehouse.one(&[], 0), "read"), 1);
        assert_stream(&lake, &stream);
        COUNTS.assert_equals(&warehouse, &table);
        assert_eq!(stream.committed(&format!("{}.lake", lake.group)), [(0, 13)]);
        assert_eq!(warehouse.mirrored(&table), [(0, 3)]);
    }
}

/// The first answer is held back until the second try has its own: it comes long after it was given up.
fn late() -> Judge {
    let mut first: Option<Vec<u8>> = None;
    let mut is_over = false;
    Box::new(move |api, frame| match (api, first.take()) {
        (OFFSET_COMMIT, None) if !is_over => {
            first = Some(frame.clone());
            is_over = true;
            Fate::Swallow
        }
        (OFFSET_COMMIT, Some(earlier)) => {
            frame.splice(0..0, earlier);
            Fate::Pass
        }
        (_, held) => {
            first = held;
            Fate::Pass
        }
    })
}

#[test]
fn an_offset_commit_whose_answer_is_late() {
    let stream = Topic::new("late");
    stream.send(&numbered("a", 10, 1));
    let lake = Lake::of_stream(&stream);
    let proxy = KafkaProxy::new(brokers(), late());
    assert_eq!(number(&lake.one(&["--brokers", &proxy.address], 0), "read"), 10);
    assert_eq!(stream.committed(&format!("{}.lake", lake.group)), [(0, 10)]);
}
