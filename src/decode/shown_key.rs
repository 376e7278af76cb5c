//! Keys as people give them, copied from `_key` in the lake.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::collections::BTreeMap;

use super::declared;
use super::key::Key;
use crate::config::{DeclaredColumn, DeclaredType, KeyFormat, KeySchema};

impl KeySchema {
    /// The key that lines show as this text; None if no key of the topic can look like it.
    pub fn from_shown<'a>(&self, shown: &'a str) -> Option<Key<'a>> {
        Some(match self.format {
            KeyFormat::String if self.separator.is_some() => {
                Key::Json(object_of(&self.columns, shown)?.into())
            }
            KeyFormat::String => Key::Text(shown.into()),
            KeyFormat::Int | KeyFormat::Bigint => Key::Int(shown.parse().ok()?),
            KeyFormat::Double => Key::Double(shown.parse().ok()?),
            KeyFormat::Delimited if self.columns.len() > 1 => {
                Key::Json(object_of(&self.columns, shown)?.into())
            }
            KeyFormat::Json | KeyFormat::Registered(_) if shown.starts_with(['{', '[']) => {
                Key::Json(shown.into())
            }
            // Always text: a column of numbers accepts a number as text too.
            KeyFormat::Json | KeyFormat::Delimited | KeyFormat::Registered(_) => {
                Key::Json(serde_json::to_string(shown).ok()?.into())
            }
            KeyFormat::Bytes => Key::Bytes(BASE64.decode(shown).ok()?.into()),
            KeyFormat::None => return None,
        })
    }

    /// An example of the JSON type that `_key` has for this topic.
    pub fn shown_example(&self) -> String {
        let example = match self.format {
            KeyFormat::String if self.separator.is_some() => "{}",
            KeyFormat::String | KeyFormat::Bytes => "\"\"",
            KeyFormat::Int | KeyFormat::Bigint => "0",
            KeyFormat::Double => "0e0",
            KeyFormat::Delimited if self.columns.len() > 1 => "{}",
            KeyFormat::Delimited | KeyFormat::Json if self.has_stated_type() => {
                return declared::example(self.columns[0].kind);
            }
            KeyFormat::Delimited => "\"\"",
            KeyFormat::Json | KeyFormat::Registered(_) | KeyFormat::None => "null",
        };
        example.to_owned()
    }

    /// Whether it is one column of a type that is not just the default.
    fn has_stated_type(&self) -> bool {
        matches!(&self.columns[..], [column] if column.kind != DeclaredType::default())
    }
}

/// The text, if it is an object with all columns of a key.
fn object_of<'a>(columns: &[DeclaredColumn], shown: &'a str) -> Option<&'a str> {
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_str(shown).ok()?;
    let has_all =
        fields.len() == columns.len() && columns.iter().all(|column| fields.contains_key(&column.name));
    has_all.then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_several_columns_are_given_as_the_lake_shows_them() {
        let columns = ["a", "b"].map(DeclaredColumn::named);
        let object = r#"{"b":"2","a":1}"#;
        assert_eq!(object_of(&columns, object), Some(object));
        assert_eq!(object_of(&columns, "1,2"), None);
        assert_eq!(object_of(&columns[..1], object), None);
    }

    #[test]
    fn a_key_is_given_as_its_format_shows_it() {
        let key = |format, shown| {
            let schema = KeySchema {
                format,
                ..KeySchema::default()
            };
            schema.from_shown(shown).map(|key| format!("{key:?}"))
        };
        assert_eq!(key(KeyFormat::String, "{").unwrap(), "Text(\"{\")");
        assert_eq!(key(KeyFormat::Bigint, "-7").unwrap(), "Int(-7)");
        assert_eq!(key(KeyFormat::Json, "7").unwrap(), "Json(\"\\\"7\\\"\")");
        assert_eq!(key(KeyFormat::Json, "{}").unwrap(), "Json(\"{}\")");
        assert_eq!(key(KeyFormat::Delimited, "7").unwrap(), "Json(\"\\\"7\\\"\")");
        assert_eq!(key(KeyFormat::Bytes, "/w==").unwrap(), "Bytes([255])");
        for (format, shown) in [
            (KeyFormat::Int, "x"),
            (KeyFormat::Bytes, "?"),
            (KeyFormat::None, ""),
        ] {
            assert_eq!(key(format, shown), None);
        }
    }
}
