//! Topics with Parquet files: alone, beside lines of JSON, and with types that have widened since.

use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;

use crate::common::kafka::{Topic, record};
use crate::common::lake::Lake;
use crate::common::program;
use crate::common::python::run;
use crate::schema::schema;
use crate::{python, records};

/// What each of three runs takes in; the days of all of them are 2025-10-30 and later.
const AS_JSON: [&str; 3] = [
    r#"{"ID":"j0","AMOUNT":12.5,"BIG":1,"CODE":7,"FLAG":true,"ITEMS":[1,{"a":"é"}],"RATE":1.0E7}"#,
    r#"{"ID":"j1","AMOUNT":-0.25,"BIG":null,"CODE":8,"ITEMS":{},"OLD":"only in JSON"}"#,
    r#"{"ID":"j2","AMOUNT":3,"BIG":-5,"RATE":2}"#,
];
const AS_PARQUET: [&str; 3] = [
    r#"{"ID":"p0","AMOUNT":12345678901234567.12345,"BIG":1,"CODE":7,"FLAG":true,"ITEMS":[1,{"a":"é"}],"RATE":1.0E7}"#,
    r#"{"ID":"p1","AMOUNT":-0.25,"BIG":9223372036854775807,"CODE":9,"FLAG":false,"ITEMS":[]}"#,
    r#"{"ID":"p2","AMOUNT":null,"BIG":-5,"RATE":3}"#,
];
/// More digits behind the point, more than 64 bits, text among numbers, and a field that is new.
const WIDENED: [&str; 2] = [
    r#"{"ID":"w0","AMOUNT":12345678901234567.123456789,"BIG":12345678901234567890,"CODE":"x7","NEW":1.5}"#,
    r#"{"ID":"w1","AMOUNT":1,"BIG":2,"CODE":"7","FLAG":true,"NEW":-2}"#,
];

struct Sent<'t> {
    topic: &'t Topic,
    offsets: usize,
    /// For the Python programs.
    lines: String,
}

impl Sent<'_> {
    /// One record a day, from 2025-10-30 on.
    fn send(&mut self, values: &[&str]) {
        for (value, day) in values.iter().zip(["2025-10-30", "2025-10-31", "2025-11-01"]) {
            let at = record("k", value).on(&format!("{day}T12:00:00.123Z"));
            let timestamp = at.timestamp_ms;
            self.topic.send(&[at]);
            writeln!(
                self.lines,
                "{{\"offset\":{},\"timestamp\":{timestamp},\"day\":\"{day}\",\"fields\":{value}}}",
                self.offsets
            )
            .unwrap();
            self.offsets += 1;
        }
    }

    /// Reads all with the reader's statement; returns the types.
    fn compare(&self, lake: &Lake, reader: &str) -> Value {
        let (statement, sent) = (lake.folder().join(reader), lake.folder().join("sent"));
        let text = schema(lake, &self.topic.name, &["--for", reader])
            .expect(0)
            .stdout;
        std::fs::write(&statement, text).unwrap();
        std::fs::write(&sent, &self.lines).unwrap();
        let script = python::ours("equal.py");
        let arguments = [
            &script,
            reader,
            statement.to_str().unwrap(),
            sent.to_str().unwrap(),
        ];
        let packages = if reader == "spark" { "spark" } else { "readers" };
        serde_json::from_str(&run(packages, lake.folder(), &arguments)).unwrap()
    }
}

/// A lake whose topic has lines of JSON, Parquet files, and Parquet files of wider types.
fn mixed<'t>(topic: &'t Topic, third_run: bool) -> (Lake, Sent<'t>) {
    let mut sent = Sent {
        topic,
        offsets: 0,
        lines: String::new(),
    };
    let mut lake = Lake::of_stream(topic);
    sent.send(&AS_JSON);
    lake.drain();
    lake.set("format = \"parquet\"");
    sent.send(&AS_PARQUET);
    lake.drain();
    if third_run {
        sent.send(&WIDENED);
        lake.drain();
    }
    (lake, sent)
}

fn status(lake: &Lake, topic: &Topic, arguments: &[&str]) -> program::Run {
    lake.configure();
    let arguments = [&["status", "--topics", &topic.name], arguments].concat();
    program::start(lake.folder(), &arguments, &[]).wait()
}

