//! Values as Protobuf, written by the crate `prost-reflect`, which lakectl doesn't read with.

use prost_reflect::prost::Message;
use prost_reflect::prost_types::FileDescriptorSet;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value as Proto};
use protox::Compiler;
use protox::file::{File, FileResolver, GoogleFileResolver};
use std::collections::HashMap;
use std::fmt::Write;

use crate::exact::Exact;
use crate::kinds::Kind;

/// The .proto to be registered. All plain fields are optional, as ksqlDB writes them on demand.
pub fn schema(kind: &Kind) -> String {
    let message = message("Value", kind.fields());
    let import = if message.contains("confluent.type.Decimal") {
        "import \"confluent/type/decimal.proto\";\n".to_owned()
    } else {
        String::new()
    };
    format!("syntax = \"proto3\";\n{import}{message}")
}

fn message(name: &str, fields: &[(String, Kind)]) -> String {
    let mut text = format!("message {name} {{\n");
    for (number, (name, kind)) in (1..).zip(fields) {
        let (label, kind) = match kind {
            Kind::Array(items) => ("repeated", &**items),
            kind => ("optional", kind),
        };
        let of = match kind {
            Kind::Boolean => "bool",
            Kind::Long => "int64",
            Kind::Unknown | Kind::Text => "string",
            Kind::Decimal { .. } => "confluent.type.Decimal",
            Kind::Record(fields) => {
                text += &message(&format!("In{name}"), fields);
                &format!("In{name}")
            }
            Kind::Array(_) => panic!("a list of lists is no field"),
        };
        writeln!(text, "  {label} {of} {name} = {number};").unwrap();
    }
    text + "}\n"
}

/// With the indexes of the message before it.
pub fn payload(kind: &Kind, value: &Exact) -> Vec<u8> {
    let mut bytes = vec![0];
    let message = dynamic(&descriptor(&schema(kind), "Value"), kind.fields(), value.fields());
    message.encode(&mut bytes).unwrap();
    bytes
}

pub fn descriptor(proto: &str, message: &str) -> MessageDescriptor {
    let pool = DescriptorPool::from_file_descriptor_set(files(&[("value.proto", proto)])).unwrap();
    pool.get_message_by_name(message).unwrap()
}

/// The descriptors of these files, and of all that they import.
pub fn files(files: &[(&str, &str)]) -> FileDescriptorSet {
    let own = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let mut compiler = Compiler::with_file_resolver(Files(own.collect()));
    compiler.include_imports(true);
    for (name, _) in files {
        compiler.open_file(name).unwrap();
    }
    compiler.file_descriptor_set()
}

/// Ours, those that come with the compiler, and those that come with clients of a registry.
struct Files(HashMap<String, String>);

impl FileResolver for Files {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let known = format!("{}/src/decode/protobuf/known/{name}", env!("CARGO_MANIFEST_DIR"));
        match self.0.get(name).cloned().or(std::fs::read_to_string(known).ok()) {
            Some(text) => File::from_source(name, &text),
            None => GoogleFileResolver::new().open_file(name),
        }
    }
}

fn dynamic(of: &MessageDescriptor, kinds: &[(String, Kind)], fields: &[(String, Exact)]) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    for ((name, kind), (own, value)) in kinds.iter().zip(fields) {
        assert_eq!(name, own);
        if *value != Exact::Null {
            let field = of.get_field_by_name(name).unwrap();
            message.set_field(&field, proto(field.kind().as_message(), kind, value));
        }
    }
    message
}

fn proto(of: Option<&MessageDescriptor>, kind: &Kind, value: &Exact) -> Proto {
    match (kind, value) {
        (_, Exact::Bool(value)) => Proto::Bool(*value),
        (Kind::Long, Exact::Number(number)) => Proto::I64(number.parse().unwrap()),
        (Kind::Decimal { precision, scale }, Exact::Number(number)) => {
            let mut decimal = DynamicMessage::new(of.unwrap().clone());
            let unscaled = Kind::unscaled(number).to_be_bytes().to_vec();
            decimal.set_field_by_number(1, Proto::Bytes(unscaled.into()));
            decimal.set_field_by_number(2, Proto::U32(u32::try_from(*precision).unwrap()));
            decimal.set_field_by_number(3, Proto::I32(i32::try_from(*scale).unwrap()));
            Proto::Message(decimal)
        }
        (_, Exact::Text(text)) => Proto::String(text.clone()),
        (Kind::Array(kind), Exact::Array(items)) => {
            Proto::List(items.iter().map(|item| proto(of, kind, item)).collect())
        }
        (Kind::Record(kinds), Exact::Object(fields)) => Proto::Message(dynamic(of.unwrap(), kinds, fields)),
        (kind, value) => panic!("{value:?} is no {kind:?}"),
    }
}
