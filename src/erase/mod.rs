//! Erases persons from the lake's files and MySQL's rows, and keeps them out of both from then on.
//!
//! find -> ask -> register -> lake -> warehouse -> report. The subjects are registered before the first line is erased:
//! drains leave them out from that moment on, and records that were drained before are found.

mod outcome;
mod scope;

use anyhow::{Context, Result};
use std::time::Duration;

use crate::audit::{CommandLine, Trail, TrailPlace};
use crate::config::Settings;
use crate::exit;
use crate::lake::{Lake, LakeHits};
use crate::locked::Locked;
use crate::problem::Problem;
use crate::purge::confirm;
use crate::report::Report;
use crate::stop::Stop;
use crate::subjects::list;
use crate::subjects::list::ErasureSecret;
use crate::subjects::matcher::Matcher;
use crate::subjects::subject::Subject;
use crate::target::TargetKind;
use crate::warehouse::ErasureEnded;
pub use outcome::ErasureOutcome;
use scope::ErasureScope;

/// Who is to be erased, and where.
#[derive(Debug, Clone)]
pub struct ErasureRequest {
    pub subjects: Vec<Subject>,
    /// Names and globs; none: every topic.
    pub topics: Vec<String>,
    /// One of the two alone.
    pub only: Option<TargetKind>,
    /// How long another run's lock is waited for.
    pub wait: Duration,
    /// Nobody is asked.
    pub yes: bool,
    /// For the audit trail, without what would tell who the subjects are.
    pub arguments: CommandLine,
}

/// Runs `lakectl purge --key TOPIC=KEY` and `--where FIELD=VALUE`. The result goes into `report.outcome`, and as
/// [`ErasureOutcome::audit`] into the audit trail.
///
/// # Errors
/// There is nobody to ask, a topic is unknown, or there is nothing to erase from: exit code 2, and nothing is changed. A schema
/// registry that topics need does not answer: exit code 1, and nothing is changed.
/// Otherwise the error names what could not be erased; the rest is.
pub fn execute(
    request: &ErasureRequest,
    settings: &Settings,
    report: &mut Report,
    stop: &Stop,
) -> Result<()> {
    let (subjects, wait) = (&request.subjects[..], request.wait);
    if !request.yes && !report.dry_run {
        confirm::check_someone_is_there()?;
    }
    let scope = ErasureScope::open(request, settings)?;
    scope.check_registry()?;
    report.text_is_log = true;
    let mut outcome = ErasureOutcome::new(&scope);
    let secret = outcome.name_subjects(&scope, subjects, report.dry_run)?;
    let seen = find(&scope, subjects, stop, &mut outcome)?;
    if report.dry_run {
        report.text = outcome.text(true);
        return settle(report, outcome);
    }
    if !request.yes {
        confirm::ask(
            &outcome.text(true),
            "Erase this for good?",
            confirm::NOT_DELETED,
            stop,
        )?;
    }
    let run_id = report.run_id.clone();
    let trail = trail(&scope, settings, request.arguments.clone(), &run_id);
    for warning in trail.begin(&outcome.audit())? {
        report.warn(warning);
    }
    outcome.clear();
    register(&scope, subjects, &secret, &report.run_id)?;
    erase_lake(&scope, &seen, &report.run_id, wait, stop, &mut outcome);
    erase_warehouse(&scope, subjects, wait, stop, &mut outcome);
    report.text = outcome.text(false);
    let ended = trail.end(&outcome.audit());
    settle(report, outcome)?;
    for warning in ended? {
        report.warn(warning);
    }
    Ok(())
}

/// The command line for the audit trail, without the subject.
fn trail<'t>(
    scope: &'t ErasureScope<'_>,
    settings: &'t Settings,
    arguments: CommandLine,
    run_id: &'t str,
) -> Trail<'t> {
    Trail {
        lake: TrailPlace::of(scope.lake.as_ref().map(Lake::root), true),
        database: TrailPlace::of(settings.database.as_ref(), scope.warehouse.is_some()),
        command: "erase",
        arguments,
        run_id,
    }
}

/// A topic of the lake that was searched.
struct SearchedTopic<'s> {
    topic: &'s crate::config::Topic,
    matcher: Matcher,
    found: LakeHits,
}

