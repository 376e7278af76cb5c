//! `lakectl init-db` creates the schema, prints it, or compares it with the live one.

use anyhow::{Context, Result, bail};
use mysql::Conn;
use mysql::prelude::Queryable;
use serde::Serialize;
use std::fmt::Write;
use std::time::{Duration, Instant};

use super::drift::Drift;
use super::migrations::Migration;
use super::{drift, migrations};
use crate::config::Database;
use crate::exit;
use crate::problem::Problem;
use crate::warehouse::server::connect::{self, Flavor, Server};
use crate::warehouse::server::error_class::{Fault, fault_of, server_error};
use crate::warehouse::server::identifier::quote;
use crate::warehouse::server::locked_session::{end_session, get_lock, lock_name};
use crate::warehouse::server::statement::LOOK_UP;

/// How long to wait for another init-db to end.
const LOCK_WAIT: Duration = Duration::from_secs(60);
const AGAIN: &str = "run init-db again";
/// The pause between two attempts to connect again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// What init-db is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitDbMode {
    /// Create what is missing.
    Apply,
    /// Say what would be created.
    Preview,
    /// Compare what is there.
    Check,
    /// Give the SQL, and ask no server.
    Print,
}

/// What init-db did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InitDbOutcome {
    /// `mysql://user@host:port/database`; None if no server was asked.
    pub database: Option<String>,
    /// Whether the database itself was (with --dry-run: would be) created.
    pub created: bool,
    /// Migrations that were (with --dry-run: would be) applied, in order.
    pub applied: Vec<String>,
    /// With --check: what differs from this lakectl's schema, one line each.
    pub drifts: Vec<String>,
    /// With --print: the SQL; with --dry-run: the statements that would be executed.
    pub sql: Option<String>,
    /// Text for people.
    pub lines: Vec<String>,
    /// 3 on drift, else 0.
    #[serde(skip)]
    pub exit_code: u8,
}

/// Creates the database and its tables if they are missing. It is safe at any time, and several may run at once.
///
/// # Errors
/// No database configured (exit code 2), unreachable, or not allowed to.
pub fn init_db(database: Option<&Database>, mode: InitDbMode) -> Result<InitDbOutcome> {
    init_db_within(database, mode, LOCK_WAIT)
}

/// The same; `patience` is how long statements are repeated whose connection is lost.
///
/// # Errors
/// As [`init_db`].
pub fn init_db_within(
    database: Option<&Database>,
    mode: InitDbMode,
    patience: Duration,
) -> Result<InitDbOutcome> {
    if mode == InitDbMode::Print {
        return Ok(print(database));
    }
    let database = Database::configured(database)?;
    let outcome = match mode {
        InitDbMode::Apply | InitDbMode::Print => apply(database, patience),
        InitDbMode::Check => {
            let (mut conn, server) = connect::open_server(database)?;
            check(&mut conn, &server, database).map_err(|error| connect::with_loss(error, database))
        }
        InitDbMode::Preview => {
            let (mut conn, server) = connect::open_server(database)?;
            preview(&mut conn, &server, database).map_err(|error| connect::with_loss(error, database))
        }
    };
    outcome.with_context(|| database.shown())
}

fn print(database: Option<&Database>) -> InitDbOutcome {
    let mut sql = String::from(
        "-- The schema of lakectl's warehouse. On MariaDB write utf8mb4_nopad_bin for utf8mb4_0900_bin.\n\n",
    );
    if let Some(database) = database {
        let name = quote(&database.name);
        let _ = writeln!(
            sql,
            "CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4;\nUSE {name};\n"
        );
    }
    for migration in migrations::MIGRATIONS {
        let _ = writeln!(sql, "-- {}", migration.name);
        sql.push_str(
            &migration
                .file
                .replace("{key_collation}", Flavor::MySql.key_collation()),
        );
        let _ = writeln!(
            sql,
            "INSERT IGNORE INTO lakectl_migrations (version, name) VALUES ({}, '{}');\n",
            migration.version, migration.name
        );
    }
    InitDbOutcome {
        lines: vec![sql.trim_end().to_owned()],
        sql: Some(sql),
        ..InitDbOutcome::default()
    }
}

