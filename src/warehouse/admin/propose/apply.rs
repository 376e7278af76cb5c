//! Compares a definition with the database, and brings the database up to it.

use anyhow::{Context, Result};
use mysql::Conn;
use mysql::prelude::Queryable;

use super::definition::{ColumnDefinition, TableDefinition};
use super::sql;
use crate::config::Database;
use crate::problem::Problem;
use crate::warehouse::admin::init_db::{enter, take_lock};
use crate::warehouse::server::connect::{self, Flavor, Server};
use crate::warehouse::server::table_name;
use crate::warehouse::table::target::is_our_own;

/// What a table lacks of its definition, and the statement that adds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDiff {
    /// As MySQL spells it, if it is there.
    pub table: String,
    pub is_new: bool,
    /// The columns that it lacks, or all of a new one.
    pub columns: Vec<String>,
    /// Columns of the primary key that a table lacks: none can be added to one that has rows.
    pub missing_keys: Vec<String>,
    /// None: there is nothing to add.
    pub sql: Option<String>,
}

/// What is to be done to the database; without one, what MySQL would need.
///
/// # Errors
/// The table's name is one of lakectl's own: exit code 2. The server can't be asked.
pub fn table_diff(database: Option<&Database>, definition: &TableDefinition) -> Result<TableDiff> {
    if is_our_own(&definition.name) {
        return Problem::usage(format!("`{}` is a table of lakectl's own", definition.name))
            .fix("set warehouse.table to another one")
            .err();
    }
    let Some(database) = database else {
        return Ok(whole(definition, Flavor::MySql));
    };
    let (mut conn, server) = connect::open_server(database)?;
    compare(&mut conn, &server, database, definition)
        .map_err(|error| connect::with_loss(error, database))
        .with_context(|| database.shown())
}

/// Executes what was shown. It is compared again first, under init-db's lock.
///
/// # Errors
/// The table has changed meanwhile, there is no database, or the server refuses.
pub fn apply_table(database: &Database, definition: &TableDefinition, shown: &TableDiff) -> Result<()> {
    let (mut conn, server) = connect::open_patiently(database)?;
    execute(&mut conn, &server, database, definition, shown).with_context(|| database.shown())
}

fn execute(
    conn: &mut Conn,
    server: &Server,
    database: &Database,
    definition: &TableDefinition,
    shown: &TableDiff,
) -> Result<()> {
    take_lock(conn, database)?;
    let change = compare(conn, server, database, definition)?;
    if change != *shown {
        return Problem::new(format!("table `{}` has changed meanwhile", change.table))
            .fix("run it again, and look at what it proposes now")
            .err();
    }
    let Some(sql) = change.sql else { return Ok(()) };
    if !enter(conn, database)? {
        return Problem::new(format!("database `{}` does not exist", database.name))
            .fix("run lakectl init-db first")
            .err();
    }
    conn.query_drop(sql).with_context(|| match change.is_new {
        true => format!("CREATE TABLE `{}`", change.table),
        false => format!("ALTER TABLE `{}`", change.table),
    })
}

fn compare(
    conn: &mut Conn,
    server: &Server,
    database: &Database,
    definition: &TableDefinition,
) -> Result<TableDiff> {
    // Where there is no database yet, there is no table either.
    if !enter(conn, database)? {
        return Ok(whole(definition, server.flavor));
    }
    let Some(table) = table_name::existing(conn, &definition.name)? else {
        return Ok(whole(definition, server.flavor));
    };
    let live: Vec<String> = conn.exec(
        "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
        (&table,),
    )?;
    let live: Vec<String> = live.iter().map(|name| name.to_lowercase()).collect();
    let is_missing = |column: &&ColumnDefinition| !live.contains(&column.name.to_lowercase());
    let missing = definition.columns.iter().filter(is_missing);
    let (keys, columns): (Vec<_>, Vec<_>) = missing.partition(|column| column.in_key);
    Ok(TableDiff {
        is_new: false,
        columns: names(&columns),
        missing_keys: names(&keys),
        sql: (!columns.is_empty()).then(|| sql::add(&table, &columns, server.flavor)),
        table,
    })
}

/// All of a table that isn't there.
fn whole(definition: &TableDefinition, flavor: Flavor) -> TableDiff {
    let columns: Vec<_> = definition.columns.iter().collect();
    TableDiff {
        table: definition.name.clone(),
        is_new: true,
        columns: names(&columns),
        missing_keys: Vec::new(),
        sql: Some(sql::create(definition, flavor)),
    }
}

fn names(columns: &[&ColumnDefinition]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}
