//! A rebuild reads a table's topic again from its start, and deletes rows whose keys no record has.
//!
//! All of it is one transaction. A temporary table of the session holds the keys read so far, with the Kafka partition that
//! they live in and their latest time there, see [`crate::record::Rank`].

pub(super) mod unchanged;

use mysql::prelude::Queryable;
use mysql::{Conn, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use super::batch::change::{PendingChange, Write};
use super::batch::recent_keys::Home;
use super::batch::{Batch, Instead};
use super::read_record::Rereader;
use crate::record::OffsetRange;
use crate::target;
use crate::warehouse::server::connect;
use crate::warehouse::server::error_class::{Fault, fault_of};
use crate::warehouse::server::identifier::quote;
use crate::warehouse::table::target::TargetTable;

/// Deleting what is absent reads the whole table in one statement.
pub(in crate::warehouse) const READ_TIMEOUT: Duration = connect::LONG_TIMEOUT;

/// The newest change of every key so far.
const KEYS: &str = "lakectl_rebuild_keys";
/// Changes of one batch whose keys earlier batches had, by their number, until they are compared.
const BATCH: &str = "lakectl_rebuild_batch";
/// The number of a change, in both tables; the numbers continue from batch to batch.
const NUMBER: &str = "lakectl_number";
const PARTITION: &str = "lakectl_partition";
const TIME: &str = "lakectl_timestamp_ms";
/// Whether the change has a history: then it is folded again if an earlier batch had the key. Unused in the table of keys, and
/// there only so that `INSERT … SELECT *` works.
const HISTORY: &str = "lakectl_history";
/// Keys per statement.
const TOGETHER: usize = 512;
/// The Kafka partition of a key whose records were all refused.
const NONE: i32 = -1;

#[derive(Debug)]
pub(in crate::warehouse) struct TableRebuild {
    absent: target::Rebuild,
    keys_may_move: bool,
    spilled: bool,
    /// The number of the next change; keys without one have 0.
    noted: usize,
    /// Whether some of the keys may have no row: because a record has deleted it, or was refused.
    may_lack_rows: bool,
    /// The offsets that it reads.
    read_again: Vec<OffsetRange>,
}

/// A key as a row of either table.
struct Noted<'a> {
    number: usize,
    partition: i32,
    latest_ms: i64,
    has_history: bool,
    key: Cow<'a, [Value]>,
}

/// What happens to a key that the table already has.
#[derive(Clone, Copy)]
enum OnDuplicate {
    /// The old row stays, and does not count as changed.
    Keep,
    Replace,
    /// The old row forgets where the key lives, unless an earlier batch had it: then its number is another.
    Forget,
}

/// The result of comparing a batch with earlier ones.
#[derive(Default)]
pub(in crate::warehouse) struct Compared<'b> {
    /// Keys whose change is outdated or was folded again.
    pub(super) superseded: BTreeSet<&'b [u8]>,
    pub again: Option<Batch>,
    /// The number of the batch's first change.
    first: usize,
}

/// The number of a change, and what earlier batches had for its key: the Kafka partition and latest time.
type Before = (usize, i32, i64);

impl TableRebuild {
    pub fn new(absent: target::Rebuild, keys_may_move: bool, read_again: Vec<OffsetRange>) -> Self {
        TableRebuild {
            absent,
            keys_may_move,
            spilled: false,
            noted: 1,
            may_lack_rows: false,
            read_again,
        }
    }

    pub(super) fn read_again(&self) -> &[OffsetRange] {
        &self.read_again
    }

    /// Whether the transaction holds changes that are no longer in memory.
    pub(super) fn is_spilled(&self) -> bool {
        self.spilled
    }

    pub(super) fn set_spilled(&mut self) {
        self.spilled = true;
    }

    /// Whether batches after the first are compared with earlier ones.
    pub(super) fn compares(&self) -> bool {
        self.keys_may_move
    }