fn check(conn: &mut Conn, server: &Server, database: &Database) -> Result<InitDbOutcome> {
    let drifts: Vec<String> = if enter(conn, database)? {
        drift::find(conn, server.flavor)?
            .iter()
            .map(Drift::to_string)
            .collect()
    } else {
        vec![format!("database `{}` does not exist", database.name)]
    };
    let mut lines = drifts.clone();
    lines.push(match drifts.len() {
        0 => format!("{}: the schema is as it should be", database.shown()),
        count => format!("{}: {count} differences", database.shown()),
    });
    Ok(InitDbOutcome {
        database: Some(database.shown()),
        exit_code: if drifts.is_empty() {
            exit::DONE
        } else {
            exit::ATTENTION
        },
        drifts,
        lines,
        ..InitDbOutcome::default()
    })
}

fn preview(conn: &mut Conn, server: &Server, database: &Database) -> Result<InitDbOutcome> {
    let (exists, pending) = look(conn, server, database)?;
    let mut outcome = InitDbOutcome {
        database: Some(database.shown()),
        created: !exists,
        ..InitDbOutcome::default()
    };
    let mut sql = String::new();
    if !exists {
        let _ = writeln!(sql, "{};", create_database(database));
        outcome
            .lines
            .push(format!("would create database `{}`", database.name));
    }
    for migration in pending {
        outcome.lines.push(format!("would apply {}", migration.name));
        outcome.applied.push(migration.name.to_owned());
        for statement in migration.statements(server.flavor) {
            if !exists || migrations::needs(conn, &statement)? {
                let _ = writeln!(sql, "{};", statement.sql);
            }
        }
    }
    if outcome.lines.is_empty() {
        outcome.lines.push(up_to_date(database));
    }
    outcome.sql = Some(sql);
    Ok(outcome)
}

/// Whether the database exists, and which migrations it lacks.
fn look(conn: &mut Conn, server: &Server, database: &Database) -> Result<(bool, Vec<&'static Migration>)> {
    Ok(match enter(conn, database)? {
        true => (true, migrations::pending(conn, server.flavor)?),
        false => (false, migrations::MIGRATIONS.iter().collect()),
    })
}

/// Before each statement it looks at what exists, so a statement whose answer never came is not done twice.
fn apply(database: &Database, patience: Duration) -> Result<InitDbOutcome> {
    let deadline = Instant::now() + patience;
    let (mut conn, server) = connect::open_patiently(database)?;
    take_lock(&mut conn, database)?;
    let (exists, pending) =
        look(&mut conn, &server, database).map_err(|error| connect::with_loss(error, database))?;
    while let Err(error) = apply_to(&mut conn, &server, database) {
        if !is_lost(&error) {
            return Err(error);
        }
        let again = reconnect(database, &conn, deadline.max(Instant::now() + LOOK_UP));
        conn = match again {
            Ok(conn) => conn,
            Err(why) => {
                let told = format!(
                    "the server's answer never came, and it could not be asked whether this was done ({why:#})"
                );
                return Err(Problem::new(told).fix(AGAIN).caused_by(error));
            }
        };
        if Instant::now() >= deadline {
            settle(&mut conn, &server, database, error)?;
        }
    }
    Ok(done(database, exists, &pending))
}

