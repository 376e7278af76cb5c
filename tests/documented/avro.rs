//! Avro's bytes, written by hand.

use serde_json::{Value, json};

/// A schema's id, and what follows it.
pub fn framed(id: u32, payload: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], payload].concat()
}

pub fn long(number: i64) -> Vec<u8> {
    varint(((number << 1) ^ (number >> 63)).cast_unsigned())
}

/// Protobuf's, too.
pub fn varint(mut rest: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

pub fn bytes(bytes: &[u8]) -> Vec<u8> {
    [&long(bytes.len() as i64), bytes].concat()
}

pub fn string(text: &str) -> Vec<u8> {
    bytes(text.as_bytes())
}

/// The second branch of a union with null.
pub fn some(datum: &[u8]) -> Vec<u8> {
    [&[2], datum].concat()
}

/// The schema of a record of these fields.
pub fn record(name: &str, fields: &[(&str, Value)]) -> Value {
    let field = |(name, of): &(&str, Value)| json!({"name": name, "type": of});
    json!({"type": "record", "name": name, "fields": fields.iter().map(field).collect::<Vec<_>>()})
}

pub fn nullable(of: Value) -> Value {
    json!(["null", of])
}

pub fn decimal(precision: u32, scale: u32) -> Value {
    json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
}
