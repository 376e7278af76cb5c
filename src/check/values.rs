//! Checks the values of a sample: whether their format is the configured one, and as which JSON they would be in the lake.

use super::schemas::{also_encryption, encryption, judge_schemas};
use super::scope::CheckedTopic;
use super::{CheckName, Checks};
use crate::config::{Envelope, ValueSchema};
use crate::decode::guess::{self, ValueGuess};
use crate::decode::registry::Registry;
use crate::decode::{Body, Decoded, SchemasSeen};
use crate::record::Record;

#[derive(Debug)]
pub(super) struct Values {
    there: u64,
    tombstones: u64,
    /// Values that would be kept as text.
    irregular: u64,
    first: Option<(String, i32, i64)>,
    /// JSON, but not objects.
    bare: u64,
    /// Objects with a field named like one of lakectl's own.
    reserved: u64,
    /// The envelope that every object so far seems to be in.
    seen_in: Option<Envelope>,
    /// An object that is not.
    seen_bare: bool,
    guess: ValueGuess,
}

impl Values {
    pub(super) fn new(schema: &ValueSchema, registry: &Registry) -> Values {
        Values {
            there: 0,
            tombstones: 0,
            irregular: 0,
            first: None,
            bare: 0,
            reserved: 0,
            seen_in: None,
            seen_bare: false,
            guess: ValueGuess::new(schema, registry),
        }
    }

    pub(super) fn take(&mut self, raw: &Record<'_>, record: &Decoded<'_>) {
        self.guess.take(raw, &record.body);
        self.there += u64::from(record.body != Body::Tombstone);
        match &record.body {
            Body::Tombstone => self.tombstones += 1,
            Body::Object(object) => {
                self.reserved += u64::from(object.is_reserved());
                let envelope = Envelope::seen_in(object.text());
                self.seen_bare |=
                    envelope.is_none() || self.seen_in.is_some_and(|seen| Some(seen) != envelope);
                self.seen_in = envelope;
            }
            Body::Other(_) => self.bare += 1,
            Body::Unreadable { reason, .. } => {
                self.irregular += 1;
                let (partition, offset) = (record.at.partition, record.at.offset);
                self.first
                    .get_or_insert_with(|| (reason.to_string(), partition, offset));
            }
        }
    }

    /// `schemas`: what is to be said of the schemas that the values were written with.
    pub(super) fn judge(&self, subject: &CheckedTopic, schemas: Option<&SchemasSeen>, checks: &mut Checks) {
        let place: CheckName<'_> = (subject.name(), "values");
        if self.there == 0 {
            return checks.ok(place, format!("only {} tombstones", self.tombstones));
        }
        if judge_schemas(subject, "values", schemas, checks) {
            return;
        }
        let (reason, partition, offset) = self.first.clone().unwrap_or_default();
        let also = also_encryption(schemas);
        let example = format!("{reason} (Kafka partition {partition}, offset {offset})");
        if let (Some(envelope), 1..) = (subject.topic.value.unwrap, self.irregular) {
            let message = format!(
                "{} of {} can't be taken out of the envelope (value.unwrap = \"{envelope}\"): {example}{also}",
                self.irregular, self.there
            );
            return checks.wrong(place, message, "look at what writes them, and at value.unwrap");
        }
        if self.irregular * 2 > self.there {
            let message = format!(
                "{} of {} {}: {example}{also}",
                self.irregular,
                self.there,
                guess::not_read(&subject.topic.value)
            );
            return checks.wrong(place, message, self.guess.advice());
        }
        if let Some((seem, fix)) = self.guess.misread() {
            let message = format!(
                "all {} can be read as {}, but {seem}",
                self.there, subject.topic.value.format
            );
            return checks.wrong(place, message, fix);
        }
        let objects = self.there - self.irregular - self.bare;
        let mut notes = Vec::new();
        if self.irregular > 0 {
            notes.push(format!("{} would be kept as text: {example}", self.irregular));
            notes.extend(self.guess.advice_on_ids());
        }
        if self.bare > 0 {
            notes.push(format!(
                "{} are JSON but not objects, and are kept under `_value`: value.columns = [\"NAME\"] gives them a name",
                self.bare
            ));
        }
        if self.reserved > 0 {
            notes.push(format!(
                "{} have a field named like lakectl's own, and are kept whole under `_value`: another \
                 lake.metadata_prefix avoids that",
                self.reserved
            ));
        }
        if let (Some(envelope), false) = (self.seen_in, self.seen_bare) {
            notes.push(format!(
                "they are in {}: value.unwrap = \"{envelope}\" takes them out",
                envelope.in_words()
            ));
        }
        notes.extend(encryption(schemas));
        let advice = (!notes.is_empty()).then(|| notes.join("; "));
        checks.ok_but(
            place,
            format!(
                "{objects} of {} are {}",
                self.there,
                guess::in_words(&subject.topic.value)
            ),
            advice,
        );
    }
}
