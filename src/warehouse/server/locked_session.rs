//! The one session of a load, purge or erasure: it holds the table's lock, and takes it again after a lost connection.

use anyhow::{Context, Result, bail};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_128;

use super::connect::{self, Server};
use super::error_class::lock_advice;
use crate::config::Database;

/// How long a transaction is retried after lock waits and lost connections.
pub(in crate::warehouse) const PATIENCE: Duration = Duration::from_secs(60);

/// One GET_LOCK waits at most this long: the read timeout must never end it.
const LOCK_STEP: Duration = Duration::from_secs(5);
/// How long a server may take to end a session that nothing depends on.
const ABANDON_WAIT: Duration = Duration::from_secs(5);
/// ER_NO_SUCH_THREAD: the session has just ended.
const NO_SUCH_THREAD: u16 = 1094;

/// A session that holds a lock; the lock ends with the session.
pub(in crate::warehouse) struct Link {
    database: Database,
    pub server: Server,
    pub conn: Conn,
    pub(super) table: String,
    lock: String,
    /// The id of the session that took the lock last.
    holder: u32,
    read_timeout: Duration,
}

impl Link {
    pub fn new(database: &Database, server: &Server, conn: Conn, table: &str) -> Link {
        Link {
            database: database.clone(),
            server: server.clone(),
            holder: conn.connection_id(),
            conn,
            table: table.to_owned(),
            lock: lock_name(&database.name, table),
            read_timeout: connect::READ_TIMEOUT,
        }
    }

    /// For a session that was opened for long statements: later sessions of this link allow them too.
    pub fn patient(self) -> Link {
        Link {
            read_timeout: connect::LONG_TIMEOUT,
            ..self
        }
    }

    /// Takes the lock, waiting up to `wait`. Returns whether it got it.
    pub fn lock(&mut self, wait: Duration) -> Result<bool> {
        let got = get_lock(&mut self.conn, &self.lock, wait)?;
        if got {
            self.holder = self.conn.connection_id();
        }
        Ok(got)
    }

    /// Replaces a lost session by a new one that holds the lock. The lost one's transaction has ended by then, because a
    /// session releases its lock after that. Tries until `deadline`.
    pub fn reconnect(&mut self, deadline: Instant) -> Result<()> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.try_reconnect(left) {
                Ok(true) => return Ok(()),
                Ok(false) => bail!("{}: the lock is held by another run", self.database.shown()),
                Err(error) if left.is_zero() || crate::exit::code_of(&error) == crate::exit::USAGE => {
                    return Err(error.context("the connection was lost and did not come back"));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(500).min(left)),
            }
        }
    }

    /// Replaces the session by one that allows long statements and holds the lock. In between another run may take it.
    pub fn reopen(&mut self, read_timeout: Duration) -> Result<()> {
        self.read_timeout = read_timeout;
        // Ends it first, because the account may have no second session left. The answer is always an error.
        let _ = self.conn.query_drop("KILL CONNECTION_ID()");
        if self.try_reconnect(LOCK_STEP)? {
            Ok(())
        } else {
            bail!("{}: another run took the lock", self.database.shown())
        }
    }

    /// What to do about an error, if anything is known.
    pub fn remedy(&self, whole: &mysql::Error) -> Option<String> {
        let (user, name) = (self.database.user(), &self.database.name);
        let mysql::Error::MySqlError(error) = whole else {
            return None;
        };
        Some(match error.code {
            // Only a rebuild's temporary table needs a right on the whole database.
            1044 => format!(
                "a rebuild needs a temporary table, and user `{user}` may not create one: \
                 GRANT CREATE TEMPORARY TABLES ON `{name}`.* TO '{user}'@'…'"
            ),
            1142 | 1143 => format!(
                "user `{user}` lacks a right on a table: \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON `{name}`.* TO '{user}'@'…'"
            ),
            // A row of its own that a foreign key keeps is rejected; this is about the rows that a rebuild removes together.
            1217 | 1451 => "rows of another table refer to rows whose records the topic no longer has: rebuild the other \
                 table first, or delete these rows"
                .to_owned(),
            1290 | 1792 | 1836 => "the server accepts no changes: is it a replica, or set to read_only? \
                 warehouse.url must name the server that is written to"
                .to_owned(),
            _ => lock_advice(whole)?.to_owned(),
        })
    }

    /// Releases the lock at once; the server may notice the end of the session a little later.
    pub fn release(&mut self) {
        // If the first fails, the session is lost, and its end does the same.
        if self.conn.query_drop("ROLLBACK").is_ok() {
            let _ = self.conn.exec_drop("DO RELEASE_LOCK(?)", (&self.lock,));
        }
    }

    /// Ends a session that was given up and may still be running something. Best effort: nothing depends on it.
    pub fn abandon(&self) {
        if let Ok((mut conn, _)) = connect::open_briefly(&self.database, ABANDON_WAIT) {
            let _ = end_session(&mut conn, &self.lock, self.holder);
        }
    }

    fn try_reconnect(&mut self, wait: Duration) -> Result<bool> {
        self.conn = connect::open(&self.database, self.read_timeout)?;
        // A server that has not noticed the loss yet still holds the lock for the old session.
        end_session(&mut self.conn, &self.lock, self.holder)?;
        self.lock(wait.max(LOCK_STEP))
    }
}

