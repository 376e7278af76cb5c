//! Writes a record as a line of the lake: our own fields, then those of the value, spliced byte for byte.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::head::{LineHead, splice, string};
use crate::config::{KeySchema, Topic};
use crate::decode::line::OURS;
use crate::decode::registry::Registry;
use crate::decode::{Body, Decoded, Decoder, Text};
use crate::record::{Header, Record};

/// The names of the day folders, which readers add as columns.
const HIVE: [&str; 3] = ["year", "month", "day"];

/// Names that no field of a value may have if the value is spliced.
pub(crate) fn reserved_names(prefix: &str) -> impl Iterator<Item = String> {
    let ours = OURS.iter().map(move |name| format!("{prefix}{name}"));
    ours.chain(HIVE.iter().map(|&name| name.to_owned()))
}

/// The decoder of records for the lines of a topic.
pub(crate) fn decoder(prefix: &str, topic: &Topic, registry: &Registry) -> Decoder {
    Decoder::of(topic, registry).reserving(reserved_names(prefix))
}

/// How a line was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineOutcome {
    /// The key or value can't be read, and is kept as text or base64.
    pub irregular: bool,
}

/// Writes the lines of one topic.
#[derive(Debug)]
pub struct LineWriter {
    head: LineHead,
    /// Whether lines of ordinary objects carry our fields.
    metadata: bool,
}

impl LineWriter {
    pub fn new(prefix: &str, key: KeySchema, metadata: bool) -> Self {
        LineWriter {
            head: LineHead::new(prefix, key),
            metadata,
        }
    }

    pub fn head(&self) -> &LineHead {
        &self.head
    }

    /// Appends one line with its line feed. Never fails: what can't be read is kept as text or base64.
    pub fn write(&self, record: &Record<'_>, decoded: &Decoded<'_>, out: &mut Vec<u8>) -> LineOutcome {
        if !self.metadata
            && let Body::Object(object) = &decoded.body
            && !object.is_reserved()
        {
            spliced(object.text(), 0, out);
            out.push(b'\n');
            // The line has no key, but a key that can't be decoded is counted anyway.
            let irregular = decoded.key_fault().is_some();
            return LineOutcome { irregular };
        }
        self.head.begin(decoded.at, &decoded.key, out);
        self.write_rest(record, decoded, out)
    }

    /// Appends what follows the head of a line, with its line feed.
    pub fn write_rest(&self, record: &Record<'_>, decoded: &Decoded<'_>, out: &mut Vec<u8>) -> LineOutcome {
        let fault = decoded.key_fault().map(ToString::to_string);
        let reason = match &decoded.body {
            Body::Unreadable { reason, .. } => Some(format!("value: {reason}")),
            _ => None,
        };
        let errors: Vec<String> = fault.into_iter().chain(reason).collect();
        self.headers(&record.headers, out);
        if !errors.is_empty() {
            self.head.name(out, b',', "error");
            string(out, &errors.join("; "));
        }
        self.body(&decoded.body, out);
        out.push(b'\n');
        LineOutcome {
            irregular: !errors.is_empty(),
        }
    }

    fn headers(&self, headers: &[Header<'_>], out: &mut Vec<u8>) {
        if headers.is_empty() {
            return;
        }
        self.head.name(out, b',', "headers");
        for (i, header) in headers.iter().enumerate() {
            out.push(if i == 0 { b'[' } else { b',' });
            out.push(b'{');
            text_or_base64(out, "name", header.name);
            out.push(b',');
            match header.value {
                Some(value) => text_or_base64(out, "value", value),
                None => out.extend_from_slice(b"\"value\":null"),
            }
            out.push(b'}');
        }
        out.push(b']');
    }

    /// Appends the value, which ends the line: spliced if it is an ordinary object, nested otherwise.
    fn body(&self, body: &Body<'_>, out: &mut Vec<u8>) {
        match body {
            Body::Object(object) if !object.is_reserved() => {
                let inner = &object.text()[1..];
                if inner.trim_start() == "}" {
                    out.push(b'}');
                } else {
                    out.push(b',');
                    spliced(object.text(), 1, out);
                }
            }
            Body::Object(object) => self.nested(object.text(), out),
            Body::Other(text) => self.nested(text, out),
            Body::Unreadable { bytes, is_binary, .. } => self.unreadable(bytes, *is_binary, out),
            Body::Tombstone => {
                self.head.name(out, b',', "value");
                out.extend_from_slice(b"null}");
            }
        }
    }

    fn nested(&self, value: &Text<'_>, out: &mut Vec<u8>) {
        self.head.name(out, b',', "value");
        spliced(value, 0, out);
        out.push(b'}');
    }

    fn unreadable(&self, bytes: &[u8], is_binary: bool, out: &mut Vec<u8>) {
        match std::str::from_utf8(bytes) {
            Ok(text) if !is_binary => {
                self.head.name(out, b',', "value_text");
                string(out, text);
            }
            _ => {
                self.head.name(out, b',', "value_base64");
                string(out, &BASE64.encode(bytes));
            }
        }
        out.push(b'}');
    }
}

/// Appends the value from this byte on, on one line.
fn spliced(value: &Text<'_>, from: usize, out: &mut Vec<u8>) {
    let text = &value.as_bytes()[from..];
    if value.has_line_ends() {
        splice(text, out);
    } else {
        out.extend_from_slice(text);
    }
}

fn field(out: &mut Vec<u8>, name: &str, suffix: &str) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(suffix.as_bytes());
    out.extend_from_slice(b"\":");
}

