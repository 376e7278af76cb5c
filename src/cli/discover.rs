//! `lakectl discover`.

use clap::Args;

use super::heading::{OUTPUT, WHAT};
use super::place::KafkaArgs;

#[derive(Debug, Clone, Args)]
pub struct DiscoverArgs {
    /// Topics of Kafka, by name or glob [default: every topic, but no internal ones]
    #[arg(help_heading = WHAT, short, long, value_name = "A,B,'C_*'", value_delimiter = ',')]
    pub topics: Vec<String>,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Append the entries to the configuration file [default: they are printed]
    #[arg(help_heading = OUTPUT, long)]
    pub write: bool,
}
