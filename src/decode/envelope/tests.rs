//! Envelopes as connectors write them, and what is left of them.

use super::*;
use crate::config::{DeclaredColumn, KeyFormat, KeySchema, ValueSchema};
use crate::decode::key::{DecodedKey, Key};
use crate::decode::registry::Registry;
use crate::decode::{Body, Decoder};
use crate::json::oracle;
use crate::record::Record;
use proptest::prelude::*;
use serde_json::value::RawValue;

const SCHEMA: &str =
    r#"{"type":"struct","fields":[{"type":"int32","optional":false,"field":"payload"}],"optional":false}"#;

fn unwrapping(keys: KeySchema, envelope: Envelope) -> Decoder {
    let values = ValueSchema {
        unwrap: Some(envelope),
        ..ValueSchema::default()
    };
    Decoder::new(keys, values, &Registry::default())
}

fn body_of(decoder: &mut Decoder, value: &[u8]) -> Body<'static> {
    let record = Record {
        partition: 0,
        offset: 0,
        timestamp_ms: 0,
        key: None,
        value: Some(String::leak(String::from_utf8_lossy(value).into_owned()).as_bytes()),
        headers: Vec::new(),
    };
    decoder.decode(&record).unwrap().body
}

fn text_of(body: &Body<'_>) -> Option<String> {
    match body {
        Body::Object(object) => Some(object.text().to_string()),
        Body::Other(text) => Some(text.to_string()),
        Body::Tombstone | Body::Unreadable { .. } => None,
    }
}

/// The row, `deleted`, or the reason.
fn opened(envelope: Envelope, value: &str) -> String {
    match body_of(&mut unwrapping(KeySchema::default(), envelope), value.as_bytes()) {
        Body::Tombstone => "deleted".to_owned(),
        Body::Unreadable { reason, bytes, .. } => {
            assert_eq!(bytes, value.as_bytes(), "the record is kept whole");
            reason.to_string()
        }
        body => text_of(&body).unwrap(),
    }
}

