//! Schemas: as a registry holds them, and the columns that they declare.

use std::fmt;

use crate::config::SchemaKind;
use crate::json::Reason;
use crate::problem::Problem;

/// A schema as the registry holds it, with everything that it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    pub id: SchemaId,
    pub kind: SchemaKind,
    pub text: String,
    /// Depth first: each stands behind those that it refers to itself. Each name once.
    pub references: Vec<Reference>,
    /// Whether its rules encrypt fields, or whole payloads.
    pub encrypted: bool,
}

impl Registered {
    /// The problem of a schema that is not one of its language.
    pub fn unreadable(&self, reason: &Reason) -> Problem {
        Problem::new(format!("schema {} can't be read: {reason}", self.id)).fix("look at it in the registry")
    }
}

/// Another schema that a schema refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// As the referring schema imports it.
    pub name: String,
    pub text: String,
}

/// What a record says of its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SchemaId {
    Number(u32),
    Guid([u8; 16]),
}

impl fmt::Display for SchemaId {
    /// `42`, or `8d3c6a52-1f0e-4b7a-9c1d-2e3f4a5b6c7d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaId::Number(number) => number.fmt(f),
            SchemaId::Guid(bytes) => {
                for (at, byte) in bytes.iter().enumerate() {
                    if [4, 6, 8, 10].contains(&at) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

/// A column as a schema declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaColumn {
    pub name: String,
    pub kind: SchemaType,
    pub nullable: bool,
}

/// The type of a column as a schema declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaType {
    Boolean,
    /// 32 bits.
    Int,
    Bigint,
    /// 64 bits.
    UnsignedBigint,
    Float,
    Double,
    Decimal {
        precision: u32,
        scale: u32,
    },
    Text,
    Bytes,
    Date,
    /// With this many digits of a second's fraction.
    Time {
        digits: u8,
    },
    /// With this many digits of a second's fraction; in UTC, or local to no known place.
    Timestamp {
        digits: u8,
        utc: bool,
    },
    Enum(Vec<String>),
    Array,
    Map,
    Record,
    Any,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_shown_as_registries_write_it() {
        assert_eq!(SchemaId::Number(42).to_string(), "42");
        let bytes: Vec<u8> = (0..16).map(|n| n * 17).collect();
        let guid = SchemaId::Guid(bytes.try_into().unwrap());
        assert_eq!(guid.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
