//! `lakectl check`.

use clap::Args;

use super::heading::{HOW_MUCH, WHAT};
use super::place::{DatabaseArgs, KafkaArgs, RootArgs};
use crate::config::Kind;
use crate::target::TargetKind;

#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Topics: a name takes any topic, a glob the configured ones [default: every configured topic]
    #[arg(help_heading = WHAT, short, long, value_name = "A,B,'C_*'", value_delimiter = ',')]
    pub topics: Vec<String>,
    /// Look at only one of the two
    #[arg(help_heading = WHAT, long)]
    pub only: Option<TargetKind>,
    /// What a topic without a configuration entry is
    #[arg(help_heading = WHAT, long, value_name = "KIND")]
    pub kind: Option<Kind>,
    /// Read about this many of the last records of each topic, and try keys, values and columns on them; 0 reads none
    #[arg(help_heading = HOW_MUCH, long, value_name = "N", default_value_t = 100)]
    pub sample: u64,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub root: RootArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
}
