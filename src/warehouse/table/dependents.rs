//! Rows of other tables that a deletion takes along: by foreign keys with ON DELETE CASCADE or SET NULL.
//!
//! The server reports none of them, so they are counted before and after. It shows only foreign keys of tables on which the
//! account has some right.

use anyhow::{Context, Result, anyhow};
use mysql::prelude::Queryable;
use mysql::{Conn, Params, Value};
use serde::{Deserialize, Serialize};
use std::fmt;

use crate::problem::Problem;
use crate::warehouse::server::connect::Server;
use crate::warehouse::server::identifier::quote;
use crate::warehouse::server::table_name::is_same;

/// What the server does to a row whose foreign key refers to a deleted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnDelete {
    #[serde(rename = "CASCADE")]
    Cascade,
    #[serde(rename = "SET NULL")]
    SetNull,
}

/// Rows that go, or lose their reference, with the rows of another table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DependentRows {
    /// `database.table`
    pub table: String,
    pub foreign_key: String,
    pub on_delete: OnDelete,
    /// None: it could not be counted.
    pub rows: Option<u64>,
}

impl DependentRows {
    /// False if there are none for certain.
    pub fn may_be_some(&self) -> bool {
        self.rows != Some(0)
    }

    /// The foreign key, without a count.
    pub fn foreign_key(&self) -> String {
        let rule = match self.on_delete {
            OnDelete::Cascade => "CASCADE",
            OnDelete::SetNull => "SET NULL",
        };
        format!("{} of {} (ON DELETE {rule})", self.foreign_key, self.table)
    }
}

impl fmt::Display for DependentRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rows {
            Some(1) => f.write_str("1 row")?,
            Some(rows) => write!(f, "{rows} rows")?,
            None => f.write_str("an unknown number of rows")?,
        }
        let what = match self.on_delete {
            OnDelete::Cascade => "deleted",
            OnDelete::SetNull => "set to NULL",
        };
        write!(f, " of {} {what} by foreign key {}", self.table, self.foreign_key)
    }
}

/// The foreign keys that lead to a table, the nearest first.
#[derive(Debug, Default)]
pub(in crate::warehouse) struct Dependents {
    /// The table itself, quoted.
    root: String,
    all: Vec<ForeignKey>,
}

#[derive(Debug)]
struct ForeignKey {
    database: String,
    table: String,
    name: String,
    on_delete: OnDelete,
    columns: Vec<String>,
    referenced: Vec<String>,
    /// The foreign key that takes along the rows which this one refers to; None: the table itself.
    after: Option<usize>,
}

impl ForeignKey {
    fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.database), quote(&self.table))
    }

    fn shown(&self) -> String {
        format!("{}.{}", self.database, self.table)
    }
}

impl Dependents {
    /// Finds the foreign keys that lead to the table of the session's database, and by CASCADE further ones to these.
    pub fn find(conn: &mut Conn, server: &Server, table: &str) -> Result<Dependents> {
        let database: Option<String> = conn.query_first("SELECT DATABASE()")?;
        let root = (database.unwrap_or_default(), table.to_owned());
        let mut all: Vec<ForeignKey> = Vec::new();
        let mut searched = 0;
        let mut after = None;
        loop {
            let (database, table) = match after {
                None => (root.0.clone(), root.1.clone()),
                Some(at) => {
                    let key: &ForeignKey = &all[at];
                    (key.database.clone(), key.table.clone())
                }
            };
            for mut key in foreign_keys_to(conn, server, &database, &table)? {
                key.after = after;
                if key.on_delete == OnDelete::Cascade && leads_back(&all, &key, &root, server) {
                    return Err(endless(&key));
                }
                all.push(key);
            }
            let Some(next) = (searched..all.len()).find(|&at| all[at].on_delete == OnDelete::Cascade) else {
                break;
            };
            (searched, after) = (next + 1, Some(next));
        }
        let root = quote(&root.1);
        Ok(Dependents { root, all })
    }