#[test]
fn a_change_is_the_row_after_it() {
    let event = |op: &str, before: &str, after: &str| {
        format!(r#"{{"before":{before},"after":{after},"source":{{"table":"t"}},"op":"{op}","ts_ms":1}}"#)
    };
    let cases = [
        (event("c", "null", r#"{"id":1}"#), r#"{"id":1}"#),
        (event("r", "null", r#"{"id" : 1.50}"#), r#"{"id" : 1.50}"#),
        (event("u", r#"{"id":0}"#, r#"{"id":1}"#), r#"{"id":1}"#),
        (event("u", "null", "{}"), "{}"),
        (event("d", r#"{"id":1}"#, "null"), "deleted"),
        (event("d", "null", "null"), "deleted"),
        (r#"{"op":"d","before":{"id":1}}"#.to_owned(), "deleted"),
        (
            r#" {"\u006fp":"\u0063","after":{"id":1}} "#.to_owned(),
            r#"{"id":1}"#,
        ),
        (
            event("c", "null", "null"),
            "Debezium's op is c, but it has no after",
        ),
        (
            event("u", "{}", "\"{}\""),
            "Debezium's op is u, but its after is not an object",
        ),
        (event("d", "{}", "{}"), "Debezium's op is d, but it has an after"),
        (
            r#"{"id":1,"op":"d"}"#.to_owned(),
            "Debezium's op is d, but it has neither before nor after",
        ),
        (
            r#"{"source":{},"op":"t","ts_ms":1}"#.to_owned(),
            "Debezium's op is t: the whole table was truncated, which names no row",
        ),
        (
            r#"{"op":"m","message":{"prefix":"p","content":"YQ=="}}"#.to_owned(),
            "Debezium's op is m: it is a message, not a row",
        ),
        (
            event("x", "null", "{}"),
            "Debezium's op is none of c, u, r, d, t and m",
        ),
        (r#"{"id":1}"#.to_owned(), "not Debezium's envelope: it has no op"),
        (
            r#"{"op":1,"after":{}}"#.to_owned(),
            "not Debezium's envelope: it has no op",
        ),
        (
            r#"{"after":{},"after":{},"op":"c"}"#.to_owned(),
            "the field after of the envelope occurs twice",
        ),
        (
            event("c", "null", r#"{"a":1,"A":2}"#),
            "in its envelope: the name \"A\" occurs twice, case ignored at line 1 column 10",
        ),
        (
            "[\"secret\"]".to_owned(),
            "not in an envelope, nor any other object",
        ),
        (
            "\"secret\"".to_owned(),
            "not in an envelope, nor any other object",
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(opened(Envelope::Debezium, &value), expected, "{value}");
        // The same event by JsonConverter with schemas.enable.
        if let Some(event) = value.trim().strip_prefix('{') {
            let wrapped = format!(r#"{{"schema":{SCHEMA},"payload":{{{event}}}"#);
            assert_eq!(opened(Envelope::Debezium, &wrapped), expected, "{wrapped}");
        }
    }
}

#[test]
fn connects_envelope_has_exactly_two_fields() {
    let connect = |value: &str| opened(Envelope::Connect, value);
    assert_eq!(
        connect(&format!(r#"{{"schema":{SCHEMA},"payload":{{"a":1}}}}"#)),
        r#"{"a":1}"#
    );
    assert_eq!(connect(r#"{ "payload" : [1, 2] , "schema":null}"#), "[1, 2]");
    assert_eq!(connect(r#"{"schema":null,"payload":null}"#), "deleted");
    let none = "not Connect's envelope: its fields are not just schema and payload";
    for value in [r#"{"payload":{}}"#, r#"{"schema":{},"payload":{},"a":1}"#, "{}"] {
        assert_eq!(connect(value), none);
    }
    assert!(connect("{\"schema\":").starts_with("EOF while parsing"));
}

#[test]
fn keys_are_taken_out_of_their_envelope_if_they_have_one() {
    let schema = KeySchema {
        format: KeyFormat::Json,
        unwrap: true,
        ..KeySchema::default()
    };
    let wrapped = format!(r#"{{"schema":{SCHEMA},"payload":{{"id":1}}}}"#);
    for (raw, inside) in [
        (&*wrapped, r#"{"id":1}"#),
        (r#"{"id":1}"#, r#"{"id":1}"#),
        (r#"{"schema":null,"payload":"k"}"#, "\"k\""),
        (r#"{"payload":{"id":1}}"#, r#"{"payload":{"id":1}}"#),
        ("7", "7"),
    ] {
        let decoded = schema.decode(Some(raw.as_bytes()));
        let key = Key::Json(inside.into());
        assert_eq!(decoded, DecodedKey::Key { key, window: None }, "{raw}");
        assert_eq!(decoded.without_envelope(raw.as_bytes()), inside.as_bytes());
    }
}

/// What is kept of a record until it is written decodes to the same.
#[test]
fn a_row_is_decoded_again_without_its_envelope() {
    let keys = KeySchema {
        format: KeyFormat::Json,
        unwrap: true,
        ..KeySchema::default()
    };
    let mut decoder = unwrapping(keys, Envelope::Debezium);
    let key = format!(r#"{{"schema":{SCHEMA},"payload":{{"id":1}}}}"#);
    for (value, row) in [
        (
            r#"{"before":{"id":0},"after":{"id":1},"op":"u"}"#,
            Some(r#"{"id":1}"#),
        ),
        (r#"{"before":{"id":0},"after":null,"op":"d"}"#, None),
        (
            r#"{"before":{"id":0},"after":null,"op":"x"}"#,
            Some(r#"{"before":{"id":0},"after":null,"op":"x"}"#),
        ),
    ] {
        let record = Record {
            partition: 0,
            offset: 7,
            timestamp_ms: 0,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: Vec::new(),
        };
        let decoded = decoder.decode(&record).unwrap();
        let kept = decoded.row(&record);
        assert_eq!(
            (kept.key, kept.value),
            (Some(&br#"{"id":1}"#[..]), row.map(str::as_bytes))
        );
        if !matches!(decoded.body, Body::Unreadable { .. }) {
            assert_eq!(decoder.clone().of_rows().decode(&kept).unwrap(), decoded);
        }
    }
}

#[test]
fn keys_that_were_made_are_decoded_again_as_what_they_became() {
    let columns = |names: &[&str]| names.iter().map(|name| DeclaredColumn::named(name)).collect();
    let delimited = KeySchema {
        format: KeyFormat::Delimited,
        unwrap: true,
        ..KeySchema::default()
    };
    let separated = KeySchema {
        separator: Some("|+|".to_owned()),
        columns: columns(&["a", "b"]),
        unwrap: true,
        ..KeySchema::default()
    };
    let pair = KeySchema {
        columns: columns(&["a", "b"]),
        ..delimited.clone()
    };
    let single = KeySchema {
        columns: columns(&["a"]),
        ..delimited
    };
    for (keys, key, json) in [
        (pair, "x,y", r#"{"a":"x","b":"y"}"#),
        (single, r#""x""y,""#, r#""x\"y,""#),
        (separated, "x|+|y", r#"{"a":"x","b":"y"}"#),
    ] {
        let mut decoder = unwrapping(keys, Envelope::Debezium);
        let record = Record {
            partition: 0,
            offset: 7,
            timestamp_ms: 0,
            key: Some(key.as_bytes()),
            value: Some(br#"{"after":{"id":1},"op":"c"}"#),
            headers: Vec::new(),
        };
        let decoded = decoder.decode(&record).unwrap();
        let kept = decoded.row(&record);
        let again = decoder.clone().of_rows().decode(&kept).unwrap();
        let key = DecodedKey::Key {
            key: Key::Json(json.into()),
            window: None,
        };
        assert_eq!((&decoded.key, &again.key), (&key, &key));
        assert_eq!(again.body, decoded.body);
    }
}

#[test]
fn an_envelope_is_recognised() {
    let connect = |payload: &str| format!(r#"{{"schema":{SCHEMA},"payload":{payload}}}"#);
    let change = r#"{"before":null,"after":{"id":1},"op":"c"}"#;
    assert_eq!(Envelope::seen_in(change), Some(Envelope::Debezium));
    assert_eq!(Envelope::seen_in(&connect(change)), Some(Envelope::Debezium));
    assert_eq!(Envelope::seen_in(&connect("{\"id\":1}")), Some(Envelope::Connect));
    assert_eq!(Envelope::seen_in(&connect("7")), Some(Envelope::Connect));
    for value in [
        r#"{"op":"c"}"#,
        r#"{"before":1,"after":2}"#,
        r#"{"payload":{}}"#,
        "[]",
        "{",
    ] {
        assert_eq!(Envelope::seen_in(value), None, "{value}");
    }
}

/// An erasure looks into records that are kept as they came, too.
#[test]
fn rows_are_found_in_an_envelope() {
    let rows = |envelope: Envelope, text: &str| envelope.rows_in(text).map(str::to_owned).collect::<Vec<_>>();
    let change = r#"{"before":{"id":1},"after":{"id":2},"op":"x"}"#;
    let wrapped = format!(r#"{{"schema":null,"payload":{change}}}"#);
    let both = [r#"{"id":1}"#, r#"{"id":2}"#];
    assert_eq!(rows(Envelope::Debezium, change), both);
    assert_eq!(rows(Envelope::Debezium, &wrapped), both);
    assert_eq!(rows(Envelope::Connect, &wrapped), [change]);
    for (envelope, text) in [
        (Envelope::Debezium, r#"{"before":{"id":1},"after":{"id":2}}"#),
        (Envelope::Debezium, r#"{"before":null,"after":1,"op":"c"}"#),
        (Envelope::Connect, change),
        (Envelope::Connect, r#"{"schema":null,"payload":[1]}"#),
    ] {
        assert!(rows(envelope, text).is_empty(), "{text}");
    }
}

/// Any object, with names that envelopes have as well.
fn object() -> impl Strategy<Value = Vec<u8>> {
    let name = "payload|schema|after|before|op|id|é|\\\\u0061|[a-z]{0,3}";
    let leaf = "null|true|-?[1-9][0-9]{0,25}(\\.[0-9]{1,4})?|\"[a-z{}:,é]{0,6}(\\\\n|\\\\\"|\\\\u00e9)?\"|[ \t\r\n]{0,2}\\[ ?\\]";
    let value = leaf.prop_recursive(3, 24, 4, move |inner| {
        let fields = proptest::collection::vec((name, inner), 0..4);
        (fields, "[ \n]?").prop_map(|(fields, blank)| {
            let fields: Vec<_> = fields
                .into_iter()
                .map(|(name, value)| format!("{blank}\"{name}\"{blank}:{value}"))
                .collect();
            format!("{{{}{blank}}}", fields.join(","))
        })
    });
    prop_oneof![value.prop_map(String::into_bytes), oracle::bytes(),]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(1024)))]

    /// What was wrapped comes out as if it had never been wrapped: text, fields, order, and what readers would refuse.
    #[test]
    fn what_was_wrapped_comes_out(value in object(), order in any::<bool>(), op in "[cru]", blank in "[ \n]{0,2}") {
        let text = std::str::from_utf8(&value).ok();
        let text = text.filter(|text| serde_json::from_str::<&RawValue>(text).is_ok());
        let Some(text) = text else { return Ok(()) };
        let before = r#"{"after":{"op":"d"},"id":1,"id":2}"#;
        let change = match order {
            true => format!("{{\"before\":{before},{blank}\"after\":{text}{blank},\"op\":\"{op}\"}}"),
            false => format!("{{\"op\"{blank}:\"{op}\",\"after\":{text},\"before\":{before}}}"),
        };
        let connect = |payload: &str| match order {
            true => format!("{blank}{{\"schema\":{SCHEMA},\"payload\":{payload}{blank}}}"),
            false => format!("{{\"payload\":{payload},\"schema\":null}}{blank}"),
        };
        let is_object = text.trim().starts_with('{');
        for fields in [false, true] {
            let decoder = || {
                let decoder = Decoder::default().reserving(["id".to_owned()]);
                if fields { decoder.with_fields() } else { decoder }
            };
            // Each twice, as names are remembered.
            let mut plain = decoder();
            let expected = [body_of(&mut plain, text.as_bytes()), body_of(&mut plain, text.as_bytes())];
            for (envelope, wrapped) in [
                (Envelope::Connect, connect(text)),
                (Envelope::Debezium, change.clone()),
                (Envelope::Debezium, connect(&change)),
            ] {
                let mut decoder = decoder();
                decoder.values.unwrap = Some(envelope);
                for expected in &expected {
                    let found = body_of(&mut decoder, wrapped.as_bytes());
                    match expected {
                        Body::Unreadable { .. } => prop_assert!(matches!(found, Body::Unreadable { .. }), "{}", wrapped),
                        _ if envelope == Envelope::Debezium && !is_object => {
                            prop_assert!(matches!(found, Body::Unreadable { .. }), "{}", wrapped);
                        }
                        Body::Other(text) if &**text == "null" => prop_assert_eq!(&found, &Body::Tombstone),
                        _ => prop_assert_eq!(&found, expected, "{}", wrapped),
                    }
                }
            }
        }
    }

    /// Whatever comes is a row, a deletion or a reason, and never a panic; it is never an envelope's own fields.
    #[test]
    fn anything_is_opened(value in oracle::bytes(), object in object()) {
        for value in [value, object] {
            for envelope in [Envelope::Debezium, Envelope::Connect] {
                let mut decoder = unwrapping(KeySchema::default(), envelope).with_fields();
                if let Body::Object(found) = body_of(&mut decoder, &value) {
                    let least = r#"{"after":,"op":"c"}"#.len();
                    prop_assert!(found.text().len() + least <= value.len());
                }
                let text = String::from_utf8_lossy(&value);
                let _ = (Envelope::seen_in(&text), envelope.rows_in(&text).count());
            }
        }
    }
}
