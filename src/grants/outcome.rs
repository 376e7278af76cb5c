//! The results of the grant commands, as JSON for scripts and as text for people.

use serde::Serialize;
use std::collections::BTreeSet;

use super::{Decision, Permission, Rule};
use crate::words::printable;

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum GrantOutcome {
    Changed(GrantChange),
    Listed { permissions: Vec<Rule> },
    Checked(Checked),
    Applied(ApplyOutcome),
}

/// What `set` or `revoke` did to a row, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantChange {
    pub user_id: String,
    pub folder_path: String,
    /// The permission before; null: no row.
    pub before: Option<Permission>,
    /// The permission now; null: no row.
    pub permission: Option<Permission>,
    pub changed: bool,
}

impl GrantChange {
    pub(super) fn new(
        user: &str,
        path: &str,
        before: Option<Permission>,
        after: Option<Permission>,
        several: bool,
    ) -> GrantChange {
        GrantChange {
            user_id: user.to_owned(),
            folder_path: path.to_owned(),
            before,
            permission: after,
            changed: before != after || several,
        }
    }

    pub fn line(&self, dry_run: bool) -> String {
        let would = if dry_run && self.changed { "would be " } else { "" };
        let (user, path) = (cell(&self.user_id), cell(&self.folder_path));
        match (self.before, self.permission) {
            (before, Some(now)) if self.changed => {
                let before = before.map_or("no row", Permission::as_str);
                format!("{user} on {path}: {would}{now} (was: {before})")
            }
            (_, Some(now)) => format!("{user} on {path}: {now} already, unchanged"),
            (Some(before), None) => format!("{user} on {path}: {would}revoked (was: {before})"),
            (None, None) => format!("{user} on {path}: there is no such permission, unchanged"),
        }
    }
}

/// The result of `grant check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub user_id: String,
    pub folder_path: String,
    /// read or write
    pub access: &'static str,
    pub allowed: bool,
    /// The row that decided; null if no row applies, or the path is lakectl's own.
    pub decided_by: Option<Rule>,
}

impl Checked {
    pub(crate) fn new(user: &str, path: &str, write: bool, decision: Decision<'_>) -> Checked {
        let wanted = if write {
            Permission::Write
        } else {
            Permission::Read
        };
        Checked {
            user_id: user.to_owned(),
            folder_path: path.to_owned(),
            access: wanted.as_str(),
            allowed: decision.permission() >= wanted,
            decided_by: match decision {
                Decision::By(rule) => Some(rule.clone()),
                Decision::Default | Decision::Ledger => None,
            },
        }
    }

    pub fn line(&self) -> String {
        let verdict = if self.allowed { "allowed" } else { "denied" };
        let why = match &self.decided_by {
            Some(rule) => format!(
                "{} has {} on {}",
                cell(&rule.user_id),
                rule.permission,
                cell(&rule.folder_path)
            ),
            None => "no row applies, and without one nothing is allowed".to_owned(),
        };
        let (user, path) = (cell(&self.user_id), cell(&self.folder_path));
        format!("{verdict}: {user} {} {path}: {why}", self.access)
    }
}

/// What `apply` changed, or would change, and what it could not change.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ApplyOutcome {
    /// Whether anything was (with --dry-run: would be) changed.
    pub changed: bool,
    /// Topic folders that were created, so that everything in them inherits the entries.
    pub made: Vec<String>,
    pub acl: Vec<AclChange>,
    /// Files and folders on which only the mask had to be widened again.
    pub mended: u64,
    pub mysql: Vec<SqlChange>,
    pub could_not: Vec<CouldNot>,
    #[serde(skip)]
    pub warnings: BTreeSet<String>,
}

