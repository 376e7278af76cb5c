//! A table's name as the server spells it: a configuration may spell it otherwise where the server ignores case, and what
//! we keep in our own tables stands under the server's spelling.

use anyhow::{Context, Result};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::collections::BTreeSet;

use crate::warehouse::govern::cutoffs;
use crate::warehouse::load::{progress, rejects};
use crate::warehouse::server::connect::Server;

/// None where there is no such table.
pub(in crate::warehouse) fn existing(conn: &mut Conn, table: &str) -> Result<Option<String>> {
    conn.exec_first(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
        (table,),
    )
    .context("looking for the table")
}

/// The spellings that something of the table may be kept under: usually one. A table that is gone may have left more than
/// the name it would have today.
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

/// Whether both name one table.
pub fn is_same(ignores_case: bool, one: &str, other: &str) -> bool {
    if ignores_case {
        one.to_lowercase() == other.to_lowercase()
    } else {
        one == other
    }
}

/// What is equal for all spellings of one table.
pub(in crate::warehouse) fn folded(server: &Server, table: &str) -> String {
    if server.ignores_case {
        table.to_lowercase()
    } else {
        table.to_owned()
    }
}
