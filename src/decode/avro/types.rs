//! A schema's types as a table, in which they name each other by their place.

use crate::decode::text::quoted;

/// A place in the table.
pub(super) type TypeId = usize;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AvroType {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    /// A string, also of the logical type uuid.
    Text,
    /// So many bytes.
    Fixed(usize),
    /// 16 bytes.
    Uuid,
    /// 12 bytes: months, days and milliseconds.
    Duration,
    Decimal {
        /// None: bytes, with their length before them.
        size: Option<usize>,
        precision: u32,
        /// Connect writes negative ones too.
        scale: i32,
    },
    /// A decimal that brings its scale along.
    BigDecimal,
    Date,
    /// An int.
    TimeMillis,
    /// A long.
    TimeMicros,
    /// A long: so many digits are its fraction of a second.
    Timestamp {
        digits: u8,
        utc: bool,
    },
    Enum(Vec<AvroName>),
    Array(TypeId),
    Map(TypeId),
    /// An array of records of key and value that stands for a map.
    Entries {
        key: TypeId,
        value: TypeId,
    },
    Record {
        fields: Vec<AvroField>,
        /// ksqlDB or Connect declare that an array of these is a map.
        is_map_entry: bool,
    },
    Union(Vec<TypeId>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AvroField {
    pub name: AvroName,
    /// The name as it stands before its value: after a comma, quoted, and with its colon.
    pub lead: String,
    pub of: TypeId,
}

/// A field's name, or an enum's symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AvroName {
    pub raw: String,
    /// As JSON text, with its quotes.
    pub json: String,
}

impl AvroField {
    pub fn new(name: AvroName, of: TypeId) -> AvroField {
        AvroField {
            lead: format!(",{}:", name.json),
            name,
            of,
        }
    }
}

impl AvroName {
    pub fn new(raw: &str) -> AvroName {
        AvroName {
            raw: raw.to_owned(),
            json: quoted(raw),
        }
    }

    /// Without anything that would disturb a message, such as line ends.
    pub fn in_messages(&self) -> &str {
        &self.json[1..self.json.len() - 1]
    }
}

impl AvroType {
    /// The types that it is made of.
    pub fn parts_mut(&mut self) -> Vec<&mut TypeId> {
        match self {
            AvroType::Array(part) | AvroType::Map(part) => vec![part],
            AvroType::Entries { key, value } => vec![key, value],
            AvroType::Record { fields, .. } => fields.iter_mut().map(|field| &mut field.of).collect(),
            AvroType::Union(parts) => parts.iter_mut().collect(),
            _ => Vec::new(),
        }
    }
}
