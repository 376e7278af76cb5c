//! Keys and values whose schema a registry holds: AVRO, PROTOBUF and JSON_SR.

use anyhow::Result;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::avro::AvroSchema;
use super::columns::{JsonSchema, SchemaShape};
use super::key::{DecodedKey, Key};
use super::protobuf::ProtobufSchema;
use super::registry::header::{self, Side};
use super::registry::{Lookup, Registry};
use super::schema::{Registered, SchemaId, SchemaType};
use super::{Decoder, Formatted, Reason};
use crate::config::{KeyFormat, SchemaKind, Undecodable, ValueFormat};
use crate::json::{self, Shape};
use crate::problem::Problem;
use crate::record::{Header, Record};

/// Makes JSON of one topic's keys or values. Copies of it share the schemas, and so each is compiled once.
#[derive(Debug, Clone)]
pub(super) struct RegisteredFormat {
    side: Side,
    kind: SchemaKind,
    undecodable: Undecodable,
    registry: Registry,
    compiled: Arc<Mutex<HashMap<SchemaId, Arc<CompiledSchema>>>>,
    /// The schema by which the last key or value was read: mostly that of the next one.
    last: Option<Arc<CompiledSchema>>,
    /// What the check said of a value by this schema, if that is true of all.
    shape: Option<Shape>,
    seen: SchemasSeen,
}

/// What is to be said of the schemas that one topic's keys or values were written with.
#[derive(Debug, Clone, Default)]
pub struct SchemasSeen {
    /// The first that can't be used.
    pub unusable: Option<Problem>,
    /// Those by whose rules fields are encrypted.
    pub encrypted: BTreeSet<SchemaId>,
}

impl Decoder {
    /// A decoder that fails for no record: one without a usable schema is not decoded.
    ///
    /// A registry that can't be asked is an error as before.
    pub fn keeping_undecodable(mut self) -> Decoder {
        let formats = [&mut self.registered_keys, &mut self.registered_values];
        let formats = formats.into_iter().flatten();
        formats.for_each(RegisteredFormat::keep_undecodable);
        self
    }

    /// What is to be said of the schemas so far; None where the format has none.
    pub fn schemas_seen(&self, side: Side) -> Option<&SchemasSeen> {
        self.registered(side).map(RegisteredFormat::seen)
    }

    fn registered(&self, side: Side) -> Option<&RegisteredFormat> {
        match side {
            Side::Key => self.registered_keys.as_ref(),
            Side::Value => self.registered_values.as_ref(),
        }
    }

    /// A key whose schema is in the registry.
    pub(super) fn registered_key<'a>(
        &mut self,
        record: &Record<'a>,
        places: Option<&mut Vec<json::FieldPlace>>,
    ) -> Result<DecodedKey<'a>> {
        let (Some(format), Some(bytes)) = (&mut self.registered_keys, record.key) else {
            return Ok(DecodedKey::Null);
        };
        let undecodable = |reason| DecodedKey::Undecodable {
            reason,
            bytes: Cow::Borrowed(bytes),
        };
        let (serialised, window) = match self.keys.split(bytes) {
            Ok(parts) => parts,
            Err(reason) => return Ok(undecodable(reason)),
        };
        let formatted = format.read(serialised, &record.headers, String::new())?;
        let checked = formatted.and_then(|formatted| match formatted {
            Formatted::Json(json) => Ok(Cow::Borrowed(self.key_checker.check_with(json, places)?.text)),
            Formatted::Made(text) | Formatted::MadeAlike(text) => {
                self.key_checker.check_with(text.as_bytes(), places)?;
                Ok(Cow::Owned(text))
            }
        });
        Ok(match checked {
            Ok(text) => DecodedKey::Key {
                key: Key::Json(text),
                window,
            },
            Err(reason) => undecodable(named(&self.registered_keys, reason).of_the("key")),
        })
    }

    /// The schema that a record's key or value names; None where its format has none.
    pub fn schema_of(&self, side: Side, record: &Record<'_>) -> Option<SchemaId> {
        let bytes = match side {
            Side::Key => self.keys.split(record.key?).ok()?.0,
            Side::Value => record.value?,
        };
        self.registered(side)?.schema_id(bytes, &record.headers)
    }

    /// Whether one of the schemas so far says that the value's field of this name is a date, so that numbers in it are days.
    pub fn has_date(&self, name: &str) -> bool {
        self.registered(Side::Value).is_some_and(|format| {
            let compiled = format.compiled.lock().unwrap_or_else(PoisonError::into_inner);
            let mut dates = compiled.values().flat_map(|schema| &schema.dates);
            dates.any(|date| date == name)
        })
    }

    /// Whether the headers of records may say how to read their keys, or their values.
    pub fn reads_header_of(&self, side: Side) -> bool {
        self.registered(side).is_some()
    }
}

