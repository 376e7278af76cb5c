//! `lakectl purge`: what is older than its retention, or one person's records, out of lake and warehouse.

use anyhow::Result;

use crate::audit::CommandLine;
use crate::cli::{Common, PurgeArgs};
use crate::config::{Overrides, units};
use crate::erase::{self, ErasureRequest};
use crate::exit::usage;
use crate::purge::{self, PurgeRequest};
use crate::report::Report;
use crate::stop::Stop;
use crate::subjects::subject::Subject;

pub(super) fn execute(common: &Common, args: &PurgeArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    if !(0.0..=1.0).contains(&args.max_fraction) {
        return Err(usage("--max-fraction must lie between 0 and 1"));
    }
    let overrides = Overrides {
        lake_root: args.root.lake_root.clone(),
        url: args.database.url.clone(),
        ..Overrides::default()
    };
    let settings = super::settings(common, &overrides, stop)?;
    if args.history {
        purge::show_history(args.only, &settings, report)
    } else if is_erasure(args) {
        erase::execute(&erasure(args)?, &settings, report, stop)
    } else {
        purge::execute(
            &by_retention(args)?,
            common.print_options(),
            &settings,
            report,
            stop,
        )
    }
}

/// Whether it is about persons, not about retention.
pub(super) fn is_erasure(args: &PurgeArgs) -> bool {
    !args.key.is_empty() || !args.fields.is_empty()
}

fn by_retention(args: &PurgeArgs) -> Result<PurgeRequest> {
    let older_than = match args.older_than.as_deref().map(units::retention) {
        None => None,
        Some(Ok(Some(keep))) => Some(keep),
        Some(Ok(None)) => return Err(usage("--older-than none would purge nothing")),
        Some(Err(error)) => return Err(usage(format!("--older-than: {error}"))),
    };
    Ok(PurgeRequest {
        topics: args.topics.clone(),
        only: args.only,
        older_than,
        plan: args.plan.clone(),
        plan_out: args.plan_out.clone(),
        max_fraction: args.max_fraction,
        max_duration: super::duration("--max-duration", args.max_duration.as_deref())?,
        wait: super::duration("--wait", args.wait.as_deref())?.unwrap_or_default(),
        yes: args.yes,
        yes_implausible: args.yes_implausible,
    })
}

fn erasure(args: &PurgeArgs) -> Result<ErasureRequest> {
    Ok(ErasureRequest {
        subjects: subjects(args)?,
        topics: args.topics.clone(),
        only: args.only,
        wait: super::duration("--wait", args.wait.as_deref())?.unwrap_or_default(),
        yes: args.yes,
        arguments: without_subjects(args),
    })
}

/// Everyone that the command line names, each once.
fn subjects(args: &PurgeArgs) -> Result<Vec<Subject>> {
    let keys = args.key.iter().map(|text| Subject::key(text));
    let fields = args.fields.iter().map(|text| Subject::field(text));
    let mut subjects: Vec<Subject> = Vec::new();
    for subject in keys.chain(fields) {
        let subject = subject?;
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    Ok(subjects)
}

/// A subject never goes into the audit trail: not even as it stood on the command line.
fn without_subjects(args: &PurgeArgs) -> CommandLine {
    let mut arguments = CommandLine::of_process().hide_options(&["--key", "--where"]);
    for text in args.key.iter().chain(&args.fields) {
        arguments = arguments.hide_text(text);
        if let Some((_, value)) = text.split_once('=') {
            arguments = arguments.hide_text(value);
        }
    }
    arguments
}
