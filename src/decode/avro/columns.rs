//! What a schema says of columns.

use super::super::schema::{SchemaColumn, SchemaType};
use super::types::{AvroField, AvroType, TypeId};
use crate::decode::columns::stored::Nesting;
use crate::types::stored::StoredType;

/// The fields of a record, or of a union of null and a record.
pub(super) fn of_record(types: &[AvroType], of: TypeId) -> Option<Vec<SchemaColumn>> {
    let (of, _) = only_branch(types, of);
    let AvroType::Record { fields, .. } = &types[of?] else {
        return None;
    };
    let column = |field: &AvroField| {
        let (kind, nullable) = column_type(types, field.of);
        SchemaColumn {
            name: field.name.raw.clone(),
            kind,
            nullable,
        }
    };
    Some(fields.iter().map(column).collect())
}

/// The columns of a record, or of a union of null and a record, in typed files.
pub(super) fn stored_columns(types: &[AvroType], of: TypeId) -> Option<Vec<(String, StoredType)>> {
    let of = only_branch(types, of).0?;
    let AvroType::Record { fields, .. } = &types[of] else {
        return None;
    };
    let column = |field: &AvroField| {
        let mut nesting = Nesting::within(of);
        (field.name.raw.clone(), stored_type(types, field.of, &mut nesting))
    };
    Some(fields.iter().map(column).collect())
}

/// The type in typed files of values that are no objects. None if they may be objects.
pub(super) fn stored_bare(types: &[AvroType], of: TypeId) -> Option<StoredType> {
    match &types[only_branch(types, of).0?] {
        AvroType::Record { .. } | AvroType::Map(_) | AvroType::Entries { .. } => None,
        _ => Some(stored_type(types, of, &mut Nesting::default())),
    }
}

/// The type in typed files.
fn stored_type(types: &[AvroType], of: TypeId, nesting: &mut Nesting<TypeId>) -> StoredType {
    let Some(of) = only_branch(types, of).0 else {
        return StoredType::Json;
    };
    match &types[of] {
        AvroType::Array(items) => nesting.nest(of, 1, |nesting| {
            StoredType::List(stored_type(types, *items, nesting).into())
        }),
        AvroType::Map(values) => nesting.nest(of, 1, |nesting| {
            StoredType::Map(stored_type(types, *values, nesting).into())
        }),
        AvroType::Record { fields, .. } => nesting.nest(of, fields.len(), |nesting| {
            let fields = fields.iter().map(|field| {
                let name = field.name.raw.clone();
                (name, stored_type(types, field.of, nesting))
            });
            StoredType::structure(fields.collect())
        }),
        // With a key that is null or there twice they are written as the array that they are.
        AvroType::Entries { .. } => StoredType::Json,
        plain => StoredType::of(&kind(plain)),
    }
}

/// The field of this name in a record.
pub(super) fn field_of(types: &[AvroType], of: TypeId, name: &str) -> Option<TypeId> {
    let AvroType::Record { fields, .. } = &types[only_branch(types, of).0?] else {
        return None;
    };
    let field = fields.iter().find(|field| field.name.raw == name)?;
    Some(field.of)
}

/// The type, and whether values may be null.
pub(super) fn column_type(types: &[AvroType], of: TypeId) -> (SchemaType, bool) {
    let (branch, nullable) = only_branch(types, of);
    let kind = branch.map_or(SchemaType::Any, |branch| kind(&types[branch]));
    (kind, nullable)
}

/// The one type of which values are, if they are not null. None if there are several, or none.
fn only_branch(types: &[AvroType], of: TypeId) -> (Option<TypeId>, bool) {
    let AvroType::Union(branches) = &types[of] else {
        return (Some(of), types[of] == AvroType::Null);
    };
    let mut others = branches.iter().filter(|&&branch| types[branch] != AvroType::Null);
    let nullable = branches.iter().any(|&branch| types[branch] == AvroType::Null);
    match (others.next(), others.next()) {
        (Some(&only), None) => (Some(only), nullable),
        _ => (None, nullable),
    }
}

fn kind(of: &AvroType) -> SchemaType {
    match of {
        AvroType::Boolean => SchemaType::Boolean,
        AvroType::Int => SchemaType::Int,
        AvroType::Long => SchemaType::Bigint,
        AvroType::Float => SchemaType::Float,
        AvroType::Double => SchemaType::Double,
        AvroType::Text | AvroType::Uuid | AvroType::Duration => SchemaType::Text,
        AvroType::Bytes | AvroType::Fixed(_) => SchemaType::Bytes,
        &AvroType::Decimal { precision, scale, .. } => decimal(precision, scale),
        AvroType::Date => SchemaType::Date,
        AvroType::TimeMillis => SchemaType::Time { digits: 3 },
        AvroType::TimeMicros => SchemaType::Time { digits: 6 },
        &AvroType::Timestamp { digits, utc } => SchemaType::Timestamp { digits, utc },
        AvroType::Enum(symbols) => {
            SchemaType::Enum(symbols.iter().map(|symbol| symbol.raw.clone()).collect())
        }
        AvroType::Array(_) => SchemaType::Array,
        AvroType::Map(_) | AvroType::Entries { .. } => SchemaType::Map,
        AvroType::Record { .. } => SchemaType::Record,
        // A big-decimal's scale is known of each value only.
        AvroType::Null | AvroType::BigDecimal | AvroType::Union(_) => SchemaType::Any,
    }
}

/// A column has room for its scale, and none for a negative one.
fn decimal(precision: u32, scale: i32) -> SchemaType {
    let places = scale.unsigned_abs();
    if scale < 0 {
        return SchemaType::Decimal {
            precision: precision.saturating_add(places),
            scale: 0,
        };
    }
    SchemaType::Decimal {
        precision: precision.max(places),
        scale: places,
    }
}
