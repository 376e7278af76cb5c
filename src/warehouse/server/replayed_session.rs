//! A session for commands that change lakectl's own small tables, in transactions that are repeated after faults that pass.

use anyhow::{Context, Result, bail};
use mysql::prelude::Queryable;
use mysql::{Conn, MySqlError, Transaction, TxOpts};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::connect::{self, Flavor};
use super::error_class::{Fault, fault_of, lock_advice};
use super::locked_session::{end_session, get_lock, lock_name};
use super::statement::LOOK_UP;
use super::table_name;
use crate::config::Database;

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
    /// The locks that were asked for.
    locks: Vec<String>,
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
            own: own_name(&database.name),
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
        work: impl Fn(&mut Transaction<'_>) -> Result<T>,
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
            match fault(&error) {
                Fault::Busy | Fault::Lost if Instant::now() >= deadline => {
                    return Err(with_lock_advice(error));
                }
                // Dropping the transaction rolled it back.
                Fault::Busy => std::thread::sleep(PAUSE),
                Fault::Lost => self.renew(deadline)?,
                Fault::Data | Fault::Fatal => return Err(error),
            }
        }
    }

    fn attempt<T>(&mut self, work: &impl Fn(&mut Transaction<'_>) -> Result<T>) -> TransactOutcome<T> {
        let begun = self
            .conn
            .start_transaction(TxOpts::default())
            .context("START TRANSACTION");
        let mut transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => return TransactOutcome::NotDone(error),
        };
        let done = match work(&mut transaction) {
            Ok(done) => done,
            Err(error) => return TransactOutcome::NotDone(error),
        };
        match transaction.commit().context("COMMIT") {
            Ok(()) => TransactOutcome::Done(done),
            Err(error) if fault(&error) == Fault::Lost => TransactOutcome::Unanswered(done, error),
            Err(error) => TransactOutcome::NotDone(error),
        }
    }

    /// Executes a statement that commits implicitly. If its answer never came, `is_done` looks whether it was done; if not, it
    /// is executed again. The inner error is the server's refusal.
    ///
    /// # Errors
    /// Whether it was done is unknown.
    pub(crate) fn execute(
        &mut self,
        sql: &str,
        is_done: &dyn Fn(&mut Conn) -> Result<bool>,
    ) -> Result<Result<(), MySqlError>> {
        let deadline = Instant::now() + REPLAY_DEADLINE;
        loop {
            let error = match self.conn.query_drop(sql) {
                Ok(()) => return Ok(Ok(())),
                Err(error) => error,
            };
            match (fault_of(&error), error) {
                (Fault::Lost, error) => {
                    let looked = self
                        .renew(deadline.max(Instant::now() + LOOK_UP))
                        .and_then(|()| is_done(&mut self.conn));
                    if looked.context("the server's answer never came: whether it was done is unknown")? {
                        return Ok(Ok(()));
                    }
                    if Instant::now() >= deadline {
                        return Err(error).context("nothing was changed; the server's answers never come");
                    }
                }
                (Fault::Busy, _) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                (_, mysql::Error::MySqlError(refusal)) => return Ok(Err(refusal)),
                (_, error) => return Err(error.into()),
            }
        }
    }

    /// Replaces a lost session by a new one with its locks. The lost one's transaction has ended by then.
    fn renew(&mut self, deadline: Instant) -> Result<()> {
        let lost = self.conn.connection_id();
        self.conn = loop {
            match connect::open(&self.database, connect::READ_TIMEOUT) {
                Ok(conn) => break conn,
                Err(error) if Instant::now() >= deadline => {
                    return Err(error.context("the connection was lost and did not come back"));
                }
                Err(_) => std::thread::sleep(PAUSE),
            }
        };
        end_session(&mut self.conn, &self.own, lost)?;
        self.take_own_lock()?;
        for name in &self.locks {
            if !get_lock(&mut self.conn, name, END_WAIT)? {
                bail!("the connection was lost, and another run has taken the lock");
            }
        }
        Ok(())
    }

    fn take_own_lock(&mut self) -> Result<()> {
        if get_lock(&mut self.conn, &self.own, END_WAIT)? {
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

/// A lock name that no other session has, made of host, process and number.
fn own_name(database: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let now = chrono::Utc::now().timestamp_micros();
    lock_name(
        database,
        &format!("\0session {host} {} {number} {now}", std::process::id()),
    )
}

fn fault(error: &anyhow::Error) -> Fault {
    error
        .downcast_ref::<mysql::Error>()
        .map_or(Fault::Fatal, fault_of)
}

fn with_lock_advice(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<mysql::Error>().map(lock_advice) {
        None | Some("") => error,
        Some(advice) => error.context(format!("nothing was changed{advice}")),
    }
}
