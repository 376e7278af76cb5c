//! The fields of a JSON object: their names, unescaped, and their values as they were written.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

use super::Reason;
use crate::json;

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'t> {
    /// Borrowed unless it has escapes.
    pub name: Cow<'t, str>,
    /// With any blanks around it.
    pub raw: &'t str,
}

/// The fields of one object in their order. Their text lives for `'t`, the places that were noted of them for `'p`.
#[derive(Debug, Clone)]
pub struct Fields<'t, 'p>(FieldSource<'t, 'p>);

#[derive(Debug, Clone)]
enum FieldSource<'t, 'p> {
    Known {
        text: &'t str,
        places: std::slice::Iter<'p, json::FieldPlace>,
    },
    Read(std::vec::IntoIter<(Cow<'t, str>, &'t str)>),
}

impl<'t, 'p> Fields<'t, 'p> {
    /// The fields of an object that was checked together with their places.
    pub(super) fn at(text: &'t str, places: &'p [json::FieldPlace]) -> Fields<'t, 'p> {
        let places = places.iter();
        Fields(FieldSource::Known { text, places })
    }

    /// Reads the object.
    ///
    /// # Errors
    /// The text is not an object, or not JSON to its end.
    pub(super) fn read(object: &'t str) -> Result<Fields<'t, 'p>, Reason> {
        let fields = all(object)?;
        Ok(Fields(FieldSource::Read(fields.into_iter())))
    }
}

/// Reads objects of mostly the same names, and keeps its memory: much cheaper than [`all`].
#[derive(Debug, Clone, Default)]
pub struct FieldReader {
    checker: json::Checker,
    places: Vec<json::FieldPlace>,
}

impl FieldReader {
    /// The fields of an object, as [`all`] finds them.
    ///
    /// # Errors
    /// The text is not an object, or not JSON to its end.
    pub fn read<'t>(&mut self, object: &'t str) -> Result<Fields<'t, '_>, Reason> {
        match self.checker.check_fields(object.as_bytes(), &mut self.places) {
            Ok(readable) if !self.places.is_empty() => Ok(Fields::at(readable.text, &self.places)),
            // The scan was in doubt, or the object is empty or has fields that not every reader accepts.
            _ => Fields::read(object),
        }
    }
}

impl<'t> Iterator for Fields<'t, '_> {
    type Item = Field<'t>;

    fn next(&mut self) -> Option<Field<'t>> {
        let (name, raw) = match &mut self.0 {
            FieldSource::Known { text, places } => {
                let place = places.next()?;
                (
                    Cow::Borrowed(&text[place.name.clone()]),
                    &text[place.value.clone()],
                )
            }
            FieldSource::Read(fields) => fields.next()?,
        };
        Some(Field { name, raw })
    }
}

/// All fields of an object.
///
/// # Errors
/// The text is not an object, or not JSON to its end.
pub fn all(object: &str) -> Result<Vec<(Cow<'_, str>, &str)>, Reason> {
    let mut fields = Vec::new();
    each(object, &mut |name, raw| fields.push((name, raw)))?;
    Ok(fields)
}

/// Calls `visit` with every field of an object, up to the first error.
///
/// # Errors
/// The text is not an object, or not JSON to its end.
pub fn each<'t>(
    object: &'t str,
    visit: &mut dyn FnMut(Cow<'t, str>, &'t str),
) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(object);
    json.deserialize_map(Each(visit))?;
    json.end()
}

/// The raw value at `path`: of the field of this name, or else, where a dot divides the path, of a field of an object.
/// Names compare without case, but the very name comes first; of several the last counts. Arrays are not entered.
pub fn at_path<'t>(fields: &[(Cow<'t, str>, &'t str)], path: &str) -> Option<&'t str> {
    named(fields, path).or_else(|| {
        path.match_indices('.').find_map(|(dot, _)| {
            let object = named(fields, &path[..dot])?.trim_ascii_start();
            let inner = all(object).ok()?;
            at_path(&inner, &path[dot + 1..])
        })
    })
}

fn named<'t>(fields: &[(Cow<'t, str>, &'t str)], name: &str) -> Option<&'t str> {
    let fields = || fields.iter().rev();
    let found = fields().find(|(other, _)| other == name);
    let found = found.or_else(|| fields().find(|(other, _)| is_same_name(other, name)));
    found.map(|(_, raw)| *raw)
}

fn is_same_name(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (!(one.is_ascii() && other.is_ascii()) && one.to_lowercase() == other.to_lowercase())
}

/// The text of a string, a number or a boolean; None for null, objects and arrays.
pub fn scalar(raw: &str) -> Option<Cow<'_, str>> {
    let raw = raw.trim_matches([' ', '\t', '\n', '\r']);
    match raw.as_bytes().first()? {
        b'{' | b'[' | b'n' => None,
        b'"' if !raw.contains('\\') && raw.len() >= 2 => Some(Cow::Borrowed(&raw[1..raw.len() - 1])),
        b'"' => serde_json::from_str::<String>(raw).ok().map(Cow::Owned),
        _ => Some(Cow::Borrowed(raw)),
    }
}

/// Whether the text is a number of JSON, without anything around it.
pub fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get() == text)
}

struct Each<'v, 't>(&'v mut dyn FnMut(Cow<'t, str>, &'t str));

impl<'t> Visitor<'t> for Each<'_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(FieldName(name)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            (self.0)(name, value.get());
        }
        Ok(())
    }
}

/// Borrowed unless it has escapes.
#[derive(serde::Deserialize)]
struct FieldName<'t>(#[serde(borrow)] Cow<'t, str>);
