//! The SQL condition for the rows of a person who is to be erased.

use mysql::Value;

use crate::config::Topic;
use crate::subjects::subject::Subject;
use crate::warehouse::load::read_record::RowReader;
use crate::warehouse::server::identifier::quote;
use crate::warehouse::table::column::{Column, ColumnType};
use crate::warehouse::table::target::TargetTable;
use crate::warehouse::value::canonical::canonical;
use crate::warehouse::value::convert::{Input, convert};

/// SQL with placeholders, and their values; the SQL is empty if no row can be the subject's.
pub(super) struct Condition {
    pub sql: String,
    pub values: Vec<Value>,
    /// JSON columns that the subject may be in.
    pub unsearched: Vec<String>,
}

impl Condition {
    pub fn of(topic: &Topic, table: &TargetTable, reader: &mut RowReader, subjects: &[Subject]) -> Condition {
        let mut parts = Vec::new();
        let mut values = Vec::new();
        let mut unsearched = Vec::new();
        for subject in subjects.iter().filter(|subject| subject.applies_to(&topic.name)) {
            let found = match subject {
                Subject::Key { key, .. } => of_key(topic, table, reader, key),
                Subject::Field { path, value } => of_field(table, reader, path, value, &mut unsearched),
            };
            if let Some((sql, bound)) = found {
                parts.push(sql);
                values.extend(bound);
            }
        }
        Condition {
            sql: parts.join(" OR "),
            values,
            unsearched,
        }
    }
}

/// The condition for all windows of a key; None if the key's columns can't hold it.
fn of_key(
    topic: &Topic,
    table: &TargetTable,
    reader: &mut RowReader,
    key: &str,
) -> Option<(String, Vec<Value>)> {
    let key = topic.key.from_shown(key)?;
    let filled = reader.key_values(table, &key).ok()?;
    if filled.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    let mut values = Vec::new();
    for (at, value) in filled {
        let (sql, bound) = equals(&table.columns[at], value);
        parts.push(sql);
        values.extend(bound);
    }
    Some((format!("({})", parts.join(" AND ")), values))
}

fn of_field(
    table: &TargetTable,
    reader: &RowReader,
    path: &str,
    value: &str,
    unsearched: &mut Vec<String>,
) -> Option<(String, Vec<Value>)> {
    let top = path.split('.').next().unwrap_or(path);
    let column = match (reader.column(path), reader.column(top)) {
        (Some(at), _) => &table.columns[at],
        (None, Some(at)) if table.columns[at].kind == ColumnType::Json => &table.columns[at],
        _ => return None,
    };
    if column.kind == ColumnType::Json {
        unsearched.push(column.name.clone());
        return None;
    }
    // 00042 is not 42, although a column of numbers would take it for the same.
    let number = value.parse::<i128>().map(|number| number.to_string());
    if matches!(column.kind, ColumnType::Integer { .. }) && number.is_ok_and(|number| number != value) {
        return None;
    }
    // A column that can't hold the value has no row with it; MySQL's own comparison would match too much, or fail.
    if column.kind.has_spellings() && canonical(&column.kind, value).is_none() {
        return None;
    }
    let value = convert(column, &boolean_or_text(column, value))
        .ok()?
        .into_value();
    let (sql, values) = equals(column, value);
    Some((sql, values))
}

/// A column of numbers holds a boolean as a number.
fn boolean_or_text<'a>(column: &Column, value: &'a str) -> Input<'a> {
    match (&column.kind, value) {
        (ColumnType::Integer { .. } | ColumnType::Decimal { .. } | ColumnType::Float { .. }, "true") => {
            Input::Bool(true)
        }
        (ColumnType::Integer { .. } | ColumnType::Decimal { .. } | ColumnType::Float { .. }, "false") => {
            Input::Bool(false)
        }
        _ => Input::Text(value.into()),
    }
}

/// Compares text byte for byte, whatever the collation. The first half of the condition lets the server use an index, but
/// would fail if the column's character set lacks a character of the value, so it is left out there.
fn equals(column: &Column, value: Value) -> (String, Vec<Value>) {
    let name = quote(&column.name);
    match (&column.kind, value) {
        (ColumnType::Text { fixed, .. }, Value::Bytes(mut text)) => {
            if *fixed {
                // CHAR keeps no trailing blanks.
                text.truncate(text.len() - text.iter().rev().take_while(|&&byte| byte == b' ').count());
            }
            let bytes = format!("CAST(CONVERT({name} USING utf8mb4) AS BINARY) = CAST(? AS BINARY)");
            let is_ascii = text.is_ascii();
            let value = Value::Bytes(text);
            if column.has_own_characters() && !is_ascii {
                (bytes, vec![value])
            } else {
                (format!("({name} = ? AND {bytes})"), vec![value.clone(), value])
            }
        }
        (_, value) => (format!("{name} = ?"), vec![value]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: ColumnType) -> Column {
        Column::named("c`", kind)
    }

    #[test]
    fn text_compares_byte_for_byte() {
        let text = |fixed| {
            column(ColumnType::Text {
                chars_max: Some(9),
                bytes_max: 36,
                fixed,
            })
        };
        let (sql, values) = equals(&text(false), Value::Bytes(b"a ".to_vec()));
        assert_eq!(
            sql,
            "(`c``` = ? AND CAST(CONVERT(`c``` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))"
        );
        assert_eq!(values, vec![Value::Bytes(b"a ".to_vec()); 2]);
        assert_eq!(
            equals(&text(true), Value::Bytes(b"a ".to_vec())).1,
            vec![Value::Bytes(b"a".to_vec()); 2]
        );
        let column_of = |collation: &str| Column {
            collation: Some(collation.to_owned()),
            ..text(false)
        };
        let euro = || Value::Bytes("€".into());
        let indexed = |column| equals(&column, euro()).0.starts_with("(`c``` = ? AND CAST(");
        assert!(indexed(column_of("utf8mb4_general_ci")) && !indexed(column_of("latin1_bin")));
        assert_eq!(equals(&column_of("utf8mb3_bin"), euro()).1, [euro()]);
        let number = column(ColumnType::Integer { min: 0, max: 9 });
        assert_eq!(
            equals(&number, Value::Int(1)),
            ("`c``` = ?".to_owned(), vec![Value::Int(1)])
        );
    }
}
