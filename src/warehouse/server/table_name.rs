//! A table's name as the server spells it: a configuration may spell it otherwise where the server ignores case, and what
//! we keep in our own tables stands under the server's spelling.

use anyhow::{Context, Result};
use mysql::Conn;
use mysql::prelude::Queryable;

use super::connect::Server;

/// None where there is no such table.
pub(in crate::warehouse) fn existing(conn: &mut Conn, table: &str) -> Result<Option<String>> {
    conn.exec_first(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
        (table,),
    )
    .context("looking for the table")
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