fn text_or_base64(out: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            field(out, name, "");
            string(out, text);
        }
        Err(_) => {
            field(out, name, "_base64");
            string(out, &BASE64.encode(bytes));
        }
    }
}

/// Decodes records and writes their lines, one after the other.
#[cfg(test)]
pub(crate) struct Recorder {
    decoder: Decoder,
    writer: LineWriter,
}

#[cfg(test)]
impl Recorder {
    pub(crate) fn new(prefix: &str, key: KeySchema, metadata: bool) -> Recorder {
        Recorder {
            decoder: Decoder::of_keys(key.clone()).reserving(reserved_names(prefix)),
            writer: LineWriter::new(prefix, key, metadata),
        }
    }

    pub(crate) fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> LineOutcome {
        let decoded = self.decoder.decode(record).unwrap();
        self.writer.write(record, &decoded, out)
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KeyFormat, Window};
    use proptest::prelude::*;

    fn record<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Record<'a> {
        Record {
            partition: 0,
            offset: 42,
            timestamp_ms: 1_761_868_799_000,
            key,
            value,
            headers: Vec::new(),
        }
    }

    fn line(writer: &mut Recorder, record: &Record<'_>) -> (String, bool) {
        let mut out = Vec::new();
        let written = writer.write(record, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        (text.trim_end_matches('\n').to_owned(), written.irregular)
    }

    fn plain(value: &str) -> (String, bool) {
        let mut writer = Recorder::new("_", KeySchema::default(), true);
        line(&mut writer, &record(Some(b"TXN-42"), Some(value.as_bytes())))
    }

    const HEAD: &str = r#"{"_partition":0,"_offset":42,"_timestamp":1761868799000,"_key":"TXN-42""#;

    #[test]
    fn values_keep_their_bytes() {
        let value = r#"{"a":12.340,"b":1234567890123456789012345,"z":"\u00e9\ud83d\ude00é"}"#;
        assert_eq!(plain(value), (format!("{HEAD},{}", &value[1..]), false));
        assert_eq!(
            plain(" {\n  \"a\": 1\r\n}\n").0,
            format!("{HEAD},   \"a\": 1  }}")
        );
        assert_eq!(plain("{ }").0, format!("{HEAD}}}"));
        assert_eq!(plain("[1,\n2]").0, format!("{HEAD},\"_value\":[1, 2]}}"));
        assert_eq!(plain("\"x\"").0, format!("{HEAD},\"_value\":\"x\"}}"));
    }

    #[test]
    fn reserved_names_nest_the_value() {
        for value in [
            r#"{"_OFFSET":1}"#,
            r#"{"\u005foffset":1}"#,
            r#"{"Year":1}"#,
            r#"{"_headers":[]}"#,
        ] {
            assert_eq!(plain(value), (format!("{HEAD},\"_value\":{value}}}"), false));
        }
        assert!(
            plain(r#"{"a":{"_offset":1}}"#)
                .0
                .ends_with(r#","a":{"_offset":1}}"#)
        );
    }

    #[test]
    fn unreadable_values_are_kept_as_text() {
        let (text, irregular) = plain("{\"a\":1,\"A\":2}");
        assert!(
            irregular && text.ends_with(r#","_value_text":"{\"a\":1,\"A\":2}"}"#),
            "{text}"
        );
        assert!(text.contains("\"_error\":\"value: the name"), "{text}");
        assert!(plain("").0.ends_with("\"_value_text\":\"\"}"));
        assert!(plain("a\nb").0.ends_with(r#""_value_text":"a\nb"}"#));
        let mut writer = Recorder::new("_", KeySchema::default(), true);
        let (text, irregular) = line(&mut writer, &record(Some(b"\xff"), Some(b"\xfe")));
        assert!(
            irregular
                && text.contains("\"_key_base64\":\"/w==\"")
                && text.ends_with("\"_value_base64\":\"/g==\"}")
        );
        assert!(text.contains("not UTF-8 at byte 0; value: not UTF-8"), "{text}");
    }

    #[test]
    fn tombstones_null_keys_and_headers() {
        let mut writer = Recorder::new("_", KeySchema::default(), true);
        let mut tombstone = record(None, None);
        tombstone.headers = vec![
            Header {
                name: b"h",
                value: Some(b"v"),
            },
            Header {
                name: b"\xff",
                value: None,
            },
        ];
        let (text, irregular) = line(&mut writer, &tombstone);
        assert!(!irregular);
        assert!(text.ends_with(
            r#""_key":null,"_headers":[{"name":"h","value":"v"},{"name_base64":"/w==","value":null}],"_value":null}"#
        ), "{text}");
    }

    #[test]
    fn windows_and_typed_keys() {
        let window = Some(Window::Time { size_ms: 300_000 });
        let mut writer = Recorder::new(
            "_",
            KeySchema {
                window,
                ..KeySchema::default()
            },
            true,
        );
        let (text, _) = line(
            &mut writer,
            &record(
                Some(b"withdrawal\x00\x00\x01\x8b\xcf\xe6\xee\xa0"),
                Some(b"{\"A\":1}"),
            ),
        );
        assert!(
            text.ends_with(
                r#""_key":"withdrawal","_window_start":1700000100000,"_window_end":1700000400000,"A":1}"#
            ),
            "{text}"
        );
        let json = KeySchema {
            format: KeyFormat::Json,
            ..KeySchema::default()
        };
        let mut writer = Recorder::new("k_", json, true);
        let (text, _) = line(
            &mut writer,
            &record(Some(b"{\"A\":1.50}"), Some(b"{\"offset\":1}")),
        );
        assert!(text.ends_with(r#""k_key":{"A":1.50},"offset":1}"#), "{text}");
    }

    #[test]
    fn without_metadata_only_ordinary_objects_stand_alone() {
        let mut writer = Recorder::new("_", KeySchema::default(), false);
        let mut text = |value: Option<&[u8]>| line(&mut writer, &record(Some(b"TXN-42"), value)).0;
        assert_eq!(text(Some(b"{\"a\":1}")), "{\"a\":1}");
        assert_eq!(text(None), format!("{HEAD},\"_value\":null}}"));
        assert!(text(Some(b"{\"day\":1}")).starts_with(HEAD));
        assert!(text(Some(b"1")).starts_with(HEAD));
    }

    proptest! {
        /// The line of any bytes parses, and holds the value.
        #[test]
        fn any_value_is_found_again(value in proptest::collection::vec(any::<u8>(), 0..60), key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..12))) {
            let mut writer = Recorder::new("_", KeySchema::default(), true);
            let (text, irregular) = line(&mut writer, &record(key.as_deref(), Some(&value)));
            let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
            if let Some(found) = parsed.get("_value_base64") {
                prop_assert_eq!(BASE64.decode(found.as_str().unwrap()).unwrap(), value);
                prop_assert!(irregular);
            } else if let Some(found) = parsed.get("_value_text") {
                prop_assert_eq!(found.as_str().unwrap().as_bytes(), &value[..]);
                prop_assert!(irregular);
            } else {
                let readable = crate::json::check(&value).unwrap();
                let flat: String = readable.chars().map(|c| if c == '\n' || c == '\r' { ' ' } else { c }).collect();
                let inner = flat.trim_start_matches('{').trim();
                prop_assert!(text.contains(inner));
            }
        }

        /// Any readable object is spliced whole.
        #[test]
        fn objects_are_spliced(names in proptest::collection::btree_set("[a-p]{1,4}", 0..5), number in any::<i64>(), blank in "[ \n\r\t]{0,3}") {
            let fields: Vec<String> = names.iter().map(|name| format!("{blank}\"{name}\"{blank}:{number}")).collect();
            let value = format!("{blank}{{{}{blank}}}{blank}", fields.join(","));
            let (text, irregular) = plain(&value);
            let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert!(!irregular);
            for name in &names {
                prop_assert_eq!(parsed.get(name).unwrap(), &serde_json::Value::from(number));
            }
        }
    }
}
