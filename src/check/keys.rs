//! Checks the keys of a sample: whether they have the configured format and window, and which ones they seem to have.

use super::schemas::{also_encryption, encryption, judge_schemas};
use super::scope::CheckedTopic;
use super::{CheckName, Checks};
use crate::config::{KeySchema, Kind};
use crate::decode::SchemasSeen;
use crate::decode::guess::KeyGuess;
use crate::decode::key::DecodedKey;
use crate::decode::registry::Registry;
use crate::record::Record;

#[derive(Debug)]
pub(super) struct Keys {
    schema: KeySchema,
    records: u64,
    null: u64,
    undecodable: u64,
    /// The reason and place of the first of them.
    first: Option<(String, i32, i64)>,
    guess: KeyGuess,
}

impl Keys {
    pub(super) fn new(schema: &KeySchema, registry: &Registry) -> Keys {
        Keys {
            schema: schema.clone(),
            records: 0,
            null: 0,
            undecodable: 0,
            first: None,
            guess: KeyGuess::new(schema, registry),
        }
    }

    pub(super) fn take(&mut self, record: &Record<'_>, decoded: &DecodedKey<'_>) {
        self.records += 1;
        match decoded {
            DecodedKey::Null => self.null += 1,
            DecodedKey::Key { .. } => {}
            DecodedKey::Undecodable { reason, .. } => {
                self.undecodable += 1;
                self.first
                    .get_or_insert_with(|| (reason.to_string(), record.partition, record.offset));
            }
        }
        self.guess.take(record);
    }

    /// `schemas`: what is to be said of the schemas that the keys were written with.
    pub(super) fn judge(&self, subject: &CheckedTopic, schemas: Option<&SchemasSeen>, checks: &mut Checks) {
        let place: CheckName<'_> = (subject.name(), "keys");
        let (there, format) = (self.records - self.null, self.schema.format);
        let is_table = subject.topic.kind == Kind::Table;
        if there == 0 && is_table {
            return checks.wrong(
                place,
                "no record has a key, but the records of a table need one",
                "kind = \"stream\", or give the records a key where they are produced",
            );
        }
        if there == 0 {
            return checks.ok(place, "the records have none");
        }
        if judge_schemas(subject, "keys", schemas, checks) {
            return;
        }
        let likely = self.guess.other_than_configured(self.undecodable == 0);
        if self.undecodable * 2 > there {
            let (reason, partition, offset) = self.first.clone().unwrap_or_default();
            let fix = match &likely {
                Some(likely) => likely.settings(&self.schema),
                None => "look at such a key, and set key.format and window; \"bytes\" takes any".to_owned(),
            };
            let also = also_encryption(schemas);
            return checks.wrong(
                place,
                format!(
                    "{} of {there} are not of format {format}: {reason} (Kafka partition {partition}, offset {offset}){also}",
                    self.undecodable
                ),
                fix,
            );
        }
        match likely
            .as_ref()
            .filter(|likely| self.undecodable == 0 && likely.are_misread_as(&self.schema))
        {
            Some(likely) if likely.has_window() || (is_table && likely.is_certain()) => checks.wrong(
                place,
                format!("all {there} can be read as {format}, but {}", likely.seem()),
                likely.settings(&self.schema),
            ),
            Some(likely) => checks.ok_but(
                place,
                format!("{there} of {there} are {format}, though {}", likely.seem()),
                Some(likely.settings(&self.schema)),
            ),
            None => self.ok(place, there, schemas, checks),
        }
    }

    fn ok(&self, place: CheckName<'_>, there: u64, schemas: Option<&SchemasSeen>, checks: &mut Checks) {
        let mut message = format!(
            "{} of {there} are {}",
            there - self.undecodable,
            self.schema.format
        );
        if self.schema.window.is_some() {
            message.push_str(" with a window");
        }
        if self.null > 0 {
            message.push_str(&format!(", {} records have none", self.null));
        }
        let others = self.first.as_ref().map(|(reason, partition, offset)| {
            format!(
                "the others are kept as bytes: {reason} (the first in Kafka partition {partition} at offset {offset})"
            )
        });
        let notes: Vec<String> = others.into_iter().chain(encryption(schemas)).collect();
        checks.ok_but(place, message, (!notes.is_empty()).then(|| notes.join("; ")));
    }
}
