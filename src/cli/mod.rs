//! The command line: arguments only, no logic, and the errors for wrong ones.

mod check;
mod common;
mod compact;
mod discover;
mod drain;
mod grant;
mod init_db;
mod pages;
mod purge;
mod reading;
mod status;
pub mod usage;

use clap::{Parser, Subcommand};

use crate::{exit, version};
pub use check::CheckArgs;
pub use common::Common;
pub use common::heading;
use common::place;
pub use compact::CompactArgs;
pub use discover::DiscoverArgs;
pub use drain::{DrainArgs, LakeArgs, WarehouseArgs};
pub use grant::{Access, GrantAction, GrantArgs, PermissionArg};
pub use init_db::InitDbArgs;
pub use pages::{CompletionsArgs, ManArgs};
pub use place::{DatabaseArgs, KafkaArgs, RootArgs};
pub use purge::PurgeArgs;
pub use reading::{FilesArgs, SchemaArgs};
pub use status::StatusArgs;

/// Takes Kafka and ksqlDB topics into a data lake and a MySQL warehouse.
///
/// Every command reads what is there up to the end it saw when it began, commits exactly once,
/// says what it did, and exits. Cron or the shell does the scheduling.
#[derive(Debug, Parser)]
#[command(name = "lakectl", version = version::TEXT.as_str(), propagate_version = true, disable_help_flag = true,
    disable_version_flag = true, after_help = exit::HELP, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Drain topics into the data lake, then exit
    #[command(after_help = exit::HELP)]
    Lake(LakeArgs),
    /// Drain table topics into MySQL, then exit
    #[command(after_help = exit::HELP)]
    Warehouse(WarehouseArgs),
    /// Delete what is older than its retention, in the lake and in the warehouse
    #[command(after_help = exit::HELP)]
    Purge(PurgeArgs),
    /// Make few files of the many small ones of each closed day of a stream, with the same records
    #[command(after_help = exit::COMPACT_HELP)]
    Compact(CompactArgs),
    /// Create or bring up to date the warehouse schema
    #[command(after_help = exit::HELP)]
    InitDb(InitDbArgs),
    /// Set, list, revoke, check folder permissions (user_permissions)
    #[command(after_help = exit::GRANT_HELP)]
    Grant(GrantArgs),
    /// Print what DuckDB, Polars, Spark, Trino or Hive need to read a topic: columns, types and places
    #[command(after_help = exit::HELP)]
    Schema(SchemaArgs),
    /// List the data files of a topic, or those that have changed since a commit
    #[command(after_help = exit::HELP)]
    Files(FilesArgs),
    /// Look at everything that a run needs, before cron does: configuration, Kafka, MySQL, the lake; changes nothing
    #[command(after_help = exit::CHECK_HELP)]
    Check(CheckArgs),
    /// Propose configuration for topics that have none, from what ksqlDB, the schema registry and Kafka know of them
    #[command(after_help = exit::DISCOVER_HELP)]
    Discover(DiscoverArgs),
    /// Show how every topic stands: progress, lag, last commit, files, rows, rejects; as text, JSON or a page
    #[command(after_help = exit::STATUS_HELP)]
    Status(StatusArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print a man page, or write all of them into a folder
    Man(ManArgs),
}

impl Command {
    pub fn name(&self) -> &'static str {
        match self {
            Command::Lake(_) => "lake",
            Command::Warehouse(_) => "warehouse",
            Command::Purge(_) => "purge",
            Command::Compact(_) => "compact",
            Command::InitDb(_) => "init-db",
            Command::Grant(_) => "grant",
            Command::Schema(_) => "schema",
            Command::Files(_) => "files",
            Command::Check(_) => "check",
            Command::Discover(_) => "discover",
            Command::Status(_) => "status",
            Command::Completions(_) => "completions",
            Command::Man(_) => "man",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::collections::{BTreeMap, BTreeSet};

    /// Every command and those below it, by what is typed.
    fn commands(name: &str, command: &clap::Command) -> Vec<(String, clap::Command)> {
        let mut found = vec![(name.to_owned(), command.clone())];
        for below in command
            .get_subcommands()
            .filter(|below| below.get_name() != "help")
        {
            found.extend(commands(&format!("{name} {}", below.get_name()), below));
        }
        found
    }

    #[test]
    fn every_option_stands_under_a_heading_and_always_the_same() {
        let mut program = Cli::command();
        program.build();
        let mut where_it_stands: BTreeMap<String, String> = BTreeMap::new();
        for (name, command) in commands("lakectl", &program) {
            for option in command.get_arguments().filter(|option| !option.is_positional()) {
                let long = option.get_long().unwrap_or(option.get_id().as_str()).to_owned();
                let heading = option.get_help_heading();
                let heading = heading.unwrap_or_else(|| panic!("{name}: --{long} stands under no heading"));
                assert!(
                    heading::ALL.contains(&heading),
                    "{name}: --{long} stands under {heading:?}"
                );
                let before = where_it_stands
                    .entry(long.clone())
                    .or_insert_with(|| heading.to_owned());
                assert_eq!(before, heading, "{name}: --{long}");
            }
        }
        let used: BTreeSet<&str> = where_it_stands.values().map(String::as_str).collect();
        assert_eq!(used, heading::ALL.into());
        assert!(where_it_stands.contains_key("help") && where_it_stands.contains_key("version"));
    }

    #[test]
    fn the_headings_follow_each_other_in_one_order() {
        let mut program = Cli::command();
        program.build();
        for (name, mut command) in commands("lakectl", &program) {
            for help in [command.render_help(), command.render_long_help()] {
                let help = help.to_string();
                let told = help.lines().filter_map(|line| line.strip_suffix(':'));
                let told: Vec<&str> = told.filter(|line| heading::ALL.contains(line)).collect();
                let has = |heading: &&str| told.contains(heading);
                let expected: Vec<&str> = heading::ALL.into_iter().filter(has).collect();
                assert_eq!(told, expected, "{name}: {help}");
                assert!(told.last() == Some(&heading::EVERYWHERE), "{name}: {help}");
                assert!(!help.contains("\nOptions:"), "{name}: {help}");
            }
        }
    }
}
