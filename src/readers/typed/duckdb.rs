//! DuckDB: a SELECT from read_parquet, and from read_json with the same types.

use super::{LineValues, StoredType, TypedSchema, casts, json_columns, listed_fields};
use crate::readers::Comments;
use crate::readers::duckdb::{fields, literally, read_json, text};
use crate::readers::schema::{DAY, Schema, SchemaField};

pub fn statement(schema: &TypedSchema) -> String {
    let mut comments = schema.comments("--", "DuckDB");
    schema.about_older(
        &mut comments,
        &casts,
        "DuckDB's cast is not what a compaction makes of it",
    );
    if let Some(current) = &schema.place.current {
        return format!(
            "{}SELECT *\nFROM read_parquet({});\n",
            comments.text,
            text(&literally(current))
        );
    }
    comments.left_out(
        schema
            .columns
            .iter()
            .filter(|column| column.name.is_empty())
            .map(|_| "\"\", which has no name".to_owned()),
    );
    let mut out = read_parquet(schema);
    if let Some(lines) = &schema.lines {
        out.push_str(&lines_too(schema, lines, &mut comments));
    }
    format!("{}{out};\n", comments.text)
}

/// `schema` gives files of all versions the same types, by an exact cast, where `union_by_name` would round decimals.
fn read_parquet(schema: &TypedSchema) -> String {
    let path = path_column(schema);
    let mut days = String::new();
    for (below, name) in DAY.iter().enumerate() {
        let below = "/[^/]+".repeat(DAY.len() - below);
        days.push_str(&format!(
            ",\n    nullif(regexp_extract({path}, '/{name}=([^/]+){below}$', 1), '__HIVE_DEFAULT_PARTITION__') AS {name}",
        ));
    }
    let columns: Vec<String> = schema
        .columns
        .iter()
        .filter(|column| !column.name.is_empty())
        .map(|column| {
            let name = text(&column.name);
            let ty = text(&ty(&column.kind));
            format!("        {name}: {{name: {name}, type: {ty}, default_value: NULL}}")
        })
        .collect();
    let glob = text(&format!(
        "{}/year=*/month=*/day=*/*.parquet",
        literally(&schema.place.folder)
    ));
    format!(
        "SELECT * EXCLUDE ({path}){days}\nFROM read_parquet(\n    [{glob}],\n    filename = {},\n    hive_partitioning = false,\n    \
         schema = MAP {{\n{}\n    }})",
        text(&path),
        columns.join(",\n"),
    )
}

/// A column name that no field has.
fn path_column(schema: &TypedSchema) -> String {
    let mut name = "path_".to_owned();
    let is_taken = |name: &str| {
        let fields = schema.lines.iter().flat_map(|lines| &lines.columns);
        let mut names = schema
            .columns
            .iter()
            .map(|column| &column.name)
            .chain(fields.map(|field| &field.column.name));
        names.any(|other| other.eq_ignore_ascii_case(name))
    };
    while is_taken(&name) {
        name.push('_');
    }
    name
}

fn lines_too(schema: &TypedSchema, lines: &Schema, comments: &mut Comments) -> String {
    let fields = schema.line_fields(fields(lines, comments));
    let converted: Vec<String> = fields
        .iter()
        .map(|(column, field)| {
            let from = quoted(&field.column.name);
            let to = converted(&column.kind, field, &from);
            match to == quoted(&column.name) {
                true => to,
                false => format!("{to} AS {}", quoted(&column.name)),
            }
        })
        .chain(DAY.map(str::to_owned))
        .collect();
    format!(
        "\nUNION ALL BY NAME\nSELECT\n    {}\n{}",
        converted.join(",\n    "),
        read_json(lines, &json_columns(&fields, read_type))
    )
}

/// The type with which a field of lines is read.
fn read_type(kind: &StoredType, field: &SchemaField) -> String {
    let read = match (kind, LineValues::of(field)) {
        (StoredType::Text | StoredType::Bytes, _) => "VARCHAR",
        (StoredType::Json, _) => "JSON",
        (StoredType::Boolean | StoredType::Double, _) => return ty(kind),
        (StoredType::Struct(_) | StoredType::List(_) | StoredType::Map(_), _) => return ty(kind),
        (_, LineValues::Integers) => "BIGINT",
        (_, LineValues::LargeIntegers) => "HUGEINT",
        (_, LineValues::Numbers { .. }) => "DOUBLE",
        (_, LineValues::Others) => "VARCHAR",
    };
    read.to_owned()
}

/// The field as its column has it. A double's own text is exact where the double is.
fn converted(kind: &StoredType, field: &SchemaField, name: &str) -> String {
    let ty = ty(kind);
    let values = LineValues::of(field);
    let is_number = values != LineValues::Others;
    match kind {
        StoredType::Bigint if values == LineValues::Integers => name.to_owned(),
        StoredType::Int | StoredType::Bigint => format!("CAST({name} AS {ty})"),
        StoredType::Decimal { .. } if matches!(values, LineValues::Numbers { .. }) => {
            format!("CAST(CAST({name} AS VARCHAR) AS {ty})")
        }
        StoredType::Decimal { .. } => format!("CAST({name} AS {ty})"),
        StoredType::Json => format!("CAST({name} AS VARCHAR)"),
        StoredType::Bytes => format!("from_base64({name})"),
        StoredType::Date if is_number => format!("DATE '1970-01-01' + CAST({name} AS INTEGER)"),
        StoredType::Timestamp { micros, utc } if is_number => {
            let make = if *utc {
                "make_timestamptz"
            } else {
                "make_timestamp"
            };
            let factor = if *micros { "" } else { " * 1000" };
            format!("{make}({name}{factor})")
        }
        StoredType::Date | StoredType::Timestamp { .. } => format!("CAST({name} AS {ty})"),
        _ => name.to_owned(),
    }
}

fn ty(kind: &StoredType) -> String {
    let plain = match kind {
        StoredType::Boolean => "BOOLEAN",
        StoredType::Int => "INTEGER",
        StoredType::Bigint => "BIGINT",
        StoredType::Decimal { precision, scale } => return format!("DECIMAL({precision}, {scale})"),
        StoredType::Double => "DOUBLE",
        StoredType::Text | StoredType::Json => "VARCHAR",
        StoredType::Bytes => "BLOB",
        StoredType::Date => "DATE",
        StoredType::Timestamp { utc: true, .. } => "TIMESTAMP WITH TIME ZONE",
        StoredType::Timestamp { utc: false, .. } => "TIMESTAMP",
        StoredType::Struct(fields) => {
            let fields = listed_fields(fields, |name, kind| format!("{} {}", quoted(name), ty(kind)));
            return format!("STRUCT({fields})");
        }
        StoredType::List(of) => return format!("{}[]", ty(of)),
        StoredType::Map(of) => return format!("MAP(VARCHAR, {})", ty(of)),
    };
    plain.to_owned()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
