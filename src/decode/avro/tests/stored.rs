//! The columns of records in typed files.

use crate::decode::avro::AvroSchema;
use crate::decode::registered::PayloadReader;
use crate::types::stored::{StoredColumns, StoredType};

fn declared(schema: &str) -> Vec<(String, StoredType)> {
    let schema = AvroSchema::parse(schema, &[]).unwrap();
    schema.stored_columns(None).unwrap()
}

/// The type of the one column.
fn kind(of: &str) -> String {
    let schema = format!(r#"{{"type":"record","name":"Top","fields":[{{"name":"A","type":{of}}}]}}"#);
    let columns = declared(&schema);
    assert_eq!(columns.len(), 1);
    columns[0].1.to_string()
}

#[test]
fn a_type_is_what_its_values_are_written_as() {
    for (of, shown) in [
        (r#""null""#, "JSON"),
        (r#"["null"]"#, "JSON"),
        (r#"["null","int"]"#, "INT"),
        (r#"["int","string"]"#, "JSON"),
        (r#""float""#, "DOUBLE"),
        (r#"{"type":"fixed","name":"F","size":2}"#, "BYTES"),
        (r#"{"type":"enum","name":"E","symbols":["a"]}"#, "VARCHAR"),
        (r#"{"type":"bytes","logicalType":"big-decimal"}"#, "JSON"),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":39}"#,
            "VARCHAR",
        ),
        (
            r#"{"type":"bytes","connect.name":"org.apache.kafka.connect.data.Decimal","precision":5,"scale":-3}"#,
            "DECIMAL(8,0)",
        ),
        (
            r#"{"type":"long","logicalType":"local-timestamp-micros"}"#,
            "LOCAL TIMESTAMP(6)",
        ),
        (r#"{"type":"long","logicalType":"timestamp-nanos"}"#, "VARCHAR"),
        (r#"{"type":"long","logicalType":"time-micros"}"#, "VARCHAR"),
        (r#"{"type":"array","items":["null","long"]}"#, "BIGINT[]"),
        (
            r#"{"type":"map","values":{"type":"array","items":"string"}}"#,
            "MAP(VARCHAR, VARCHAR[])",
        ),
        (r#"{"type":"record","name":"R","fields":[]}"#, "JSON"),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"Top"}]}"#,
            "STRUCT(a INT, b JSON)",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"A","type":"int"}]}"#,
            "JSON",
        ),
        (
            r#"{"type":"array","items":{"type":"record","name":"R","connect.internal.type":"MapEntry",
                "fields":[{"name":"key","type":"string"},{"name":"value","type":"int"}]}}"#,
            "JSON",
        ),
    ] {
        assert_eq!(kind(of), shown, "{of}");
    }
}

#[test]
fn types_of_any_depth_and_number_are_remembered() {
    let deep = (0..30).fold(r#""int""#.to_owned(), |inner, level| {
        format!(r#"{{"type":"record","name":"R{level}","fields":[{{"name":"f","type":{inner}}}]}}"#)
    });
    // Each names the one before twice, so that there are 2^30 fields.
    let many = (0..30).fold(r#""int""#.to_owned(), |inner, level| {
        let again = if level == 0 { "\"int\"".to_owned() } else { format!("\"M{}\"", level - 1) };
        format!(
            r#"{{"type":"record","name":"M{level}","fields":[{{"name":"f","type":{inner}}},{{"name":"g","type":{again}}}]}}"#
        )
    });
    let lists = format!(
        "{}\"int\"{}",
        r#"{"type":"array","items":"#.repeat(50),
        "}".repeat(50)
    );
    for of in [deep, many, lists] {
        let schema = format!(r#"{{"type":"record","name":"Top","fields":[{{"name":"A","type":{of}}}]}}"#);
        let declared = declared(&schema);
        assert!(declared[0].1.to_string().len() < 20_000);
        let mut columns = StoredColumns::default();
        columns.declare(&declared, 1);
        let text = serde_json::to_string(&columns).unwrap();
        // The ledger has it in some more levels.
        let text = format!("{}{text}{}", "[".repeat(20), "]".repeat(20));
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
}

#[test]
fn a_value_without_a_name_has_the_type_of_the_schema() {
    let bare = |schema: &str| {
        let schema = AvroSchema::parse(schema, &[]).unwrap();
        assert_eq!(schema.stored_columns(None), None);
        schema.stored_bare().map(|kind| kind.to_string())
    };
    assert_eq!(
        bare(r#"["null",{"type":"int","logicalType":"date"}]"#).unwrap(),
        "DATE"
    );
    assert_eq!(bare(r#"{"type":"array","items":"int"}"#).unwrap(), "INT[]");
    assert_eq!(bare(r#"{"type":"map","values":"int"}"#), None);
    assert_eq!(bare(r#"["int","string"]"#), None);
}

#[test]
fn a_row_in_an_envelope_is_found_by_its_field() {
    let row = r#"{"type":"record","name":"Row","fields":[{"name":"id","type":"int"}]}"#;
    let schema = format!(
        r#"{{"type":"record","name":"E","fields":[{{"name":"before","type":["null",{row}]}},
            {{"name":"after","type":["null","Row"]}},{{"name":"op","type":"string"}}]}}"#
    );
    let schema = AvroSchema::parse(&schema, &[]).unwrap();
    let columns = |row| schema.stored_columns(Some(row));
    assert_eq!(columns("after").unwrap(), [("id".to_owned(), StoredType::Int)]);
    assert_eq!(columns("op"), None);
    assert_eq!(columns("row"), None);
}
