//! A statement that changes rows in a transaction of its own, and whose outcome is known when it returns.
//!
//! BEGIN, the statement and COMMIT are sent one by one: a statement whose answer never comes was not committed, however long
//! the server continues it. Only an unanswered COMMIT has to be looked up.

use anyhow::{Result, anyhow};
use mysql::prelude::Queryable;
use mysql::{Conn, Params, Value};
use std::fmt;
use std::time::{Duration, Instant};

use super::error_class::{Fault, fault_of, lock_advice};
use super::locked_session::Link;

/// The least time for looking up an unanswered COMMIT.
pub(in crate::warehouse) const LOOK_UP: Duration = Duration::from_secs(30);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a statement failed.
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

impl Link {
    /// Runs the statement once. Returns how many rows it changed. If a COMMIT was not answered, `was_committed` looks, in a session
    /// that has the lock again, whether it changed so many rows after all. After a lost session the link may have no session.
    pub fn change_once(
        &mut self,
        sql: &str,
        values: &[Value],
        until: Instant,
        was_committed: &mut dyn FnMut(&mut Conn, u64) -> Result<bool>,
    ) -> Result<u64, Trouble> {
        let rows = match self.change_uncommitted(sql, values) {
            Ok(rows) => rows,
            Err(error) => {
                // If this fails too, the server rolls back when the session ends.
                let _ = self.conn.query_drop("ROLLBACK");
                return Err(Trouble::NotDone(error));
            }
        };
        match self.conn.query_drop("COMMIT") {
            Ok(()) => Ok(rows),
            Err(error) if fault_of(&error) == Fault::Lost => {
                let until = until.max(Instant::now() + LOOK_UP);
                let looked = self
                    .reconnect(until)
                    .and_then(|()| was_committed(&mut self.conn, rows));
                match looked {
                    Ok(true) => Ok(rows),
                    Ok(false) => Err(Trouble::NotDone(error)),
                    Err(why) => Err(Trouble::Unknown(Unknown { rows, why })),
                }
            }
            Err(error) => {
                let _ = self.conn.query_drop("ROLLBACK");
                Err(Trouble::NotDone(error))
            }
        }
    }

    /// Runs the statement, and repeats it for up to `patience` after faults that pass.
    pub fn change(
        &mut self,
        sql: &str,
        values: &[Value],
        patience: Duration,
        was_committed: &mut dyn FnMut(&mut Conn, u64) -> Result<bool>,
    ) -> Result<u64> {
        let until = Instant::now() + patience;
        loop {
            let error = match self.change_once(sql, values, until, was_committed) {
                Ok(rows) => return Ok(rows),
                Err(Trouble::Unknown(unknown)) => return Err(unknown.into()),
                Err(Trouble::NotDone(error)) => error,
            };
            let fault = fault_of(&error);
            if !matches!(fault, Fault::Busy | Fault::Lost) || Instant::now() >= until {
                let advice = lock_advice(&error);
                return Err(anyhow!(error).context(format!("nothing was changed{advice}")));
            }
            std::thread::sleep(PAUSE);
            if fault == Fault::Lost {
                self.reconnect(until)?;
            }
        }
    }

    fn change_uncommitted(&mut self, sql: &str, values: &[Value]) -> mysql::Result<u64> {
        self.conn.query_drop("START TRANSACTION")?;
        self.conn.exec_drop(sql, Params::Positional(values.to_vec()))?;
        Ok(self.conn.affected_rows())
    }
}
