//! What a record says: its key, and its value as text. Only this folder takes bytes of records apart; lines, columns,
//! days, erasures and the inference of types see what comes out of it, and know nothing of formats.

pub mod fields;
pub mod key;
pub mod line;
mod shown_key;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Deref;

use crate::config::KeySchema;
use crate::json::{self, Checker, Shape};
use crate::record::{Coordinates, Record};
pub use fields::{Field, Fields, Logical};
use key::DecodedKey;

/// Why something can't be read, in words.
pub type Reason = Cow<'static, str>;

/// A record, decoded once.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<'a> {
    pub at: Coordinates,
    pub key: DecodedKey<'a>,
    pub body: Body<'a>,
}

/// What a record's value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Body<'a> {
    /// There is none.
    Tombstone,
    Object(Object<'a>),
    /// Readable JSON of another kind.
    Other(Text<'a>),
    /// These are its bytes.
    Unreadable {
        reason: Reason,
        bytes: Cow<'a, [u8]>,
    },
}

/// A JSON object that every reader can be trusted to take, without blanks around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Object<'a> {
    text: Text<'a>,
    /// A field has one of the names that the decoder was told to look out for.
    reserved: bool,
    /// Where its fields are, where that was wanted and a quick look did.
    places: Vec<json::FieldPlace>,
}

/// Readable JSON, borrowed from the record where it stood there as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Text<'a> {
    text: Cow<'a, str>,
    line_ends: bool,
}

/// Decodes the records of one topic, and keeps its memory from one to the next.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    keys: KeySchema,
    /// Of keys that are JSON: they have names of their own.
    key_checker: Checker,
    checker: Checker,
    wants_fields: bool,
    /// Memory for places of fields.
    spare: Vec<Vec<json::FieldPlace>>,
}

impl Decoder {
    pub fn new(keys: KeySchema) -> Decoder {
        Decoder {
            keys,
            ..Decoder::default()
        }
    }

    /// Objects in which a top-level field has one of these names (whatever their case) are told apart.
    pub fn reserving(self, names: impl IntoIterator<Item = String>) -> Decoder {
        Decoder {
            checker: Checker::with_reserved(names),
            ..self
        }
    }

    /// Fields will be asked for: their places are noted in the same pass that checks the value.
    pub fn with_fields(self) -> Decoder {
        Decoder {
            wants_fields: true,
            ..self
        }
    }

    /// Never fails: what can't be read is told as such.
    pub fn decode<'a>(&mut self, record: &Record<'a>) -> Decoded<'a> {
        Decoded {
            at: record.coordinates(),
            key: self.keys.decode_with(&mut self.key_checker, record.key),
            body: self.body(record.value),
        }
    }

    /// Takes the memory of what was decoded before, for the next records.
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
        let mut places = Vec::new();
        let checked = if self.wants_fields {
            places = self.spare.pop().unwrap_or_default();
            self.checker.check_fields(bytes, &mut places)
        } else {
            self.checker.check(bytes)
        };
        match checked {
            Ok(readable) => {
                let text = Text {
                    text: Cow::Borrowed(readable.text),
                    line_ends: readable.line_ends,
                };
                if readable.shape == Shape::Other {
                    return Body::Other(text);
                }
                Body::Object(Object {
                    text,
                    reserved: readable.shape == Shape::ReservedObject,
                    places,
                })
            }
            Err(reason) => Body::Unreadable {
                reason: reason.into(),
                bytes: Cow::Borrowed(bytes),
            },
        }
    }
}

impl Decoded<'_> {
    /// What is wrong with the key.
    pub fn key_fault(&self) -> Option<&Reason> {
        match &self.key {
            DecodedKey::Undecodable { reason, .. } => Some(reason),
            DecodedKey::Null | DecodedKey::Key { .. } => None,
        }
    }
}

impl<'a> Object<'a> {
    /// An object of which nothing is known but its text.
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

    /// Whether a field has one of the reserved names, so that it can't stand beside fields of ours.
    pub fn is_reserved(&self) -> bool {
        self.reserved
    }

    /// Its fields in their order. Nothing was done for them until now, unless they were wanted.
    ///
    /// # Errors
    /// None where the object came from a decoder, which has checked it.
    pub fn fields(&self) -> Result<Fields<'_>, Reason> {
        // An object without any has no places either, and is soon read.
        if self.places.is_empty() {
            return Fields::read(&self.text);
        }
        Ok(Fields::at(&self.text, &self.places))
    }
}

impl Body<'_> {
    /// The text of the field of exactly this name, as it was written. Of an object that is unreadable only because a name
    /// stands in it twice, the last one counts.
    pub fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        match self {
            Body::Object(object) => {
                let mut fields = object.fields().ok()?;
                fields
                    .find(|field| field.name == name)
                    .map(|field| field.raw.into())
            }
            Body::Unreadable { bytes, .. } => {
                let fields: serde_json::Map<String, serde_json::Value> =
                    serde_json::from_slice(bytes).ok()?;
                fields.get(name).map(|value| value.to_string().into())
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

    /// Whether it stands on more than one line: there are line ends between its tokens.
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
