//! The derived topics in Avro, as ksqlDB writes them with `FORMAT = 'AVRO'`: the id of the registry's schema, then the datum.

mod registry;
mod schema;

use anyhow::{Context, Result};
use std::collections::HashMap;

use crate::avro_bytes::push_bytes;
use crate::topics::{Derived, Record};
use schema::Type;

/// Writes records by schemas that the registry has.
#[derive(Debug)]
pub(crate) struct Encoder {
    ids: HashMap<Derived, Ids>,
}

#[derive(Clone, Copy, Debug)]
struct Ids {
    key: u32,
    value: u32,
}

impl Encoder {
    /// Registers the schemas of each topic, by its name: NAME-key and NAME-value.
    pub(crate) fn register(url: &str, topics: &[(Derived, String)]) -> Result<Encoder> {
        let register = |(topic, name): &(Derived, String)| {
            let key = key_type(*topic).schema(&format!("{}Key", topic.name()));
            let value = Type::Record(columns(*topic)).schema("KsqlDataSourceSchema");
            let ids = Ids {
                key: registry::register(url, &format!("{name}-key"), &key)?,
                value: registry::register(url, &format!("{name}-value"), &value)?,
            };
            Ok((*topic, ids))
        };
        Ok(Encoder {
            ids: topics.iter().map(register).collect::<Result<_>>()?,
        })
    }

    /// The same record with key and value in Avro; what Kafka Streams put behind the key, a window's start, stays there.
    pub(crate) fn encode(&self, record: &Record) -> Result<Record> {
        let topic = record.topic;
        let ids = self.ids.get(&topic).context("a topic without a schema")?;
        let window_bytes = if topic == Derived::Sliding { 8 } else { 0 };
        let (key, window) = record.key.split_at(record.key.len() - window_bytes);
        let mut avro_key = header(ids.key);
        match key_type(topic) {
            Type::Text => push_bytes(key, &mut avro_key),
            of_several => of_several.encode(serde_json::from_slice(key)?, &mut avro_key)?,
        }
        avro_key.extend_from_slice(window);
        let mut value = header(ids.value);
        Type::Record(columns(topic)).encode(serde_json::from_slice(&record.value)?, &mut value)?;
        Ok(Record {
            key: avro_key,
            value,
            ..record.clone()
        })
    }
}

/// The text of a key, of which Avro's has an id and its length before it.
pub(crate) fn text_of_key(key: &[u8]) -> &[u8] {
    match key {
        [0, _, _, _, _, datum @ ..] => {
            let length_bytes = datum.iter().take_while(|byte| **byte >= 0x80).count() + 1;
            datum.get(length_bytes..).unwrap_or_default()
        }
        plain => plain,
    }
}

fn header(id: u32) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes
}

/// ksqlDB unwraps a key of one column.
fn key_type(topic: Derived) -> Type {
    match topic {
        Derived::DepenseParUserType => {
            Type::Record(&[("USER_ID", Type::Text), ("TRANSACTION_TYPE", Type::Text)])
        }
        _ => Type::Text,
    }
}

fn columns(topic: Derived) -> &'static [(&'static str, Type)] {
    match topic {
        Derived::Full => &FULL,
        Derived::Flat | Derived::Processed | Derived::Blacklisted | Derived::Completed | Derived::HorsUe => {
            &FLAT
        }
        Derived::TotalParType => &[
            ("TOTAL_AMOUNT", Type::Decimal),
            ("TRANSACTION_COUNT", Type::Bigint),
        ],
        Derived::PurchaseCounts => &[("PURCHASE_COUNT", Type::Bigint)],
        Derived::Lifecycle => &[("STATUS_HISTORY", Type::Texts), ("LAST_UPDATE_TIME", Type::Text)],
        Derived::DepenseParUserType => &[("TOTAL_DEPENSE_USD", Type::Decimal)],
        Derived::Sliding => &[("TOTAL_AMOUNT_5MIN", Type::Decimal)],
    }
}

const NAMED: Type = Type::Record(&[("ID", Type::Text), ("NAME", Type::Text)]);

