//! Reads, sets and revokes rows of user_permissions. Each change has an entry in the audit trail.

use anyhow::{Context, Result};
use mysql::Conn;
use mysql::prelude::Queryable;

use super::{GrantChange, Permission, Rule, path};
use crate::audit::{CommandLine, Entry};
use crate::config::Database;
use crate::exit::usage;
use crate::problem::Problem;
use crate::warehouse::Session;

const TABLE: &str = "user_permissions";
/// The length of user_permissions.user_id, in characters.
const USER_CHARS_MAX: usize = 255;

/// Opens the database, and checks that its user_permissions compares names byte for byte.
pub fn open(database: &Database) -> Result<Session> {
    let mut session = Session::open(database)?;
    for column in ["user_id", "folder_path"] {
        match session.collation(TABLE, column)? {
            None => {
                return Problem::usage(format!("database `{}` has no table `{TABLE}` yet", database.name))
                    .fix("run: lakectl init-db")
                    .err();
            }
            Some(collation) if collation == "utf8mb4_0900_bin" || collation.contains("nopad_bin") => {}
            Some(collation) => {
                let exact = if session.is_mariadb {
                    "utf8mb4_nopad_bin"
                } else {
                    "utf8mb4_0900_bin"
                };
                return Problem::usage(format!(
                    "column {column} of `{TABLE}` compares by {collation}, which takes different names for the same"
                ))
                .fix(format!(
                    "run: ALTER TABLE `{TABLE}` CONVERT TO CHARACTER SET utf8mb4 COLLATE {exact}"
                ))
                .err();
            }
        }
    }
    Ok(session)
}

/// Checks a user's name, which is stored as it is given.
///
/// # Errors
/// The name is empty, too long, or contains control characters: exit code 2.
pub fn check_user(user: &str) -> Result<()> {
    if user.is_empty() || user.chars().any(char::is_control) || user.chars().count() > USER_CHARS_MAX {
        return Err(usage(format!(
            "`{}` is not a user's name: it must have 1 to {USER_CHARS_MAX} characters, and no control characters",
            user.escape_debug()
        )));
    }
    Ok(())
}

/// Reads all rows, ordered by user and path.
pub fn read(session: &mut Session) -> Result<Vec<Rule>> {
    let rows: Vec<(String, String, String, String)> = session
        .conn
        .query(
            "SELECT user_id, folder_path, COALESCE(CAST(permission AS CHAR), 'none'), \
             COALESCE(DATE_FORMAT(last_updated_at, '%Y-%m-%dT%H:%i:%sZ'), '') \
             FROM user_permissions ORDER BY user_id, folder_path",
        )
        .context("reading user_permissions")?;
    Ok(rows
        .into_iter()
        .map(|(user_id, folder_path, permission, last_updated_at)| Rule {
            user_id,
            folder_path,
            permission: Permission::parse(&permission),
            last_updated_at,
        })
        .collect())
}

/// Sets a user's permission on a normalised path. The entry is None if nothing had to be changed.
pub fn set(
    session: &mut Session,
    (user, path): (&str, &str),
    permission: Permission,
    run_id: &str,
    dry_run: bool,
) -> Result<(GrantChange, Option<Entry>)> {
    let change = |transaction: &mut Conn| {
        let rows = rows_on(transaction, user, path, path)?;
        let change = GrantChange::new(user, path, effective(&rows), Some(permission), rows.len() > 1);
        if !change.changed || dry_run {
            return Ok((change, None));
        }
        delete(transaction, user, &rows)?;
        transaction
            .exec_drop(
                "INSERT INTO user_permissions (user_id, folder_path, permission) VALUES (?, ?, ?)",
                (user, path, permission.as_str()),
            )
            .context("writing to user_permissions")?;
        let entry = record(transaction, "grant set", run_id, &change)?;
        Ok((change, Some(entry)))
    };
    session.transact(change, was_committed)
}

/// Revokes a user's permission on a path. `text` may also be the path of a row that lakectl did not write.
pub fn revoke(
    session: &mut Session,
    user: &str,
    text: &str,
    run_id: &str,
    dry_run: bool,
) -> Result<(GrantChange, Option<Entry>)> {
    let change = |transaction: &mut Conn| {
        let normal = path::normalise(text);
        let path = normal.as_deref().unwrap_or(text);
        let rows = rows_on(transaction, user, path, text)?;
        if let (true, Err(error)) = (rows.is_empty(), &normal) {
            return Err(usage(format!("{error:#}")));
        }
        let change = GrantChange::new(user, path, effective(&rows), None, false);
        if !change.changed || dry_run {
            return Ok((change, None));
        }
        delete(transaction, user, &rows)?;
        let entry = record(transaction, "grant revoke", run_id, &change)?;
        Ok((change, Some(entry)))
    };
    session.transact(change, was_committed)
}

/// Runs a change and its entry in one transaction; without an entry nothing was changed.
fn was_committed(conn: &mut Conn, (_, entry): &(GrantChange, Option<Entry>)) -> Result<bool> {
    entry
        .as_ref()
        .map_or(Ok(true), |entry| entry.is_in_database(conn))
}

/// Reads and locks the user's rows whose path means `path` or is spelled `text`.
fn rows_on(transaction: &mut Conn, user: &str, path: &str, text: &str) -> Result<Vec<(String, Permission)>> {
    let rows: Vec<(String, String)> = transaction
        .exec(
            "SELECT folder_path, COALESCE(CAST(permission AS CHAR), 'none') FROM user_permissions \
             WHERE user_id = ? FOR UPDATE",
            (user,),
        )
        .context("reading user_permissions")?;
    Ok(rows
        .into_iter()
        .filter(|(found, _)| found == text || path::normalise(found).is_ok_and(|found| found == path))
        .map(|(found, permission)| (found, Permission::parse(&permission)))
        .collect())
}

fn effective(rows: &[(String, Permission)]) -> Option<Permission> {
    rows.iter().map(|(_, permission)| *permission).min()
}

fn delete(transaction: &mut Conn, user: &str, rows: &[(String, Permission)]) -> Result<()> {
    for (path, _) in rows {
        transaction
            .exec_drop(
                "DELETE FROM user_permissions WHERE user_id = ? AND folder_path = ?",
                (user, path),
            )
            .context("deleting from user_permissions")?;
        if transaction.affected_rows() != 1 {
            return Problem::new("a row of user_permissions changed meanwhile")
                .fix("run again")
                .err();
        }
    }
    Ok(())
}

fn record(transaction: &mut Conn, command: &str, run_id: &str, change: &GrantChange) -> Result<Entry> {
    let detail = serde_json::to_value(change)?;
    let entry = Entry::new(command, CommandLine::of_process(), run_id, detail);
    entry.to_database(transaction)?;
    Ok(entry)
}
