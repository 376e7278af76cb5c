//! The columns that a message declares.

use prost_reflect::{Cardinality, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use super::shape::{Repetition, is_null, map_like};
use super::well_known::WellKnown;
use crate::decode::columns::stored::Nesting;
use crate::decode::schema::{SchemaColumn, SchemaType};
use crate::types::stored::StoredType;

/// A message's fields in the order of their declaration, without extensions. None if the message is written as a single value.
pub(super) fn columns(message: &MessageDescriptor) -> Option<Vec<SchemaColumn>> {
    if WellKnown::named(message.full_name()).is_some() {
        return None;
    }
    Some(fields(message).map(|field| column(&field)).collect())
}

/// In the order of their declaration.
fn fields(message: &MessageDescriptor) -> impl Iterator<Item = FieldDescriptor> {
    let declared = message.descriptor_proto().field.iter();
    declared.filter_map(|field| message.get_field(u32::try_from(field.number()).ok()?))
}

/// A message's columns in typed files. None if the message is written as a single value.
pub(super) fn stored_columns(message: &MessageDescriptor) -> Option<Vec<(String, StoredType)>> {
    if WellKnown::named(message.full_name()).is_some() {
        return None;
    }
    let column = |field: FieldDescriptor| {
        let mut nesting = Nesting::within(message.full_name().to_owned());
        (field.name().to_owned(), stored_type(&field, &mut nesting))
    };
    Some(fields(message).map(column).collect())
}

/// A field's type in typed files.
fn stored_type(field: &FieldDescriptor, nesting: &mut Nesting<String>) -> StoredType {
    let list_name = || format!("repeated {}", field.full_name());
    match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            let value = entry.map_entry_value_field();
            nesting.nest(list_name(), 1, |nesting| {
                StoredType::Map(stored_type(&value, nesting).into())
            })
        }
        // With a key that is not there or there twice they are written as the list that they are.
        Kind::Message(entry) if field.is_list() && map_like(&entry).is_some() => StoredType::Json,
        _ if field.is_list() => nesting.nest(list_name(), 1, |nesting| {
            StoredType::List(element_type(field, nesting).into())
        }),
        _ => element_type(field, nesting),
    }
}

fn element_type(field: &FieldDescriptor, nesting: &mut Nesting<String>) -> StoredType {
    match field.kind() {
        Kind::Message(message) if WellKnown::named(message.full_name()).is_none() => {
            // Its extensions are any number, and have no place among its fields.
            if message.extensions().len() > 0 {
                return StoredType::Json;
            }
            nesting.nest(
                message.full_name().to_owned(),
                message.fields().len(),
                |nesting| {
                    let of = fields(&message).map(|field| {
                        let name = field.name().to_owned();
                        (name, stored_type(&field, nesting))
                    });
                    StoredType::structure(of.collect())
                },
            )
        }
        Kind::Message(message) if message.full_name() == "confluent.type.Decimal" => {
            StoredType::of(&decimal_type(field))
        }
        kind => StoredType::of(&scalar_type(&kind)),
    }
}

fn column(field: &FieldDescriptor) -> SchemaColumn {
    let has_default = field.field_descriptor_proto().default_value.is_some();
    let in_oneof = field
        .containing_oneof()
        .is_some_and(|oneof| !oneof.is_synthetic());
    let is_required = field.cardinality() == Cardinality::Required;
    SchemaColumn {
        name: field.name().to_owned(),
        kind: column_type(field),
        nullable: in_oneof || (field.supports_presence() && !has_default && !is_required),
    }
}

fn column_type(field: &FieldDescriptor) -> SchemaType {
    match field.kind() {
        _ if field.is_map() => SchemaType::Map,
        Kind::Message(entry) if field.is_list() => match map_like(&entry) {
            Some(Repetition::MapLike { .. }) => SchemaType::Map,
            _ => SchemaType::Array,
        },
        _ if field.is_list() => SchemaType::Array,
        Kind::Message(message) if message.full_name() == "confluent.type.Decimal" => decimal_type(field),
        kind => scalar_type(&kind),
    }
}

fn scalar_type(kind: &Kind) -> SchemaType {
    match kind {
        Kind::Double => SchemaType::Double,
        Kind::Float => SchemaType::Float,
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => SchemaType::Int,
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint32 | Kind::Fixed32 => SchemaType::Bigint,
        Kind::Uint64 | Kind::Fixed64 => SchemaType::UnsignedBigint,
        Kind::Bool => SchemaType::Boolean,
        Kind::String => SchemaType::Text,
        Kind::Bytes => SchemaType::Bytes,
        Kind::Enum(each) if is_null(each) => SchemaType::Any,
        Kind::Enum(each) => {
            let values = each.enum_descriptor_proto().value.iter();
            SchemaType::Enum(values.map(|value| value.name().to_owned()).collect())
        }
        Kind::Message(message) => message_type(message),
    }
}

/// The type of a message as one value.
pub(super) fn message_type(message: &MessageDescriptor) -> SchemaType {
    match WellKnown::named(message.full_name()) {
        None | Some(WellKnown::Any) => SchemaType::Record,
        Some(WellKnown::OnlyValue) => match message.name() {
            "Struct" => SchemaType::Map,
            "ListValue" => SchemaType::Array,
            "Value" => SchemaType::Any,
            // A wrapper has one field. Its kind can't be a message, unless somebody registers another one under this name.
            _ => match message.fields().next().map(|field| field.kind()) {
                None | Some(Kind::Message(_)) => SchemaType::Any,
                Some(kind) => scalar_type(&kind),
            },
        },
        Some(WellKnown::Timestamp) => SchemaType::Timestamp { digits: 9, utc: true },
        // One is local, the next one has an offset.
        Some(WellKnown::Duration | WellKnown::FieldMask | WellKnown::DateTime) => SchemaType::Text,
        Some(WellKnown::Date) => SchemaType::Date,
        Some(WellKnown::TimeOfDay) => SchemaType::Time { digits: 9 },
        Some(WellKnown::Decimal) => SchemaType::Any,
    }
}

/// Each value has a scale of its own. The column's is where Connect and ksqlDB note it:
/// `[(confluent.field_meta).params = {key: "precision", value: "10"}]`.
fn decimal_type(field: &FieldDescriptor) -> SchemaType {
    let noted = || {
        let extension = field
            .parent_pool()
            .get_extension_by_name("confluent.field_meta")?;
        let options: DynamicMessage = field.options();
        let meta = options.get_extension(&extension);
        let params = meta.as_message()?.get_field_by_name("params")?;
        let param = |name: &str| {
            let value = params
                .as_map()?
                .get(&MapKey::String(name.to_owned()))
                .and_then(Value::as_str)?;
            value.parse::<u32>().ok()
        };
        Some((param("precision")?, param("scale")?))
    };
    match noted() {
        Some((precision, scale)) => SchemaType::Decimal { precision, scale },
        None => SchemaType::Any,
    }
}
