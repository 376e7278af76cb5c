//! Takes rows out of the envelopes that connectors put around them. It works on JSON text, whatever format that was made from.

use super::Reason;
use super::fields::{each, scalar};
use crate::config::Envelope;

/// A value without its envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwrapped<'t> {
    /// The part of the text that was wrapped.
    Row(&'t str),
    /// The envelope says that the row was deleted.
    Deleted,
}

impl Envelope {
    /// Takes the row out.
    ///
    /// # Errors
    /// The text is not such an envelope, or one that says nothing of a single row. The reason never repeats a value.
    pub(super) fn open(self, text: &str) -> Result<Unwrapped<'_>, Reason> {
        let parts = EnvelopeParts::of(text)?;
        match (self, parts.payload()) {
            // JsonConverter wrote tombstones like this before Kafka 2.2.
            (_, Some("null")) => Ok(Unwrapped::Deleted),
            (Envelope::Connect, Some(payload)) => Ok(Unwrapped::Row(payload)),
            (Envelope::Connect, None) => {
                Err("not Connect's envelope: its fields are not just schema and payload".into())
            }
            (Envelope::Debezium, Some(payload)) => EnvelopeParts::of(payload)?.changed_row(),
            (Envelope::Debezium, None) => parts.changed_row(),
        }
    }

    /// The rows in a text that is such an envelope: of a change, the one before it as well.
    pub(crate) fn rows_in(self, text: &str) -> impl Iterator<Item = &str> {
        let parts = EnvelopeParts::of(text).unwrap_or_default();
        let rows = match self {
            Envelope::Connect => [parts.found_payload(), None],
            Envelope::Debezium => {
                let event = match parts.found_payload() {
                    Some(payload) => EnvelopeParts::of(payload).unwrap_or_default(),
                    None => parts,
                };
                event.op.map_or([None, None], |_| [event.before, event.after])
            }
        };
        rows.into_iter().flatten().filter(|row| row.starts_with('{'))
    }

    /// The envelope that a value seems to be in.
    pub(crate) fn seen_in(text: &str) -> Option<Envelope> {
        let parts = EnvelopeParts::of(text).ok()?;
        let Some(payload) = parts.payload() else {
            return parts.is_change().then_some(Envelope::Debezium);
        };
        match EnvelopeParts::of(payload) {
            Ok(parts) if parts.is_change() => Some(Envelope::Debezium),
            _ => Some(Envelope::Connect),
        }
    }

    /// The field in which the row is that is taken out.
    pub(super) fn row_field(self) -> &'static str {
        match self {
            Envelope::Debezium => "after",
            Envelope::Connect => "payload",
        }
    }

    /// Its name, for sentences.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Envelope::Debezium => "Debezium's envelope",
            Envelope::Connect => "the envelope of Connect's JsonConverter with schemas.enable",
        }
    }
}

/// What is in a key's envelope, which is that of Connect's JsonConverter. None: it has none, as a connector's keys and values may
/// have different converters.
pub(super) fn inside_key(text: &str) -> Option<&str> {
    EnvelopeParts::of(text).ok()?.payload()
}

/// The raw values of the fields that make an object an envelope.
#[derive(Debug, Clone, Copy, Default)]
struct EnvelopeParts<'t> {
    schema: Option<&'t str>,
    payload: Option<&'t str>,
    before: Option<&'t str>,
    after: Option<&'t str>,
    op: Option<&'t str>,
    /// How many fields the object has in all.
    count: usize,
}

impl<'t> EnvelopeParts<'t> {
    fn of(text: &'t str) -> Result<EnvelopeParts<'t>, Reason> {
        // Otherwise the error would show the value.
        if !text.trim_ascii_start().starts_with('{') {
            return Err("not in an envelope, nor any other object".into());
        }
        let mut parts = EnvelopeParts::default();
        let mut twice = None;
        let read = each(text, &mut |name, raw| {
            parts.count += 1;
            let place = match &*name {
                "schema" => &mut parts.schema,
                "payload" => &mut parts.payload,
                "before" => &mut parts.before,
                "after" => &mut parts.after,
                "op" => &mut parts.op,
                _ => return,
            };
            if place.replace(raw).is_some() {
                twice.get_or_insert(name);
            }
        });
        read?;
        match twice {
            None => Ok(parts),
            Some(name) => Err(format!("the field {name} of the envelope occurs twice").into()),
        }
    }

    /// What JsonConverter has wrapped. Like the converter itself, this accepts no further field.
    fn payload(&self) -> Option<&'t str> {
        self.payload.filter(|_| self.schema.is_some() && self.count == 2)
    }

    /// The same where typed columns have left out a schema that is null.
    fn found_payload(&self) -> Option<&'t str> {
        self.payload().or(self.payload.filter(|_| self.count == 1))
    }

    fn is_change(&self) -> bool {
        self.op.is_some() && (self.before.is_some() || self.after.is_some())
    }

    /// The row after Debezium's change.
    fn changed_row(&self) -> Result<Unwrapped<'t>, Reason> {
        let op = self.op.filter(|raw| raw.starts_with('"')).and_then(scalar);
        let Some(op) = op else {
            return Err("not Debezium's envelope: it has no op".into());
        };
        let after = self.after.filter(|raw| *raw != "null");
        let reason = match (&*op, after) {
            ("c" | "u" | "r", Some(row)) if row.starts_with('{') => return Ok(Unwrapped::Row(row)),
            ("d", None) if self.is_change() => return Ok(Unwrapped::Deleted),
            ("c" | "u" | "r", Some(_)) => "its after is not an object",
            ("c" | "u" | "r", None) => "it has no after",
            ("d", Some(_)) => "it has an after",
            ("d", None) => "it has neither before nor after",
            ("t", _) => {
                return Err("Debezium's op is t: the whole table was truncated, which names no row".into());
            }
            ("m", _) => return Err("Debezium's op is m: it is a message, not a row".into()),
            _ => return Err("Debezium's op is none of c, u, r, d, t and m".into()),
        };
        Err(format!("Debezium's op is {op}, but {reason}").into())
    }
}

#[cfg(test)]
mod tests;
