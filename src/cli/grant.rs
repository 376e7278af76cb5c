//! `lakectl grant`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

use super::heading::{WHAT, WHERE};
use crate::target::TargetKind;

#[derive(Debug, Clone, Args)]
pub struct GrantArgs {
    #[command(subcommand)]
    pub action: GrantAction,
    /// mysql://user@host:port/database, without a password [env: LAKECTL_WAREHOUSE_URL]
    #[arg(help_heading = WHERE, long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// Root folder of the lake [env: LAKECTL_LAKE_ROOT]
    #[arg(help_heading = WHERE, long, global = true, value_name = "DIR")]
    pub lake_root: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PermissionArg {
    Read,
    Write,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Access {
    Read,
    Write,
}

#[derive(Debug, Clone, Subcommand)]
pub enum GrantAction {
    /// Give a user a permission on a folder and all below it
    Set {
        user: String,
        path: String,
        permission: PermissionArg,
    },
    /// List the permissions
    List {
        /// Only this user's
        #[arg(help_heading = WHAT, long)]
        user: Option<String>,
        /// Only those on this path and below it
        #[arg(help_heading = WHAT, long)]
        path: Option<String>,
    },
    /// Take a permission back; where there is none, nothing happens and the exit code is 0
    Revoke { user: String, path: String },
    /// Say whether a user may read or write a path, and which row decides
    Check {
        user: String,
        path: String,
        access: Access,
    },
    /// Make the permissions real: ACLs on the lake's folders, SELECT on the tables of tables/TOPIC
    #[command(
        after_help = "Exit code 3 where something could not be done: a user that the system or MySQL does not know, a missing right."
    )]
    Apply {
        /// Apply to only one of the two
        #[arg(help_heading = WHAT, long)]
        only: Option<TargetKind>,
    },
}
