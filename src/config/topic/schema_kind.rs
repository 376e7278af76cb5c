//! The formats whose schemas a registry holds, one line each. How one is read stands in `decode/registered.rs`.

/// The languages of schemas, each of which is a format of keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaKind {
    Avro,
    Protobuf,
    JsonSchema,
}

/// What such a format is called, and what its values are.
#[derive(Debug, PartialEq, Eq)]
pub struct SchemaTraits {
    pub kind: SchemaKind,
    /// In key.format and value.format.
    pub setting: &'static str,
    /// `schemaType` in a registry's answers.
    pub registry: &'static str,
    /// KEY_FORMAT and VALUE_FORMAT in ksqlDB's statements.
    pub ksqldb: &'static str,
    pub title: &'static str,
    pub payload: SchemaPayload,
}

/// What stands behind a schema's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaPayload {
    /// All types are the schema's; a value may be a single one without a name.
    Typed,
    /// Always a message with names, in which ksqlDB loses nulls.
    Message,
    /// JSON, whose types may be stated in value.columns.
    Json,
}

use SchemaKind::{Avro, JsonSchema, Protobuf};
use SchemaPayload::{Json, Message, Typed};

#[rustfmt::skip]
const SCHEMA_KINDS: [SchemaTraits; 3] = [
    SchemaTraits { kind: Avro, setting: "avro", registry: "AVRO", ksqldb: "AVRO", title: "Avro", payload: Typed },
    SchemaTraits { kind: Protobuf, setting: "protobuf", registry: "PROTOBUF", ksqldb: "PROTOBUF", title: "Protobuf", payload: Message },
    SchemaTraits { kind: JsonSchema, setting: "json_sr", registry: "JSON", ksqldb: "JSON_SR", title: "JSON Schema", payload: Json },
];

impl SchemaKind {
    pub fn traits(self) -> &'static SchemaTraits {
        &SCHEMA_KINDS[self as usize]
    }

    /// The kind of which this is true.
    pub fn find(is_it: impl Fn(&SchemaTraits) -> bool) -> Option<SchemaKind> {
        SCHEMA_KINDS
            .iter()
            .find(|traits| is_it(traits))
            .map(|traits| traits.kind)
    }

    /// All titles, with commas between them.
    pub fn titles() -> String {
        SCHEMA_KINDS.each_ref().map(|traits| traits.title).join(", ")
    }

    /// What a setting may be that has to name one of them: `"avro", "protobuf" or "json_sr"`.
    pub fn settings() -> String {
        let quoted = SCHEMA_KINDS
            .each_ref()
            .map(|traits| format!("\"{}\"", traits.setting));
        quoted.join(" or ")
    }
}

impl std::fmt::Display for SchemaKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.traits().title)
    }
}

/// Formats by the names that settings give them: the plain ones, and behind them those of the registry.
pub(super) fn formats<F: Copy>(
    plain: &'static [(&'static str, F)],
    registered: fn(SchemaKind) -> F,
) -> impl Iterator<Item = (&'static str, F)> + Clone {
    let of_registry = SCHEMA_KINDS
        .iter()
        .map(move |traits| (traits.setting, registered(traits.kind)));
    plain.iter().copied().chain(of_registry)
}

/// The name of a format, one of all.
pub(super) fn format_name<F: PartialEq>(
    format: F,
    mut all: impl Iterator<Item = (&'static str, F)>,
) -> &'static str {
    all.find(|(_, other)| *other == format)
        .map_or("", |(name, _)| name)
}

/// The format of this name.
///
/// # Errors
/// There is none: which there are, in the words of serde.
pub(super) fn format_named<F>(
    name: &str,
    all: impl Iterator<Item = (&'static str, F)> + Clone,
) -> Result<F, String> {
    let found = all.clone().find(|(known, _)| *known == name);
    found.map(|(_, format)| format).ok_or_else(|| {
        let known: Vec<String> = all.map(|(known, _)| format!("`{known}`")).collect();
        format!("unknown variant `{name}`, expected one of {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_line() {
        for traits in &SCHEMA_KINDS {
            assert_eq!(traits.kind.traits(), traits);
        }
        assert_eq!(
            SchemaKind::find(|traits| traits.registry == "JSON"),
            Some(JsonSchema)
        );
        assert_eq!(SchemaKind::find(|traits| traits.registry == "XML"), None);
    }
}
