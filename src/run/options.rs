//! The flags of lake and warehouse as the options of a run.

use anyhow::Result;
use chrono::NaiveDate;
use std::time::{Duration, Instant};

use crate::cli::{Common, DrainArgs, KindArg};
use crate::config::{Kind, Overrides, Settings, units};
use crate::exit::usage;
use crate::kafka::{Accept, Limits};
use crate::print::bars::Display;
use crate::report::Report;
use crate::stop::Stop;

/// What flags say about a run, read once.
#[derive(Debug)]
pub struct RunOptions {
    pub patterns: Vec<String>,
    pub kind: Option<Kind>,
    pub limits: Limits,
    pub wait: Duration,
    pub from: Option<FromArg>,
    pub accept: Accept,
    pub rebuild: Option<RebuildArg>,
    /// Shows how far the run has come.
    pub display: Display,
}

/// What `--rebuild` reads again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebuildArg {
    /// Whole tables.
    Tables,
    /// These days of streams, both included.
    Days { first: NaiveDate, last: NaiveDate },
}

impl RebuildArg {
    /// `2025-10-01..2025-10-07`, or one day alone.
    pub fn days(text: &str) -> Result<RebuildArg> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let day = |text: &str| units::date(text).map_err(|e| usage(format!("--rebuild: {e}")));
        let (first, last) = (day(first)?, day(last)?);
        if first <= last {
            Ok(RebuildArg::Days { first, last })
        } else {
            Err(usage(format!(
                "--rebuild {text}: the first day is after the last"
            )))
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub enum FromArg {
    Earliest,
    Latest,
    Time(i64),
}

impl RunOptions {
    pub fn new(
        common: &Common,
        args: &DrainArgs,
        settings: &Settings,
        report: &Report,
        stop: &Stop,
    ) -> Result<RunOptions> {
        let zone = settings.lake.timezone;
        let flag = |name: &str, error: anyhow::Error| usage(format!("{name}: {error}"));
        let duration = |name: &str, text: &Option<String>| {
            text.as_deref()
                .map(units::duration)
                .transpose()
                .map_err(|e| flag(name, e))
        };
        let from = match args.from.as_deref() {
            None => None,
            Some("earliest") => Some(FromArg::Earliest),
            Some("latest") => Some(FromArg::Latest),
            Some(text) => Some(FromArg::Time(
                units::time_ms(text, zone).map_err(|e| flag("--from", e))?,
            )),
        };
        let until = args
            .until
            .as_deref()
            .map(|text| units::time_ms(text, zone))
            .transpose();
        Ok(RunOptions {
            patterns: args.topics.clone(),
            kind: args.kind.map(|kind| match kind {
                KindArg::Stream => Kind::Stream,
                KindArg::Table => Kind::Table,
            }),
            limits: Limits {
                records_left: args.max_messages,
                deadline: duration("--max-duration", &args.max_duration)?.map(|d| Instant::now() + d),
                until_ms: until.map_err(|e| flag("--until", e))?,
                silence_max: settings.kafka.timeout,
                stop: stop.clone(),
            },
            wait: duration("--wait", &args.wait)?.unwrap_or_default(),
            from,
            accept: Accept {
                gap: args.accept_gap,
                recreated: args.accept_recreated,
            },
            rebuild: None,
            display: Display::new(common, report, stop),
        })
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

/// What the flags of lake and warehouse say over the configuration.
pub fn overrides(args: &DrainArgs) -> Overrides {
    Overrides {
        brokers: args.kafka.brokers.clone(),
        group: args.group.clone(),
        kafka_options: args.kafka.options.clone(),
        ..Overrides::default()
    }
}
