//! Whether a log is still the one that was read: the last record before a read is read again, and compared.
//!
//! A run begins its read with that record, so this costs no request of its own. Where Kafka has deleted or compacted it, there is
//! nothing to compare, and the log counts as unchanged.

use anyhow::Result;
use rdkafka::message::{BorrowedMessage, Message};
use std::cmp::Ordering;

use super::{Client, DrainPlan, Limits, Parts, Reading, Step, handover};
use crate::kafka::plan::{LogChange, LogChanges, PartitionOffsets, is_renamed, lost_end};
use crate::record::{OffsetRange, Progress};

impl Client {
    /// Reads the last record of each Kafka partition of the progress again, and returns those whose log has changed: none in
    /// another topic, which has logs of its own.
    ///
    /// # Errors
    /// The broker stays silent, or the read fails.
    pub fn log_changes(
        &self,
        topic: &str,
        offsets: &[PartitionOffsets],
        topic_id: Option<&str>,
        progress: &Progress,
        limits: &Limits,
    ) -> Result<LogChanges> {
        if is_renamed(topic_id, progress) {
            return Ok(LogChanges::new());
        }
        let mut plan = DrainPlan::default();
        for at in offsets {
            let partition = at.partition;
            if let (Some(&last), Some(&next)) = (progress.last.get(&partition), progress.next.get(&partition))
                && last.offset >= at.low
                && next <= at.stable_end
            {
                plan.last.insert(partition, last);
                plan.ranges.push(OffsetRange {
                    partition,
                    start: next,
                    end: next,
                });
            }
        }
        let mut limits = Limits {
            silence_max: limits.silence_max,
            stop: limits.stop.clone(),
            ..Limits::default()
        };
        let mut reading = Reading::of(self, topic, Parts::to_compare(&plan), plan);
        reading.changes = Some(LogChanges::new());
        if !reading.parts.are_settled() {
            reading.next_turn(&limits)?;
        }
        reading.read_to_end(&mut limits, &mut |_| Ok(()))?;
        Ok(std::mem::take(&mut reading.changes).unwrap_or_default())
    }
}

impl Reading<'_> {
    /// Compares a record before `start`, where the read of its Kafka partition begins, with the last one that was taken there.
    pub(super) fn compare(&mut self, message: &BorrowedMessage<'_>, start: i64) -> Result<Step> {
        let (partition, offset) = (message.partition(), message.offset());
        let Some(last) = self.plan.last.get(&partition) else {
            return Ok(Step::On);
        };
        let change = match offset.cmp(&last.offset) {
            Ordering::Less => return Ok(Step::On),
            Ordering::Equal if handover::as_last(message) == *last => None,
            Ordering::Equal => Some(LogChange::Another(offset)),
            Ordering::Greater => Some(LogChange::Additional(offset)),
        };
        match (change, &mut self.changes) {
            (Some(change), None) => return Err(lost_end(self.topic, &change.of(partition)).into()),
            (Some(change), Some(changes)) => {
                changes.insert(partition, change);
                self.settle(partition, start)?;
            }
            (None, Some(_)) if last.next() == start => self.settle(partition, start)?,
            (None, _) => {}
        }
        Ok(Step::On)
    }
}
