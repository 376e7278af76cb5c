//! Opens sessions, and says in plain words why one could not be opened.

use anyhow::{Context, Result};
use mysql::prelude::Queryable;
use mysql::{Conn, DriverError, Error, OptsBuilder};
use std::time::{Duration, Instant};

use super::error_class::{Fault, PER_HOUR, fault_of, is_crowded};
use super::session_variables;
use crate::config::Database;
use crate::problem::{Problem, unexpected};
use crate::stop::Deadline;
use crate::target::NoRoom;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may be silent before it counts as gone. No ordinary statement should take half as long.
pub(in crate::warehouse) const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// The same for statements that read or write a whole table.
pub(in crate::warehouse) const LONG_TIMEOUT: Duration = Duration::from_secs(30 * 60);
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to retry at a server that has no connection left.
const CROWDED_DEADLINE: Duration = Duration::from_secs(20);
const CROWDED_PAUSE: Duration = Duration::from_millis(500);
/// How long a server may still take to open a session after a signal has come.
const AFTER_SIGNAL: Duration = Duration::from_secs(2);
/// How many sessions the commands want, for messages.
const SESSIONS_WANTED: &str = "a load wants one session for each of its topics, up to 32 at a time, and makes do with one; \
     a purge wants two, all other commands one";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::warehouse) enum Flavor {
    MySql,
    MariaDb,
}

/// What the server can do.
#[derive(Debug, Clone)]
pub(in crate::warehouse) struct Server {
    pub flavor: Flavor,
    version: (u16, u16, u16),
    /// max_allowed_packet: the largest statement or row, in bytes.
    pub packet_max: usize,
    /// lower_case_table_names: `Orders` and `orders` are one table.
    pub ignores_case: bool,
}

impl Server {
    fn read(conn: &mut Conn) -> Result<Server> {
        let (text, packet_max, lower_case): (String, u64, u8) = conn
            .query_first("SELECT VERSION(), @@max_allowed_packet, @@lower_case_table_names")?
            .context("the server does not give its version")?;
        let server = Server {
            flavor: if text.contains("MariaDB") {
                Flavor::MariaDb
            } else {
                Flavor::MySql
            },
            version: parse_version(&text),
            packet_max: usize::try_from(packet_max).unwrap_or(usize::MAX),
            ignores_case: lower_case != 0,
        };
        let oldest = match server.flavor {
            Flavor::MySql => (8, 0, 17),
            Flavor::MariaDb => (10, 5, 0),
        };
        if server.version < oldest {
            return Problem::usage(format!("the server's version is {text}"))
                .fix("lakectl needs MySQL 8.0.17 or MariaDB 10.5, or later")
                .err();
        }
        Ok(server)
    }

    /// Whether it knows `INSERT … AS new ON DUPLICATE KEY UPDATE`; without it VALUES() names the values.
    pub fn has_row_alias(&self) -> bool {
        self.flavor == Flavor::MySql && self.version >= (8, 0, 19)
    }

    /// Whether TIMESTAMP ends in 2106, as since MariaDB 11.5, and not in 2038.
    pub fn has_long_timestamps(&self) -> bool {
        self.flavor == Flavor::MariaDb && self.version >= (11, 5, 0)
    }
}

