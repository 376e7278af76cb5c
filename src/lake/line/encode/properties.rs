//! Lines against the published form, byte for byte, without the writer's own code.

use super::*;
use crate::config::{DeclaredColumn, KeyFormat};
use crate::json::oracle;
use proptest::prelude::*;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A line taken apart by a reader: names and values as they were written.
fn fields(line: &str) -> BTreeMap<String, &RawValue> {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
}

fn flat(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn is_reserved(name: &str, prefix: &str) -> bool {
    let ours = [
        "partition",
        "offset",
        "timestamp",
        "key",
        "key_base64",
        "window_start",
        "window_end",
        "headers",
        "value",
        "value_text",
        "value_base64",
        "error",
    ];
    let name = name.to_lowercase();
    let ours = ours
        .iter()
        .any(|own| format!("{prefix}{own}").to_lowercase() == name);
    ours || ["year", "month", "day"].contains(&&*name)
}

/// An object with none of our names.
fn is_ordinary(value: &oracle::TrustedValue<'_>, prefix: &str) -> bool {
    let names = value.names.as_ref();
    names.is_some_and(|names| !names.iter().any(|name| is_reserved(name, prefix)))
}

/// What the line must end with, after the key, if nothing is irregular.
fn ending(value: Option<&oracle::TrustedValue<'_>>, prefix: &str) -> String {
    let Some(value) = value else {
        return format!(",\"{prefix}value\":null}}");
    };
    let text = flat(value.text);
    match is_ordinary(value, prefix) {
        true if value.names.as_ref().is_some_and(Vec::is_empty) => "}".to_owned(),
        true => format!(",{}", &text[1..]),
        false => format!(",\"{prefix}value\":{text}}}"),
    }
}

/// Compares a line with its record, whose key is text or null.
fn check(line: &[u8], irregular: bool, record: &Record<'_>, prefix: &str, metadata: bool) {
    let line = std::str::from_utf8(line).unwrap();
    assert!(
        line.ends_with('\n') && line.matches(['\n', '\r']).count() == 1,
        "{line:?}"
    );
    let line = &line[..line.len() - 1];
    let value = record.value.map(oracle::read);
    let key = record.key.map(std::str::from_utf8);
    let odd_key = matches!(key, Some(Err(_)));
    assert_eq!(irregular, odd_key || value == Some(None), "{line}");
    // What a reader sees: one object, and no name in it twice.
    let found = fields(line);
    if let (false, Some(Some(value))) = (metadata, &value)
        && is_ordinary(value, prefix)
    {
        assert_eq!(line, flat(value.text));
        return;
    }
    let key = match key {
        None => format!("\"{prefix}key\":null"),
        Some(Ok(key)) => format!("\"{prefix}key\":{}", serde_json::to_string(key).unwrap()),
        Some(Err(_)) => format!(
            "\"{prefix}key_base64\":\"{}\"",
            BASE64.encode(record.key.unwrap())
        ),
    };
    let head = format!(
        "{{\"{prefix}partition\":{},\"{prefix}offset\":{},\"{prefix}timestamp\":{},{key}",
        record.partition, record.offset, record.timestamp_ms
    );
    let rest = line
        .strip_prefix(&head)
        .unwrap_or_else(|| panic!("{line} does not begin with {head}"));
    match value {
        None | Some(Some(_)) if !irregular => assert_eq!(rest, ending(value.flatten().as_ref(), prefix)),
        None | Some(Some(_)) => {
            let ending = ending(value.flatten().as_ref(), prefix);
            assert!(
                rest.ends_with(&ending) && rest.starts_with(&format!(",\"{prefix}error\":\"")),
                "{line}"
            );
            let between = format!("{{{}}}", &rest[1..rest.len() - ending.len()]);
            assert_eq!(fields(&between).len(), 1, "{between}");
        }
        Some(None) => {
            let bytes = record.value.unwrap();
            let text = |name: &str| {
                found
                    .get(&format!("{prefix}{name}"))
                    .map(|raw| serde_json::from_str::<String>(raw.get()).unwrap())
            };
            assert!(!text("error").unwrap().is_empty(), "{line}");
            match std::str::from_utf8(bytes) {
                Ok(value) => assert_eq!(text("value_text").unwrap(), value, "{line}"),
                Err(_) => assert_eq!(
                    BASE64.decode(text("value_base64").unwrap()).unwrap(),
                    bytes,
                    "{line}"
                ),
            }
            assert_eq!(found.len(), 6, "{line}");
        }
    }
}

fn written(writer: &mut Recorder, record: &Record<'_>) -> (Vec<u8>, bool) {
    // The buffer is not empty, as a file's is not.
    let mut out = b"before\n".to_vec();
    let irregular = writer.write(record, &mut out).irregular;
    assert!(out.starts_with(b"before\n"));
    if writer.writer.metadata {
        // A table writes the same line in two parts.
        let (mut parts, place) = (Vec::new(), (record.partition, record.offset, record.timestamp_ms));
        writer.writer.head().write(place, record.key, &mut parts);
        let decoded = writer.decoder.decode(record).unwrap();
        let rest = writer.writer.write_rest(record, &decoded, &mut parts);
        assert_eq!((rest.irregular, &*parts), (irregular, &out[7..]));
    }
    (out.split_off(7), irregular)
}

proptest! {
    /// Records of all kinds, by one writer, one after the other.
    #[test]
    fn lines_are_what_the_published_form_makes_of_records(
        values in proptest::collection::vec(proptest::option::weighted(0.9, oracle::bytes()), 1..4),
        key in proptest::option::of(prop_oneof![
            4 => "\\PC{0,6}[\n\"\\\\\u{1}]?".prop_map(String::into_bytes),
            1 => proptest::collection::vec(any::<u8>(), 0..6),
        ]),
        place in (any::<i32>(), any::<i64>(), any::<i64>()),
        prefix in proptest::sample::select(vec!["_", "k_", "__", "kafka_Meta_"]),
        metadata in any::<bool>(),
    ) {
        let mut writer = Recorder::new(prefix, KeySchema::default(), metadata);
        for value in &values {
            let record = Record {
                partition: place.0,
                offset: place.1,
                timestamp_ms: place.2,
                key: key.as_deref(),
                value: value.as_deref(),
                headers: Vec::new(),
            };
            let (line, irregular) = written(&mut writer, &record);
            check(&line, irregular, &record, prefix, metadata);
        }
    }

    /// Any bytes as a key of any format make one line that holds the key and the value.
    #[test]
    fn any_key_makes_one_line(
        key in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..24),
            oracle::bytes(),
            any::<(u32, u64)>().prop_map(|(a, b)| [&a.to_be_bytes()[..], &(b >> 20).to_be_bytes()].concat()),
        ],
        format in proptest::sample::select(vec![
            KeyFormat::String, KeyFormat::Int, KeyFormat::Bigint, KeyFormat::Double, KeyFormat::Json,
            KeyFormat::Delimited, KeyFormat::Bytes, KeyFormat::None,
        ]),
        window in proptest::sample::select(vec![
            None, Some(crate::config::Window::Time { size_ms: 300_000 }), Some(crate::config::Window::Session),
        ]),
    ) {
        let schema = KeySchema {
            format,
            columns: ["a\"", "b"].map(DeclaredColumn::named).into(),
            window,
            ..KeySchema::default()
        };
        let record = Record {
            partition: 0,
            offset: 7,
            timestamp_ms: -1,
            key: Some(&key),
            value: Some(b"{\"A\":12.340}"),
            headers: Vec::new(),
        };
        let (line, irregular) = written(&mut Recorder::new("_", schema, true), &record);
        let line = String::from_utf8(line).unwrap();
        prop_assert!(line.ends_with(",\"A\":12.340}\n") && line.matches(['\n', '\r']).count() == 1, "{}", line);
        let found = fields(line.trim_end());
        prop_assert_eq!(found.contains_key("_key_base64"), irregular, "{}", line);
        prop_assert_eq!(found.contains_key("_error"), irregular);
        prop_assert_eq!(found.contains_key("_key"), !irregular);
        prop_assert_eq!(found.contains_key("_window_start"), !irregular && window.is_some());
        if irregular {
            let text: String = serde_json::from_str(found["_key_base64"].get()).unwrap();
            prop_assert_eq!(BASE64.decode(text).unwrap(), key);
        }
    }

    /// Headers of any bytes, kept in their order.
    #[test]
    fn headers_are_found_again(
        headers in proptest::collection::vec((
            prop_oneof!["\\PC{0,4}".prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..4)],
            proptest::option::of(proptest::collection::vec(any::<u8>(), 0..6)),
        ), 1..4),
    ) {
        let record = Record {
            partition: 0,
            offset: 7,
            timestamp_ms: 0,
            key: None,
            value: Some(b"{}"),
            headers: headers.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect(),
        };
        let (line, _) = written(&mut Recorder::new("_", KeySchema::default(), true), &record);
        let line = std::str::from_utf8(&line).unwrap();
        let found: Vec<serde_json::Value> = serde_json::from_str(fields(line.trim_end())["_headers"].get()).unwrap();
        let bytes = |header: &serde_json::Value, name: &str| match (&header[name], &header[format!("{name}_base64")]) {
            (serde_json::Value::String(text), serde_json::Value::Null) => Some(text.clone().into_bytes()),
            (serde_json::Value::Null, serde_json::Value::String(text)) => Some(BASE64.decode(text).unwrap()),
            _ => None,
        };
        let found: Vec<_> = found.iter().map(|header| (bytes(header, "name").unwrap(), bytes(header, "value"))).collect();
        prop_assert_eq!(found, headers);
    }
}
