//! A table folded again from the topic's start: rows whose keys the fold never mentions go.
//!
//! All of it is one transaction. The keys mentioned so far live in a temporary table of the session, with the Kafka partition
//! and the time of their newest record: where a key comes from several Kafka partitions, the newest counts.

use mysql::prelude::Queryable;
use mysql::{Conn, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use super::batch::Batch;
use super::identifier::quote;
use super::row::Rows;
use super::schema::TargetTable;
use crate::sink;

/// Deleting what is absent reads the whole table in one statement.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// The newest change of every key so far.
const KEYS: &str = "lakectl_rebuild_keys";
/// Changes of one batch whose keys had come before, by their number in it, until they are compared.
const BATCH: &str = "lakectl_rebuild_batch";
/// What stands before the key in both.
const NUMBER: &str = "lakectl_number";
const PARTITION: &str = "lakectl_partition";
const TIME: &str = "lakectl_timestamp_ms";
/// Keys in a statement.
const TOGETHER: usize = 512;
/// A key that no record made a row of has no Kafka partition.
const NONE: i32 = -1;

#[derive(Debug)]
pub(super) struct Rebuild {
    absent: sink::Rebuild,
    keys_may_move: bool,
    spilled: bool,
}

/// A key as both tables have it.
struct Noted<'a> {
    number: usize,
    partition: i32,
    timestamp_ms: i64,
    key: Cow<'a, [Value]>,
}

impl Rebuild {
    pub(super) fn new(absent: sink::Rebuild, keys_may_move: bool) -> Self {
        Rebuild {
            absent,
            keys_may_move,
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

    fn needs_keys(&self) -> bool {
        self.keys_may_move || self.absent == sink::Rebuild::DropAbsent
    }

    /// Empty tables of keys, made outside of the transaction.
    pub(super) fn prepare(&self, conn: &mut Conn, table: &TargetTable) -> mysql::Result<()> {
        if !self.needs_keys() {
            return Ok(());
        }
        let key = key_list(table);
        for (name, primary_key) in [(KEYS, key.as_str()), (BATCH, NUMBER)] {
            conn.query_drop(format!("DROP TEMPORARY TABLE IF EXISTS {name}"))?;
            conn.query_drop(format!(
                "CREATE TEMPORARY TABLE {name} ({NUMBER} INT UNSIGNED NOT NULL DEFAULT 0, {PARTITION} INT NOT NULL DEFAULT 0, \
                 {TIME} BIGINT NOT NULL DEFAULT 0, PRIMARY KEY ({primary_key})) ENGINE = InnoDB SELECT {key} FROM {} LIMIT 0",
                quote(&table.name)
            ))?;
        }
        Ok(())
    }

    /// Notes every key of the batch, those of refused records too: their rows stay. Tells the keys whose change is outdated:
    /// an earlier batch had a newer one, of another Kafka partition.
    pub(super) fn remember<'b>(
        &self,
        conn: &mut Conn,
        rows: &mut Rows<'_>,
        batch: &'b Batch,
    ) -> mysql::Result<BTreeSet<&'b [u8]>> {
        if !self.needs_keys() {
            return Ok(BTreeSet::new());
        }
        let table = rows.table;
        let changes: Vec<_> = batch.in_order().collect();
        let mut had_come_before = false;
        for (first, chunk) in (0..).step_by(TOGETHER).zip(changes.chunks(TOGETHER)) {
            let noted = (first..).zip(chunk).map(|(number, (_, pending))| Noted {
                number,
                partition: pending.partition,
                timestamp_ms: pending.timestamp_ms,
                key: rows.values(pending),
            });
            let noted: Vec<_> = noted.collect();
            let new = note_unless_there(conn, KEYS, table, &noted)?;
            if self.keys_may_move && new < noted.len() as u64 {
                note_unless_there(conn, BATCH, table, &noted)?;
                had_come_before = true;
            }
        }
        let mut outdated = BTreeSet::new();
        if had_come_before {
            let numbers = compare(conn, table)?;
            let changes = numbers.into_iter().filter_map(|number| changes.get(number));
            outdated = changes.map(|(key, _)| *key).collect();
        }
        let kept: Vec<&[Value]> = batch.kept.values().map(Vec::as_slice).collect();
        for chunk in kept.chunks(TOGETHER) {
            let noted = chunk.iter().map(|key| Noted {
                number: 0,
                partition: NONE,
                // No record is outdated by it.
                timestamp_ms: i64::MIN,
                key: Cow::Borrowed(key),
            });
            note_unless_there(conn, KEYS, table, &noted.collect::<Vec<_>>())?;
        }
        Ok(outdated)
    }

