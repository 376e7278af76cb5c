//! Keys and values whose schema a registry holds: AVRO, PROTOBUF and JSON_SR.

use anyhow::Result;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::avro::AvroSchema;
use super::protobuf::ProtobufSchema;
use super::registry::header::{self, Side};
use super::registry::{Lookup, Registry};
use super::schema::{Registered, SchemaId, SchemaKind};
use super::{Decoder, Formatted, Reason};
use crate::config::{KeyFormat, Undecodable, ValueFormat};
use crate::problem::Problem;
use crate::record::Header;

/// What to do about records without a usable schema.
pub const KEEP: &str = "value.undecodable = \"keep\" takes such records as they are";

/// Makes JSON of one topic's keys or values, and compiles each of their schemas once.
#[derive(Debug, Clone)]
pub(super) struct RegisteredFormat {
    side: Side,
    kind: SchemaKind,
    undecodable: Undecodable,
    registry: Registry,
    compiled: HashMap<SchemaId, Arc<CompiledSchema>>,
    /// The schema of the last key or value, if it could be used.
    read_by: Option<SchemaId>,
    seen: SchemasSeen,
}

/// What is to be said of the schemas that one topic's keys or values were written with.
#[derive(Debug, Clone, Default)]
pub struct SchemasSeen {
    /// The first that can't be used.
    pub unusable: Option<Problem>,
    /// Those by whose rules fields are encrypted.
    pub encrypted: BTreeSet<SchemaId>,
}

impl Decoder {
    /// A decoder that fails for no record: one without a usable schema is not decoded.
    ///
    /// A registry that can't be asked is an error as before.
    pub fn keeping_undecodable(mut self) -> Decoder {
        let formats = [&mut self.registered_keys, &mut self.registered_values];
        let formats = formats.into_iter().flatten();
        formats.for_each(RegisteredFormat::keep_undecodable);
        self
    }

    /// What is to be said of the schemas so far; None where the format has none.
    pub fn schemas_seen(&self, side: Side) -> Option<&SchemasSeen> {
        self.registered(side).map(RegisteredFormat::seen)
    }

    fn registered(&self, side: Side) -> Option<&RegisteredFormat> {
        match side {
            Side::Key => self.registered_keys.as_ref(),
            Side::Value => self.registered_values.as_ref(),
        }
    }

    /// Whether the headers of records may say how to read their keys, or their values.
    pub fn reads_header_of(&self, side: Side) -> bool {
        self.registered(side).is_some()
    }
}

#[derive(Debug)]
enum CompiledSchema {
    Avro(AvroSchema),
    Protobuf(ProtobufSchema),
    /// JSON needs no schema to be read.
    Json,
    /// The registry doesn't have it, or it can't be read.
    Unusable(Reason),
}

impl RegisteredFormat {
    /// None: keys of this format need no registry.
    pub fn of_keys(
        format: KeyFormat,
        undecodable: Undecodable,
        registry: &Registry,
    ) -> Option<RegisteredFormat> {
        let kind = match format {
            KeyFormat::Avro => SchemaKind::Avro,
            KeyFormat::Protobuf => SchemaKind::Protobuf,
            KeyFormat::JsonSr => SchemaKind::JsonSchema,
            _ => return None,
        };
        Some(RegisteredFormat::new(Side::Key, kind, undecodable, registry))
    }

    /// None: values of this format need no registry.
    pub fn of_values(
        format: ValueFormat,
        undecodable: Undecodable,
        registry: &Registry,
    ) -> Option<RegisteredFormat> {
        let kind = match format {
            ValueFormat::Avro => SchemaKind::Avro,
            ValueFormat::Protobuf => SchemaKind::Protobuf,
            ValueFormat::JsonSr => SchemaKind::JsonSchema,
            _ => return None,
        };
        Some(RegisteredFormat::new(Side::Value, kind, undecodable, registry))
    }

    fn new(side: Side, kind: SchemaKind, undecodable: Undecodable, registry: &Registry) -> RegisteredFormat {
        RegisteredFormat {
            side,
            kind,
            undecodable,
            registry: registry.clone(),
            compiled: HashMap::new(),
            read_by: None,
            seen: SchemasSeen::default(),
        }
    }

