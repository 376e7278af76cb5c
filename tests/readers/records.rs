//! Records that readers have got wrong: what is different comes late.

use crate::common::kafka::{Record, record, tombstone};

/// Regular records, enough that no sample of DuckDB, Polars or pyarrow reaches what follows.
pub const MANY: usize = 30_000;
/// Enough for several frames of a compressed file.
pub const SOME: usize = 6_000;
/// Past the year 9999: no day has it.
const NO_DAY_MS: i64 = 253_402_300_800_000;

/// Regular records of one day, late ones behind them in the same Kafka partition, and some of other days.
pub fn late(regulars: usize) -> Vec<Record> {
    let first_day = |record: Record| record.on("2025-11-01T12:00:00Z");
    let mut records: Vec<Record> = (0..regulars).map(regular).map(first_day).collect();
    records.extend(odd_values().into_iter().map(first_day));
    records.extend(odd_records().into_iter().map(first_day));
    records.push(regular(regulars).on("2025-10-31T23:59:59Z").to(1));
    records.push(regular(regulars + 1).on("2025-12-09T00:00:00Z").to(1));
    records.push(regular(regulars + 2).at(NO_DAY_MS).to(1));
    records
}

/// The shape that all samples see.
fn regular(i: usize) -> Record {
    let value = format!(
        "{{\"ID\":\"r{i}\",\"AMOUNT\":{i},\"WIDE\":{i},\"BIG\":{i},\"RATE\":{i},\"FLAG\":{},\"CITY\":\"Orléans\",\
         \"MIX\":{i},\"ITEMS\":[{{\"sku\":\"s{i}\",\"price\":1.50}}],\"EMPTY\":null}}",
        i.is_multiple_of(3)
    );
    record(&format!("k{i}"), &value)
}

/// Objects whose fields hold what the regular ones never have.
fn odd_values() -> Vec<Record> {
    let values = [
        r#"{"ID":"l0","AMOUNT":1.5}"#,
        r#"{"ID":"l1","AMOUNT":-12345678901.25,"CITY":null}"#,
        r#"{"ID":"l2","AMOUNT":0.001,"WIDE":123456789012345678.25}"#,
        r#"{"ID":"l3","WIDE":-0.5,"BIG":1234567890123456789012345678}"#,
        r#"{"ID":"l4","BIG":-9223372036854775809,"RATE":1.5e3,"AMOUNT":7.10}"#,
        r#"{"ID":"l5","RATE":2.5E-7,"CITY":"\ud83d\ude00 \u00e9 \"q\" \\ \t\n\u0000 '"}"#,
        r#"{"ID":"l6","MIX":"12.340","ITEMS":{}}"#,
        r#"{"ID":"l7","MIX":12.340,"ITEMS":{"a":{"b":[1.25,null,true,"x"]},"n":12345678901234567890}}"#,
        r#"{"ID":"l8","MIX":{"a": [1, 2.50]},"FLAG":null,"ITEMS":[]}"#,
        r#"{"ID":"l9","MIX":true,"LATE":"only here","LATE_INT":-1,"LATE_DEC":10.25}"#,
        r#"{"ID":"l10","it's \"odd\", isn't:it?":1,"a b":2,"é":"ü","back`tick\\slash":true,"line\nfeed\ttab":3,"x.y":4}"#,
        r#"{"ID":"l11","Rating":1.25,"_path":"not ours"}"#,
        r#"{"ID":"l12","RATING":5,"":"no name"}"#,
        r#"{"ID":"l13","RATING":4}"#,
    ];
    values
        .iter()
        .enumerate()
        .map(|(i, value)| record(&format!("l{i}"), value))
        .collect()
}

/// Records whose value is not an ordinary object, or whose key or headers are not as usual.
fn odd_records() -> Vec<Record> {
    vec![
        record("o0", r#"{"AMOUNT":1,"amount":2}"#),
        record("o1", "neither\nJSON"),
        record("o2", "x").bytes(b"\xff\xfe"),
        record("o3", "[1, 2.50, \"é\"]"),
        record("o4", "\"text\""),
        record("o5", "12.340"),
        record("o6", r#"{"_offset":1,"day":"reserved","n":1.50}"#),
        tombstone("o7"),
        record("o8", r#"{"ID":"o8"}"#).key(Some(b"\xff")),
        record("o9", r#"{"ID":"o9"}"#)
            .key(None)
            .header("h", Some(b"v"))
            .header("n", None),
        record("o10", "{}"),
    ]
}