/// The reason, with the schema by which the key or value was read.
pub(super) fn named(format: &Option<RegisteredFormat>, reason: Reason) -> Reason {
    match format.as_ref().and_then(RegisteredFormat::read_by) {
        Some(id) => reason.of_the(&format!("schema {id}")),
        None => reason,
    }
}

#[derive(Debug)]
struct CompiledSchema {
    id: SchemaId,
    encrypted: bool,
    /// The fields that are dates.
    dates: Vec<String>,
    /// The problem of a schema that the registry doesn't have, or that can't be read.
    reader: Result<Box<dyn PayloadReader>, Problem>,
}

/// A compiled schema of any language.
pub(super) trait PayloadReader: std::fmt::Debug + Send + Sync {
    /// The payload as JSON; `memory` is for the text. `indexes` came in a record's header.
    ///
    /// # Errors
    /// The payload is no value of this schema.
    fn read<'a>(
        &self,
        indexes: Option<&[u8]>,
        payload: &'a [u8],
        memory: String,
    ) -> Result<Formatted<'a>, Reason>;

    /// # Errors
    /// The schema can't be read.
    fn shape(&self) -> Result<SchemaShape, Reason>;
}

/// The reader of each kind of schema.
///
/// # Errors
/// The schema is none of its language.
pub(super) fn reader(schema: &Registered) -> Result<Box<dyn PayloadReader>, Reason> {
    let (text, references) = (&schema.text, &schema.references);
    Ok(match schema.kind {
        SchemaKind::Avro => Box::new(AvroSchema::parse(text, references)?),
        SchemaKind::Protobuf => Box::new(ProtobufSchema::parse(text, references)?),
        SchemaKind::JsonSchema => Box::new(JsonSchema::of(text, references)),
    })
}

/// A problem with a schema, and that records without a usable one can be kept.
pub fn or_keep(problem: Problem) -> Problem {
    const KEEP: &str = "value.undecodable = \"keep\" takes such records as they are";
    let fix = problem.fix.as_ref();
    let fix = fix.map_or(KEEP.to_owned(), |fix| format!("{fix}; {KEEP}"));
    problem.fix(fix)
}

impl RegisteredFormat {
    /// None: keys of this format need no registry.
    pub fn of_keys(
        format: KeyFormat,
        undecodable: Undecodable,
        registry: &Registry,
    ) -> Option<RegisteredFormat> {
        let KeyFormat::Registered(kind) = format else {
            return None;
        };
        Some(RegisteredFormat::new(Side::Key, kind, undecodable, registry))
    }

    /// None: values of this format need no registry.
    pub fn of_values(
        format: ValueFormat,
        undecodable: Undecodable,
        registry: &Registry,
    ) -> Option<RegisteredFormat> {
        let ValueFormat::Registered(kind) = format else {
            return None;
        };
        Some(RegisteredFormat::new(Side::Value, kind, undecodable, registry))
    }

