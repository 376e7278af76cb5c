//! `fixtures.json` was made with protoc, Python's protobuf and Confluent's serializer: a schema as a registry holds it, the
//! bytes behind the schema's id, and the JSON by hand.

mod random;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::decode::schema::SchemaType;

#[derive(Deserialize)]
pub(super) struct Fixture {
    name: String,
    schema: String,
    references: BTreeMap<String, String>,
    hex: String,
    json: String,
}

impl Fixture {
    pub(super) fn all() -> Vec<Fixture> {
        serde_json::from_str(include_str!("tests/fixtures.json")).unwrap()
    }

    pub(super) fn parse(&self) -> ProtobufSchema {
        ProtobufSchema::parse(&self.schema, &self.references()).unwrap()
    }

    pub(super) fn references(&self) -> Vec<Reference> {
        let reference = |(name, text): (&String, &String)| Reference {
            name: name.clone(),
            text: text.clone(),
        };
        self.references.iter().map(reference).collect()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        hex(&self.hex)
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn schema(text: &str) -> ProtobufSchema {
    ProtobufSchema::parse(text, &[]).unwrap()
}

/// What the first message of a schema becomes, or the reason why not.
fn written(schema: &ProtobufSchema, message: &[u8]) -> Result<String, String> {
    let mut out = String::new();
    let indexes: &[u8] = &[0];
    match schema.write(Some(indexes), message, &mut out) {
        Ok(_) => Ok(out),
        Err(reason) => {
            assert_eq!(out, "", "what was written before the fault is still there");
            Err(reason.to_string())
        }
    }
}

fn assert_written(proto: &str, cases: &[(&str, &str)]) {
    let schema = schema(proto);
    for (bytes, expected) in cases {
        let found = written(&schema, &hex(bytes)).unwrap_or_else(|reason| format!("!{reason}"));
        assert_eq!(found, *expected, "{bytes}");
    }
}

#[test]
fn what_other_programs_wrote_is_read() {
    for fixture in Fixture::all() {
        let mut out = String::new();
        let written = fixture.parse().write(None, &fixture.bytes(), &mut out);
        written.unwrap_or_else(|reason| panic!("{}: {reason}", fixture.name));
        assert_eq!(out, fixture.json, "{}", fixture.name);
    }
}

#[test]
fn fields_are_in_the_order_of_their_declaration() {
    assert_written(
        "syntax = \"proto3\"; message M { int32 z = 9; int32 a = 2; oneof o { int32 m = 1; } int32 b = 3; }",
        &[
            ("0801 1002 1803 4809", r#"{"z":9,"a":2,"m":1,"b":3}"#),
            ("4809 1803 1002", r#"{"z":9,"a":2,"b":3}"#),
        ],
    );
}

#[test]
fn the_last_value_counts_and_messages_are_merged() {
    assert_written(
        "syntax = \"proto3\"; message M { int32 n = 1; M m = 2; repeated int32 r = 3; string s = 4; }",
        &[
            ("0801 0802", r#"{"n":2,"m":null,"r":[],"s":""}"#),
            ("2201 61 2200", r#"{"n":0,"m":null,"r":[],"s":""}"#),
            (
                "1204 0801 1801 1204 1802 2200 1202 0805",
                r#"{"n":0,"m":{"n":5,"m":null,"r":[1,2],"s":""},"r":[],"s":""}"#,
            ),
            (
                "1204 1202 0801 1205 1203 2201 78",
                r#"{"n":0,"m":{"n":0,"m":{"n":1,"m":null,"r":[],"s":"x"},"r":[],"s":""},"r":[],"s":""}"#,
            ),
        ],
    );
}

#[test]
fn the_last_member_of_a_oneof_counts() {
    let proto = "syntax = \"proto3\"; message M { oneof o { int32 n = 1; string s = 2; M m = 3; } optional int32 x = 4; }";
    assert_written(
        proto,
        &[
            ("", r#"{"x":null}"#),
            ("0801 1201 61", r#"{"s":"a","x":null}"#),
            ("1201 61 0801", r#"{"n":1,"x":null}"#),
            ("1a02 0801 1a02 2005", r#"{"m":{"n":1,"x":5},"x":null}"#),
            // What was there before another member is gone.
            ("1a02 0801 1200 1a02 2005", r#"{"m":{"x":5},"x":null}"#),
            ("1a02 0801 1a02 1200", r#"{"m":{"s":"","x":null},"x":null}"#),
        ],
    );
}

#[test]
fn packed_and_single_values_are_one_list() {
    let proto = "syntax = \"proto3\"; message M { repeated int32 a = 1 [packed = false]; repeated fixed32 b = 2; \
                 repeated string s = 3; repeated bool t = 4; }";
    assert_written(
        proto,
        &[
            (
                "0a02 0102 0803 0a00 1501000000 1204 02000000 2001 2202 0002",
                r#"{"a":[1,2,3],"b":[1,2],"s":[],"t":[true,false,true]}"#,
            ),
            ("1203 010000", "!M.b: the bytes end within a value"),
            ("0a01 80", "!M.a: the bytes end within a value"),
        ],
    );
}

#[test]
fn numbers_are_cut_to_their_width() {
    assert_written(
        "syntax = \"proto3\"; message M { int32 i = 1; uint32 u = 2; sint32 s = 3; bool b = 4; E e = 5; int64 l = 6; } \
         enum E { Z = 0; N = -1; }",
        &[
            ("08 8080808010", r#"{"i":0,"u":0,"s":0,"b":false,"e":"Z","l":0}"#),
            (
                "08 ffffffffffffffffff01",
                r#"{"i":-1,"u":0,"s":0,"b":false,"e":"Z","l":0}"#,
            ),
            (
                "10 ffffffffffffffffff01 18 ffffffffffffffffff01",
                r#"{"i":0,"u":4294967295,"s":-2147483648,"b":false,"e":"Z","l":0}"#,
            ),
            (
                "20 8002 28 ffffffff0f",
                r#"{"i":0,"u":0,"s":0,"b":true,"e":"N","l":0}"#,
            ),
            (
                "30 ffffffffffffffffff01",
                r#"{"i":0,"u":0,"s":0,"b":false,"e":"Z","l":-1}"#,
            ),
        ],
    );
}

#[test]
fn unknown_fields_are_ignored() {
    let schema = "syntax = \"proto3\"; message M { int32 n = 1; string s = 2; }";
    let known = r#"{"n":1,"s":""}"#;
    let cases = [
        "1805",
        "19 0102030405060708",
        "1a03 ffffff",
        "1d 01020304",
        "1b 0805 1b 1c 1c",
        "f8ffffff0f01",
    ];
    let cases: Vec<String> = cases.iter().map(|unknown| format!("{unknown} 0801")).collect();
    let cases: Vec<(&str, &str)> = cases.iter().map(|bytes| (bytes.as_str(), known)).collect();
    assert_written(schema, &cases);
}

/// They would be lost otherwise: to other parsers they are unknown fields.
#[test]
fn values_of_another_wire_type_are_damage() {
    let schema = "syntax = \"proto3\"; message M { int32 n = 1; string s = 2; map<string, int32> m = 3; repeated string l = 4; \
                  repeated fixed32 p = 5; optional int32 x = 600; oneof o { M o1 = 7; } }";
    assert_written(
        schema,
        &[
            ("0801 1005", "!M.s: field 2 has another wire type"),
            ("0801 0a01 61", "!M.n: field 1 has another wire type"),
            ("0801 0d 01020304", "!M.n: field 1 has another wire type"),
            ("0801 0b 0c", "!M.n: field 1 has another wire type"),
            ("1805", "!M.m: field 3 has another wire type"),
            ("1a02 0801", "!M.MEntry.key: field 1 has another wire type"),
            ("1a04 0a00 1200", "!M.MEntry.value: field 2 has another wire type"),
            ("2005", "!M.l: field 4 has another wire type"),
            ("2805", "!M.p: field 5 has another wire type"),
            ("c225 0161", "!M.x: field 600 has another wire type"),
            ("3a02 1005", "!M.s: field 2 has another wire type"),
        ],
    );
    let schema = "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/wrappers.proto\"; \
                  message M { google.protobuf.Timestamp t = 1; google.protobuf.Int32Value w = 2; }";
    assert_written(
        schema,
        &[
            (
                "0a02 0a00",
                "!google.protobuf.Timestamp.seconds: field 1 has another wire type",
            ),
            (
                "1202 0a00",
                "!google.protobuf.Int32Value.value: field 1 has another wire type",
            ),
        ],
    );
}

#[test]
fn the_reason_names_what_is_damaged() {
    assert_written(
        "syntax = \"proto3\"; package shop; message Order { string name = 1; Line line = 2; fixed64 f = 3; map<string, int32> m = 4; } \
         message Line { string sku = 1; }",
        &[
            ("0a01 ff", "!shop.Order.name: not UTF-8"),
            ("1203 0a01 ff", "!shop.Line.sku: not UTF-8"),
            ("2203 0a01 ff", "!shop.Order.MEntry.key: not UTF-8"),
            ("0a05 61", "!shop.Order: the bytes end within a value"),
            (
                "0a ffffffffffffffffff01",
                "!shop.Order: the bytes end within a value",
            ),
            ("0a", "!shop.Order: the bytes end within a value"),
            ("19 00", "!shop.Order: the bytes end within a value"),
            ("1202 0a05", "!shop.Line: the bytes end within a value"),
            (
                "08 ffffffffffffffffffff",
                "!shop.Order: a varint has more than 10 bytes",
            ),
            ("00", "!shop.Order: there is no such field number"),
            (
                "80808080808080808001 00",
                "!shop.Order: there is no such field number",
            ),
            ("0e", "!shop.Order: there is no such wire type"),
            ("0f", "!shop.Order: there is no such wire type"),
            ("2c", "!shop.Order: a group ends that did not begin"),
            ("2b 34", "!shop.Order: a group ends that did not begin"),
            ("2b 0801", "!shop.Order: a group does not end"),
        ],
    );
    assert_written(
        "message M { required int32 id = 1; optional M m = 2; }",
        &[
            ("", "!M.id: required, and not there"),
            ("0801 1200", "!M.id: required, and not there"),
        ],
    );
}

#[test]
fn of_entries_with_the_same_key_the_last_one_counts() {
    assert_written(
        "syntax = \"proto3\"; message M { map<string, int32> s = 1; map<int32, M> m = 2; map<bool, bytes> b = 3; }",
        &[
            (
                "0a05 0a01 61 1001 0a05 0a01 62 1002 0a05 0a01 61 1003",
                r#"{"s":{"b":2,"a":3},"m":{},"b":{}}"#,
            ),
            ("0a02 1001 0a00", r#"{"s":{"":0},"m":{},"b":{}}"#),
            (
                "1200 1202 0807",
                r#"{"s":{},"m":{"0":{"s":{},"m":{},"b":{}},"7":{"s":{},"m":{},"b":{}}},"b":{}}"#,
            ),
            (
                "1a00 1a05 0801 1201 ff",
                r#"{"s":{},"m":{},"b":{"false":"","true":"/w=="}}"#,
            ),
            // A key or value twice in an entry.
            ("0a08 0a01 61 0a01 62 1001", r#"{"s":{"b":1},"m":{},"b":{}}"#),
        ],
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize, tag: u8| {
        let mut bytes = Vec::new();
        for _ in 0..levels {
            bytes = [&[tag][..], &varint(bytes.len() as u64), &bytes].concat();
        }
        bytes
    };
    let schema = schema(
        "syntax = \"proto3\"; message M { M m = 1; repeated REntry r = 2; message REntry { string key = 1; repeated REntry value = 2; } }",
    );
    assert!(written(&schema, &nested(126, 0x0a)).is_ok());
    assert_eq!(
        written(&schema, &nested(127, 0x0a)).unwrap_err(),
        "M: nested more than 127 levels deep"
    );
    assert_eq!(
        written(&schema, &nested(5_000, 0x0a)).unwrap_err(),
        "M: nested more than 127 levels deep"
    );
    assert_eq!(
        written(&schema, &nested(1_000, 0x12)).unwrap_err(),
        "M.REntry: nested more than 127 levels deep"
    );
    // Both as parts, and as groups that nobody knows.
    let twice = [nested(5_000, 0x0a), nested(5_000, 0x0a)].concat();
    assert_eq!(
        written(&schema, &twice).unwrap_err(),
        "M: nested more than 127 levels deep"
    );
    let groups = vec![0x1b; 100_000];
    assert_eq!(
        written(&schema, &groups).unwrap_err(),
        "M: groups are nested more than 127 levels deep"
    );
}

#[test]
fn the_text_of_a_few_bytes_is_bounded() {
    let fields: String = (3..60)
        .map(|n| format!("string a_rather_long_name_of_a_field_{n} = {n};"))
        .collect();
    let schema = schema(&format!(
        "syntax = \"proto3\"; message M {{ repeated M m = 1; {fields} }}"
    ));
    let bytes = [0x0a, 0x00].repeat(100_000);
    assert_eq!(
        written(&schema, &bytes).unwrap_err(),
        "M.m: the message is too long as JSON"
    );
}

#[test]
fn indexes_lead_to_the_message() {
    let schema = schema(
        "syntax = \"proto3\"; message A { int32 a = 1; } message B { map<string, int32> m = 1; message C { int32 c = 1; } }",
    );
    let write = |indexes: Option<&[u8]>, payload: &[u8]| {
        let mut out = String::new();
        schema
            .write(indexes, payload, &mut out)
            .map(|_| out)
            .map_err(|reason| reason.to_string())
    };
    let a = Ok("{\"a\":7}".to_owned());
    assert_eq!(write(None, &hex("00 0807")), a);
    assert_eq!(write(None, &hex("0200 0807")), a);
    assert_eq!(write(Some(&[0]), &hex("0807")), a);
    // A header without indexes means the first message.
    assert_eq!(write(Some(&[]), &hex("0807")), a);
    // Counted with the map's entry, and without.
    let c = Ok("{\"c\":7}".to_owned());
    assert_eq!(write(None, &hex("04 02 02 0807")), c);
    assert_eq!(write(None, &hex("04 02 00 0807")), c);
    assert_eq!(write(Some(&hex("04 02 00")), &hex("0807")), c);
    let faults = [
        ("", "the bytes end within a value"),
        ("02", "the bytes end within a value"),
        ("0204", "the schema has no such message"),
        ("0201", "the schema has no such message"),
        ("04 0000", "the schema has no such message"),
        ("01", "there is no such number of them"),
        ("feffffff0f", "there is no such number of them"),
    ];
    for (bytes, fault) in faults {
        assert_eq!(
            write(None, &hex(bytes)),
            Err(format!("message indexes: {fault}")),
            "{bytes}"
        );
    }
    assert_eq!(
        write(Some(&[0, 0]), &[]),
        Err("message indexes: there are bytes behind them".to_owned())
    );
}

#[test]
fn entries_with_any_key_of_a_map_are_a_map() {
    let schema = schema(
        "syntax = \"proto3\"; message M { repeated NEntry n = 1; repeated FEntry f = 2; repeated BEntry b = 3; \
         message NEntry { int32 key = 1; string value = 2; } message FEntry { float key = 1; int32 value = 2; } \
         message BEntry { bool key = 1; int32 value = 2; } }",
    );
    let bytes = hex("0a05 0807 1201 78  0a04 0808 1200  1207 0d 0000803f 1001  1a04 0801 1002");
    assert_eq!(
        written(&schema, &bytes).unwrap(),
        r#"{"n":{"7":"x","8":""},"f":[{"key":1.0,"value":1}],"b":{"true":2}}"#
    );
}

#[test]
fn columns_are_those_of_the_first_message() {
    let schema = schema(
        r#"syntax = "proto3";
        import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto"; import "google/protobuf/struct.proto";
        import "google/type/date.proto"; import "google/type/timeofday.proto"; import "google/type/datetime.proto";
        import "confluent/meta.proto"; import "confluent/type/decimal.proto";
        message M {
            uint64 z = 9; uint32 a = 2; optional sint32 i = 3; int64 l = 4; float f = 5; double d = 6; bool b = 7; string s = 8; bytes y = 1;
            E e = 10; google.protobuf.Timestamp ts = 11; google.type.Date day = 12; google.type.TimeOfDay time = 13; google.type.DateTime dt = 14;
            confluent.type.Decimal sum = 15 [(confluent.field_meta) = { params: [ { key: "precision", value: "10" }, { key: "scale", value: "2" } ] }];
            confluent.type.Decimal free = 16; google.protobuf.Int64Value wrapped = 17; google.protobuf.Struct json = 18; google.protobuf.Value any = 19;
            M m = 20; repeated int32 list = 21; map<string, int32> map = 22; repeated XEntry entries = 23; oneof o { string member = 24; }
            message XEntry { string key = 1; int32 value = 2; }
        }
        enum E { ONE = 0; TWO = 5; }"#,
    );
    let columns = schema.shape().unwrap().columns.unwrap();
    let found: Vec<_> = columns
        .iter()
        .map(|c| (c.name.as_str(), c.kind.clone(), c.nullable))
        .collect();
    let decimal = SchemaType::Decimal {
        precision: 10,
        scale: 2,
    };
    let timestamp = SchemaType::Timestamp { digits: 9, utc: true };
    let names = SchemaType::Enum(vec!["ONE".to_owned(), "TWO".to_owned()]);
    let expected = [
        ("z", SchemaType::UnsignedBigint, false),
        ("a", SchemaType::Bigint, false),
        ("i", SchemaType::Int, true),
        ("l", SchemaType::Bigint, false),
        ("f", SchemaType::Float, false),
        ("d", SchemaType::Double, false),
        ("b", SchemaType::Boolean, false),
        ("s", SchemaType::Text, false),
        ("y", SchemaType::Bytes, false),
        ("e", names, false),
        ("ts", timestamp, true),
        ("day", SchemaType::Date, true),
        ("time", SchemaType::Time { digits: 9 }, true),
        ("dt", SchemaType::Text, true),
        ("sum", decimal, true),
        ("free", SchemaType::Any, true),
        ("wrapped", SchemaType::Bigint, true),
        ("json", SchemaType::Map, true),
        ("any", SchemaType::Any, true),
        ("m", SchemaType::Record, true),
        ("list", SchemaType::Array, false),
        ("map", SchemaType::Map, false),
        ("entries", SchemaType::Map, false),
        ("member", SchemaType::Text, true),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_schema_that_is_none_says_why_and_where() {
    let fault = |text: &str, references: &[Reference]| {
        ProtobufSchema::parse(text, references).unwrap_err().to_string()
    };
    let start = "syntax = \"proto3\";\n";
    assert_eq!(
        fault("syntax = \"proto3\";\nmessage M { Nobody n = 1; }", &[]),
        "schema.proto:2:13: name 'Nobody' is not defined"
    );
    assert_eq!(
        fault(&format!("{start}import \"who.proto\";"), &[]),
        "schema.proto:2:1: import 'who.proto' not found"
    );
    assert_eq!(fault(start, &[]), "the .proto has no message");
    assert_eq!(fault("", &[]), "the .proto has no message");
    let edition = "the .proto has an edition: only proto2 and proto3 are supported";
    assert_eq!(fault("edition = \"2023\";\nmessage M {}", &[]), edition);
    // What Python registers of the same: `syntax` is "editions".
    assert_eq!(
        fault(
            "Cgpyb290LnByb3RvIhEKAU0SDAoBbhgBIAEoBVIBbmIIZWRpdGlvbnNw6Ac=",
            &[]
        ),
        format!("schema.proto: {edition}")
    );
    assert_eq!(fault("AAAA", &[]), "schema.proto: there is no such field number");
    for (text, expected) in [
        (
            "message 5 {}",
            "b.proto:1:9: expected an identifier, but found '5'",
        ),
        (
            "message",
            "b.proto: expected an identifier, but reached end of file",
        ),
    ] {
        let other = Reference {
            name: "b.proto".to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(
            fault(&format!("{start}import \"b.proto\"; message M {{}}"), &[other]),
            expected
        );
    }
}

#[test]
fn each_file_that_is_brought_along_compiles() {
    let imports: String = known::known_names()
        .map(|name| format!("import \"{name}\";\n"))
        .collect();
    let schema = schema(&format!(
        "syntax = \"proto3\";\n{imports}message M {{ google.type.Color c = 1; }}"
    ));
    assert_eq!(
        written(&schema, &hex("0a07 2200 0d 0000803f")).unwrap(),
        r#"{"c":{"red":1.0,"green":0.0,"blue":0.0,"alpha":0.0}}"#
    );
}

proptest! {
    /// Decimal digits, by arithmetic of 128 bits.
    #[test]
    fn decimals_are_exact(unscaled in any::<i128>(), shift in 0u32..128, scale in -10i32..50) {
        let unscaled = unscaled >> shift;
        let bytes = unscaled.to_be_bytes();
        let decimal = [&[0x0a, 16][..], &bytes, &[0x18], &varint(i64::from(scale) as u64)].concat();
        let message = [&[0x12, decimal.len() as u8][..], &decimal].concat();
        let schema = schema("syntax = \"proto3\"; import \"confluent/type/decimal.proto\"; message M { confluent.type.Decimal d = 2; }");
        let json = written(&schema, &message).unwrap();
        let text = json.strip_prefix("{\"d\":").and_then(|rest| rest.strip_suffix('}')).unwrap();
        let places = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        prop_assert_eq!(places, usize::try_from(scale).unwrap_or(0));
        let mut digits = text.replace('.', "");
        if scale < 0 && unscaled != 0 {
            let zeros = "0".repeat(scale.unsigned_abs() as usize);
            prop_assert!(digits.ends_with(&zeros));
            digits.truncate(digits.len() - zeros.len());
        }
        prop_assert_eq!(digits.parse::<i128>().unwrap(), unscaled);
    }
}
