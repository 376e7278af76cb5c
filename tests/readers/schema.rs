//! What `lakectl schema` prints is run as it is.

use serde_json::Value;
use std::path::PathBuf;

use crate::common::files::data_files;
use crate::common::kafka::Topic;
use crate::common::lake::Lake;
use crate::common::program::{self, Run};
use crate::{python, records};

pub fn schema(lake: &Lake, topic: &str, arguments: &[&str]) -> Run {
    lake.configure();
    program::start(lake.folder(), &[&["schema", topic], arguments].concat(), &[]).wait()
}

/// Runs the statement for a reader, and compares all that it reads with these files.
fn compare(lake: &Lake, topic: &str, reader: &str, expected: &[PathBuf]) -> Value {
    let statement = schema(lake, topic, &["--for", reader]).expect(0).stdout;
    let file = lake.folder().join(format!("{topic}.{reader}"));
    std::fs::write(&file, &statement).unwrap();
    let script = python::ours("compare.py");
    let mut arguments = vec![script.as_str(), reader, file.to_str().unwrap()];
    arguments.extend(expected.iter().map(|path| path.to_str().unwrap()));
    serde_json::from_str(&python::run(lake.folder(), &arguments)).unwrap()
}

fn files(lake: &Lake, folder: &str) -> Vec<PathBuf> {
    let folder = lake.root().join(folder);
    data_files(&folder)
        .into_iter()
        .map(|file| folder.join(file.path))
        .collect()
}

/// Types that hide, round or lose nothing of what came late.
fn check_types(found: &Value, expected: &[(&str, &str)]) {
    for (column, ty) in expected {
        assert_eq!(found["types"][column], *ty, "{column}: {found}");
    }
}

const IN_DUCKDB: [(&str, &str); 14] = [
    ("AMOUNT", "DECIMAL(18,3)"),
    ("WIDE", "DOUBLE"),
    ("BIG", "HUGEINT"),
    ("RATE", "DOUBLE"),
    ("FLAG", "BOOLEAN"),
    ("CITY", "VARCHAR"),
    ("MIX", "JSON"),
    ("ITEMS", "JSON"),
    ("LATE_DEC", "DECIMAL(18,2)"),
    ("LATE_INT", "BIGINT"),
    ("RATING", "BIGINT"),
    ("_value", "JSON"),
    ("_value_text", "VARCHAR"),
    ("day", "VARCHAR"),
];

const IN_POLARS: [(&str, &str); 11] = [
    ("AMOUNT", "Decimal(precision=18, scale=3)"),
    ("WIDE", "Float64"),
    ("BIG", "Int128"),
    ("RATE", "Float64"),
    ("FLAG", "Boolean"),
    ("MIX", "String"),
    ("RATING", "Int64"),
    ("Rating", "Decimal(precision=18, scale=2)"),
    ("_path", "String"),
    ("_value_text", "String"),
    ("day", "String"),
];

#[test]
fn late_values_are_read_as_they_were_written() {
    let topic = Topic::with("readers-late", 2, &[]);
    topic.send(&records::late(records::MANY));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    check_stream(&lake, &topic, &files(&lake, &format!("streams/{}", topic.name)));
}

#[test]
fn so_are_compressed_ones_and_those_without_metadata() {
    let topic = Topic::with("readers-forms", 2, &[]);
    topic.send(&records::late(records::SOME));
    let settings = [
        "compression = \"gzip\"",
        "compression = \"zstd\"",
        "metadata = false",
        "",
    ];
    let lakes = settings.map(|settings| Lake::with(settings).stream(&topic, ""));
    lakes.iter().for_each(|lake| drop(lake.drain()));
    let [gzip, zstd, bare, plain] = &lakes;
    let folder = format!("streams/{}", topic.name);
    // The compressed lakes hold the same records in the same days as the plain one.
    for (lake, expected) in [(gzip, plain), (zstd, plain), (bare, bare)] {
        check_stream(lake, &topic, &files(expected, &folder));
    }
}

fn check_stream(lake: &Lake, topic: &Topic, expected: &[PathBuf]) {
    let found = compare(lake, &topic.name, "duckdb", expected);
    check_types(&found, &IN_DUCKDB);
    // One of two names that differ in case alone, and one that is none: DuckDB can't tell them.
    assert_eq!(found["left_out"], serde_json::json!(["", "Rating"]));
    check_types(&compare(lake, &topic.name, "polars", expected), &IN_POLARS);
}

