//! Reads of a JSON Schema which fields its values have, and of which types. Values are never checked by it.
//!
//! It says much less than other languages: a plain `number` may be of any width, so it is `Any`, and values decide. Connect and
//! ksqlDB note their own types beside (`connect.type`, `title`).

use std::borrow::Cow;

use crate::decode::fields::all;
use crate::decode::registered::PayloadReader;
use crate::decode::schema::{Reference, SchemaColumn, SchemaType};
use crate::decode::{Formatted, Reason, SchemaShape};

/// Steps along references and branches. No real schema needs as many; those that refer to themselves would never end.
const STEPS_MAX: u32 = 10_000;
/// Levels of branches within branches.
const LEVELS_MAX: u32 = 32;
/// Decimal places that are noted; more are none of a decimal.
const SCALE_MAX: u32 = 1_000;

/// A schema of values that are JSON themselves, and need none to be read.
#[derive(Debug)]
pub(in crate::decode) struct JsonSchema {
    text: String,
    references: Vec<Reference>,
}

impl JsonSchema {
    pub fn of(text: &str, references: &[Reference]) -> JsonSchema {
        JsonSchema {
            text: text.to_owned(),
            references: references.to_vec(),
        }
    }
}

impl PayloadReader for JsonSchema {
    fn read<'a>(&self, _: Option<&[u8]>, payload: &'a [u8], _: String) -> Result<Formatted<'a>, Reason> {
        Ok(Formatted::Json(payload))
    }

    fn shape(&self) -> Result<SchemaShape, Reason> {
        let (columns, top) = read(&self.text, &self.references)?;
        Ok(SchemaShape { columns, top })
    }
}

/// The columns of the schema's values, in order, and the type of a whole value.
pub(super) fn read(
    text: &str,
    references: &[Reference],
) -> Result<(Option<Vec<SchemaColumn>>, SchemaType), Reason> {
    // A schema may be `true`, too.
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map_err(|error| Reason::from(error).of_the("JSON Schema"))?;
    let mut reader = SchemaReader {
        references,
        steps: STEPS_MAX,
    };
    let top = reader.follow(text, text);
    let (kind, _) = reader.kind(&top, 0);
    let mut properties = Vec::new();
    if kind == SchemaType::Record {
        reader.properties(&top, 0, &mut properties);
    }
    properties.sort_by_key(|(index, _)| *index);
    let columns: Vec<SchemaColumn> = properties.into_iter().map(|(_, column)| column).collect();
    Ok((Some(columns).filter(|columns| !columns.is_empty()), kind))
}

struct SchemaReader<'t> {
    references: &'t [Reference],
    steps: u32,
}

/// A schema or a part of one, and the document that it stands in.
struct Node<'t> {
    document: &'t str,
    fields: Vec<(Cow<'t, str>, &'t str)>,
}

