//! Record keys: ksqlDB's key formats, and the window suffix after the serialised key.

use std::borrow::Cow;

use super::delimited;
use super::envelope::inside_key;
use crate::config::{DeclaredType, KeyFormat, KeySchema, Window};
use crate::json::{Checker, FieldPlace, Reason};

/// A window's start and end, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowBounds {
    pub start_ms: i64,
    pub end_ms: i64,
}

/// A key without its window.
#[derive(Debug, Clone, PartialEq)]
pub enum Key<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    /// Finite.
    Double(f64),
    /// One valid JSON value, without whitespace around it.
    Json(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum DecodedKey<'a> {
    Null,
    Key {
        key: Key<'a>,
        window: Option<WindowBounds>,
    },
    /// A key that does not fit the configured format: the reason, and its bytes.
    Undecodable {
        reason: Reason,
        bytes: Cow<'a, [u8]>,
    },
}

impl DecodedKey<'_> {
    /// Takes a key out of its envelope that was decoded with it.
    pub(super) fn take_out(&mut self) {
        if let DecodedKey::Key {
            key: Key::Json(text), ..
        } = self
            && let Some(inside) = inside_key(text)
        {
            *text = inside.to_owned().into();
        }
    }

    /// The bytes of the key without its envelope, in a topic whose keys may have one. The schema in there may change while the
    /// key stays the same.
    pub fn without_envelope<'k>(&'k self, raw: &'k [u8]) -> &'k [u8] {
        match self {
            DecodedKey::Key {
                key: Key::Json(text), ..
            } => text.as_bytes(),
            _ => raw,
        }
    }
}

impl KeySchema {
    /// Reads a record's key. Never fails: a key that can't be decoded is kept with its bytes.
    pub fn decode<'a>(&self, key: Option<&'a [u8]>) -> DecodedKey<'a> {
        self.decode_with(&mut Checker::default(), key, None)
    }

    /// The same, with a checker that remembers the topic's JSON keys and so is faster. It notes the places of such a key's fields
    /// in `places`, which must be empty.
    pub(super) fn decode_with<'a>(
        &self,
        checker: &mut Checker,
        key: Option<&'a [u8]>,
        places: Option<&mut Vec<FieldPlace>>,
    ) -> DecodedKey<'a> {
        let Some(bytes) = key else { return DecodedKey::Null };
        match self
            .split(bytes)
            .and_then(|(bytes, window)| Ok((self.decode_bytes(checker, bytes, places)?, window)))
        {
            Ok((key, window)) => DecodedKey::Key { key, window },
            Err(reason) => DecodedKey::Undecodable {
                reason,
                bytes: Cow::Borrowed(bytes),
            },
        }
    }

    /// The key as it is serialised, and the window behind it, if the topic has windows.
    pub(super) fn split<'a>(&self, bytes: &'a [u8]) -> Result<(&'a [u8], Option<WindowBounds>), Reason> {
        match self.window {
            None => Ok((bytes, None)),
            Some(window) => split_window(bytes, window).map(|(key, bounds)| (key, Some(bounds))),
        }
    }

    fn decode_bytes<'a>(
        &self,
        checker: &mut Checker,
        bytes: &'a [u8],
        places: Option<&mut Vec<FieldPlace>>,
    ) -> Result<Key<'a>, Reason> {
        let text =
            || std::str::from_utf8(bytes).map_err(|e| Reason::at_byte("key: not UTF-8", e.valid_up_to()));
        match self.format {
            KeyFormat::String => match &self.separator {
                None => Ok(Key::Text(text()?.into())),
                Some(separator) => self.parts(text()?.split(separator.as_str())),
            },
            KeyFormat::Int => Ok(Key::Int(i32::from_be_bytes(fixed(bytes, "int")?).into())),
            KeyFormat::Bigint => Ok(Key::Int(i64::from_be_bytes(fixed(bytes, "bigint")?))),
            KeyFormat::Double => match f64::from_be_bytes(fixed(bytes, "double")?) {
                number if number.is_finite() => Ok(Key::Double(number)),
                number => Err(format!("key: {number} is not a JSON number").into()),
            },
            KeyFormat::Json => {
                let text = std::str::from_utf8(bytes).ok().filter(|_| self.unwrap);
                let inside = text.and_then(inside_key).map(str::as_bytes);
                match checker.check_with(inside.unwrap_or(bytes), places) {
                    Ok(value) => Ok(Key::Json(value.text.into())),
                    Err(reason) => Err(reason.of_the("key")),
                }
            }
            KeyFormat::Delimited => {
                let fields =
                    delimited::split(text()?, self.delimiter).map_err(|reason| reason.of_the("key"))?;
                self.parts(fields.iter().map(|field| &*field.text))
            }
            KeyFormat::Bytes => Ok(Key::Bytes(bytes.into())),
            KeyFormat::None => Err("key: key.format is none, but the record has a key".into()),
            KeyFormat::Registered(_) => Err("key: its schema is in the registry".into()),
        }
    }

    /// The parts of a text as the key's columns: bare if it is one, else an object of them.
    fn parts<'t, 'k>(&self, parts: impl Iterator<Item = &'t str>) -> Result<Key<'k>, Reason> {
        let parts: Vec<_> = parts.collect();
        if parts.len() != self.columns.len() {
            let (found, named) = (parts.len(), self.columns.len());
            return Err(format!("key: {found} delimited fields, but key.columns names {named}").into());
        }
        let mut text = String::new();
        match (&parts[..], &self.columns[..]) {
            ([part], [column]) => delimited::write_field(part, column.kind, &mut text),
            _ => {
                let fields = parts.iter().zip(&self.columns);
                // A key has no nulls: an empty text is a text.
                let fields = fields.map(|(part, column)| (*part, column.kind == DeclaredType::Varchar));
                delimited::write_fields(fields, &self.columns, &mut text);
            }
        }
        Ok(Key::Json(text.into()))
    }
}

