//! The audit trail: who changed or deleted what, and when. It is kept in the lake (`.lakectl/audit.jsonl`) and in MySQL
//! (`lakectl_audit`), and entries are only ever added.

mod command_line;
mod file;
mod table;
mod trail;

use chrono::{DateTime, SecondsFormat, Utc};
use nix::unistd::User;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use command_line::{CommandLine, names_secret};
pub use file::{PATH, read_lake};
pub use table::read_database;
pub use trail::{Trail, TrailPlace};

/// One entry: a change or deletion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// RFC 3339 in UTC, to the microsecond.
    pub at: String,
    /// The name of the user that ran lakectl; None if the system has no name for the uid.
    pub os_user: Option<String>,
    pub uid: u32,
    /// The user that called sudo, from SUDO_USER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_user: Option<String>,
    pub host: String,
    /// The MySQL account of the session; only entries in the database have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mysql_user: Option<String>,
    /// Like `purge` or `grant set`.
    pub command: String,
    /// The command line without the program's name and without secrets.
    pub arguments: Vec<String>,
    pub run_id: String,
    /// What was done: cutoffs, what was deleted or changed, counts.
    pub detail: Value,
}

impl Entry {
    /// Makes an entry for this process and this moment.
    pub fn new(command: &str, arguments: CommandLine, run_id: &str, detail: Value) -> Entry {
        let uid = nix::unistd::Uid::current();
        Entry {
            at: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
            os_user: User::from_uid(uid).ok().flatten().map(|user| user.name),
            uid: uid.as_raw(),
            sudo_user: std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty()),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            mysql_user: None,
            command: command.to_owned(),
            arguments: arguments.into_arguments(),
            run_id: run_id.to_owned(),
            detail,
        }
    }

    /// The time of the entry; None if `at` is not a time, because somebody else wrote it.
    pub fn time(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(&self.at)
            .ok()
            .map(|time| time.with_timezone(&Utc))
    }
}

/// Entries in the order in which they were written, and the lines that are not entries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Newest last.
    pub entries: Vec<Entry>,
    /// Numbers, from 1, of lines that are not entries: a crash cut them short, or somebody else wrote them.
    pub damaged: Vec<usize>,
    /// Whether the last line is unfinished. The next entry begins on a new line.
    pub torn_end: bool,
}

impl History {
    /// Warnings about damage, one line each.
    pub fn complaints(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(first) = self.damaged.first() {
            let count = self.damaged.len();
            lines.push(format!(
                "{PATH}: {count} {}, the first of them line {first}",
                if count == 1 {
                    "line is not an audit entry"
                } else {
                    "lines are not audit entries"
                }
            ));
        }
        if self.torn_end {
            lines.push(format!(
                "{PATH}: the last line is torn; a run was stopped while it wrote it"
            ));
        }
        lines
    }
}