    /// Counts the rows that go, or lose their reference, with the rows that meet the condition.
    ///
    /// # Errors
    /// The account may not read one of the tables. The error does not repeat `values`.
    pub fn count(&self, conn: &mut Conn, condition: &str, values: &[Value]) -> Result<Vec<DependentRows>> {
        let mut counted = Vec::with_capacity(self.all.len());
        for (at, key) in self.all.iter().enumerate() {
            let sql = format!(
                "SELECT COUNT(*) FROM {} WHERE {}",
                key.quoted(),
                self.condition(at, condition)
            );
            let rows: mysql::Result<Option<u64>> = conn.exec_first(sql, Params::Positional(values.to_vec()));
            let rows = rows.map_err(|error| unreadable(key, &self.root, error))?;
            counted.push(rows_of(key, rows));
        }
        Ok(counted)
    }

    /// The condition for the rows of a foreign key whose reference is among the deleted rows.
    fn condition(&self, at: usize, of_root: &str) -> String {
        let key = &self.all[at];
        let (parent, of_parent) = match key.after {
            None => (self.root.clone(), of_root.to_owned()),
            Some(parent) => (self.all[parent].quoted(), self.condition(parent, of_root)),
        };
        format!(
            "({}) IN (SELECT {} FROM {parent} WHERE {of_parent})",
            list(&key.columns),
            list(&key.referenced)
        )
    }
}

fn unreadable(key: &ForeignKey, parent: &str, error: mysql::Error) -> anyhow::Error {
    let (table, name) = (key.shown(), &key.name);
    match error {
        mysql::Error::MySqlError(server) if matches!(server.code, 1044 | 1142 | 1143) => Problem::usage(format!(
            "the account may not read {table}, whose rows a deletion in {parent} may take along by foreign key {name}"
        ))
        .fix(format!(
            "GRANT SELECT ON {} to it, so that they can be counted",
            key.quoted()
        ))
        .into(),
        mysql::Error::MySqlError(server) => anyhow!(
            "counting the rows of {table} by foreign key {name}: MySQL's error {}",
            server.code
        ),
        error => anyhow::Error::new(error).context(format!("counting the rows of {table}")),
    }
}

/// What has gone, by two counts; not known where there is no second one.
pub(in crate::warehouse) fn taken_along(
    before: &[DependentRows],
    after: Option<Vec<DependentRows>>,
) -> Vec<DependentRows> {
    let left = |at: usize| after.as_ref()?.get(at)?.rows;
    let taken = before.iter().enumerate().map(|(at, before)| DependentRows {
        rows: before.rows.and_then(|rows| Some(rows.saturating_sub(left(at)?))),
        ..before.clone()
    });
    taken.collect()
}

fn rows_of(key: &ForeignKey, rows: Option<u64>) -> DependentRows {
    DependentRows {
        table: key.shown(),
        foreign_key: key.name.clone(),
        on_delete: key.on_delete,
        rows,
    }
}

fn list(columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|name| quote(name)).collect();
    names.join(", ")
}

/// Whether the foreign key's table is the root, or one on the way from it.
fn leads_back(all: &[ForeignKey], key: &ForeignKey, root: &(String, String), server: &Server) -> bool {
    let is_its = |database: &str, table: &str| {
        is_same(server.ignores_case, database, &key.database)
            && is_same(server.ignores_case, table, &key.table)
    };
    let mut at = key.after;
    while let Some(before) = at {
        if is_its(&all[before].database, &all[before].table) {
            return true;
        }
        at = all[before].after;
    }
    is_its(&root.0, &root.1)
}

fn endless(key: &ForeignKey) -> anyhow::Error {
    Problem::usage(format!(
        "foreign key {} of {} deletes rows of the table itself along with others (ON DELETE CASCADE): what goes with a row \
         can't be counted beforehand",
        key.name,
        key.shown()
    ))
    .fix(format!(
        "drop it and add it again without CASCADE: ALTER TABLE {} DROP FOREIGN KEY {}",
        key.quoted(),
        quote(&key.name)
    ))
    .into()
}

