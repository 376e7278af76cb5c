//! A session for commands that change lakectl's own small tables, in transactions that are repeated after faults that pass.

use anyhow::{Context, Result, anyhow, bail};
use mysql::prelude::Queryable;
use mysql::{Conn, MySqlError};
use std::time::{Duration, Instant};

use super::connect::{self, Flavor};
use super::error_class::{Fault, fault_of, lock_advice, server_error};
use super::locked_session::{end_session, get_lock, lock_name, unique_name};
use super::statement::{LOOK_UP, roll_back};
use super::table_name;
use crate::config::Database;
use crate::problem::Problem;

/// How long a transaction is retried after deadlocks, lock waits and lost connections.
const REPLAY_DEADLINE: Duration = Duration::from_secs(30);
/// How long to wait for the end of a lost session, which has little to roll back.
const END_WAIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// A session on the warehouse's database.
#[derive(Debug)]
pub struct Session {
    pub(crate) conn: Conn,
    pub(crate) is_mariadb: bool,
    database: Database,
    /// A lock that no other session asks for: as long as it is held, the session exists.
    own: String,
    /// The id of the session that took it last.
    holder: u32,
    /// The locks that were asked for.
    locks: Vec<String>,
}

/// What the server did with a statement.
#[derive(Debug)]
#[must_use]
pub enum Execution {
    Done,
    Refused(MySqlError),
}

/// The outcome of a transaction.
enum TransactOutcome<T> {
    Done(T),
    NotDone(anyhow::Error),
    /// The answer to COMMIT never came.
    Unanswered(T, anyhow::Error),
}

impl Session {
    /// # Errors
    /// A server that can't be reached, or refuses the login; a missing database is exit code 2.
    pub fn open(database: &Database) -> Result<Session> {
        let server = connect::probe(database)?;
        let mut session = Session {
            conn: connect::open(database, connect::READ_TIMEOUT)?,
            is_mariadb: server.flavor == Flavor::MariaDb,
            own: unique_name(&database.name),
            holder: 0,
            database: database.clone(),
            locks: Vec::new(),
        };
        session.take_own_lock()?;
        Ok(session)
    }

    /// Takes a lock of this database, waiting up to `wait`. Returns whether it got it; the lock ends with the session.
    pub fn lock(&mut self, what: &str, wait: Duration) -> Result<bool> {
        let name = lock_name(&self.database.name, &format!("\0{what}"));
        let got = get_lock(&mut self.conn, &name, wait)?;
        if got {
            self.locks.push(name);
        }
        Ok(got)
    }

    /// Does `work` in a transaction, and again from its start after a deadlock, a lock wait or a lost session. If the answer
    /// to COMMIT never came, `was_committed` looks whether the changes of `work` are there.
    ///
    /// # Errors
    /// Nothing was changed, unless the message says that this is unknown.
    pub fn transact<T>(
        &mut self,
        work: impl Fn(&mut Conn) -> Result<T>,
        was_committed: impl Fn(&mut Conn, &T) -> Result<bool>,
    ) -> Result<T> {
        let deadline = Instant::now() + REPLAY_DEADLINE;
        loop {
            let error = match self.attempt(&work) {
                TransactOutcome::Done(done) => return Ok(done),
                TransactOutcome::NotDone(error) => error,
                TransactOutcome::Unanswered(done, error) => {
                    let looked = self
                        .renew(deadline.max(Instant::now() + LOOK_UP))
                        .and_then(|()| was_committed(&mut self.conn, &done));
                    if looked.context("the answer to COMMIT never came: whether it was done is unknown")? {
                        return Ok(done);
                    }
                    error
                }
            };
            let fault = fault(&error);
            let goes_on = roll_back(&mut self.conn, fault);
            match fault {
                Fault::Busy | Fault::Lost if Instant::now() >= deadline => {
                    return Err(with_lock_advice(error));
                }
                Fault::Busy | Fault::Lost if goes_on => std::thread::sleep(PAUSE),
                Fault::Busy | Fault::Lost => self.renew(deadline)?,
                Fault::Data | Fault::Fatal => return Err(error),
            }
        }
    }

