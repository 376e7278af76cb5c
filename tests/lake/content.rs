//! What stands in a line: keys of all formats, headers, values of all kinds, none of them changed by a byte.

use serde_json::{Value, json};

use crate::common::compare::{Compare, Key, assert_stream};
use crate::common::files::{DataFile, Line};
use crate::common::kafka::{NOON_MS, Record, Topic, record, tombstone};
use crate::common::lake::{Lake, number};

fn lines(files: &[DataFile]) -> Vec<Line> {
    let texts = files.iter().flat_map(|file| &file.lines);
    texts.map(|text| Line::parse(text, "_")).collect()
}

#[test]
fn values_are_spliced_byte_for_byte() {
    let topic = Topic::new("values");
    let values = [
        "{\"A\":12.340,\"B\":1e3,\"C\":-0.0,\"D\":0E-19,\"E\":4.6116860184273879E18}",
        "{\"big\":1234567890123456789012345,\"Z\":1,\"A\":2}",
        "{\"e\":\"\\u00e9 é \\ud83d\\ude00 😀 \\/ \\\" \\u0000\"}",
        "{\"nested\":{\"_offset\":1,\"year\":2,\"nested\":[[],[{}],null,true]}}",
        "{}",
        "  { }\t",
        "{ \"spaced\" : [ 1 , 2 ] }",
        "{\"\":1,\"_\":2,\"__offset\":3,\"_off\":4}",
        "{\"\\u005foffset_\":1}",
    ];
    topic.send(&values.map(|value| record("k", value)));
    let lake = Lake::of_stream(&topic);
    assert_eq!(number(&lake.one(&[], 0), "irregular"), 0);
    let lines = lines(&assert_stream(&lake, &topic));
    assert!(lines.iter().all(|line| line.form.is_none()), "{lines:#?}");
}

#[test]
fn a_pretty_printed_value_stays_one_line() {
    let topic = Topic::new("pretty");
    topic.send(&[
        record("k", "{\n  \"A\": 1,\r\n  \"B\": [\n    \"x\\ny\"\n  ]\n}\n"),
        record("k", "[\n1,\r2\n]"),
        record("k", "\u{feff}{\"A\":1}"),
    ]);
    let lake = Lake::of_stream(&topic);
    lake.drain();
    let files = assert_stream(&lake, &topic);
    assert_eq!(files[0].lines.len(), 3);
    assert!(files[0].lines[0].ends_with("\"_key\":\"k\",   \"A\": 1,    \"B\": [     \"x\\ny\"   ] }"));
}

#[test]
fn what_is_no_object_stands_under_value() {
    let topic = Topic::new("nested");
    let values = [
        "[1,2.50]",
        "\"text\"",
        "12.30",
        "true",
        "null",
        "{\"_offset\":1}",
        "{\"_OFFSET\":1}",
        "{\"Year\":2025}",
        "{\"a\":1,\"\\u005fkey\":2}",
        "{\"_error\":1}",
        "{\"_window_end\":1}",
    ];
    topic.send(&values.map(|value| record("k", value)));
    let lake = Lake::of_stream(&topic);
    assert_eq!(number(&lake.one(&[], 0), "irregular"), 0);
    let files = crate::common::files::data_files(&lake.root().join("streams"));
    for (line, value) in files[0].lines.iter().zip(values) {
        assert!(line.ends_with(&format!(",\"_value\":{value}}}")), "{line}");
    }
    assert_eq!(files[0].lines.len(), values.len());
}

#[test]
fn what_readers_choke_on_goes_as_text() {
    let topic = Topic::new("irregular");
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let mut values: Vec<Vec<u8>> = [
        "",
        " ",
        "no json",
        "{\"a\":1",
        "{\"a\":1}{\"b\":2}",
        "{a:1}",
        "{\"a\":1,}",
        "NaN",
        "[NaN]",
        "01",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"A\":2}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":1E400}",
        "{\"a\":-1e999}",
        "{\"a\":\"raw\nline\"}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    values.push(deep(128).into_bytes());
    values.push(deep(100_000).into_bytes());
    values.push(b"{\"a\":\"\xff\"}".to_vec());
    values.push(vec![0, 159, 146, 150]);
    let records: Vec<Record> = values.iter().map(|value| record("k", "").bytes(value)).collect();
    topic.send(&records);
    let lake = Lake::of_stream(&topic);
    assert_eq!(number(&lake.one(&[], 0), "irregular"), values.len() as i64);
    let lines = lines(&assert_stream(&lake, &topic));
    for (line, value) in lines.iter().zip(&values) {
        let form = match std::str::from_utf8(value) {
            Ok(_) => "value_text",
            Err(_) => "value_base64",
        };
        assert_eq!(line.form, Some(form), "{line:?}");
        assert!(
            line.error.as_ref().is_some_and(|error| !error.is_empty()),
            "{line:?}"
        );
    }
}