impl<'t> SchemaReader<'t> {
    /// The part, or what it refers to. Whatever can't be found has no fields, and so says nothing.
    fn follow(&mut self, document: &'t str, part: &'t str) -> Node<'t> {
        let (mut document, mut part) = (document, part);
        loop {
            let node = Node {
                document,
                fields: all(part).unwrap_or_default(),
            };
            let Some(reference) = node.text("$ref") else {
                return node;
            };
            let found = self.find(document, &reference);
            match found {
                Some(found) if self.steps > 0 => (document, part) = found,
                _ => {
                    let fields = Vec::new();
                    return Node { document, fields };
                }
            }
            self.steps -= 1;
        }
    }

    /// `#/definitions/Money`, `money.json`, `money.json#/$defs/Money`.
    fn find(&self, document: &'t str, reference: &str) -> Option<(&'t str, &'t str)> {
        let (name, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let of_name = |each: &&Reference| each.name == name || each.name == reference;
        let of_id = |each: &&Reference| {
            let fields = all(&each.text).unwrap_or_default();
            let id = named(&fields, "$id").and_then(unquoted);
            id.is_some_and(|id| id.trim_end_matches('#') == name)
        };
        let document = match name {
            "" => document,
            _ => {
                let references = self.references;
                let found = references.iter().find(of_name);
                &found.or_else(|| references.iter().find(of_id))?.text
            }
        };
        let mut part = document;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            part = named(&all(part).ok()?, &step)?;
        }
        Some((document, part))
    }

    /// The type, and whether it is null as well.
    fn kind(&mut self, node: &Node<'t>, level: u32) -> (SchemaType, bool) {
        if let Some(branches) = node.list("oneOf").or_else(|| node.list("anyOf")) {
            return self.one_of(node, &branches, level);
        }
        if let Some(parts) = node.list("allOf") {
            let mut known = None;
            for part in parts {
                let (kind, nullable) = self.kind_of_part(node, part, level);
                if kind != SchemaType::Any && known.is_none() {
                    known = Some((kind, nullable));
                }
            }
            return known.unwrap_or_else(|| node.plain());
        }
        node.plain()
    }

    /// The one type of all branches but null.
    fn one_of(&mut self, node: &Node<'t>, branches: &[&'t str], level: u32) -> (SchemaType, bool) {
        let (mut only, mut nullable) = (None, false);
        for branch in branches {
            let part = self.branch(node, branch, level);
            match part {
                None => nullable = true,
                Some((kind, or_null)) => {
                    nullable |= or_null;
                    only = match only {
                        None => Some(kind),
                        Some(same) if same == kind => Some(same),
                        Some(_) => Some(SchemaType::Any),
                    };
                }
            }
        }
        (only.unwrap_or(SchemaType::Any), nullable)
    }

    /// None: the branch is null.
    fn branch(&mut self, node: &Node<'t>, branch: &'t str, level: u32) -> Option<(SchemaType, bool)> {
        let is_null = all(branch).is_ok_and(|fields| {
            let kind = named(&fields, "type").and_then(unquoted);
            kind.as_deref() == Some("null")
        });
        (!is_null).then(|| self.kind_of_part(node, branch, level))
    }

    fn kind_of_part(&mut self, node: &Node<'t>, part: &'t str, level: u32) -> (SchemaType, bool) {
        if self.steps == 0 || level == LEVELS_MAX {
            return (SchemaType::Any, true);
        }
        self.steps -= 1;
        let part = self.follow(node.document, part);
        self.kind(&part, level + 1)
    }

    /// Adds the properties of an object, and of all that it is made of, each with its place by Connect's count.
    fn properties(&mut self, node: &Node<'t>, level: u32, found: &mut Vec<(i64, SchemaColumn)>) {
        if self.steps == 0 || level == LEVELS_MAX {
            return;
        }
        self.steps -= 1;
        let required = node.list("required").unwrap_or_default();
        let required: Vec<_> = required.into_iter().filter_map(unquoted).collect();
        for (name, part) in node
            .get("properties")
            .and_then(|raw| all(raw).ok())
            .unwrap_or_default()
        {
            if found.iter().any(|(_, column)| column.name == name) {
                continue;
            }
            let property = self.follow(node.document, part);
            let (kind, or_null) = self.kind(&property, level + 1);
            // Connect has its own way to say what is optional.
            let index = all(part)
                .ok()
                .and_then(|fields| named(&fields, "connect.index")?.trim().parse::<i64>().ok());
            let nullable = or_null || (index.is_none() && !required.contains(&name));
            found.push((
                index.unwrap_or(i64::MAX),
                SchemaColumn {
                    name: name.into_owned(),
                    kind,
                    nullable,
                },
            ));
        }
        for combined in ["allOf", "oneOf", "anyOf"] {
            for part in node.list(combined).unwrap_or_default() {
                let part = self.follow(node.document, part);
                self.properties(&part, level + 1, found);
            }
        }
    }
}

