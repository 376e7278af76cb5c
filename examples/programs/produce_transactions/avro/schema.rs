//! The types that the derived topics have, their schemas as ksqlDB registers them, and their bytes.

use anyhow::{Context, Result};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::HashMap;

use crate::avro_bytes::{push_bytes, push_long};

const NAMESPACE: &str = "io.confluent.ksql.avro_schemas";
const SCALE: u32 = 2;
/// The branch of a union with null that is not null, as Avro writes it.
const NULLABLE: u8 = 2;

/// A type of ksqlDB's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    Text,
    Int,
    Bigint,
    /// DECIMAL(15, 2)
    Decimal,
    Double,
    Texts,
    /// Each column may be null.
    Record(&'static [(&'static str, Type)]),
}

impl Type {
    /// The schema; `name` is for a record.
    pub(super) fn schema(self, name: &str) -> Value {
        match self {
            Type::Text => json!("string"),
            Type::Int => json!("int"),
            Type::Bigint => json!("long"),
            Type::Double => json!("double"),
            Type::Decimal => json!({
                "type": "bytes", "logicalType": "decimal", "precision": 15, "scale": SCALE, "connect.version": 1,
                "connect.parameters": {"scale": SCALE.to_string(), "connect.decimal.precision": "15"},
                "connect.name": "org.apache.kafka.connect.data.Decimal",
            }),
            Type::Texts => json!({"type": "array", "items": ["null", "string"]}),
            Type::Record(columns) => {
                let field = |(column, of): &(&str, Type)| {
                    let nested = of.schema(&format!("{name}_{column}"));
                    json!({"name": column, "type": ["null", nested], "default": null})
                };
                let fields: Vec<Value> = columns.iter().map(field).collect();
                json!({"type": "record", "name": name, "namespace": NAMESPACE, "fields": fields})
            }
        }
    }

    /// Appends a value that is given as JSON.
    pub(super) fn encode(self, json: &RawValue, out: &mut Vec<u8>) -> Result<()> {
        let text = json.get();
        match self {
            Type::Text => push_bytes(serde_json::from_str::<String>(text)?.as_bytes(), out),
            Type::Int | Type::Bigint => push_long(text.parse()?, out),
            Type::Double => out.extend_from_slice(&text.parse::<f64>()?.to_le_bytes()),
            Type::Decimal => push_bytes(shortest(cents(text)?), out),
            Type::Texts => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                if !items.is_empty() {
                    push_long(i64::try_from(items.len())?, out);
                }
                for item in items {
                    Type::Text.encode_nullable(item, out)?;
                }
                out.push(0);
            }
            Type::Record(columns) => {
                let fields: HashMap<&str, &RawValue> = serde_json::from_str(text)?;
                for (name, of) in columns {
                    let field = fields
                        .get(name)
                        .with_context(|| format!("there is no field {name}"))?;
                    of.encode_nullable(field, out)
                        .with_context(|| format!("field {name} in Avro"))?;
                }
            }
        }
        Ok(())
    }

    fn encode_nullable(self, json: &RawValue, out: &mut Vec<u8>) -> Result<()> {
        if json.get() == "null" {
            out.push(0);
            return Ok(());
        }
        out.push(NULLABLE);
        self.encode(json, out)
    }
}

/// A number with two decimal places, in hundredths.
fn cents(text: &str) -> Result<i64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, "00"));
    anyhow::ensure!(places.len() == 2, "{text} has not {SCALE} decimal places");
    Ok(format!("{whole}{places}").parse()?)
}

/// Two's complement without needless bytes in front.
fn shortest(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let sign = if number < 0 { 0xff } else { 0 };
    let needless = |at: &usize| bytes[*at] == sign && (bytes[*at + 1] ^ sign) < 0x80;
    let from = (0..7).take_while(needless).count();
    bytes[from..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(of: Type, json: &str) -> Vec<u8> {
        let mut out = Vec::new();
        of.encode(serde_json::from_str(json).expect("JSON"), &mut out)
            .expect("Avro");
        out
    }

    #[test]
    fn bytes_are_those_of_avro_s_specification() {
        for (number, bytes) in [
            ("0", &[0][..]),
            ("-1", &[1]),
            ("1", &[2]),
            ("-64", &[0x7f]),
            ("64", &[0x80, 1]),
        ] {
            assert_eq!(encoded(Type::Bigint, number), bytes, "{number}");
        }
        assert_eq!(encoded(Type::Text, "\"foo\""), [6, 0x66, 0x6f, 0x6f]);
        assert_eq!(encoded(Type::Texts, "[]"), [0]);
        assert_eq!(encoded(Type::Texts, "[\"a\",null]"), [4, 2, 2, b'a', 0, 0]);
        assert_eq!(encoded(Type::Double, "1.5"), 1.5f64.to_le_bytes());
    }

    #[test]
    fn decimals_are_as_short_as_can_be() {
        for (text, bytes) in [
            ("0.00", &[1, 0][..]),
            ("1.27", &[1, 0x7f]),
            ("1.28", &[2, 0, 0x80]),
            ("-1.28", &[1, 0x80]),
            ("-1.29", &[2, 0xff, 0x7f]),
            ("-0.01", &[1, 0xff]),
            ("12345678.90", &[4, 0x49, 0x96, 0x02, 0xd2]),
        ] {
            let bytes: Vec<u8> = std::iter::once(bytes[0] * 2)
                .chain(bytes[1..].iter().copied())
                .collect();
            assert_eq!(encoded(Type::Decimal, text), bytes, "{text}");
        }
    }

    #[test]
    fn a_record_lacks_no_field() {
        const RECORD: Type = Type::Record(&[("A", Type::Int), ("B", Type::Text)]);
        assert_eq!(encoded(RECORD, r#"{"B":null,"A":3}"#), [2, 6, 0]);
        let lacking: Box<RawValue> = serde_json::from_str(r#"{"A":3}"#).expect("JSON");
        assert!(RECORD.encode(&lacking, &mut Vec::new()).is_err());
    }
}
