//! A table's name as the server spells it. If the server ignores case, the configuration may spell it differently; lakectl's
//! own tables use the server's spelling.

use anyhow::{Context, Result};
use mysql::Conn;
use mysql::prelude::Queryable;

use super::connect::Server;

/// The table's name as the server spells it; None if there is no such table.
pub(in crate::warehouse) fn existing(conn: &mut Conn, table: &str) -> Result<Option<String>> {
    conn.exec_first(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
        (table,),
    )
    .context("looking for the table")
}

/// Whether both names mean the same table.
pub fn is_same(ignores_case: bool, one: &str, other: &str) -> bool {
    if ignores_case {
        one.to_lowercase() == other.to_lowercase()
    } else {
        one == other
    }
}

/// A name that is equal for all spellings of one table.
pub(in crate::warehouse) fn folded(server: &Server, table: &str) -> String {
    if server.ignores_case {
        table.to_lowercase()
    } else {
        table.to_owned()
    }
}
