//! A record as a search sees it, whether it comes from Kafka or stands in a line of the lake.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::borrow::Cow;

use super::fields::{self, at_field, at_path, canonical, scalar};
use crate::ksqldb::{DecodedKey, Key, KeySchema};
use crate::lake::line::OURS;

/// A key without its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyView<'a> {
    None,
    /// Text, or a number as it is written.
    Scalar(Cow<'a, str>),
    /// A JSON object or array.
    Nested(Cow<'a, str>),
    /// The configured format does not fit: these are its bytes.
    Undecodable(Cow<'a, [u8]>),
}

impl<'a> KeyView<'a> {
    /// The key of a record from Kafka, exactly as its line would say it.
    pub(super) fn of_record(schema: &KeySchema, key: Option<&'a [u8]>) -> KeyView<'a> {
        let bytes = key.unwrap_or_default();
        match schema.decode(key) {
            DecodedKey::Null => KeyView::None,
            DecodedKey::Undecodable(_) => KeyView::Undecodable(Cow::Borrowed(bytes)),
            DecodedKey::Key { key, .. } => match key {
                Key::Text(text) => KeyView::Scalar(Cow::Borrowed(text)),
                Key::Int(number) => KeyView::Scalar(number.to_string().into()),
                Key::Double(number) => KeyView::Scalar(serde_json::Value::from(number).to_string().into()),
                Key::Json(raw) => Self::of_json(raw),
                Key::Bytes(bytes) => KeyView::Scalar(BASE64.encode(bytes).into()),
                Key::Fields(mut fields) => match fields.len() {
                    1 => KeyView::Scalar(fields.remove(0).into()),
                    _ => KeyView::Nested(object(&schema.columns, &fields).into()),
                },
            },
        }
    }

    pub(super) fn of_json(raw: &'a str) -> KeyView<'a> {
        match scalar(raw) {
            Some(text) => KeyView::Scalar(text),
            None if raw.starts_with('n') => KeyView::None,
            None => KeyView::Nested(Cow::Borrowed(raw)),
        }
    }

    /// The form in which equal keys are equal text.
    pub(super) fn canonical(&self) -> Option<Cow<'_, str>> {
        match self {
            KeyView::Scalar(text) | KeyView::Nested(text) => Some(canonical(text)),
            KeyView::None | KeyView::Undecodable(_) => None,
        }
    }

    /// What stands in the key at `path`; `names` are the configured names of its columns.
    pub(super) fn at_path(&self, names: &[String], path: &str, visit: &mut dyn FnMut(&str)) {
        match self {
            KeyView::Scalar(text) => {
                if let [name] = names
                    && name.to_lowercase() == path
                {
                    visit(text);
                }
            }
            KeyView::Nested(raw) if raw.starts_with('{') => {
                let mut at = 0;
                let mut values = Vec::new();
                let _ = fields::each(raw, &mut |name, value| {
                    at_field(name, value, path, &mut |text| visit(&text));
                    values.push(value);
                });
                // Columns that the configuration names by place, which renames them.
                if values.len() == names.len() {
                    for name in names {
                        if name.to_lowercase() == path
                            && let Some(text) = scalar(values[at])
                        {
                            visit(&text);
                        }
                        at += 1;
                    }
                }
            }
            _ => {}
        }
    }
}

fn object(names: &[String], fields: &[String]) -> String {
    let fields: Vec<String> = names
        .iter()
        .zip(fields)
        .map(|(name, field)| format!("{}:{}", serde_json::json!(name), serde_json::json!(field)))
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// What a line says of its record.
#[derive(Debug)]
pub(super) struct LineView<'a> {
    /// None where lines carry the value alone.
    prefix: Option<String>,
    pub(super) key: KeyView<'a>,
    value: Value<'a>,
    /// The value as a whole did not fit into the line as JSON.
    unreadable: Option<Cow<'a, [u8]>>,
    headers: Option<&'a str>,
}

#[derive(Debug)]
enum Value<'a> {
    /// Spliced into the line.
    Fields(&'a str),
    /// Under a name of ours, or read from text.
    Whole(Cow<'a, str>),
}

impl<'a> LineView<'a> {
    /// # Errors
    /// Not a line of the lake.
    pub(super) fn read(line: &'a str) -> Result<LineView<'a>, serde_json::Error> {
        let mut head = Head::default();
        fields::each(line, &mut |name, raw| head.take(name, raw))?;
        Ok(head.into_view(line))
    }

    /// Whether the line has a key at all, be it null.
    pub(super) fn has_key(&self) -> bool {
        self.prefix.is_some()
    }

    /// What stands in the value at `path`.
    pub(super) fn at_path(&self, path: &str, visit: &mut dyn FnMut(&str)) {
        let mut found = |text: Cow<'_, str>| visit(&text);
        let _ = match &self.value {
            Value::Whole(raw) => at_path(raw, path, &mut found),
            Value::Fields(line) => fields::each(line, &mut |name, raw| {
                if !self.is_ours(name) {
                    at_field(name, raw, path, &mut found);
                }
            }),
        };
    }

    fn is_ours(&self, name: &str) -> bool {
        let prefix = self.prefix.as_deref();
        prefix
            .and_then(|prefix| name.strip_prefix(prefix))
            .is_some_and(|rest| OURS.contains(&rest))
    }

    /// Bytes that no field can be told of.
    pub(super) fn unsearchable(&self) -> impl Iterator<Item = &[u8]> {
        let key = match &self.key {
            KeyView::Undecodable(bytes) => Some(bytes.as_ref()),
            _ => None,
        };
        self.unreadable.as_deref().into_iter().chain(key)
    }

    /// Whatever of the line is the record's own.
    pub(super) fn texts(&self, visit: &mut dyn FnMut(&str)) {
        if let KeyView::Scalar(text) | KeyView::Nested(text) = &self.key {
            visit(text);
        }
        visit(self.headers.unwrap_or_default());
        match &self.value {
            Value::Whole(raw) => visit(raw),
            Value::Fields(line) => {
                let _ = fields::each(line, &mut |name, raw| {
                    if !self.is_ours(name) {
                        visit(raw);
                    }
                });
            }
        }
    }
}

/// Our own fields as they come by. The first three tell the prefix, whatever the configuration says by now.
#[derive(Default)]
struct Head<'a> {
    seen: usize,
    prefix: Option<String>,
    sure: bool,
    key: Option<&'a str>,
    key_base64: Option<&'a str>,
    headers: Option<&'a str>,
    value: Option<&'a str>,
    value_text: Option<&'a str>,
    value_base64: Option<&'a str>,
}

impl<'a> Head<'a> {
    fn take(&mut self, name: &str, raw: &'a str) {
        self.seen += 1;
        if self.seen == 1 {
            self.prefix = name.strip_suffix("partition").map(str::to_owned);
            return;
        }
        let Some(rest) = self
            .prefix
            .as_deref()
            .and_then(|prefix| name.strip_prefix(prefix))
        else {
            if self.seen <= 3 {
                self.prefix = None;
            }
            return;
        };
        match (self.seen, rest) {
            (2, "offset") => {}
            (3, "timestamp") => self.sure = true,
            (2 | 3, _) => self.prefix = None,
            (_, "key") => self.key = Some(raw),
            (_, "key_base64") => self.key_base64 = Some(raw),
            (_, "headers") => self.headers = Some(raw),
            (_, "value") => self.value = Some(raw),
            (_, "value_text") => self.value_text = Some(raw),
            (_, "value_base64") => self.value_base64 = Some(raw),
            _ => {}
        }
    }

    fn into_view(self, line: &'a str) -> LineView<'a> {
        let prefix = self.prefix.filter(|_| self.sure);
        let plain = LineView {
            key: KeyView::None,
            value: Value::Fields(line),
            unreadable: None,
            headers: None,
            prefix,
        };
        if plain.prefix.is_none() {
            return plain;
        }
        let decoded = |raw: &str| scalar(raw).and_then(|text| BASE64.decode(text.as_bytes()).ok());
        let key = match (self.key, self.key_base64) {
            (Some(raw), _) => KeyView::of_json(raw),
            (None, Some(raw)) => KeyView::Undecodable(decoded(raw).unwrap_or_default().into()),
            (None, None) => KeyView::None,
        };
        let (value, unreadable) = match (self.value, self.value_text.and_then(scalar), self.value_base64) {
            (Some(raw), _, _) => (Value::Whole(Cow::Borrowed(raw)), None),
            // Text may be an object all the same, only with something in it that readers choke on.
            (_, Some(text), _) => match fields::each(&text, &mut |_, _| {}) {
                Ok(()) => (Value::Whole(text), None),
                Err(_) => (Value::Whole(Cow::Borrowed("")), Some(into_bytes(text))),
            },
            (_, _, Some(raw)) => {
                let bytes = decoded(raw).unwrap_or_default();
                (Value::Whole(Cow::Borrowed("")), Some(Cow::Owned(bytes)))
            }
            _ => (Value::Fields(line), None),
        };
        LineView {
            key,
            value,
            unreadable,
            headers: self.headers,
            ..plain
        }
    }
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ksqldb::{KeyFormat, Window};
    use crate::lake::line::LineWriter;
    use crate::record::Record;

    fn schema(format: KeyFormat, columns: &[&str]) -> KeySchema {
        KeySchema {
            format,
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            ..KeySchema::default()
        }
    }

    /// What a drain compares and what an erasure finds in the line must be one and the same.
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
            LineWriter::new("k_", schema.clone(), true).write(&record, &mut line);
            let line = String::from_utf8(line).unwrap();
            let view = LineView::read(&line).unwrap();
            let direct = KeyView::of_record(&schema, Some(key));
            assert!(view.has_key());
            assert!(direct.canonical().is_some());
            assert_eq!(view.key.canonical(), direct.canonical(), "{line}");
        }
    }

    fn values(line: &str, path: &str) -> Vec<String> {
        let view = LineView::read(line).unwrap();
        let mut found = Vec::new();
        view.at_path(path, &mut |text| found.push(text.to_owned()));
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
        // A value's own field that only looks like ours.
        assert_eq!(values(r#"{"my_partition":3,"my_key":"a"}"#, "my_key"), ["a"]);
    }

    #[test]
    fn what_can_not_be_searched_is_told() {
        let head = r#"{"_partition":0,"_offset":1,"_timestamp":2"#;
        let line = format!(r#"{head},"_key_base64":"/2E=","_value_text":"{{broken","_error":"x"}}"#);
        let view = LineView::read(&line).unwrap();
        let found: Vec<_> = view.unsearchable().collect();
        assert_eq!(found, [b"{broken".as_slice(), b"\xffa"]);
    }
}
