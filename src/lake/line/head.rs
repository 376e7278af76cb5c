//! The head of a line: our own fields, which follow from a record's coordinates and its key. A table keeps both for each
//! row, so it writes heads only for rows that are not replaced.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::config::KeySchema;
use crate::decode::key::{DecodedKey, Key};
use crate::record::Coordinates;

/// Kafka partition, offset, and Kafka's timestamp in milliseconds since 1970.
type LineOrigin = (i32, i64, i64);

/// Writes the heads of one topic's lines.
#[derive(Debug, Clone, Default)]
pub struct LineHead {
    prefix: String,
    key: KeySchema,
}

impl LineHead {
    pub(in crate::lake) fn new(prefix: &str, key: KeySchema) -> Self {
        LineHead {
            prefix: prefix.to_owned(),
            // Tables keep keys that are taken out of their envelope already.
            key: KeySchema { unwrap: false, ..key },
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
        self.begin(at, &self.key.decode(key), out);
    }

    /// Begins a line.
    pub(in crate::lake) fn begin(&self, at: Coordinates, key: &DecodedKey<'_>, out: &mut Vec<u8>) {
        self.name(out, b'{', "partition");
        number(out, at.partition.into());
        self.name(out, b',', "offset");
        number(out, at.offset);
        self.name(out, b',', "timestamp");
        number(out, at.timestamp_ms);
        self.key(key, out);
    }

    fn key(&self, key: &DecodedKey<'_>, out: &mut Vec<u8>) {
        let (key, window) = match key {
            DecodedKey::Null => {
                self.name(out, b',', "key");
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
        self.name(out, b',', "key");
        match key {
            Key::Text(text) => string(out, text),
            Key::Int(int) => number(out, *int),
            // Through serde_json's own value, which has the shortest form.
            Key::Double(double) => {
                out.extend_from_slice(serde_json::Value::from(*double).to_string().as_bytes())
            }
            Key::Json(text) => splice(text.as_bytes(), out),
            Key::Bytes(bytes) => string(out, &BASE64.encode(bytes)),
            Key::Fields(fields) => self.fields(fields, out),
        }
        if let Some(window) = window {
            self.name(out, b',', "window_start");
            number(out, window.start_ms);
            self.name(out, b',', "window_end");
            number(out, window.end_ms);
        }
    }

    fn fields(&self, fields: &[String], out: &mut Vec<u8>) {
        if let [field] = fields {
            return string(out, field);
        }
        for (i, (column, field)) in self.key.columns.iter().zip(fields).enumerate() {
            out.push(if i == 0 { b'{' } else { b',' });
            string(out, column);
            out.push(b':');
            string(out, field);
        }
        out.push(b'}');
    }

    pub(in crate::lake) fn name(&self, out: &mut Vec<u8>, before: u8, name: &str) {
        out.push(before);
        out.push(b'"');
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
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

/// Appends a number; serialising to memory does not fail.
fn number(out: &mut Vec<u8>, number: i64) {
    let _ = serde_json::to_writer(out, &number);
}

pub(in crate::lake) fn string(out: &mut Vec<u8>, text: &str) {
    let _ = serde_json::to_writer(out, text);
}