#[test]
fn one_statement_reads_both_formats_and_all_versions_of_types() {
    let topic = Topic::new("readers-mixed");
    let (lake, sent) = mixed(&topic, true);
    let types = sent.compare(&lake, "duckdb");
    for (column, kind) in [
        ("AMOUNT", "DECIMAL(38,9)"),
        ("BIG", "DECIMAL(38,0)"),
        ("CODE", "VARCHAR"),
        ("RATE", "BIGINT"),
        ("_timestamp", "TIMESTAMP WITH TIME ZONE"),
        ("_partition", "INTEGER"),
        ("day", "VARCHAR"),
    ] {
        assert_eq!(types[column], kind, "{column}: {types}");
    }
    let types = sent.compare(&lake, "polars");
    assert_eq!(types["AMOUNT"], "Decimal(precision=38, scale=9)", "{types}");
    assert!(types["_timestamp"].as_str().unwrap().contains("'ms'"), "{types}");
    // What the others can't read together, they say.
    let compact = format!("lakectl compact --format parquet --topics {}", topic.name);
    let trino = schema(&lake, &topic.name, &["--for", "trino"]).expect(0).stdout;
    assert!(
        trino.contains("one table can't hold Parquet files and lines of JSON"),
        "{trino}"
    );
    assert!(
        trino.contains(&compact) && trino.contains("format = 'PARQUET'"),
        "{trino}"
    );
    let spark = schema(&lake, &topic.name, &["--for", "spark"]).expect(0).stdout;
    assert!(
        spark.contains("\"AMOUNT\" is DECIMAL(38,5) in some Parquet files"),
        "{spark}"
    );
    python::run(
        lake.folder(),
        &["-c", "import ast, sys; ast.parse(sys.argv[1])", &spark],
    );
}

#[test]
fn status_and_check_name_days_that_differ_until_they_are_compacted() {
    let topic = Topic::new("readers-notes");
    let (lake, sent) = mixed(&topic, true);
    let report = status(&lake, &topic, &["--json"]).expect(0).report();
    let found = &report["topics"][0]["lake"];
    let columns = found["columns"].as_array().unwrap();
    let has = |name: &str, kind: &str| {
        columns
            .iter()
            .any(|column| column["name"] == name && column["type"] == kind)
    };
    assert!(
        has("AMOUNT", "DECIMAL(38,9)") && has("_timestamp", "TIMESTAMP(3)"),
        "{report}"
    );
    let notes = found["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 2, "{report}");
    assert_eq!(
        notes[0]["note"],
        "3 days from 2025-10-30 to 2025-11-01 have Parquet files of older types"
    );
    let compact = ["compact", "--format", "parquet", "--topics", &topic.name];
    assert_eq!(notes[1]["fix"], format!("lakectl {}", compact.join(" ")));
    let text = status(&lake, &topic, &["-v"]).expect(0).stdout;
    assert!(
        text.contains("CODE VARCHAR") && text.contains("lines of JSON, in a topic with Parquet files"),
        "{text}"
    );
    let check = || {
        let arguments = ["check", "--only", "lake", "--topics", &topic.name];
        program::start(lake.folder(), &arguments, &[])
            .wait()
            .expect(0)
            .stdout
    };
    assert_eq!(check().matches("formats").count(), 2);
    let page = lake.folder().join("status.html");
    status(&lake, &topic, &["--html", page.to_str().unwrap()]).expect(0);
    assert!(
        std::fs::read_to_string(page)
            .unwrap()
            .contains("Parquet files of older types")
    );

    let compact = [&compact[..], &["--older-than", "0s"]].concat();
    program::start(lake.folder(), &compact, &[]).wait().expect(0);
    let report = status(&lake, &topic, &["--json"]).expect(0).report();
    assert_eq!(
        report["topics"][0]["lake"]["notes"],
        serde_json::json!([]),
        "{report}"
    );
    assert_eq!(check().matches("formats").count(), 0);
    for reader in ["duckdb", "polars"] {
        sent.compare(&lake, reader);
    }
    let trino = schema(&lake, &topic.name, &["--for", "trino"]).expect(0).stdout;
    let expected = TRINO
        .replace("TOPIC", &topic.name)
        .replace("TABLE_NAME", &topic.name.replace(['.', '-'], "_"));
    let folder = lake.root().join("streams").join(&topic.name);
    assert_eq!(trino, expected.replace("FOLDER", folder.to_str().unwrap()));
    let hive = schema(&lake, &topic.name, &["--for", "hive"]).expect(0).stdout;
    assert!(
        hive.contains("`_timestamp` TIMESTAMP,") && hive.contains("STORED AS PARQUET\n"),
        "{hive}"
    );
}

const TRINO: &str = "\
-- stream TOPIC for Trino's Hive connector, by lakectl 0.1.0.
-- The types are those of the topic's Parquet files.
-- Replace the catalog `hive`, the schema `default` and the place by your own.
CREATE TABLE hive.default.\"TABLE_NAME\" (
    \"_partition\" INTEGER,
    \"_offset\" BIGINT,
    \"_timestamp\" TIMESTAMP(3),
    \"_key\" VARCHAR,
    \"_key_base64\" VARCHAR,
    \"_window_start\" TIMESTAMP(3),
    \"_window_end\" TIMESTAMP(3),
    \"_headers\" VARCHAR,
    \"id\" VARCHAR,
    \"amount\" DECIMAL(38, 9),
    \"big\" DECIMAL(38, 0),
    \"code\" VARCHAR,
    \"flag\" BOOLEAN,
    \"items\" VARCHAR,
    \"rate\" BIGINT,
    \"new\" DECIMAL(18, 1),
    \"old\" VARCHAR,
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
    format = 'PARQUET',
    partitioned_by = ARRAY['year', 'month', 'day']
);
-- And again whenever there are new days:
CALL hive.system.sync_partition_metadata('default', 'TABLE_NAME', 'FULL');
";

