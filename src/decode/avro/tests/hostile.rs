//! Payloads that are damaged, or made to do harm.

use super::json;

#[track_caller]
fn refused(schema: &str, payload: &[u8], why: &str) {
    assert_eq!(json(schema, payload).unwrap_err(), why, "{schema}");
}

/// 2^60.
const HUGE: [u8; 9] = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];

#[test]
fn damaged_values() {
    refused(r#""boolean""#, &[2], "not a boolean at byte 0");
    refused(
        r#""int""#,
        &[0x80, 0x80, 0x80, 0x80, 0x10],
        "an int is more than 32 bits at byte 0",
    );
    refused(r#""double""#, &[0; 7], "the value ends too early at byte 0");
    refused(
        r#""string""#,
        &[4, b'a'],
        "a length is more than what is left at byte 0",
    );
    refused(r#""string""#, &[1], "a length is negative at byte 0");
    refused(r#""string""#, &[6, b'a', 0xff, b'b'], "not UTF-8 at byte 2");
    refused(
        r#""bytes""#,
        &HUGE,
        "a length is more than what is left at byte 0",
    );
    refused(r#""long""#, &[2, 2], "more bytes after the value at byte 1");
    refused(
        r#"["null","int"]"#,
        &[4],
        "number 2 of a union that has 2 at byte 0",
    );
    refused(
        r#"{"type":"enum","name":"E","symbols":["A"]}"#,
        &[1],
        "number -1 of an enum that has 1 at byte 0",
    );
    refused(r#""null""#, &[0], "more bytes after the value at byte 0");
    refused(
        r#"{"type":"bytes","logicalType":"big-decimal"}"#,
        &[6, 2, 1, 0x80],
        "not a big-decimal at byte 1",
    );
    // A scale that would make its text as long as it says.
    refused(
        r#"{"type":"bytes","logicalType":"big-decimal"}"#,
        &[14, 2, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f],
        "not a big-decimal at byte 1",
    );
    refused(
        r#"{"type":"array","items":"int"}"#,
        &[1, 0x40, 2, 0],
        "a block is larger than what is left at byte 0",
    );
}

#[test]
fn the_reason_names_the_field() {
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"id","type":"long"},{"name":"lines","type":
        {"type":"array","items":{"type":"record","name":"L","fields":[{"name":"no\nte","type":["null","string"]}]}}}]}"#;
    refused(
        schema,
        b"\x02\x02\x02\x02\xff\x00",
        r"lines.no\nte: not UTF-8 at byte 4",
    );
}

#[test]
fn huge_counts_of_values_without_bytes() {
    let payload = [&HUGE[..], &[0]].concat();
    for items in [
        r#""null""#,
        r#"{"type":"fixed","name":"F","size":0}"#,
        r#"{"type":"record","name":"R","fields":[]}"#,
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":"null"}]}"#,
    ] {
        let reason = json(&format!(r#"{{"type":"array","items":{items}}}"#), &payload).unwrap_err();
        assert!(
            reason.ends_with("too many values without bytes at byte 9"),
            "{reason}"
        );
    }
    refused(
        r#"{"type":"array","items":"boolean"}"#,
        &payload,
        "the value ends too early at byte 10",
    );
    // The count that has no positive counterpart.
    let lowest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0];
    refused(
        r#"{"type":"array","items":"null"}"#,
        &lowest,
        "too many values without bytes at byte 11",
    );
    // Beside as many as the payload has bytes, which are 4 here.
    for (count, taken) in [([0x88, 0x80, 0x08], true), ([0x8a, 0x80, 0x08], false)] {
        let payload = [&count[..], &[0]].concat();
        let text = json(r#"{"type":"array","items":"null"}"#, &payload);
        assert_eq!(text.is_ok(), taken, "{text:?}");
    }
    // Nulls that do have a byte are as many as the payload has.
    let count = 200_000;
    let mut nulls = vec![0x80, 0xb5, 0x18];
    nulls.resize(3 + count + 1, 0);
    let text = json(r#"{"type":"array","items":["null"]}"#, &nulls).unwrap();
    assert_eq!(text.len(), count * 5 + 1);
}

#[test]
fn levels_are_limited() {
    let list = r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#;
    let payload = |levels: usize| [vec![2; levels - 1], vec![0]].concat();
    assert!(
        json(list, &payload(127))
            .unwrap()
            .ends_with(&("null".to_owned() + &"}".repeat(127)))
    );
    let reason = json(list, &vec![2; 1_000_000]).unwrap_err();
    assert!(
        reason.ends_with("next: more than 127 levels at byte 127"),
        "{reason}"
    );
    assert!(json(list, &payload(128)).is_err());
    // A record within itself takes no byte, and never ends.
    let endless = r#"{"type":"record","name":"L","fields":[{"name":"next","type":"L"}]}"#;
    assert!(
        json(endless, &[])
            .unwrap_err()
            .ends_with("more than 127 levels at byte 0")
    );
    let arrays =
        r#"{"type":"record","name":"L","fields":[{"name":"a","type":{"type":"array","items":"L"}}]}"#;
    assert!(json(arrays, &vec![2; 1000]).is_err());
}

#[test]
fn a_decimal_of_a_megabyte() {
    let mut payload = vec![0x80, 0x80, 0x80, 0x01];
    payload.resize(4 + (1 << 20), 1);
    refused(
        r#"{"type":"bytes","logicalType":"decimal","precision":10}"#,
        &payload,
        "a decimal of more than 4096 bytes at byte 0",
    );
}