#[test]
fn tables_are_read_through_current() {
    let topic = Topic::compacted("readers-table");
    let window = |key: &str, start: i64| [key.as_bytes(), &start.to_be_bytes()].concat();
    let row = |key: &str, start: i64, value: &str| {
        crate::common::kafka::record("", value).key(Some(&window(key, start)))
    };
    topic.send(&[
        row("{\"K\":1}", 1_761_825_600_000, "{\"TOTAL\":12.5,\"ID\":\"a\"}"),
        row("{\"K\":2}", 1_761_825_600_000, "{\"TOTAL\":1,\"ID\":\"b\"}"),
        row("{\"K\":2}", 1_761_825_900_000, "{\"TOTAL\":0.25,\"ID\":\"c\"}"),
    ]);
    let entry =
        "key = { format = \"json\", columns = [\"K\"] }\nwindow = { type = \"hopping\", size = \"5m\" }";
    let mut lake = Lake::new().table(&topic, entry);
    // A place whose name means something to globs, to SQL and to Python.
    lake.place = "a [1]*? l'ake \"q\"";
    lake.drain();
    let expected = [lake.root().join(format!("current/{}.json", topic.name))];
    let found = compare(&lake, &topic.name, "duckdb", &expected);
    check_types(
        &found,
        &[
            ("TOTAL", "DECIMAL(18,2)"),
            ("_key", "JSON"),
            ("_window_start", "BIGINT"),
        ],
    );
    assert_eq!(
        (&found["rows"], &found["types"]["day"]),
        (&3.into(), &Value::Null)
    );
    let found = compare(&lake, &topic.name, "polars", &expected);
    check_types(
        &found,
        &[
            ("TOTAL", "Decimal(precision=18, scale=2)"),
            ("_window_end", "Int64"),
        ],
    );
}

#[test]
fn a_stream_is_found_wherever_the_lake_lies() {
    let topic = Topic::new("readers-place");
    topic.send(&[crate::common::kafka::record("k", "{\"ID\":\"a\"}")]);
    let mut lake = Lake::of_stream(&topic);
    lake.place = "it's [1]* {a,b} day \"q\" é";
    lake.drain();
    let expected = files(&lake, &format!("streams/{}", topic.name));
    for reader in ["duckdb", "polars"] {
        assert_eq!(
            compare(&lake, &topic.name, reader, &expected)["rows"],
            1,
            "{reader}"
        );
    }
}

