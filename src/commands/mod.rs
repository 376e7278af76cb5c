//! One file per command.

mod check;
mod compact;
mod discover;
mod drain_options;
mod grant;
mod init_db;
mod lake;
mod pages;
mod purge;
mod reading;
mod status;
mod warehouse;

use anyhow::Result;
use std::time::Duration;

use crate::cli::{Cli, Command, RootArgs};
use crate::config::{self, Database, Overrides, Settings, units};
use crate::exit::usage;
use crate::metrics;
use crate::problem::Problem;
use crate::report::Report;
use crate::stop::Stop;
use crate::target::TargetKind;

/// Runs the command. The report holds what happened, even if the command fails.
pub fn execute(cli: &Cli, report: &mut Report, stop: &Stop) -> Result<()> {
    match &cli.command {
        Command::Lake(args) => lake::execute(&cli.common, args, report, stop),
        Command::Warehouse(args) => warehouse::execute(&cli.common, args, report, stop),
        Command::InitDb(args) => init_db::execute(&cli.common, args, report, stop),
        Command::Purge(args) => purge::execute(&cli.common, args, report, stop),
        Command::Compact(args) => compact::execute(&cli.common, args, report, stop),
        Command::Grant(args) => grant::execute(&cli.common, args, report, stop),
        Command::Files(args) => reading::files::execute(&cli.common, args, report, stop),
        Command::Schema(args) => reading::schema::execute(&cli.common, args, report, stop),
        Command::Check(args) => check::execute(&cli.common, args, report, stop),
        Command::Discover(args) => discover::execute(&cli.common, args, report, stop),
        Command::Status(args) => status::execute(&cli.common, args, report, stop),
        Command::Completions(args) => pages::completions(args, report),
        Command::Man(args) => pages::man(&cli.common, args, report),
    }
}

/// Writes the metrics of a finished run for Prometheus, if `--metrics-file` asks for them.
pub fn write_metrics(cli: &Cli, report: &mut Report) {
    if let (Some(path), Some((command, all_topics)), false) =
        (&cli.common.metrics_file, metered(&cli.command), report.dry_run)
    {
        metrics::write(path, command, all_topics, report);
    }
}

/// The name of a run's kind in the label `command`, and whether it is about all topics; None for what only looks.
fn metered(command: &Command) -> Option<(&'static str, bool)> {
    Some(match command {
        Command::Lake(args) => {
            let name = match &args.rebuild {
                _ if args.verify => "lake-verify",
                Some(_) => "lake-rebuild",
                None => "lake",
            };
            (name, args.drain.topics.is_empty())
        }
        Command::Warehouse(args) => {
            let name = if args.rebuild {
                "warehouse-rebuild"
            } else {
                "warehouse"
            };
            (name, args.drain.topics.is_empty())
        }
        Command::Compact(args) => ("compact", args.topics.is_empty()),
        Command::Purge(args) if args.history || args.plan_out.is_some() => return None,
        Command::Purge(args) if purge::is_erasure(args) => ("purge-erase", true),
        Command::Purge(args) => {
            let name = match args.only {
                None => "purge",
                Some(TargetKind::Lake) => "purge-lake",
                Some(TargetKind::Warehouse) => "purge-warehouse",
            };
            (name, args.topics.is_empty())
        }
        _ => return None,
    })
}

/// A variable that is set and says something.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// # Errors
/// A variable of ours that is not text: if it were ignored, it would let a run go somewhere else. Exit code 2.
pub fn check_environment() -> Result<()> {
    let unreadable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name
            .into_string()
            .ok()
            .filter(|name| name.starts_with("LAKECTL_"))?;
        value.to_str().is_none().then_some(name)
    };
    match std::env::vars_os().find_map(unreadable) {
        None => Ok(()),
        Some(name) => Problem::usage(format!("{name} is not UTF-8"))
            .fix("a path like that can be given by its option, or by a link with another name")
            .err(),
    }
}

/// How long an option says, like 90s or 5m.
fn duration(option: &str, text: Option<&str>) -> Result<Option<Duration>> {
    let duration = text.map(units::duration).transpose();
    duration.map_err(|error| usage(format!("{option}: {error}")))
}

fn database(settings: &Settings) -> Result<&Database> {
    Database::configured(settings.database.as_ref())
}

/// The settings of a command that needs the lake alone.
fn settings_of_lake(cli: &crate::cli::Common, root: &RootArgs, stop: &Stop) -> Result<Settings> {
    let overrides = Overrides {
        lake_root: root.lake_root.clone(),
        ..Overrides::default()
    };
    settings(cli, &overrides, stop)
}

fn settings(cli: &crate::cli::Common, overrides: &Overrides, stop: &Stop) -> Result<Settings> {
    let mut settings = config::load(cli.config.as_deref(), overrides, &environment)?;
    settings.database = settings.database.map(|database| database.stopped_by(stop));
    settings.registry = settings.registry.map(|registry| registry.stopped_by(stop));
    settings.ksqldb = settings.ksqldb.map(|ksqldb| ksqldb.stopped_by(stop));
    Ok(settings)
}