fn fixed<const N: usize>(bytes: &[u8], format: &str) -> Result<[u8; N], Reason> {
    bytes
        .try_into()
        .map_err(|_| format!("key: {format} has {N} bytes, not {}", bytes.len()).into())
}

/// Time windows: key + start; sessions: key + end + start (kafka-streams' WindowKeySchema and SessionKeySchema).
fn split_window(bytes: &[u8], window: Window) -> Result<(&[u8], WindowBounds), Reason> {
    let short = || Reason::from("key: too short for the window that is configured");
    match window {
        Window::Time { size_ms } => {
            let (key, start) = bytes.split_last_chunk::<8>().ok_or_else(short)?;
            let start_ms = window_ms(*start)?;
            Ok((
                key,
                WindowBounds {
                    start_ms,
                    end_ms: start_ms.saturating_add(size_ms),
                },
            ))
        }
        Window::Session => {
            let (rest, start) = bytes.split_last_chunk::<8>().ok_or_else(short)?;
            let (key, end) = rest.split_last_chunk::<8>().ok_or_else(short)?;
            Ok((
                key,
                WindowBounds {
                    start_ms: window_ms(*start)?,
                    end_ms: window_ms(*end)?,
                },
            ))
        }
    }
}

/// The milliseconds of any real time start with two zero bytes. Other bytes are the text of a key without a window.
fn window_ms(bytes: [u8; 8]) -> Result<i64, Reason> {
    if bytes[..2] != [0, 0] {
        return Err("key: does not end in a window; is the topic windowed at all?".into());
    }
    Ok(i64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DeclaredColumn;
    use proptest::prelude::*;

    fn schema(format: KeyFormat, window: Option<Window>) -> KeySchema {
        KeySchema {
            format,
            window,
            ..KeySchema::default()
        }
    }

    /// A schema with text columns of these names.
    fn with_columns(format: KeyFormat, names: &[&str]) -> KeySchema {
        KeySchema {
            columns: names.iter().map(|name| DeclaredColumn::named(name)).collect(),
            ..schema(format, None)
        }
    }

    fn json(schema: &KeySchema, bytes: &[u8]) -> Option<String> {
        match schema.decode(Some(bytes)) {
            DecodedKey::Key {
                key: Key::Json(text), ..
            } => Some(text.into_owned()),
            _ => None,
        }
    }

    fn key(schema: &KeySchema, bytes: &[u8]) -> Option<String> {
        match schema.decode(Some(bytes)) {
            DecodedKey::Key { key, .. } => Some(format!("{key:?}")),
            _ => None,
        }
    }

    #[test]
    fn formats() {
        let decode = |format, bytes: &[u8]| key(&schema(format, None), bytes);
        assert_eq!(decode(KeyFormat::String, "é".as_bytes()).unwrap(), "Text(\"é\")");
        assert_eq!(decode(KeyFormat::Int, &[255, 255, 255, 254]).unwrap(), "Int(-2)");
        assert_eq!(
            decode(KeyFormat::Bigint, &[0, 0, 0, 0, 0, 0, 1, 0]).unwrap(),
            "Int(256)"
        );
        assert_eq!(
            decode(KeyFormat::Double, &1.5f64.to_be_bytes()).unwrap(),
            "Double(1.5)"
        );
        assert_eq!(
            decode(KeyFormat::Json, b" {\"a\":12.30} ").unwrap(),
            "Json(\"{\\\"a\\\":12.30}\")"
        );
        for (format, bytes) in [
            (KeyFormat::String, &b"\xff"[..]),
            (KeyFormat::Int, b"123"),
            (KeyFormat::Double, &f64::NAN.to_be_bytes()),
            (KeyFormat::Json, b"{"),
            (KeyFormat::None, b""),
        ] {
            assert_eq!(decode(format, bytes), None, "{format}");
        }
    }

    #[test]
    fn delimited_keys_follow_csv_quoting() {
        let schema = with_columns(KeyFormat::Delimited, &["a", "b"]);
        let text = |bytes: &[u8]| json(&schema, bytes).unwrap();
        assert_eq!(text(b"a,1"), r#"{"a":"a","b":"1"}"#);
        assert_eq!(text(b"\"x,\"\"y\","), r#"{"a":"x,\"y","b":""}"#);
        assert_eq!(key(&schema, b"a,1,2"), None);
        assert_eq!(key(&schema, b"a,1\nb,2"), None);
        assert_eq!(key(&schema, b""), None);
    }

    #[test]
    fn columns_have_their_types() {
        let mut schema = with_columns(KeyFormat::Delimited, &["a", "b"]);
        schema.columns[1].kind = DeclaredType::Bigint;
        assert_eq!(json(&schema, b"x,7").unwrap(), r#"{"a":"x","b":7}"#);
        schema.columns.remove(0);
        assert_eq!(json(&schema, b"7").unwrap(), "7");
        assert_eq!(json(&schema, b"\"x\"").unwrap(), "\"x\"");
    }

    #[test]
    fn a_separator_divides_a_text() {
        let schema = KeySchema {
            separator: Some("|+|".to_owned()),
            ..with_columns(KeyFormat::String, &["user", "type"])
        };
        assert_eq!(
            json(&schema, b"u1|+|a,b").unwrap(),
            r#"{"user":"u1","type":"a,b"}"#
        );
        assert_eq!(json(&schema, b"u1|+|").unwrap(), r#"{"user":"u1","type":""}"#);
        for other in [&b"u1"[..], b"u1|+|a|+|b"] {
            assert_eq!(key(&schema, other), None);
        }
    }

    /// The example of ksqlDB's own documentation of the wire form.
    #[test]
    fn a_hopping_window_is_a_suffix() {
        let schema = schema(KeyFormat::String, Some(Window::Time { size_ms: 300_000 }));
        let bytes = b"withdrawal\x00\x00\x01\x8b\xcf\xe6\xee\xa0";
        let bounds = WindowBounds {
            start_ms: 1_700_000_100_000,
            end_ms: 1_700_000_400_000,
        };
        assert_eq!(
            schema.decode(Some(bytes)),
            DecodedKey::Key {
                key: Key::Text("withdrawal".into()),
                window: Some(bounds)
            }
        );
        assert!(matches!(
            schema.decode(Some(b"withdrawal")),
            DecodedKey::Undecodable { .. }
        ));
        assert!(matches!(
            schema.decode(Some(b"x")),
            DecodedKey::Undecodable { .. }
        ));
    }

    #[test]
    fn a_session_has_its_end_first() {
        let bytes = [b"k".as_slice(), &20i64.to_be_bytes(), &10i64.to_be_bytes()].concat();
        let window = Some(WindowBounds {
            start_ms: 10,
            end_ms: 20,
        });
        assert_eq!(
            schema(KeyFormat::String, Some(Window::Session)).decode(Some(&bytes)),
            DecodedKey::Key {
                key: Key::Text("k".into()),
                window
            }
        );
    }

    /// A field as a CSV writer writes it that quotes everything.
    fn quoted(field: &str) -> String {
        format!("\"{}\"", field.replace('"', "\"\""))
    }

    fn with_window(key: &[u8], window: Option<Window>, start: i64, end: i64) -> Vec<u8> {
        let bounds = match window {
            None => vec![],
            Some(Window::Time { .. }) => vec![start],
            Some(Window::Session) => vec![end, start],
        };
        let suffix = bounds.into_iter().flat_map(i64::to_be_bytes);
        key.iter().copied().chain(suffix).collect()
    }

    proptest! {
        /// Keys that ksqlDB writes are read back, with any window.
        #[test]
        fn keys_are_read_back(
            text in "\\PC{0,12}", int in any::<i32>(), bigint in any::<i64>(), double in any::<f64>(),
            fields in proptest::collection::vec("[a-z,;\" \n\u{e9}]{0,6}", 1..4), delimiter in proptest::sample::select(vec![',', ';', ' ', '|', '\t', '\u{e9}', '€']),
            start in 0i64..1 << 48, length in 0i64..1 << 40,
            window in proptest::sample::select(vec![None, Some(Window::Time { size_ms: 7 }), Some(Window::Session)]),
        ) {
            let end = match window {
                Some(Window::Time { size_ms }) => start + size_ms,
                _ => (start + length).min((1 << 48) - 1),
            };
            let json = format!("{{\"A\":{bigint}}}");
            let between = delimiter.to_string();
            let line = fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(&between);
            let object = match &fields[..] {
                [field] => serde_json::Value::from(field.as_str()).to_string(),
                _ => {
                    let fields = fields.iter().enumerate();
                    let fields = fields.map(|(i, field)| format!("\"{i}\":{}", serde_json::Value::from(field.as_str())));
                    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
                }
            };
            let names: Vec<_> = (0..fields.len()).map(|i| i.to_string()).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let cases = [
                (KeyFormat::String, text.as_bytes().to_vec(), Key::Text(text.as_str().into())),
                (KeyFormat::Int, int.to_be_bytes().to_vec(), Key::Int(int.into())),
                (KeyFormat::Bigint, bigint.to_be_bytes().to_vec(), Key::Int(bigint)),
                (KeyFormat::Double, double.to_be_bytes().to_vec(), Key::Double(double)),
                (KeyFormat::Json, json.as_bytes().to_vec(), Key::Json(json.as_str().into())),
                (KeyFormat::Delimited, line.as_bytes().to_vec(), Key::Json(object.into())),
                (KeyFormat::Bytes, line.as_bytes().to_vec(), Key::Bytes(line.as_bytes().into())),
            ];
            for (format, bytes, key) in cases {
                let schema = KeySchema { delimiter, window, ..with_columns(format, &names) };
                let bytes = with_window(&bytes, window, start, end);
                let window = window.map(|_| WindowBounds { start_ms: start, end_ms: end });
                prop_assert_eq!(schema.decode(Some(&bytes)), DecodedKey::Key { key, window }, "{}", format);
            }
        }

        /// Any bytes are a key or can't be decoded, and never a panic.
        #[test]
        fn any_bytes_are_a_key_or_undecodable(
            bytes in proptest::collection::vec(any::<u8>(), 0..40), columns in 0usize..4, delimiter in any::<char>(),
            window in proptest::sample::select(vec![None, Some(Window::Time { size_ms: i64::MAX }), Some(Window::Session)]),
        ) {
            for format in [
                KeyFormat::String, KeyFormat::Int, KeyFormat::Bigint, KeyFormat::Double, KeyFormat::Json,
                KeyFormat::Delimited, KeyFormat::Bytes, KeyFormat::None,
            ] {
                let schema = KeySchema { delimiter, window, ..with_columns(format, &["a", "b", "c"][..columns]) };
                match schema.decode(Some(&bytes)) {
                    DecodedKey::Null => prop_assert!(false, "bytes are not a null key"),
                    DecodedKey::Key { window: found, .. } => prop_assert_eq!(found.is_some(), window.is_some()),
                    DecodedKey::Undecodable { reason, .. } => prop_assert!(reason.to_string().starts_with("key: ")),
                }
                prop_assert_eq!(schema.decode(None), DecodedKey::Null);
            }
        }
    }
}
