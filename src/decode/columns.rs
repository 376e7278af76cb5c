//! The columns that a registered schema declares, whatever its language.

pub mod declared;
mod json_schema;

pub(super) use json_schema::JsonSchema;

use super::schema::{Registered, SchemaColumn, SchemaType};
use super::{Reason, registered};

/// What a schema says of the values that it describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaShape {
    /// The fields of each value, in order. None if values are no records.
    pub columns: Option<Vec<SchemaColumn>>,
    /// The type of a value as a whole.
    pub top: SchemaType,
}

/// The columns that the schema declares. Those of a .proto are its first message's.
///
/// # Errors
/// The schema can't be read: why.
pub fn columns_of(schema: &Registered) -> Result<SchemaShape, Reason> {
    registered::reader(schema)?.shape()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SchemaKind;
    use crate::decode::schema::SchemaId;

    fn shape(kind: SchemaKind, text: &str) -> SchemaShape {
        columns_of(&Registered {
            id: SchemaId::Number(1),
            kind,
            text: text.to_owned(),
            references: Vec::new(),
            encrypted: false,
        })
        .unwrap()
    }

    #[test]
    fn all_languages_declare_the_same_columns() {
        let avro = r#"{"type":"record","name":"R","fields":[{"name":"B","type":"long"},
            {"name":"A","type":["null","string"],"default":null}]}"#;
        let protobuf = "syntax = \"proto3\"; message R { int64 B = 2; optional string A = 1; }";
        let json = r#"{"type":"object","required":["B"],"properties":{"B":{"type":"integer"},"A":{"type":["string","null"]}}}"#;
        let column = |name: &str, kind, nullable| SchemaColumn {
            name: name.to_owned(),
            kind,
            nullable,
        };
        let expected = SchemaShape {
            columns: Some(vec![
                column("B", SchemaType::Bigint, false),
                column("A", SchemaType::Text, true),
            ]),
            top: SchemaType::Record,
        };
        for (kind, text) in [
            (SchemaKind::Avro, avro),
            (SchemaKind::Protobuf, protobuf),
            (SchemaKind::JsonSchema, json),
        ] {
            assert_eq!(shape(kind, text), expected, "{kind}");
        }
    }

    #[test]
    fn a_schema_of_single_values_has_no_columns() {
        for (kind, text) in [
            (SchemaKind::Avro, "\"long\""),
            (
                SchemaKind::JsonSchema,
                r#"{"type":"integer","connect.type":"int64"}"#,
            ),
        ] {
            let single = SchemaShape {
                columns: None,
                top: SchemaType::Bigint,
            };
            assert_eq!(shape(kind, text), single, "{kind}");
        }
    }
}
