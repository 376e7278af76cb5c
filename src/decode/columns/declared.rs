//! What the configuration says of a topic's columns.

use crate::config::{DeclaredColumn, DeclaredType, KeyFormat, KeySchema, ValueFormat, ValueSchema};
use crate::decode::bare;
use crate::decode::schema::SchemaType;

/// The column of a key that is one value and has no configured name, as ksqlDB calls it.
const KEY_NAME: &str = "rowkey";

/// More digits than any reader's decimals have.
const DIGITS_MAX: u32 = 1_000;

/// A column by its name; its type is None where only a schema or the records tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedColumn {
    pub name: String,
    pub kind: Option<SchemaType>,
}

impl NamedColumn {
    fn of(column: &DeclaredColumn) -> NamedColumn {
        NamedColumn {
            name: column.name.clone(),
            kind: Some(column.kind.into()),
        }
    }

    /// A column whose type stands with its values, unless one is configured. VARCHAR may just be the default.
    fn guessed(column: &DeclaredColumn) -> NamedColumn {
        NamedColumn {
            kind: Some(SchemaType::from(column.kind)).filter(|kind| *kind != SchemaType::Text),
            name: column.name.clone(),
        }
    }
}

/// The columns of keys, as far as they are configured. Empty: each key has its names with it.
pub fn of_keys(keys: &KeySchema) -> Vec<NamedColumn> {
    let columns = keys.columns.iter();
    let kind = match keys.format {
        KeyFormat::None => return Vec::new(),
        KeyFormat::Delimited => return columns.map(NamedColumn::of).collect(),
        KeyFormat::String if keys.separator.is_some() => return columns.map(NamedColumn::of).collect(),
        KeyFormat::Json | KeyFormat::Registered(_) => {
            return columns.map(NamedColumn::guessed).collect();
        }
        KeyFormat::String => SchemaType::Text,
        KeyFormat::Int => SchemaType::Int,
        KeyFormat::Bigint => SchemaType::Bigint,
        KeyFormat::Double => SchemaType::Double,
        KeyFormat::Bytes => SchemaType::Bytes,
    };
    let name = keys.columns.first().map_or(KEY_NAME, |column| &column.name);
    vec![NamedColumn {
        name: name.to_owned(),
        kind: Some(kind),
    }]
}

/// The columns of values, as far as they are configured.
pub fn of_values(values: &ValueSchema) -> Vec<NamedColumn> {
    let columns = values.columns.iter();
    match values.format {
        ValueFormat::None => Vec::new(),
        ValueFormat::Kafka | ValueFormat::Bytes => {
            let (name, kind) = bare::column(values);
            vec![NamedColumn {
                name: name.to_owned(),
                kind: Some(kind.into()),
            }]
        }
        ValueFormat::Json | ValueFormat::Delimited => columns.map(NamedColumn::of).collect(),
        ValueFormat::Registered(_) => columns.map(NamedColumn::guessed).collect(),
    }
}

/// The columns whose types are stated, each with a value as lines have it.
pub fn examples(values: &ValueSchema) -> Vec<(&str, String)> {
    let (name, kind) = bare::column(values);
    let is_typed = match values.format {
        ValueFormat::Kafka | ValueFormat::Bytes => return vec![(name, example(kind))],
        ValueFormat::Delimited => |_: &&DeclaredColumn| true,
        // There VARCHAR may just be the default.
        format if format.is_json() => |column: &&DeclaredColumn| column.kind != DeclaredType::Varchar,
        // The schema decides how its times are written.
        _ => return Vec::new(),
    };
    let typed = values.columns.iter().filter(is_typed);
    typed
        .map(|column| (&*column.name, example(column.kind)))
        .collect()
}

/// The JSON of a value of this type.
pub(in crate::decode) fn example(kind: DeclaredType) -> String {
    match kind {
        DeclaredType::Boolean => "true".to_owned(),
        DeclaredType::Double => "0e0".to_owned(),
        DeclaredType::Varchar | DeclaredType::Bytes => "\"\"".to_owned(),
        DeclaredType::Decimal { precision, scale } => {
            let nines = |digits: u32| "9".repeat(digits.min(DIGITS_MAX) as usize);
            match (precision - scale, scale) {
                (0, scale) => format!("0.{}", nines(scale)),
                (whole, 0) => nines(whole),
                (whole, scale) => format!("{}.{}", nines(whole), nines(scale)),
            }
        }
        DeclaredType::Int
        | DeclaredType::Bigint
        | DeclaredType::Date
        | DeclaredType::Time
        | DeclaredType::Timestamp => "0".to_owned(),
    }
}

impl From<DeclaredType> for SchemaType {
    fn from(kind: DeclaredType) -> SchemaType {
        match kind {
            DeclaredType::Boolean => SchemaType::Boolean,
            DeclaredType::Int => SchemaType::Int,
            DeclaredType::Bigint => SchemaType::Bigint,
            DeclaredType::Double => SchemaType::Double,
            DeclaredType::Decimal { precision, scale } => SchemaType::Decimal { precision, scale },
            DeclaredType::Varchar => SchemaType::Text,
            DeclaredType::Bytes => SchemaType::Bytes,
            DeclaredType::Date => SchemaType::Date,
            DeclaredType::Time => SchemaType::Time { digits: 3 },
            DeclaredType::Timestamp => SchemaType::Timestamp { digits: 3, utc: true },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SchemaKind;

    fn column(name: &str, kind: DeclaredType) -> DeclaredColumn {
        DeclaredColumn {
            name: name.to_owned(),
            kind,
        }
    }

    #[test]
    fn a_key_is_named_and_typed_by_its_format() {
        let columns = |format, columns: Vec<DeclaredColumn>| {
            let keys = KeySchema {
                format,
                columns,
                ..KeySchema::default()
            };
            let columns = of_keys(&keys).into_iter();
            columns.map(|c| (c.name, c.kind)).collect::<Vec<_>>()
        };
        let named = |name: &str, kind| vec![(name.to_owned(), kind)];
        assert_eq!(
            columns(KeyFormat::Bigint, vec![]),
            named("rowkey", Some(SchemaType::Bigint))
        );
        let a = || vec![column("A", DeclaredType::Varchar)];
        assert_eq!(columns(KeyFormat::Int, a()), named("A", Some(SchemaType::Int)));
        assert_eq!(
            columns(KeyFormat::Delimited, a()),
            named("A", Some(SchemaType::Text))
        );
        assert_eq!(columns(KeyFormat::Json, a()), named("A", None));
        let typed = vec![column("A", DeclaredType::Date)];
        assert_eq!(
            columns(KeyFormat::Registered(SchemaKind::Avro), typed),
            named("A", Some(SchemaType::Date))
        );
        assert_eq!(columns(KeyFormat::Json, vec![]), []);
        assert_eq!(columns(KeyFormat::None, a()), []);
    }
}