    fn attempt<T>(&mut self, work: &impl Fn(&mut Conn) -> Result<T>) -> TransactOutcome<T> {
        if let Err(error) = self.conn.query_drop("START TRANSACTION") {
            return TransactOutcome::NotDone(anyhow!(error).context("START TRANSACTION"));
        }
        let done = match work(&mut self.conn) {
            Ok(done) => done,
            Err(error) => return TransactOutcome::NotDone(error),
        };
        match self.conn.query_drop("COMMIT").context("COMMIT") {
            Ok(()) => TransactOutcome::Done(done),
            Err(error) if fault(&error) == Fault::Lost => TransactOutcome::Unanswered(done, error),
            Err(error) => TransactOutcome::NotDone(error),
        }
    }

    /// Executes a statement that commits implicitly. If its answer never came, `is_done` looks whether it was done; if not, it
    /// is executed again.
    ///
    /// # Errors
    /// Whether it was done is unknown.
    pub(crate) fn execute(
        &mut self,
        sql: &str,
        is_done: &dyn Fn(&mut Conn) -> Result<bool>,
    ) -> Result<Execution> {
        let deadline = Instant::now() + REPLAY_DEADLINE;
        loop {
            let error = match self.conn.query_drop(sql) {
                Ok(()) => return Ok(Execution::Done),
                Err(error) => error,
            };
            match (fault_of(&error), error) {
                (Fault::Lost, error) => {
                    let looked = self
                        .renew(deadline.max(Instant::now() + LOOK_UP))
                        .and_then(|()| is_done(&mut self.conn));
                    if looked.context("the server's answer never came: whether it was done is unknown")? {
                        return Ok(Execution::Done);
                    }
                    if Instant::now() >= deadline {
                        return Err(error).context("nothing was changed; the server's answers never come");
                    }
                }
                (Fault::Busy, _) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                (_, mysql::Error::MySqlError(refusal)) => return Ok(Execution::Refused(refusal)),
                (_, error) => return Err(error.into()),
            }
        }
    }

    /// Replaces a lost session by a new one with its locks. The lost one's transaction has ended by then.
    fn renew(&mut self, deadline: Instant) -> Result<()> {
        loop {
            match self.try_renew() {
                Ok(()) => break,
                Err(error) if Instant::now() >= deadline => {
                    return Err(error.context("the connection was lost and did not come back"));
                }
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
        for name in &self.locks {
            if !get_lock(&mut self.conn, name, END_WAIT)? {
                bail!("the connection was lost, and another run has taken the lock");
            }
        }
        Ok(())
    }

    fn try_renew(&mut self) -> Result<()> {
        self.conn = connect::open(&self.database, connect::READ_TIMEOUT)?;
        end_session(&mut self.conn, &self.own, self.holder)?;
        self.take_own_lock()
    }

    fn take_own_lock(&mut self) -> Result<()> {
        if get_lock(&mut self.conn, &self.own, END_WAIT)? {
            self.holder = self.conn.connection_id();
            Ok(())
        } else {
            bail!(
                "{}: the server does not end a session whose connection was lost",
                self.database.shown()
            )
        }
    }

    /// The collation of a column of the session's database; None if there is no such column, or it does not hold text.
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

    /// The table's name as the server spells it; None if there is no such table.
    pub(crate) fn spelled(&mut self, table: &str) -> Result<Option<String>> {
        table_name::existing(&mut self.conn, table)
    }
}

fn fault(error: &anyhow::Error) -> Fault {
    server_error(error).map_or(Fault::Fatal, fault_of)
}

fn with_lock_advice(error: anyhow::Error) -> anyhow::Error {
    match server_error(&error).and_then(lock_advice) {
        None => error,
        Some(advice) => Problem::new("nothing was changed").fix(advice).caused_by(error),
    }
}
