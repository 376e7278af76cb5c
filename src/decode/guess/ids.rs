//! Keys and values that seem to stand behind the id of a schema, and what the registry says of these ids.

use std::collections::BTreeSet;

use super::NAME_THE_REGISTRY;
use crate::config::SchemaKind;
use crate::decode::registry::header::{self, Side};
use crate::decode::registry::{Lookup, Registry};
use crate::decode::schema::SchemaId;
use crate::record::Header;

/// How many ids the registry is asked for at most.
const IDS_MAX: usize = 5;

/// The ids that payloads seem to have.
#[derive(Debug)]
pub(super) struct SeenIds {
    side: Side,
    ids: BTreeSet<SchemaId>,
    /// How many payloads had one.
    pub payloads: u64,
}

/// What the registry says of them.
#[derive(Debug, Clone)]
pub(super) enum IdVerdict {
    Known(SchemaId, SchemaKind),
    /// It has none of them.
    Unknown,
    NotConfigured,
    NotReached,
}

impl SeenIds {
    pub fn of(side: Side) -> SeenIds {
        SeenIds {
            side,
            ids: BTreeSet::new(),
            payloads: 0,
        }
    }

    pub fn take(&mut self, payload: &[u8], headers: &[Header<'_>]) -> bool {
        // No schema has the number 0: these are the zeros of a small number.
        let Some(id) = header::find(payload, headers, self.side)
            .ok()
            .map(|(id, ..)| id)
            .filter(|&id| id != SchemaId::Number(0))
        else {
            return false;
        };
        self.payloads += 1;
        if self.ids.len() < IDS_MAX {
            self.ids.insert(id);
        }
        true
    }

    /// Asks the registry, which remembers its answers.
    pub fn ask(&self, registry: &Registry) -> IdVerdict {
        if !registry.is_configured() {
            return IdVerdict::NotConfigured;
        }
        for &id in &self.ids {
            match registry.schema(id) {
                Ok(Lookup::Known(schema)) => return IdVerdict::Known(id, schema.kind),
                Ok(Lookup::Unknown(_)) => {}
                Err(_) => return IdVerdict::NotReached,
            }
        }
        IdVerdict::Unknown
    }

    /// The language that the registry says their schemas have.
    pub fn kind(&self, registry: &Registry) -> Option<SchemaKind> {
        match self.ask(registry) {
            IdVerdict::Known(_, kind) => Some(kind),
            _ => None,
        }
    }

    /// In words, what they are and which setting reads them.
    pub fn advice(&self, registry: &Registry) -> String {
        let setting = match self.side {
            Side::Key => "key.format",
            Side::Value => "value.format",
        };
        let like = "they look like Avro, Protobuf or JSON behind a schema registry's id";
        let any = format!("{setting} = {}", SchemaKind::settings());
        match self.ask(registry) {
            IdVerdict::Known(id, kind) => {
                format!(
                    "{setting} = \"{}\": the registry has schema {id}, which is {kind}",
                    kind.traits().setting
                )
            }
            IdVerdict::Unknown => {
                let ids: Vec<String> = self.ids.iter().map(SchemaId::to_string).collect();
                format!(
                    "{like}, but the registry of schema_registry.url has no schema {}: name the one that they were \
                     written with, and set {any}",
                    ids.join(", ")
                )
            }
            IdVerdict::NotConfigured => format!("{like}: {NAME_THE_REGISTRY}, and set {any}"),
            IdVerdict::NotReached => {
                format!("{like}; the registry, which would say which, can't be asked: set {any}")
            }
        }
    }
}
