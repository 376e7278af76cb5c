//! Records that can't be taken out of the envelope that their topic is configured with.

use crate::config::Topic;
use crate::decode::{Body, Decoded};
use crate::problem::Problem;
use crate::record::Coordinates;
use crate::words::count;

/// How many there were, and the first of them.
#[derive(Debug, Default)]
pub(super) struct StillWrapped {
    records: u64,
    first: Option<(Coordinates, String)>,
}

impl StillWrapped {
    pub(super) fn take(&mut self, topic: &Topic, record: &Decoded<'_>) {
        if topic.value.unwrap.is_none() {
            return;
        }
        if let Body::Unreadable { reason, .. } = &record.body {
            self.records += 1;
            self.first.get_or_insert_with(|| (record.at, reason.to_string()));
        }
    }

    /// What a person has to know, if there were any.
    pub(super) fn problem(&self, topic: &Topic, prefix: &str) -> Option<Problem> {
        let (at, reason) = self.first.as_ref()?;
        let envelope = topic.value.unwrap?;
        Some(
            Problem::new(format!(
                "{} could not be taken out of the envelope (value.unwrap = \"{envelope}\"): their lines keep the whole value and \
                 the reason under {prefix}error, and a table has no line for one without a key. The first one is in Kafka \
                 partition {} at offset {}: {reason}",
                count(self.records, "record"),
                at.partition,
                at.offset
            ))
            .fix("look at what writes them, and at value.unwrap"),
        )
    }
}
