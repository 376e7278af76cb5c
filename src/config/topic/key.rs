//! The schema of a topic's keys: format, columns, window.

use serde::Deserialize;

use super::column::{DeclaredColumn, DeclaredType};
use super::schema_kind::{SchemaKind, format_name, format_named, formats};

/// How a topic's keys are serialised (KEY_FORMAT in ksqlDB's WITH clause).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    /// The id of a schema in the registry stands before the key.
    Registered(SchemaKind),
    /// NONE: the key is always null.
    None,
}

impl KeyFormat {
    /// Whether a key of this format is one column.
    pub fn is_single(self) -> bool {
        use KeyFormat::{Bigint, Bytes, Double, Int, String};
        matches!(self, String | Int | Bigint | Double | Bytes | KeyFormat::None)
    }

    /// Whether the format is the type of its column.
    pub(super) fn is_binary(self) -> bool {
        use KeyFormat::{Bigint, Bytes, Double, Int};
        matches!(self, Int | Bigint | Double | Bytes)
    }

    /// Whether keys need their schema from the registry.
    pub fn is_registered(self) -> bool {
        matches!(self, KeyFormat::Registered(_))
    }

    /// ksqlDB's KAFKA format of one column of this type.
    pub fn of_kafka(kind: DeclaredType) -> Option<KeyFormat> {
        match kind {
            DeclaredType::Varchar => Some(KeyFormat::String),
            DeclaredType::Int => Some(KeyFormat::Int),
            DeclaredType::Bigint => Some(KeyFormat::Bigint),
            DeclaredType::Double => Some(KeyFormat::Double),
            DeclaredType::Bytes => Some(KeyFormat::Bytes),
            _ => None,
        }
    }

    /// All of them, by their names.
    fn all() -> impl Iterator<Item = (&'static str, KeyFormat)> + Clone {
        formats(&PLAIN, KeyFormat::Registered)
    }
}

/// A key.format as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::config) enum KeyFormatName {
    /// KAFKA, whose format depends on the column's type.
    Kafka,
    Of(KeyFormat),
}

impl TryFrom<String> for KeyFormatName {
    type Error = String;

    fn try_from(name: String) -> Result<KeyFormatName, String> {
        let kafka = std::iter::once(("kafka", KeyFormatName::Kafka));
        let others = KeyFormat::all().map(|(name, format)| (name, KeyFormatName::Of(format)));
        format_named(&name, kafka.chain(others))
    }
}

const PLAIN: [(&str, KeyFormat); 8] = [
    ("string", KeyFormat::String),
    ("int", KeyFormat::Int),
    ("bigint", KeyFormat::Bigint),
    ("double", KeyFormat::Double),
    ("bytes", KeyFormat::Bytes),
    ("json", KeyFormat::Json),
    ("delimited", KeyFormat::Delimited),
    ("none", KeyFormat::None),
];

impl std::fmt::Display for KeyFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(format_name(*self, KeyFormat::all()))
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
    pub delimiter: char,
    /// Divides a STRING key into its columns, as ksqlDB wrote several of them before 0.15.
    pub separator: Option<String>,
    /// Empty: the key has its names with it, or is one column without a name.
    pub columns: Vec<DeclaredColumn>,
    pub window: Option<Window>,
    /// Whether keys may be in the envelope of Connect's JsonConverter.
    pub unwrap: bool,
}

impl KeySchema {
    /// Whether no record has a key.
    pub fn is_always_null(&self) -> bool {
        self.format == KeyFormat::None
    }

    /// The names of its columns, in their order.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// Whether keys become JSON that is not in their bytes.
    pub fn is_made(&self) -> bool {
        self.format.is_registered() || self.format == KeyFormat::Delimited || self.separator.is_some()
    }

    /// Whether equal keys may differ in their bytes: with a schema's id before them, or in an envelope.
    pub fn has_other_bytes(&self) -> bool {
        self.format.is_registered() || self.unwrap
    }
}

impl Default for KeySchema {
    fn default() -> Self {
        KeySchema {
            format: KeyFormat::String,
            delimiter: ',',
            separator: None,
            columns: Vec::new(),
            window: None,
            unwrap: false,
        }
    }
}
