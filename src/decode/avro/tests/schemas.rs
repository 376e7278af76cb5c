//! Which schemas are taken, and what they say.

use super::super::super::schema::{Reference, SchemaType};
use super::super::AvroSchema;
use super::{column, json};
use crate::decode::SchemaShape;
use crate::decode::registered::PayloadReader;

#[track_caller]
fn refused(schema: &str, why: &str) {
    let reason = AvroSchema::parse(schema, &[]).unwrap_err().to_string();
    assert_eq!(reason, format!("Avro schema: {why}"));
}

#[test]
fn a_schema_that_is_just_a_name() {
    for schema in [
        "\"long\"",
        " long\n",
        r#"{"type":"long"}"#,
        r#"{"type":{"type":"long"}}"#,
    ] {
        assert_eq!(json(schema, &[2]).as_deref(), Ok("1"), "{schema}");
        let schema = AvroSchema::parse(schema, &[]).unwrap();
        assert_eq!(
            schema.shape().unwrap(),
            SchemaShape {
                columns: None,
                top: SchemaType::Bigint
            }
        );
    }
}

/// Strict parsers refuse each of these.
#[test]
fn odd_schemas_are_taken() {
    let debezium = r#"{"type":"record","name":"Value-1","namespace":"my-server.inventory db.t$","fields":[
        {"name":"first name","type":"string","default":7},{"name":"1\"x","type":["null","int"],"default":"a"},
        {"name":"state","type":{"type":"enum","name":"e","symbols":["in-use","","\n"],"default":"none"}},
        {"name":"sub","type":{"type":"record","name":"Sub-1","fields":[]},"aliases":7}],"doc":7,"aliases":["x-y"]}"#;
    assert_eq!(
        json(debezium, b"\x02a\x02\x02\x04").as_deref(),
        Ok(r#"{"first name":"a","1\"x":1,"state":"\n","sub":{}}"#)
    );
    // A union of one, two branches of the same type, and a default of another branch.
    let unions = r#"{"type":"record","name":"R","fields":[{"name":"a","type":["int"]},{"name":"b","type":["int","int"]}]}"#;
    assert_eq!(json(unions, &[0, 2, 2, 4]).as_deref(), Ok(r#"{"a":1,"b":2}"#));
    // Attributes around a type that has braces of its own.
    assert_eq!(
        json(r#"{"type":{"type":"int"},"logicalType":"date"}"#, &[0]).as_deref(),
        Ok(r#""1970-01-01""#)
    );
    assert_eq!(
        json(r#"{"type":"error","name":"R","fields":[]}"#, &[]).as_deref(),
        Ok("{}")
    );
}

#[test]
fn names_and_namespaces() {
    // `In` is a.b.In to those in a.b; `.Bare` and `Top` have no namespace; an alias is a name too.
    let schema = r#"{"type":"record","name":"a.b.Out","namespace":"ignored","fields":[
        {"name":"in","type":{"type":"record","name":"In","aliases":["Old","c.Older"],"fields":[{"name":"n","type":"int"}]}},
        {"name":"1","type":"In"},{"name":"2","type":"a.b.In"},{"name":"3","type":"Old"},{"name":"4","type":"c.Older"},
        {"name":"5","type":"Later"},{"name":"6","type":{"type":"fixed","name":"Later","size":1}},
        {"name":"7","type":{"type":"enum","name":"Top","namespace":"","symbols":["T"]}},{"name":"8","type":"Top"},
        {"name":"9","type":{"type":"a.b.In","doc":"x"}}]}"#;
    assert_eq!(
        json(schema, &[2, 4, 6, 8, 10, 1, 2, 0, 0, 12]).as_deref(),
        Ok(
            r#"{"in":{"n":1},"1":{"n":2},"2":{"n":3},"3":{"n":4},"4":{"n":5},"5":"AQ==","6":"Ag==","7":"T","8":"T","9":{"n":6}}"#
        )
    );
}

#[test]
fn references() {
    let reference = |name: &str, text: &str| Reference {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let references = [
        reference(
            "com.shop.Money",
            r#"{"type":"record","name":"Money","namespace":"com.shop","fields":[{"name":"cents","type":"long"}]}"#,
        ),
        reference(
            "com.shop.Line",
            r#"{"type":"record","name":"Line","namespace":"com.shop","fields":[{"name":"price","type":"Money"}]}"#,
        ),
        reference("Anything", r#"["null","com.shop.Line"]"#),
    ];
    let text = r#"{"type":"record","name":"Order","namespace":"com.other","fields":[
        {"name":"line","type":"com.shop.Line"},{"name":"more","type":"Anything"}]}"#;
    let schema = AvroSchema::parse(text, &references).unwrap();
    let mut out = String::new();
    schema.write(&[2, 2, 4], &mut out).unwrap();
    assert_eq!(
        out,
        r#"{"line":{"price":{"cents":1}},"more":{"price":{"cents":2}}}"#
    );
    // A topic with several types of events: its schema is a union of references.
    let union = AvroSchema::parse(r#"["com.shop.Money","com.shop.Line"]"#, &references).unwrap();
    out.clear();
    union.write(&[2, 8], &mut out).unwrap();
    assert_eq!(out, r#"{"price":{"cents":4}}"#);
    assert_eq!(union.shape().unwrap().top, SchemaType::Any);
    let missing = AvroSchema::parse(text, &references[..1]).unwrap_err();
    assert_eq!(
        missing.to_string(),
        r#"Avro schema: the type "com.shop.Line" is not defined"#
    );
    let broken = AvroSchema::parse(text, &[reference("a.B", "{")]).unwrap_err();
    assert_eq!(
        broken.to_string(),
        "Avro schema: reference a.B: EOF while parsing an object at line 1 column 1"
    );
}

#[test]
fn what_is_not_a_schema() {
    refused("", "EOF while parsing a value at line 1 column 0");
    refused("7", "a type is not a name, a list or an object");
    refused(r#""strin""#, r#"the type "strin" is not defined"#);
    refused("{}", "an object has no type");
    refused(
        r#"{"type":"record","name":"R"}"#,
        "a record has no list of fields",
    );
    refused(
        r#"{"type":"enum","name":"E","symbols":[1]}"#,
        "an enum has no list of symbols",
    );
    refused(r#"{"type":"fixed","name":"F","size":-1}"#, "a fixed has no size");
    refused(r#"{"type":"array"}"#, "an array has no items");
    refused(r#"{"type":"map"}"#, "a map has no values");
    refused(
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"S","fields":[{"name":"b\n"}]}}]}"#,
        r"field a: field b\n: it has no type",
    );
    refused(
        r#"["null",["null","int"]]"#,
        "a union has a union among its types",
    );
    refused(&"[".repeat(200), "recursion limit exceeded at line 1 column 128");
    let cycle = Reference {
        name: "A".to_owned(),
        text: r#""A""#.to_owned(),
    };
    let reason = AvroSchema::parse(r#""A""#, &[cycle]).unwrap_err();
    assert_eq!(
        reason.to_string(),
        "Avro schema: a type is defined by its own name"
    );
    let cycle = Reference {
        name: "A".to_owned(),
        text: r#"["null","A"]"#.to_owned(),
    };
    let reason = AvroSchema::parse(r#""A""#, &[cycle]).unwrap_err();
    assert_eq!(
        reason.to_string(),
        "Avro schema: a union has a union among its types"
    );
}

#[test]
fn columns() {
    let text = r#"["null",{"type":"record","name":"R","fields":[
        {"name":"flag","type":"boolean"},{"name":"n","type":["null","int"]},{"name":"id","type":"long"},
        {"name":"f","type":["float","null"]},{"name":"d","type":"double"},{"name":"s","type":"string"},
        {"name":"raw","type":["null","bytes"]},{"name":"mac","type":{"type":"fixed","name":"Mac","size":6}},
        {"name":"uuid","type":{"type":"fixed","name":"Uuid","size":16,"logicalType":"uuid"}},
        {"name":"took","type":{"type":"fixed","name":"Took","size":12,"logicalType":"duration"}},
        {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":4}},
        {"name":"oracle","type":{"type":"bytes","connect.name":"org.apache.kafka.connect.data.Decimal",
            "logicalType":"decimal","precision":64,"scale":127}},
        {"name":"round","type":{"type":"bytes","connect.name":"org.apache.kafka.connect.data.Decimal",
            "connect.parameters":{"scale":"-2"}}},
        {"name":"big","type":{"type":"bytes","logicalType":"big-decimal"}},
        {"name":"day","type":{"type":"int","logicalType":"date"}},
        {"name":"opens","type":{"type":"int","logicalType":"time-millis"}},
        {"name":"closes","type":{"type":"long","logicalType":"time-micros"}},
        {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},
        {"name":"local","type":{"type":"long","logicalType":"local-timestamp-nanos"}},
        {"name":"state","type":{"type":"enum","name":"State","symbols":["on","\"off\""]}},
        {"name":"list","type":{"type":"array","items":"int"}},{"name":"map","type":{"type":"map","values":"int"}},
        {"name":"entries","type":{"type":"array","items":{"type":"record","name":"E","connect.internal.type":"MapEntry",
            "fields":[{"name":"key","type":"string"},{"name":"value","type":"int"}]}}},
        {"name":"self","type":["null","R"]},{"name":"either","type":["null","int","string"]},{"name":"none","type":"null"}
    ]}]"#;
    use SchemaType::*;
    let decimal = |precision, scale| Decimal { precision, scale };
    let schema = AvroSchema::parse(text, &[]).unwrap();
    let expected = vec![
        column("flag", Boolean, false),
        column("n", Int, true),
        column("id", Bigint, false),
        column("f", Float, true),
        column("d", Double, false),
        column("s", Text, false),
        column("raw", Bytes, true),
        column("mac", Bytes, false),
        column("uuid", Text, false),
        column("took", Text, false),
        column("price", decimal(10, 4), false),
        column("oracle", decimal(127, 127), false),
        column("round", decimal(66, 0), false),
        column("big", Any, false),
        column("day", Date, false),
        column("opens", Time { digits: 3 }, false),
        column("closes", Time { digits: 6 }, false),
        column("at", Timestamp { digits: 3, utc: true }, true),
        column(
            "local",
            Timestamp {
                digits: 9,
                utc: false,
            },
            false,
        ),
        column("state", Enum(vec!["on".to_owned(), "\"off\"".to_owned()]), false),
        column("list", Array, false),
        column("map", Map, false),
        column("entries", Map, false),
        column("self", Record, true),
        column("either", Any, true),
        column("none", Any, true),
    ];
    let expected = SchemaShape {
        columns: Some(expected),
        top: Record,
    };
    assert_eq!(schema.shape().unwrap(), expected);
}