impl<'t> Node<'t> {
    fn get(&self, name: &str) -> Option<&'t str> {
        named(&self.fields, name)
    }

    fn text(&self, name: &str) -> Option<Cow<'t, str>> {
        self.get(name).and_then(unquoted)
    }

    fn list(&self, name: &str) -> Option<Vec<&'t str>> {
        list(self.get(name)?)
    }

    /// The type by what is said here alone.
    fn plain(&self) -> (SchemaType, bool) {
        let mut names = match self.text("type") {
            Some(only) => vec![only],
            None => self
                .list("type")
                .unwrap_or_default()
                .into_iter()
                .filter_map(unquoted)
                .collect(),
        };
        let before = names.len();
        names.retain(|name| name != "null");
        let nullable = names.len() < before;
        let kind = match (&names[..], before) {
            ([only], _) => self.of_type(only),
            ([], 0) => self.of_keywords(),
            _ => SchemaType::Any,
        };
        (kind, nullable)
    }

    fn of_type(&self, name: &str) -> SchemaType {
        let title = self.text("title").unwrap_or_default();
        let connect = self.text("connect.type").unwrap_or_default();
        let logical = title.strip_prefix("org.apache.kafka.connect.data.").unwrap_or("");
        match (name, logical, &*connect) {
            ("boolean", _, _) => SchemaType::Boolean,
            ("integer", "Date", _) => SchemaType::Date,
            ("integer", "Time", _) => SchemaType::Time { digits: 3 },
            ("integer", "Timestamp", _) => SchemaType::Timestamp { digits: 3, utc: true },
            ("integer", _, "int8" | "int16" | "int32") => SchemaType::Int,
            ("integer", _, _) => self.integer(),
            ("number", "Decimal", _) => self.decimal(),
            ("number", _, "float32") => SchemaType::Float,
            ("number", _, "float64") => SchemaType::Double,
            // Base64 of an unscaled number: nobody but Connect reads it.
            ("string", "Decimal", _) => SchemaType::Text,
            ("string", _, "bytes") => SchemaType::Bytes,
            ("string", _, _) => self.string(),
            ("array", _, "map") | ("object", _, "map") => SchemaType::Map,
            ("array", _, _) => SchemaType::Array,
            ("object", _, _) => self.object(),
            _ => SchemaType::Any,
        }
    }

    /// An integer of JSON has no width, but those of 64 bits are the rule.
    fn integer(&self) -> SchemaType {
        let maximum = self.get("maximum").and_then(|raw| raw.trim().parse::<f64>().ok());
        match maximum {
            Some(maximum) if maximum > 2f64.powi(63) => SchemaType::Any,
            _ => SchemaType::Bigint,
        }
    }

    fn string(&self) -> SchemaType {
        if let Some(members) = self.list("enum") {
            return texts(&members).map_or(SchemaType::Text, SchemaType::Enum);
        }
        let encoding = self.text("contentEncoding").unwrap_or_default();
        match (self.text("format").as_deref(), &*encoding) {
            (Some("date-time"), _) => SchemaType::Timestamp { digits: 6, utc: true },
            (Some("date"), _) => SchemaType::Date,
            (_, "base64") => SchemaType::Bytes,
            // That of a time has an offset, which no column has.
            _ => SchemaType::Text,
        }
    }

    fn object(&self) -> SchemaType {
        if self.get("properties").is_some() {
            return SchemaType::Record;
        }
        SchemaType::Map
    }

    /// `"connect.parameters": {"scale": "2", "connect.decimal.precision": "10"}`.
    fn decimal(&self) -> SchemaType {
        let parameters = self
            .get("connect.parameters")
            .and_then(|raw| all(raw).ok())
            .unwrap_or_default();
        let number = |name: &str| {
            let text = named(&parameters, name).and_then(unquoted)?;
            text.parse::<u32>().ok()
        };
        match (number("connect.decimal.precision"), number("scale")) {
            (Some(precision), Some(scale)) if scale <= SCALE_MAX && precision > 0 => SchemaType::Decimal {
                precision: precision.max(scale),
                scale,
            },
            _ => SchemaType::Any,
        }
    }

    /// Without a type, other keywords may tell it.
    fn of_keywords(&self) -> SchemaType {
        if self.get("properties").is_some() {
            return SchemaType::Record;
        }
        if self.get("items").is_some() {
            return SchemaType::Array;
        }
        let members = self.list("enum").and_then(|members| texts(&members));
        let constant = || self.text("const").map(|only| vec![only.into_owned()]);
        members
            .or_else(constant)
            .map_or(SchemaType::Any, SchemaType::Enum)
    }
}