/// The server's own three version numbers in `8.0.36-0ubuntu0` or `5.5.5-10.11.6-MariaDB-1`.
fn parse_version(text: &str) -> (u16, u16, u16) {
    let text = text.strip_prefix("5.5.5-").unwrap_or(text);
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

/// Opens a session in the database.
pub(in crate::warehouse) fn open(database: &Database, read_timeout: Duration) -> Result<Conn> {
    open_with(database, database.opts(), read_timeout, CROWDED_DEADLINE)
}

/// The same for a session that others of this run may have to make room for: if the server has no session left, it does not
/// wait, and the error is [`NoRoom`].
pub(in crate::warehouse) fn open_if_room(database: &Database, read_timeout: Duration) -> Result<Conn> {
    open_with(database, database.opts(), read_timeout, Duration::ZERO)
}

/// Opens a session on the server, without a database, because it may not exist yet.
pub(in crate::warehouse) fn open_server(database: &Database) -> Result<(Conn, Server)> {
    with_server(database, database.server_opts(), READ_TIMEOUT)
}

/// The same for statements that may take long: an ALTER of a large table.
pub(in crate::warehouse) fn open_patiently(database: &Database) -> Result<(Conn, Server)> {
    with_server(database, database.server_opts(), LONG_TIMEOUT)
}

/// Tries to connect to the database. A server that accepts and then stays silent is noticed within seconds.
pub(in crate::warehouse) fn probe(database: &Database) -> Result<Server> {
    Ok(with_server(database, database.opts(), CONNECT_TIMEOUT)?.1)
}

/// Opens a session that waits for nothing longer than `patience`.
pub(in crate::warehouse) fn open_briefly(database: &Database, patience: Duration) -> Result<(Conn, Server)> {
    let opts = database
        .opts()
        .tcp_connect_timeout(Some(patience))
        .read_timeout(Some(patience))
        .write_timeout(Some(patience));
    let mut conn = open_within(database, opts, patience)?;
    let server = Server::read(&mut conn).with_context(|| database.shown())?;
    Ok((conn, server))
}

fn with_server(database: &Database, opts: OptsBuilder, read_timeout: Duration) -> Result<(Conn, Server)> {
    let mut conn = open_with(database, opts, read_timeout, CROWDED_DEADLINE)?;
    let server = Server::read(&mut conn).with_context(|| database.shown())?;
    Ok((conn, server))
}

fn open_with(
    database: &Database,
    opts: OptsBuilder,
    read_timeout: Duration,
    crowded: Duration,
) -> Result<Conn> {
    let opts = opts
        .tcp_connect_timeout(Some(CONNECT_TIMEOUT))
        .write_timeout(Some(WRITE_TIMEOUT));
    if read_timeout > READ_TIMEOUT {
        // A server that accepts and then stays silent is noticed before a session waits for long.
        open_within(database, opts.clone().read_timeout(Some(READ_TIMEOUT)), crowded)?;
    }
    open_within(database, opts.read_timeout(Some(read_timeout)), crowded)
}

/// Opens a session in a thread, because the driver hears no signal while it waits. After a signal a server that is silent is left
/// to that thread.
fn open_within(database: &Database, opts: OptsBuilder, crowded: Duration) -> Result<Conn> {
    let theirs = database.clone();
    let deadline = Deadline::of(LONG_TIMEOUT, AFTER_SIGNAL);
    let opened = database
        .stop()
        .hearing("connect", deadline, move || open_ours(&theirs, opts, crowded))?;
    opened.unwrap_or_else(|| match database.stop().signal() {
        Some(_) => Problem::new(format!(
            "stopped by a signal before {} had answered",
            database.shown()
        ))
        .err(),
        None => Err(unexpected("connecting failed unexpectedly")),
    })
}

/// Connects, and makes the session lakectl's own. If the server has no session left, it tries again until `crowded` is over.
fn open_ours(database: &Database, opts: OptsBuilder, crowded: Duration) -> Result<Conn> {
    let opts = opts.stmt_cache_size(64);
    let deadline = Instant::now() + crowded;
    let mut conn = loop {
        match Conn::new(opts.clone()) {
            Ok(conn) => break conn,
            Err(error) if is_crowded(&error) && Instant::now() < deadline => {
                std::thread::sleep(CROWDED_PAUSE);
            }
            Err(error) => return Err(explain(error, database)),
        }
    };
    session_variables::set(&mut conn).map_err(|error| match error {
        Error::MySqlError(refusal) => session_variables::refused(&refusal).context(database.shown()),
        lost => explain(lost, database),
    })?;
    let read_back = session_variables::read_back(&mut conn).map_err(|error| explain(error, database))?;
    session_variables::check(read_back).with_context(|| database.shown())?;
    Ok(conn)
}

/// Says where and what to do if a lost connection has ended something that changes nothing.
pub(in crate::warehouse) fn with_loss(error: anyhow::Error, database: &Database) -> anyhow::Error {
    let is_loss = |cause: &Error| fault_of(cause) == Fault::Lost;
    if !error
        .chain()
        .any(|cause| cause.downcast_ref().is_some_and(is_loss))
    {
        return error;
    }
    error.context(
        Problem::new(format!("the connection to {} was lost", database.shown())).fix(
            "nothing was changed by this; the server's log says whether it ended the session or went down; if it did \
             neither, something in between ends sessions that are silent for long; then run again",
        ),
    )
}

const PASSWORD_FIX: &str = "look at LAKECTL_WAREHOUSE_PASSWORD or warehouse.password_file";

fn refused(database: &Database) -> String {
    format!(
        "{}: the server refuses user `{}`: wrong user or password",
        database.shown(),
        database.user()
    )
}

/// Explains a failed connection and says what to do. The server's messages never hold a password.
fn explain(error: Error, database: &Database) -> anyhow::Error {
    let shown = database.shown();
    match &error {
        Error::MySqlError(server) => match server.code {
            // The error is the same for an account with REQUIRE SSL, and for MariaDB's require_secure_transport.
            1045 | 1698 if !database.is_encrypted() => {
                Problem::new(format!("{}, or the account wants TLS", refused(database)))
                    .fix(format!(
                        "{PASSWORD_FIX}; for TLS set warehouse.tls = \"required\""
                    ))
                    .into()
            }
            1045 | 1698 => Problem::new(refused(database)).fix(PASSWORD_FIX).into(),
            1044 => Problem::new(format!(
                "{shown}: user `{}` has no rights on database `{}`",
                database.user(),
                database.name
            ))
            .fix(format!(
                "an administrator can give them: GRANT ALL ON `{}`.* TO '{}'@'…'",
                database.name,
                database.user()
            ))
            .into(),
            _ if is_crowded(&error) => NoRoom(
                Problem::new(format!(
                    "{shown}: no session is left for user `{}`: {}",
                    database.user(),
                    server.message
                ))
                .fix(format!(
                    "let other sessions end, or have max_connections (of the server) or MAX_USER_CONNECTIONS \
                     (of the account: ALTER USER) raised; {SESSIONS_WANTED}"
                )),
            )
            .into(),
            1226 => Problem::new(format!("{shown}: {}", server.message))
                .fix(PER_HOUR)
                .into(),
            1049 => Problem::usage(format!("{shown}: there is no database `{}`", database.name))
                .fix("run: lakectl init-db")
                .into(),
            // By its text, because MariaDB has another number for it.
            _ if server.message.contains("insecure transport") => Problem::new(format!(
                "{shown}: the server accepts encrypted connections only"
            ))
            .fix(
                "set warehouse.tls = \"required\", and warehouse.tls_ca_file if its certificate is from a CA \
                 of your own",
            )
            .into(),
            _ => anyhow::Error::new(error).context(format!("{shown}: cannot log in")),
        },
        // For an unknown user MySQL asks for some random method, so that nobody can find out which users exist.
        Error::DriverError(DriverError::UnknownAuthPlugin(method)) => Problem::new(format!(
            "{}, or the account wants {method}, which lakectl does not speak",
            refused(database)
        ))
        .fix(format!(
            "{PASSWORD_FIX}; for another method: ALTER USER '{}'@'…' IDENTIFIED WITH caching_sha2_password \
             BY '…'",
            database.user()
        ))
        .into(),
        Error::TlsError(_) => Problem::new(format!("{shown}: no encrypted connection: {error}"))
            .fix(
                "set warehouse.tls_ca_file to the server's CA, or warehouse.tls = \"off\" if the network is \
                 trusted",
            )
            .into(),
        Error::DriverError(DriverError::TlsNotSupported) => {
            Problem::new(format!("{shown}: the server does not support TLS"))
                .fix("turn it on there, or set warehouse.tls = \"off\" if the network is trusted")
                .into()
        }
        // The certificate is only checked when the first bytes are read, so the driver does not see this as a TLS error.
        Error::CodecError(_) | Error::IoError(_) if error.to_string().contains("peer certificate") => {
            let text = error.to_string();
            let why = text.split("peer certificate: ").nth(1).unwrap_or(&text);
            let remedy = if why.contains("not valid for name") {
                "name the server in warehouse.url as its certificate does"
            } else {
                "set warehouse.tls_ca_file to the CA that has signed it"
            };
            let why = why.trim_end_matches([' ', '}', '\'']);
            let what = format!("{shown}: the server's certificate can't be trusted: {why}");
            Problem::new(what).fix(remedy).into()
        }
        error if is_timeout(error) => unreachable(&shown, "no answer"),
        Error::IoError(io) => unreachable(&shown, &io.to_string()),
        Error::DriverError(DriverError::CouldNotConnect(Some((_, why, _)))) => unreachable(&shown, why),
        Error::DriverError(DriverError::ConnectTimeout | DriverError::CouldNotConnect(None)) => {
            unreachable(&shown, "no answer")
        }
        _ => anyhow::Error::new(error).context(format!("{shown}: cannot connect")),
    }
}

/// Whether a read ended in its timeout.
fn is_timeout(error: &Error) -> bool {
    let io = match error {
        Error::IoError(io) => Some(io),
        Error::CodecError(codec) => {
            std::error::Error::source(codec).and_then(|cause| cause.downcast_ref::<std::io::Error>())
        }
        _ => None,
    };
    io.is_some_and(|io| {
        matches!(
            io.kind(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        )
    })
}

fn unreachable(shown: &str, why: &str) -> anyhow::Error {
    Problem::new(format!("cannot reach {shown}: {why}"))
        .fix(
            "is MySQL running there, and is the address right (warehouse.url, LAKECTL_WAREHOUSE_URL or --url)?",
        )
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_version("9.7.4-2"), (9, 7, 4));
        assert_eq!(parse_version("8.0.36-0ubuntu0.22.04.1"), (8, 0, 36));
        assert_eq!(parse_version("5.5.5-10.11.6-MariaDB-1:10.11.6"), (10, 11, 6));
        assert_eq!(parse_version("?"), (0, 0, 0));
    }
}
