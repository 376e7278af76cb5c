//! Random schemas, values and bytes.

use std::collections::HashMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, MapKey, MessageDescriptor, ReflectMessage, Value};

use super::super::wire::WireReader;
use super::super::{ProtobufSchema, compile};
use super::{Fixture, varint};

/// Choices, taken one after the other; the first one of each when there are no more.
struct Tape<'t>(std::slice::Iter<'t, u8>);

impl Tape<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    fn bits(&mut self) -> u64 {
        let width = self.below(9);
        (0..width).fold(0, |bits, _| bits << 8 | u64::from(self.byte()))
    }

    fn text(&mut self) -> String {
        let letters = [
            'a', 'Z', '"', '\\', '\n', '\u{1}', '\u{7f}', 'ä', '€', '😀', '/', '\u{2028}', ' ',
        ];
        (0..self.below(5))
            .map(|_| letters[self.below(letters.len())])
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Type {
    Scalar(&'static str),
    Enum,
    Message(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Plain,
    Optional,
    Member,
    List,
    UnpackedList,
    /// With keys of this type.
    Map(&'static str),
    /// Of an own message: `repeated FnEntry`.
    MapLike,
}

#[derive(Debug)]
struct Field {
    name: String,
    number: u32,
    of: Type,
    form: Form,
}

const SCALARS: [&str; 15] = [
    "int32", "string", "double", "float", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32",
    "fixed64", "sfixed32", "sfixed64", "bool", "bytes",
];
const KEYS: [&str; 5] = ["string", "int32", "uint64", "sint64", "bool"];
/// Of the enum that all schemas have. The number 7 has no name.
const NAMES: [(i32, &str); 4] = [(0, "ZERO"), (1, "ONE"), (-5, "MINUS"), (7, "")];

/// Messages `M0`, `M1` and so on.
fn random_messages(tape: &mut Tape<'_>) -> Vec<Vec<Field>> {
    let count = 1 + tape.below(3);
    (0..count).map(|_| random_fields(tape, count)).collect()
}

fn random_fields(tape: &mut Tape<'_>, messages: usize) -> Vec<Field> {
    let mut numbers: Vec<u32> = vec![1, 2, 3, 4, 15, 16, 17, 2047, 2048, 18_999, 536_870_911];
    let mut fields: Vec<Field> = (0..tape.below(8))
        .map(|at| {
            let of = match tape.below(20) {
                scalar @ 0..15 => Type::Scalar(SCALARS[scalar]),
                15 | 16 => Type::Enum,
                _ => Type::Message(tape.below(messages)),
            };
            let form = match tape.below(10) {
                0..3 => Form::Plain,
                3 | 4 => Form::Optional,
                5 => Form::Member,
                6 => Form::List,
                7 if !matches!(of, Type::Message(_) | Type::Scalar("string" | "bytes")) => Form::UnpackedList,
                8 => Form::Map(KEYS[tape.below(KEYS.len())]),
                9 => Form::MapLike,
                _ => Form::Plain,
            };
            Field {
                name: format!("f{at}_Name"),
                number: numbers.remove(tape.below(numbers.len())),
                of,
                form,
            }
        })
        .collect();
    // Members of the oneof are declared side by side.
    fields.sort_by_key(|field| field.form == Form::Member);
    fields
}

fn source(messages: &[Vec<Field>]) -> String {
    let mut text =
        "syntax = \"proto3\";\npackage x.y;\nenum E { ZERO = 0; ONE = 1; MINUS = -5; }\n".to_owned();
    for (at, fields) in messages.iter().enumerate() {
        writeln!(text, "message M{at} {{").unwrap();
        let mut in_oneof = false;
        for field in fields {
            let of = type_name(field.of);
            let (name, number) = (&field.name, field.number);
            if field.form == Form::Member && !in_oneof {
                text += "  oneof choice {\n";
                in_oneof = true;
            }
            match field.form {
                Form::Plain | Form::Member => writeln!(text, "  {of} {name} = {number};"),
                Form::Optional => writeln!(text, "  optional {of} {name} = {number};"),
                Form::List => writeln!(text, "  repeated {of} {name} = {number};"),
                Form::UnpackedList => writeln!(text, "  repeated {of} {name} = {number} [packed = false];"),
                Form::Map(key) => writeln!(text, "  map<{key}, {of}> {name} = {number};"),
                Form::MapLike => writeln!(
                    text,
                    "  message Of{number}Entry {{ {of} value = 2; string key = 1; }}\n  repeated Of{number}Entry {name} = {number};"
                ),
            }
            .unwrap();
        }
        text += if in_oneof { "  }\n}\n" } else { "}\n" };
    }
    text
}

fn type_name(of: Type) -> String {
    match of {
        Type::Scalar(name) => name.to_owned(),
        Type::Enum => "E".to_owned(),
        Type::Message(at) => format!("M{at}"),
    }
}

/// A random message, and the JSON that is expected of it.
struct Random<'r, 't> {
    messages: &'r [Vec<Field>],
    tape: &'r mut Tape<'t>,
}

impl Random<'_, '_> {
    fn message(
        &mut self,
        at: usize,
        descriptor: &MessageDescriptor,
        depth: usize,
    ) -> (DynamicMessage, String) {
        let mut message = DynamicMessage::new(descriptor.clone());
        let mut json = Vec::new();
        let members = self.messages[at]
            .iter()
            .filter(|field| field.form == Form::Member)
            .count();
        let mut chosen = self.tape.below(members + 1);
        for field in &self.messages[at] {
            let is_set = match field.form {
                Form::Member => {
                    chosen = chosen.wrapping_sub(1);
                    chosen == 0 && can_be_set(field, depth)
                }
                _ => self.tape.below(3) > 0 && can_be_set(field, depth),
            };
            let described = descriptor.get_field_by_name(&field.name).unwrap();
            let inner = described.kind().as_message().cloned();
            let text = match (is_set, field.form) {
                (false, _) => unset(field),
                (true, Form::Plain | Form::Optional | Form::Member) => {
                    let (value, text) = self.value(field.of, inner.as_ref(), depth);
                    message.set_field(&described, value);
                    Some(text)
                }
                (true, Form::List | Form::UnpackedList) => {
                    let count = self.tape.below(4);
                    let (values, texts): (Vec<_>, Vec<_>) = (0..count)
                        .map(|_| self.value(field.of, inner.as_ref(), depth))
                        .unzip();
                    message.set_field(&described, Value::List(values));
                    Some(format!("[{}]", texts.join(",")))
                }
                (true, Form::Map(key)) => {
                    let of = inner.unwrap().map_entry_value_field().kind();
                    let (key, key_text) = self.key(key);
                    let (value, text) = self.value(field.of, of.as_message(), depth);
                    message.set_field(&described, Value::Map(HashMap::from([(key, value)])));
                    Some(format!("{{{key_text}:{text}}}"))
                }
                (true, Form::MapLike) => Some(self.map_like(field, &mut message, depth)),
            };
            if let Some(text) = text {
                json.push(format!("\"{}\":{text}", field.name));
            }
        }
        (message, format!("{{{}}}", json.join(",")))
    }

    fn map_like(&mut self, field: &Field, message: &mut DynamicMessage, depth: usize) -> String {
        let described = message.descriptor().get_field_by_name(&field.name).unwrap();
        let entry = described.kind().as_message().unwrap().clone();
        let of = entry.get_field_by_name("value").unwrap().kind();
        let mut texts: Vec<(String, String)> = Vec::new();
        let mut values = Vec::new();
        for _ in 0..self.tape.below(4) {
            let (value, text) = self.value(field.of, of.as_message(), depth);
            let key = self.tape.text();
            texts.push((serde_json::to_string(&key).unwrap(), text));
            let mut each = DynamicMessage::new(entry.clone());
            each.set_field_by_name("key", Value::String(key));
            each.set_field_by_name("value", value);
            values.push(Value::Message(each));
        }
        message.set_field(&described, Value::List(values));
        let is_twice = texts
            .iter()
            .enumerate()
            .any(|(at, (key, _))| texts[..at].iter().any(|(k, _)| k == key));
        let entries: Vec<_> = texts
            .iter()
            .map(|(key, value)| match is_twice {
                true => format!("{{\"value\":{value},\"key\":{key}}}"),
                false => format!("{key}:{value}"),
            })
            .collect();
        match is_twice {
            true => format!("[{}]", entries.join(",")),
            false => format!("{{{}}}", entries.join(",")),
        }
    }

    fn value(&mut self, of: Type, inner: Option<&MessageDescriptor>, depth: usize) -> (Value, String) {
        match of {
            Type::Scalar(name) => self.scalar(name),
            Type::Enum => {
                let (number, name) = NAMES[self.tape.below(NAMES.len())];
                let text = if name.is_empty() {
                    number.to_string()
                } else {
                    format!("\"{name}\"")
                };
                (Value::EnumNumber(number), text)
            }
            Type::Message(at) => {
                let (message, text) = self.message(at, inner.unwrap(), depth + 1);
                (Value::Message(message), text)
            }
        }
    }

    fn scalar(&mut self, name: &str) -> (Value, String) {
        let bits = self.tape.bits();
        match name {
            "int32" | "sint32" | "sfixed32" => (Value::I32(bits as i32), (bits as i32).to_string()),
            "int64" | "sint64" | "sfixed64" => (Value::I64(bits as i64), (bits as i64).to_string()),
            "uint32" | "fixed32" => (Value::U32(bits as u32), (bits as u32).to_string()),
            "uint64" | "fixed64" => (Value::U64(bits), bits.to_string()),
            "bool" => (Value::Bool(bits % 2 == 1), (bits % 2 == 1).to_string()),
            "double" => {
                let float = f64::from_bits(bits);
                (Value::F64(float), float_text(float, format!("{float:?}")))
            }
            "float" => {
                let float = f32::from_bits(bits as u32);
                (
                    Value::F32(float),
                    float_text(f64::from(float), format!("{float:?}")),
                )
            }
            "bytes" => {
                let bytes = bits.to_be_bytes()[..self.tape.below(9)].to_vec();
                let text = format!("\"{}\"", STANDARD.encode(&bytes));
                (Value::Bytes(bytes.into()), text)
            }
            _ => {
                let text = self.tape.text();
                let json = serde_json::to_string(&text).unwrap();
                (Value::String(text), json)
            }
        }
    }

    fn key(&mut self, name: &str) -> (MapKey, String) {
        match self.scalar(name) {
            (Value::I32(key), text) => (MapKey::I32(key), format!("\"{text}\"")),
            (Value::I64(key), text) => (MapKey::I64(key), format!("\"{text}\"")),
            (Value::U64(key), text) => (MapKey::U64(key), format!("\"{text}\"")),
            (Value::Bool(key), text) => (MapKey::Bool(key), format!("\"{text}\"")),
            (Value::String(key), text) => (MapKey::String(key), text),
            (other, _) => panic!("no key: {other:?}"),
        }
    }
}

fn can_be_set(field: &Field, depth: usize) -> bool {
    depth < 3 || !matches!(field.of, Type::Message(_))
}

fn float_text(float: f64, shortest: String) -> String {
    match float {
        _ if float.is_nan() => "\"NaN\"".to_owned(),
        f64::INFINITY => "\"Infinity\"".to_owned(),
        f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
        _ => shortest,
    }
}

fn unset(field: &Field) -> Option<String> {
    let text = match (field.form, field.of) {
        (Form::Member, _) => return None,
        (Form::List | Form::UnpackedList, _) => "[]",
        (Form::Map(_) | Form::MapLike, _) => "{}",
        (Form::Optional, _) | (Form::Plain, Type::Message(_)) => "null",
        (Form::Plain, Type::Enum) => "\"ZERO\"",
        (Form::Plain, Type::Scalar("string" | "bytes")) => "\"\"",
        (Form::Plain, Type::Scalar("double" | "float")) => "0.0",
        (Form::Plain, Type::Scalar("bool")) => "false",
        (Form::Plain, Type::Scalar(_)) => "0",
    };
    Some(text.to_owned())
}

/// The same message with some of its fields behind the others.
fn shuffled(bytes: &[u8], tape: &mut Tape<'_>) -> Vec<u8> {
    let (mut before, mut behind) = (Vec::new(), Vec::new());
    let moved = u32::from(tape.byte());
    let mut reader = WireReader::new(bytes);
    let mut from = 0;
    while let Some((number, _)) = reader.field().unwrap() {
        let end = bytes.len() - reader.rest().len();
        let side = if number % 8 == moved % 8 || number % 5 == moved % 5 {
            &mut behind
        } else {
            &mut before
        };
        side.extend_from_slice(&bytes[from..end]);
        from = end;
    }
    [before, behind].concat()
}

proptest! {
    #[test]
    fn random_messages_become_the_json_that_they_mean(bytes in vec(any::<u8>(), 0..600)) {
        let mut tape = Tape(bytes.iter());
        let messages = random_messages(&mut tape);
        let text = source(&messages);
        let (_, file) = compile::compile(&text, &[]).unwrap();
        let schema = ProtobufSchema::parse(&text, &[]).unwrap();
        for (at, descriptor) in file.messages().enumerate() {
            let (message, json) = Random { messages: &messages, tape: &mut tape }.message(at, &descriptor, 0);
            let encoded = shuffled(&message.encode_to_vec(), &mut tape);
            let indexes = [varint(2), varint(at as u64 * 2)].concat();
            let mut out = "before".to_owned();
            schema.write(Some(&indexes), &encoded, &mut out).unwrap();
            prop_assert_eq!(&out["before".len()..], json, "{}", text);
        }
    }

    /// What is written of damaged bytes is still JSON.
    #[test]
    fn damaged_bytes_never_panic(damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>()) {
        thread_local! {
            static SCHEMAS: Vec<(ProtobufSchema, Vec<u8>)> =
                Fixture::all().iter().map(|fixture| (fixture.parse(), fixture.bytes())).collect();
        }
        SCHEMAS.with(|schemas| {
            for (schema, bytes) in schemas {
                let mut bytes = bytes.clone();
                for (at, byte) in &damage {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
                    let mut out = String::new();
                    if schema.write(None, bytes, &mut out).is_ok() {
                        let read: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&out);
                        prop_assert!(read.is_ok(), "{out}");
                    } else {
                        prop_assert_eq!(out, "");
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        thread_local! {
            static SCHEMAS: Vec<ProtobufSchema> = Fixture::all().iter().map(Fixture::parse).collect();
        }
        SCHEMAS.with(|schemas| {
            for schema in schemas {
                let mut out = String::new();
                if schema.write(Some(&[0]), &bytes, &mut out).is_ok() {
                    let read: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&out);
                    prop_assert!(read.is_ok(), "{out}");
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn damaged_schemas_never_panic(
        at in any::<prop::sample::Index>(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        as_base64 in any::<bool>(),
    ) {
        let fixtures = Fixture::all();
        let fixture = at.get(&fixtures);
        let source = fixture.schema.as_bytes();
        let mut bytes = match STANDARD.decode(source) {
            Ok(descriptor) => descriptor,
            Err(_) if as_base64 => {
                let references = fixture.references();
                compile::compile(&fixture.schema, &references).unwrap().1.encode_to_vec()
            }
            Err(_) => source.to_vec(),
        };
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let text = if as_base64 { STANDARD.encode(&bytes) } else { text };
        if let Ok(schema) = ProtobufSchema::parse(&text, &fixture.references()) {
            let mut out = String::new();
            let _ = schema.write(None, &fixture.bytes(), &mut out);
        }
    }
}
