//! docs/READING.md is run as it stands.

use std::fmt::Write;

use crate::common::kafka::{Record, Topic, record};
use crate::common::lake::Lake;
use crate::python;

/// Regular transactions first, and behind them what samples miss.
fn transactions() -> Vec<Record> {
    let transaction = |i: usize, amount: &str, currency: &str| {
        // A reader that infers types makes a number of this one.
        let id = if i == 7 {
            "007".to_owned()
        } else {
            format!("TXN-{i}")
        };
        let value = format!(
            "{{\"TRANSACTION_ID\":\"{id}\",\"TIMESTAMP\":\"2025-11-01T00:00:00Z\",\"USER_ID\":\"USER-{i:05}\",\
             \"QUANTITY\":{i},\"AMOUNT\":{amount},\"CURRENCY\":\"{currency}\",\"CITY\":\"Orléans \\ud83d\\ude00\",\
             \"ADDRESS\":{{\"STREET\":\"1 rue de l'Été\"}}}}"
        );
        record(&format!("TXN-{i}"), &value).on("2025-11-01T10:00:00Z")
    };
    let mut records: Vec<Record> = (0..30_000)
        .map(|i| transaction(i, &i.to_string(), if i % 2 == 0 { "EUR" } else { "USD" }))
        .collect();
    records.push(transaction(30_000, "1.5", "EUR"));
    records.push(transaction(30_001, "12345678901.25", "USD"));
    records.push(transaction(30_002, "-0.10", "DKK"));
    records.push(record("late", "{\"AMOUNT\":1,").on("2025-11-01T11:00:00Z"));
    records.push(record("bytes", "").bytes(b"\xff").on("2025-11-01T11:00:00Z"));
    records.push(transaction(30_003, "7.25", "EUR").on("2025-12-24T00:00:00Z"));
    records
}

#[test]
fn the_snippets_read_what_is_there() {
    let (stream, table) = (Topic::new("readers-stream"), Topic::compacted("readers-totals"));
    stream.send(&transactions());
    let mut rows = Vec::new();
    for (i, total) in ["1", "2.50", "1234567890.12"].iter().enumerate() {
        let mut key = String::new();
        write!(
            key,
            "{{\"USER_ID\":\"USER-{i}\",\"TRANSACTION_TYPE\":\"deposit\"}}"
        )
        .unwrap();
        rows.push(record(&key, &format!("{{\"TOTAL_DEPENSE_USD\":{total}}}")));
    }
    table.send(&rows);
    let mut lake = Lake::new()
        .stream(&stream, "")
        .table(&table, "key.format = \"json\"");
    lake.place = "data_lake";
    lake.drain();
    let document = format!("{}/docs/READING.md", env!("CARGO_MANIFEST_DIR"));
    let script = python::ours("documented.py");
    python::run(lake.folder(), &[&script, &document, &stream.name, &table.name]);
}
