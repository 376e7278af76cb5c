//! What of the descriptors is needed for writing messages as JSON, laid out for that.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind,
    MessageDescriptor, Value,
};

use super::text::push_float;
use super::well_known::WellKnown;
use super::wire::WireForm;
use crate::decode::text::push_text;

/// All messages and enums of a compiled file and its imports. They refer to each other by their places here.
#[derive(Debug, Default)]
pub(super) struct MessageShapes {
    pub messages: Vec<MessageShape>,
    pub enums: Vec<EnumShape>,
    by_name: HashMap<String, usize>,
}

#[derive(Debug)]
pub(super) struct MessageShape {
    /// With its package.
    pub name: String,
    /// In the order of their declaration, then the extensions by their numbers.
    pub fields: Vec<FieldShape>,
    /// The fields' numbers, in their order, and their places.
    numbers: Vec<(u32, usize)>,
    pub oneofs: usize,
    pub known: Option<WellKnown>,
    /// The messages that are declared in this one.
    pub nested: NestedShapes,
}

/// Places of messages that are declared side by side. A registry's clients don't agree on how to count them.
#[derive(Debug, Default)]
pub(super) struct NestedShapes {
    /// Java and Go count what has `message` before it.
    declared: Vec<usize>,
    /// Python counts the entries of maps and the groups as well.
    all: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct FieldShape {
    pub number: u32,
    /// Its full name, for faults.
    pub name: String,
    /// `"name":`.
    pub key: String,
    pub form: WireForm,
    pub kind: ValueKind,
    pub repetition: Repetition,
    pub absent: Absent,
    pub oneof: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Double,
    Float,
    Signed32,
    Signed64,
    Unsigned32,
    Unsigned64,
    Zigzag32,
    Zigzag64,
    Bool,
    Text,
    Bytes,
    Enum(usize),
    /// `google.protobuf.NullValue`.
    Null,
    Message(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repetition {
    Single,
    List,
    /// A `map`. Its entries are messages, in which key and value have these places.
    Map {
        key: usize,
        value: usize,
    },
    /// Messages that Connect and ksqlDB write for a map: `repeated XxxEntry` with just `key` and `value`.
    MapLike {
        key: usize,
        value: usize,
    },
}

/// What is written for a field that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Absent {
    /// This JSON.
    Json(String),
    Nothing,
    /// It is required.
    Fault,
}

/// An enum's names as JSON.
#[derive(Debug)]
pub(super) struct EnumShape {
    /// By their numbers.
    names: Vec<(i32, String)>,
}

impl MessageShapes {
    pub fn of(pool: &DescriptorPool) -> MessageShapes {
        let mut shapes = MessageShapes::default();
        let mut enums = HashMap::new();
        for (place, each) in pool.all_enums().enumerate() {
            enums.insert(each.full_name().to_owned(), place);
            shapes.enums.push(EnumShape::of(&each));
        }
        for (place, message) in pool.all_messages().enumerate() {
            shapes.by_name.insert(message.full_name().to_owned(), place);
        }
        for message in pool.all_messages() {
            let shape = shapes.message(&message, &enums);
            shapes.messages.push(shape);
        }
        shapes
    }

    /// The place of a message with this full name.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub fn side_by_side(
        &self,
        messages: impl Iterator<Item = MessageDescriptor>,
        groups: &[String],
    ) -> NestedShapes {
        let mut nested = NestedShapes::default();
        for message in messages {
            let Some(place) = self.place(message.full_name()) else {
                continue;
            };
            nested.all.push(place);
            if !message.is_map_entry() && !groups.iter().any(|group| group == message.full_name()) {
                nested.declared.push(place);
            }
        }
        nested
    }

    fn message(&self, message: &MessageDescriptor, enums: &HashMap<String, usize>) -> MessageShape {
        let declared = message.descriptor_proto().field.iter();
        let declared: Vec<FieldDescriptor> = declared
            .filter_map(|field| message.get_field(u32::try_from(field.number()).ok()?))
            .collect();
        let is_entry = message.is_map_entry();
        let mut fields: Vec<FieldShape> = declared
            .iter()
            .map(|field| self.field(field, is_entry, enums))
            .collect();
        let mut extensions: Vec<_> = message.extensions().collect();
        extensions.sort_by_key(ExtensionDescriptor::number);
        fields.extend(
            extensions
                .iter()
                .map(|extension| self.extension(extension, enums)),
        );

        let mut numbers: Vec<_> = fields
            .iter()
            .enumerate()
            .map(|(place, field)| (field.number, place))
            .collect();
        numbers.sort_unstable();
        let groups: Vec<String> = declared
            .iter()
            .filter(|f| f.is_group())
            .filter_map(type_name)
            .collect();
        MessageShape {
            name: message.full_name().to_owned(),
            fields,
            numbers,
            oneofs: message.oneofs().filter(|oneof| !oneof.is_synthetic()).count(),
            known: WellKnown::named(message.full_name()),
            nested: self.side_by_side(message.child_messages(), &groups),
        }
    }

    fn field(&self, field: &FieldDescriptor, of_entry: bool, enums: &HashMap<String, usize>) -> FieldShape {
        let kind = field.kind();
        let repetition = self.repetition(field.is_list(), field.is_map(), &kind);
        // An `optional` field of proto3 is in a oneof of its own, which comes after those that are declared.
        let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        let explicit_default = field.field_descriptor_proto().default_value.is_some();
        let has_presence = field.supports_presence() && !of_entry;
        let absent = match repetition {
            Repetition::List => Absent::Json("[]".to_owned()),
            Repetition::Map { .. } | Repetition::MapLike { .. } => Absent::Json("{}".to_owned()),
            Repetition::Single if field.cardinality() == Cardinality::Required => Absent::Fault,
            Repetition::Single if oneof.is_some() => Absent::Nothing,
            Repetition::Single if has_presence && !explicit_default => Absent::Json("null".to_owned()),
            Repetition::Single => Absent::Json(default_json(&kind, &field.default_value())),
        };
        FieldShape {
            number: field.number(),
            name: field.full_name().to_owned(),
            key: key(field.name()),
            form: form(&kind, field.is_group()),
            kind: self.kind(&kind, enums),
            repetition,
            absent,
            oneof: oneof.and_then(|oneof| {
                let mut declared = field
                    .parent_message()
                    .oneofs()
                    .filter(|each| !each.is_synthetic());
                declared.position(|each| each.name() == oneof.name())
            }),
        }
    }

    /// Extensions are named as in Protobuf's JSON mapping, and left out unless they are there: there may be any number of them.
    fn extension(&self, extension: &ExtensionDescriptor, enums: &HashMap<String, usize>) -> FieldShape {
        let kind = extension.kind();
        FieldShape {
            number: extension.number(),
            name: extension.full_name().to_owned(),
            key: key(&format!("[{}]", extension.full_name())),
            form: form(&kind, extension.is_group()),
            kind: self.kind(&kind, enums),
            repetition: self.repetition(extension.is_list(), extension.is_map(), &kind),
            absent: Absent::Nothing,
            oneof: None,
        }
    }

    fn repetition(&self, is_list: bool, is_map: bool, kind: &Kind) -> Repetition {
        match kind {
            Kind::Message(_) if is_map => Repetition::Map { key: 0, value: 1 },
            Kind::Message(entry) if is_list => map_like(entry).unwrap_or(Repetition::List),
            _ if is_list => Repetition::List,
            _ => Repetition::Single,
        }
    }

    fn kind(&self, kind: &Kind, enums: &HashMap<String, usize>) -> ValueKind {
        match kind {
            Kind::Double => ValueKind::Double,
            Kind::Float => ValueKind::Float,
            Kind::Int32 | Kind::Sfixed32 => ValueKind::Signed32,
            Kind::Int64 | Kind::Sfixed64 => ValueKind::Signed64,
            Kind::Uint32 | Kind::Fixed32 => ValueKind::Unsigned32,
            Kind::Uint64 | Kind::Fixed64 => ValueKind::Unsigned64,
            Kind::Sint32 => ValueKind::Zigzag32,
            Kind::Sint64 => ValueKind::Zigzag64,
            Kind::Bool => ValueKind::Bool,
            Kind::String => ValueKind::Text,
            Kind::Bytes => ValueKind::Bytes,
            Kind::Enum(each) if is_null(each) => ValueKind::Null,
            Kind::Enum(each) => enums
                .get(each.full_name())
                .map_or(ValueKind::Signed32, |at| ValueKind::Enum(*at)),
            Kind::Message(each) => self
                .place(each.full_name())
                .map_or(ValueKind::Bytes, ValueKind::Message),
        }
    }
}

impl MessageShape {
    /// The place of the field with this number.
    #[inline]
    pub fn field(&self, number: u32) -> Option<usize> {
        // Most messages number their fields from 1 on.
        let usual = (number as usize).wrapping_sub(1);
        if self.fields.get(usual).is_some_and(|field| field.number == number) {
            return Some(usual);
        }
        let at = self
            .numbers
            .binary_search_by_key(&number, |(number, _)| *number)
            .ok()?;
        Some(self.numbers[at].1)
    }
}

impl NestedShapes {
    /// The message that a client means by this index: as Java counts, or, if that leads nowhere, as Python does.
    pub fn get(&self, index: usize) -> Option<usize> {
        self.declared.get(index).or_else(|| self.all.get(index)).copied()
    }
}

impl EnumShape {
    fn of(each: &EnumDescriptor) -> EnumShape {
        let values = &each.enum_descriptor_proto().value;
        let mut names: Vec<_> = values
            .iter()
            .map(|value| (value.number(), quoted(value.name())))
            .collect();
        // Of names for the same number the first one is kept.
        names.sort_by_key(|(number, _)| *number);
        names.dedup_by_key(|(number, _)| *number);
        EnumShape { names }
    }

