//! A topic's state: how far the topic was taken in, and what its last commit still owes.

use anyhow::Result;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::change_log::Changes;
use super::debt::Debt;
use super::{check_place, topic_home};
use crate::config::{Envelope, Kind, TimeUnit};
use crate::lake::disk::checksummed;
use crate::lake::disk::root::Root;
use crate::lake::layout::paths::HivePartition;
use crate::problem::About;
use crate::record::{Gap, LastRecords, Progress};
use crate::types::plausible;
use crate::types::stored::StoredColumns;

/// How many gaps a topic's state remembers.
const GAPS_MAX: usize = 500;

/// The state of one topic. Renaming a new one over it is the commit point of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicState {
    /// The topic whose state this is; empty in states that were written before this field existed.
    #[serde(default)]
    topic: String,
    pub kind: Kind,
    pub partition_time: String,
    /// The unit of the numbers by which the days were made.
    #[serde(default, skip_serializing_if = "TimeUnit::is_default")]
    pub time_unit: TimeUnit,
    /// The envelope that a table's values, and its keys, were taken out of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwrap: Option<Envelope>,
    /// How a table keeps its keys, if not by their own bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_keys: Option<String>,
    pub topic_id: Option<String>,
    pub generation: u32,
    /// Kafka partition -> offset of the first record that was not taken in.
    pub next: BTreeMap<i32, i64>,
    /// The last record before `next`, where it is known.
    #[serde(default, skip_serializing_if = "LastRecords::is_empty")]
    pub last: LastRecords,
    pub complete_ms: Option<i64>,
    /// Kafka partition -> records of a stream in the lake: its days' manifests must add up to them. None: the state was
    /// written before records were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<BTreeMap<i32, u64>>,
    /// Offsets whose loss was accepted, the newest last. They are for people: nothing is decided by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<Gap>,
    /// The first day that a purge kept: older records of streams, and older history of tables, stay purged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cutoff: Option<NaiveDate>,
    /// Whether a purge has deleted implausible days too. Otherwise none of them is old: a wrong unit has made it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub purged_implausible: bool,
    /// How many commits there were, and which files they removed.
    #[serde(default)]
    pub changes: Changes,
    /// The columns of its Parquet files; without a version, it never had one.
    #[serde(default, skip_serializing_if = "StoredColumns::is_new")]
    pub columns: StoredColumns,
    /// The current snapshot of a table.
    pub snapshot: Option<Snapshot>,
    /// What the last commit still owes to the readers.
    pub pending: Option<Debt>,
}

impl TopicState {
    /// Whether a key's records may still come from several Kafka partitions, of which the later timestamp counts: a table's first
    /// drain is not complete. A single Kafka partition has its keys in order from the beginning.
    pub fn is_amid_first_drain(&self) -> bool {
        self.kind == Kind::Table && self.complete_ms.is_none() && self.next.len() > 1
    }

    pub fn new(topic: &str, kind: Kind, partition_time: String, time_unit: TimeUnit) -> Self {
        TopicState {
            topic: topic.to_owned(),
            kind,
            partition_time,
            time_unit,
            unwrap: None,
            kept_keys: None,
            topic_id: None,
            generation: 1,
            next: BTreeMap::new(),
            last: LastRecords::new(),
            complete_ms: None,
            records: Some(BTreeMap::new()),
            gaps: Vec::new(),
            cutoff: None,
            purged_implausible: false,
            changes: Changes::default(),
            columns: StoredColumns::default(),
            snapshot: None,
            pending: None,
        }
    }

    /// Whether a purge has deleted this day, so that it stays away. Hive's null partition has no age.
    pub fn has_purged(&self, day: HivePartition) -> bool {
        match (day, self.cutoff) {
            (HivePartition::Day(day), Some(cutoff)) => {
                day < cutoff && (day >= plausible::FIRST_DAY || self.purged_implausible)
            }
            _ => false,
        }
    }

    /// Whether the day of a table's current snapshot would be purged by now, were it history.
    pub fn has_purged_snapshot(&self) -> bool {
        let day = self
            .snapshot
            .as_ref()
            .and_then(|snapshot| HivePartition::parse(&snapshot.day));
        day.is_some_and(|day| self.has_purged(day))
    }

    /// Remembers gaps. The oldest are forgotten past `GAPS_MAX`, because each commit writes all of them.
    pub fn add_gaps(&mut self, gaps: &[Gap]) {
        self.gaps.extend(gaps);
        let surplus = self.gaps.len().saturating_sub(GAPS_MAX);
        self.gaps.drain(..surplus);
    }

    pub fn progress(&self) -> Progress {
        Progress {
            next: self.next.clone(),
            last: self.last.clone(),
            topic_id: self.topic_id.clone(),
            complete_ms: self.complete_ms,
            generation: self.generation,
        }
    }

    pub fn load(root: &Root, topic: &str) -> Result<Option<TopicState>> {
        let path = Self::path(topic);
        let state = checksummed::read::<TopicState>(root, &path).about_topic(topic)?;
        state
            .map(|mut state| {
                check_place(root, &path, &state.topic, topic)?;
                topic.clone_into(&mut state.topic);
                Ok(state)
            })
            .transpose()
    }

    /// Writes a state that commits nothing new; a commit itself goes through `commit::commit`.
    pub fn save(&self, root: &Root, topic: &str) -> Result<()> {
        checksummed::write(root, &Self::path(topic), self).about_topic(topic)
    }

    pub fn path(topic: &str) -> String {
        format!("{}/state", topic_home(topic))
    }
}

/// A table's snapshot as readers see it, and the sidecar with what its lines alone don't hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Relative to the lake root.
    pub path: String,
    pub day: String,
    pub rows: u64,
    pub bytes: u64,
    /// XXH3-128 of the file as it lies on disk.
    pub checksum: String,
    pub sidecar: String,
    pub sidecar_checksum: String,
    /// Deleted keys that the sidecar holds beside the rows, until the table's first drain is complete.
    #[serde(default)]
    pub tombstones: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_gaps_the_newest_are_remembered() {
        let gap = |from: usize| Gap {
            partition: 0,
            from: from as i64,
            to: from as i64 + 1,
        };
        let mut state = TopicState::new("t", Kind::Stream, String::new(), TimeUnit::Ms);
        for from in 0..GAPS_MAX + 2 {
            state.add_gaps(&[gap(from)]);
        }
        assert_eq!(state.gaps.len(), GAPS_MAX);
        assert_eq!(
            (state.gaps[0], state.gaps[GAPS_MAX - 1]),
            (gap(2), gap(GAPS_MAX + 1))
        );
    }
}
