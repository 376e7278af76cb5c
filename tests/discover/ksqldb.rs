//! What ksqlDB says of streams and tables, windows and formats.

use serde_json::{Value, json};

use crate::common::kafka::{Topic, record};
use crate::place::{Place, ksqldb, source};

const START: i64 = 1_700_000_100_000;

fn after(start: &[u8], ms: &[i64]) -> Vec<u8> {
    [
        start,
        &ms.iter().flat_map(|ms| ms.to_be_bytes()).collect::<Vec<u8>>(),
    ]
    .concat()
}

/// The settings of one topic that ksqlDB describes with nothing left open.
fn told(formats: [&str; 2], columns: &[&str], statement: &str) -> Value {
    let topic = Topic::new("told");
    let statement = statement.replace("TOPIC", &topic.name);
    let kind = statement.starts_with("CREATE TABLE");
    let of = source("SINK", &topic.name, formats, columns, &statement);
    let server = if kind {
        ksqldb(&[], &[of])
    } else {
        ksqldb(&[of], &[])
    };
    let (settings, from) = Place::of_ksqldb(&server).settings(&topic.name, 0);
    for (key, known) in from.as_object().unwrap() {
        assert!(
            known["from"].as_str().unwrap().starts_with("ksqlDB: "),
            "{key}: {known}"
        );
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 2, "one question for streams, one for tables");
    assert_eq!(asked[0].header("accept"), ["application/vnd.ksql.v1+json"]);
    assert_eq!(
        asked[0].body,
        r#"{"ksql":"LIST STREAMS EXTENDED;","streamsProperties":{}}"#
    );
    settings
}

#[test]
fn windows_have_their_type_and_size() {
    let columns = ["TYPE STRING KEY", "TOTAL DOUBLE", "NB BIGINT"];
    for (clause, window) in [
        (
            "WINDOW TUMBLING ( SIZE 1 HOURS ) ",
            json!({"type": "tumbling", "size": "1h"}),
        ),
        (
            "WINDOW HOPPING (SIZE 5 MINUTES, ADVANCE BY 1 MINUTE) ",
            json!({"type": "hopping", "size": "5m"}),
        ),
        ("WINDOW SESSION (90 SECONDS) ", json!({"type": "session"})),
    ] {
        let statement = format!(
            "CREATE TABLE SINK WITH (KAFKA_TOPIC='TOPIC') AS SELECT TYPE, SUM(A) TOTAL, COUNT(*) NB FROM S {clause}GROUP BY TYPE EMIT CHANGES;"
        );
        assert_eq!(
            told(["KAFKA", "JSON"], &columns, &statement),
            json!({
                "kind": "table",
                "key.format": "string",
                "key.columns": ["TYPE"],
                "window": window,
                "value.format": "json",
                "value.columns": ["TOTAL DOUBLE", "NB BIGINT"],
            })
        );
    }
}

#[test]
fn formats_have_their_columns_and_delimiters() {
    let select = "CREATE STREAM SINK AS SELECT * FROM S;";
    assert_eq!(
        told(
            ["DELIMITED", "DELIMITED"],
            &[
                "A STRING KEY",
                "B INTEGER KEY",
                "D DECIMAL(9,2)",
                "E TIMESTAMP",
                "N STRING"
            ],
            "CREATE STREAM SINK WITH (KEY_DELIMITER='é', VALUE_DELIMITER='TAB') AS SELECT * FROM S;"
        ),
        json!({
            "kind": "stream",
            "key.format": "delimited",
            "key.columns": ["A", "B INT"],
            "key.delimiter": "é",
            "value.format": "delimited",
            "value.columns": ["D DECIMAL(9,2)", "E TIMESTAMP", "N"],
            "value.delimiter": "TAB",
        })
    );
    for (formats, columns, expected) in [
        (
            ["AVRO", "PROTOBUF"],
            &["ID BIGINT KEY", "A INTEGER", "H STRING HEADER"][..],
            json!({"kind": "stream", "key.format": "avro", "key.columns": ["ID BIGINT"], "value.format": "protobuf"}),
        ),
        (
            ["JSON", "JSON_SR"],
            &[
                "F2 STRING KEY",
                "F1 INTEGER KEY",
                "A DATE",
                "M MAP",
                "S STRUCT",
                "L ARRAY",
            ],
            json!({"kind": "stream", "key.format": "json", "key.columns": ["F2", "F1 INT"], "value.format": "json_sr",
                "value.columns": ["A DATE"]}),
        ),
        (
            ["NONE", "KAFKA"],
            &["A DOUBLE"],
            json!({"kind": "stream", "key.format": "none", "value.format": "kafka", "value.columns": ["A DOUBLE"]}),
        ),
        (
            ["KAFKA", "AVRO"],
            &["ID INTEGER KEY", "A INTEGER", "B STRING"],
            json!({"kind": "stream", "key.format": "int", "key.columns": ["ID"], "value.format": "avro"}),
        ),
    ] {
        assert_eq!(told(formats, columns, select), expected);
    }
    assert_eq!(
        told(
            ["KAFKA", "JSON"],
            &["ID STRING KEY", "A BIGINT"],
            "CREATE STREAM SINK WITH (WRAP_SINGLE_VALUE=false) AS SELECT * FROM S;"
        )["value.columns"],
        json!(["A BIGINT"])
    );
}

