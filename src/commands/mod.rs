//! One file per command.

mod lake;

use anyhow::Result;

use crate::cli::{Cli, Command};
use crate::config::{self, Overrides, Settings};
use crate::report::Report;
use crate::stop::Stop;

/// Runs the command; what happened stands in the report, whatever happens.
pub fn execute(cli: &Cli, report: &mut Report, stop: &Stop) -> Result<()> {
    match &cli.command {
        Command::Lake(args) => lake::execute(&cli.common, args, report, stop),
        _ => Ok(()),
    }
}

fn settings(cli: &crate::cli::Common, overrides: &Overrides) -> Result<Settings> {
    config::load(cli.config.as_deref(), overrides, &|name| {
        std::env::var(name).ok().filter(|text| !text.is_empty())
    })
}