/// Ends a lost session of lakectl, and with it any statement that it may still execute. It is still that session, and not a
/// later one with the same id, because it holds the lock. Any account may end its own sessions.
pub(in crate::warehouse) fn end_session(conn: &mut Conn, lock: &str, session: u32) -> Result<()> {
    let holder: Option<u64> = conn
        .exec_first("SELECT IS_USED_LOCK(?)", (lock,))
        .context("IS_USED_LOCK")?
        .flatten();
    if holder != Some(u64::from(session)) || session == conn.connection_id() {
        return Ok(());
    }
    match conn.query_drop(format!("KILL {session}")) {
        Err(mysql::Error::MySqlError(error)) if error.code == NO_SUCH_THREAD => Ok(()),
        ended => ended.context("ending the lost session"),
    }
}

/// Waits for a named lock of the server, whose databases share the names. Returns whether it got it.
pub(in crate::warehouse) fn get_lock(conn: &mut Conn, name: &str, wait: Duration) -> Result<bool> {
    let deadline = Instant::now() + wait;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Whole seconds, rounded up; MariaDB and MySQL answer 0 on timeout and NULL on error.
        let seconds = left.min(LOCK_STEP).as_secs_f64().ceil() as u64;
        let got: Option<i64> = conn
            .exec_first("SELECT GET_LOCK(?, ?)", (name, seconds))
            .context("GET_LOCK")?
            .flatten();
        match got {
            Some(1) => return Ok(true),
            None => bail!("GET_LOCK failed on the server"),
            Some(_) if left.is_zero() => return Ok(false),
            Some(_) => {}
        }
    }
}

/// The name of a table's lock: within MySQL's limit of 64 characters, and the same for all spellings by case.
pub(in crate::warehouse) fn lock_name(database: &str, table: &str) -> String {
    let whole = format!("{database}\0{}", table.to_lowercase());
    format!("lakectl:{:032x}", xxh3_128(whole.as_bytes()))
}

/// A name that nothing else has, made of host, process, number and time; as long as a lock's name.
pub(in crate::warehouse) fn unique_name(of: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let now = chrono::Utc::now().timestamp_micros();
    lock_name(of, &format!("\0{host} {} {number} {now}", std::process::id()))
}

/// Says who holds a table's lock.
pub(in crate::warehouse) fn held(table: &str) -> String {
    format!("another run loads or purges table `{table}` (MySQL's GET_LOCK)")
}
