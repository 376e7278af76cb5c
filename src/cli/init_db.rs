//! `lakectl init-db`.

use clap::Args;

use super::heading::WHAT;
use super::place::DatabaseArgs;

#[derive(Debug, Clone, Args)]
pub struct InitDbArgs {
    /// Print the SQL and execute nothing
    #[arg(help_heading = WHAT, long, conflicts_with = "check")]
    pub print: bool,
    /// Compare the live schema; exit code 3 on drift
    #[arg(help_heading = WHAT, long)]
    pub check: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
}
