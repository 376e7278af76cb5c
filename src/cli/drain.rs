//! `lakectl lake` and `lakectl warehouse`.

use clap::Args;

use super::heading::{HOW_MUCH, IN_THE_WAY, WHAT, WHERE};
use super::place::{DatabaseArgs, KafkaArgs, RootArgs};
use crate::config::Kind;

/// What lake and warehouse share: which topics, from which broker, how far.
#[derive(Debug, Clone, Default, Args)]
pub struct DrainArgs {
    /// Topics: a name takes any topic; a glob the configured ones (Kafka's own too with --kind)
    /// [default: every configured topic that the command serves]
    #[arg(help_heading = WHAT, short, long, value_name = "A,B,'C_*'", value_delimiter = ',')]
    pub topics: Vec<String>,
    /// What a topic without a configuration entry is
    #[arg(help_heading = WHAT, long, value_name = "KIND")]
    pub kind: Option<Kind>,
    /// Take at most this many records, in the whole run
    #[arg(help_heading = HOW_MUCH, long, value_name = "N")]
    pub max_messages: Option<u64>,
    /// Stop reading after this time and commit what was read, like 90s or 5m
    #[arg(help_heading = HOW_MUCH, long, value_name = "DURATION")]
    pub max_duration: Option<String>,
    /// Where to begin a topic that the target has no progress on: a time, earliest or latest
    #[arg(help_heading = HOW_MUCH, long, value_name = "TIME")]
    pub from: Option<String>,
    /// Stop each Kafka partition at its first record at or past this time
    #[arg(help_heading = HOW_MUCH, long, value_name = "TIME")]
    pub until: Option<String>,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Names the mirror of the progress in Kafka [env: LAKECTL_GROUP]
    #[arg(help_heading = WHERE, display_order = 100, long, value_name = "NAME")]
    pub group: Option<String>,
    /// Wait this long for another run's lock instead of skipping the topic
    #[arg(help_heading = IN_THE_WAY, long, value_name = "DURATION")]
    pub wait: Option<String>,
    /// Continue although Kafka has deleted records that were never read; the gap is recorded (exit code 3)
    #[arg(help_heading = IN_THE_WAY, long)]
    pub accept_gap: bool,
    /// Continue although a topic was deleted and created again, or Kafka lost the end of its log (exit code 3)
    #[arg(help_heading = IN_THE_WAY, long)]
    pub accept_recreated: bool,
}

#[derive(Debug, Clone, Args)]
pub struct LakeArgs {
    #[command(flatten)]
    pub drain: DrainArgs,
    /// Read again from Kafka and replace: these days of stream topics, or, without days, whole tables
    #[arg(help_heading = WHAT, long, value_name = "FROM..TO", num_args = 0..=1, require_equals = false)]
    pub rebuild: Option<Option<String>>,
    /// Check every file of the lake against the ledger, and the last records against Kafka's, and take nothing in (exit code 3 on any
    /// difference)
    #[arg(help_heading = WHAT, long, conflicts_with_all = ["rebuild", "new_lake", "kind", "group", "max_messages", "max_duration",
        "from", "until", "accept_gap", "accept_recreated"])]
    pub verify: bool,
    /// Begin a lake in an empty root although Kafka's group has committed offsets
    #[arg(help_heading = IN_THE_WAY, long)]
    pub new_lake: bool,
    #[command(flatten)]
    pub root: RootArgs,
}

#[derive(Debug, Clone, Args)]
pub struct WarehouseArgs {
    #[command(flatten)]
    pub drain: DrainArgs,
    /// Fold the table topics again from their start and remove rows whose keys are gone
    #[arg(help_heading = WHAT, long)]
    pub rebuild: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
}