#[test]
fn what_protobuf_loses_is_a_comment() {
    let topic = Topic::new("protobuf");
    let statement = "CREATE STREAM SINK AS SELECT * FROM S;";
    let columns = ["ID STRING KEY", "A INTEGER"];
    let of = source("SINK", &topic.name, ["KAFKA", "PROTOBUF"], &columns, statement);
    let shown = Place::of_ksqldb(&ksqldb(&[of], &[])).discover(&topic.name, 0);
    assert!(
        shown.contains("# ksqlDB's plain PROTOBUF writes NULL as 0 or ''"),
        "{shown}"
    );
    let of = source(
        "SINK",
        &topic.name,
        ["KAFKA", "PROTOBUF_NOSR"],
        &columns,
        statement,
    );
    let shown = Place::of_ksqldb(&ksqldb(&[of], &[])).discover(&topic.name, 3);
    assert!(
        shown.contains("PROTOBUF_NOSR is not supported") && shown.contains("\"bytes\""),
        "{shown}"
    );
}

#[test]
fn a_window_without_a_size_is_not_written() {
    let topic = Topic::new("sizeless");
    let of = source(
        "SINK",
        &topic.name,
        ["KAFKA", "JSON"],
        &["ID STRING KEY", "A INTEGER"],
        "CREATE TABLE SINK AS SELECT * FROM TUMBLING_SOMETHING;",
    );
    let place = Place::of_ksqldb(&ksqldb(&[], &[of]));
    let shown = place.discover(&topic.name, 3);
    assert!(
        shown.starts_with("# not complete: window.size is missing"),
        "{shown}"
    );
    let before = place.text();
    place
        .run(&["discover", "--write", "--topics", &topic.name])
        .fails(3, &[&topic.name, "window.size is missing"]);
    assert_eq!(place.text(), before);
}

#[test]
fn keys_that_ksqldb_does_not_read_are_looked_at() {
    let topic = Topic::new("keyless");
    let of = source(
        "SOURCE",
        &topic.name,
        ["KAFKA", "JSON"],
        &["A INTEGER"],
        "CREATE STREAM SOURCE (A INTEGER) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON');",
    );
    let place = Place::of_ksqldb(&ksqldb(&[of], &[]));
    topic.send(&[record("", "{\"A\":1}").key(None)]);
    let (settings, _) = place.settings(&topic.name, 0);
    assert_eq!(
        settings,
        json!({"kind": "stream", "value.format": "json", "value.columns": ["A INT"]})
    );
    topic.send(&[record("", "{\"A\":1}").key(Some(&7i32.to_be_bytes()))]);
    let (settings, from) = place.settings(&topic.name, 3);
    assert_eq!(settings["key.format"], "int");
    assert_eq!(
        from["key.format"],
        json!({"from": "a guess: a sample of 2 records", "guess": true})
    );
}

/// What is proposed reads the records.
#[test]
fn proposals_are_good_for_check_and_lake() {
    let (windowed, csv) = (Topic::compacted("windowed"), Topic::new("csv"));
    let table = source(
        "TOTALS",
        &windowed.name,
        ["KAFKA", "JSON"],
        &["TYPE STRING KEY", "TOTAL DOUBLE"],
        "CREATE TABLE TOTALS AS SELECT TYPE, SUM(A) TOTAL FROM S WINDOW HOPPING (SIZE 5 MINUTES, ADVANCE BY 1 MINUTE) GROUP BY TYPE;",
    );
    let stream = source(
        "CSV",
        &csv.name,
        ["JSON", "DELIMITED"],
        &["ID BIGINT KEY", "A INTEGER", "B STRING"],
        "CREATE STREAM CSV WITH (VALUE_DELIMITER=';') AS SELECT * FROM S;",
    );
    let server = ksqldb(&[stream], &[table]);
    let key = after(b"withdrawal", &[START]);
    windowed.send(&[record("", "{\"TOTAL\":125.5}").key(Some(&key))]);
    csv.send(&[record("7", "1;a,b")]);
    let lines = Place::of_ksqldb(&server).check_and_drain(&windowed.name);
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (
            &lines[0]["_key"],
            &lines[0]["_window_start"],
            &lines[0]["_window_end"]
        ),
        (&json!("withdrawal"), &json!(START), &json!(START + 300_000))
    );
    let lines = Place::of_ksqldb(&server).check_and_drain(&csv.name);
    assert_eq!(
        (&lines[0]["_key"], &lines[0]["A"], &lines[0]["B"]),
        (&json!(7), &json!(1), &json!("a,b"))
    );
}

#[test]
fn the_page_shows_what_is_printed() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/FORMATS.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, shown) = page
        .split_once("$ lakectl discover --topics TOTAL_PAR_TYPE\n")
        .unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let topic = Topic::new("page");
    let of = source(
        "TOTAL_PAR_TYPE",
        &topic.name,
        ["KAFKA", "JSON"],
        &["TYPE STRING KEY", "TOTAL DOUBLE"],
        "CREATE TABLE TOTAL_PAR_TYPE AS SELECT TYPE, SUM(A) TOTAL FROM S WINDOW HOPPING (SIZE 5 MINUTES, ADVANCE BY 1 MINUTE) GROUP BY TYPE;",
    );
    let printed = Place::of_ksqldb(&ksqldb(&[], &[of])).discover(&topic.name, 0);
    let lines = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<String>>();
    assert_eq!(lines(&printed), lines(shown));
}
