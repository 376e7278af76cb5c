//! Migrations: the schema files are applied in order, and each is recorded once all its statements are done.

use anyhow::{Context, Result};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::time::{Duration, Instant};

use super::schema_files::{self, Guard, Statement};
use crate::problem::Problem;
use crate::warehouse::server::connect::Flavor;
use crate::warehouse::server::error_class::{Fault, fault_of, lock_advice};

/// How long to wait for locks on tables, in total.
const LOCKS_DEADLINE: Duration = Duration::from_secs(60);
/// The pause in which sessions that queued behind the waiting ALTER get their turn.
const PAUSE: Duration = Duration::from_secs(1);

/// One file of schema/, embedded in the binary.
#[derive(Debug, Clone, Copy)]
pub(in crate::warehouse) struct Migration {
    pub version: u32,
    pub name: &'static str,
    pub file: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),* $(,)?) => {
        [$(Migration {
            version: $version,
            name: $name,
            file: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/", $name, ".sql")),
        }),*]
    };
}

/// The migrations in their order. A released one is never changed; changes come as another one after it.
pub(super) const MIGRATIONS: &[Migration] = &migrations![
    0 "000_migrations",
    1 "001_progress",
    2 "002_tables",
    3 "003_user_permissions",
    4 "004_governance",
    5 "005_cutoffs",
    6 "006_erasures",
    7 "007_first_drain",
    8 "008_last_change",
];

impl Flavor {
    /// The collation that compares byte for byte, trailing blanks included, which utf8mb4_bin would ignore.
    pub(super) fn key_collation(self) -> &'static str {
        match self {
            Flavor::MySql => "utf8mb4_0900_bin",
            Flavor::MariaDb => "utf8mb4_nopad_bin",
        }
    }
}

impl Migration {
    pub fn statements(&self, flavor: Flavor) -> Vec<Statement> {
        schema_files::statements(self.file, flavor.key_collation())
    }
}

/// Every statement of every migration.
pub(super) fn all_statements(flavor: Flavor) -> Vec<Statement> {
    MIGRATIONS
        .iter()
        .flat_map(|migration| migration.statements(flavor))
        .collect()
}

/// The migrations that are not recorded in the session's database yet.
///
/// # Errors
/// A later version of lakectl has applied further migrations.
pub(super) fn unrecorded(conn: &mut Conn) -> Result<Vec<&'static Migration>> {
    let recorded: Vec<u32> = if exists(conn, &Guard::Table("lakectl_migrations".to_owned()))? {
        conn.query("SELECT version FROM lakectl_migrations")?
    } else {
        Vec::new()
    };
    let known = MIGRATIONS.last().map_or(0, |migration| migration.version);
    if let Some(newer) = recorded.iter().find(|&&version| version > known) {
        return Problem::new(format!(
            "the schema is from a later lakectl (migration {newer}, this one has {known})"
        ))
        .fix("upgrade lakectl")
        .err();
    }
    Ok(MIGRATIONS
        .iter()
        .filter(|migration| !recorded.contains(&migration.version))
        .collect())
}

/// The migrations to apply: those that are not recorded, and those whose tables, columns or indexes are missing.
///
/// # Errors
/// As [`unrecorded`].
pub(in crate::warehouse) fn pending(conn: &mut Conn, flavor: Flavor) -> Result<Vec<&'static Migration>> {
    let unrecorded = unrecorded(conn)?;
    let mut pending = Vec::new();
    for migration in MIGRATIONS {
        let new = unrecorded.iter().any(|other| other.version == migration.version);
        if new || is_torn(conn, migration, flavor)? {
            pending.push(migration);
        }
    }
    Ok(pending)
}

