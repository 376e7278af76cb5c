//! Values of a sample: what readers of the lake will find.

use super::scope::CheckedTopic;
use super::{CheckName, Checks};
use crate::decode::{Body, Decoded};

#[derive(Debug, Default)]
pub(super) struct Values {
    there: u64,
    tombstones: u64,
    /// Kept as text.
    irregular: u64,
    first: Option<(String, i32, i64)>,
    /// JSON, but no objects.
    bare: u64,
    /// Objects with a field that has one of our names.
    reserved: u64,
    /// In the wire format of a schema registry: a zero byte, then the schema's number.
    registered: u64,
}

impl Values {
    pub(super) fn take(&mut self, record: &Decoded<'_>) {
        self.there += u64::from(record.body != Body::Tombstone);
        match &record.body {
            Body::Tombstone => self.tombstones += 1,
            Body::Object(object) => self.reserved += u64::from(object.is_reserved()),
            Body::Other(_) => self.bare += 1,
            Body::Unreadable { reason, bytes } => {
                self.irregular += 1;
                self.registered += u64::from(bytes.len() > 5 && bytes[0] == 0);
                let (partition, offset) = (record.at.partition, record.at.offset);
                self.first
                    .get_or_insert_with(|| (reason.to_string(), partition, offset));
            }
        }
    }

    pub(super) fn judge(&self, subject: &CheckedTopic, checks: &mut Checks) {
        let place: CheckName<'_> = (subject.name(), "values");
        if self.there == 0 {
            return checks.ok(place, format!("nothing but {} tombstones", self.tombstones));
        }
        let (reason, partition, offset) = self.first.clone().unwrap_or_default();
        let example = format!("{reason} (Kafka partition {partition}, offset {offset})");
        if self.irregular * 2 > self.there {
            let fix = if self.registered == self.irregular {
                "they look like Avro, Protobuf or JSON with a schema registry's number before it: have them \
                         written as plain JSON (in ksqlDB: VALUE_FORMAT = 'JSON')"
            } else {
                "have them written as JSON (in ksqlDB: VALUE_FORMAT = 'JSON'), or live with text in the lake"
            };
            let message = format!(
                "{} of {} can't be read as JSON and would be kept as text: {example}",
                self.irregular, self.there
            );
            return checks.wrong(place, message, fix);
        }
        let objects = self.there - self.irregular - self.bare;
        let mut notes = Vec::new();
        if self.irregular > 0 {
            notes.push(format!("{} would be kept as text: {example}", self.irregular));
        }
        if self.bare > 0 {
            notes.push(format!("{} are other JSON and stand under `_value`", self.bare));
        }
        if self.reserved > 0 {
            notes.push(format!(
                "{} have a field named like lakectl's own, and stand whole under `_value`: another \
                 lake.metadata_prefix avoids that",
                self.reserved
            ));
        }
        let advice = (!notes.is_empty()).then(|| notes.join("; "));
        checks.ok_but(
            place,
            format!("{objects} of {} are JSON objects", self.there),
            advice,
        );
    }
}
