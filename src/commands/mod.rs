//! One file per command.

mod check;
mod files;
mod grant;
mod init_db;
mod lake;
mod pages;
mod purge;
mod schema;
mod status;
mod verify;
mod warehouse;

use anyhow::Result;

use crate::cli::{Cli, Command};
use crate::config::{self, Database, Overrides, Settings};
use crate::exit::usage;
use crate::report::Report;
use crate::stop::Stop;

/// Runs the command; what happened stands in the report, whatever happens.
pub fn execute(cli: &Cli, report: &mut Report, stop: &Stop) -> Result<()> {
    match &cli.command {
        Command::Lake(args) => lake::execute(&cli.common, args, report, stop),
        Command::Warehouse(args) => warehouse::execute(&cli.common, args, report, stop),
        Command::InitDb(args) => init_db::execute(&cli.common, args, report),
        Command::Purge(args) => purge::execute(&cli.common, args, report, stop),
        Command::Grant(args) => grant::execute(&cli.common, args, report),
        Command::Files(args) => files::execute(&cli.common, args, report),
        Command::Schema(args) => schema::execute(&cli.common, args, report, stop),
        Command::Check(args) => check::execute(&cli.common, args, report, stop),
        Command::Status(args) => status::execute(&cli.common, args, report),
        Command::Completions(args) => pages::completions(args, report),
        Command::Man(args) => pages::man(&cli.common, args, report),
    }
}

fn database(settings: &Settings) -> Result<&Database> {
    settings.database.as_ref().ok_or_else(|| {
        usage(
            "no warehouse is configured: set warehouse.url, LAKECTL_WAREHOUSE_URL or --url \
             (mysql://user@host:3306/database)",
        )
    })
}

fn settings(cli: &crate::cli::Common, overrides: &Overrides) -> Result<Settings> {
    config::load(cli.config.as_deref(), overrides, &|name| {
        std::env::var(name).ok().filter(|text| !text.is_empty())
    })
}
