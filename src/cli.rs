//! The command line: arguments only, no logic.

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

use crate::{exit, version};

/// Takes Kafka and ksqlDB topics into a data lake and a MySQL warehouse.
///
/// Every command reads what is there up to the end it saw when it began, commits exactly once,
/// says what it did, and exits. Cron or the shell does the scheduling.
#[derive(Debug, Parser)]
#[command(name = "lakectl", version = version::TEXT.as_str(), propagate_version = true, after_help = exit::HELP, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    /// Configuration file [default: $LAKECTL_CONFIG, ./lakectl.toml, /etc/lakectl/lakectl.toml]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the run report as one JSON object on stdout, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Say exactly what would be done, and touch nothing
    #[arg(short = 'n', long, global = true)]
    pub dry_run: bool,
    /// text: errors and warnings, with the time where stderr is no terminal; time: every line with its time;
    /// json: every line one JSON object [default: text] [env: LAKECTL_LOG_FORMAT]
    #[arg(long, global = true, value_name = "FORMAT", hide_possible_values = true)]
    pub log_format: Option<LogFormat>,
    /// Write what a run of lake, warehouse or purge did for Prometheus' textfile collector, like
    /// /var/lib/prometheus/node-exporter/lakectl.prom [env: LAKECTL_METRICS_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Time,
    Json,
}

impl Common {
    /// What was not said on the command line and stands in the environment, so that a crontab says it once.
    ///
    /// # Errors
    /// A format that there isn't: exit code 2.
    pub fn take_from(&mut self, environment: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<()> {
        if self.metrics_file.is_none() {
            self.metrics_file = environment("LAKECTL_METRICS_FILE").map(PathBuf::from);
        }
        if let (None, Some(text)) = (self.log_format, environment("LAKECTL_LOG_FORMAT")) {
            let format = LogFormat::from_str(&text, true).map_err(|_| {
                exit::usage(format!(
                    "LAKECTL_LOG_FORMAT: {text:?} is none of text, time, json"
                ))
            })?;
            self.log_format = Some(format);
        }
        Ok(())
    }
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
    /// Create or bring up to date the warehouse schema
    #[command(after_help = exit::HELP)]
    InitDb(InitDbArgs),
    /// Set, list, revoke, check folder permissions (user_permissions)
    #[command(after_help = exit::GRANT_HELP)]
    Grant(GrantArgs),
    /// Print what DuckDB, Polars, Spark, Trino or Hive need to read a topic: columns, types and places
    #[command(after_help = exit::HELP)]
    Schema(SchemaArgs),
    /// List the data files of a topic, or what has changed of them since a run
    #[command(after_help = exit::HELP)]
    Files(FilesArgs),
    /// Look at everything that a run needs, before cron does: configuration, Kafka, MySQL, the lake; changes nothing
    #[command(after_help = exit::CHECK_HELP)]
    Check(CheckArgs),
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
            Command::InitDb(_) => "init-db",
            Command::Grant(_) => "grant",
            Command::Schema(_) => "schema",
            Command::Files(_) => "files",
            Command::Check(_) => "check",
            Command::Status(_) => "status",
            Command::Completions(_) => "completions",
            Command::Man(_) => "man",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    Stream,
    Table,
}

/// What lake and warehouse share: which topics, from which broker, how far.
#[derive(Debug, Clone, Default, Args)]
pub struct DrainArgs {
    /// Topics: a name takes any topic; a glob the configured ones (Kafka's own too with --kind)
    /// [default: every configured topic that the command serves]
    #[arg(short, long, value_name = "A,B,'C_*'", value_delimiter = ',')]
    pub topics: Vec<String>,
    /// What a topic without a configuration entry is
    #[arg(long, value_name = "KIND")]
    pub kind: Option<KindArg>,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Names the mirror of the progress in Kafka [env: LAKECTL_GROUP]
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// Take at most this many records, in the whole run
    #[arg(long, value_name = "N")]
    pub max_messages: Option<u64>,
    /// Stop reading after this time and commit what was read, like 90s or 5m
    #[arg(long, value_name = "DURATION")]
    pub max_duration: Option<String>,
    /// Wait this long for another run's lock instead of skipping the topic
    #[arg(long, value_name = "DURATION")]
    pub wait: Option<String>,
    /// Where to begin a topic that the target has no progress on: a time, earliest or latest
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Stop each Kafka partition at its first record at or past this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Go on where Kafka has deleted records that were never read; the gap is recorded (exit code 3)
    #[arg(long)]
    pub accept_gap: bool,
    /// Go on where a topic was deleted and made anew (exit code 3)
    #[arg(long)]
    pub accept_recreated: bool,
}

/// Which Kafka, and how to talk to it.
#[derive(Debug, Clone, Default, Args)]
pub struct KafkaArgs {
    /// Kafka bootstrap servers [env: LAKECTL_BROKERS]
    #[arg(long, value_name = "HOST:PORT,…")]
    pub brokers: Option<String>,
    /// Any librdkafka property; secrets are refused here, they belong in the configuration file
    #[arg(short = 'X', value_name = "KEY=VALUE", action = ArgAction::Append)]
    pub options: Vec<String>,
}

/// Which lake.
#[derive(Debug, Clone, Default, Args)]
pub struct RootArgs {
    /// Root folder of the lake [env: LAKECTL_LAKE_ROOT]
    #[arg(long, value_name = "DIR")]
    pub lake_root: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct LakeArgs {
    #[command(flatten)]
    pub drain: DrainArgs,
    /// Read again from Kafka and replace: these days of stream topics, or, without days, whole tables
    #[arg(long, value_name = "FROM..TO", num_args = 0..=1, require_equals = false)]
    pub rebuild: Option<Option<String>>,
    /// Check every file of the lake against the ledger, and read nothing from Kafka (exit code 3 on any difference)
    #[arg(long, conflicts_with_all = ["rebuild", "new_lake", "kind", "brokers", "group", "options", "max_messages",
        "max_duration", "from", "until", "accept_gap", "accept_recreated"])]
    pub verify: bool,
    /// Begin a lake in an empty root although Kafka's group has committed offsets
    #[arg(long)]
    pub new_lake: bool,
    #[command(flatten)]
    pub root: RootArgs,
}

