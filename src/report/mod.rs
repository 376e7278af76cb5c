//! The report of a run: JSON for scripts, and the values that people are shown.

mod compact;
mod time_doubt;
mod topic;

use chrono::{SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use crate::problem::Problem;
use crate::words::printable;
use crate::{exit, run_id, stop};
pub use compact::{CompactReport, CompactedDay};
pub use time_doubt::TimeDoubt;
pub use topic::{
    CompactedPath, Difference, LakeReport, PartitionReport, PathsReport, TargetReport, TopicReport,
    VerifyReport, WarehouseReport,
};

#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub version: u32,
    pub run_id: String,
    pub command: &'static str,
    pub status: Status,
    pub exit_code: u8,
    pub error: Option<Problem>,
    pub warnings: Vec<Problem>,
    pub started: String,
    pub duration_ms: u64,
    pub dry_run: bool,
    pub topics: Topics,
    pub totals: Totals,
    /// Results of commands without topics.
    #[serde(flatten)]
    pub outcome: serde_json::Map<String, serde_json::Value>,
    /// The same results for people, line by line.
    #[serde(skip)]
    pub text: Vec<String>,
    /// Output for another program: it goes to stdout unchanged, and nothing else does.
    #[serde(skip)]
    pub output: Option<String>,
    /// Whether `text` is for a log, and not the answer that the command gives.
    #[serde(skip)]
    pub text_is_log: bool,
    /// Whether exit code 1 is an answer and not a failure, as in `grant check`.
    #[serde(skip)]
    pub is_answer: bool,
    #[serde(skip)]
    began: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    /// Done, but a person has to look at something.
    Partial,
    Failed,
    Locked,
    Interrupted,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Totals {
    pub read: u64,
    pub written: u64,
    pub bytes: u64,
    pub remaining: u64,
}

/// What a run did with each topic. Commands that only look report a list of their own instead.
#[derive(Debug, Clone, Default)]
pub struct Topics {
    runs: Vec<TopicReport>,
    instead: Option<Box<RawValue>>,
}

impl Topics {
    /// Reports this list in place of the topics.
    pub fn told_as(&mut self, topics: &[impl Serialize]) -> Result<(), serde_json::Error> {
        self.instead = Some(to_raw_value(topics)?);
        Ok(())
    }
}

impl Serialize for Topics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.instead {
            Some(topics) => topics.serialize(serializer),
            None => self.runs.serialize(serializer),
        }
    }
}

impl Deref for Topics {
    type Target = Vec<TopicReport>;

    fn deref(&self) -> &Vec<TopicReport> {
        &self.runs
    }
}

impl DerefMut for Topics {
    fn deref_mut(&mut self) -> &mut Vec<TopicReport> {
        &mut self.runs
    }
}

impl From<Vec<TopicReport>> for Topics {
    fn from(runs: Vec<TopicReport>) -> Topics {
        Topics { runs, instead: None }
    }
}

impl<'t> IntoIterator for &'t Topics {
    type Item = &'t TopicReport;
    type IntoIter = std::slice::Iter<'t, TopicReport>;

    fn into_iter(self) -> Self::IntoIter {
        self.runs.iter()
    }
}

impl Report {
    pub fn new(command: &'static str, dry_run: bool) -> Self {
        let started = Utc::now();
        Report {
            version: 1,
            run_id: run_id::new(started),
            command,
            status: Status::Ok,
            exit_code: exit::DONE,
            error: None,
            warnings: Vec::new(),
            started: started.to_rfc3339_opts(SecondsFormat::Millis, true),
            duration_ms: 0,
            dry_run,
            topics: Topics::default(),
            totals: Totals::default(),
            outcome: serde_json::Map::new(),
            text: Vec::new(),
            output: None,
            text_is_log: false,
            is_answer: false,
            began: Instant::now(),
        }
    }

    /// Adds the results of a command without topics as fields of the report.
    pub fn outcome(&mut self, outcome: &impl Serialize) {
        if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(outcome) {
            self.outcome = fields;
        }
    }

    pub fn warn(&mut self, message: impl AsRef<str>) {
        self.warn_of(Problem::new(message.as_ref()));
    }

    /// Adds a warning that names a topic, or says what to do.
    pub fn warn_of(&mut self, problem: Problem) {
        self.warnings.push(shown(problem));
    }

    /// Notes that a person has to look at something: exit code 3 unless there is a worse one.
    pub fn needs_attention(&mut self) {
        self.exit_code = exit::worst([self.exit_code, exit::ATTENTION]);
    }

    /// Fails the run as a whole.
    pub fn fail(&mut self, error: &anyhow::Error) {
        self.error = Some(told(error));
        self.exit_code = exit::code_of(error);
    }

    /// Sums up the topics, and sets status and exit code. `signal` is the signal that stopped the run.
    pub fn finish(&mut self, signal: Option<i32>) {
        self.duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(signal) = signal {
            let name = stop::name(signal);
            self.warn(format!(
                "stopped by {name}: what was committed by then stays, and the next run continues from there"
            ));
        }
        for topic in self.topics.iter() {
            self.totals.read += topic.read;
            self.totals.remaining += topic.remaining;
            match &topic.target {
                TargetReport::Lake(lake) => {
                    self.totals.written += lake.written;
                    self.totals.bytes += lake.bytes;
                }
                TargetReport::Warehouse(warehouse) => self.totals.written += warehouse.upserted,
                TargetReport::Verify(_) | TargetReport::Compact(_) | TargetReport::None {} => {}
            }
        }
        let codes = self
            .topics
            .iter()
            .map(|topic| topic.exit_code)
            .chain([self.exit_code]);
        self.exit_code = match signal {
            Some(signal) => u8::try_from(128 + signal).unwrap_or(exit::FAILED),
            None => exit::worst(codes),
        };
        self.status = match self.exit_code {
            exit::DONE => Status::Ok,
            exit::ATTENTION => Status::Partial,
            exit::LOCKED => Status::Locked,
            exit::INTERRUPTED | exit::TERMINATED => Status::Interrupted,
            exit::FAILED if self.error.is_none() && self.is_answer => Status::Ok,
            _ => Status::Failed,
        };
    }
}

/// An error with its causes, fit for a terminal.
fn told(error: &anyhow::Error) -> Problem {
    shown(Problem::of(error))
}

fn shown(problem: Problem) -> Problem {
    Problem {
        what: printable(&problem.what),
        fix: problem.fix.map(|fix| printable(&fix)),
        ..problem
    }
}

/// For serde: counts that are left out of the report while they are 0.
pub fn is_zero(count: &u64) -> bool {
    *count == 0
}