/// Whether a table, a column or an index that a recorded migration had created is gone.
fn is_torn(conn: &mut Conn, migration: &Migration, flavor: Flavor) -> Result<bool> {
    for statement in migration.statements(flavor) {
        if statement.unless.is_some() && needs(conn, &statement)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What pending migrations have still to make.
pub(super) fn missing(conn: &mut Conn, flavor: Flavor) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for migration in pending(conn, flavor)? {
        for statement in migration.statements(flavor) {
            if needs(conn, &statement)? {
                missing.push(format!(
                    "migration {}: {}",
                    migration.name,
                    first_line(&statement)
                ));
            }
        }
    }
    Ok(missing)
}

/// Applies pending migrations under the caller's lock.
///
/// DDL commits implicitly. After a kill before the record is written, the next run finds the statements done already.
pub(in crate::warehouse) fn apply(conn: &mut Conn, flavor: Flavor) -> Result<()> {
    if flavor == Flavor::MariaDb {
        // Without it every update would silently change the first TIMESTAMP of a table.
        conn.query_drop("SET SESSION explicit_defaults_for_timestamp = 1")
            .context("SET explicit_defaults_for_timestamp")?;
    }
    let deadline = Instant::now() + LOCKS_DEADLINE;
    for migration in pending(conn, flavor)? {
        for statement in migration.statements(flavor) {
            if needs(conn, &statement)? {
                execute(conn, &statement, deadline)
                    .with_context(|| format!("migration {}: {}", migration.name, first_line(&statement)))?;
            }
        }
        conn.exec_drop(
            "INSERT IGNORE INTO lakectl_migrations (version, name) VALUES (?, ?)",
            (migration.version, migration.name),
        )
        .with_context(|| format!("recording migration {}", migration.name))?;
    }
    Ok(())
}

fn first_line(statement: &Statement) -> String {
    statement.sql.lines().next().unwrap_or_default().to_owned()
}

/// Waits for sessions that use the table, in several short waits, because sessions that come after a waiting ALTER wait as well.
fn execute(conn: &mut Conn, statement: &Statement, deadline: Instant) -> Result<()> {
    loop {
        match conn.query_drop(&statement.sql) {
            Err(error) if fault_of(&error) == Fault::Busy && Instant::now() < deadline => {
                std::thread::sleep(PAUSE);
            }
            Err(error) => {
                return Err(match lock_advice(&error) {
                    None => error.into(),
                    Some(advice) => Problem::new("not done").fix(advice).caused_by(error),
                });
            }
            Ok(()) => return Ok(()),
        }
    }
}

/// Whether the thing that a statement creates is still missing.
pub(in crate::warehouse) fn needs(conn: &mut Conn, statement: &Statement) -> Result<bool> {
    match &statement.unless {
        Some(guard) => Ok(!exists(conn, guard)?),
        None => Ok(true),
    }
}

fn exists(conn: &mut Conn, guard: &Guard) -> Result<bool> {
    let found: Option<u8> = match guard {
        Guard::Table(table) => conn.exec_first(
            "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
            (table,),
        ),
        Guard::Column { table, column } => conn.exec_first(
            "SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? \
             AND COLUMN_NAME = ?",
            (table, column),
        ),
        Guard::Index { table, index } => conn.exec_first(
            "SELECT 1 FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? \
             AND INDEX_NAME = ? LIMIT 1",
            (table, index),
        ),
    }
    .context("looking at information_schema")?;
    Ok(found.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_as_listed_and_every_statement_is_guarded() {
        assert!(MIGRATIONS.is_sorted_by(|one, next| one.version < next.version));
        for migration in MIGRATIONS {
            let number = format!("{:03}_", migration.version);
            assert!(migration.name.starts_with(&number), "{}", migration.name);
            for statement in migration.statements(Flavor::MariaDb) {
                assert!(statement.unless.is_some(), "{}", statement.sql);
                assert!(!statement.sql.contains('{'), "{}", statement.sql);
                assert!(statement.sql.contains("ENGINE = InnoDB"), "{}", statement.sql);
            }
        }
    }

    #[test]
    fn every_table_has_a_primary_key() {
        let shapes = schema_files::shapes(&all_statements(Flavor::MySql));
        for (table, shape) in &shapes {
            assert!(!shape.primary_key.is_empty(), "{table}");
        }
        assert_eq!(
            shapes["lakectl_rejects"].columns["partition"],
            ("int".to_owned(), false)
        );
        assert_eq!(shapes["transaction_lifecycle"].indexes.len(), 1);
    }
}
