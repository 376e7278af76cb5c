//! The flags of lake and warehouse as the options of a run.

use anyhow::Result;
use chrono::NaiveDate;
use std::time::Duration;

use crate::config::{Kind, Settings};
use crate::exit::usage;
use crate::kafka::{Accept, Limits};
use crate::print::bars::Display;
use crate::stop::Stop;

/// What a run is asked for.
#[derive(Debug)]
pub struct RunOptions {
    /// Names and globs; none: every configured topic.
    pub patterns: Vec<String>,
    /// Of topics that are not configured.
    pub kind: Option<Kind>,
    pub limits: Limits,
    /// How long another run's lock is waited for.
    pub wait: Duration,
    /// Where topics begin that the target has no progress on; None: with their first record.
    pub from: Option<StartPosition>,
    pub accept: Accept,
    pub rebuild: Option<RebuildRequest>,
    /// Shows how far the run has come.
    pub display: Display,
}

/// What `--rebuild` reads again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebuildRequest {
    /// Whole tables.
    Tables,
    /// These days of streams, both included.
    Days { first: NaiveDate, last: NaiveDate },
}

/// Where to begin a topic.
#[derive(Debug, Clone, Copy)]
pub enum StartPosition {
    Earliest,
    Latest,
    /// In milliseconds since 1970.
    Time(i64),
}

impl RunOptions {
    /// All that is new, of every topic.
    pub fn new(settings: &Settings, display: Display, stop: &Stop) -> RunOptions {
        RunOptions {
            patterns: Vec::new(),
            kind: None,
            limits: Limits {
                silence_max: settings.kafka.timeout,
                stop: stop.clone(),
                ..Limits::default()
            },
            wait: Duration::ZERO,
            from: None,
            accept: Accept::default(),
            rebuild: None,
            display,
        }
    }

    /// Refuses limits on a rebuild, which would replace good data with less.
    pub fn check_rebuild(&self) -> Result<()> {
        let limited = self.limits.records_left.is_some()
            || self.limits.deadline.is_some()
            || self.limits.until_ms.is_some()
            || self.from.is_some();
        if self.rebuild.is_some() && limited {
            Err(usage(
                "--rebuild reads its topics from end to end: leave --from, --until and --max-* out",
            ))
        } else {
            Ok(())
        }
    }
}
