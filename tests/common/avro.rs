//! Records as serializers of a registry write them, by hand.

/// A record of a text and a whole number.
pub const PERSON: &str =
    r#"{"type":"record","name":"P","fields":[{"name":"NAME","type":"string"},{"name":"N","type":"long"}]}"#;
pub const PERSON_PROTO: &str = "syntax = \"proto3\";\nmessage P {\n  string NAME = 1;\n}\n";

/// Avro's and Protobuf's zigzag of a small number.
fn zigzag(number: usize) -> u8 {
    assert!(number < 64, "{number} takes more than a byte");
    u8::try_from(number * 2).unwrap()
}

/// An id before a payload.
pub fn framed(id: u32, payload: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], payload].concat()
}

/// Avro's string.
pub fn text(text: &str) -> Vec<u8> {
    [&[zigzag(text.len())], text.as_bytes()].concat()
}

/// One of [`PERSON`].
pub fn person(name: &str, n: usize) -> Vec<u8> {
    [text(name), vec![zigzag(n)]].concat()
}

/// One of [`PERSON_PROTO`], behind the index of its message.
pub fn person_proto(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap();
    [&[0, 0x0a, length], name.as_bytes()].concat()
}