#[test]
fn readers_leave_out_days_and_row_groups() {
    let topic = Topic::new("readers-pruned");
    let mut sent = Sent {
        topic: &topic,
        offsets: 0,
        lines: String::new(),
    };
    let mut lake = Lake::with("format = \"parquet\"").stream(&topic, "");
    // A place whose name means something to globs, to SQL and to Python.
    lake.place = "it's [1]*? {a,b} day \"q\"";
    sent.send(&AS_PARQUET);
    sent.send(&AS_PARQUET[..1]);
    lake.drain();
    sent.compare(&lake, "polars");
    sent.compare(&lake, "duckdb");
    let files: Vec<PathBuf> = lake
        .listing()
        .into_keys()
        .filter(|path| path.extension().is_some_and(|end| end == "parquet"))
        .map(|path| lake.root().join(path))
        .collect();
    assert_eq!(files.len(), 3);
    let (script, statement) = (python::ours("pruned.py"), lake.folder().join("duckdb"));
    let mut arguments = vec![script.as_str(), statement.to_str().unwrap()];
    arguments.extend(files.iter().map(|path| path.to_str().unwrap()));
    python::run(lake.folder(), &arguments);
}

#[test]
fn a_table_is_read_through_its_link() {
    let topic = Topic::compacted("readers-parquet-table");
    topic.send(&[record("a", r#"{"TOTAL":12.50}"#), record("b", r#"{"TOTAL":1}"#)]);
    let mut lake = Lake::with("format = \"parquet\"").table(&topic, "");
    lake.place = "a [1]*? l'ake \"q\"";
    lake.drain();
    let read = |reader: &str, program: &str| {
        let statement = schema(&lake, &topic.name, &["--for", reader]).expect(0).stdout;
        python::run(lake.folder(), &["-c", program, &statement])
    };
    let duckdb = "import duckdb, sys\nfor row in duckdb.sql(sys.argv[1]).project('_key, TOTAL').order('_key').fetchall(): print(*row)";
    assert_eq!(read("duckdb", duckdb), "a 12.50\nb 1.00\n");
    let polars = "import sys\nexec(sys.argv[1])\nfor row in df.select('_key', 'TOTAL').sort('_key').collect().rows(): print(*row)";
    assert_eq!(read("polars", polars), "a 12.50\nb 1.00\n");
    let link = format!("current/{}.parquet", topic.name);
    assert!(
        schema(&lake, &topic.name, &["--for", "spark"])
            .expect(0)
            .stdout
            .contains(&link)
    );
}

/// PySpark has 430 MB, and needs Java.
#[test]
#[ignore = "PySpark is large: cargo test --test readers -- --ignored spark"]
fn spark_reads_both_formats() {
    let topic = Topic::new("readers-spark");
    let (lake, sent) = mixed(&topic, false);
    let types = sent.compare(&lake, "spark");
    for (column, kind) in [
        ("AMOUNT", "decimal(38,5)"),
        ("_timestamp", "timestamp"),
        ("BIG", "bigint"),
        ("day", "string"),
    ] {
        assert_eq!(types[column], kind, "{column}: {types}");
    }
}

/// Records that readers have got wrong, of which some have no day and odd names of fields.
#[test]
fn odd_records_are_all_there() {
    let topic = Topic::with("readers-odd", 2, &[]);
    topic.send(&records::late(10));
    let lake = Lake::with("format = \"parquet\"").stream(&topic, "");
    lake.drain();
    let sent = topic.read().len();
    let read = |reader: &str, program: &str| {
        let statement = schema(&lake, &topic.name, &["--for", reader]).expect(0).stdout;
        python::run(lake.folder(), &["-c", program, &statement])
    };
    let expected = format!("{sent} 1 3 1\n");
    let duckdb = r#"import duckdb, sys
of = duckdb.sql(sys.argv[1])
print(*of.aggregate("""count(*), count(*) - count(day), count(_value_text) + count(_value_base64), count("it's ""odd"", isn't:it?")""").fetchall()[0])"#;
    assert_eq!(read("duckdb", duckdb), expected);
    let polars = r#"import sys
exec(sys.argv[1])
df = df.collect()
texts = df["_value_text"].count() + df["_value_base64"].count()
print(len(df), df["day"].null_count(), texts, df["""it's "odd", isn't:it?"""].count())"#;
    assert_eq!(read("polars", polars), expected);
}
