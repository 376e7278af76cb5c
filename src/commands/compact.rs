//! `lakectl compact`: many small files of the lake's closed days become few.

use anyhow::Result;
use std::time::Instant;

use crate::cli::{Common, CompactArgs};
use crate::config::Kind;
use crate::lake::{CompactRequest, Compacted, Lake, kept_out};
use crate::locked::Locked;
use crate::problem::Problem;
use crate::report::{CompactReport, Report, TargetReport, TopicReport};
use crate::run::select;
use crate::stop::Stop;

pub(super) fn execute(common: &Common, args: &CompactArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let settings = super::settings_of_lake(common, &args.root, stop)?;
    let wait = super::duration("--wait", args.wait.as_deref())?.unwrap_or_default();
    let limit = super::duration("--max-duration", args.max_duration.as_deref())?;
    let request = CompactRequest {
        format: args.format,
        older_than: super::duration("--older-than", Some(&args.older_than))?.unwrap_or_default(),
        deadline: limit.map(|limit| Instant::now() + limit),
    };
    let lake = Lake::existing(&settings)?;
    for topic in streams(&lake, &args.topics)? {
        if stop.signal().is_some() {
            break;
        }
        let compacted = if report.dry_run {
            lake.plan_compaction(&topic, request).map(Locked::Ours)
        } else {
            stop.attempt(wait, |step| {
                lake.compact(&topic, request, &report.run_id, step, stop)
            })
        };
        settle(report, &topic, compacted);
    }
    Ok(())
}

/// The chosen topics without the tables: each has one file as it is.
fn streams(lake: &Lake<'_>, patterns: &[String]) -> Result<Vec<String>> {
    let known = lake.known_topics()?;
    let names: Vec<&str> = known.iter().map(|(topic, _)| topic.as_str()).collect();
    let chosen = select::among(patterns, &names, "the lake does not have")?;
    let chosen: Vec<_> = known.into_iter().filter(|(topic, _)| chosen(topic)).collect();
    if !patterns.is_empty() && chosen.iter().all(|(_, kind)| *kind == Some(Kind::Table)) {
        return Problem::usage("--topics names tables only, and there is nothing to compact in them")
            .fix("name streams: a table is one snapshot, which each run writes anew")
            .err();
    }
    let streams = chosen.into_iter().filter(|(_, kind)| *kind != Some(Kind::Table));
    Ok(streams.map(|(topic, _)| topic).collect())
}

/// Puts what became of a topic into the report; the others go on.
fn settle(report: &mut Report, topic: &str, compacted: Result<Locked<Compacted>>) {
    let mut line = TopicReport::new(
        topic,
        Kind::Stream,
        TargetReport::Compact(CompactReport::default()),
    );
    match compacted {
        Ok(Locked::Ours(done)) => {
            line.target = TargetReport::Compact(done.report);
            for path in &done.foreign {
                report.warn_of(kept_out(topic, path));
                line.needs_attention();
            }
            let mut failed = done.failed.iter();
            if let Some(first) = failed.next() {
                line.fail(first);
            }
            failed.for_each(|error| report.warn_of(Problem::of(error)));
        }
        Ok(Locked::HeldBy(holder)) => line.lock_out(holder),
        Err(error) => line.fail(&error),
    }
    report.topics.push(line);
}
