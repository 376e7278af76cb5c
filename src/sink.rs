//! What lake and warehouse have in common: they know how far they are, take records, and commit once.

use anyhow::Result;
use chrono::NaiveDate;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::Topic;
use crate::decode::{Decoded, Decoder};
use crate::kafka::DrainPlan;
use crate::locked::Locked;
use crate::record::Record;
use crate::report::TopicReport;

/// How far a target is with a topic. The target's word wins over Kafka's group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Kafka partition -> offset of the first record that was not taken in. Empty: never drained.
    pub next: BTreeMap<i32, i64>,
    /// Kafka's id of the topic, where the broker gave one: a topic made anew has another.
    pub topic_id: Option<String>,
    /// When a run last took in everything there was, in milliseconds since 1970.
    pub complete_ms: Option<i64>,
    /// 1, and one more for each time the topic was made anew and accepted.
    pub generation: u32,
}

/// What a bounded read of a topic came to; the sink commits just this.
#[derive(Debug, Clone, Default)]
pub struct Drained {
    pub partitions: Vec<DrainedPartition>,
    pub topic_id: Option<String>,
    /// The generation that these records belong to: it differs from the progress's where the topic was made anew.
    pub generation: u32,
    /// Every Kafka partition was read up to the end that the plan saw.
    pub complete: bool,
    /// When the plan saw the ends, in milliseconds since 1970.
    pub planned_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainedPartition {
    pub partition: i32,
    pub start: i64,
    /// Where the next run begins.
    pub next: i64,
    pub end: i64,
    /// Records that were read, whether or not the sink kept them.
    pub read: u64,
}

/// A topic is read again from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuild {
    /// A table: what the topic no longer holds is removed from the target.
    DropAbsent,
    /// A table: it is kept, because Kafka deletes old windows of `compact,delete` topics without a tombstone.
    KeepAbsent,
    /// A stream in the lake: just these days are replaced, both included, and the progress does not move.
    Days { first: NaiveDate, last: NaiveDate },
}

impl Rebuild {
    /// What it replaces in a folder or table, for a plan.
    pub fn replaces(self, into: &str) -> String {
        match self {
            Rebuild::DropAbsent => format!("all of {into}"),
            Rebuild::KeepAbsent => format!("what the topic still holds of {into}"),
            Rebuild::Days { first, last } if first == last => format!("{first} in {into}"),
            Rebuild::Days { first, last } => format!("{first} to {last} in {into}"),
        }
    }
}

/// Where records go: the lake or the warehouse.
pub trait Target {
    type Sink<'t>: Sink
    where
        Self: 't;

    /// How many topics may be open at a time: each keeps a descriptor or a session of its own until its commit.
    const OPEN_MAX: usize;

    /// Takes the topic's lock, waiting up to `wait` for another run.
    fn open<'t>(&'t self, topic: &'t Topic, run_id: &str, wait: Duration) -> Result<Locked<Self::Sink<'t>>>;

    /// How far the target is with a topic, without a lock and without touching anything.
    fn progress(&self, topic: &Topic) -> Result<Progress>;
}

/// One topic on its way into one target, under that target's lock. It may be committed by another thread than filled it.
pub trait Sink: Send {
    fn progress(&self) -> Progress;

    /// The same plan, to be read as it suits the target.
    fn suit(&self, plan: DrainPlan, _rebuild: Option<Rebuild>) -> DrainPlan {
        plan
    }

    /// Whether it must come after what was taken before it, and before what is taken later: targets may depend on each
    /// other.
    fn wants_to_be_alone(&self) -> bool {
        false
    }

    /// Told once, before the first record: which offsets will come, and whether to start afresh.
    fn begin(&mut self, plan: &DrainPlan, rebuild: Option<Rebuild>) -> Result<()>;

    /// What decodes the topic's records as it suits the target.
    fn decoder(&self) -> Decoder;

    /// Takes some records, each with what it says; per Kafka partition they come in the order of their offsets.
    fn take_all(&mut self, records: &[Record<'_>], decoded: &[Decoded<'_>]) -> Result<()>;

    /// Makes what was taken, and `drained.next`, durable in one moment, and fills in the report.
    /// An error means that nothing of it counts: the next run reads it again.
    fn commit(&mut self, drained: &Drained, report: &mut TopicReport) -> Result<()>;

    /// What a person should know beside the report's numbers.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
}
