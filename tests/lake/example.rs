//! The ten topics of examples/lakectl.toml, as examples/produce_transactions fills them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::compare::{Compare, Key};
use crate::common::kafka::{Topic, brokers};
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

/// cargo builds examples beside the binary when it builds all tests.
fn generator() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_lakectl")).with_file_name("examples/produce_transactions");
    assert!(
        path.exists(),
        "run `cargo build --example produce_transactions` first"
    );
    path
}

fn produce(prefix: &str, seed: &str) {
    let output = Command::new(generator())
        .args(["--brokers", brokers(), "--prefix", prefix, "--seed", seed])
        .args(["--topic", &format!("{prefix}transaction_log")])
        .args(["--threads", "4", "--messages", "100", "--sleep", "0"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The example's own entries, with `prefix` before each name.
fn entries(prefix: &str) -> String {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/lakectl.toml");
    let text = std::fs::read_to_string(example).unwrap();
    let topics = text.lines().skip_while(|line| !line.starts_with("[topics."));
    let named = |line: &str| match line
        .strip_prefix("[topics.")
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(name) => format!("[topics.\"{prefix}{name}\"]"),
        None => line.to_owned(),
    };
    topics.map(named).collect::<Vec<_>>().join("\n")
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
