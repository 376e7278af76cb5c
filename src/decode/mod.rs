//! Decodes records: the key, and the value as text. Only this folder knows formats; lines, columns, days, erasures and the
//! inference of types work on decoded records.

mod envelope;
pub mod fields;
pub mod guess;
pub mod key;
pub mod line;
#[allow(dead_code)]
mod protobuf;
#[allow(dead_code)]
mod schema;
mod shown_key;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Deref;

use crate::config::{Envelope, KeySchema};
pub use crate::json::Reason;
use crate::json::{self, Checker, Shape};
use crate::record::{Coordinates, Record};
use envelope::Unwrapped;
pub use fields::{Field, FieldReader, Fields, Logical};
use key::DecodedKey;

/// A record, decoded once.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<'a> {
    pub at: Coordinates,
    pub key: DecodedKey<'a>,
    pub body: Body<'a>,
}

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
    },
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
    envelope: Option<Envelope>,
    /// Checks keys that are JSON: their names differ from those of values.
    key_checker: Checker,
    checker: Checker,
    wants_fields: bool,
    /// Memory for the places of fields, kept for reuse.
    spare: Vec<Vec<json::FieldPlace>>,
}

impl Decoder {
    pub fn new(keys: KeySchema) -> Decoder {
        Decoder {
            keys,
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

    /// A decoder that takes values out of this envelope; the schema of the keys says whether those are in one too.
    pub fn unwrapping(self, envelope: Option<Envelope>) -> Decoder {
        Decoder { envelope, ..self }
    }

    /// The decoder of the same records without their envelopes, as [`Decoded::row`] returns them.
    pub fn of_rows(self) -> Decoder {
        Decoder {
            keys: KeySchema {
                unwrap: false,
                ..self.keys
            },
            envelope: None,
            ..self
        }
    }

    /// Whether values must be in an envelope.
    pub fn unwraps(&self) -> bool {
        self.envelope.is_some()
    }

    /// Decodes a record. Never fails: a key or value that can't be decoded is returned with the reason.
    pub fn decode<'a>(&mut self, record: &Record<'a>) -> Decoded<'a> {
        Decoded {
            at: record.coordinates(),
            key: self.keys.decode_with(&mut self.key_checker, record.key),
            body: self.body(record.value),
        }
    }

    /// Takes back the memory of decoded records, for the next ones.
    pub fn take_back<'a>(&mut self, decoded: impl IntoIterator<Item = Decoded<'a>>) {
        for decoded in decoded {
            if let Body::Object(object) = decoded.body
                && self.wants_fields
            {
                self.spare.push(object.places);
            }
        }
    }

    fn body<'a>(&mut self, value: Option<&'a [u8]>) -> Body<'a> {
        let Some(bytes) = value else {
            return Body::Tombstone;
        };
        let body = match self.envelope {
            None => self.json(bytes),
            Some(envelope) => self.unwrapped(envelope, bytes),
        };
        body.unwrap_or_else(|reason| Body::Unreadable {
            reason,
            bytes: Cow::Borrowed(bytes),
        })
    }

    fn unwrapped<'a>(&mut self, envelope: Envelope, bytes: &'a [u8]) -> Result<Body<'a>, Reason> {
        let text =
            simdutf8::compat::from_utf8(bytes).map_err(|e| Reason::at_byte("not UTF-8", e.valid_up_to()))?;
        match envelope.open(text)? {
            Unwrapped::Deleted => Ok(Body::Tombstone),
            Unwrapped::Row(row) => self
                .json(row.as_bytes())
                .map_err(|reason| reason.of_the("in its envelope")),
        }
    }

    #[inline]
    fn json<'a>(&mut self, bytes: &'a [u8]) -> Result<Body<'a>, Reason> {
        let mut places = Vec::new();
        let readable = if self.wants_fields {
            places = self.spare.pop().unwrap_or_default();
            self.checker.check_fields(bytes, &mut places)
        } else {
            self.checker.check(bytes)
        }?;
        let text = Text {
            text: Cow::Borrowed(readable.text),
            line_ends: readable.line_ends,
        };
        if readable.shape == Shape::Other {
            return Ok(Body::Other(text));
        }
        Ok(Body::Object(Object {
            text,
            reserved: readable.shape == Shape::ReservedObject,
            places,
        }))
    }
}

impl Decoded<'_> {
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
