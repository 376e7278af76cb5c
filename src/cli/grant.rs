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
        /// A user of this system, or a MySQL account
        user: String,
        /// Relative to the lake's root, like streams/TOPIC or tables/TOPIC/year=2026
        path: String,
        /// What the user may do there; write includes read, and none takes away what a folder above gives
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
    Revoke {
        /// The user that it was given to
        user: String,
        /// The path that it was given on
        path: String,
    },
    /// Say whether a user may read or write a path, and which row decides
    Check {
        /// The user to ask about
        user: String,
        /// Relative to the lake's root; it need not exist
        path: String,
        /// What the user wants to do
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
