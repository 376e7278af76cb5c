//! Polars: a lazy frame over scan_ndjson.

use super::duckdb::literally;
use super::schema::{DAY, Schema, SchemaField};
use super::{Comments, JsonColumn, ROUNDED, python};
use crate::types::column::Type;

pub fn statement(schema: &Schema) -> String {
    let mut comments = Comments::new("#", &schema.topic, schema.kind, "Polars", &schema.head);
    about_digits(schema, &mut comments);
    let mut out = comments.text;
    out.push_str("import polars as pl\n\n");
    let columns: Vec<JsonColumn<'_>> = schema
        .columns
        .iter()
        .map(|field| {
            let (ty, remark) = ty(field);
            (field.column.name.as_str(), ty.to_owned(), remark)
        })
        .collect();
    let decimals: Vec<String> = schema.columns.iter().filter_map(decimal).collect();
    out.push_str(&scan_ndjson(schema, "df", &columns, &decimals));
    out
}

pub(super) fn about_digits(schema: &Schema, comments: &mut Comments) {
    if schema.columns.iter().any(|field| field.ty == Type::Digits) {
        comments
            .add("Polars reads no line that has a number of more than 38 digits, and such lines were seen.");
    }
}

/// Sets `frame` to the lines, with their days.
pub(super) fn scan_ndjson(
    schema: &Schema,
    frame: &str,
    columns: &[JsonColumn<'_>],
    converted: &[String],
) -> String {
    let is_stream = schema.place.current.is_none();
    let mut out = format!("{frame} = pl.scan_ndjson(\n");
    out.push_str(&format!("    [{}],\n    schema={{\n", paths(schema).join(", ")));
    for (name, ty, remark) in columns {
        let remark = remark
            .as_ref()
            .map_or_else(String::new, |remark| format!("  # {remark}"));
        out.push_str(&format!("        {}: {ty},{remark}\n", python(name)));
    }
    out.push_str("    },\n");
    let path = path_column(schema);
    if is_stream {
        out.push_str(&format!("    include_file_paths={},\n", python(&path)));
    }
    out.push_str(")\n");
    if !converted.is_empty() {
        out.push_str(&format!(
            "{frame} = {frame}.with_columns(\n{})\n",
            converted.concat()
        ));
    }
    if is_stream {
        out.push_str(&format!(
            "{frame} = {frame}.with_columns(\n{}).drop({})\n",
            days(&path),
            python(&path)
        ));
    }
    out
}

fn ty(field: &SchemaField) -> (&'static str, Option<String>) {
    let remark = field.remark.clone();
    let ty = match field.ty {
        Type::Integer => "pl.Int64",
        Type::LargeInteger => "pl.Int128",
        Type::Decimal {
            survives_double: false,
            ..
        } => {
            return ("pl.Float64", remark.map(|remark| format!("{remark}: {ROUNDED}")));
        }
        Type::Double => "pl.Float64",
        Type::Boolean => "pl.Boolean",
        Type::Digits | Type::Decimal { .. } | Type::Text | Type::Nested | Type::Mixed => "pl.String",
    };
    (ty, remark)
}

/// Polars reads decimals only from text, so they are read as text and cast.
fn decimal(field: &SchemaField) -> Option<String> {
    match field.ty {
        Type::Decimal {
            precision,
            scale,
            survives_double: true,
        } => Some(format!(
            "    pl.col({}).cast(pl.Decimal({precision}, {scale})),\n",
            python(&field.column.name)
        )),
        _ => None,
    }
}

fn paths(schema: &Schema) -> Vec<String> {
    match &schema.place.current {
        Some(link) => vec![python(&literally(link))],
        None => {
            let folder = literally(&schema.place.folder);
            let glob = |extension: &&str| python(&format!("{folder}/year=*/month=*/day=*/*{extension}"));
            schema.place.extensions.iter().map(glob).collect()
        }
    }
}

/// The day folders as columns, taken from the end of the path: folders above the lake may have such names, too.
fn days(path: &str) -> String {
    let mut out = String::new();
    for (depth, name) in (1..=DAY.len()).rev().zip(DAY) {
        let below = "/[^/]+".repeat(depth);
        out.push_str(&format!(
            "    pl.col({}).str.extract(\"/{name}=([^/]+){below}$\", 1).replace(\"__HIVE_DEFAULT_PARTITION__\", None).alias(\"{name}\"),\n",
            python(path)
        ));
    }
    out
}

/// A column name that no field has.
fn path_column(schema: &Schema) -> String {
    let mut name = "_path".to_owned();
    while schema.columns.iter().any(|field| field.column.name == name) {
        name.insert(0, '_');
    }
    name
}
