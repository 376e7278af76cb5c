//! The audit trail in MySQL: one row per entry, in the transaction of the change itself.

use anyhow::{Context, Result};
use mysql::prelude::Queryable;
use mysql::{Row, Value};

use super::Entry;
use crate::warehouse::Session;

impl Entry {
    /// Adds the entry as a row. Call it in the transaction of the change, so that there is never one without the other.
    pub fn to_database(&self, conn: &mut impl Queryable) -> Result<()> {
        let at = self.time().unwrap_or_else(chrono::Utc::now);
        let values: Vec<Value> = vec![
            at.format("%Y-%m-%d %H:%M:%S%.6f").to_string().into(),
            self.os_user.as_ref().into(),
            self.uid.into(),
            self.sudo_user.as_ref().into(),
            (&self.host).into(),
            (&self.command).into(),
            serde_json::to_string(&self.arguments)?.into(),
            (&self.run_id).into(),
            serde_json::to_string(&self.detail)?.into(),
        ];
        conn.exec_drop(
            "INSERT INTO lakectl_audit (`at`, os_user, uid, sudo_user, host, mysql_user, command, arguments, run_id, \
             detail) VALUES (?, ?, ?, ?, ?, CURRENT_USER(), ?, ?, ?, ?)",
            values,
        )
        .context("writing to lakectl_audit")
    }

    /// Whether the entry is in the table: then its transaction was committed.
    pub fn is_in_database(&self, conn: &mut impl Queryable) -> Result<bool> {
        let at = self.time().unwrap_or_else(chrono::Utc::now);
        let found: Option<u8> = conn
            .exec_first(
                "SELECT 1 FROM lakectl_audit WHERE run_id = ? AND command = ? AND `at` = ? LIMIT 1",
                (
                    &self.run_id,
                    &self.command,
                    at.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
                ),
            )
            .context("reading lakectl_audit")?;
        Ok(found.is_some())
    }

    /// Adds the entry once, in a transaction of its own.
    pub fn to_session(&self, session: &mut Session) -> Result<()> {
        session.transact(
            |transaction| self.to_database(transaction),
            |conn, ()| self.is_in_database(conn),
        )
    }
}

/// Reads the database's trail, newest last. The session's time zone must be UTC, as in all of lakectl's sessions.
///
/// # Errors
/// Reading failed, or a row was not written by lakectl.
pub fn read_database(conn: &mut impl Queryable) -> Result<Vec<Entry>> {
    let rows: Vec<Row> = conn
        .query(
            "SELECT DATE_FORMAT(`at`, '%Y-%m-%dT%H:%i:%s.%fZ') AS at_text, os_user, uid, sudo_user, host, mysql_user, \
             command, arguments, run_id, detail FROM lakectl_audit ORDER BY id",
        )
        .context("reading lakectl_audit")?;
    rows.iter()
        .enumerate()
        .map(|(at, row)| entry(row).with_context(|| format!("row {} of lakectl_audit", at + 1)))
        .collect()
}

fn entry(row: &Row) -> Result<Entry> {
    let optional = |name: &str| -> Option<String> { row.get_opt(name)?.ok() };
    let text = |name: &str| optional(name).with_context(|| format!("column {name} does not hold text"));
    Ok(Entry {
        at: text("at_text")?,
        os_user: optional("os_user"),
        uid: row.get_opt("uid").and_then(Result::ok).context("column uid")?,
        sudo_user: optional("sudo_user"),
        host: text("host")?,
        mysql_user: optional("mysql_user"),
        command: text("command")?,
        arguments: serde_json::from_str(&text("arguments")?).context("column arguments")?,
        run_id: text("run_id")?,
        detail: serde_json::from_str(&text("detail")?).context("column detail")?,
    })
}
