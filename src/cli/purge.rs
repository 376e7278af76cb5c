//! `lakectl purge`.

use clap::Args;
use std::path::PathBuf;

use super::heading::{HOW_MUCH, IN_THE_WAY, WHAT};
use super::place::{DatabaseArgs, RootArgs};
use crate::target::TargetKind;

#[derive(Debug, Clone, Args)]
pub struct PurgeArgs {
    /// Topics, by name or glob [default: every configured topic]
    #[arg(help_heading = WHAT, short, long, value_name = "A,B,'C_*'", value_delimiter = ',')]
    pub topics: Vec<String>,
    /// Purge only one of the two
    #[arg(help_heading = WHAT, long)]
    pub only: Option<TargetKind>,
    /// Write the plan to a file for review, and delete nothing
    #[arg(help_heading = WHAT, long, value_name = "FILE", conflicts_with = "plan")]
    pub plan_out: Option<PathBuf>,
    /// Execute exactly the plan in this file; refused where it would delete more by now
    #[arg(help_heading = WHAT, long, value_name = "FILE", conflicts_with_all = ["older_than", "topics"])]
    pub plan: Option<PathBuf>,
    /// Erase one key of a topic from the lake and the warehouse, for good
    #[arg(help_heading = WHAT, long, value_name = "TOPIC=KEY", conflicts_with_all = ["plan", "plan_out", "older_than"])]
    pub key: Vec<String>,
    /// Erase every record with this field, like USER_ID=USER-00042, from the lake and the warehouse, for good
    #[arg(help_heading = WHAT, long = "where", value_name = "FIELD=VALUE", conflicts_with_all = ["plan", "plan_out", "older_than"])]
    pub fields: Vec<String>,
    /// Show what was purged and erased so far, from the audit trail
    #[arg(help_heading = WHAT, long)]
    pub history: bool,
    /// Overrides the configured retention, like 7d, 2w, 6mo or 3y
    #[arg(help_heading = HOW_MUCH, long, value_name = "RETENTION")]
    pub older_than: Option<String>,
    /// Refuse to delete more than this part of any topic's records or any table's rows
    #[arg(help_heading = HOW_MUCH, long, value_name = "0..1", default_value_t = 0.5)]
    pub max_fraction: f64,
    /// Stop deleting rows after this time; the next purge continues
    #[arg(help_heading = HOW_MUCH, long, value_name = "DURATION")]
    pub max_duration: Option<String>,
    #[command(flatten)]
    pub root: RootArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Delete without asking
    #[arg(help_heading = IN_THE_WAY, short, long)]
    pub yes: bool,
    /// Delete also days and rows of a time before 2000, which a wrong unit of timestamps may have made
    #[arg(help_heading = IN_THE_WAY, long, conflicts_with_all = ["key", "fields", "history"])]
    pub yes_implausible: bool,
    /// Wait this long for another run's lock instead of skipping the topic
    #[arg(help_heading = IN_THE_WAY, long, value_name = "DURATION")]
    pub wait: Option<String>,
}