/// Searches everywhere, and changes nothing.
fn find<'s>(
    scope: &'s ErasureScope<'_>,
    subjects: &[Subject],
    stop: &Stop,
    outcome: &mut ErasureOutcome,
) -> Result<Vec<SearchedTopic<'s>>> {
    let mut seen = Vec::new();
    if let Some(lake) = &scope.lake {
        for topic in &scope.lake_topics {
            let matcher = Matcher::new(topic, subjects);
            let found = match lake.look_for(topic, &matcher, stop) {
                Ok(found) => found,
                Err(error) if stop.signal().is_some() => {
                    return Err(error.context(format!("topic {}", topic.name)));
                }
                // One damaged topic must not keep the person in the others; the report names it.
                Err(error) => {
                    outcome.fail(format!("topic {}", topic.name), &error);
                    LakeHits::default()
                }
            };
            outcome.add_files(&topic.name, &found);
            seen.push(SearchedTopic {
                topic,
                matcher,
                found,
            });
        }
    }
    if let Some(warehouse) = &scope.warehouse {
        for topic in &scope.table_topics {
            match warehouse.count_subjects(topic, subjects) {
                Ok(hits) => outcome.add_rows(topic, hits, 0),
                Err(error) => outcome.fail(format!("table `{}`", topic.table), &error),
            }
        }
    }
    Ok(seen)
}

/// Registers the subjects: from here on drains leave them out.
fn register(
    scope: &ErasureScope<'_>,
    subjects: &[Subject],
    suggested: &ErasureSecret,
    run_id: &str,
) -> Result<()> {
    let topics = scope.named_topics.as_deref();
    let entries = |secret: &ErasureSecret| list::entries(subjects, topics, secret, run_id);
    if let Some(lake) = &scope.lake {
        lake.register(run_id, suggested, &entries)
            .context("nothing was erased")?;
    }
    if let Some(warehouse) = &scope.warehouse {
        warehouse.register(suggested, &entries).context(
            Problem::new("nothing was erased yet, but drains into the lake leave the subjects out already")
                .fix("run again"),
        )?;
    }
    Ok(())
}

fn erase_lake(
    scope: &ErasureScope<'_>,
    seen: &[SearchedTopic<'_>],
    run_id: &str,
    wait: Duration,
    stop: &Stop,
    outcome: &mut ErasureOutcome,
) {
    let Some(lake) = &scope.lake else { return };
    for SearchedTopic {
        topic,
        matcher,
        found,
    } in seen
    {
        match stop.attempt(wait, |step| lake.erase(topic, matcher, found, run_id, step, stop)) {
            Ok(Locked::Ours(found)) => outcome.add_files(&topic.name, &found),
            Ok(Locked::HeldBy(holder)) => outcome.lock_out(format!("topic {}: {holder}", topic.name)),
            Err(error) => outcome.fail(format!("topic {}", topic.name), &error),
        }
    }
}

fn erase_warehouse(
    scope: &ErasureScope<'_>,
    subjects: &[Subject],
    wait: Duration,
    stop: &Stop,
    outcome: &mut ErasureOutcome,
) {
    let Some(warehouse) = &scope.warehouse else {
        return;
    };
    for topic in &scope.table_topics {
        let erased = stop.attempt(wait, |step| {
            warehouse.delete_subjects(topic, subjects, step, stop)
        });
        match erased {
            Ok(Locked::Ours(hits)) => outcome.add_rows(topic, hits, 0),
            Ok(Locked::HeldBy(holder)) => outcome.lock_out(holder),
            Err(error) => {
                // Rows that were deleted until then are reported, too.
                if let Some(ended) = error.downcast_ref::<ErasureEnded>() {
                    outcome.add_rows(topic, ended.hits.clone(), ended.unknown);
                }
                outcome.fail(format!("table `{}`", topic.table), &error);
            }
        }
    }
}

/// Reports what was found and done, and what a person still has to do.
fn settle(report: &mut Report, outcome: ErasureOutcome) -> Result<()> {
    for warning in outcome.warnings(report.dry_run) {
        report.warn_of(warning);
    }
    report.exit_code = exit::worst([report.exit_code, outcome.exit_code()]);
    let failures = outcome.failures();
    report.outcome(&outcome);
    if failures.is_empty() {
        Ok(())
    } else {
        Problem::new(format!("not everything could be erased: {}", failures.join("; ")))
            .fix("repair that and run the same again")
            .err()
    }
}
