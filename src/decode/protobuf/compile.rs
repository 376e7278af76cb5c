//! Compiles a .proto file, and all that it imports, into descriptors.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::prost::Message;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{DescriptorPool, FileDescriptor};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::{Compiler, Error};

use super::known::{OFTEN_IN_ANY, known_file};
use super::wire::{WireFault, WireReader, WireValue};
use crate::decode::schema::Reference;
use crate::json::Reason;

/// The compiler follows a chain of imports by recursion.
const REFERENCES_MAX: usize = 1_000;
/// Fields of a FileDescriptorProto.
const NAME: u32 = 1;
const SOURCE_CODE_INFO: u32 = 9;
const SYNTAX: u32 = 12;
const OTHER_SYNTAX: WireFault = "the .proto has an edition: only proto2 and proto3 are supported";

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
    let Some(descriptor) = from_base64(text) else {
        return File::from_source(name, text);
    };
    let descriptor = renamed(&descriptor, name).map_err(|fault| Error::new(format!("{name}: {fault}")))?;
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

/// A FileDescriptorProto with another name, and without the places of its parts in a source that is not there. The rest stays as
/// it is, so that no option is lost.
fn renamed(descriptor: &[u8], name: &str) -> Result<Vec<u8>, WireFault> {
    let mut renamed = FileDescriptorProto {
        name: Some(name.to_owned()),
        ..FileDescriptorProto::default()
    }
    .encode_to_vec();
    let mut reader = WireReader::new(descriptor);
    loop {
        let before = reader.rest();
        match reader.field()? {
            None => return Ok(renamed),
            Some((NAME | SOURCE_CODE_INFO, _)) => continue,
            // The compiler panics at one that it doesn't know.
            Some((SYNTAX, WireValue::Bytes(syntax))) if !matches!(syntax, b"proto2" | b"proto3") => {
                return Err(OTHER_SYNTAX);
            }
            Some(_) => renamed.extend_from_slice(&before[..before.len() - reader.rest().len()]),
        }
    }
}

fn fault(error: &Error, text: &str) -> Reason {
    if is_of_edition(text) {
        return OTHER_SYNTAX.into();
    }
    // Unlike its Display, Debug begins with file, line and column, if they are known.
    match (error.file(), format!("{error:?}")) {
        (None, _) => error.to_string().into(),
        (Some(file), what) if what.starts_with(file) => what.into(),
        (Some(file), what) => format!("{file}: {what}").into(),
    }
}

/// Whether a source has a line such as `edition = "2023";`.
fn is_of_edition(text: &str) -> bool {
    text.lines().any(|line| {
        let after = line.trim_start().strip_prefix("edition");
        let value = after.and_then(|after| after.trim_start().strip_prefix('='));
        value.is_some_and(|value| value.trim_start().starts_with(['"', '\'']))
    })
}
