//! Record keys: ksqlDB's key formats, and the window suffix after the serialised key.

use std::borrow::Cow;

use super::envelope::inside_key;
use crate::config::{KeyFormat, KeySchema, Window};
use crate::json::{Checker, Reason};

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
    /// The fields of a delimited key, one per column.
    Fields(Vec<String>),
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
    pub fn take_out(&mut self) {
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
        self.decode_with(&mut Checker::default(), key)
    }

    /// The same, with a checker that remembers the topic's JSON keys and so is faster.
    pub fn decode_with<'a>(&self, checker: &mut Checker, key: Option<&'a [u8]>) -> DecodedKey<'a> {
        let Some(bytes) = key else { return DecodedKey::Null };
        let split = match self.window {
            None => Ok((bytes, None)),
            Some(window) => split_window(bytes, window).map(|(key, bounds)| (key, Some(bounds))),
        };
        match split.and_then(|(bytes, window)| Ok((self.decode_bytes(checker, bytes)?, window))) {
            Ok((key, window)) => DecodedKey::Key { key, window },
            Err(reason) => DecodedKey::Undecodable {
                reason,
                bytes: Cow::Borrowed(bytes),
            },
        }
    }

    fn decode_bytes<'a>(&self, checker: &mut Checker, bytes: &'a [u8]) -> Result<Key<'a>, Reason> {
        let text =
            || std::str::from_utf8(bytes).map_err(|e| Reason::at_byte("key: not UTF-8", e.valid_up_to()));
        match self.format {
            KeyFormat::String => Ok(Key::Text(text()?.into())),
            KeyFormat::Int => Ok(Key::Int(i32::from_be_bytes(fixed(bytes, "int")?).into())),
            KeyFormat::Bigint => Ok(Key::Int(i64::from_be_bytes(fixed(bytes, "bigint")?))),
            KeyFormat::Double => match f64::from_be_bytes(fixed(bytes, "double")?) {
                number if number.is_finite() => Ok(Key::Double(number)),
                number => Err(format!("key: {number} is not a JSON number").into()),
            },
            KeyFormat::Json => {
                let text = std::str::from_utf8(bytes).ok().filter(|_| self.unwrap);
                let inside = text.and_then(inside_key).map(str::as_bytes);
                match checker.check(inside.unwrap_or(bytes)) {
                    Ok(value) => Ok(Key::Json(value.text.into())),
                    Err(reason) => Err(reason.of_the("key")),
                }
            }
            KeyFormat::Delimited => {
                let fields = split_delimited(text()?, self.delimiter)?;
                if fields.len() != self.columns.len() {
                    let (found, named) = (fields.len(), self.columns.len());
                    return Err(
                        format!("key: {found} delimited fields, but key.columns names {named}").into(),
                    );
                }
                Ok(Key::Fields(fields))
            }
            KeyFormat::Bytes => Ok(Key::Bytes(bytes.into())),
            KeyFormat::None => Err("key: key.format is none, but the record has a key".into()),
        }
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

fn split_delimited(text: &str, delimiter: u8) -> Result<Vec<String>, Reason> {
    // What CSV reads in a way of its own: quotes, line ends, and a mark of the byte order. Making its reader costs most.
    if text.contains(['"', '\n', '\r', '\u{feff}']) {
        return by_csv(text, delimiter);
    }
    Ok(text.split(char::from(delimiter)).map(str::to_owned).collect())
}

