//! Compiles a .proto file, and all that it imports, into descriptors.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::prost_reflect::{DescriptorPool, FileDescriptor};
use protox::{Compiler, Error};

use super::known::{OFTEN_IN_ANY, known_file};
use crate::decode::schema::Reference;
use crate::json::Reason;

/// The compiler follows a chain of imports by recursion.
const REFERENCES_MAX: usize = 1_000;

/// Compiles a schema's text, and what it refers to. Both may be .proto source or the base64 of a FileDescriptorProto.
///
/// # Errors
/// A file can't be compiled, or an import is not there: what is wrong, in which file and where.
pub(super) fn compile(
    text: &str,
    references: &[Reference],
) -> Result<(DescriptorPool, FileDescriptor), Reason> {
    if references.len() > REFERENCES_MAX {
        return Err(format!("more than {REFERENCES_MAX} references").into());
    }
    let root = root_name(references);
    let mut texts: HashMap<String, String> = references
        .iter()
        .map(|r| (r.name.clone(), r.text.clone()))
        .collect();
    texts.insert(root.clone(), text.to_owned());
    let mut files = ChainFileResolver::new();
    files.add(GoogleFileResolver::new());
    files.add(RegisteredFiles { texts });
    let mut compiler = Compiler::with_file_resolver(files);
    compiler.open_file(&root).map_err(|error| fault(&error, text))?;
    if compiler
        .descriptor_pool()
        .get_message_by_name("google.protobuf.Any")
        .is_some()
    {
        for name in OFTEN_IN_ANY {
            compiler.open_file(name).map_err(|error| fault(&error, text))?;
        }
    }
    let pool = compiler.descriptor_pool();
    let file = pool.get_file_by_name(&root).ok_or("no such file")?;
    Ok((pool, file))
}

/// The registered file has no name. This one is none of those that it imports.
fn root_name(references: &[Reference]) -> String {
    let mut name = "schema.proto".to_owned();
    while references.iter().any(|reference| reference.name == name) {
        name.insert(0, '_');
    }
    name
}

/// Finds files by the names in `import`: registered ones first, then those that nobody registers.
struct RegisteredFiles {
    texts: HashMap<String, String>,
}

impl FileResolver for RegisteredFiles {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match self.texts.get(name).map(String::as_str).or(known_file(name)) {
            Some(text) => file(name, text),
            None => Err(Error::file_not_found(name)),
        }
    }
}

fn file(name: &str, text: &str) -> Result<File, Error> {
    let Some(mut descriptor) = from_base64(text) else {
        return File::from_source(name, text);
    };
    descriptor.extend(renaming(name));
    File::decode_file_descriptor_proto(descriptor.as_slice()).map_err(Error::new)
}

/// The bytes of a text that is base64. No .proto source is: it has braces, quotes or semicolons.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    STANDARD.decode(text).ok()
}

/// What is appended to a FileDescriptorProto to give it another name, which is its field 1: the last one counts.
fn renaming(name: &str) -> Vec<u8> {
    let mut bytes = vec![0x0a];
    let mut length = name.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(name.as_bytes());
    bytes
}

fn fault(error: &Error, text: &str) -> Reason {
    if is_of_edition(text) {
        return "the .proto has an edition: only proto2 and proto3 are supported".into();
    }
    // Unlike its Display, Debug begins with file, line and column.
    format!("{error:?}").into()
}

fn is_of_edition(text: &str) -> bool {
    text.lines().any(|line| {
        let after = line.trim_start().strip_prefix("edition");
        after.is_some_and(|after| after.trim_start().starts_with('='))
    })
}
