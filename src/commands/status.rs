//! `lakectl status`: how every topic stands, as text, as JSON, or as a page.

use anyhow::{Context, Result};
use std::path::Path;

use crate::atomic_file::replace;
use crate::cli::{Common, StatusArgs};
use crate::config::Overrides;
use crate::problem::Problem;
use crate::report::Report;
use crate::status;
use crate::stop::Stop;

/// What stands for stdout.
const STDOUT: &str = "-";

pub(super) fn execute(common: &Common, args: &StatusArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let to_stdout = args.html.as_deref() == Some(Path::new(STDOUT));
    if to_stdout && common.json {
        return Problem::usage("--html - and --json both want stdout")
            .fix("name a file for the page")
            .err();
    }
    let settings = super::settings(
        common,
        &Overrides {
            brokers: args.kafka.brokers.clone(),
            group: args.group.clone(),
            kafka_options: args.kafka.options.clone(),
            lake_root: args.root.lake_root.clone(),
            url: args.database.url.clone(),
        },
        stop,
    )?;
    let status = status::ask(&settings, &args.topics)?;
    report.topics.told_as(&status.topics)?;
    report.outcome(&status.outcome());
    for warning in &status.warnings {
        report.warn_of(warning.clone());
        report.needs_attention();
    }
    report.text = if to_stdout {
        vec![status::page(&status).trim_end().to_owned()]
    } else {
        status::lines(&status, common.verbose, common.print_options().width())
    };
    match &args.html {
        Some(path) if !to_stdout && common.dry_run => {
            report
                .text
                .push(format!("would write the page {}", path.display()));
        }
        Some(path) if !to_stdout => write_page(path, &status::page(&status))?,
        _ => {}
    }
    if status.heard_anything() {
        Ok(())
    } else {
        Problem::new("neither lake, Kafka nor MySQL could be asked")
            .fix("the warnings say why")
            .err()
    }
}

fn write_page(path: &Path, page: &str) -> Result<()> {
    if path.file_name().is_none() {
        return Problem::usage(format!("--html {} names no file", path.display()))
            .fix("name a file")
            .err();
    }
    replace(path, page, None).with_context(|| format!("writing the page {}", path.display()))
}
