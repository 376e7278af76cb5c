//! DuckDB: a SELECT from read_json.

use super::schema::{DAY, Schema, SchemaField};
use super::{Comments, JsonColumn, ROUNDED};
use crate::types::column::Type;

/// Topics with lines of at least this length get a maximum_object_size: earlier versions read only twice that without it.
const LONG: usize = 8 << 20;

pub fn statement(schema: &Schema) -> String {
    let mut comments = Comments::new("--", &schema.topic, schema.kind, "DuckDB", &schema.head);
    let fields = fields(schema, &mut comments);
    let columns: Vec<JsonColumn<'_>> = fields
        .into_iter()
        .map(|field| {
            let (ty, remark) = ty(field);
            (field.column.name.as_str(), ty, remark)
        })
        .collect();
    format!("{}SELECT *\n{};\n", comments.text, read_json(schema, &columns))
}

/// The fields that DuckDB can name.
pub(super) fn fields<'s>(schema: &'s Schema, comments: &mut Comments) -> Vec<&'s SchemaField> {
    let (fields, left_out) = schema.one_of_each_case();
    // read_json has no syntax for a column without a name.
    let (fields, nameless): (Vec<&SchemaField>, Vec<&SchemaField>) = fields
        .into_iter()
        .partition(|field| !field.column.name.is_empty());
    comments.left_out(
        left_out
            .into_iter()
            .chain(nameless.iter().map(|_| "\"\", which has no name".to_owned())),
    );
    fields
}

pub(super) fn read_json(schema: &Schema, columns: &[JsonColumn<'_>]) -> String {
    let mut out = String::from("FROM read_json(\n");
    out.push_str(&format!("    [{}],\n", paths(schema).join(", ")));
    out.push_str("    format = 'newline_delimited',\n    records = true,\n");
    if schema.longest > LONG {
        out.push_str(&format!("    maximum_object_size = {},\n", schema.longest * 2));
    }
    if schema.place.current.is_none() {
        let types = DAY.map(|name| format!("'{name}': 'VARCHAR'")).join(", ");
        out.push_str(&format!(
            "    hive_partitioning = true,\n    hive_types = {{{types}}},\n"
        ));
    }
    out.push_str("    columns = {\n");
    for (i, (name, ty, remark)) in columns.iter().enumerate() {
        let comma = if i + 1 < columns.len() { "," } else { "" };
        let remark = remark
            .as_ref()
            .map_or_else(String::new, |remark| format!(" -- {remark}"));
        out.push_str(&format!("        {}: {}{comma}{remark}\n", text(name), text(ty)));
    }
    out.push_str("    })");
    out
}

fn ty(field: &SchemaField) -> (String, Option<String>) {
    let remark = field.remark.clone();
    let ty = match field.ty {
        Type::Integer => "BIGINT",
        Type::LargeInteger => "HUGEINT",
        Type::Decimal {
            precision,
            scale,
            survives_double: true,
        } => {
            return (format!("DECIMAL({precision}, {scale})"), remark);
        }
        Type::Decimal { .. } => {
            return (
                "DOUBLE".to_owned(),
                remark.map(|remark| format!("{remark}: {ROUNDED}")),
            );
        }
        Type::Double => "DOUBLE",
        Type::Boolean => "BOOLEAN",
        Type::Digits | Type::Text => "VARCHAR",
        Type::Nested | Type::Mixed => "JSON",
    };
    (ty.to_owned(), remark)
}

fn paths(schema: &Schema) -> Vec<String> {
    match &schema.place.current {
        Some(link) => vec![text(&literally(link))],
        None => {
            let folder = literally(&schema.place.folder);
            let glob = |extension: &&str| text(&format!("{folder}/year=*/month=*/day=*/*{extension}"));
            schema.place.extensions.iter().map(glob).collect()
        }
    }
}

/// The path with glob characters escaped, so that it matches only itself.
pub(super) fn literally(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '*' | '?' | '[' => out.extend(['[', c, ']']),
            _ => out.push(c),
        }
    }
    out
}

pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
