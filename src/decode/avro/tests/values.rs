//! Payloads made by hand.

use super::json;

#[track_caller]
fn writes(schema: &str, payload: &[u8], text: &str) {
    assert_eq!(json(schema, payload).as_deref(), Ok(text), "{schema}");
}

#[track_caller]
fn logical(plain: &str, logical: &str, payload: &[u8], text: &str) {
    writes(
        &format!(r#"{{"type":"{plain}","logicalType":"{logical}"}}"#),
        payload,
        text,
    );
}

#[test]
fn plain_types() {
    writes(r#""null""#, &[], "null");
    writes(r#""boolean""#, &[0], "false");
    writes(r#""boolean""#, &[1], "true");
    writes(r#""int""#, &[0x54], "42");
    writes(r#""int""#, &[0xff, 0xff, 0xff, 0xff, 0x0f], "-2147483648");
    writes(
        r#""long""#,
        &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        "9223372036854775807",
    );
    writes(r#""float""#, &0.1f32.to_le_bytes(), "0.1");
    writes(r#""float""#, &f32::INFINITY.to_le_bytes(), r#""Infinity""#);
    writes(r#""double""#, &0.1f64.to_le_bytes(), "0.1");
    writes(r#""double""#, &(-0.0f64).to_le_bytes(), "-0.0");
    writes(r#""double""#, &f64::NAN.to_le_bytes(), r#""NaN""#);
    writes(r#""double""#, &f64::NEG_INFINITY.to_le_bytes(), r#""-Infinity""#);
    writes(r#""bytes""#, &[4, 0xff, 0xfe], r#""//4=""#);
    writes(r#""bytes""#, &[0], r#""""#);
    writes(r#""string""#, &[0], r#""""#);
    writes(
        r#""string""#,
        b"\x12\x01\"\\\n\r\t\x08/\x7f",
        "\"\\u0001\\\"\\\\\\n\\r\\t\\b/\x7f\"",
    );
    writes(r#"{"type":"fixed","name":"F","size":3}"#, &[1, 2, 3], r#""AQID""#);
    writes(r#"{"type":"fixed","name":"F","size":0}"#, &[], r#""""#);
    writes(
        r#"{"type":"enum","name":"E","symbols":["A","b\"c"]}"#,
        &[2],
        r#""b\"c""#,
    );
}

#[test]
fn logical_types() {
    logical("int", "date", &[0], r#""1970-01-01""#);
    logical("int", "date", &[1], r#""1969-12-31""#);
    logical("int", "date", &[0xfe, 0xff, 0xff, 0xff, 0x0f], "2147483647");
    logical("int", "time-millis", &[2], r#""00:00:00.001""#);
    logical("int", "time-millis", &[1], "-1");
    logical("long", "time-micros", &[2], r#""00:00:00.000001""#);
    logical("long", "timestamp-millis", &[1], r#""1969-12-31T23:59:59.999Z""#);
    logical(
        "long",
        "timestamp-micros",
        &[2],
        r#""1970-01-01T00:00:00.000001Z""#,
    );
    logical(
        "long",
        "timestamp-nanos",
        &[2],
        r#""1970-01-01T00:00:00.000000001Z""#,
    );
    logical(
        "long",
        "local-timestamp-millis",
        &[0],
        r#""1970-01-01T00:00:00.000""#,
    );
    logical(
        "long",
        "local-timestamp-micros",
        &[0],
        r#""1970-01-01T00:00:00.000000""#,
    );
    logical(
        "long",
        "local-timestamp-nanos",
        &[0],
        r#""1970-01-01T00:00:00.000000000""#,
    );
    logical(
        "string",
        "uuid",
        b"\x48550e8400-e29b-41d4-a716-446655440000",
        r#""550e8400-e29b-41d4-a716-446655440000""#,
    );
    writes(
        r#"{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}"#,
        &[
            0x05, 0x0e, 0x84, 0, 0xe2, 0x9b, 0x41, 0xd4, 0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0, 0,
        ],
        r#""050e8400-e29b-41d4-a716-446655440000""#,
    );
    writes(
        r#"{"type":"fixed","name":"D","size":12,"logicalType":"duration"}"#,
        &[1, 0, 0, 0, 2, 0, 0, 0, 0xbc, 0x0b, 0, 0],
        r#""P1M2DT3.004S""#,
    );
    logical("bytes", "big-decimal", &[8, 4, 0x30, 0x39, 4], "123.45");
}

#[test]
fn decimals() {
    let bytes = r#"{"type":"bytes","logicalType":"decimal","precision":38,"scale":3}"#;
    writes(bytes, &[4, 0x30, 0x39], "12.345");
    writes(bytes, &[2, 0xff], "-0.001");
    writes(bytes, &[0], "0.000");
    let fixed = r#"{"type":"fixed","name":"F","size":4,"logicalType":"decimal","precision":9}"#;
    writes(fixed, &[0xff, 0xff, 0xff, 0xfe], "-2");
    // 400 digits are a number too, though not one that readers of JSON take.
    let mut huge = vec![0xcc, 0x02];
    huge.extend([0x7f; 166]);
    let text = json(bytes, &huge).unwrap();
    assert_eq!(text.len(), 401);
    assert_eq!(text.find('.'), Some(397));
}

/// "Implementations should ignore the logical type and use the underlying type."
#[test]
fn logical_types_that_are_not_valid_are_ignored() {
    logical("bytes", "decimal", &[2, 1], r#""AQ==""#);
    logical("long", "date", &[2], "1");
    logical("int", "timestamp-millis", &[2], "1");
    logical("string", "money", &[2, b'x'], r#""x""#);
    logical("bytes", "uuid", &[2, 1], r#""AQ==""#);
    for (precision, scale) in [
        ("2", "3"),
        ("0", "0"),
        ("5", "-1"),
        ("5", "\"2\""),
        ("5000", "4000"),
    ] {
        writes(
            &format!(r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":{scale}}}"#),
            &[2, 1],
            r#""AQ==""#,
        );
    }
    // Beside a field's type, and not in it, Java ignores it as well.
    writes(
        r#"{"type":"record","name":"R","fields":[{"name":"d","type":"int","logicalType":"date"}]}"#,
        &[2],
        r#"{"d":1}"#,
    );
}

#[test]
fn connects_logical_types() {
    let connect = |plain: &str, name: &str, more: &str, payload: &[u8], text: &str| {
        let schema =
            format!(r#"{{"type":"{plain}","connect.name":"org.apache.kafka.connect.data.{name}"{more}}}"#);
        writes(&schema, payload, text);
    };
    connect("int", "Date", "", &[2], r#""1970-01-02""#);
    connect("int", "Time", "", &[2], r#""00:00:00.001""#);
    connect("long", "Timestamp", "", &[2], r#""1970-01-01T00:00:00.001Z""#);
    let scale = r#","connect.parameters":{"scale":"2"}"#;
    connect("bytes", "Decimal", scale, &[2, 5], "0.05");
    // Oracle's NUMBER, as the JDBC source connector sends it.
    let number = r#","logicalType":"decimal","precision":64,"scale":127"#;
    connect(
        "bytes",
        "Decimal",
        number,
        &[2, 5],
        &format!("0.{}5", "0".repeat(126)),
    );
    connect(
        "bytes",
        "Decimal",
        r#","logicalType":"decimal","precision":64,"scale":-2"#,
        &[2, 5],
        "500",
    );
}

#[test]
fn blocks() {
    let longs = r#"{"type":"array","items":"long"}"#;
    writes(longs, &[0], "[]");
    writes(longs, &[4, 2, 4, 0], "[1,2]");
    writes(longs, &[2, 2, 2, 4, 0], "[1,2]");
    // A negative count comes with the block's size in bytes.
    writes(longs, &[3, 4, 2, 4, 1, 2, 6, 0], "[1,2,3]");
    writes(longs, &[0x83, 0, 4, 2, 4, 0], "[1,2]");
    let map = r#"{"type":"map","values":{"type":"array","items":["null","boolean"]}}"#;
    writes(map, &[0], "{}");
    writes(
        map,
        b"\x02\x02a\x04\x02\x01\x00\x00\x01\x06\x02\"\x00\x00",
        r#"{"a":[true,null],"\"":[]}"#,
    );
    writes(
        r#"{"type":"map","values":"null"}"#,
        b"\x02\x02a\x00",
        r#"{"a":null}"#,
    );
    writes(
        r#"{"type":"array","items":{"type":"record","name":"R","fields":[]}}"#,
        &[4, 0],
        "[{},{}]",
    );
}

#[test]
fn maps_as_arrays_of_entries() {
    let maps = |key: &str, marked: &str| {
        format!(
            r#"{{"type":"array","items":{{"type":"record","name":"E","fields":[
            {{"name":"key","type":{key}}},{{"name":"value","type":"int"}}]{marked}}}}}"#
        )
    };
    let marked = r#","connect.internal.type":"MapEntry""#;
    let nullable = maps(r#"["null","string"]"#, marked);
    writes(&nullable, &[0], "{}");
    writes(
        &nullable,
        b"\x04\x02\x02a\x02\x02\x02b\x04\x00",
        r#"{"a":1,"b":2}"#,
    );
    writes(
        &nullable,
        b"\x04\x02\x02a\x02\x00\x04\x00",
        r#"[{"key":"a","value":1},{"key":null,"value":2}]"#,
    );
    writes(
        &nullable,
        b"\x04\x02\x02a\x02\x02\x02a\x04\x00",
        r#"[{"key":"a","value":1},{"key":"a","value":2}]"#,
    );
    writes(
        &maps(
            r#""string""#,
            r#","namespace":"x","connect.internal.type":"MapEntry""#,
        ),
        b"\x02\x02a\x02\x00",
        r#"{"a":1}"#,
    );
    writes(
        &maps(r#""int""#, marked),
        &[2, 2, 4, 0],
        r#"[{"key":1,"value":2}]"#,
    );
    writes(
        &maps(r#""string""#, ""),
        b"\x02\x02a\x02\x00",
        r#"[{"key":"a","value":1}]"#,
    );
    let older = r#","namespace":"io.confluent.connect.avro""#;
    let older = maps(r#""string""#, older).replace(r#""E""#, r#""MapEntry""#);
    writes(&older, b"\x02\x02a\x02\x00", r#"{"a":1}"#);
}

/// Many keys are compared in another way than a few.
#[test]
fn a_key_twice_among_many() {
    let schema = r#"{"type":"array","items":{"type":"record","name":"E","connect.internal.type":"MapEntry",
        "fields":[{"name":"key","type":"string"},{"name":"value","type":"null"}]}}"#;
    let mut payload = vec![0x50];
    for key in 0..40 {
        payload.extend([2, b'0' + key]);
    }
    payload.push(0);
    assert!(
        json(schema, &payload)
            .unwrap()
            .starts_with(r#"{"0":null,"1":null,"#)
    );
    payload[80] = b'0';
    assert!(
        json(schema, &payload)
            .unwrap()
            .starts_with(r#"[{"key":"0","value":null},"#)
    );
}

/// Whether they nest does not matter: each level is written once.
#[test]
fn entries_in_entries() {
    let schema = r#"{"type":"record","name":"T","fields":[{"name":"m","type":{"type":"array","items":
        {"type":"record","name":"E","connect.internal.type":"MapEntry",
        "fields":[{"name":"key","type":"string"},{"name":"value","type":["null","T"]}]}}}]}"#;
    let mut payload = Vec::new();
    for _ in 0..60 {
        payload.extend(b"\x04\x02a\x00\x02a\x02");
    }
    payload.push(0);
    payload.extend([0; 60]);
    let text = json(schema, &payload).unwrap();
    assert_eq!(text.matches(r#"{"key":"a","value":null}"#).count(), 60);
    assert!(text.contains(r#"{"m":{}}"#));
}