const FULL: [(&str, Type); 17] = [
    ("TIMESTAMP", Type::Text),
    ("USER", NAMED),
    ("PRODUCT", NAMED),
    ("CATEGORY", Type::Text),
    ("QUANTITY", Type::Int),
    ("AMOUNT", Type::Decimal),
    ("CURRENCY", Type::Text),
    ("AMOUNT_USD", Type::Decimal),
    ("TAX", Type::Decimal),
    ("TRANSACTION_TYPE", Type::Text),
    ("STATUS", Type::Text),
    ("PAYMENT_METHOD", Type::Text),
    (
        "LOCATION",
        Type::Record(&[("CITY", Type::Text), ("COUNTRY", Type::Text)]),
    ),
    (
        "ADDRESS",
        Type::Record(&[("STREET", Type::Text), ("POSTAL_CODE", Type::Text)]),
    ),
    ("DEVICE", Type::Text),
    ("RATING", Type::Double),
    ("DISCOUNT_CODE", Type::Text),
];

const FLAT: [(&str, Type); 21] = [
    ("TIMESTAMP", Type::Text),
    ("USER_ID", Type::Text),
    ("USER_NAME", Type::Text),
    ("PRODUCT_ID", Type::Text),
    ("PRODUCT_NAME", Type::Text),
    ("CATEGORY", Type::Text),
    ("QUANTITY", Type::Int),
    ("AMOUNT", Type::Decimal),
    ("CURRENCY", Type::Text),
    ("AMOUNT_USD", Type::Decimal),
    ("TAX", Type::Decimal),
    ("TRANSACTION_TYPE", Type::Text),
    ("STATUS", Type::Text),
    ("PAYMENT_METHOD", Type::Text),
    ("CITY", Type::Text),
    ("COUNTRY", Type::Text),
    ("STREET", Type::Text),
    ("POSTAL_CODE", Type::Text),
    ("DEVICE", Type::Text),
    ("RATING", Type::Double),
    ("DISCOUNT_CODE", Type::Text),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams;
    use crate::tables::Tables;

    #[test]
    fn every_derived_record_has_a_schema_for_all_of_its_fields() {
        let ids = Ids { key: 1, value: 258 };
        let encoder = Encoder {
            ids: Derived::ALL.map(|topic| (topic, ids)).into(),
        };
        let mut tables = Tables::default();
        for event in streams::tests::events() {
            let mut records = streams::flat_ones(&event, true).expect("records");
            records.push(streams::full(&event).expect("a record"));
            records.extend(tables.apply(&event).expect("records"));
            for record in records {
                let encoded = encoder.encode(&record).expect("Avro");
                assert_eq!(encoded.key[..5], [0, 0, 0, 0, 1], "{:?}", record.topic);
                assert_eq!(encoded.value[..5], [0, 0, 0, 1, 2], "{:?}", record.topic);
                if record.topic != Derived::DepenseParUserType {
                    assert_eq!(text_of_key(&encoded.key), record.key, "{:?}", record.topic);
                }
            }
        }
    }

    #[test]
    fn a_key_of_two_columns_is_a_record() {
        let encoder = Encoder {
            ids: [(Derived::DepenseParUserType, Ids { key: 7, value: 8 })].into(),
        };
        let encoded = encoder.encode(&Record {
            topic: Derived::DepenseParUserType,
            key: br#"{"USER_ID":"U1","TRANSACTION_TYPE":"refund"}"#.to_vec(),
            value: br#"{"TOTAL_DEPENSE_USD":-1.29}"#.to_vec(),
            timestamp_ms: 0,
        });
        let encoded = encoded.expect("Avro");
        assert_eq!(encoded.key, b"\0\0\0\0\x07\x02\x04U1\x02\x0crefund");
        assert_eq!(encoded.value, b"\0\0\0\0\x08\x02\x04\xff\x7f");
    }

    #[test]
    fn long_keys_and_plain_ones_are_told_by_their_text() {
        let long = "x".repeat(100);
        let mut key = header(9);
        push_bytes(long.as_bytes(), &mut key);
        assert_eq!(text_of_key(&key), long.as_bytes());
        assert_eq!(text_of_key(b"TXN-1"), b"TXN-1");
        assert_eq!(text_of_key(&[0, 0, 0, 0, 1]), b"");
    }
}
