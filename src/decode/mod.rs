//! Decodes records: the key, and the value as text. Only this folder knows formats; lines, columns, days, erasures and the
//! inference of types work on decoded records.

mod avro;
mod bare;
mod columns;
mod delimited;
mod envelope;
pub mod fields;
pub mod guess;
pub mod key;
pub mod line;
mod protobuf;
mod registered;
pub mod registry;
pub mod schema;
mod shown_key;
pub mod stated;
mod text;

#[cfg(test)]
mod tests;

use anyhow::{Context, Result};
use std::borrow::Cow;
use std::ops::Deref;

use crate::config::{Envelope, KeyFormat, KeySchema, Topic, ValueFormat, ValueSchema};
pub use crate::json::Reason;
use crate::json::{self, Checker, Shape};
use crate::record::{Coordinates, Record};
pub use columns::{SchemaShape, columns_of, declared};
use envelope::Unwrapped;
pub use fields::{Field, FieldReader, Fields};
use key::DecodedKey;
use registered::{RegisteredFormat, named};
pub use registered::{SchemasSeen, or_keep};
use registry::Registry;

/// A record, decoded once.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<'a> {
    pub at: Coordinates,
    pub key: DecodedKey<'a>,
    /// Where the fields of a JSON key are, if they were wanted.
    pub key_places: KeyPlaces,
    pub body: Body<'a>,
}

/// The places of an object's fields in its text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyPlaces(Vec<json::FieldPlace>);

/// A record's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Body<'a> {
    /// The record has no value, or its envelope says that the row was deleted.
    Tombstone,
    Object(Object<'a>),
    /// Readable JSON that is not an object.
    Other(Text<'a>),
    /// A value that can't be decoded: the reason, and its bytes.
    Unreadable {
        reason: Reason,
        bytes: Cow<'a, [u8]>,
        /// The format is binary, so that even bytes that are UTF-8 are no text.
        is_binary: bool,
    },
}

/// A value as its format has it.
enum Formatted<'a> {
    /// JSON, as it stands in the record.
    Json(&'a [u8]),
    /// JSON that was made of another format.
    Made(String),
    /// The same, of a schema by which each value is an object with the same names at the top level. Nothing else in it can be
    /// unreadable.
    MadeAlike(String),
}

/// A JSON object that every reader accepts, without blanks around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Object<'a> {
    text: Text<'a>,
    /// A field has one of the decoder's reserved names.
    reserved: bool,
    /// The places of its fields, if they were wanted and the fast path found them.
    places: Vec<json::FieldPlace>,
}

/// Readable JSON, borrowed from the record if its text is unchanged.
#[derive(Debug, Clone, PartialEq)]
pub struct Text<'a> {
    text: Cow<'a, str>,
    line_ends: bool,
}

/// Decodes the records of one topic, and reuses its memory.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    keys: KeySchema,
    values: ValueSchema,
    registered_keys: Option<RegisteredFormat>,
    registered_values: Option<RegisteredFormat>,
    /// Checks keys that are JSON: their names differ from those of values.
    key_checker: Checker,
    checker: Checker,
    wants_fields: bool,
    /// Memory for the places of fields, kept for reuse.
    spare: Vec<Vec<json::FieldPlace>>,
    /// Memory for texts that are made, likewise.
    spare_texts: Vec<String>,
}

impl Decoder {
    /// The decoder of a topic's records, whose schemas may be in the registry.
    pub fn of(topic: &Topic, registry: &Registry) -> Decoder {
        Decoder::new(topic.key.clone(), topic.value.clone(), registry)
    }

    #[cfg(test)]
    pub fn of_keys(keys: KeySchema) -> Decoder {
        Decoder::new(keys, ValueSchema::default(), &Registry::default())
    }

    pub fn new(keys: KeySchema, values: ValueSchema, registry: &Registry) -> Decoder {
        let undecodable = values.undecodable;
        Decoder {
            registered_keys: RegisteredFormat::of_keys(keys.format, undecodable, registry),
            registered_values: RegisteredFormat::of_values(values.format, undecodable, registry),
            keys,
            values,
            ..Decoder::default()
        }
    }

