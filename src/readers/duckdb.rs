//! DuckDB: a SELECT from read_json.

use super::schema::{DAY, Schema, SchemaField};
use super::{Comments, ROUNDED};
use crate::types::column::Type;

/// Topics with lines of at least this length get a maximum_object_size: earlier versions read only twice that without it.
const LONG: usize = 8 << 20;

pub fn statement(schema: &Schema) -> String {
    let (fields, left_out) = schema.one_of_each_case();
    // read_json has no syntax for a column without a name.
    let (fields, nameless): (Vec<&SchemaField>, Vec<&SchemaField>) = fields
        .into_iter()
        .partition(|field| !field.column.name.is_empty());
    let mut comments = Comments::new("--", schema, "DuckDB");
    comments.left_out(
        left_out
            .into_iter()
            .chain(nameless.iter().map(|_| "\"\", which has no name".to_owned())),
    );
    let mut out = comments.text;
    out.push_str("SELECT *\nFROM read_json(\n");
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
    for (i, field) in fields.iter().enumerate() {
        let (ty, remark) = ty(field);
        let comma = if i + 1 < fields.len() { "," } else { "" };
        let remark = remark.map_or_else(String::new, |remark| format!(" -- {remark}"));
        out.push_str(&format!(
            "        {}: '{ty}'{comma}{remark}\n",
            text(&field.column.name)
        ));
    }
    out.push_str("    });\n");
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

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
