//! Records that their topic's configuration does not read although it reads all that is meant so: a person has to look.

use crate::config::Topic;
use crate::decode::{Body, Decoded};
use crate::problem::Problem;
use crate::record::Coordinates;
use crate::words::count;

/// How many there were, and the first of them.
#[derive(Debug, Default)]
pub(super) struct Undecoded {
    records: u64,
    first: Option<(Coordinates, String)>,
}

impl Undecoded {
    pub(super) fn take(&mut self, topic: &Topic, record: &Decoded<'_>) {
        let value = match &record.body {
            Body::Unreadable { reason, .. } if topic.value.reads_all() => Some(reason),
            _ => None,
        };
        let key = || record.key_fault().filter(|_| topic.key.format.is_registered());
        if let Some(reason) = value.or_else(key) {
            self.records += 1;
            self.first.get_or_insert_with(|| (record.at, reason.to_string()));
        }
    }

    /// What a person has to know, if there were any.
    pub(super) fn problem(&self, topic: &Topic, prefix: &str) -> Option<Problem> {
        let (at, reason) = self.first.as_ref()?;
        let (what, setting) = match topic.value.unwrap {
            Some(envelope) => (
                format!("taken out of the envelope (value.unwrap = \"{envelope}\")"),
                "value.unwrap",
            ),
            None => (
                "decoded".to_owned(),
                "key.format, value.format and their columns: `lakectl check` tells what is wrong",
            ),
        };
        Some(
            Problem::new(format!(
                "{} could not be {what}: their lines keep the whole value and \
                 the reason under {prefix}error, and a table has no line for one without a key. The first one is in Kafka \
                 partition {} at offset {}: {reason}",
                count(self.records, "record"),
                at.partition,
                at.offset
            ))
            .fix(format!("look at what writes them, and at {setting}")),
        )
    }
}