fn by_csv(text: &str, delimiter: u8) -> Result<Vec<String>, Reason> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(true) if reader.is_done() || reader.position().byte() as usize >= text.len() => {
            Ok(record.iter().map(str::to_owned).collect())
        }
        Ok(false) => Ok(vec![String::new()]),
        _ => Err("key: not a line of delimited fields".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schema(format: KeyFormat, window: Option<Window>) -> KeySchema {
        KeySchema {
            format,
            window,
            ..KeySchema::default()
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
        let columns = vec!["a".to_owned(), "b".to_owned()];
        let schema = KeySchema {
            columns,
            ..schema(KeyFormat::Delimited, None)
        };
        assert_eq!(key(&schema, b"a,1").unwrap(), "Fields([\"a\", \"1\"])");
        assert_eq!(
            key(&schema, b"\"x,\"\"y\",").unwrap(),
            "Fields([\"x,\\\"y\", \"\"])"
        );
        assert_eq!(key(&schema, b"a,1,2"), None);
        assert_eq!(key(&schema, b"a,1\nb,2"), None);
        assert_eq!(key(&schema, b""), None);
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
            fields in proptest::collection::vec("[a-z,;\" \n\u{e9}]{0,6}", 1..4), delimiter in proptest::sample::select(b",; |\t".to_vec()),
            start in 0i64..1 << 48, length in 0i64..1 << 40,
            window in proptest::sample::select(vec![None, Some(Window::Time { size_ms: 7 }), Some(Window::Session)]),
        ) {
            let end = match window {
                Some(Window::Time { size_ms }) => start + size_ms,
                _ => (start + length).min((1 << 48) - 1),
            };
            let json = format!("{{\"A\":{bigint}}}");
            let between = char::from(delimiter).to_string();
            let line = fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(&between);
            let cases = [
                (KeyFormat::String, text.as_bytes().to_vec(), Key::Text(text.as_str().into())),
                (KeyFormat::Int, int.to_be_bytes().to_vec(), Key::Int(int.into())),
                (KeyFormat::Bigint, bigint.to_be_bytes().to_vec(), Key::Int(bigint)),
                (KeyFormat::Double, double.to_be_bytes().to_vec(), Key::Double(double)),
                (KeyFormat::Json, json.as_bytes().to_vec(), Key::Json(json.as_str().into())),
                (KeyFormat::Delimited, line.as_bytes().to_vec(), Key::Fields(fields.clone())),
                (KeyFormat::Bytes, line.as_bytes().to_vec(), Key::Bytes(line.as_bytes().into())),
            ];
            for (format, bytes, key) in cases {
                let schema = KeySchema { delimiter, columns: fields.clone(), ..schema(format, window) };
                let bytes = with_window(&bytes, window, start, end);
                let window = window.map(|_| WindowBounds { start_ms: start, end_ms: end });
                prop_assert_eq!(schema.decode(Some(&bytes)), DecodedKey::Key { key, window }, "{}", format);
            }
        }

        /// Splitting at the delimiter is what CSV does.
        #[test]
        fn delimited_keys_are_split_as_csv_does(
            text in "[a,;é \"\n\r\t\u{feff}\u{0}]{0,8}|[a,;é \t]{0,8}", delimiter in 1u8..128,
            usual in proptest::sample::select(b",; \t\"".to_vec()),
        ) {
            for delimiter in [delimiter, usual] {
                prop_assert_eq!(
                    split_delimited(&text, delimiter).map_err(|e| e.to_string()),
                    by_csv(&text, delimiter).map_err(|e| e.to_string()),
                );
            }
        }

        /// Any bytes are a key or can't be decoded, and never a panic.
        #[test]
        fn any_bytes_are_a_key_or_undecodable(
            bytes in proptest::collection::vec(any::<u8>(), 0..40), columns in 0usize..4, delimiter in 1u8..128,
            window in proptest::sample::select(vec![None, Some(Window::Time { size_ms: i64::MAX }), Some(Window::Session)]),
        ) {
            for format in [
                KeyFormat::String, KeyFormat::Int, KeyFormat::Bigint, KeyFormat::Double, KeyFormat::Json,
                KeyFormat::Delimited, KeyFormat::Bytes, KeyFormat::None,
            ] {
                let columns = (0..columns).map(|n| n.to_string()).collect();
                let schema = KeySchema { delimiter, columns, ..schema(format, window) };
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
