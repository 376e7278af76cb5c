//! A change of rows in a transaction of its own, whose outcome is known when it returns.
//!
//! BEGIN, the change and COMMIT are sent one by one: a change whose answer never comes was not committed, however long the
//! server continues it. Only an unanswered COMMIT has to be looked up. For that the transaction also writes a token, which only
//! the holder of the table's lock does: if the token is there, the change is.

use anyhow::{Context, Result, anyhow};
use mysql::prelude::Queryable;
use mysql::{Conn, Params, Value};
use std::fmt;
use std::time::{Duration, Instant};

use super::error_class::{Fault, fault_of, lock_advice};
use super::locked_session::{Link, unique_name};
use crate::problem::Problem;
use crate::stop::Stop;

/// The table of tokens.
pub(in crate::warehouse) const TABLE: &str = "lakectl_last_change";
/// The least time for looking up an unanswered COMMIT.
pub(in crate::warehouse) const LOOK_UP: Duration = Duration::from_secs(30);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a change failed.
#[derive(Debug)]
pub(in crate::warehouse) enum Trouble {
    /// It changed nothing.
    NotDone(mysql::Error),
    /// The answer to COMMIT never came, and it could not be looked up.
    Unknown(Unknown),
}

/// Rows for which it is unknown whether they were changed.
#[derive(Debug)]
pub(in crate::warehouse) struct Unknown {
    pub rows: u64,
    pub why: anyhow::Error,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the answer to COMMIT never came, and the server could not be asked whether it was done: {:#}",
            self.why
        )
    }
}

impl std::error::Error for Unknown {}

/// Statements that change rows, and say how many.
pub(in crate::warehouse) type Change<'c> = dyn FnMut(&mut Conn) -> mysql::Result<u64> + 'c;

/// A change by one statement.
pub(in crate::warehouse) fn rows_of<'c>(
    sql: &'c str,
    values: &'c [Value],
) -> impl FnMut(&mut Conn) -> mysql::Result<u64> + 'c {
    move |conn| {
        conn.exec_drop(sql, Params::Positional(values.to_vec()))?;
        Ok(conn.affected_rows())
    }
}

/// Rolls back after an error. Returns whether the session can go on. A lost one is asked nothing more, because each answer
/// would be waited for in vain; the server rolls back when the session ends.
pub(in crate::warehouse) fn roll_back(conn: &mut Conn, after: Fault) -> bool {
    after != Fault::Lost && conn.query_drop("ROLLBACK").is_ok()
}

impl Link {
    /// Makes the change once. Returns how many rows it changed. After a lost session the link may have no session.
    pub fn change_once(&mut self, until: Instant, change: &mut Change<'_>) -> Result<u64, Trouble> {
        let token = unique_name(&self.table);
        let error = match self.change_uncommitted(&token, change) {
            Ok(rows) => match self.conn.query_drop("COMMIT") {
                Ok(()) => return Ok(rows),
                Err(error) if fault_of(&error) == Fault::Lost => {
                    return match self.was_committed(&token, until.max(Instant::now() + LOOK_UP)) {
                        Ok(true) => Ok(rows),
                        Ok(false) => Err(Trouble::NotDone(error)),
                        Err(why) => Err(Trouble::Unknown(Unknown { rows, why })),
                    };
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        roll_back(&mut self.conn, fault_of(&error));
        Err(Trouble::NotDone(error))
    }

    /// Makes the change, and repeats it for up to `patience` after faults that pass. A signal ends the attempts.
    pub fn change(&mut self, patience: Duration, stop: &Stop, change: &mut Change<'_>) -> Result<u64> {
        let until = Instant::now() + patience;
        loop {
            let error = match self.change_once(until, change) {
                Ok(rows) => return Ok(rows),
                Err(Trouble::Unknown(unknown)) => return Err(unknown.into()),
                Err(Trouble::NotDone(error)) => error,
            };
            let fault = fault_of(&error);
            if !matches!(fault, Fault::Busy | Fault::Lost) || Instant::now() >= until {
                let told = Problem::new("nothing was changed").fix_if_known(lock_advice(&error));
                return Err(told.caused_by(error));
            }
            if stop.signal().is_some() {
                return Err(anyhow!("stopped by a signal, and nothing was changed: {error}"));
            }
            std::thread::sleep(PAUSE);
            if fault == Fault::Lost {
                self.reconnect(until)?;
            }
        }
    }

    fn change_uncommitted(&mut self, token: &str, change: &mut Change<'_>) -> mysql::Result<u64> {
        self.conn.query_drop("START TRANSACTION")?;
        let rows = change(&mut self.conn)?;
        self.conn.exec_drop(
            format!(
                "INSERT INTO {TABLE} (table_name, token) VALUES (?, ?) ON DUPLICATE KEY UPDATE token = VALUES(token), \
                 changed_at = CURRENT_TIMESTAMP(3)"
            ),
            (&self.table, token),
        )?;
        Ok(rows)
    }

    /// Looks up an unanswered COMMIT in a new session, once the lost one has ended.
    fn was_committed(&mut self, token: &str, until: Instant) -> Result<bool> {
        self.reconnect(until)?;
        let found: Option<u8> = self
            .conn
            .exec_first(
                format!("SELECT 1 FROM {TABLE} WHERE table_name = ? AND token = ?"),
                (&self.table, token),
            )
            .with_context(|| format!("reading {TABLE}"))?;
        Ok(found.is_some())
    }
}
