//! The head of a line: our own fields, which follow from a record's coordinates and its key. A table keeps both for each
//! row, so it writes heads only for rows that are not replaced.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::config::KeySchema;
use crate::decode::key::{DecodedKey, Key, WindowBounds};
use crate::json::is_plain;
use crate::record::Coordinates;

/// Kafka partition, offset, and Kafka's timestamp in milliseconds since 1970.
type LineOrigin = (i32, i64, i64);

/// Writes the heads of one topic's lines.
#[derive(Debug, Clone, Default)]
pub struct LineHead {
    prefix: String,
    key: KeySchema,
    /// The names that each line has, as they stand before their values.
    leads: LineLeads,
}

#[derive(Debug, Clone, Default)]
struct LineLeads {
    partition: Vec<u8>,
    offset: Vec<u8>,
    timestamp: Vec<u8>,
    key: Vec<u8>,
}

impl LineHead {
    pub(in crate::lake) fn new(prefix: &str, key: KeySchema) -> Self {
        let lead = |before, name| {
            let mut lead = Vec::new();
            push_name(&mut lead, before, prefix, name);
            lead
        };
        LineHead {
            prefix: prefix.to_owned(),
            key,
            leads: LineLeads {
                partition: lead(b'{', "partition"),
                offset: lead(b',', "offset"),
                timestamp: lead(b',', "timestamp"),
                key: lead(b',', "key"),
            },
        }
    }

    /// Begins the line of a row that was kept with its raw key. The key is decoded only now, because most rows are replaced
    /// before their line is written.
    pub(in crate::lake) fn write(
        &self,
        (partition, offset, timestamp_ms): LineOrigin,
        key: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) {
        let at = Coordinates {
            partition,
            offset,
            timestamp_ms,
        };
        match key {
            Some(kept) if self.key.has_other_bytes() => self.begin(at, &from_kept(kept), out),
            _ => self.begin(at, &self.key.decode(key), out),
        }
    }

    /// The bytes by which a table keeps a key: its own, or what it is decoded to if equal keys may differ in theirs.
    pub(in crate::lake) fn kept<'k>(
        &self,
        raw: &'k [u8],
        decoded: &DecodedKey<'_>,
        memory: &'k mut Vec<u8>,
    ) -> &'k [u8] {
        if !self.key.has_other_bytes() {
            return raw;
        }
        memory.clear();
        match decoded {
            DecodedKey::Null | DecodedKey::Undecodable { .. } => {
                memory.push(KEPT_BYTES);
                memory.extend_from_slice(raw);
            }
            DecodedKey::Key { key, window: None } => {
                memory.push(KEPT_JSON);
                shown(key, memory);
            }
            DecodedKey::Key {
                key,
                window: Some(window),
            } => {
                memory.push(KEPT_WINDOW);
                memory.extend_from_slice(&window.start_ms.to_be_bytes());
                memory.extend_from_slice(&window.end_ms.to_be_bytes());
                shown(key, memory);
            }
        }
        memory
    }

    /// Begins a line.
    pub(in crate::lake) fn begin(&self, at: Coordinates, key: &DecodedKey<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.leads.partition);
        number(out, at.partition.into());
        out.extend_from_slice(&self.leads.offset);
        number(out, at.offset);
        out.extend_from_slice(&self.leads.timestamp);
        number(out, at.timestamp_ms);
        self.key(key, out);
    }

    fn key(&self, key: &DecodedKey<'_>, out: &mut Vec<u8>) {
        let (key, window) = match key {
            DecodedKey::Null => {
                out.extend_from_slice(&self.leads.key);
                out.extend_from_slice(b"null");
                return;
            }
            DecodedKey::Undecodable { bytes, .. } => {
                self.name(out, b',', "key_base64");
                string(out, &BASE64.encode(bytes));
                return;
            }
            DecodedKey::Key { key, window } => (key, window),
        };
        out.extend_from_slice(&self.leads.key);
        shown(key, out);
        if let Some(window) = window {
            self.name(out, b',', "window_start");
            number(out, window.start_ms);
            self.name(out, b',', "window_end");
            number(out, window.end_ms);
        }
    }

    pub(in crate::lake) fn name(&self, out: &mut Vec<u8>, before: u8, name: &str) {
        push_name(out, before, &self.prefix, name);
    }
}