/// The last field of that name, as readers of JSON have it.
fn named<'t>(fields: &[(Cow<'t, str>, &'t str)], name: &str) -> Option<&'t str> {
    let found = fields.iter().rev().find(|(field, _)| field == name);
    found.map(|(_, raw)| *raw)
}

fn list(raw: &str) -> Option<Vec<&str>> {
    let parts: Vec<&serde_json::value::RawValue> = serde_json::from_str(raw).ok()?;
    Some(parts.into_iter().map(serde_json::value::RawValue::get).collect())
}

fn unquoted(raw: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
}

/// None if one of them is no text.
fn texts(members: &[&str]) -> Option<Vec<String>> {
    members
        .iter()
        .map(|member| unquoted(member).map(Cow::into_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use SchemaType::{
        Any, Array, Bigint, Boolean, Bytes, Date, Decimal, Double, Enum, Float, Int, Map, Record, Text,
    };

    /// Each column as its name, its type, and whether it takes null.
    fn columns(text: &str) -> Vec<(String, SchemaType, bool)> {
        let (columns, _) = read(text, &[]).unwrap();
        let columns = columns.unwrap_or_default().into_iter();
        columns.map(|c| (c.name, c.kind, c.nullable)).collect()
    }

    /// The type of a property, and whether it takes null although it is required.
    fn property(text: &str) -> (SchemaType, bool) {
        let schema = format!("{{\"type\":\"object\",\"properties\":{{\"p\":{text}}},\"required\":[\"p\"]}}");
        let mut columns = columns(&schema);
        let (_, kind, nullable) = columns.pop().unwrap();
        (kind, nullable)
    }

    #[test]
    fn a_property_is_of_one_type() {
        let timestamp = |digits| SchemaType::Timestamp { digits, utc: true };
        let title = |title: &str, rest: &str| {
            format!("{{\"title\":\"org.apache.kafka.connect.data.{title}\",{rest}}}")
        };
        for (text, kind) in [
            (r#"{"type":"boolean"}"#, Boolean),
            (r#"{"type":"integer"}"#, Bigint),
            (r#"{"type":"integer","maximum":18446744073709551615}"#, Any),
            (r#"{"type":"integer","connect.type":"int16"}"#, Int),
            (r#"{"type":"integer","connect.type":"int64"}"#, Bigint),
            (r#"{"type":"number"}"#, Any),
            (r#"{"type":"number","connect.type":"float32"}"#, Float),
            (r#"{"type":"number","connect.type":"float64"}"#, Double),
            (r#"{"type":"string"}"#, Text),
            (r#"{"type":"string","connect.type":"bytes"}"#, Bytes),
            (r#"{"type":"string","contentEncoding":"base64"}"#, Bytes),
            (r#"{"type":"string","format":"date-time"}"#, timestamp(6)),
            (r#"{"type":"string","format":"date"}"#, Date),
            (r#"{"type":"string","format":"time"}"#, Text),
            (
                r#"{"type":"string","enum":["a","\"b\""]}"#,
                Enum(vec!["a".into(), "\"b\"".into()]),
            ),
            (r#"{"const":"a"}"#, Enum(vec!["a".into()])),
            (r#"{"enum":["a",1]}"#, Any),
            (r#"{"type":"array","items":{}}"#, Array),
            (r#"{"type":"array","connect.type":"map","items":{}}"#, Map),
            (r#"{"type":"object","additionalProperties":true}"#, Map),
            (r#"{"type":"object","properties":{}}"#, Record),
            (r#"{"properties":{}}"#, Record),
            ("{}", Any),
            ("true", Any),
            (r#"{"type":["integer","string"]}"#, Any),
            (r#"{"oneOf":[{"type":"integer"},{"type":"string"}]}"#, Any),
            (r#"{"allOf":[{"description":"x"},{"type":"integer"}]}"#, Bigint),
            (&title("Date", r#""type":"integer""#), Date),
            (&title("Timestamp", r#""type":"integer""#), timestamp(3)),
            (
                &title("Time", r#""type":"integer""#),
                SchemaType::Time { digits: 3 },
            ),
            (
                &title("Decimal", r#""type":"string","connect.type":"bytes""#),
                Text,
            ),
            (&title("Decimal", r#""type":"number""#), Any),
            (
                &title(
                    "Decimal",
                    r#""type":"number","connect.parameters":{"scale":"2","connect.decimal.precision":"10"}"#,
                ),
                Decimal {
                    precision: 10,
                    scale: 2,
                },
            ),
        ] {
            assert_eq!(property(text), (kind, false), "{text}");
        }
        for text in [
            r#"{"type":["null","integer"]}"#,
            r#"{"oneOf":[{"type":"null"},{"type":"integer","connect.type":"int64"}]}"#,
            r#"{"anyOf":[{"type":"integer"},{"type":"null"}]}"#,
        ] {
            assert_eq!(property(text), (Bigint, true), "{text}");
        }
    }

    #[test]
    fn properties_keep_the_order_of_the_text_or_of_connect() {
        let plain = r#"{"type":"object","required":["a"],"properties":{"z":{"type":"boolean"},"a":{"type":"boolean"}}}"#;
        assert_eq!(
            columns(plain),
            [("z".to_owned(), Boolean, true), ("a".to_owned(), Boolean, false)]
        );
        let connect = r#"{"type":"object","properties":{"A":{"connect.index":1,"oneOf":[{"type":"null"},{"type":"string"}]},
            "Z":{"connect.index":0,"type":"boolean"}}}"#;
        assert_eq!(
            columns(connect),
            [("Z".to_owned(), Boolean, false), ("A".to_owned(), Text, true)]
        );
    }

    #[test]
    fn references_lead_into_the_document_and_into_others() {
        let text = r##"{"$ref":"#/$defs/Top","$defs":{"Top":{"allOf":[{"$ref":"#/$defs/Base"},{"type":"object",
            "properties":{"m":{"$ref":"money.json"},"c":{"$ref":"http://x/y.json#/definitions/C~1D"},"lost":{"$ref":"none.json"}}}]},
            "Base":{"type":"object","properties":{"id":{"type":"integer"}}}}}"##;
        let reference = |name: &str, text: &str| Reference {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let references = [
            reference(
                "money.json",
                r#"{"type":"object","properties":{"amount":{"type":"number"}}}"#,
            ),
            reference(
                "y",
                r#"{"$id":"http://x/y.json","definitions":{"C/D":{"type":"string"}}}"#,
            ),
        ];
        let (columns, top) = read(text, &references).unwrap();
        let columns: Vec<_> = columns.unwrap().into_iter().map(|c| (c.name, c.kind)).collect();
        let expected = [("id", Bigint), ("m", Record), ("c", Text), ("lost", Any)];
        assert_eq!(columns, expected.map(|(name, kind)| (name.to_owned(), kind)));
        assert_eq!(top, Record);
    }

    #[test]
    fn what_refers_to_itself_ends() {
        for text in [
            r##"{"$ref":"#"}"##,
            r##"{"allOf":[{"$ref":"#"},{"$ref":"#"}]}"##,
            r##"{"oneOf":[{"$ref":"#"},{"$ref":"#"}],"properties":{"a":{"$ref":"#"}}}"##,
            r##"{"type":"object","properties":{"a":{"$ref":"#"}},"allOf":[{"$ref":"#"},{"$ref":"#"}]}"##,
        ] {
            assert!(read(text, &[]).is_ok(), "{text}");
        }
        let deep = format!("{}1{}", "{\"allOf\":[".repeat(5_000), "]}".repeat(5_000));
        assert!(read(&deep, &[]).is_ok());
        assert!(read("{\"type\":", &[]).is_err());
    }
}