    /// A decoder that marks objects with a top-level field of one of these names, whatever their case.
    pub fn reserving(self, names: impl IntoIterator<Item = String>) -> Decoder {
        Decoder {
            checker: Checker::with_reserved(names),
            ..self
        }
    }

    /// A decoder for callers that need fields: their places are noted in the pass that checks the value.
    pub fn with_fields(self) -> Decoder {
        Decoder {
            wants_fields: true,
            ..self
        }
    }

    /// A decoder that leaves values in their envelope.
    pub fn of_whole_values(mut self) -> Decoder {
        self.values.unwrap = None;
        self
    }

    /// The decoder of the same records without their envelopes, as [`Decoded::row`] returns them.
    pub fn of_rows(self) -> Decoder {
        if !self.unwraps() {
            return self;
        }
        Decoder {
            keys: KeySchema {
                format: if self.keys.is_made() {
                    KeyFormat::Json
                } else {
                    self.keys.format
                },
                separator: None,
                unwrap: false,
                ..self.keys
            },
            values: ValueSchema::default(),
            registered_keys: None,
            registered_values: None,
            ..self
        }
    }

    /// Whether values must be in an envelope.
    pub fn unwraps(&self) -> bool {
        self.values.unwrap.is_some()
    }

    /// Decodes a record. A key or value that can't be decoded is returned with the reason.
    ///
    /// # Errors
    /// Its schema is not to be had, so its topic must fail.
    pub fn decode<'a>(&mut self, record: &Record<'a>) -> Result<Decoded<'a>> {
        let of_record = || format!("Kafka partition {} offset {}", record.partition, record.offset);
        let mut places = self.wants_fields.then(|| self.spare_places());
        let key = match self.registered_keys {
            None => self
                .keys
                .decode_with(&mut self.key_checker, record.key, places.as_mut()),
            Some(_) => self
                .registered_key(record, places.as_mut())
                .with_context(of_record)?,
        };
        Ok(Decoded {
            at: record.coordinates(),
            key,
            key_places: KeyPlaces(places.unwrap_or_default()),
            body: self.body(record).with_context(of_record)?,
        })
    }

    /// Takes back the memory of decoded records, for the next ones.
    pub fn take_back<'a>(&mut self, decoded: impl IntoIterator<Item = Decoded<'a>>) {
        for decoded in decoded {
            if self.wants_fields {
                self.spare.push(decoded.key_places.0);
            }
            if let Body::Object(object) = decoded.body {
                if self.wants_fields {
                    self.spare.push(object.places);
                }
                if let Cow::Owned(text) = object.text.text {
                    self.spare_texts.push(text);
                }
            }
        }
    }

    fn body<'a>(&mut self, record: &Record<'a>) -> Result<Body<'a>> {
        let Some(bytes) = record.value else {
            return Ok(Body::Tombstone);
        };
        let body = match (self.values.format, self.values.unwrap) {
            (ValueFormat::Json, None) => self.json(bytes),
            (_, None) => self
                .formatted(record, bytes)?
                .and_then(|value| self.checked(value)),
            (_, Some(envelope)) => self
                .formatted(record, bytes)?
                .and_then(|value| self.unwrapped(envelope, value)),
        };
        Ok(body.unwrap_or_else(|reason| Body::Unreadable {
            reason: named(&self.registered_values, reason),
            bytes: Cow::Borrowed(bytes),
            is_binary: self.values.format.is_registered() || self.values.format == ValueFormat::Bytes,
        }))
    }

    /// The value as JSON, made if its format is another.
    fn formatted<'a>(
        &mut self,
        record: &Record<'_>,
        bytes: &'a [u8],
    ) -> Result<Result<Formatted<'a>, Reason>> {
        let mut text = match self.values.format {
            ValueFormat::Json => return Ok(Ok(Formatted::Json(bytes))),
            _ => self.spare_texts.pop().unwrap_or_default(),
        };
        text.clear();
        if let Some(format) = &mut self.registered_values {
            return format.read(bytes, &record.headers, text);
        }
        let values = &self.values;
        let written = match values.format {
            // Those were read above.
            ValueFormat::Json | ValueFormat::Registered(_) => Err("its schema is in the registry".into()),
            ValueFormat::Delimited => utf8(bytes)
                .and_then(|line| delimited::write_object(line, values.delimiter, &values.columns, &mut text)),
            ValueFormat::Kafka | ValueFormat::Bytes => bare::write_object(bytes, values, &mut text),
            ValueFormat::None => Err("value.format is none, but the record has a value".into()),
        };
        Ok(written.map(|()| Formatted::Made(text)))
    }

    fn unwrapped<'a>(&mut self, envelope: Envelope, value: Formatted<'a>) -> Result<Body<'a>, Reason> {
        let row = match value {
            Formatted::Json(bytes) => match envelope.open(utf8(bytes)?)? {
                Unwrapped::Deleted => return Ok(Body::Tombstone),
                Unwrapped::Row(row) => Formatted::Json(row.as_bytes()),
            },
            Formatted::Made(text) | Formatted::MadeAlike(text) => match envelope.open(&text)? {
                Unwrapped::Deleted => return Ok(Body::Tombstone),
                Unwrapped::Row(row) => Formatted::Made(row.to_owned()),
            },
        };
        self.checked(row)
            .map_err(|reason| reason.of_the("in its envelope"))
    }

    fn checked<'a>(&mut self, value: Formatted<'a>) -> Result<Body<'a>, Reason> {
        match value {
            Formatted::Json(bytes) => self.json(bytes),
            Formatted::Made(text) => Ok(self.made(text)?.0),
            Formatted::MadeAlike(text) => self.made_alike(text),
        }
    }

    /// JSON that was made, and what the check said of it.
    fn made<'a>(&mut self, text: String) -> Result<(Body<'a>, Shape), Reason> {
        let (readable, places) = self.check(text.as_bytes())?;
        let (shape, line_ends) = (readable.shape, readable.line_ends);
        Ok((self.body_of(text.into(), shape, line_ends, places)?, shape))
    }

    /// What the check said of the first one is true of all.
    fn made_alike<'a>(&mut self, text: String) -> Result<Body<'a>, Reason> {
        let known = self.registered_values.as_ref().and_then(RegisteredFormat::shape);
        if let (Some(shape), false) = (known, self.wants_fields) {
            return self.body_of(text.into(), shape, false, Vec::new());
        }
        let (body, shape) = self.made(text)?;
        if let Some(format) = &mut self.registered_values {
            format.remember(shape);
        }
        Ok(body)
    }

    #[inline]
    fn json<'a>(&mut self, bytes: &'a [u8]) -> Result<Body<'a>, Reason> {
        let (readable, places) = self.check(bytes)?;
        self.body_of(readable.text.into(), readable.shape, readable.line_ends, places)
    }

    /// Checks a value, and notes the places of its fields if they are wanted.
    #[inline]
    fn check<'t>(&mut self, bytes: &'t [u8]) -> Result<(json::Readable<'t>, Vec<json::FieldPlace>), Reason> {
        if !self.wants_fields {
            return Ok((self.checker.check(bytes)?, Vec::new()));
        }
        let mut places = self.spare_places();
        let readable = self.checker.check_fields(bytes, &mut places)?;
        Ok((readable, places))
    }

    fn spare_places(&mut self) -> Vec<json::FieldPlace> {
        let mut places = self.spare.pop().unwrap_or_default();
        places.clear();
        places
    }

    #[inline]
    fn body_of<'a>(
        &mut self,
        text: Cow<'a, str>,
        shape: Shape,
        line_ends: bool,
        places: Vec<json::FieldPlace>,
    ) -> Result<Body<'a>, Reason> {
        if shape != Shape::Other {
            return Ok(Body::Object(Object {
                text: Text { text, line_ends },
                reserved: shape == Shape::ReservedObject,
                places,
            }));
        }
        match &self.values.columns[..] {
            // The value is the column itself, without its name.
            [column] => self.checked(Formatted::Made(bare::object(&column.name, &text))),
            _ => Ok(Body::Other(Text { text, line_ends })),
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Reason> {
    simdutf8::compat::from_utf8(bytes).map_err(|e| Reason::at_byte("not UTF-8", e.valid_up_to()))
}

impl KeyPlaces {
    /// The fields of the object that they were noted of; None if they were not noted, or it has none.
    pub fn fields<'t, 'p>(&'p self, object: &'t str) -> Option<Fields<'t, 'p>> {
        (!self.0.is_empty()).then(|| Fields::at(object, &self.0))
    }
}

impl Decoded<'_> {
    /// Takes the key out of an envelope that was decoded with it.
    pub fn take_key_out(&mut self) {
        self.key.take_out();
        self.key_places = KeyPlaces::default();
    }

    /// The record without its envelope and its headers. If it could not be taken out, its value is the whole one.
    pub fn row<'r>(&'r self, record: &Record<'r>) -> Record<'r> {
        let value = match &self.body {
            Body::Tombstone => None,
            Body::Object(object) => Some(object.text().as_bytes()),
            Body::Other(text) => Some(text.as_bytes()),
            Body::Unreadable { bytes, .. } => Some(&**bytes),
        };
        Record {
            key: record.key.map(|raw| self.key.without_envelope(raw)),
            value,
            headers: Vec::new(),
            ..*record
        }
    }

    /// Why the key can't be decoded.
    pub fn key_fault(&self) -> Option<&Reason> {
        match &self.key {
            DecodedKey::Undecodable { reason, .. } => Some(reason),
            DecodedKey::Null | DecodedKey::Key { .. } => None,
        }
    }
}