    fn new(side: Side, kind: SchemaKind, undecodable: Undecodable, registry: &Registry) -> RegisteredFormat {
        RegisteredFormat {
            side,
            kind,
            undecodable,
            registry: registry.clone(),
            compiled: Arc::default(),
            last: None,
            shape: None,
            seen: SchemasSeen::default(),
        }
    }

    /// Which schema the key or value was written with, if it says so.
    pub fn schema_id(&self, bytes: &[u8], headers: &[Header<'_>]) -> Option<SchemaId> {
        header::find(bytes, headers, self.side).ok().map(|(id, _, _)| id)
    }

    /// Records without a usable schema are not decoded, but fail nothing.
    pub fn keep_undecodable(&mut self) {
        self.undecodable = Undecodable::Keep;
    }

    pub fn seen(&self) -> &SchemasSeen {
        &self.seen
    }

    /// The key or value as JSON, or why its bytes are none; `memory` is for the text.
    ///
    /// # Errors
    /// The registry can't be asked, or has no schema that reads it and such records are not to be kept.
    pub fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        headers: &[Header<'_>],
        memory: String,
    ) -> Result<Result<Formatted<'a>, Reason>> {
        let last = self.last.take();
        let (id, payload, indexes) = match header::find(bytes, headers, self.side) {
            Ok(found) => found,
            Err(reason) => return Ok(Err(reason)),
        };
        let schema = match last.filter(|last| last.id == id) {
            Some(last) => last,
            None => {
                self.shape = None;
                self.schema(id)?
            }
        };
        let reader = match (&schema.reader, self.undecodable) {
            (Ok(reader), _) => reader,
            (Err(problem), Undecodable::Keep) => return Ok(Err(problem.what.clone().into())),
            (Err(problem), Undecodable::Fail) => return or_keep(problem.clone()).err(),
        };
        let written = reader.read(indexes.as_deref(), payload, memory);
        self.last = Some(schema);
        Ok(written)
    }

    /// What the check said of values like the last one, if it was asked.
    pub fn shape(&self) -> Option<Shape> {
        self.shape
    }

    pub fn remember(&mut self, shape: Shape) {
        self.shape = Some(shape);
    }

    /// The schema by which the last key or value was read.
    pub fn read_by(&self) -> Option<SchemaId> {
        self.last.as_ref().map(|schema| schema.id)
    }

