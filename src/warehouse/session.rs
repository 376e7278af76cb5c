//! A session for commands that work on our own small tables: one at a time, in transactions that are replayed.

use anyhow::{Context, Result};
use mysql::prelude::Queryable;
use mysql::{Conn, Transaction, TxOpts};
use std::time::{Duration, Instant};

use super::connect::{self, Flavor};
use super::fault::{Fault, fault_of};
use super::link::{get_lock, lock_name};
use crate::config::Database;

/// How long a transaction is tried again against deadlocks and lock waits.
const REPLAY_DEADLINE: Duration = Duration::from_secs(30);

/// A session on the warehouse's database.
#[derive(Debug)]
pub struct Session {
    pub(crate) conn: Conn,
    pub(crate) is_mariadb: bool,
    database: String,
}

impl Session {
    /// # Errors
    /// A server that can't be reached, or refuses the login; a missing database is exit code 2.
    pub fn open(database: &Database) -> Result<Session> {
        let server = connect::probe(database)?;
        Ok(Session {
            conn: connect::open(database, connect::READ_TIMEOUT)?,
            is_mariadb: server.flavor == Flavor::MariaDb,
            database: database.name.clone(),
        })
    }

    /// Whether a lock of this database could be had within `wait`; it dies with the session.
    pub fn lock(&mut self, what: &str, wait: Duration) -> Result<bool> {
        get_lock(
            &mut self.conn,
            &lock_name(&self.database, &format!("\0{what}")),
            wait,
        )
    }

    /// Does `work` in a transaction, again from its start where the server was busy or found a deadlock.
    pub fn transact<T>(&mut self, work: impl Fn(&mut Transaction<'_>) -> Result<T>) -> Result<T> {
        let deadline = Instant::now() + REPLAY_DEADLINE;
        loop {
            let mut transaction = self
                .conn
                .start_transaction(TxOpts::default())
                .context("START TRANSACTION")?;
            let outcome = work(&mut transaction).and_then(|done| {
                transaction.commit().context("COMMIT")?;
                Ok(done)
            });
            match outcome {
                Err(error) if is_busy(&error) && Instant::now() < deadline => {
                    // Dropping the transaction rolled it back.
                    std::thread::sleep(Duration::from_millis(50));
                }
                outcome => return outcome,
            }
        }
    }

    /// The collation of a column of the session's database; None where there is no such column, or no text in it.
    pub fn collation(&mut self, table: &str, column: &str) -> Result<Option<String>> {
        let found: Option<Option<String>> = self
            .conn
            .exec_first(
                "SELECT COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
                 AND TABLE_NAME = ? AND COLUMN_NAME = ?",
                (table, column),
            )
            .context("looking at information_schema")?;
        Ok(found.flatten())
    }
}

fn is_busy(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<mysql::Error>()
        .is_some_and(|error| fault_of(error) == Fault::Busy)
}
