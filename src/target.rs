//! What lake and warehouse have in common: they hold their own progress, take records, and commit once.

use anyhow::Result;
use chrono::NaiveDate;
use clap::ValueEnum;
use std::fmt;
use std::time::Duration;

use crate::config::Topic;
use crate::decode::{Decoded, Decoder};
use crate::locked::Locked;
use crate::problem::Problem;
use crate::record::{DrainPlan, Drained, Progress, Record};
use crate::report::TopicReport;

/// Which of the two, where a command is about both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetKind {
    Lake,
    Warehouse,
}

/// A rebuild: a topic is read again from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuild {
    /// A table: rows whose keys the topic no longer holds are removed.
    DropAbsent,
    /// A table: such rows are kept, because Kafka deletes old windows of `compact,delete` topics without a tombstone.
    KeepAbsent,
    /// A stream in the lake: only the days from `first` to `last`, both included, are replaced; the progress stays.
    Days { first: NaiveDate, last: NaiveDate },
}

impl Rebuild {
    /// Which part of a folder or table it replaces, as text for a plan.
    pub fn replaces(self, into: &str) -> String {
        match self {
            Rebuild::DropAbsent => format!("all of {into}"),
            Rebuild::KeepAbsent => format!("what the topic still holds of {into}"),
            Rebuild::Days { first, last } if first == last => format!("{first} in {into}"),
            Rebuild::Days { first, last } => format!("{first} to {last} in {into}"),
        }
    }
}

/// The target has no room for another open topic until one is closed, of this run or of others.
#[derive(Debug)]
pub struct NoRoom(pub Problem);

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room for another topic")
    }
}

impl std::error::Error for NoRoom {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl NoRoom {
    /// Whether this is why a topic could not be opened.
    pub fn is_in(error: &anyhow::Error) -> bool {
        error.chain().any(|cause| cause.is::<NoRoom>())
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
    ///
    /// # Errors
    /// [`NoRoom`], at once, if fewer than `OPEN_MAX` topics can be open now.
    fn open<'t>(&'t self, topic: &'t Topic, run_id: &str, wait: Duration) -> Result<Locked<Self::Sink<'t>>>;

    /// How far the target has taken in a topic. It takes no lock and changes nothing.
    fn progress(&self, topic: &Topic) -> Result<Progress>;

    /// Whether a sink would refuse to begin with this rebuild, or without one. It takes no lock and changes nothing.
    fn check_begin(&self, _topic: &Topic, _rebuild: Option<Rebuild>) -> Result<()> {
        Ok(())
    }
}

/// Takes one topic into one target, under that target's lock. Another thread may commit it than the one that filled it.
pub trait Sink: Send {
    fn progress(&self) -> Progress;

    /// Adapts the plan to the target, which may read the same offsets in another way.
    fn suit(&self, plan: DrainPlan, _rebuild: Option<Rebuild>) -> DrainPlan {
        plan
    }

    /// Whether earlier topics must be committed before it is read, and it before later ones are: tables may depend on each
    /// other.
    fn wants_to_be_alone(&self) -> bool {
        false
    }

    /// Called once, before the first record, with the offsets that will come and the rebuild, if it is one.
    fn begin(&mut self, plan: &DrainPlan, rebuild: Option<Rebuild>) -> Result<()>;

    /// The decoder of the topic's records that suits the target.
    fn decoder(&self) -> Decoder;

    /// Takes some records, each with its decoded form; per Kafka partition they come in the order of their offsets.
    fn take_all(&mut self, records: &[Record<'_>], decoded: &[Decoded<'_>]) -> Result<()>;

    /// Makes the taken records and the new progress durable in one moment, and fills in the report.
    /// After an error nothing counts: the next run reads the records again.
    fn commit(&mut self, drained: &Drained, report: &mut TopicReport) -> Result<()>;

    /// Warnings for people about the topic, beside the report's numbers.
    fn warnings(&mut self) -> Vec<Problem> {
        Vec::new()
    }
}
