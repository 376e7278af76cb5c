//! Checks JSON values. A value is readable if every reader downstream accepts it: RFC 8259, UTF-8, at most 127 levels, no
//! lone surrogate, no number that a double can't hold, and no top-level name twice, not even if only case differs.

mod block;
mod reason;
mod scan;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

pub(crate) use block::is_plain;
pub use reason::Reason;

/// The value without whitespace around it, or what is wrong with it and where.
#[cfg(test)]
pub fn check(bytes: &[u8]) -> Result<&str, Reason> {
    Checker::default().check(bytes).map(|value| value.text)
}

/// A readable value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readable<'a> {
    /// Without whitespace around it.
    pub text: &'a str,
    pub shape: Shape,
    /// Whether there are line ends between its tokens.
    pub line_ends: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Object,
    /// An object with a top-level field of a reserved name.
    ReservedObject,
    Other,
}

/// The place of a top-level field in [`Readable::text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPlace {
    /// Without its quotes; it has no escapes.
    pub name: Range<usize>,
    /// With any whitespace around it.
    pub value: Range<usize>,
}

/// Checks values one after the other, and keeps its buffers.
#[derive(Debug, Clone, Default)]
pub struct Checker {
    /// In lower case.
    reserved: HashSet<String>,
    seen: HashSet<String>,
    /// The top-level names of the last value that serde_json read.
    names: scan::RememberedNames,
}

impl Checker {
    /// A checker that returns `ReservedObject` for objects with one of these top-level names, whatever their case.
    pub fn with_reserved(names: impl IntoIterator<Item = String>) -> Self {
        Checker {
            reserved: names.into_iter().map(|name| name.to_lowercase()).collect(),
            ..Checker::default()
        }
    }

    /// Reads a value from end to end.
    ///
    /// # Errors
    /// The first thing that a reader would refuse.
    pub fn check<'a>(&mut self, bytes: &'a [u8]) -> Result<Readable<'a>, Reason> {
        self.check_with(bytes, None)
    }

    /// The same, and puts the places of an object's fields into `fields`. It stays empty if the fast path was in doubt.
    ///
    /// # Errors
    /// The first thing that a reader would refuse.
    pub fn check_fields<'a>(
        &mut self,
        bytes: &'a [u8],
        fields: &mut Vec<FieldPlace>,
    ) -> Result<Readable<'a>, Reason> {
        self.check_with(bytes, Some(fields))
    }

    /// One of both.
    ///
    /// # Errors
    /// The first thing that a reader would refuse.
    pub fn check_with<'a>(
        &mut self,
        bytes: &'a [u8],
        mut fields: Option<&mut Vec<FieldPlace>>,
    ) -> Result<Readable<'a>, Reason> {
        let whole =
            simdutf8::compat::from_utf8(bytes).map_err(|e| Reason::at_byte("not UTF-8", e.valid_up_to()))?;
        let text = trimmed(whole);
        if let Some(fields) = &mut fields {
            fields.clear();
        }
        if let Some(readable) = scan::surely_readable(text, &self.names, fields.as_deref_mut()) {
            return Ok(readable);
        }
        if let Some(fields) = fields {
            fields.clear();
        }
        self.seen.clear();
        self.names.clear();
        let mut shape = Shape::Other;
        let mut json = serde_json::Deserializer::from_str(whole);
        let top = Top {
            checker: self,
            shape: &mut shape,
        };
        json.deserialize_any(top).and_then(|()| json.end())?;
        Ok(Readable {
            text,
            shape,
            line_ends: memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_some(),
        })
    }
}

fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [b'{', .., b'}'] => text,
        _ => text.trim_matches([' ', '\t', '\n', '\r']),
    }
}

struct Top<'c> {
    checker: &'c mut Checker,
    shape: &'c mut Shape,
}

/// Everything below the top level: visited, so that serde_json checks it, and dropped.
struct Nested;

macro_rules! forget_scalars {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON value")
        }
        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }
        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
            while seq.next_element_seed(Nested)?.is_some() {}
            Ok(())
        }
    };
}

impl<'de> Visitor<'de> for Nested {
    type Value = ();
    forget_scalars!();

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Nested)?.is_some() {
            map.next_value_seed(Nested)?;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();
    forget_scalars!();

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        *self.shape = Shape::Object;
        while map
            .next_key_seed(TopName {
                checker: self.checker,
                shape: self.shape,
            })?
            .is_some()
        {
            map.next_value_seed(Nested)?;
        }
        Ok(())
    }
}

/// A top-level name, unescaped.
struct TopName<'c> {
    checker: &'c mut Checker,
    shape: &'c mut Shape,
}

impl<'de> DeserializeSeed<'de> for TopName<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for TopName<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        let folded = name.to_lowercase();
        let reserved = self.checker.reserved.contains(&folded);
        if reserved {
            *self.shape = Shape::ReservedObject;
        }
        if self.checker.seen.insert(folded) {
            self.checker.names.push(name, reserved);
            Ok(())
        } else {
            Err(E::custom(format_args!(
                "the name {name:?} occurs twice, case ignored"
            )))
        }
    }
}

#[cfg(test)]
pub(crate) mod oracle;

#[cfg(test)]
mod tests;