    fn needs_keys(&self) -> bool {
        self.keys_may_move || self.absent == target::Rebuild::DropAbsent
    }

    /// Creates empty tables of keys. It must run outside of the transaction.
    pub fn prepare(&self, conn: &mut Conn, table: &TargetTable) -> mysql::Result<()> {
        if !self.needs_keys() {
            return Ok(());
        }
        let key = key_list(table);
        for (name, primary_key) in [(KEYS, key.as_str()), (BATCH, NUMBER)] {
            conn.query_drop(format!("DROP TEMPORARY TABLE IF EXISTS {name}"))?;
            conn.query_drop(format!(
                "CREATE TEMPORARY TABLE {name} ({NUMBER} BIGINT NOT NULL DEFAULT 0, {PARTITION} INT NOT NULL DEFAULT 0, \
                 {TIME} BIGINT NOT NULL DEFAULT 0, {HISTORY} BOOLEAN NOT NULL DEFAULT 0, \
                 PRIMARY KEY ({primary_key})) ENGINE = InnoDB SELECT {key} FROM {} LIMIT 0",
                quote(&table.name)
            ))?;
        }
        Ok(())
    }

    /// Notes every key of the batch, also of refused records, whose rows stay. Folds those again that an earlier batch had from
    /// another Kafka partition.
    pub fn remember<'b>(
        &mut self,
        conn: &mut Conn,
        rows: &mut Rereader<'_>,
        batch: &'b Batch,
    ) -> mysql::Result<Compared<'b>> {
        if !self.needs_keys() {
            return Ok(Compared::default());
        }
        let table = rows.table;
        let changes: Vec<_> = batch.in_order().collect();
        let first = self.noted;
        let mut had_come_before = false;
        for chunk in changes.chunks(TOGETHER) {
            let noted = note_of(self.noted, chunk, batch, rows);
            self.noted += noted.len();
            let new = note(conn, OnDuplicate::Keep, KEYS, table, &noted)?;
            if self.keys_may_move && new < noted.len() as u64 {
                note(conn, OnDuplicate::Keep, BATCH, table, &noted)?;
                had_come_before = true;
            }
        }
        let mut compared = Compared {
            first,
            ..Compared::default()
        };
        if had_come_before {
            let before = compare(conn, table)?;
            let change =
                |(number, partition, time): Before| Some((changes.get(number - first)?.1, partition, time));
            let before: Vec<_> = before.into_iter().filter_map(change).collect();
            let reader = &mut *rows.reader;
            compared.again =
                Some(batch.refold(before.iter().copied(), &mut |record| reader.values(table, record)));
            compared.superseded = before.iter().map(|(change, ..)| change.sort_key()).collect();
        }
        let kept: Vec<&[Value]> = batch.kept.values().map(Vec::as_slice).collect();
        for chunk in kept.chunks(TOGETHER) {
            let noted = chunk.iter().map(|key| Noted {
                number: 0,
                partition: NONE,
                // Makes no record outdated.
                latest_ms: i64::MIN,
                has_history: false,
                key: Cow::Borrowed(key),
            });
            note(conn, OnDuplicate::Keep, KEYS, table, &noted.collect::<Vec<_>>())?;
        }
        Ok(compared)
    }

    /// Notes where the batch's keys live now that it is applied: one whose change the server has refused stays where it was.
    /// `again` is of the batch that was folded again.
    pub(super) fn settle(
        &mut self,
        conn: &mut Conn,
        rows: &mut Rereader<'_>,
        batch: &Batch,
        compared: &Compared<'_>,
        [instead, again]: [&Instead; 2],
    ) -> mysql::Result<()> {
        if !self.keys_may_move {
            return Ok(());
        }
        if !instead.is_empty() {
            self.settle_refused(conn, rows, batch, compared.first, instead)?;
        }
        let Some(refolded) = &compared.again else {
            return Ok(());
        };
        merge(conn)?;
        let homes = refolded
            .in_order()
            .map(|(_, change)| (change, refolded.home(change)));
        let accepted =
            |(change, home): (_, Home)| Some((change, again.get(&home.key).copied().unwrap_or(Some(home))?));
        self.note_homes(conn, rows, &homes.filter_map(accepted).collect::<Vec<_>>())
    }

    fn settle_refused(
        &mut self,
        conn: &mut Conn,
        rows: &mut Rereader<'_>,
        batch: &Batch,
        first: usize,
        instead: &Instead,
    ) -> mysql::Result<()> {
        let forget_change = format!("DELETE FROM {BATCH} WHERE {NUMBER} = ?");
        let (mut accepted, mut nowhere) = (Vec::new(), Vec::new());
        for (number, (_, change)) in (first..).zip(batch.in_order()) {
            let Some(home) = instead.get(&batch.home(change).key) else {
                continue;
            };
            conn.exec_drop(&forget_change, (number,))?;
            match home {
                Some(home) => accepted.push((change, *home)),
                None => nowhere.push(Noted {
                    number,
                    partition: NONE,
                    latest_ms: i64::MIN,
                    has_history: false,
                    key: rows.values(change),
                }),
            }
        }
        for chunk in nowhere.chunks(TOGETHER) {
            note(conn, OnDuplicate::Forget, KEYS, rows.table, chunk)?;
        }
        self.note_homes(conn, rows, &accepted)
    }

    fn note_homes(
        &mut self,
        conn: &mut Conn,
        rows: &mut Rereader<'_>,
        homes: &[(&PendingChange, Home)],
    ) -> mysql::Result<()> {
        for chunk in homes.chunks(TOGETHER) {
            let noted = (self.noted..).zip(chunk).map(|(number, (change, home))| Noted {
                number,
                partition: home.partition,
                latest_ms: home.latest_ms,
                has_history: false,
                key: rows.values(change),
            });
            let noted: Vec<_> = noted.collect();
            self.noted += noted.len();
            note(conn, OnDuplicate::Replace, KEYS, rows.table, &noted)?;
        }
        Ok(())
    }

    /// Notes that a batch was applied.
    pub(super) fn settle_rows(&mut self, batch: &Batch, instead: &Instead) {
        let mut changes = batch.in_order();
        let deletes = changes.any(|(_, change)| matches!(change.write, Write::Delete { .. }));
        self.may_lack_rows |= deletes || !instead.is_empty() || !batch.kept.is_empty();
    }

    /// Whether it is certain that there are as many rows as keys, each of which has its row. Rows are counted in a tenth of the time
    /// that it takes to search each one's key.
    fn has_a_key_for_each_row(&self, conn: &mut Conn, table: &TargetTable) -> mysql::Result<bool> {
        if self.may_lack_rows || table.may_refuse {
            return Ok(false);
        }
        let count = |name: &str| format!("(SELECT COUNT(*) FROM {name})");
        let equal: Option<bool> =
            conn.query_first(format!("SELECT {} = {}", count(&quote(&table.name)), count(KEYS)))?;
        Ok(equal == Some(true))
    }

    /// Deletes rows whose keys no record had. Returns how many.
    pub(super) fn delete_absent(&self, conn: &mut Conn, table: &TargetTable) -> mysql::Result<u64> {
        if self.absent == target::Rebuild::KeepAbsent || self.has_a_key_for_each_row(conn, table)? {
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

fn note_of<'b>(
    first: usize,
    changes: &[(&'b [u8], &'b PendingChange)],
    batch: &Batch,
    rows: &mut Rereader<'_>,
) -> Vec<Noted<'b>> {
    let noted = (first..).zip(changes).map(|(number, &(key, pending))| Noted {
        number,
        partition: pending.partition,
        latest_ms: pending.latest_ms,
        has_history: batch.has_history(key),
        key: rows.values(pending),
    });
    noted.collect()
}

