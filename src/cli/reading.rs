//! What readers of the lake ask: `lakectl schema` and `lakectl files`.

use clap::Args;

use super::heading::{HOW_MUCH, OUTPUT, WHAT};
use super::place::RootArgs;
use crate::readers::Reader;

#[derive(Debug, Clone, Args)]
pub struct SchemaArgs {
    /// A topic of the lake
    pub topic: String,
    /// The program that is to read it
    #[arg(help_heading = WHAT, long = "for", value_name = "READER")]
    pub reader: Reader,
    /// Look at every record, however long it takes [default: up to 1 GiB of lines, the newest and others evenly spread]
    #[arg(help_heading = HOW_MUCH, long)]
    pub all: bool,
    #[command(flatten)]
    pub root: RootArgs,
}

#[derive(Debug, Clone, Args)]
pub struct FilesArgs {
    /// A topic of the lake
    pub topic: String,
    /// Only what has changed since this commit of the topic, like c1742: `+ path` is new, `~ path` replaced under the same
    /// name, `- path` gone [c0 or `none`: all files are new]
    #[arg(help_heading = WHAT, long, value_name = "COMMIT")]
    pub since: Option<String>,
    /// Also say which files `lakectl compact` has put into others: `* path` is a new file with the records of the ones that follow
    /// it as `- path`
    #[arg(help_heading = WHAT, long, requires = "since")]
    pub compacted: bool,
    #[command(flatten)]
    pub root: RootArgs,
    /// End the changes with a line `= COMMIT`: the commit to continue from once they are loaded
    #[arg(help_heading = OUTPUT, long, requires = "since")]
    pub last_run: bool,
    /// Paths relative to the lake's root [default: absolute]
    #[arg(help_heading = OUTPUT, long)]
    pub relative: bool,
    /// End each path with a NUL byte instead of a line feed, as xargs -0 wants it
    #[arg(help_heading = OUTPUT, short = '0', long)]
    pub null: bool,
}
