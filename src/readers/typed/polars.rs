//! Polars: a lazy frame over scan_parquet, and over scan_ndjson with the same types.

use super::{LineValues, StoredType, TypedSchema, casts, expressions, json_columns, listed_fields};
use crate::readers::duckdb::literally;
use crate::readers::polars::{about_digits, scan_ndjson};
use crate::readers::python;
use crate::readers::schema::{DAY, Schema, SchemaField};

pub fn statement(schema: &TypedSchema) -> String {
    let mut comments = schema.comments("#", "Polars");
    schema.about_older(
        &mut comments,
        &casts,
        "Polars's cast is not what a compaction makes of it",
    );
    if let Some(lines) = &schema.lines {
        about_digits(lines, &mut comments);
    }
    let mut out = comments.text;
    if let Some(current) = &schema.place.current {
        out.push_str(&format!(
            "import polars as pl\n\ndf = pl.scan_parquet({}, glob=False)\n",
            python(current)
        ));
        return out;
    }
    out.push_str(&scan_parquet(schema));
    if let Some(lines) = &schema.lines {
        out.push_str(&lines_too(schema, lines));
    }
    out
}

fn scan_parquet(schema: &TypedSchema) -> String {
    let types: Vec<String> = schema
        .columns
        .iter()
        .map(|column| format!("    {}: {},\n", python(&column.name), ty(&column.kind)))
        .collect();
    let days: Vec<String> = DAY.iter().map(|name| format!("\"{name}\": pl.String")).collect();
    let types = format!(
        "types = {{\n{}}}\ndays = {{{}}}\n",
        types.concat(),
        days.join(", ")
    );
    let scan = "missing_columns=\"insert\", extra_columns=\"ignore\", hive_schema=days";
    let glob = format!(
        "{}/year=*/month=*/day=*/*.parquet",
        literally(&schema.place.folder)
    );
    if schema.columns.iter().all(|column| column.older.is_empty()) {
        return format!(
            "import polars as pl\n\n{types}df = pl.scan_parquet([{}], schema=types, {scan})\n",
            python(&glob)
        );
    }
    format!(
        "import glob\n\nimport polars as pl\n\n{types}\
         # Polars reads no files together whose types differ: each kind is read with its own types, and then cast.\n\
         kinds = {{}}\n\
         for path in sorted(glob.glob({})):\n    \
             held = pl.read_parquet_schema(path)\n    \
             kinds.setdefault(str(held), (held, []))[1].append(path)\n\
         parts = []\n\
         for held, paths in kinds.values():\n    \
             held = {{name: held.get(name, kind) for name, kind in types.items()}}\n    \
             part = pl.scan_parquet(paths, schema=held, {scan})\n    \
             parts.append(part.with_columns(pl.col(name).cast(kind) for name, kind in types.items()))\n\
         df = pl.concat(parts)\n",
        python(&glob)
    )
}

fn lines_too(schema: &TypedSchema, lines: &Schema) -> String {
    // Of fields that differ only in case, Polars can have one column as well: that of the first spelling.
    let fields = schema.line_fields(&lines.columns);
    let selected: Vec<String> = expressions(&fields, converted)
        .iter()
        .map(|(name, parts)| match &parts[..] {
            [one] => format!("    {one}.alias({}),\n", python(name)),
            several => format!(
                "    pl.coalesce({}).alias({}),\n",
                several.join(", "),
                python(name)
            ),
        })
        .collect();
    format!(
        "{}lines = lines.select(\n{}    *days,\n)\ndf = pl.concat([df, lines], how=\"diagonal\")\n",
        scan_ndjson(lines, "lines", &json_columns(&fields, read_type), &[]),
        selected.concat()
    )
}

/// The type with which a field of lines is read.
fn read_type(kind: &StoredType, field: &SchemaField) -> String {
    let read = match (kind, LineValues::of(field)) {
        (StoredType::Text | StoredType::Json | StoredType::Bytes | StoredType::Map(_), _) => "pl.String",
        (StoredType::Boolean | StoredType::Double, _) => return ty(kind),
        (StoredType::Struct(_) | StoredType::List(_), _) => return ty(kind),
        (_, LineValues::Integers) => "pl.Int64",
        (_, LineValues::LargeIntegers) => "pl.Int128",
        (_, LineValues::Numbers { exponents: true }) => "pl.Float64",
        (_, LineValues::Numbers { exponents: false } | LineValues::Others) => "pl.String",
    };
    read.to_owned()
}

/// The field as its column has it.
fn converted(kind: &StoredType, field: &SchemaField) -> String {
    let from = format!("pl.col({})", python(&field.column.name));
    let ty = ty(kind);
    let is_number = LineValues::of(field) != LineValues::Others;
    match kind {
        StoredType::Bytes => format!("{from}.str.decode(\"base64\")"),
        StoredType::Date if is_number => format!("{from}.cast(pl.Int32).cast(pl.Date)"),
        StoredType::Date => format!("{from}.str.to_date(\"%Y-%m-%d\")"),
        StoredType::Timestamp { micros, utc } if !is_number => {
            let unit = if *micros { "us" } else { "ms" };
            match utc {
                true => format!(
                    "{from}.str.to_datetime(\"%Y-%m-%dT%H:%M:%S%.fZ\", time_unit=\"{unit}\").dt.replace_time_zone(\"UTC\")"
                ),
                false => format!("{from}.str.to_datetime(\"%Y-%m-%dT%H:%M:%S%.f\", time_unit=\"{unit}\")"),
            }
        }
        StoredType::Int | StoredType::Bigint | StoredType::Decimal { .. } | StoredType::Timestamp { .. } => {
            format!("{from}.cast({ty})")
        }
        StoredType::Map(_) => format!("{from}.str.json_decode({ty})"),
        _ => from,
    }
}

fn ty(kind: &StoredType) -> String {
    let plain = match kind {
        StoredType::Boolean => "pl.Boolean",
        StoredType::Int => "pl.Int32",
        StoredType::Bigint => "pl.Int64",
        StoredType::Decimal { precision, scale } => return format!("pl.Decimal({precision}, {scale})"),
        StoredType::Double => "pl.Float64",
        StoredType::Text | StoredType::Json => "pl.String",
        StoredType::Bytes => "pl.Binary",
        StoredType::Date => "pl.Date",
        StoredType::Timestamp { micros, utc } => {
            let unit = if *micros { "us" } else { "ms" };
            let zone = if *utc { ", \"UTC\"" } else { "" };
            return format!("pl.Datetime(\"{unit}\"{zone})");
        }
        StoredType::Struct(fields) => {
            let fields = listed_fields(fields, |name, kind| format!("{}: {}", python(name), ty(kind)));
            return format!("pl.Struct({{{fields}}})");
        }
        StoredType::List(of) => return format!("pl.List({})", ty(of)),
        StoredType::Map(of) => {
            return format!(
                "pl.List(pl.Struct({{\"key\": pl.String, \"value\": {}}}))",
                ty(of)
            );
        }
    };
    plain.to_owned()
}