    /// The name of a number, in quotes.
    pub fn name(&self, number: i32) -> Option<&str> {
        let at = self
            .names
            .binary_search_by_key(&number, |(number, _)| *number)
            .ok()?;
        Some(&self.names[at].1)
    }
}

/// Whether a repeated message is a map, whose keys may be what those of Protobuf's own maps may be.
pub(super) fn map_like(entry: &MessageDescriptor) -> Option<Repetition> {
    let fields = &entry.descriptor_proto().field;
    let place = |name| fields.iter().position(|field| field.name() == name);
    let (key, value) = (place("key")?, place("value")?);
    let is_plain = entry.name().ends_with("Entry") && fields.len() == 2 && entry.extensions().len() == 0;
    let key_field = entry.get_field_by_name("key")?;
    let has_other_kind = matches!(
        key_field.kind(),
        Kind::Double | Kind::Float | Kind::Bytes | Kind::Message(_) | Kind::Enum(_)
    );
    let is_key = !has_other_kind && !key_field.is_list();
    let has_choice = entry.oneofs().any(|oneof| !oneof.is_synthetic());
    (is_plain && is_key && !has_choice).then_some(Repetition::MapLike { key, value })
}

pub(super) fn is_null(each: &EnumDescriptor) -> bool {
    each.full_name() == "google.protobuf.NullValue"
}

fn type_name(field: &FieldDescriptor) -> Option<String> {
    Some(field.kind().as_message()?.full_name().to_owned())
}

fn form(kind: &Kind, is_group: bool) -> WireForm {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => WireForm::Fixed64,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => WireForm::Fixed32,
        Kind::Message(_) if is_group => WireForm::Group,
        Kind::String | Kind::Bytes | Kind::Message(_) => WireForm::Bytes,
        _ => WireForm::Varint,
    }
}

fn key(name: &str) -> String {
    quoted(name) + ":"
}

fn quoted(text: &str) -> String {
    let mut json = String::new();
    push_text(&mut json, text);
    json
}

fn default_json(kind: &Kind, value: &Value) -> String {
    let mut json = String::new();
    match (kind, value) {
        (Kind::Enum(each), _) if is_null(each) => json.push_str("null"),
        (Kind::Enum(each), Value::EnumNumber(number)) => match EnumShape::of(each).name(*number) {
            Some(name) => json.push_str(name),
            None => json = number.to_string(),
        },
        (_, Value::Bool(value)) => json = value.to_string(),
        (_, Value::I32(value)) => json = value.to_string(),
        (_, Value::I64(value)) => json = value.to_string(),
        (_, Value::U32(value)) => json = value.to_string(),
        (_, Value::U64(value)) => json = value.to_string(),
        (_, Value::F32(value)) => push_float(&mut json, *value),
        (_, Value::F64(value)) => push_float(&mut json, *value),
        (_, Value::String(value)) => push_text(&mut json, value),
        (_, Value::Bytes(value)) => json = quoted(&STANDARD.encode(value)),
        // Messages and what is repeated have no default.
        _ => json.push_str("null"),
    }
    json
}
