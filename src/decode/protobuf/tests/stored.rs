//! The columns of messages in typed files.

use super::{Fixture, hex, schema, written};
use crate::decode::registered::PayloadReader;
use crate::types::stored::StoredType;

const NESTED: &str = r#"
syntax = "proto3";
import "google/protobuf/wrappers.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/any.proto";
import "google/type/date.proto";
message Order {
  int32 i = 1;
  uint32 u = 2;
  fixed64 big = 3;
  float f = 4;
  optional string note = 5;
  bytes raw = 6;
  State state = 7;
  Line best = 8;
  repeated Line lines = 9;
  map<int32, Line> by_number = 10;
  oneof paid { bool cash = 11; Card card = 12; }
  google.protobuf.Int64Value count = 13;
  google.protobuf.Timestamp at = 14;
  google.type.Date day = 15;
  google.protobuf.Struct json = 16;
  google.protobuf.Any any = 17;
  repeated TagEntry tags = 18;
  Nothing nothing = 19;
  repeated sint64 numbers = 20;
  Order before = 21;
  map<string, google.protobuf.StringValue> words = 22;
}
enum State { NEW = 0; PAID = 1; }
message Line { string item = 1; double price = 2; Order of = 3; repeated Line parts = 4; }
message Card { string number = 1; }
message TagEntry { string key = 1; string value = 2; }
message Nothing {}
message Other { int64 i = 1; bool more = 2; }
"#;

/// One of all fields; its parts by hand.
const WHOLE: &str = "0807 10ffffffff0f 19ffffffffffffffff 25cdcccc3d 2a026f6b 3203 000102 3801 \
    420e 0a0361 6161 11000000000000f8 3f 4a00 4a05 0a0378 7978 5207 0807 1203 0a0179 \
    62030a0131 6a020805 720608 80e2cfaa06 7a07 08e90f 100a 181f 8201 07 0a05 0a0161 1200 8a0100 \
    9201060a01741201759a0100a2010303060a aa0102080b b20109 0a0161 1204 0a0262 63";

fn shown(columns: &[(String, StoredType)]) -> Vec<String> {
    columns
        .iter()
        .map(|(name, kind)| format!("{name} {kind}"))
        .collect()
}

#[test]
fn a_message_declares_what_it_is_written_as() {
    let schema = schema(NESTED);
    assert!(
        schema.stored_columns(None).unwrap().is_empty(),
        "no record was read"
    );
    written(&schema, &[]).unwrap();
    assert_eq!(
        shown(&schema.stored_columns(None).unwrap()),
        [
            "i INT",
            "u BIGINT",
            "big DECIMAL(20,0)",
            "f DOUBLE",
            "note VARCHAR",
            "raw BYTES",
            "state VARCHAR",
            "best STRUCT(item VARCHAR, price DOUBLE, of JSON, parts JSON[])",
            "lines STRUCT(item VARCHAR, price DOUBLE, of JSON, parts JSON[])[]",
            "by_number MAP(VARCHAR, STRUCT(item VARCHAR, price DOUBLE, of JSON, parts JSON[]))",
            "cash BOOLEAN",
            "card STRUCT(number VARCHAR)",
            "count BIGINT",
            "at VARCHAR",
            "day DATE",
            "json JSON",
            "any JSON",
            "tags JSON",
            "nothing JSON",
            "numbers BIGINT[]",
            "before JSON",
            "words MAP(VARCHAR, VARCHAR)",
        ]
    );
}

#[test]
fn only_messages_that_were_written_declare_columns() {
    let schema = schema(NESTED);
    let mut out = String::new();
    // The sixth of the file.
    schema.write(Some(&[2, 10]), &[], &mut out).unwrap();
    assert_eq!(out, r#"{"i":0,"more":false}"#);
    assert_eq!(
        shown(&schema.stored_columns(None).unwrap()),
        ["i BIGINT", "more BOOLEAN"]
    );
}

#[test]
fn a_message_in_an_envelope_declares_the_rows_columns() {
    let schema = schema(
        "syntax = \"proto3\"; message Envelope { Row before = 1; Row after = 2; string op = 3; } message Row { int32 id = 1; }",
    );
    written(&schema, &[]).unwrap();
    assert_eq!(shown(&schema.stored_columns(Some("after")).unwrap()), ["id INT"]);
    assert!(schema.stored_columns(Some("op")).unwrap().is_empty());
    assert!(schema.stored_columns(Some("row")).unwrap().is_empty());
}

/// The columns that a schema declares, and messages of it as JSON.
type DeclaredMessages = (Vec<(String, StoredType)>, Vec<String>);

pub(crate) fn declared_messages() -> Vec<DeclaredMessages> {
    let nested = schema(NESTED);
    let messages =
        [&hex(WHOLE)[..], &[], &[0x4a, 0, 0x4a, 0, 0x58, 0]].map(|bytes| written(&nested, bytes).unwrap());
    let mut all = vec![(nested.stored_columns(None).unwrap(), messages.to_vec())];
    for fixture in Fixture::all() {
        let (schema, mut out) = (fixture.parse(), String::new());
        schema.write(None, &fixture.bytes(), &mut out).unwrap();
        all.push((schema.stored_columns(None).unwrap(), vec![out]));
    }
    all
}