/// The foreign keys of tables that the account may see, in all databases. What a key does on a deletion is read from the
/// table's own definition: MariaDB hides it elsewhere from accounts with rights on single tables.
fn foreign_keys_to(conn: &mut Conn, server: &Server, database: &str, table: &str) -> Result<Vec<ForeignKey>> {
    let columns: Vec<[String; 6]> = conn
        .exec(
            "SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_COLUMN_NAME, \
             REFERENCED_TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE \
             WHERE REFERENCED_TABLE_SCHEMA = ? AND REFERENCED_TABLE_NAME = ? \
             ORDER BY TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION",
            (database, table),
        )
        .map(|rows: Vec<(String, String, String, String, String, String)>| {
            rows.into_iter().map(<[String; 6]>::from).collect()
        })
        .context("reading the foreign keys")?;
    let mut keys: Vec<ForeignKey> = Vec::new();
    let of_table = columns
        .into_iter()
        .filter(|columns| is_same(server.ignores_case, &columns[5], table));
    for [database, child, name, column, referenced, _] in of_table {
        match keys.last_mut() {
            Some(key) if (&key.database, &key.table, &key.name) == (&database, &child, &name) => {
                key.columns.push(column);
                key.referenced.push(referenced);
            }
            _ => keys.push(ForeignKey {
                database,
                table: child,
                name,
                on_delete: OnDelete::Cascade,
                columns: vec![column],
                referenced: vec![referenced],
                after: None,
            }),
        }
    }
    let mut reaching = Vec::new();
    for mut key in keys {
        let sql = format!("SHOW CREATE TABLE {}", key.quoted());
        let definition: Option<(String, String)> = conn
            .query_first(sql)
            .map_err(|error| unreadable(&key, table, error))?;
        if let Some(on_delete) = definition.and_then(|(_, text)| on_delete(&text, &key.name)) {
            key.on_delete = on_delete;
            reaching.push(key);
        }
    }
    Ok(reaching)
}

/// What the foreign key does on a deletion, by its line in the table's definition; None: it refuses the deletion.
fn on_delete(definition: &str, foreign_key: &str) -> Option<OnDelete> {
    let start = format!("CONSTRAINT {} FOREIGN KEY ", quote(foreign_key));
    let line = definition
        .lines()
        .find(|line| line.trim_start().starts_with(&start))?;
    if line.contains(" ON DELETE CASCADE") {
        Some(OnDelete::Cascade)
    } else if line.contains(" ON DELETE SET NULL") {
        Some(OnDelete::SetNull)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: Option<u64>) -> DependentRows {
        DependentRows {
            table: "d.t".to_owned(),
            foreign_key: "f".to_owned(),
            on_delete: OnDelete::Cascade,
            rows,
        }
    }

    #[test]
    fn what_went_is_what_was_there_less_what_is_left() {
        let taken = |before, after: Option<Option<u64>>| {
            let after = after.map(|after| vec![rows(after)]);
            taken_along(&[rows(before)], after)[0].rows
        };
        assert_eq!(taken(Some(5), Some(Some(2))), Some(3));
        assert_eq!(taken(Some(5), Some(Some(9))), Some(0));
        assert_eq!(taken(Some(5), Some(None)), None);
        assert_eq!(taken(Some(5), None), None);
        assert_eq!(taken(None, Some(Some(2))), None);
    }

    #[test]
    fn what_a_foreign_key_does_stands_in_its_definition() {
        let table = "CREATE TABLE `t` (\n  `a` int COMMENT 'CONSTRAINT `f` FOREIGN KEY ON DELETE CASCADE',\n  \
             CONSTRAINT `e` FOREIGN KEY (`a`) REFERENCES `p` (`id`),\n  \
             CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`id`) ON DELETE SET NULL ON UPDATE CASCADE,\n  \
             CONSTRAINT `g``` FOREIGN KEY (`a`) REFERENCES `p` (`id`) ON DELETE CASCADE\n)";
        assert_eq!(on_delete(table, "e"), None);
        assert_eq!(on_delete(table, "f"), Some(OnDelete::SetNull));
        assert_eq!(on_delete(table, "g`"), Some(OnDelete::Cascade));
    }

    #[test]
    fn a_condition_leads_back_to_the_table() {
        let key = |table: &str, columns: &[&str], after| ForeignKey {
            database: "d".to_owned(),
            table: table.to_owned(),
            name: "f".to_owned(),
            on_delete: OnDelete::Cascade,
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            referenced: vec!["id".to_owned(); columns.len()],
            after,
        };
        let dependents = Dependents {
            root: "`t`".to_owned(),
            all: vec![key("a", &["x", "y"], None), key("b`", &["z"], Some(0))],
        };
        assert_eq!(
            dependents.condition(1, "`at` < ?"),
            "(`z`) IN (SELECT `id` FROM `d`.`a` WHERE (`x`, `y`) IN (SELECT `id`, `id` FROM `t` WHERE `at` < ?))"
        );
    }
}