    fn schema(&mut self, id: SchemaId) -> Result<Arc<CompiledSchema>> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let schema = match compiled.get(&id) {
            Some(schema) => Arc::clone(schema),
            None => {
                let schema = Arc::new(self.look_up(id)?);
                compiled.insert(id, Arc::clone(&schema));
                schema
            }
        };
        drop(compiled);
        if schema.encrypted {
            self.seen.encrypted.insert(id);
        }
        if let (Err(problem), None) = (&schema.reader, &self.seen.unusable) {
            self.seen.unusable = Some(problem.clone());
        }
        Ok(schema)
    }

    fn look_up(&self, id: SchemaId) -> Result<CompiledSchema> {
        let (encrypted, reader) = match self.registry.schema(id)? {
            Lookup::Known(schema) => (schema.encrypted, self.compile(&schema)),
            Lookup::Unknown(problem) => (false, Err(problem)),
        };
        let shape = reader.as_ref().ok().and_then(|reader| reader.shape().ok());
        let columns = shape.and_then(|shape| shape.columns).unwrap_or_default();
        let dates = columns
            .into_iter()
            .filter(|column| column.kind == SchemaType::Date);
        Ok(CompiledSchema {
            id,
            encrypted,
            dates: dates.map(|column| column.name).collect(),
            reader,
        })
    }

    fn compile(&self, schema: &Registered) -> Result<Box<dyn PayloadReader>, Problem> {
        if schema.kind != self.kind {
            let setting = self.setting();
            let what = format!(
                "schema {} is {}, but {setting} is {}",
                schema.id,
                schema.kind,
                self.kind.traits().setting
            );
            return Err(
                Problem::new(what).fix(format!("set {setting} = \"{}\"", schema.kind.traits().setting))
            );
        }
        reader(schema).map_err(|reason| schema.unreadable(&reason))
    }

    fn setting(&self) -> &'static str {
        match self.side {
            Side::Key => "key.format",
            Side::Value => "value.format",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KeySchema, ValueSchema};
    use proptest::prelude::*;
    use proptest::sample::select;

    /// Schemas of one field, or two, whose payloads are texts or bytes.
    const SCHEMAS: [&str; 6] = [
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":"string"},{"name":"b","type":["null","string"]}]}"#,
        r#"{"type":"record","name":"R","fields":[{"name":"_OFFSET","type":"string"}]}"#,
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":"string"},{"name":"A","type":"string"}]}"#,
        r#"{"type":"record","name":"R","fields":[{"name":"d","type":
            {"type":"bytes","logicalType":"decimal","precision":400}}]}"#,
        r#"["null",{"type":"record","name":"R","fields":[{"name":"_offset","type":"string"}]}]"#,
        r#"{"type":"map","values":"string"}"#,
    ];

    fn decoder() -> Decoder {
        let values = ValueSchema {
            format: ValueFormat::Registered(SchemaKind::Avro),
            ..ValueSchema::default()
        };
        let decoder = Decoder::new(KeySchema::default(), values, &Registry::default());
        let format = decoder.registered_values.as_ref().unwrap();
        for (number, text) in (0..).zip(SCHEMAS) {
            let id = SchemaId::Number(number);
            let schema = CompiledSchema {
                id,
                encrypted: false,
                dates: Vec::new(),
                reader: Ok(Box::new(AvroSchema::parse(text, &[]).unwrap())),
            };
            format.compiled.lock().unwrap().insert(id, Arc::new(schema));
        }
        decoder.reserving(["_offset".to_owned()])
    }

    /// A number of these schemas, and a payload of it, or nearly.
    fn values() -> impl Strategy<Value = Vec<u8>> {
        let of = |schema: u8, payload: Vec<u8>| [vec![0, 0, 0, 0, schema], payload].concat();
        let text = prop::collection::vec(select(b"a\"\n\xc3\xa9".to_vec()), 0..5);
        let text = text.prop_map(|text| [vec![text.len() as u8 * 2], text].concat());
        prop_oneof![
            (text.clone(), text.clone()).prop_map(move |(a, b)| of(0, [a, vec![2], b].concat())),
            text.clone().prop_map(move |a| of(0, [a, vec![0]].concat())),
            text.clone().prop_map(move |text| of(1, text)),
            (text.clone(), text.clone()).prop_map(move |(a, b)| of(2, [a, b].concat())),
            // Some are more than a double holds: its largest has 128 bytes.
            (120..140u8).prop_map(move |length| {
                let bytes = vec![0x7f; length.into()];
                of(3, [vec![(length % 64 * 2) | 0x80, length / 64], bytes].concat())
            }),
            text.clone().prop_map(move |text| of(4, [vec![2], text].concat())),
            Just(of(4, vec![0])),
            (text.clone(), text).prop_map(move |(key, value)| of(5, [vec![2], key, value, vec![0]].concat())),
        ]
    }

    proptest! {
        /// What is remembered of a schema changes no record: each is as if it were the first.
        #[test]
        fn records_are_decoded_as_the_first_one_is(values in prop::collection::vec(values(), 1..20)) {
            let mut decoder = decoder();
            for value in &values {
                let record = Record {
                    partition: 0,
                    offset: 0,
                    timestamp_ms: 0,
                    key: None,
                    value: Some(value),
                    headers: Vec::new(),
                };
                let found = decoder.decode(&record).unwrap();
                prop_assert_eq!(&found, &self::decoder().decode(&record).unwrap());
                decoder.take_back([found]);
            }
        }
    }
}