#[test]
fn depth_127_is_still_json() {
    let topic = Topic::new("deep");
    let deep = "[".repeat(127) + &"]".repeat(127);
    topic.send(&[
        record("k", &deep),
        record("k", &format!("{{\"A\":{}}}", &deep[1..253])),
    ]);
    let lake = Lake::of_stream(&topic);
    assert_eq!(number(&lake.one(&[], 0), "irregular"), 0);
    assert_stream(&lake, &topic);
}

#[test]
fn a_value_of_some_megabytes() {
    let topic = Topic::with("large", 1, &[("max.message.bytes", "10000000")]);
    let text = "é\\n".repeat(1_200_000);
    topic.send(&[record("k", &format!("{{\"A\":\"{text}\"}}")), record("k", "{}")]);
    let lake = Lake::of_stream(&topic);
    lake.drain();
    assert_stream(&lake, &topic);
}

#[test]
fn headers_stand_in_the_line() {
    let topic = Topic::new("headers");
    topic.send(&[
        record("k", "{\"A\":1}")
            .header("a", Some("é\"\n".as_bytes()))
            .header("a", Some(b""))
            .header("", None),
        record("k", "{\"A\":1}"),
        tombstone("k").header("why", Some(b"gone")),
    ]);
    let lake = Lake::of_stream(&topic);
    lake.drain();
    assert_stream(&lake, &topic);
    let topic = Topic::new("headers");
    topic.send(&[record("k", "{}").header("raw", Some(&[0xff, 0]))]);
    let lake = Lake::of_stream(&topic);
    lake.drain();
    let line = &crate::common::files::data_files(&lake.root().join("streams"))[0].lines[0];
    assert!(
        line.contains("{\"name\":\"raw\",\"value_base64\":\"/wA=\"}"),
        "{line}"
    );
}

#[test]
fn keys_that_are_null_empty_or_not_text() {
    let topic = Topic::new("odd-keys");
    topic.send(&[
        record("", "{}").key(None),
        record("", "{}"),
        record("", "{\"A\":1}").key(Some(&[0xff, 0xfe])),
        record("with \"quotes\", \n and \u{1}", "{}"),
        tombstone("").key(Some(&[0xff])),
    ]);
    let lake = Lake::of_stream(&topic);
    assert_eq!(number(&lake.one(&[], 0), "irregular"), 2);
    assert_stream(&lake, &topic);
}

/// A stream whose keys are `keys`, read with the entry `schema`, against what `key` makes of the bytes.
fn check_keys(schema: &str, keys: &[&[u8]], key: fn(&[u8]) -> Key, undecodable: usize) {
    let topic = Topic::new("keys");
    let records: Vec<Record> = keys
        .iter()
        .map(|key| record("", "{\"A\":1}").key(Some(key)))
        .collect();
    topic.send(&records);
    let lake = Lake::new().stream(&topic, schema);
    assert_eq!(number(&lake.one(&[], 0), "irregular"), undecodable as i64);
    let compare = Compare {
        key,
        ..Compare::default()
    };
    let lines = lines(&compare.stream(&lake, &topic.name, &topic.read()));
    let refused = lines.iter().filter(|line| line.key_bytes.is_some()).count();
    assert_eq!(refused, undecodable, "{lines:#?}");
}

