//! Spark: a read in Python, with a schema; of lines, too, with the same types.

use super::{LineValues, StoredType, TypedSchema, expressions, listed_fields};
use crate::readers::python;
use crate::readers::schema::{DAY, Schema, SchemaField};
use crate::readers::spark::{is_hidden, literally, real_path};

pub fn statement(schema: &TypedSchema) -> String {
    let mut comments = schema.comments("#", "Spark");
    schema.about_older(&mut comments, &widens, "Spark refuses these files");
    let mut out = comments.text;
    let imports = "from pyspark.sql import SparkSession";
    if let Some(current) = &schema.place.current {
        if is_hidden(&schema.topic) {
            out.push_str("import os\nimport re\n\n");
        }
        out.push_str(&format!(
            "{imports}\n\nspark = SparkSession.builder.getOrCreate()\n"
        ));
        let path = if is_hidden(&schema.topic) {
            out.push_str(&real_path(current));
            "path".to_owned()
        } else {
            python(&literally(current))
        };
        out.push_str(&format!("df = spark.read.parquet({path})\n"));
        return out;
    }
    let functions = if schema.lines.is_some() {
        "from pyspark.sql.functions import expr\n"
    } else {
        ""
    };
    out.push_str(&format!(
        "{imports}\n{functions}from pyspark.sql.types import *\n\nspark = SparkSession.builder.getOrCreate()\n"
    ));
    let path = python(&literally(&schema.place.folder));
    let columns = schema
        .columns
        .iter()
        .map(|column| (column.name.as_str(), ty(&column.kind)));
    out.push_str(&format!(
        "schema = {}df = spark.read.schema(schema).option(\"pathGlobFilter\", \"*.parquet\").parquet({path})\n",
        struct_type(columns)
    ));
    if let Some(lines) = &schema.lines {
        out.push_str(&lines_too(schema, lines, &path));
    }
    out
}

fn struct_type<'c>(columns: impl Iterator<Item = (&'c str, String)>) -> String {
    let mut fields = String::new();
    for (name, ty) in columns.chain(DAY.map(|name| (name, "StringType()".to_owned()))) {
        fields.push_str(&format!("    StructField({}, {ty}),\n", python(name)));
    }
    format!("StructType([\n{fields}])\n")
}

fn lines_too(schema: &TypedSchema, lines: &Schema, path: &str) -> String {
    let fields = schema.line_fields(&lines.columns);
    let read = fields
        .iter()
        .map(|(column, field)| (field.column.name.as_str(), read_type(&column.kind, field)));
    let read = struct_type(read);
    let mut selected = String::new();
    for (name, parts) in expressions(&fields, converted) {
        let expression = match &parts[..] {
            [one] => one.clone(),
            several => format!("coalesce({})", several.join(", ")),
        };
        selected.push_str(&format!(
            "    expr({}).alias({}),\n",
            python(&expression),
            python(name)
        ));
    }
    let case = if lines.has_case_variants() {
        "spark.conf.set(\"spark.sql.caseSensitive\", \"true\")  # some names of fields differ in case alone\n"
    } else {
        ""
    };
    format!(
        "{case}lines_schema = {read}\
         # Without FAILFAST a value that does not fit its type becomes NULL, silently.\n\
         lines = spark.read.schema(lines_schema).option(\"mode\", \"FAILFAST\").option(\"pathGlobFilter\", \"*.json*\").json({path})\n\
         lines = lines.select(\n{selected}    {},\n)\n\
         df = df.unionByName(lines, allowMissingColumns=True)\n",
        DAY.map(python).join(", "),
    )
}

/// Whether Spark 4 reads the one type of a file as the other.
fn widens(from: &StoredType, to: &StoredType) -> bool {
    use StoredType::{Bigint, Decimal, Int};
    matches!(
        (from, to),
        (Int, Bigint)
            | (
                Int | Bigint,
                Decimal {
                    precision: 38,
                    scale: 0
                }
            )
    )
}

/// The type with which a field of lines is read. Spark makes decimals of any number, exactly.
fn read_type(kind: &StoredType, field: &SchemaField) -> String {
    let read = match (kind, LineValues::of(field)) {
        (StoredType::Text | StoredType::Json | StoredType::Bytes, _) => "StringType()",
        (StoredType::Int | StoredType::Bigint, LineValues::Numbers { .. }) => "DecimalType(38, 0)",
        (StoredType::Date | StoredType::Timestamp { .. }, LineValues::Others) => "StringType()",
        (StoredType::Int | StoredType::Bigint | StoredType::Date | StoredType::Timestamp { .. }, _) => {
            "LongType()"
        }
        _ => return ty(kind),
    };
    read.to_owned()
}

/// The field as its column has it, in SQL.
fn converted(kind: &StoredType, field: &SchemaField) -> String {
    let name = quoted(&field.column.name);
    let is_number = LineValues::of(field) != LineValues::Others;
    match kind {
        StoredType::Int => format!("CAST({name} AS INT)"),
        StoredType::Bigint => format!("CAST({name} AS BIGINT)"),
        StoredType::Bytes => format!("unbase64({name})"),
        StoredType::Date if is_number => format!("date_from_unix_date(CAST({name} AS INT))"),
        StoredType::Date => format!("CAST({name} AS DATE)"),
        StoredType::Timestamp { micros, utc } => {
            let from_number = if *micros {
                "timestamp_micros"
            } else {
                "timestamp_millis"
            };
            match (is_number, utc) {
                (true, true) => format!("{from_number}({name})"),
                (true, false) => format!(
                    "CAST(to_utc_timestamp({from_number}({name}), current_timezone()) AS TIMESTAMP_NTZ)"
                ),
                (false, true) => format!("CAST({name} AS TIMESTAMP)"),
                (false, false) => format!("CAST({name} AS TIMESTAMP_NTZ)"),
            }
        }
        _ => name,
    }
}

fn ty(kind: &StoredType) -> String {
    let plain = match kind {
        StoredType::Boolean => "BooleanType()",
        StoredType::Int => "IntegerType()",
        StoredType::Bigint => "LongType()",
        StoredType::Decimal { precision, scale } => return format!("DecimalType({precision}, {scale})"),
        StoredType::Double => "DoubleType()",
        StoredType::Text | StoredType::Json => "StringType()",
        StoredType::Bytes => "BinaryType()",
        StoredType::Date => "DateType()",
        StoredType::Timestamp { utc: true, .. } => "TimestampType()",
        StoredType::Timestamp { utc: false, .. } => "TimestampNTZType()",
        StoredType::Struct(fields) => {
            let fields = listed_fields(fields, |name, kind| {
                format!("StructField({}, {})", python(name), ty(kind))
            });
            return format!("StructType([{fields}])");
        }
        StoredType::List(of) => return format!("ArrayType({})", ty(of)),
        StoredType::Map(of) => return format!("MapType(StringType(), {})", ty(of)),
    };
    plain.to_owned()
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