#[test]
fn an_empty_topic_has_the_columns_that_every_topic_has() {
    let topic = Topic::compacted("readers-empty");
    topic.send(&[
        crate::common::kafka::record("k", "{\"A\":1}"),
        crate::common::kafka::tombstone("k"),
    ]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    for reader in ["duckdb", "polars"] {
        let found = compare(&lake, &topic.name, reader, &[]);
        assert_eq!(found["rows"], 0, "{reader}");
        assert!(
            found["types"]["_value_text"].is_string() && found["types"]["A"].is_null(),
            "{found}"
        );
    }
}

#[test]
fn what_is_not_there_is_told() {
    let topic = Topic::new("readers-named");
    topic.send(&[crate::common::kafka::record("k", "{\"A\":1}")]);
    let lake = Lake::of_stream(&topic);
    schema(&lake, &topic.name, &["--for", "duckdb"]).fails(2, &["there is no lake at", "lake.root"]);
    lake.drain();
    let near = format!("{}x", topic.name);
    schema(&lake, &near, &["--for", "duckdb"])
        .fails(2, &["the lake has no topic", "did you mean", &topic.name]);
    schema(&lake, "../x", &["--for", "duckdb"]).fails(2, &["is not a topic name"]);
    schema(&lake, &topic.name, &["--for", "excel"]).fails(2, &["duckdb", "hive"]);
    let report = schema(&lake, &topic.name, &["--for", "hive", "--json"])
        .expect(0)
        .report();
    assert_eq!(report["command"], "schema");
    let columns = report["columns"].as_array().unwrap();
    assert!(
        columns
            .iter()
            .any(|column| column["name"] == "A" && column["type"] == "integer"),
        "{report}"
    );
    assert!(
        report["statement"]
            .as_str()
            .unwrap()
            .contains("CREATE EXTERNAL TABLE"),
        "{report}"
    );
}

/// A topic of a few records, and what is printed for those readers that the tests can't run.
#[test]
fn external_tables_name_every_column() {
    let topic = Topic::named(crate::common::unique("Readers-Hive"));
    topic.create(1, &[]);
    let values = [
        "{\"Id\":1,\"Amount\":12.34,\"Items\":[]}",
        "{\"ID\":\"x\",\"Big\":12345678901234567890,\"a,b\":1,\"q\\\"`\":true}",
    ];
    topic.send(&values.map(|value| crate::common::kafka::record("k", value)));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    let folder = lake
        .root()
        .join("streams")
        .join(&topic.name)
        .display()
        .to_string();
    let table = topic.name.to_lowercase().replace(['.', '-'], "_");
    let expected = |text: &str| {
        text.replace("TOPIC", &topic.name)
            .replace("TABLE_NAME", &table)
            .replace("FOLDER", &folder)
    };
    let trino = schema(&lake, &topic.name, &["--for", "trino"]).expect(0).stdout;
    assert_eq!(trino, expected(TRINO));
    let hive = schema(&lake, &topic.name, &["--for", "hive"]).expect(0).stdout;
    assert_eq!(hive, expected(HIVE));
    let spark = schema(&lake, &topic.name, &["--for", "spark"]).expect(0).stdout;
    assert_eq!(spark, expected(SPARK));
    python::run(
        lake.folder(),
        &["-c", "import ast, sys; ast.parse(sys.argv[1])", &spark],
    );
}

const TRINO: &str = "\
-- stream TOPIC for Trino's Hive connector, by lakectl 0.1.0.
-- Made from all 2 records in 1 file.
-- Replace the catalog `hive`, the schema `default` and the place by your own.
-- OPENX_JSON, because JSON refuses objects and arrays in VARCHAR columns.
-- Left out: \"a,b\", a name that the metastore can't hold.
CREATE TABLE hive.default.\"TABLE_NAME\" (
    \"_partition\" BIGINT,
    \"_offset\" BIGINT,
    \"_timestamp\" BIGINT,
    \"_key\" VARCHAR,
    \"_key_base64\" VARCHAR,
    \"_headers\" VARCHAR,
    \"id\" VARCHAR, -- mixed: texts (1), numbers (1)
    \"amount\" DECIMAL(18, 2), -- up to 2 digits before the point and 2 behind it
    \"items\" VARCHAR,
    \"big\" DECIMAL(38, 0), -- whole numbers of up to 20 digits
    \"q\"\"`\" BOOLEAN,
    \"_value\" VARCHAR,
    \"_value_text\" VARCHAR,
    \"_value_base64\" VARCHAR,
    \"_error\" VARCHAR,
    \"year\" VARCHAR,
    \"month\" VARCHAR,
    \"day\" VARCHAR
)
WITH (
    external_location = 'file://FOLDER',
    format = 'OPENX_JSON',
    partitioned_by = ARRAY['year', 'month', 'day']
);
-- And again whenever there are new days:
CALL hive.system.sync_partition_metadata('default', 'TABLE_NAME', 'FULL');
";

const HIVE: &str = "\
-- stream TOPIC for Hive 4, by lakectl 0.1.0.
-- Made from all 2 records in 1 file.
-- Replace the place by your own.
-- Left out: \"a,b\", a name that the metastore can't hold.
CREATE EXTERNAL TABLE `TABLE_NAME` (
    `_partition` BIGINT,
    `_offset` BIGINT,
    `_timestamp` BIGINT,
    `_key` STRING,
    `_key_base64` STRING,
    `_headers` STRING,
    `id` STRING, -- mixed: texts (1), numbers (1)
    `amount` DECIMAL(18, 2), -- up to 2 digits before the point and 2 behind it
    `items` STRING,
    `big` DECIMAL(38, 0), -- whole numbers of up to 20 digits
    `q\"``` BOOLEAN,
    `_value` STRING,
    `_value_text` STRING,
    `_value_base64` STRING,
    `_error` STRING
)
PARTITIONED BY (`year` STRING, `month` STRING, `day` STRING)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.JsonSerDe'
STORED AS TEXTFILE
LOCATION 'file://FOLDER'
TBLPROPERTIES ('json.stringify.complex.fields' = 'true');
-- And again whenever there are new days:
MSCK REPAIR TABLE `TABLE_NAME` SYNC PARTITIONS;
";

