//! `lakectl status`.

use clap::Args;
use std::path::PathBuf;

use super::heading::{OUTPUT, WHAT, WHERE};
use super::place::{DatabaseArgs, KafkaArgs, RootArgs};

#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Topics, by name or glob [default: every topic that configuration, lake or warehouse knows]
    #[arg(help_heading = WHAT, short, long, value_name = "A,B,'C_*'", value_delimiter = ',')]
    pub topics: Vec<String>,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Names the mirror of the progress in Kafka [env: LAKECTL_GROUP]
    #[arg(help_heading = WHERE, display_order = 100, long, value_name = "NAME")]
    pub group: Option<String>,
    #[command(flatten)]
    pub root: RootArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Write a page to look at, in one file without anything around it; `-` is stdout
    #[arg(help_heading = OUTPUT, long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
