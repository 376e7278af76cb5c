//! `lakectl compact`.

use clap::Args;

use super::heading::{HOW_MUCH, IN_THE_WAY, WHAT};
use super::place::RootArgs;
use crate::config::Format;

#[derive(Debug, Clone, Args)]
pub struct CompactArgs {
    /// Topics, by name or glob [default: every stream of the lake]
    #[arg(help_heading = WHAT, short, long, value_name = "A,B,'C_*'", value_delimiter = ',')]
    pub topics: Vec<String>,
    /// Rewrite also days with files of another format, or of older column types
    #[arg(help_heading = WHAT, long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Only days that ended, and got their newest records, at least this long ago, like 12h, 1d or 2w
    #[arg(help_heading = HOW_MUCH, long, value_name = "AGE", default_value = "1d")]
    pub older_than: String,
    /// Begin no further day after this time; the next run continues
    #[arg(help_heading = HOW_MUCH, long, value_name = "DURATION")]
    pub max_duration: Option<String>,
    #[command(flatten)]
    pub root: RootArgs,
    /// Wait this long for another run's lock instead of skipping the topic
    #[arg(help_heading = IN_THE_WAY, long, value_name = "DURATION")]
    pub wait: Option<String>,
}
