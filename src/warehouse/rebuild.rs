//! A table folded again from the topic's start: rows whose keys the fold never mentions go.
//!
//! All of it is one transaction. The keys mentioned so far live in a temporary table of the session.

use mysql::prelude::Queryable;
use mysql::{Conn, Value};
use std::borrow::Cow;
use std::time::Duration;

use super::batch::Batch;
use super::identifier::quote;
use super::row::Rows;
use super::schema::TargetTable;
use crate::sink;

/// Deleting what is absent reads the whole table in one statement.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30 * 60);

const KEYS: &str = "lakectl_rebuild_keys";
const KEYS_PER_STATEMENT: usize = 512;

#[derive(Debug)]
pub(super) struct Rebuild {
    absent: sink::Rebuild,
    spilled: bool,
}

impl Rebuild {
    pub(super) fn new(absent: sink::Rebuild) -> Self {
        Rebuild {
            absent,
            spilled: false,
        }
    }

    /// Whether the transaction holds changes that are no longer in memory.
    pub(super) fn is_spilled(&self) -> bool {
        self.spilled
    }

    pub(super) fn set_spilled(&mut self) {
        self.spilled = true;
    }

    /// An empty table of keys, made outside of the transaction.
    pub(super) fn prepare(&self, conn: &mut Conn, table: &TargetTable) -> mysql::Result<()> {
        if self.absent == sink::Rebuild::KeepAbsent {
            return Ok(());
        }
        conn.query_drop(format!("DROP TEMPORARY TABLE IF EXISTS {KEYS}"))?;
        let key = key_list(table);
        conn.query_drop(format!(
            "CREATE TEMPORARY TABLE {KEYS} (PRIMARY KEY ({key})) ENGINE = InnoDB SELECT {key} FROM {} LIMIT 0",
            quote(&table.name)
        ))
    }

    /// Notes every key of the batch, those of refused records too: their rows stay.
    pub(super) fn remember(&self, conn: &mut Conn, rows: &mut Rows<'_>, batch: &Batch) -> mysql::Result<()> {
        if self.absent == sink::Rebuild::KeepAbsent {
            return Ok(());
        }
        let table = rows.table;
        let width = table.primary_key.len();
        let changes: Vec<_> = batch.in_order().collect();
        for chunk in changes.chunks(KEYS_PER_STATEMENT) {
            let keys: Vec<Cow<'_, [Value]>> = chunk.iter().map(|(_, pending)| rows.values(pending)).collect();
            remember_keys(
                conn,
                table,
                keys.iter().map(|values| &values[..width.min(values.len())]),
            )?;
        }
        let kept: Vec<&[Value]> = batch.kept.values().map(Vec::as_slice).collect();
        for chunk in kept.chunks(KEYS_PER_STATEMENT) {
            remember_keys(conn, table, chunk.iter().copied())?;
        }
        Ok(())
    }

    /// How many rows went.
    pub(super) fn delete_absent(&self, conn: &mut Conn, table: &TargetTable) -> mysql::Result<u64> {
        if self.absent == sink::Rebuild::KeepAbsent {
            return Ok(0);
        }
        let names: Vec<String> = table
            .primary_key
            .iter()
            .map(|&at| quote(&table.columns[at].name))
            .collect();
        let equal: Vec<String> = names
            .iter()
            .map(|name| format!("seen.{name} = kept.{name}"))
            .collect();
        conn.query_drop(format!(
            "DELETE kept FROM {} AS kept LEFT JOIN {KEYS} AS seen ON {} WHERE seen.{} IS NULL",
            quote(&table.name),
            equal.join(" AND "),
            names[0]
        ))?;
        Ok(conn.affected_rows())
    }
}

fn remember_keys<'v>(
    conn: &mut Conn,
    table: &TargetTable,
    keys: impl ExactSizeIterator<Item = &'v [Value]>,
) -> mysql::Result<()> {
    let row = format!("({})", vec!["?"; table.primary_key.len()].join(","));
    let sql = format!(
        "REPLACE INTO {KEYS} ({}) VALUES {}",
        key_list(table),
        vec![row.as_str(); keys.len()].join(",")
    );
    let parameters: Vec<Value> = keys.flatten().cloned().collect();
    conn.exec_drop(sql, parameters)
}

fn key_list(table: &TargetTable) -> String {
    let names: Vec<String> = table
        .primary_key
        .iter()
        .map(|&at| quote(&table.columns[at].name))
        .collect();
    names.join(", ")
}
