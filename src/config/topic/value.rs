//! The schema of a topic's values: format, columns, envelope.

use serde::Deserialize;

use super::column::{DeclaredColumn, DeclaredType};
use super::envelope::Envelope;
use super::schema_kind::{SchemaKind, SchemaPayload, format_name, format_named, formats};

/// How a topic's values are serialised (VALUE_FORMAT in ksqlDB's WITH clause).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ValueFormat {
    #[default]
    Json,
    /// DELIMITED: CSV, names not on the wire.
    Delimited,
    /// KAFKA: one column.
    Kafka,
    /// One column of bytes.
    Bytes,
    /// The id of a schema in the registry stands before the value.
    Registered(SchemaKind),
    /// NONE: the value is always null.
    None,
}

impl ValueFormat {
    /// Whether values need their schema from the registry.
    pub fn is_registered(self) -> bool {
        matches!(self, ValueFormat::Registered(_))
    }

    /// Whether values are JSON as they stand in the records.
    pub fn is_json(self) -> bool {
        match self {
            ValueFormat::Json => true,
            ValueFormat::Registered(kind) => kind.traits().payload == SchemaPayload::Json,
            _ => false,
        }
    }

    /// Whether the whole value is one column without a name.
    pub fn is_bare(self) -> bool {
        matches!(self, ValueFormat::Kafka | ValueFormat::Bytes)
    }

    /// All of them, by their names.
    fn all() -> impl Iterator<Item = (&'static str, ValueFormat)> + Clone {
        formats(&PLAIN, ValueFormat::Registered)
    }
}

const PLAIN: [(&str, ValueFormat); 5] = [
    ("json", ValueFormat::Json),
    ("delimited", ValueFormat::Delimited),
    ("kafka", ValueFormat::Kafka),
    ("bytes", ValueFormat::Bytes),
    ("none", ValueFormat::None),
];

impl TryFrom<String> for ValueFormat {
    type Error = String;

    fn try_from(name: String) -> Result<ValueFormat, String> {
        format_named(&name, ValueFormat::all())
    }
}

impl std::fmt::Display for ValueFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(format_name(*self, ValueFormat::all()))
    }
}

/// What happens to records whose schema the registry doesn't have, or that can't be read itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Undecodable {
    /// The topic fails, and nothing of it is committed.
    #[default]
    Fail,
    /// They are kept as they are, as damaged ones are.
    Keep,
}

/// How the values of one topic are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueSchema {
    pub format: ValueFormat,
    /// Empty: the value has its names with it.
    pub columns: Vec<DeclaredColumn>,
    pub delimiter: char,
    /// Also for keys.
    pub undecodable: Undecodable,
    /// The envelope that values are taken out of.
    pub unwrap: Option<Envelope>,
}

impl ValueSchema {
    /// Whether the field of this name is stated to count days.
    pub fn is_date(&self, name: &str) -> bool {
        let named = |column: &&DeclaredColumn| column.name.to_lowercase() == name.to_lowercase();
        let found = self.columns.iter().find(named);
        found.is_some_and(|column| column.kind == DeclaredType::Date)
    }

    /// Whether a value that can't be read needs a person. JSON of any kind of writer is kept as text without a word.
    pub fn reads_all(&self) -> bool {
        self.format != ValueFormat::Json || self.unwrap.is_some()
    }
}

impl Default for ValueSchema {
    fn default() -> Self {
        ValueSchema {
            format: ValueFormat::default(),
            columns: Vec::new(),
            delimiter: ',',
            undecodable: Undecodable::default(),
            unwrap: None,
        }
    }
}
