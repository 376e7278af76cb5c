//! What `lakectl check` asks of a server. Statements that could change rows are about none, and rolled back.

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
use crate::warehouse::table::target::read_columns;

const ALL: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/// What loads and purges do with lakectl's own tables; those of topics they read and change in every way.
const OWN_TABLES: [(&str, &[&str]); 7] = [
    ("lakectl_progress", &ALL),
    ("lakectl_rejects", &["INSERT", "DELETE"]),
    ("lakectl_cutoffs", &["SELECT", "INSERT", "UPDATE"]),
    ("lakectl_first_drain", &["SELECT", "INSERT", "DELETE"]),
    ("lakectl_audit", &["INSERT"]),
    ("lakectl_erasures", &["SELECT"]),
    ("lakectl_erasure_key", &["SELECT"]),
];

/// A server that answers, and the session that it gave us.
#[derive(Debug, Clone)]
pub struct ServerFacts {
    pub version: String,
    /// None: the wire is not encrypted.
    pub cipher: Option<String>,
    pub sql_mode: String,
}

/// What the account may not do.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    /// `'lakectl'@'%'`
    pub account: String,
    /// How many were tried.
    pub tables: usize,
    /// One a table: what is missing there.
    pub missing: Vec<String>,
    pub fix: String,
}

impl Warehouse {
    pub fn facts(&self) -> Result<ServerFacts> {
        let mut conn = connect::open(&self.database, connect::READ_TIMEOUT)?;
        let (version, sql_mode): (String, String) = conn
            .query_first("SELECT VERSION(), @@SESSION.sql_mode")?
            .context("the server does not tell its version")?;
        let cipher: Option<(String, String)> = conn.query_first("SHOW SESSION STATUS LIKE 'Ssl_cipher'")?;
        let server = if version.contains("MariaDB") { "" } else { "MySQL " };
        Ok(ServerFacts {
            version: format!("{server}{version}"),
            cipher: cipher
                .map(|(_, cipher)| cipher)
                .filter(|cipher| !cipher.is_empty()),
            sql_mode,
        })
    }

    /// How lakectl's own tables differ from this lakectl's schema. The tables of topics are judged by their topics.
    pub fn own_drift(&self) -> Result<Vec<String>> {
        let mut conn = connect::open(&self.database, connect::READ_TIMEOUT)?;
        let drifts = drift::find(&mut conn, self.server.flavor)?;
        let ours = drifts.iter().filter(|drift| drift.is_our_own());
        Ok(ours.map(Drift::to_string).collect())
    }

    /// Tries what loads do on each table that is there, on no row.
    pub fn missing_rights(&self, tables: &[&str]) -> Result<Rights> {
        let mut conn = connect::open(&self.database, connect::READ_TIMEOUT)?;
        let account: String = conn
            .query_first("SELECT CURRENT_USER()")?
            .context("the server does not tell who we are")?;
        let (user, host) = account.rsplit_once('@').unwrap_or((&account, "%"));
        let account = format!("'{user}'@'{host}'");
        // Whoever changes a table's definition meanwhile is not waited for.
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
            for column in read_columns(&mut conn, &self.server, table)? {
                if !column.generated {
                    names.push(quote(&column.name));
                }
            }
            // A table that is missing is another check's matter.
            if names.is_empty() {
                continue;
            }
            rights.tables += 1;
            let tried = try_each(&mut conn, &quote(table), &names, needed);
            conn.query_drop("ROLLBACK")?;
            match tried.with_context(|| format!("table `{table}`"))? {
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

    /// Whether the topic's retention can be kept; the statement that makes a missing index.
    pub fn retention_index(&self, topic: &Topic, column: &str) -> Result<Option<String>> {
        let mut conn = connect::open(&self.database, connect::READ_TIMEOUT)?;
        Ok(Aged::inspect(&mut conn, &self.server, &topic.table, column)?.missing_index)
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
