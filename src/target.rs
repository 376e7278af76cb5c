//! What lake and warehouse have in common: they know how far they are, take records, and commit once.

use anyhow::Result;
use chrono::NaiveDate;
use clap::ValueEnum;
use std::time::Duration;

use crate::config::Topic;
use crate::decode::{Decoded, Decoder};
use crate::locked::Locked;
use crate::record::{DrainPlan, Drained, Progress, Record};
use crate::report::TopicReport;

/// Which of the two, where a command is about both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetKind {
    Lake,
    Warehouse,
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