    /// How many rows went.
    pub(super) fn delete_absent(&self, conn: &mut Conn, table: &TargetTable) -> mysql::Result<u64> {
        if self.absent == sink::Rebuild::KeepAbsent {
            return Ok(0);
        }
        conn.query_drop(format!(
            "DELETE kept FROM {} AS kept LEFT JOIN {KEYS} AS seen ON {} WHERE seen.{NUMBER} IS NULL",
            quote(&table.name),
            same_key(table, "kept"),
        ))?;
        Ok(conn.affected_rows())
    }
}

/// Compares what is in the batch's table with the newest so far, which then are those: the numbers of the outdated ones.
fn compare(conn: &mut Conn, table: &TargetTable) -> mysql::Result<Vec<usize>> {
    // By the primary key, however few rows the server believes to be in the tables.
    let outdated = format!(
        "FROM {BATCH} AS batch STRAIGHT_JOIN {KEYS} AS seen FORCE INDEX (PRIMARY) ON {} \
         WHERE seen.{PARTITION} <> batch.{PARTITION} AND seen.{TIME} > batch.{TIME}",
        same_key(table, "batch")
    );
    let numbers: Vec<usize> = conn.query(format!("SELECT batch.{NUMBER} {outdated}"))?;
    if !numbers.is_empty() {
        conn.query_drop(format!("DELETE batch {outdated}"))?;
    }
    conn.query_drop(format!("REPLACE INTO {KEYS} SELECT * FROM {BATCH}"))?;
    conn.query_drop(format!("DELETE FROM {BATCH}"))?;
    Ok(numbers)
}

/// How many of them were not there.
fn note_unless_there(
    conn: &mut Conn,
    into: &str,
    table: &TargetTable,
    noted: &[Noted<'_>],
) -> mysql::Result<u64> {
    let width = table.primary_key.len();
    let row = format!("(?,?,?{})", ",?".repeat(width));
    let sql = format!(
        "INSERT INTO {into} ({NUMBER},{PARTITION},{TIME},{}) VALUES {} ON DUPLICATE KEY UPDATE {into}.{NUMBER} = {into}.{NUMBER}",
        key_list(table),
        vec![row.as_str(); noted.len()].join(",")
    );
    let mut parameters = Vec::with_capacity(noted.len() * (3 + width));
    for noted in noted {
        parameters.extend([
            noted.number.into(),
            noted.partition.into(),
            noted.timestamp_ms.into(),
        ]);
        parameters.extend_from_slice(&noted.key[..width.min(noted.key.len())]);
    }
    conn.exec_drop(sql, parameters)?;
    Ok(conn.affected_rows())
}

/// That a row of another table has the key of `seen`.
fn same_key(table: &TargetTable, other: &str) -> String {
    let names = key_names(table);
    let equal: Vec<String> = names
        .iter()
        .map(|name| format!("seen.{name} = {other}.{name}"))
        .collect();
    equal.join(" AND ")
}

fn key_list(table: &TargetTable) -> String {
    key_names(table).join(", ")
}

fn key_names(table: &TargetTable) -> Vec<String> {
    let names = table.primary_key.iter().map(|&at| quote(&table.columns[at].name));
    names.collect()
}
