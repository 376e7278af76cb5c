//! Trino and Hive: external tables over Parquet files. A table holds one format.

use super::{StoredType, TypedSchema, listed_fields};
use crate::readers::Comments;
use crate::readers::metastore::{
    ColumnLine, HIVE, TRINO, about_tables, hive_holds, hive_table, quoted, trino_holds, trino_table, unheld,
};

pub fn trino(schema: &TypedSchema) -> String {
    let mut comments = schema.comments("--", TRINO);
    comments.add("Replace the catalog `hive`, the schema `default` and the place by your own.");
    about(schema, &mut comments, "Trino");
    if has_micros(schema) {
        comments.add("Microseconds need the session property hive.timestamp_precision = 'MICROSECONDS'.");
    }
    let lines = columns(schema, &trino_holds, '"', &trino_type, &mut comments);
    trino_table(comments, &schema.table, lines, "PARQUET", &schema.place)
}

pub fn hive(schema: &TypedSchema) -> String {
    let mut comments = schema.comments("--", HIVE);
    comments.add("Replace the place by your own.");
    about(schema, &mut comments, "Hive");
    let lines = columns(schema, &hive_holds, '`', &hive_type, &mut comments);
    hive_table(
        comments,
        &schema.table,
        &lines,
        ("STORED AS PARQUET", ""),
        &schema.place,
    )
}

fn about(schema: &TypedSchema, comments: &mut Comments, reader: &str) {
    about_tables(&schema.place, comments);
    if schema.lines.is_some() {
        comments.add(&format!(
            "{reader} can't read this topic yet: one table can't hold Parquet files and lines of JSON."
        ));
        comments.add(&format!(
            "This makes Parquet of the lines of closed days: {}",
            schema.compact()
        ));
    }
    schema.about_older(
        comments,
        &|_, _| false,
        &format!("{reader} may refuse these files"),
    );
}

fn columns(
    schema: &TypedSchema,
    holds: &dyn Fn(&str) -> bool,
    quote: char,
    ty: &dyn Fn(&StoredType) -> String,
    comments: &mut Comments,
) -> Vec<ColumnLine> {
    let (held, others): (Vec<_>, Vec<_>) = schema.columns.iter().partition(|column| holds(&column.name));
    comments.left_out(others.iter().map(|column| unheld(&column.name)));
    held.iter()
        .map(|column| {
            (
                format!("{} {}", quoted(&column.name, quote), ty(&column.kind)),
                None,
            )
        })
        .collect()
}

fn has_micros(schema: &TypedSchema) -> bool {
    let is_micros = |kind: &StoredType| matches!(kind, StoredType::Timestamp { micros: true, .. });
    schema.columns.iter().any(|column| is_micros(&column.kind))
}

fn trino_type(kind: &StoredType) -> String {
    let plain = match kind {
        StoredType::Int => "INTEGER",
        StoredType::Text | StoredType::Json => "VARCHAR",
        StoredType::Bytes => "VARBINARY",
        StoredType::Timestamp { micros: true, .. } => "TIMESTAMP(6)",
        StoredType::Timestamp { micros: false, .. } => "TIMESTAMP(3)",
        StoredType::Struct(fields) => {
            let fields = listed_fields(fields, |name, kind| {
                format!("{} {}", quoted(name, '"'), trino_type(kind))
            });
            return format!("ROW({fields})");
        }
        StoredType::List(of) => return format!("ARRAY({})", trino_type(of)),
        StoredType::Map(of) => return format!("MAP(VARCHAR, {})", trino_type(of)),
        other => return both(other),
    };
    plain.to_owned()
}

fn hive_type(kind: &StoredType) -> String {
    let plain = match kind {
        StoredType::Int => "INT",
        StoredType::Text | StoredType::Json => "STRING",
        StoredType::Bytes => "BINARY",
        StoredType::Timestamp { .. } => "TIMESTAMP",
        StoredType::Struct(fields) => {
            let fields = listed_fields(fields, |name, kind| {
                format!("{}: {}", quoted(name, '`'), hive_type(kind))
            });
            return format!("STRUCT<{fields}>");
        }
        StoredType::List(of) => return format!("ARRAY<{}>", hive_type(of)),
        StoredType::Map(of) => return format!("MAP<STRING, {}>", hive_type(of)),
        other => return both(other),
    };
    plain.to_owned()
}

/// Types that both have under the same name.
fn both(kind: &StoredType) -> String {
    match kind {
        StoredType::Decimal { precision, scale } => format!("DECIMAL({precision}, {scale})"),
        other => other.to_string(),
    }
}
