//! What the options of `lakectl lake` and `lakectl warehouse` say about a run.

use anyhow::Result;
use std::time::Instant;

use crate::cli::{Common, DrainArgs};
use crate::config::{Overrides, Settings, units};
use crate::exit::usage;
use crate::kafka::{Accept, Limits};
use crate::print::bars::Display;
use crate::report::Report;
use crate::run::{RebuildRequest, RunOptions, StartPosition};
use crate::stop::Stop;

pub(super) fn run_options(
    common: &Common,
    args: &DrainArgs,
    settings: &Settings,
    report: &Report,
    stop: &Stop,
) -> Result<RunOptions> {
    let time = |option: &str, text: &str| {
        units::time_ms(text, settings.lake.timezone).map_err(|error| usage(format!("{option}: {error}")))
    };
    let from = match args.from.as_deref() {
        None => None,
        Some("earliest") => Some(StartPosition::Earliest),
        Some("latest") => Some(StartPosition::Latest),
        Some(text) => Some(StartPosition::Time(time("--from", text)?)),
    };
    let max_duration = super::duration("--max-duration", args.max_duration.as_deref())?;
    let until = args.until.as_deref().map(|text| time("--until", text));
    let plain = RunOptions::new(settings, Display::new(common.print_options(), report, stop), stop);
    Ok(RunOptions {
        patterns: args.topics.clone(),
        kind: args.kind,
        limits: Limits {
            records_left: args.max_messages,
            deadline: max_duration.map(|limit| Instant::now() + limit),
            until_ms: until.transpose()?,
            ..plain.limits
        },
        wait: super::duration("--wait", args.wait.as_deref())?.unwrap_or_default(),
        from,
        accept: Accept {
            gap: args.accept_gap,
            recreated: args.accept_recreated,
        },
        ..plain
    })
}

/// `2025-10-01..2025-10-07`, or one day alone.
pub(super) fn days_to_rebuild(text: &str) -> Result<RebuildRequest> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let day = |text: &str| units::date(text).map_err(|e| usage(format!("--rebuild: {e}")));
    let (first, last) = (day(first)?, day(last)?);
    if first <= last {
        Ok(RebuildRequest::Days { first, last })
    } else {
        Err(usage(format!(
            "--rebuild {text}: the first day is after the last"
        )))
    }
}

/// What is said over the configuration.
pub(super) fn overrides(args: &DrainArgs) -> Overrides {
    Overrides {
        brokers: args.kafka.brokers.clone(),
        group: args.group.clone(),
        kafka_options: args.kafka.options.clone(),
        ..Overrides::default()
    }
}
