//! Checks the server and the account for `lakectl check`. Its statements match no row and are rolled back.

use anyhow::{Context, Result};
use mysql::Conn;
use mysql::prelude::Queryable;

use super::drift;
use super::drift::Drift;
use crate::config::Topic;
use crate::warehouse::connected::Warehouse;
use crate::warehouse::govern::retention::Aged;
use crate::warehouse::server::connect;
use crate::warehouse::server::identifier::quote;
use crate::warehouse::table::dependents::{DependentRows, Dependents};
use crate::warehouse::table::target::read_columns;

const ALL: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/// The rights that loads and purges need on lakectl's own tables; on tables of topics they need all four.
const OWN_TABLES: [(&str, &[&str]); 8] = [
    ("lakectl_progress", &ALL),
    ("lakectl_rejects", &["SELECT", "INSERT", "DELETE"]),
    ("lakectl_cutoffs", &["SELECT", "INSERT", "UPDATE"]),
    ("lakectl_first_drain", &["SELECT", "INSERT", "DELETE"]),
    ("lakectl_last_change", &["SELECT", "INSERT", "UPDATE"]),
    ("lakectl_audit", &["INSERT"]),
    ("lakectl_erasures", &["SELECT"]),
    ("lakectl_erasure_key", &["SELECT"]),
];

/// Facts about the server and about a session on it.
#[derive(Debug, Clone)]
pub struct ServerFacts {
    pub version: String,
    /// None if the connection is not encrypted.
    pub cipher: Option<String>,
    pub sql_mode: String,
}

/// The rights that the account lacks.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    /// `'lakectl'@'%'`
    pub account: String,
    /// How many tables were tried.
    pub tables: usize,
    /// The missing rights, one line per table.
    pub missing: Vec<String>,
    pub fix: String,
}

impl Warehouse {
    pub fn facts(&self) -> Result<ServerFacts> {
        self.look(connect::READ_TIMEOUT, |conn| {
            let (version, sql_mode): (String, String) = conn
                .query_first("SELECT VERSION(), @@SESSION.sql_mode")?
                .context("the server does not give its version")?;
            let cipher: Option<(String, String)> =
                conn.query_first("SHOW SESSION STATUS LIKE 'Ssl_cipher'")?;
            let server = if version.contains("MariaDB") { "" } else { "MySQL " };
            Ok(ServerFacts {
                version: format!("{server}{version}"),
                cipher: cipher
                    .map(|(_, cipher)| cipher)
                    .filter(|cipher| !cipher.is_empty()),
                sql_mode,
            })
        })
    }

    /// Differences between lakectl's own tables and its schema. Tables of topics are checked with their topics.
    pub fn own_drift(&self) -> Result<Vec<String>> {
        self.look(connect::READ_TIMEOUT, |conn| {
            let drifts = drift::find(conn, self.server.flavor)?;
            let ours = drifts.iter().filter(|drift| drift.is_our_own());
            Ok(ours.map(Drift::to_string).collect())
        })
    }

    /// Tries the statements of a load on each existing table, without any row.
    pub fn missing_rights(&self, tables: &[&str]) -> Result<Rights> {
        self.look(connect::READ_TIMEOUT, |conn| self.try_rights(conn, tables))
    }

    fn try_rights(&self, conn: &mut Conn, tables: &[&str]) -> Result<Rights> {
        let account: String = conn
            .query_first("SELECT CURRENT_USER()")?
            .context("the server does not name the current user")?;
        let (user, host) = account.rsplit_once('@').unwrap_or((&account, "%"));
        let account = format!("'{user}'@'{host}'");
        // It does not wait for sessions that change a table's definition.
        conn.query_drop("SET SESSION lock_wait_timeout = 5, autocommit = 0")?;
        let mut rights = Rights {
            fix: format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON {}.* TO {account}",
                quote(&self.database.name)
            ),
            account,
            ..Rights::default()
        };
        let tables = tables.iter().map(|&table| (table, &ALL[..]));
        for (table, needed) in OWN_TABLES.into_iter().chain(tables) {
            let mut names = Vec::new();
            for column in read_columns(conn, &self.server, table)? {
                if !column.generated {
                    names.push(quote(&column.name));
                }
            }
            // Another check reports missing tables.
            if names.is_empty() {
                continue;
            }
            rights.tables += 1;
            let tried = try_each(conn, &quote(table), &names, needed);
            let tried = tried.with_context(|| format!("table `{table}`"))?;
            conn.query_drop("ROLLBACK")?;
            match tried {
                Attempt::ReadOnly => {
                    rights.missing = vec!["can't change anything: the server is set to read only".to_owned()];
                    rights.fix =
                        "name the server that is written to in warehouse.url: this one is a replica, or set \
                                  to read_only"
                            .to_owned();
                    return Ok(rights);
                }
                Attempt::Lacks(lacks) if lacks.is_empty() => {}
                Attempt::Lacks(lacks) => {
                    rights
                        .missing
                        .push(format!("lacks {} on `{table}`", lacks.join(" and ")));
                }
            }
        }
        Ok(rights)
    }

    /// Checks whether a purge can keep the topic's retention. Returns the statement that creates a missing index.
    pub fn retention_index(&self, topic: &Topic, column: &str) -> Result<Option<String>> {
        self.look(connect::READ_TIMEOUT, |conn| {
            Ok(Aged::inspect(conn, &self.server, &topic.table, column)?.missing_index)
        })
    }

    /// The foreign keys by which deletions in the topic's table delete or change rows of other tables.
    ///
    /// # Errors
    /// The account may not count such rows, or nobody could.
    pub fn dependents(&self, topic: &Topic) -> Result<Vec<DependentRows>> {
        self.look(connect::READ_TIMEOUT, |conn| {
            Dependents::find(conn, &self.server, &topic.table)?.count(conn, "FALSE", &[])
        })
    }
}

enum Attempt {
    Lacks(Vec<&'static str>),
    ReadOnly,
}

fn try_each(
    conn: &mut Conn,
    table: &str,
    columns: &[String],
    needed: &[&'static str],
) -> mysql::Result<Attempt> {
    let (names, nulls) = (columns.join(", "), vec!["NULL"; columns.len()].join(", "));
    let mut lacks = Vec::new();
    for &right in needed {
        let statement = match right {
            "SELECT" => format!("SELECT {names} FROM {table} WHERE FALSE"),
            "INSERT" => format!("INSERT INTO {table} ({names}) SELECT {nulls} FROM DUAL WHERE FALSE"),
            "UPDATE" => format!("UPDATE {table} SET {} = NULL WHERE FALSE", columns[0]),
            _ => format!("DELETE FROM {table} WHERE FALSE"),
        };
        match conn.query_drop(statement) {
            Ok(()) => {}
            Err(mysql::Error::MySqlError(error)) => match error.code {
                1142 | 1143 | 1044 | 1227 => lacks.push(right),
                1290 | 1792 | 1836 => return Ok(Attempt::ReadOnly),
                _ => return Err(error.into()),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(Attempt::Lacks(lacks))
}