/// Compares the batch's table with the newest changes so far, and takes out the keys that have moved or have a history: for each
/// of them this returns what earlier batches had.
fn compare(conn: &mut Conn, table: &TargetTable) -> mysql::Result<Vec<Before>> {
    // Forces the primary key: the server may believe the tables to be nearly empty, and scan them.
    let superseded = format!(
        "FROM {BATCH} AS batch STRAIGHT_JOIN {KEYS} AS seen FORCE INDEX (PRIMARY) ON {} \
         WHERE seen.{NUMBER} <> batch.{NUMBER} \
         AND (batch.{HISTORY} OR (seen.{PARTITION} <> batch.{PARTITION} AND seen.{PARTITION} <> {NONE}))",
        same_key(table, "batch")
    );
    let before: Vec<Before> = conn.query(format!(
        "SELECT batch.{NUMBER}, seen.{PARTITION}, seen.{TIME} {superseded}"
    ))?;
    if !before.is_empty() {
        conn.query_drop(format!("DELETE batch {superseded}"))?;
    }
    Ok(before)
}

/// Moves the batch's table into the newest changes: those of keys that stayed in their Kafka partition.
fn merge(conn: &mut Conn) -> mysql::Result<()> {
    // The time is set first, because its expression needs the old Kafka partition.
    let others = [PARTITION, NUMBER, HISTORY].map(|name| format!("{KEYS}.{name} = VALUES({name})"));
    conn.query_drop(format!(
        "INSERT INTO {KEYS} SELECT * FROM {BATCH} ON DUPLICATE KEY UPDATE \
         {KEYS}.{TIME} = IF({KEYS}.{PARTITION} = VALUES({PARTITION}), GREATEST({KEYS}.{TIME}, VALUES({TIME})), VALUES({TIME})), \
         {}",
        others.join(", ")
    ))?;
    conn.query_drop(format!("DELETE FROM {BATCH}"))
}

