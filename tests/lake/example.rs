//! The ten topics of examples/lakectl.toml, as examples/programs/produce_transactions fills them.

use crate::common::compare::{Compare, Key};
use crate::common::example::{entries, produce};
use crate::common::kafka::Topic;
use crate::common::lake::{Lake, number};
use crate::common::unique;

const STREAMS: [&str; 5] = [
    "TRANSACTIONS_FULL",
    "TRANSACTIONS_FLAT",
    "TRANSACTIONS_PROCESSED",
    "TRANSACTIONS_BLACKLISTED",
    "TRANSACTIONS_COMPLETED",
];
/// How a table's keys read.
type Keys = fn(&[u8]) -> Key;

const TABLES: [(&str, Keys); 5] = [
    ("TOTAL_PAR_TRANSACTION_TYPE", text),
    ("PRODUCT_PURCHASE_COUNTS", text),
    ("TRANSACTION_LIFECYCLE", text),
    ("TOTAL_DEPENSE_PAR_USER_TYPE", |key| {
        (serde_json::from_slice(key).unwrap(), None)
    }),
    ("TOTAL_PAR_TYPE_5MIN_SLIDING", |key| {
        let (name, start) = key.split_at(key.len() - 8);
        let start = i64::from_be_bytes(start.try_into().unwrap());
        (text(name).0, Some((start, start + 300_000)))
    }),
];

fn text(key: &[u8]) -> Key {
    (std::str::from_utf8(key).unwrap().into(), None)
}

#[test]
fn all_ten_topics() {
    let prefix = unique("example-");
    let mut lake = Lake::with("retention = \"3y\"");
    lake.set_topics(&entries(&prefix));
    let names = STREAMS.into_iter().chain(TABLES.map(|(name, _)| name));
    let others = ["transaction_log", "TRANSACTIONS_HORS_UE"];
    let topics: Vec<Topic> = names
        .chain(others)
        .map(|name| Topic::named(format!("{prefix}{name}")))
        .collect();
    for seed in ["1", "2"] {
        produce(&prefix, seed);
        let report = lake.drain();
        assert_eq!(report["topics"].as_array().unwrap().len(), 10);
        assert_eq!(number(&report["totals"], "remaining"), 0);
        for topic in report["topics"].as_array().unwrap() {
            assert_eq!(number(topic, "irregular"), 0, "{topic}");
            assert!(number(topic, "read") > 0, "{topic}");
        }
        for topic in &topics[..5] {
            Compare::default().stream_named(&lake, &topic.name);
        }
        for (topic, (_, key)) in topics[5..].iter().zip(TABLES) {
            let compare = Compare {
                key,
                ..Compare::default()
            };
            compare.table(&lake, &topic.name, &topic.read());
        }
        assert_eq!(number(&lake.drain()["totals"], "read"), 0);
    }
}