#[test]
fn number_keys() {
    check_keys(
        "key = { format = \"int\" }",
        &[&7i32.to_be_bytes(), &i32::MIN.to_be_bytes(), b"12345678", b""],
        |key| (json!(i32::from_be_bytes(key.try_into().unwrap())), None),
        2,
    );
    check_keys(
        "key = { format = \"bigint\" }",
        &[&7i64.to_be_bytes(), &i64::MIN.to_be_bytes(), b"1234"],
        |key| (json!(i64::from_be_bytes(key.try_into().unwrap())), None),
        1,
    );
    check_keys(
        "key = { format = \"double\" }",
        &[
            &0.1f64.to_be_bytes(),
            &(-1e300f64).to_be_bytes(),
            &f64::NAN.to_be_bytes(),
        ],
        |key| (json!(f64::from_be_bytes(key.try_into().unwrap())), None),
        1,
    );
}

#[test]
fn json_delimited_and_raw_keys() {
    check_keys(
        "key = { format = \"json\" }",
        &[
            b"{\"USER_ID\":\"u1\",\"TRANSACTION_TYPE\":\"achat\"}",
            b"\"Hey\"",
            b"12.30",
            b"[1,1]",
            b"true",
            b"Hey",
        ],
        |key| (serde_json::from_slice(key).unwrap(), None),
        1,
    );
    check_keys(
        "key = { format = \"delimited\", columns = [\"F2\", \"F1\"] }",
        &[b"a,1", b"\"x,y\",2", b"a"],
        |key| match key {
            b"a,1" => (json!({"F2": "a", "F1": "1"}), None),
            _ => (json!({"F2": "x,y", "F1": "2"}), None),
        },
        1,
    );
    check_keys(
        "key = { format = \"bytes\" }",
        &[&[0xff, 0, 1], b"text"],
        |key| {
            let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key);
            (Value::from(encoded), None)
        },
        0,
    );
    check_keys("key = { format = \"none\" }", &[b"some"], |_| unreachable!(), 1);
}

/// The text and the last N numbers of 8 bytes behind it.
fn text_and_numbers<const N: usize>(key: &[u8]) -> (Value, [i64; N]) {
    let (text, rest) = key.split_at(key.len() - 8 * N);
    let number = |i: usize| i64::from_be_bytes(rest[8 * i..][..8].try_into().unwrap());
    (
        Value::from(std::str::from_utf8(text).unwrap()),
        std::array::from_fn(number),
    )
}

#[test]
fn windowed_keys() {
    let suffixed = |key: &[u8], numbers: &[i64]| {
        let suffix = numbers.iter().flat_map(|number| number.to_be_bytes());
        key.iter().copied().chain(suffix).collect::<Vec<u8>>()
    };
    let hopping = suffixed(b"withdrawal", &[NOON_MS]);
    let empty = suffixed(b"", &[0]);
    check_keys(
        "window = { type = \"hopping\", size = \"5m\" }",
        &[&hopping, &empty, b"short", b"a key without a window"],
        |key| {
            let (text, [start]) = text_and_numbers(key);
            (text, Some((start, start + 300_000)))
        },
        2,
    );
    let session = suffixed("dépôt".as_bytes(), &[NOON_MS + 5, NOON_MS]);
    check_keys(
        "window = { type = \"session\" }",
        &[&session, &hopping],
        |key| {
            let (text, [end, start]) = text_and_numbers(key);
            (text, Some((start, end)))
        },
        1,
    );
    let tumbling = suffixed(&7i32.to_be_bytes(), &[10_000]);
    check_keys(
        "key = { format = \"int\" }\nwindow = { type = \"tumbling\", size = \"1s\" }",
        &[&tumbling],
        |_| (json!(7), Some((10_000, 11_000))),
        0,
    );
}

#[test]
fn the_window_can_decide_the_day() {
    let topic = Topic::compacted("window-day");
    let midnight = NOON_MS - 43_200_000;
    let key = |start: i64| [b"achat".as_slice(), &start.to_be_bytes()].concat();
    topic.send(&[
        record("", "{\"N\":1}").key(Some(&key(midnight - 300_000))),
        record("", "{\"N\":2}").key(Some(&key(midnight))),
    ]);
    let window = "window = { type = \"hopping\", size = \"5m\" }\nlake.partition_time = \"window\"";
    let lake = Lake::new().table(&topic, window);
    assert_eq!(lake.one(&[], 0)["days"], json!(["2025-10-30"]));
    let stream = Lake::new().stream(&topic, window);
    assert_eq!(stream.one(&[], 0)["days"], json!(["2025-10-29", "2025-10-30"]));
}