fn done(database: &Database, existed: bool, applied: &[&'static Migration]) -> InitDbOutcome {
    let created = (!existed).then(|| format!("created database `{}`", database.name));
    let lines = applied
        .iter()
        .map(|migration| format!("applied {}", migration.name));
    let mut lines: Vec<String> = created.into_iter().chain(lines).collect();
    if lines.is_empty() {
        lines.push(up_to_date(database));
    }
    InitDbOutcome {
        database: Some(database.shown()),
        created: !existed,
        applied: applied
            .iter()
            .map(|migration| migration.name.to_owned())
            .collect(),
        lines,
        ..InitDbOutcome::default()
    }
}

/// Takes init-db's lock, which ends with the connection.
pub(super) fn take_lock(conn: &mut Conn, database: &Database) -> Result<()> {
    if get_lock(conn, &lock(database), LOCK_WAIT)? {
        Ok(())
    } else {
        bail!("another init-db has been at it for {} s", LOCK_WAIT.as_secs())
    }
}

fn lock(database: &Database) -> String {
    lock_name(&database.name, "\0init-db")
}

/// Replaces a lost session, which is ended: a statement that was given up must not take effect later.
fn reconnect(database: &Database, lost: &Conn, until: Instant) -> Result<Conn> {
    loop {
        let renewed = connect::open_patiently(database).and_then(|(mut conn, _)| {
            end_session(&mut conn, &lock(database), lost.connection_id())?;
            take_lock(&mut conn, database)?;
            Ok(conn)
        });
        match renewed {
            Err(_) if Instant::now() < until => std::thread::sleep(RECONNECT_PAUSE),
            renewed => return renewed,
        }
    }
}

/// After the last attempt: what the lost statement was to make is there, or the error says that it is not.
fn settle(conn: &mut Conn, server: &Server, database: &Database, lost: anyhow::Error) -> Result<()> {
    let missing = match enter(conn, database)? {
        true => migrations::missing(conn, server.flavor)?,
        false => vec![format!("database `{}`", database.name)],
    };
    if missing.is_empty() {
        return apply_to(conn, server, database);
    }
    let told = format!(
        "the connection was lost, and its session has ended; not made yet: {}",
        missing.join(", ")
    );
    Err(Problem::new(told).fix(AGAIN).caused_by(lost))
}

fn apply_to(conn: &mut Conn, server: &Server, database: &Database) -> Result<()> {
    if !enter(conn, database)? {
        create(conn, database)?;
        enter(conn, database)?;
    }
    migrations::apply(conn, server.flavor)
}

fn is_lost(error: &anyhow::Error) -> bool {
    server_error(error).is_some_and(|error| fault_of(error) == Fault::Lost)
}

fn up_to_date(database: &Database) -> String {
    format!("{}: nothing to do, the schema is up to date", database.shown())
}

/// Selects the database; false if it does not exist.
pub(super) fn enter(conn: &mut Conn, database: &Database) -> Result<bool> {
    match conn.query_drop(format!("USE {}", quote(&database.name))) {
        Ok(()) => Ok(true),
        Err(mysql::Error::MySqlError(error)) if error.code == 1049 => Ok(false),
        // To an account without a right on it, the server does not even show whether it exists.
        Err(mysql::Error::MySqlError(error)) if error.code == 1044 => Err(not_allowed(database)),
        Err(error) => Err(error).context("USE"),
    }
}

fn create_database(database: &Database) -> String {
    format!(
        "CREATE DATABASE IF NOT EXISTS {} CHARACTER SET utf8mb4",
        quote(&database.name)
    )
}

fn create(conn: &mut Conn, database: &Database) -> Result<()> {
    match conn.query_drop(create_database(database)) {
        Err(mysql::Error::MySqlError(error)) if error.code == 1044 => Err(not_allowed(database)),
        other => other.context("CREATE DATABASE"),
    }
}

fn not_allowed(database: &Database) -> anyhow::Error {
    let (name, user) = (quote(&database.name), database.user());
    Problem::new(format!(
        "database {name} is missing or closed to user `{user}`, who may not create it"
    ))
    .fix(format!(
        "an administrator can: CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4; GRANT ALL ON {name}.* TO \
         '{user}'@'…'"
    ))
    .into()
}