impl<'a> Object<'a> {
    /// An object by its text alone.
    fn of(text: Cow<'a, str>, reserved: bool) -> Object<'a> {
        Object {
            text: Text::of(text),
            reserved,
            places: Vec::new(),
        }
    }

    pub fn text(&self) -> &Text<'a> {
        &self.text
    }

    /// Whether a field has a reserved name, so that it can't be in a line beside our own fields.
    pub fn is_reserved(&self) -> bool {
        self.reserved
    }

    /// Its fields in their order. They are read only now, unless the decoder was made with `with_fields`.
    ///
    /// # Errors
    /// The text is not an object. That does not happen for objects that a decoder returned.
    pub fn fields(&self) -> Result<Fields<'_, '_>, Reason> {
        // An empty object has no places either, and is read quickly.
        if self.places.is_empty() {
            return Fields::read(&self.text);
        }
        Ok(Fields::at(&self.text, &self.places))
    }
}

impl Body<'_> {
    /// The value at a path, as it was written, see [`fields::at_path`]. An object may be unreadable only because a name occurs
    /// twice.
    pub fn field(&self, path: &str) -> Option<&str> {
        match self {
            Body::Object(object) => {
                let exact = object.fields().ok()?.find(|field| field.name == path);
                exact.map(|field| field.raw).or_else(|| {
                    let fields: Vec<_> = object.fields().ok()?.map(|f| (f.name, f.raw)).collect();
                    fields::at_path(&fields, path)
                })
            }
            Body::Unreadable { bytes, .. } => {
                let fields = fields::all(std::str::from_utf8(bytes).ok()?).ok()?;
                fields::at_path(&fields, path)
            }
            Body::Tombstone | Body::Other(_) => None,
        }
    }
}

impl<'a> Text<'a> {
    fn of(text: Cow<'a, str>) -> Text<'a> {
        Text {
            line_ends: memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_some(),
            text,
        }
    }

    /// Whether there are line ends between its tokens.
    pub fn has_line_ends(&self) -> bool {
        self.line_ends
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}