/// The same change of one user's entry on a folder and on everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AclChange {
    pub user_id: String,
    pub uid: u32,
    /// The topmost folder; ending in `/*`: only files in the folder.
    pub path: String,
    /// Like `r-x`; null: no entry.
    pub before: Option<String>,
    pub after: Option<String>,
    /// Whether it only concerns files and folders that will be created there.
    pub inherited_only: bool,
    pub folders: u64,
    pub files: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SqlChange {
    pub user_id: String,
    /// `'user'@'host'`
    pub account: String,
    pub table: String,
    /// granted or revoked
    pub action: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CouldNot {
    pub user_id: Option<String>,
    /// A path, a table, or `files` or `tables` as a whole.
    pub subject: String,
    pub reason: String,
}

impl ApplyOutcome {
    pub(super) fn could_not(
        &mut self,
        user: Option<&str>,
        subject: impl Into<String>,
        reason: impl Into<String>,
    ) {
        self.could_not.push(CouldNot {
            user_id: user.map(str::to_owned),
            subject: subject.into(),
            reason: reason.into(),
        });
    }

    pub fn lines(&self, dry_run: bool) -> Vec<String> {
        let would = if dry_run { "would be " } else { "" };
        let mut lines: Vec<String> = self
            .made
            .iter()
            .map(|path| format!("{}: {would}made", cell(path)))
            .collect();
        for change in &self.acl {
            let bits = |bits: &Option<String>| bits.clone().unwrap_or_else(|| "no entry".to_owned());
            let inherited = if change.inherited_only {
                ", for what will be created there"
            } else {
                ""
            };
            lines.push(format!(
                "{}: {} {would}{} (was: {}) on {} and {}{inherited}",
                cell(&change.path),
                cell(&change.user_id),
                bits(&change.after),
                bits(&change.before),
                counted(change.folders, "folder"),
                counted(change.files, "file"),
            ));
        }
        if self.mended > 0 {
            lines.push(format!(
                "mask {would}widened again on {} files and folders",
                self.mended
            ));
        }
        for change in &self.mysql {
            lines.push(format!(
                "table {}: SELECT {would}{} {} {}",
                cell(&change.table),
                change.action,
                if change.action == "granted" { "to" } else { "from" },
                cell(&change.account),
            ));
        }
        if !self.changed && self.could_not.is_empty() {
            lines.push("nothing to change: files and tables are as the permissions say".to_owned());
        }
        for failure in &self.could_not {
            let user = failure
                .user_id
                .as_ref()
                .map_or(String::new(), |user| format!("{}: ", cell(user)));
            let could_not = if dry_run { "can't" } else { "could not" };
            lines.push(format!(
                "{could_not}: {user}{}: {}",
                cell(&failure.subject),
                cell(&failure.reason)
            ));
        }
        lines
    }
}

fn counted(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Permission bits as `r-x`.
pub(super) fn shown_bits(bits: u16) -> String {
    [(4, 'r'), (2, 'w'), (1, 'x')]
        .iter()
        .map(|&(bit, letter)| if bits & bit == 0 { '-' } else { letter })
        .collect()
}

/// The rows as an aligned table.
pub fn listed(rules: &[Rule]) -> Vec<String> {
    if rules.is_empty() {
        return vec!["no permissions".to_owned()];
    }
    let header = ["USER", "PATH", "PERMISSION", "UPDATED"].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(header)
        .chain(rules.iter().map(|rule| {
            [
                cell(&rule.user_id),
                cell(&rule.folder_path),
                rule.permission.to_string(),
                rule.last_updated_at.clone(),
            ]
        }))
        .collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2].map(width);
    rows.iter()
        .map(|[user, path, permission, updated]| {
            let [a, b, c] = widths;
            format!("{user:a$}  {path:b$}  {permission:c$}  {updated}")
        })
        .collect()
}

/// Text from a row, escaped so that it stays on one line of a terminal.
fn cell(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::rules::rule;
    use super::*;

    #[test]
    fn tables_are_aligned_and_printable() {
        let lines = listed(&[
            rule("zoé", "streams/A", Permission::Read),
            rule("b\nc\u{1b}", ".", Permission::None),
        ]);
        assert_eq!(lines[0], "USER        PATH       PERMISSION  UPDATED");
        assert_eq!(lines[1], "zoé         streams/A  read        ");
        assert_eq!(lines[2], "b\\nc\\u{1b}  .          none        ");
    }

    #[test]
    fn changes_are_told() {
        let line = |before, after, dry_run| GrantChange::new("u", "a", before, after, false).line(dry_run);
        use Permission::{Read, Write};
        assert_eq!(line(None, Some(Read), false), "u on a: read (was: no row)");
        assert_eq!(
            line(Some(Read), Some(Write), true),
            "u on a: would be write (was: read)"
        );
        assert_eq!(
            line(Some(Read), Some(Read), true),
            "u on a: read already, unchanged"
        );
        assert_eq!(line(Some(Read), None, false), "u on a: revoked (was: read)");
        assert!(line(None, None, false).contains("no such permission"));
    }

    #[test]
    fn bits() {
        assert_eq!(
            [0, 5, 6, 7, 1].map(shown_bits),
            ["---", "r-x", "rw-", "rwx", "--x"]
        );
    }
}
