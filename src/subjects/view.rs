//! A record as a search sees it, whether it comes from Kafka or from a line of the lake.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::borrow::Cow;

use super::fields::{self, FoundScalar, at_field, canonical, found_in, plain_number};
use crate::config::Envelope;
use crate::decode::Body;
use crate::decode::fields::each;
use crate::decode::key::{DecodedKey, Key};
use crate::decode::line::LakeLine;

/// A key without its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyView<'a> {
    None,
    /// Text, or a boolean.
    Scalar(Cow<'a, str>),
    /// As it is written.
    Number(Cow<'a, str>),
    /// A JSON object or array.
    Nested(Cow<'a, str>),
    /// The bytes of a key that does not fit the configured format.
    Undecodable(&'a [u8]),
}

impl<'a> KeyView<'a> {
    /// A key as its line shows it.
    pub(crate) fn of(key: &'a DecodedKey<'_>) -> KeyView<'a> {
        match key {
            DecodedKey::Null => KeyView::None,
            DecodedKey::Undecodable { bytes, .. } => KeyView::Undecodable(bytes),
            DecodedKey::Key { key, .. } => match key {
                Key::Text(text) => KeyView::Scalar(Cow::Borrowed(text)),
                Key::Int(number) => KeyView::Number(number.to_string().into()),
                Key::Double(number) => KeyView::Number(serde_json::Value::from(*number).to_string().into()),
                Key::Json(raw) => Self::of_json(raw),
                Key::Bytes(bytes) => KeyView::Scalar(BASE64.encode(bytes).into()),
            },
        }
    }

    fn of_json(raw: &'a str) -> KeyView<'a> {
        match found_in(raw) {
            Some(found) if found.is_number => KeyView::Number(found.text),
            Some(found) => KeyView::Scalar(found.text),
            None if raw.starts_with('n') => KeyView::None,
            None => KeyView::Nested(Cow::Borrowed(raw)),
        }
    }

    /// The form in which equal keys are equal text.
    pub(crate) fn canonical(&self) -> Option<Cow<'_, str>> {
        match self {
            KeyView::Scalar(text) | KeyView::Number(text) | KeyView::Nested(text) => Some(canonical(text)),
            KeyView::None | KeyView::Undecodable(_) => None,
        }
    }

    /// The one form of a key that is a number.
    pub(crate) fn number(&self) -> Option<String> {
        match self {
            KeyView::Number(text) => plain_number(text),
            _ => None,
        }
    }

    /// The bytes of a key whose fields can't be read.
    pub(crate) fn undecodable(&self) -> Option<&'a [u8]> {
        match self {
            KeyView::Undecodable(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Calls `visit` with the key's values at `path`; `names` are the configured names of its columns.
    pub(crate) fn at_path(&self, names: &[String], path: &str, visit: &mut dyn FnMut(FoundScalar<'_>)) {
        match self {
            KeyView::Scalar(text) | KeyView::Number(text) => {
                if let [name] = names
                    && name.to_lowercase() == path
                {
                    let is_number = matches!(self, KeyView::Number(_));
                    visit(FoundScalar {
                        text: text.as_ref().into(),
                        is_number,
                    });
                }
            }
            KeyView::Nested(raw) if raw.starts_with('{') => {
                let mut at = 0;
                let mut values = Vec::new();
                let _ = each(raw, &mut |name, value| {
                    at_field(&name, value, path, visit);
                    values.push(value);
                });
                // The configuration may rename the columns, by their place.
                if values.len() == names.len() {
                    for name in names {
                        if name.to_lowercase() == path
                            && let Some(found) = found_in(values[at])
                        {
                            visit(found);
                        }
                        at += 1;
                    }
                }
            }
            _ => {}
        }
    }
}

/// Calls `visit` with a value's fields at `path`, as far as it can be read. False: it can't be read to its end, or is not an
/// object. If the topic's values come in an envelope, the rows in a value that still has it are searched too.
pub(crate) fn at_path(
    body: &Body<'_>,
    envelope: Option<Envelope>,
    path: &str,
    visit: &mut dyn FnMut(FoundScalar<'_>),
) -> bool {
    if let Some(envelope) = envelope
        && let Some(text) = bytes(body).and_then(|bytes| std::str::from_utf8(bytes).ok())
    {
        for row in envelope.rows_in(text) {
            // A row that can't be read to its end is searched as far as it can be.
            let _ = fields::at_path(row, path, visit);
        }
    }
    match body {
        Body::Tombstone => true,
        Body::Object(object) => object
            .fields()
            .map(|fields| fields.for_each(|field| at_field(&field.name, field.raw, path, visit)))
            .is_ok(),
        Body::Other(_) => false,
        // It may still be an object, with something in it that readers refuse.
        Body::Unreadable { bytes, .. } => std::str::from_utf8(bytes)
            .is_ok_and(|text| text.is_empty() || fields::at_path(text, path, visit).is_ok()),
    }
}

/// The bytes of a value whose fields can't be read.
pub(crate) fn unreadable<'b>(body: &'b Body<'_>) -> Option<&'b [u8]> {
    match body {
        Body::Unreadable { bytes, .. } => {
            let is_object = |text| each(text, &mut |_, _| {}).is_ok();
            (!std::str::from_utf8(bytes).is_ok_and(is_object)).then_some(bytes)
        }
        Body::Tombstone | Body::Object(_) | Body::Other(_) => None,
    }
}

/// The bytes of any value; None for a tombstone.
pub(crate) fn bytes<'b>(body: &'b Body<'_>) -> Option<&'b [u8]> {
    match body {
        Body::Tombstone => None,
        Body::Object(object) => Some(object.text().as_bytes()),
        Body::Other(text) => Some(text.as_bytes()),
        Body::Unreadable { bytes, .. } => Some(bytes),
    }
}

/// Calls `visit` with the parts of a line that come from its record: key, headers and value.
pub(crate) fn texts(line: &LakeLine<'_>, key: &KeyView<'_>, visit: &mut dyn FnMut(&str)) {
    if let KeyView::Scalar(text) | KeyView::Number(text) | KeyView::Nested(text) = key {
        visit(text);
    }
    visit(line.headers.unwrap_or_default());
    let body = &line.decoded.body;
    match body {
        Body::Object(object) if line.spliced => {
            if let Ok(fields) = object.fields() {
                fields.for_each(|field| visit(field.raw));
            }
        }
        _ if unreadable(body).is_some() => {}
        _ => visit(&String::from_utf8_lossy(bytes(body).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DeclaredColumn, KeyFormat, KeySchema, Window};
    use crate::decode::{Decoded, Decoder, line};
    use crate::lake::line::encode::Recorder;
    use crate::record::Record;

    fn schema(format: KeyFormat, columns: &[&str]) -> KeySchema {
        KeySchema {
            format,
            columns: columns.iter().map(|name| DeclaredColumn::named(name)).collect(),
            ..KeySchema::default()
        }
    }

    /// A drain compares the record's key, an erasure the line's: both must be the same.
    #[test]
    fn a_line_shows_the_key_of_its_record() {
        let windowed = KeySchema {
            window: Some(Window::Time { size_ms: 1_000 }),
            ..KeySchema::default()
        };
        let cases: [(KeySchema, &[u8]); 12] = [
            (schema(KeyFormat::String, &[]), "é\"\n".as_bytes()),
            (schema(KeyFormat::String, &[]), b"{\"b\":1,\"a\":2}"),
            (schema(KeyFormat::Int, &[]), &[255, 255, 255, 254]),
            (schema(KeyFormat::Bigint, &[]), &7i64.to_be_bytes()),
            (schema(KeyFormat::Double, &[]), &1e300f64.to_be_bytes()),
            (schema(KeyFormat::Json, &[]), b" {\"B\": \"x\", \"A\":1.50} "),
            (schema(KeyFormat::Json, &[]), b"\"x\\u0041\""),
            (schema(KeyFormat::Json, &[]), b"12.340"),
            (schema(KeyFormat::Delimited, &["a", "b"]), b"x,\"y\"\"\""),
            (schema(KeyFormat::Delimited, &["a"]), b"x"),
            (schema(KeyFormat::Bytes, &[]), b"\xff\x00"),
            (windowed, b"withdrawal\x00\x00\x01\x8b\xcf\xe6\xee\xa0"),
        ];
        for (schema, key) in cases {
            let record = Record {
                partition: 0,
                offset: 1,
                timestamp_ms: 2,
                key: Some(key),
                value: Some(b"{\"x\":1}"),
                headers: Vec::new(),
            };
            let mut line = Vec::new();
            Recorder::new("k_", schema.clone(), true).write(&record, &mut line);
            let line = String::from_utf8(line).unwrap();
            let read = line::read(&line).unwrap();
            let decoded = Decoder::of_keys(schema.clone()).decode(&record).unwrap();
            let direct = KeyView::of(&decoded.key);
            assert!(read.has_ours);
            assert!(direct.canonical().is_some());
            let view = KeyView::of(&read.decoded.key);
            assert_eq!(view.canonical(), direct.canonical(), "{line}");
        }
    }

    fn values(line: &str, path: &str) -> Vec<String> {
        let read = line::read(line).unwrap();
        let mut found = Vec::new();
        at_path(&read.decoded.body, None, path, &mut |scalar| {
            found.push(scalar.text.into_owned())
        });
        found
    }

    #[test]
    fn values_are_found_wherever_the_line_keeps_them() {
        let head = r#"{"_partition":0,"_offset":1,"_timestamp":2,"_key":"k""#;
        assert_eq!(values(&format!(r#"{head},"ID":"a"}}"#), "id"), ["a"]);
        assert_eq!(values(&format!(r#"{head},"_value":{{"ID":"a"}}}}"#), "id"), ["a"]);
        let text = r#""_value_text":"{\"ID\":\"a\",\"id\":\"b\"}","_error":"twice""#;
        assert_eq!(values(&format!("{head},{text}}}"), "id"), ["a", "b"]);
        assert!(values(&format!(r#"{head},"_value":["ID"]}}"#), "id").is_empty());
        assert!(values(&format!("{head}}}"), "_key").is_empty());
        assert_eq!(values(r#"{"ID":"a"}"#, "id"), ["a"]);
        // A field of the value that only looks like ours.
        assert_eq!(values(r#"{"my_partition":3,"my_key":"a"}"#, "my_key"), ["a"]);
    }

    #[test]
    fn what_can_not_be_searched_is_reported() {
        let head = r#"{"_partition":0,"_offset":1,"_timestamp":2"#;
        let line = format!(r#"{head},"_key_base64":"/2E=","_value_text":"{{broken","_error":"x"}}"#);
        let Decoded { key, body, .. } = line::read(&line).unwrap().decoded;
        let found = [unreadable(&body), KeyView::of(&key).undecodable()];
        assert_eq!(found, [Some(b"{broken".as_slice()), Some(b"\xffa")]);
    }
}
