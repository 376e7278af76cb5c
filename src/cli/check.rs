//! `lakectl check`.

use clap::{Args, ValueEnum};

use super::drain::KindArg;
use super::heading::{HOW_MUCH, WHAT};
use super::place::{DatabaseArgs, KafkaArgs, RootArgs};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckOnly {
    Lake,
    Warehouse,
}

#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Topics: a name takes any topic, a glob the configured ones [default: every configured topic]
    #[arg(help_heading = WHAT, short, long, value_name = "A,B,'C_*'", value_delimiter = ',')]
    pub topics: Vec<String>,
    /// Look at only one of the two
    #[arg(help_heading = WHAT, long)]
    pub only: Option<CheckOnly>,
    /// What a topic without a configuration entry is
    #[arg(help_heading = WHAT, long, value_name = "KIND")]
    pub kind: Option<KindArg>,
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
