//! The newest records of a topic, as far as columns depend on them.

use anyhow::Result;
use std::collections::BTreeMap;

use crate::config::{KafkaSettings, Topic};
use crate::decode::key::{DecodedKey, Key};
use crate::decode::registry::Registry;
use crate::decode::registry::header::Side;
use crate::decode::schema::SchemaId;
use crate::decode::{Body, Decoded, Decoder, fields};
use crate::kafka::{Client, read_newest};
use crate::problem::Problem;
use crate::record::Record;
use crate::stop::Stop;
use crate::types::seen::SeenValues;

/// About how many records are read.
const RECORDS: u64 = 1_000;
/// Names come from outside, so they are bounded; a table has at most 1,017 columns.
const NAMES_MAX: usize = 1_017;
/// Schemas of records that are looked at, the newest ones.
const SCHEMAS_MAX: usize = 10;

/// Values by the names of their fields in small letters.
type SeenFields = BTreeMap<String, SeenValues>;

#[derive(Debug, Default)]
pub(super) struct NewestRecords {
    pub records: u64,
    /// Keys as they are, if they are JSON.
    pub whole_keys: SeenValues,
    /// Fields of keys, and their names in their order.
    pub keys: SeenFields,
    pub key_names: Vec<String>,
    pub values: SeenFields,
    pub value_names: Vec<String>,
    /// The newest first.
    pub key_schemas: Vec<SchemaId>,
    pub value_schemas: Vec<SchemaId>,
}

/// Reads the sample; nothing is committed.
///
/// # Errors
/// Kafka or the registry can't be asked, or a record's schema is not to be had. There is no such topic: exit code 2.
pub(super) fn read(
    kafka: &KafkaSettings,
    topic: &Topic,
    registry: &Registry,
    stop: &Stop,
) -> Result<NewestRecords> {
    let client = Client::new(kafka, "warehouse")?.stopped_by(stop);
    let mut live = client.topics()?;
    let Some(partitions) = live.remove(&topic.name) else {
        return Problem::usage("Kafka has no such topic, or doesn't show it to us")
            .fix("look at its name, or create it first")
            .err();
    };
    let wanted = BTreeMap::from([(topic.name.clone(), partitions)]);
    let offsets = match client.offsets(&wanted)?.remove(&topic.name) {
        Some(offsets) => offsets?,
        None => Vec::new(),
    };
    let mut decoder = Decoder::of(topic, registry).with_fields();
    let mut sample = NewestRecords::default();
    read_newest(
        &client,
        &topic.name,
        &offsets,
        RECORDS,
        stop,
        &mut |record: &Record<'_>| {
            note_schema(&mut sample.key_schemas, decoder.schema_of(Side::Key, record));
            note_schema(&mut sample.value_schemas, decoder.schema_of(Side::Value, record));
            let decoded = decoder.decode(record)?;
            sample.take(&decoded);
            decoder.take_back([decoded]);
            Ok(())
        },
    )?;
    Ok(sample)
}

/// Puts it first: it is the newest one seen.
fn note_schema(known: &mut Vec<SchemaId>, id: Option<SchemaId>) {
    if let Some(id) = id {
        known.retain(|other| *other != id);
        known.insert(0, id);
        known.truncate(SCHEMAS_MAX);
    }
}

impl NewestRecords {
    /// The values of a field of keys: of that name, or else at that place.
    pub fn key_field(&self, name: &str, at: usize) -> SeenValues {
        let by_place = || self.keys.get(&self.key_names.get(at)?.to_lowercase());
        let found = self.keys.get(&name.to_lowercase()).or_else(by_place);
        found.cloned().unwrap_or_default()
    }

    fn take(&mut self, record: &Decoded<'_>) {
        self.records += 1;
        if let DecodedKey::Key { key, .. } = &record.key {
            self.take_key(key);
        }
        if let Body::Object(object) = &record.body {
            for field in object.fields().into_iter().flatten() {
                note(&mut self.values, &mut self.value_names, &field.name, field.raw);
            }
        }
    }

    fn take_key(&mut self, key: &Key<'_>) {
        match key {
            Key::Json(text) => {
                self.whole_keys.take(text);
                for (name, raw) in fields::all(text).unwrap_or_default() {
                    note(&mut self.keys, &mut self.key_names, &name, raw);
                }
            }
            Key::Text(text) => self
                .whole_keys
                .take(&serde_json::Value::from(&**text).to_string()),
            Key::Int(number) => self.whole_keys.take(&number.to_string()),
            // As base64 would have it.
            Key::Bytes(bytes) => self
                .whole_keys
                .take(&format!("\"{}\"", "A".repeat(bytes.len().div_ceil(3) * 4))),
            Key::Double(_) => {}
        }
    }
}

fn note(seen: &mut SeenFields, names: &mut Vec<String>, name: &str, raw: &str) {
    let lower = name.to_lowercase();
    if let Some(values) = seen.get_mut(&lower) {
        return values.take(raw);
    }
    if names.len() < NAMES_MAX {
        let mut values = SeenValues::default();
        values.take(raw);
        names.push(name.to_owned());
        seen.insert(lower, values);
    }
}