#[derive(Debug, Clone, Args)]
pub struct WarehouseArgs {
    #[command(flatten)]
    pub drain: DrainArgs,
    /// Fold the table topics again from their start and remove rows whose keys are gone
    #[arg(long)]
    pub rebuild: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Which database. Its password never stands on a command line.
#[derive(Debug, Clone, Default, Args)]
pub struct DatabaseArgs {
    /// mysql://user@host:port/database, without a password [env: LAKECTL_WAREHOUSE_URL]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct InitDbArgs {
    /// Print the SQL and execute nothing
    #[arg(long, conflicts_with = "check")]
    pub print: bool,
    /// Compare the live schema; exit code 3 on drift
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PurgeOnly {
    Lake,
    Warehouse,
}

#[derive(Debug, Clone, Args)]
pub struct PurgeArgs {
    /// Purge only one of the two
    #[arg(long)]
    pub only: Option<PurgeOnly>,
    /// Topics, by name or glob [default: every configured topic]
    #[arg(short, long, value_name = "A,B,'C_*'", value_delimiter = ',')]
    pub topics: Vec<String>,
    /// Overrides the configured retention, like 7d, 2w, 6mo or 3y
    #[arg(long, value_name = "RETENTION")]
    pub older_than: Option<String>,
    /// Delete without asking
    #[arg(short, long)]
    pub yes: bool,
    /// Refuse to delete more than this part of any topic's records or any table's rows
    #[arg(long, value_name = "0..1", default_value_t = 0.5)]
    pub max_fraction: f64,
    /// Write the plan to a file for review, and delete nothing
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub plan_out: Option<PathBuf>,
    /// Execute exactly the plan in this file; refused where it would delete more by now
    #[arg(long, value_name = "FILE", conflicts_with_all = ["older_than", "topics"])]
    pub plan: Option<PathBuf>,
    /// Stop deleting rows after this time; the next purge goes on
    #[arg(long, value_name = "DURATION")]
    pub max_duration: Option<String>,
    /// Wait this long for another run's lock instead of skipping the topic
    #[arg(long, value_name = "DURATION")]
    pub wait: Option<String>,
    /// Show what was purged and erased so far, from the audit trail
    #[arg(long)]
    pub history: bool,
    /// Erase one key of a topic from the lake and the warehouse, for good
    #[arg(long, value_name = "TOPIC=KEY", conflicts_with_all = ["plan", "plan_out", "older_than"])]
    pub key: Vec<String>,
    /// Erase every record with this field, like USER_ID=USER-00042, from the lake and the warehouse, for good
    #[arg(long = "where", value_name = "FIELD=VALUE", conflicts_with_all = ["plan", "plan_out", "older_than"])]
    pub fields: Vec<String>,
    #[command(flatten)]
    pub root: RootArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// A program that reads the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reader {
    Duckdb,
    Polars,
    Spark,
    Trino,
    Hive,
}

#[derive(Debug, Clone, Args)]
pub struct SchemaArgs {
    /// A topic of the lake
    pub topic: String,
    /// The program that shall read it
    #[arg(long = "for", value_name = "READER")]
    pub reader: Reader,
    /// Look at every record, however long it takes [default: up to 1 GiB of lines, the newest and others evenly spread]
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub root: RootArgs,
}

#[derive(Debug, Clone, Args)]
pub struct FilesArgs {
    /// A topic of the lake
    pub topic: String,
    /// Only what has changed since this commit of the topic, like c1742: `+ path` is new, `~ path` replaced under the same
    /// name, `- path` gone [c0: all files are new]
    #[arg(long, value_name = "COMMIT")]
    pub since: Option<String>,
    /// End the changes with a line `= COMMIT`: where to go on from once they are loaded
    #[arg(long, requires = "since")]
    pub last_run: bool,
    /// Paths relative to the lake's root [default: absolute]
    #[arg(long)]
    pub relative: bool,
    /// End each path with a NUL byte instead of a line feed, as xargs -0 wants it
    #[arg(short = '0', long)]
    pub null: bool,
    #[command(flatten)]
    pub root: RootArgs,
}

#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Topics, by name or glob [default: every topic that configuration, lake or warehouse knows]
    #[arg(short, long, value_name = "A,B,'C_*'", value_delimiter = ',')]
    pub topics: Vec<String>,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Names the mirror of the progress in Kafka [env: LAKECTL_GROUP]
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// Write a page to look at, in one file without anything around it; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub root: RootArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

#[derive(Debug, Clone, Args)]
pub struct GrantArgs {
    #[command(subcommand)]
    pub action: GrantAction,
    /// mysql://user@host:port/database, without a password [env: LAKECTL_WAREHOUSE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// Root folder of the lake [env: LAKECTL_LAKE_ROOT]
    #[arg(long, global = true, value_name = "DIR")]
    pub lake_root: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Permission {
    Read,
    Write,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Access {
    Read,
    Write,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ApplyOnly {
    Lake,
    Warehouse,
}

#[derive(Debug, Clone, Subcommand)]
pub enum GrantAction {
    /// Give a user a permission on a folder and all below it
    Set {
        user: String,
        path: String,
        permission: Permission,
    },
    /// List the permissions
    List {
        /// Only this user's
        #[arg(long)]
        user: Option<String>,
        /// Only those on this path and below it
        #[arg(long)]
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
        #[arg(long)]
        only: Option<ApplyOnly>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckOnly {
    Lake,
    Warehouse,
}

#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Look at only one of the two
    #[arg(long)]
    pub only: Option<CheckOnly>,
    /// Topics: a name takes any topic, a glob the configured ones [default: every configured topic]
    #[arg(short, long, value_name = "A,B,'C_*'", value_delimiter = ',')]
    pub topics: Vec<String>,
    /// What a topic without a configuration entry is
    #[arg(long, value_name = "KIND")]
    pub kind: Option<KindArg>,
    /// Read about this many of the last records of each topic, and try keys, values and columns on them; 0 reads none
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub sample: u64,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub root: RootArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// Which shell
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// Of which command, like lake or grant set [default: lakectl itself]
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub command: Vec<String>,
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
