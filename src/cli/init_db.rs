//! `lakectl init-db`.

use clap::Args;

use super::heading::{IN_THE_WAY, WHAT};
use super::place::{DatabaseArgs, KafkaArgs};

#[derive(Debug, Clone, Args)]
pub struct InitDbArgs {
    /// Propose the table of a topic, or the columns that it lacks, and make them after a question
    #[arg(help_heading = WHAT, long = "for", value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Print the SQL and execute nothing
    #[arg(help_heading = WHAT, long, conflicts_with = "check")]
    pub print: bool,
    /// Compare the live schema; exit code 3 on drift
    #[arg(help_heading = WHAT, long)]
    pub check: bool,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// With --for: make the table without asking
    #[arg(help_heading = IN_THE_WAY, short, long, requires = "topic", conflicts_with_all = ["print", "check"])]
    pub yes: bool,
}
