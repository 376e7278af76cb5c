//! Checks lakectl's own tables, without which nothing is loaded or deleted.

use anyhow::{Context, Result};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::collections::BTreeSet;

use super::{cutoffs, first_drain, progress, rejects};
use crate::config::Database;
use crate::problem::Problem;
use crate::warehouse::server::connect::Server;
use crate::warehouse::server::statement;
use crate::warehouse::server::table_name::{existing, is_same};

/// # Errors
/// A table is missing or is not InnoDB's: exit code 2.
pub(in crate::warehouse) fn check_own_tables(conn: &mut Conn, database: &Database) -> Result<()> {
    for table in [
        progress::TABLE,
        rejects::TABLE,
        cutoffs::TABLE,
        first_drain::TABLE,
        statement::TABLE,
    ] {
        let engine: Option<String> = conn
            .exec_first(
                "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
                (table,),
            )
            .context("looking for lakectl's own tables")?;
        match engine.as_deref() {
            Some("InnoDB") => {}
            Some(engine) => {
                return Problem::usage(format!("table `{table}` has engine {engine}"))
                    .fix(format!("run: ALTER TABLE `{table}` ENGINE = InnoDB"))
                    .err();
            }
            None => {
                return Problem::usage(format!("database `{}` has no table `{table}` yet", database.name))
                    .fix("run: lakectl init-db")
                    .err();
            }
        }
    }
    Ok(())
}

/// The spellings of a table's name in lakectl's own tables: usually one. A table that is gone may have left several.
pub(in crate::warehouse) fn kept_under(
    conn: &mut Conn,
    server: &Server,
    table: &str,
) -> Result<BTreeSet<String>> {
    let mut spellings = BTreeSet::from([table.to_owned()]);
    if server.ignores_case {
        spellings.extend(existing(conn, table)?);
        let known: Vec<String> = conn
            .query(format!(
                "SELECT table_name FROM {} UNION SELECT table_name FROM {} UNION SELECT table_name FROM {}",
                progress::TABLE,
                rejects::TABLE,
                cutoffs::TABLE
            ))
            .context("reading which tables were loaded")?;
        let same = known
            .into_iter()
            .filter(|known| is_same(server.ignores_case, known, table));
        spellings.extend(same);
    }
    Ok(spellings)
}
