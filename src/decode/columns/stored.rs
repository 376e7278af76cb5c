//! The types that declared columns have in typed files: those that hold what the decoder writes.

use crate::config::{ValueFormat, ValueSchema};
use crate::decode::schema::SchemaType;
use crate::types::stored::{DIGITS_MAX, StoredType};

use super::declared::of_values;

/// Structures, lists and maps within each other: readers of JSON, in which types are noted, take 127 levels, and a structure is three.
const LEVELS_MAX: usize = 20;
/// The fields of one column on all levels. A schema can name a type again and again, so that it has any number of them.
const FIELDS_MAX: usize = 1000;

/// The columns whose types the configuration declares, so that all values have them.
///
/// VARCHAR may just be the default, and in JSON that is any value. A TIME is what its producer makes of it, a number or a text.
pub(in crate::decode) fn configured(values: &ValueSchema) -> Vec<(String, StoredType)> {
    let is_json = matches!(values.format, ValueFormat::Json);
    let columns = of_values(values).into_iter();
    let kinds = columns.filter_map(|column| Some((column.name, column.kind?)));
    let declared = kinds.filter(|(_, kind)| match kind {
        SchemaType::Time { .. } => false,
        SchemaType::Text => !is_json,
        _ => true,
    });
    declared
        .map(|(name, kind)| (name, StoredType::of(&kind)))
        .collect()
}

impl StoredType {
    /// The type of a column. What a schema says no more of than that it is nested is JSON.
    pub(in crate::decode) fn of(kind: &SchemaType) -> StoredType {
        match kind {
            SchemaType::Boolean => StoredType::Boolean,
            SchemaType::Int => StoredType::Int,
            SchemaType::Bigint => StoredType::Bigint,
            SchemaType::UnsignedBigint => StoredType::Decimal {
                precision: 20,
                scale: 0,
            },
            SchemaType::Float | SchemaType::Double => StoredType::Double,
            SchemaType::Decimal { precision, scale } => decimal(*precision, *scale),
            SchemaType::Bytes => StoredType::Bytes,
            SchemaType::Date => StoredType::Date,
            SchemaType::Timestamp { digits: 3, utc } => StoredType::Timestamp {
                micros: false,
                utc: *utc,
            },
            SchemaType::Timestamp { digits: 6, utc } => StoredType::Timestamp {
                micros: true,
                utc: *utc,
            },
            // Spark reads neither times of day nor nanoseconds.
            SchemaType::Text
            | SchemaType::Enum(_)
            | SchemaType::Time { .. }
            | SchemaType::Timestamp { .. } => StoredType::Text,
            SchemaType::Array | SchemaType::Map | SchemaType::Record | SchemaType::Any => StoredType::Json,
        }
    }
}

fn decimal(precision: u32, scale: u32) -> StoredType {
    match (u8::try_from(precision.max(scale)), u8::try_from(scale)) {
        (Ok(precision @ 1..=DIGITS_MAX), Ok(scale)) => StoredType::Decimal { precision, scale },
        _ => StoredType::Text,
    }
}

/// The types in which a part of a column lies. A type within itself, and what is too deep or too large, is JSON.
#[derive(Debug)]
pub(in crate::decode) struct Nesting<T> {
    within: Vec<T>,
    fields_left: usize,
}

impl<T> Default for Nesting<T> {
    fn default() -> Self {
        Nesting {
            within: Vec::new(),
            fields_left: FIELDS_MAX,
        }
    }
}

impl<T: PartialEq> Nesting<T> {
    /// In a value of this type.
    pub fn within(top: T) -> Nesting<T> {
        Nesting {
            within: vec![top],
            ..Nesting::default()
        }
    }

    /// A type of so many fields; `make` makes it of its parts.
    pub fn nest(&mut self, of: T, fields: usize, make: impl FnOnce(&mut Self) -> StoredType) -> StoredType {
        let left = self.fields_left.checked_sub(fields);
        match left {
            Some(left) if self.within.len() <= LEVELS_MAX && !self.within.contains(&of) => {
                self.fields_left = left;
                self.within.push(of);
                let made = make(self);
                self.within.pop();
                made
            }
            _ => StoredType::Json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DeclaredColumn, DeclaredType, SchemaKind};

    #[test]
    fn configured_types_are_those_of_all_values() {
        use DeclaredType::{Bigint, Date, Decimal, Time, Timestamp, Varchar};
        let decimal = Decimal {
            precision: 9,
            scale: 2,
        };
        let columns = [
            ("A", Bigint),
            ("B", decimal),
            ("C", Varchar),
            ("D", Date),
            ("E", Time),
            ("F", Timestamp),
        ];
        let of = |format| {
            let columns = columns.iter().map(|&(name, kind)| DeclaredColumn {
                name: name.to_owned(),
                kind,
            });
            let values = ValueSchema {
                format,
                columns: columns.collect(),
                ..ValueSchema::default()
            };
            let all = configured(&values).into_iter();
            all.map(|(name, kind)| format!("{name} {kind}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let typed = "A BIGINT, B DECIMAL(9,2), D DATE, F TIMESTAMP(3)";
        assert_eq!(of(ValueFormat::Json), typed);
        assert_eq!(of(ValueFormat::Registered(SchemaKind::JsonSchema)), typed);
        assert_eq!(
            of(ValueFormat::Delimited),
            typed.replace("D DATE", "C VARCHAR, D DATE")
        );
        assert_eq!(of(ValueFormat::Kafka), "A BIGINT");
        assert_eq!(of(ValueFormat::Bytes), "A BYTES");
        assert_eq!(of(ValueFormat::None), "");
    }

    #[test]
    fn decimals_of_more_digits_than_readers_have_are_text() {
        for (precision, scale, shown) in [
            (9, 2, "DECIMAL(9,2)"),
            (38, 38, "DECIMAL(38,38)"),
            (3, 5, "DECIMAL(5,5)"),
            (39, 0, "VARCHAR"),
            (1, 300, "VARCHAR"),
            (0, 0, "VARCHAR"),
        ] {
            let kind = SchemaType::Decimal { precision, scale };
            assert_eq!(StoredType::of(&kind).to_string(), shown);
        }
    }
}
