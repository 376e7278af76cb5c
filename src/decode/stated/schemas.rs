//! The formats of keys and values whose schema is in a registry.

use super::StatedSettings;
use super::ksqldb::PROTOBUF_NULLS;
use crate::config::{KeyFormat, KeySchema, SchemaPayload, ValueFormat, ValueSchema};
use crate::decode::columns_of;
use crate::decode::schema::{Registered, SchemaType};

/// The name of the message that ksqlDB and Connect give a schema.
const DERIVED_MESSAGE: &str = "message ConnectDefault";

/// The settings of keys with this schema.
pub fn keys(schema: &Registered) -> StatedSettings<KeySchema> {
    let stated = StatedSettings::of(KeySchema {
        format: KeyFormat::Registered(schema.kind),
        ..KeySchema::default()
    });
    let stated = match is_single(schema) {
        true => stated.note("the key is one value without a name: key.columns = [\"NAME\"] gives it one"),
        false => stated,
    };
    with_encryption(stated, schema)
}

/// The settings of values with this schema.
pub fn values(schema: &Registered) -> StatedSettings<ValueSchema> {
    let stated = StatedSettings::of(ValueSchema {
        format: ValueFormat::Registered(schema.kind),
        ..ValueSchema::default()
    });
    let stated = match is_single(schema) {
        true => stated.note("the value is one value without a name: value.columns = [\"NAME\"] gives it one"),
        false => stated,
    };
    let is_derived =
        schema.kind.traits().payload == SchemaPayload::Message && schema.text.contains(DERIVED_MESSAGE);
    let stated = match is_derived && !schema.text.contains("optional ") {
        true => stated.note(format!("if ksqlDB writes them: {PROTOBUF_NULLS}")),
        false => stated,
    };
    with_encryption(stated, schema)
}

/// Whether each is a single value and no record. A schema that can't be read says nothing.
fn is_single(schema: &Registered) -> bool {
    let shape = columns_of(schema).ok();
    shape.is_some_and(|shape| {
        let is_object = matches!(shape.top, SchemaType::Record | SchemaType::Map | SchemaType::Any);
        shape.columns.is_none() && !is_object
    })
}

fn with_encryption<S>(stated: StatedSettings<S>, schema: &Registered) -> StatedSettings<S> {
    match schema.encrypted {
        true => stated.note("its rules encrypt fields, which stay encrypted"),
        false => stated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SchemaKind;
    use crate::decode::schema::SchemaId;

    fn schema(kind: SchemaKind, text: &str) -> Registered {
        Registered {
            id: SchemaId::Number(1),
            kind,
            text: text.to_owned(),
            references: Vec::new(),
            encrypted: false,
        }
    }

    #[test]
    fn the_schema_says_the_format() {
        let record = schema(
            SchemaKind::Avro,
            r#"{"type":"record","name":"R","fields":[{"name":"A","type":"int"}]}"#,
        );
        assert_eq!(
            keys(&record).schema.format,
            KeyFormat::Registered(SchemaKind::Avro)
        );
        assert_eq!((values(&record).notes.len(), keys(&record).notes.len()), (0, 0));
        let bare = keys(&schema(SchemaKind::Avro, "\"long\""));
        assert!(bare.notes[0].contains("key.columns"), "{bare:?}");
        let json = values(&schema(SchemaKind::JsonSchema, "{\"type\":\"object\"}"));
        assert_eq!(
            json.schema.format,
            ValueFormat::Registered(SchemaKind::JsonSchema)
        );
    }

    #[test]
    fn what_is_lost_or_encrypted_is_said() {
        let proto = |field: &str| {
            let text = format!("syntax = \"proto3\"; message ConnectDefault1 {{ {field} int32 A = 1; }}");
            values(&schema(SchemaKind::Protobuf, &text)).notes
        };
        assert!(proto("")[0].contains("NULL as 0"));
        assert!(proto("optional").is_empty());
        let encrypted = Registered {
            encrypted: true,
            ..schema(SchemaKind::Avro, "{\"type\":\"map\",\"values\":\"int\"}")
        };
        assert!(values(&encrypted).notes[0].contains("stay encrypted"));
    }
}
