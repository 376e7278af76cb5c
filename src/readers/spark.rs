//! Spark: a read in Python, with a schema.

use std::collections::BTreeSet;

use super::schema::{DAY, Schema};
use super::{Comments, python};
use crate::types::column::Type;

pub fn statement(schema: &Schema) -> String {
    let mut comments = Comments::new("#", &schema.topic, schema.kind, "Spark", &schema.head);
    if schema.place.has_zstd() {
        comments.add(
            "There are .json.zst files: Spark 4.3 reads them, earlier ones only with Hadoop's native libraries. \
             lake.compression = \"gzip\" suits every Spark.",
        );
    }
    let is_stream = schema.place.current.is_none();
    let mut used = BTreeSet::from(["StructField", "StructType"]);
    let mut fields = String::new();
    for field in &schema.columns {
        let (class, ty) = ty(field.ty);
        used.insert(class);
        let remark = field
            .remark
            .as_ref()
            .map_or_else(String::new, |remark| format!("  # {remark}"));
        fields.push_str(&format!(
            "    StructField({}, {ty}),{remark}\n",
            python(&field.column.name)
        ));
    }
    if is_stream {
        used.insert("StringType");
        for name in DAY {
            fields.push_str(&format!("    StructField({}, StringType()),\n", python(name)));
        }
    }
    let mut out = comments.text;
    let used: Vec<_> = used.into_iter().collect();
    if !is_stream && is_hidden(&schema.topic) {
        out.push_str("import os\nimport re\n\n");
    }
    out.push_str(&format!(
        "from pyspark.sql import SparkSession\nfrom pyspark.sql.types import {}\n\n\
         spark = SparkSession.builder.getOrCreate()\n",
        used.join(", ")
    ));
    if schema.has_case_variants() {
        out.push_str(
            "spark.conf.set(\"spark.sql.caseSensitive\", \"true\")  # some names differ in case alone\n",
        );
    }
    out.push_str(&format!("schema = StructType([\n{fields}])\n"));
    let path = match &schema.place.current {
        Some(link) if is_hidden(&schema.topic) => {
            out.push_str(&real_path(link));
            "path".to_owned()
        }
        current => python(&literally(current.as_ref().unwrap_or(&schema.place.folder))),
    };
    out.push_str(&format!(
        "# Without FAILFAST a value that does not fit its type becomes NULL, silently.\n\
         df = spark.read.schema(schema).option(\"mode\", \"FAILFAST\").json({path})\n"
    ));
    out
}

/// Sets `path` to the file behind a table's link.
pub(super) fn real_path(link: &str) -> String {
    format!(
        "# Spark reads nothing of files whose names begin with _ or a point: this is the file behind the link.\n\
         path = re.sub(r\"([*?{{}}\\[\\]\\\\])\", r\"\\\\\\1\", os.path.realpath({}))\n",
        python(link)
    )
}

/// Whether Spark, as all that builds on Hadoop, takes a file of the topic's name for one that nobody should read.
pub(super) fn is_hidden(topic: &str) -> bool {
    topic.starts_with(['_', '.'])
}

fn ty(ty: Type) -> (&'static str, String) {
    let class = match ty {
        Type::Integer => "LongType",
        Type::LargeInteger => return ("DecimalType", "DecimalType(38, 0)".to_owned()),
        Type::Decimal { precision, scale, .. } => {
            return ("DecimalType", format!("DecimalType({precision}, {scale})"));
        }
        Type::Double => "DoubleType",
        Type::Boolean => "BooleanType",
        Type::Digits | Type::Text | Type::Nested | Type::Mixed => "StringType",
    };
    (class, format!("{class}()"))
}

/// The path with glob characters escaped, so that it matches only itself.
pub(super) fn literally(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