/// Notes keys in one of the tables. Returns how many rows changed. A key that the server refuses is left out: no row has it,
/// and its change will be refused too.
fn note(
    conn: &mut Conn,
    on_duplicate: OnDuplicate,
    into: &str,
    table: &TargetTable,
    noted: &[Noted<'_>],
) -> mysql::Result<u64> {
    let (verb, clause) = match on_duplicate {
        OnDuplicate::Keep => ("INSERT", format!(" ON DUPLICATE KEY UPDATE {NUMBER} = {NUMBER}")),
        OnDuplicate::Replace => ("REPLACE", String::new()),
        OnDuplicate::Forget => {
            let new = |name| format!("{name} = IF({NUMBER} = VALUES({NUMBER}), VALUES({name}), {name})");
            (
                "INSERT",
                format!(" ON DUPLICATE KEY UPDATE {}, {}", new(PARTITION), new(TIME)),
            )
        }
    };
    let width = table.primary_key.len();
    let row = format!("(?,?,?,?{})", ",?".repeat(width));
    let sql = format!(
        "{verb} INTO {into} ({NUMBER},{PARTITION},{TIME},{HISTORY},{}) VALUES {}{clause}",
        key_list(table),
        vec![row.as_str(); noted.len()].join(",")
    );
    let mut parameters = Vec::with_capacity(noted.len() * (4 + width));
    for noted in noted {
        parameters.extend([
            noted.number.into(),
            noted.partition.into(),
            noted.latest_ms.into(),
            noted.has_history.into(),
        ]);
        parameters.extend_from_slice(&noted.key[..width.min(noted.key.len())]);
    }
    match (conn.exec_drop(sql, parameters), noted) {
        (Ok(()), _) => Ok(conn.affected_rows()),
        (Err(error), _) if fault_of(&error) != Fault::Data => Err(error),
        (Err(_), [_]) => Ok(0),
        (Err(_), _) => {
            let (first, second) = noted.split_at(noted.len() / 2);
            Ok(
                note(conn, on_duplicate, into, table, first)?
                    + note(conn, on_duplicate, into, table, second)?,
            )
        }
    }
}

/// The condition that a row of `other` has the key of `seen`.
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