    /// Which schema the key or value was written with, if it says so.
    pub fn schema_id(&self, bytes: &[u8], headers: &[Header<'_>]) -> Option<SchemaId> {
        header::find(bytes, headers, self.side).ok().map(|(id, _, _)| id)
    }

    /// Records without a usable schema are not decoded, but fail nothing.
    pub fn keep_undecodable(&mut self) {
        self.undecodable = Undecodable::Keep;
    }

    pub fn seen(&self) -> &SchemasSeen {
        &self.seen
    }

    /// The key or value as JSON, or why its bytes are none; `memory` is for the text.
    ///
    /// # Errors
    /// The registry can't be asked, or has no schema that reads it and such records are not to be kept.
    pub fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        headers: &[Header<'_>],
        mut memory: String,
    ) -> Result<Result<Formatted<'a>, Reason>> {
        self.read_by = None;
        let (id, payload, indexes) = match header::find(bytes, headers, self.side) {
            Ok(found) => found,
            Err(reason) => return Ok(Err(reason)),
        };
        let schema = self.schema(id)?;
        self.read_by = Some(id);
        let written = match &*schema {
            CompiledSchema::Json => return Ok(Ok(Formatted::Json(payload))),
            CompiledSchema::Unusable(reason) => {
                // The reason names it already.
                self.read_by = None;
                Err(reason.clone())
            }
            CompiledSchema::Avro(avro) => avro.write(payload, &mut memory),
            CompiledSchema::Protobuf(protobuf) => protobuf.write(indexes.as_deref(), payload, &mut memory),
        };
        Ok(written.map(|()| Formatted::Made(memory)))
    }

    /// The schema by which the last key or value was read.
    pub fn read_by(&self) -> Option<SchemaId> {
        self.read_by
    }

    fn schema(&mut self, id: SchemaId) -> Result<Arc<CompiledSchema>> {
        if let Some(schema) = self.compiled.get(&id) {
            return Ok(Arc::clone(schema));
        }
        let compiled = match self.registry.schema(id)? {
            Lookup::Known(schema) => {
                if schema.encrypted {
                    self.seen.encrypted.insert(id);
                }
                self.compile(&schema)
            }
            Lookup::Unknown(problem) => Err(problem),
        };
        let compiled = match (compiled, self.undecodable) {
            (Ok(compiled), _) => compiled,
            (Err(problem), Undecodable::Fail) => return self.refused(problem).err(),
            (Err(problem), Undecodable::Keep) => {
                self.seen.unusable.get_or_insert_with(|| problem.clone());
                CompiledSchema::Unusable(problem.what.into())
            }
        };
        let compiled = Arc::new(compiled);
        self.compiled.insert(id, Arc::clone(&compiled));
        Ok(compiled)
    }

    fn compile(&self, schema: &Registered) -> Result<CompiledSchema, Problem> {
        let (id, format) = (schema.id, self.setting());
        if schema.kind != self.kind {
            let fix = format!("set {format} = \"{}\"", name_of(schema.kind));
            let what = format!(
                "schema {id} is {}, but {format} is {}",
                schema.kind,
                name_of(self.kind)
            );
            return Err(Problem::new(what).fix(fix));
        }
        let (text, references) = (&schema.text, &schema.references);
        let compiled = match schema.kind {
            SchemaKind::Avro => AvroSchema::parse(text, references).map(CompiledSchema::Avro),
            SchemaKind::Protobuf => ProtobufSchema::parse(text, references).map(CompiledSchema::Protobuf),
            SchemaKind::JsonSchema => Ok(CompiledSchema::Json),
        };
        compiled.map_err(|reason| {
            Problem::new(format!("schema {id} can't be read: {reason}")).fix("look at it in the registry")
        })
    }

    fn refused(&self, problem: Problem) -> Problem {
        let fix = problem.fix.as_ref();
        let fix = fix.map_or(KEEP.to_owned(), |fix| format!("{fix}; {KEEP}"));
        problem.fix(fix)
    }

    fn setting(&self) -> &'static str {
        match self.side {
            Side::Key => "key.format",
            Side::Value => "value.format",
        }
    }
}

/// The name that the configuration has for the format.
pub(super) fn name_of(kind: SchemaKind) -> &'static str {
    match kind {
        SchemaKind::Avro => "avro",
        SchemaKind::Protobuf => "protobuf",
        SchemaKind::JsonSchema => "json_sr",
    }
}
