//! Trino and Hive: external tables over the topic's folder, in a Hive metastore.

use super::schema::{DAY, FilesLocation, Schema, SchemaField};
use super::{Comments, ROUNDED};
use crate::types::column::Type;

pub(super) const TRINO: &str = "Trino's Hive connector";
pub(super) const HIVE: &str = "Hive 4";

/// A column with its type, and a remark on it.
pub(super) type ColumnLine = (String, Option<String>);

pub fn trino(schema: &Schema) -> String {
    let mut comments = Comments::new("--", &schema.topic, schema.kind, TRINO, &schema.head);
    comments.add("Replace the catalog `hive`, the schema `default` and the place by your own.");
    comments.add("OPENX_JSON, because JSON refuses objects and arrays in VARCHAR columns.");
    about_tables(&schema.place, &mut comments);
    let (fields, left_out) = columns(schema, &trino_holds);
    comments.left_out(left_out);
    let lines = fields
        .iter()
        .map(|field| {
            (
                format!("{} {}", quoted(&field.column.name, '"'), trino_type(field.ty)),
                field.remark.clone(),
            )
        })
        .collect();
    trino_table(comments, &schema.table, lines, "OPENX_JSON", &schema.place)
}

/// The statement of an external table in Trino.
pub(super) fn trino_table(
    comments: Comments,
    table: &str,
    mut lines: Vec<ColumnLine>,
    format: &str,
    place: &FilesLocation,
) -> String {
    lines.extend(DAY.map(|name| (format!("\"{name}\" VARCHAR"), None)));
    format!(
        "{}CREATE TABLE hive.default.\"{table}\" (\n{})\nWITH (\n    external_location = '{}',\n    format = '{format}',\n    \
         partitioned_by = ARRAY['year', 'month', 'day']\n);\n\
         -- And again whenever there are new days:\n\
         CALL hive.system.sync_partition_metadata('default', '{table}', 'FULL');\n",
        comments.text,
        listed(&lines),
        url(place).replace('\'', "''"),
    )
}

pub fn hive(schema: &Schema) -> String {
    let mut comments = Comments::new("--", &schema.topic, schema.kind, HIVE, &schema.head);
    comments.add("Replace the place by your own.");
    if schema.place.has_zstd() {
        comments.add(
            "There are .json.zst files: Hive needs Hadoop's native libraries for them, and none for gzip.",
        );
    }
    about_tables(&schema.place, &mut comments);
    let (fields, left_out) = columns(schema, &hive_holds);
    comments.left_out(left_out);
    let line = |field: &SchemaField| {
        let (ty, remark) = hive_type(field);
        (format!("{} {ty}", quoted(&field.column.name, '`')), remark)
    };
    let lines: Vec<_> = fields.iter().map(line).collect();
    let format = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.JsonSerDe'\nSTORED AS TEXTFILE";
    let properties = "\nTBLPROPERTIES ('json.stringify.complex.fields' = 'true')";
    hive_table(
        comments,
        &schema.table,
        &lines,
        (format, properties),
        &schema.place,
    )
}

/// The statement of an external table in Hive.
pub(super) fn hive_table(
    comments: Comments,
    table: &str,
    lines: &[ColumnLine],
    (format, properties): (&str, &str),
    place: &FilesLocation,
) -> String {
    let days = DAY.map(|name| format!("`{name}` STRING")).join(", ");
    format!(
        "{}CREATE EXTERNAL TABLE `{table}` (\n{})\nPARTITIONED BY ({days})\n{format}\nLOCATION '{}'{properties};\n\
         -- And again whenever there are new days:\n\
         MSCK REPAIR TABLE `{table}` SYNC PARTITIONS;\n",
        comments.text,
        listed(lines),
        url(place).replace('\\', "\\\\").replace('\'', "\\'"),
    )
}

pub(super) fn about_tables(place: &FilesLocation, comments: &mut Comments) {
    if place.current.is_some() {
        comments.add(
            "The table's snapshot lies in the folder of one day, and moves to another one: sync the partitions after each \
             run of lakectl. With lake.history there are several, and the newest day counts.",
        );
    }
}

/// The columns, and those whose names the metastore can't hold.
fn columns(schema: &Schema, holds: &dyn Fn(&str) -> bool) -> (Vec<SchemaField>, Vec<String>) {
    let (fields, others): (Vec<SchemaField>, Vec<SchemaField>) = schema
        .merged_by_case()
        .into_iter()
        .partition(|field| holds(&field.column.name));
    let told = |field: SchemaField| unheld(&field.column.name);
    (fields, others.into_iter().map(told).collect())
}

/// Whether a column of Trino's Hive connector can have this name.
pub(super) fn trino_holds(name: &str) -> bool {
    !name.is_empty() && !name.contains(',') && name.trim() == name
}

/// Whether a column of Hive can have this name.
pub(super) fn hive_holds(name: &str) -> bool {
    trino_holds(name) && !name.contains(['.', ':'])
}

pub(super) fn unheld(name: &str) -> String {
    format!("{name:?}, a name that the metastore can't hold")
}

fn listed(lines: &[ColumnLine]) -> String {
    let mut out = String::new();
    for (i, (line, remark)) in lines.iter().enumerate() {
        let comma = if i + 1 < lines.len() { "," } else { "" };
        let remark = remark
            .as_ref()
            .map_or_else(String::new, |remark| format!(" -- {remark}"));
        out.push_str(&format!("    {line}{comma}{remark}\n"));
    }
    out
}

fn trino_type(ty: Type) -> String {
    match ty {
        Type::Integer => "BIGINT".to_owned(),
        Type::LargeInteger => "DECIMAL(38, 0)".to_owned(),
        Type::Decimal { precision, scale, .. } => format!("DECIMAL({precision}, {scale})"),
        Type::Double => "DOUBLE".to_owned(),
        Type::Boolean => "BOOLEAN".to_owned(),
        Type::Digits | Type::Text | Type::Nested | Type::Mixed => "VARCHAR".to_owned(),
    }
}

/// Hive's reader turns numbers with a point into doubles.
fn hive_type(field: &SchemaField) -> (String, Option<String>) {
    let remark = field.remark.clone();
    match field.ty {
        Type::Decimal {
            survives_double: false,
            ..
        } => (
            "DOUBLE".to_owned(),
            remark.map(|remark| format!("{remark}: {ROUNDED}")),
        ),
        Type::Digits | Type::Text | Type::Nested | Type::Mixed => ("STRING".to_owned(), remark),
        ty => (trino_type(ty), remark),
    }
}

/// Metastores hold names in lower case only.
pub(super) fn quoted(name: &str, quote: char) -> String {
    let doubled = name.to_lowercase().replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}

fn url(place: &FilesLocation) -> String {
    format!("file://{}", place.folder)
}
