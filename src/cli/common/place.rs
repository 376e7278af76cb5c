//! Which Kafka, which lake, which database.

use clap::{ArgAction, Args};
use std::path::PathBuf;

use crate::cli::heading::WHERE;

/// Which Kafka, and how to talk to it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = WHERE)]
pub struct KafkaArgs {
    /// Kafka bootstrap servers [env: LAKECTL_BROKERS]
    #[arg(long, value_name = "HOST:PORT,…")]
    pub brokers: Option<String>,
    /// Any librdkafka property; secrets are refused here, they belong in the configuration file
    #[arg(display_order = 101, short = 'X', value_name = "KEY=VALUE", action = ArgAction::Append)]
    pub options: Vec<String>,
}

/// Which lake.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = WHERE)]
pub struct RootArgs {
    /// Root folder of the lake [env: LAKECTL_LAKE_ROOT]
    #[arg(long, value_name = "DIR")]
    pub lake_root: Option<PathBuf>,
}

/// Which database. Its password never stands on a command line.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = WHERE)]
pub struct DatabaseArgs {
    /// mysql://user@host:port/database, without a password [env: LAKECTL_WAREHOUSE_URL]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}
