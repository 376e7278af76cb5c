//! The same records in several formats, with a configuration that reads them.

use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::cases::{Case, Meant, object};
use crate::common::registry::register;
use crate::common::{service, unique};
use crate::exact::Exact;
use crate::kinds::Kind;
use crate::{avro, protobuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As the case has them.
    Own,
    Avro,
    Protobuf,
    JsonSr,
}

pub const FORMATS: [Format; 4] = [Format::Own, Format::Avro, Format::Protobuf, Format::JsonSr];

/// Records as bytes, and what they mean.
pub struct Encoded {
    /// Lines of the topic's entry.
    pub entry: String,
    pub records: Vec<Meant>,
}

/// The records of a case in a format; None if it can't have them. `numbered`: records without a key get one.
pub fn encode(case: &Case, format: Format, numbered: bool) -> Option<Encoded> {
    let records = case.records();
    let records = if numbered {
        let numbered = records.into_iter().enumerate();
        numbered
            .map(|(number, record)| record.with_key(number.to_string()))
            .collect()
    } else {
        records
    };
    let keys = if numbered {
        "key.columns = [\"ROWKEY\"]".to_owned()
    } else {
        case.key_entry()
    };
    let own = Encoded {
        entry: [keys, case.value_entry(), case.window_entry()].join("\n"),
        records,
    };
    match format {
        Format::Own => Some(own),
        format => own.registered(format, &case.window_entry()),
    }
}

impl Encoded {
    /// The same in a format whose schemas are registered.
    pub fn registered(self, format: Format, window: &str) -> Option<Encoded> {
        let values = Kind::of(self.records.iter().filter_map(|record| record.value.as_ref()));
        let plain = |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
        // Neither Protobuf nor this registry's Avro has other names.
        if format != Format::JsonSr && !values.fields().iter().all(|(name, _)| plain(name)) {
            return None;
        }
        let mut records = self.records;
        let mut entry = format!("value.format = \"{}\"\n{window}\n", format.name());
        if records.iter().all(|record| record.key.is_none()) {
            entry += "key.format = \"none\"";
        } else {
            entry += &format!("key.format = \"{}\"", format.name());
            if format == Format::Protobuf {
                // ksqlDB wraps a single column there.
                records.iter_mut().for_each(Meant::wrap_key);
            } else if !matches!(records[0].key, Some(Exact::Object(_))) {
                entry += "\nkey.columns = [\"ROWKEY\"]";
            }
            let keys = Kind::of(records.iter().filter_map(|record| record.key.as_ref()));
            let write = writer(format, &keys);
            for record in &mut records {
                let window = record.window.map(|(start, _)| start.to_be_bytes());
                record.key_bytes = record
                    .key
                    .as_ref()
                    .map(|key| [write(key), window.map_or(Vec::new(), Vec::from)].concat());
            }
        }
        let write = writer(format, &values);
        for record in &mut records {
            record.value_bytes = record.value.as_ref().map(&write);
        }
        Some(Encoded { entry, records })
    }
}

/// What writes values of this kind, with their schema's id before them.
pub fn writer(format: Format, kind: &Kind) -> impl Fn(&Exact) -> Vec<u8> {
    let (schema, kind_of_schema) = match format {
        Format::Avro => (avro::schema(kind), "AVRO"),
        Format::Protobuf => (protobuf::schema(kind), "PROTOBUF"),
        Format::JsonSr => (json_schema(kind), "JSON"),
        Format::Own => panic!("no format of a registry"),
    };
    let id = id_of(&schema, kind_of_schema);
    let kind = kind.clone();
    move |value| {
        let payload = match format {
            Format::Avro => avro::payload(&kind, value),
            Format::Protobuf => protobuf::payload(&kind, value),
            Format::JsonSr | Format::Own => value.to_string().into_bytes(),
        };
        [&[0], &id.to_be_bytes()[..], &payload].concat()
    }
}

/// The id of a schema, which is registered once.
pub fn id_of(schema: &str, kind: &str) -> u32 {
    static IDS: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());
    let mut ids = IDS.lock().unwrap();
    *ids.entry(schema.to_owned()).or_insert_with(|| {
        let registry = service("LAKECTL_SCHEMA_REGISTRY_URL");
        register(&registry, &unique("value"), schema, &json!({"schemaType": kind}))
    })
}

/// Reading JSON needs no schema, only its id.
fn json_schema(kind: &Kind) -> String {
    let title = format!("{kind:?}");
    json!({"$schema": "http://json-schema.org/draft-07/schema#", "title": title}).to_string()
}

impl Meant {
    fn wrap_key(&mut self) {
        match &self.key {
            None | Some(Exact::Object(_)) => {}
            Some(bare) => self.key = Some(object([("ROWKEY", bare.clone())])),
        }
    }
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Format::Own => "own",
            Format::Avro => "avro",
            Format::Protobuf => "protobuf",
            Format::JsonSr => "json_sr",
        }
    }
}