const SPARK: &str = "\
# stream TOPIC for Spark, by lakectl 0.1.0.
# Made from all 2 records in 1 file.
from pyspark.sql import SparkSession
from pyspark.sql.types import BooleanType, DecimalType, LongType, StringType, StructField, StructType

spark = SparkSession.builder.getOrCreate()
spark.conf.set(\"spark.sql.caseSensitive\", \"true\")  # some names differ in case alone
schema = StructType([
    StructField(\"_partition\", LongType()),
    StructField(\"_offset\", LongType()),
    StructField(\"_timestamp\", LongType()),
    StructField(\"_key\", StringType()),
    StructField(\"_key_base64\", StringType()),
    StructField(\"_headers\", StringType()),
    StructField(\"Id\", LongType()),
    StructField(\"Amount\", DecimalType(18, 2)),  # up to 2 digits before the point and 2 behind it
    StructField(\"Items\", StringType()),
    StructField(\"ID\", StringType()),
    StructField(\"Big\", DecimalType(38, 0)),  # whole numbers of up to 20 digits
    StructField(\"a,b\", LongType()),
    StructField(\"q\\\"`\", BooleanType()),
    StructField(\"_value\", StringType()),
    StructField(\"_value_text\", StringType()),
    StructField(\"_value_base64\", StringType()),
    StructField(\"_error\", StringType()),
    StructField(\"year\", StringType()),
    StructField(\"month\", StringType()),
    StructField(\"day\", StringType()),
])
# Without FAILFAST a value that does not fit its type becomes NULL, silently.
df = spark.read.schema(schema).option(\"mode\", \"FAILFAST\").json(\"FOLDER\")
";

/// Spark would read nothing of a link of that name; the file behind it, whichever day it is of, it reads.
#[test]
fn spark_is_given_a_path_that_it_reads() {
    let hidden = Topic::named(crate::common::unique("_hidden"));
    hidden.create(1, &[("cleanup.policy", "compact")]);
    hidden.send(&[crate::common::kafka::record("k", "{\"A\":1}")]);
    let mut lake = Lake::new().table(&hidden, "");
    lake.place = "a [1]*{b} lake";
    lake.drain();
    let statement = program::start(lake.folder(), &["schema", &hidden.name, "--for", "spark"], &[]).wait();
    let statement = statement.expect(0).stdout;
    assert!(statement.ends_with(".json(path)\n"), "{statement}");
    // Without Spark: what it would be asked to read, as a glob, is the one snapshot.
    let lines = statement
        .lines()
        .filter(|line| line.starts_with("import ") || line.starts_with("path = "));
    let script: Vec<&str> = lines.chain(["print(path)"]).collect();
    let path = python::run(lake.folder(), &["-c", &script.join("\n")]);
    let found = path.trim_end().replace('\\', "");
    let snapshot = data_files(&lake.root().join("tables"));
    assert!(found.ends_with(&snapshot[0].path), "{found}");
    assert!(path.contains("a \\[1\\]\\*\\{b\\} lake"), "{path}");
}

/// A sample shows no more than it holds; what the configuration states of a field holds for all records.
#[test]
fn stated_types_are_those_of_the_columns() {
    let topic = Topic::with("readers-stated", 1, &[]);
    topic.send(&[
        crate::common::kafka::record("7", "1,2.5,,20392,x,"),
        crate::common::kafka::record("8", "2,1,,20393,\"\","),
    ]);
    let columns = [
        "A BIGINT",
        "B DECIMAL(20,4)",
        "C DOUBLE",
        "D DATE",
        "E",
        "F BOOLEAN",
    ];
    let entry = format!(
        "key = {{ format = \"delimited\", columns = [\"ID INT\"] }}\nvalue = {{ format = \"delimited\", columns = {columns:?} }}\n"
    );
    let lake = Lake::with("").stream(&topic, &entry);
    lake.drain();
    let report = schema(&lake, &topic.name, &["--for", "duckdb", "--json"])
        .expect(0)
        .report();
    let types: Vec<_> = ["_key", "A", "B", "C", "D", "E", "F"]
        .iter()
        .map(|name| {
            let columns = report["columns"].as_array().unwrap();
            let column = columns.iter().find(|column| column["name"] == *name).unwrap();
            (
                column["type"].as_str().unwrap(),
                column["values"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        types,
        [
            ("integer", 2),
            ("integer", 2),
            ("decimal(38,4)", 2),
            ("double", 0),
            ("integer", 2),
            ("text", 2),
            ("boolean", 0),
        ]
    );
}
