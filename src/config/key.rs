//! The schema of a topic's keys: format, columns, window.

use serde::Deserialize;

/// How a topic's keys are serialised (KEY_FORMAT in ksqlDB's WITH clause).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyFormat {
    /// KAFKA VARCHAR: UTF-8.
    #[default]
    String,
    /// KAFKA INT: 4 bytes, big endian.
    Int,
    /// KAFKA BIGINT: 8 bytes, big endian.
    Bigint,
    /// KAFKA DOUBLE: 8 bytes, IEEE 754, big endian.
    Double,
    /// JSON: one column bare, several as an object.
    Json,
    /// DELIMITED: CSV, names not on the wire.
    Delimited,
    /// KAFKA BYTES: as they are.
    Bytes,
    /// NONE: the key is always null.
    None,
}

impl KeyFormat {
    /// Whether a key of this format is one column.
    pub fn is_single(self) -> bool {
        !matches!(self, KeyFormat::Json | KeyFormat::Delimited)
    }
}

impl std::fmt::Display for KeyFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            KeyFormat::String => "string",
            KeyFormat::Int => "int",
            KeyFormat::Bigint => "bigint",
            KeyFormat::Double => "double",
            KeyFormat::Json => "json",
            KeyFormat::Delimited => "delimited",
            KeyFormat::Bytes => "bytes",
            KeyFormat::None => "none",
        })
    }
}

/// The windows of a windowed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Tumbling or hopping: the start is on the wire, the end is start + size.
    Time { size_ms: i64 },
    /// Both bounds are on the wire, the end first; both inclusive.
    Session,
}

/// How the keys of one topic are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySchema {
    pub format: KeyFormat,
    pub delimiter: u8,
    /// Names of the key's columns. Empty: the names in the JSON key.
    pub columns: Vec<String>,
    pub window: Option<Window>,
    /// Whether JSON keys may be in the envelope of Connect's JsonConverter.
    pub unwrap: bool,
}

impl KeySchema {
    /// Whether no record has a key.
    pub fn is_always_null(&self) -> bool {
        self.format == KeyFormat::None
    }
}

impl Default for KeySchema {
    fn default() -> Self {
        KeySchema {
            format: KeyFormat::String,
            delimiter: b',',
            columns: Vec::new(),
            window: None,
            unwrap: false,
        }
    }
}