fn push_name(out: &mut Vec<u8>, before: u8, prefix: &str, name: &str) {
    out.push(before);
    out.push(b'"');
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// The first byte of a kept key: JSON follows, or a window's bounds and JSON, or a key's own bytes.
const KEPT_JSON: u8 = b'j';
const KEPT_WINDOW: u8 = b'w';
const KEPT_BYTES: u8 = b'b';

/// Reads what [`LineHead::kept`] has made.
fn from_kept(kept: &[u8]) -> DecodedKey<'_> {
    let (window, json) = match kept.split_first() {
        Some((&KEPT_JSON, json)) => (None, json),
        Some((&KEPT_WINDOW, rest)) => {
            match (rest.first_chunk(), rest[8.min(rest.len())..].split_first_chunk()) {
                (Some(start), Some((end, json))) => {
                    let (start_ms, end_ms) = (i64::from_be_bytes(*start), i64::from_be_bytes(*end));
                    (Some(WindowBounds { start_ms, end_ms }), json)
                }
                _ => (None, rest),
            }
        }
        Some((_, bytes)) => return undecodable(bytes),
        None => return undecodable(kept),
    };
    match std::str::from_utf8(json) {
        Ok(text) => DecodedKey::Key {
            key: Key::Json(text.into()),
            window,
        },
        Err(_) => undecodable(json),
    }
}

/// The reason is in the rest of the line already.
fn undecodable(bytes: &[u8]) -> DecodedKey<'_> {
    DecodedKey::Undecodable {
        reason: "".into(),
        bytes: bytes.into(),
    }
}

/// Appends a key as JSON.
fn shown(key: &Key<'_>, out: &mut Vec<u8>) {
    match key {
        Key::Text(text) => string(out, text),
        Key::Int(int) => number(out, *int),
        // Through serde_json's own value, which has the shortest form.
        Key::Double(double) => out.extend_from_slice(serde_json::Value::from(*double).to_string().as_bytes()),
        Key::Json(text) => splice(text.as_bytes(), out),
        Key::Bytes(bytes) => string(out, &BASE64.encode(bytes)),
    }
}

/// Appends readable JSON unchanged, except that line ends, which can only be between tokens, become blanks.
pub(super) fn splice(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text);
    for at in memchr::memchr2_iter(b'\n', b'\r', text) {
        out[start + at] = b' ';
    }
}

fn number(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends text in quotes; serialising to memory does not fail.
pub(in crate::lake) fn string(out: &mut Vec<u8>, text: &str) {
    if is_plain(text) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        let _ = serde_json::to_writer(out, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KeyFormat, SchemaKind, Window};
    use proptest::prelude::*;

    proptest! {
        /// A kept key gives the line that the key itself gives, and equal keys are kept by equal bytes.
        #[test]
        fn kept_keys_give_the_same_lines(
            text in "\\PC{0,9}", json in "[a-z0-9]{0,5}", start in any::<i64>(), end in any::<i64>(),
            windowed in any::<bool>(), kind in 0..4,
        ) {
            let head = LineHead::new("_", KeySchema {
                format: KeyFormat::Registered(SchemaKind::Avro),
                window: windowed.then_some(Window::Session),
                ..KeySchema::default()
            });
            let window = windowed.then_some(WindowBounds { start_ms: start, end_ms: end });
            let json = format!("{{\"a\":\"{json}\"}}");
            let raw = text.as_bytes();
            let decoded = match kind {
                0 => DecodedKey::Key { key: Key::Json(json.as_str().into()), window },
                1 => DecodedKey::Key { key: Key::Text(text.as_str().into()), window },
                2 => DecodedKey::Key { key: Key::Int(start), window },
                _ => DecodedKey::Undecodable { reason: "r".into(), bytes: raw.into() },
            };
            let mut memory = Vec::new();
            let kept = head.kept(raw, &decoded, &mut memory).to_vec();
            let (mut direct, mut later) = (Vec::new(), Vec::new());
            let at = Coordinates { partition: 1, offset: 2, timestamp_ms: 3 };
            head.begin(at, &decoded, &mut direct);
            head.write((1, 2, 3), Some(&kept), &mut later);
            prop_assert_eq!(String::from_utf8(later).unwrap(), String::from_utf8(direct).unwrap());
        }

        #[test]
        fn damaged_kept_keys_are_no_panic(kept in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _ = from_kept(&kept);
        }
    }
}
