//! What a schema says of columns.

use super::super::schema::{SchemaColumn, SchemaType};
use super::types::{AvroField, AvroType, TypeId};

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
