//! The statements that upsert and delete rows. Their text is the same for equal shapes and sizes, and values are always bound.

use mysql::prelude::Queryable;
use mysql::{Conn, MySqlError, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use super::batch::Batch;
use super::batch::change::{PendingChange, Write};
use super::read_record::Rereader;
use crate::warehouse::server::connect::Server;
use crate::warehouse::server::error_class::{Fault, fault_of};
use crate::warehouse::server::identifier::quote;
use crate::warehouse::table::target::TargetTable;

/// MySQL's own limit: error 1390 beyond it.
const PLACEHOLDERS_MAX: usize = 65_535;
/// Larger statements take the server longer per row: their parameters no longer fit into the processor's cache.
pub(super) const ROWS_MAX: usize = 512;
/// A condition over more keys may outgrow the optimizer's memory and scan the table.
const KEYS_MAX: usize = 256;
const STATEMENT_BYTES_MAX: usize = 8 << 20;
/// Changes that are fetched together, because in the order of their keys they are scattered in memory.
const TOGETHER: usize = 16;
/// Values of a larger statement are not prepared while another one runs: both would be in memory at once.
const READY_BYTES_MAX: usize = 2 << 20;

/// What one transaction did to the table.
#[derive(Debug, Default)]
pub(in crate::warehouse) struct AppliedChanges<'b> {
    /// Rows that the table accepted, whether new, changed or equal.
    pub upserted: u64,
    /// Rows that were deleted.
    pub deleted: u64,
    /// Keys whose record would have brought back a purged row, whether or not there was a row to delete.
    pub below_retention: u64,
    /// Changes that the server refused, with its errors.
    pub refused: Vec<(&'b PendingChange, MySqlError)>,
    /// For keys whose changes were applied one by one: the last one that the server accepted, if any.
    pub instead: Vec<(&'b [u8], Option<&'b PendingChange>)>,
}

/// Applies every change of a batch, except for superseded keys, in the open transaction. Halving finds the refused ones.
///
/// # Errors
/// Any error that is not one record's fault; the caller must then roll the transaction back.
pub(in crate::warehouse) fn apply<'b>(
    conn: &mut Conn,
    server: &Server,
    rows: &mut Rereader<'_>,
    batch: &'b Batch,
    superseded: &BTreeSet<&[u8]>,
) -> mysql::Result<AppliedChanges<'b>> {
    let table = rows.table;
    let mut applied = AppliedChanges::default();
    let mut deletes = Vec::new();
    let mut upserts = vec![[Vec::new(), Vec::new()]; batch.shapes.len()];
    let mut one_by_one = Vec::new();
    let current = |key: &[u8]| superseded.is_empty() || !superseded.contains(key);
    for change in batch.in_order().filter(|(key, _)| current(key)) {
        match change.1.write {
            Write::Upsert { .. } if batch.counts_one_by_one(change.1) => one_by_one.push(change),
            Write::Delete { .. } => deletes.push(change),
            Write::Upsert { shape, .. } => upserts[shape][usize::from(change.1.resets)].push(change),
        }
    }
    let limits = StatementLimits::of(server, table.primary_key.len(), KEYS_MAX);
    let statement = |keys| delete_sql(table, keys);
    let mut refused = Vec::new();
    applied.deleted = run_all(conn, rows, &deletes, &limits, &statement, &mut refused)?;
    let purged = |changes: &[KeyedChange<'_>]| {
        changes.iter().filter(|(_, pending)| pending.is_purged()).count() as u64
    };
    let refused_changes: Vec<KeyedChange<'_>> = refused.iter().map(|(change, _)| *change).collect();
    applied.below_retention = purged(&deletes) - purged(&refused_changes);
    let reborn: Vec<KeyedChange<'_>> = batch
        .reborn
        .iter()
        .map(|(key, pending)| (&**key, pending))
        .filter(|(key, _)| current(key))
        .collect();
    let mut not_gone = Vec::new();
    run_all(conn, rows, &reborn, &limits, &statement, &mut not_gone)?;
    for (shape, [staying, moved]) in upserts.iter().enumerate() {
        for (changes, resets) in [(staying, false), (moved, true)] {
            let columns = FilledColumns::of(batch, shape, resets);
            let limits = StatementLimits::of(server, columns.filled.len(), ROWS_MAX);
            let statement = |count| upsert_sql(table, &columns, count, server.has_row_alias());
            let refused_before = refused.len();
            run_all(conn, rows, changes, &limits, &statement, &mut refused)?;
            // Affected rows would count a changed one twice and an equal one not at all.
            applied.upserted += (changes.len() - (refused.len() - refused_before)) as u64;
        }
    }
    let mut replayed = BTreeSet::new();
    for (key, _) in one_by_one {
        let versions = batch.versions.get(key).into_iter().flatten();
        let versions = versions.map(|version| (key, version));
        let accepted = replay(conn, server, rows, batch, versions, &mut applied)?;
        applied.instead.push((key, accepted));
        replayed.insert(key);
    }
    for ((key, pending), error) in refused {
        match batch.versions.get(key) {
            None => {
                applied.refused.push((pending, error));
                applied.instead.push((key, None));
            }
            Some(versions) => {
                let versions = versions.iter().map(|version| (key, version));
                let accepted = replay(conn, server, rows, batch, versions, &mut applied)?;
                applied.instead.push((key, accepted));
                replayed.insert(key);
            }
        }
    }
    let rest = not_gone
        .into_iter()
        .filter(|((key, _), _)| !replayed.contains(key));
    applied
        .refused
        .extend(rest.map(|((_, pending), error)| (pending, error)));
    Ok(applied)
}

/// Applies the changes of a key one by one, as if each had come alone: the server keeps those it accepts, and the others are
/// returned as refused. Returns the last one that it accepted.
fn replay<'b>(
    conn: &mut Conn,
    server: &Server,
    rows: &mut Rereader<'_>,
    batch: &Batch,
    versions: impl Iterator<Item = KeyedChange<'b>>,
    applied: &mut AppliedChanges<'b>,
) -> mysql::Result<Option<&'b PendingChange>> {
    let table = rows.table;
    let rows = Mutex::new(rows);
    let mut last: Option<(&PendingChange, u64)> = None;
    for change in versions {
        let (_, version) = change;
        let resets = match last {
            Some((accepted, _)) => accepted.partition != version.partition,
            None => version.resets,
        };
        let statement = |count| match &version.write {
            Write::Upsert { shape, .. } => {
                let columns = FilledColumns::of(batch, *shape, resets);
                upsert_sql(table, &columns, count, server.has_row_alias())
            }
            Write::Delete { .. } => delete_sql(table, count),
        };
        let mut refused = Vec::new();
        let affected = run_or_halve(conn, &rows, &[change], None, &statement, &mut refused)?;
        match refused.pop() {
            None => last = Some((version, affected)),
            Some((_, error)) => applied.refused.push((version, error)),
        }
    }
    match last {
        Some((version, _)) if matches!(version.write, Write::Upsert { .. }) => applied.upserted += 1,
        Some((version, affected)) => {
            applied.deleted += affected;
            applied.below_retention += u64::from(version.is_purged());
        }
        None => {}
    }
    Ok(last.map(|(version, _)| version))
}

/// The columns that an upsert sets.
struct FilledColumns<'b> {
    /// Those that it has values for; they begin with the primary key's.
    filled: &'b [usize],
    /// Those that get their defaults.
    reset: Vec<usize>,
}

impl FilledColumns<'_> {
    fn of(batch: &Batch, shape: usize, resets: bool) -> FilledColumns<'_> {
        FilledColumns {
            filled: &batch.shapes[shape],
            reset: if resets {
                batch.columns_to_reset(shape)
            } else {
                Vec::new()
            },
        }
    }
}

pub(super) type KeyedChange<'a> = (&'a [u8], &'a PendingChange);

/// How much one statement may hold.
pub(super) struct StatementLimits {
    rows: usize,
    bytes: usize,
}

impl StatementLimits {
    pub(super) fn of(server: &Server, columns: usize, rows_max: usize) -> StatementLimits {
        StatementLimits {
            rows: rows_max.min(PLACEHOLDERS_MAX / columns.max(1)).max(1),
            bytes: (server.packet_max / 2).min(STATEMENT_BYTES_MAX),
        }
    }

    /// How many of `changes` fit in one statement: a power of two, so that few statements are prepared.
    pub(super) fn fit(&self, changes: &[KeyedChange<'_>]) -> usize {
        let mut bytes = 0;
        let fitting = changes
            .iter()
            .take(self.rows)
            .take_while(|(_, pending)| {
                bytes += pending.wire_bytes();
                bytes <= self.bytes
            })
            .count();
        1 << fitting.max(1).ilog2()
    }
}

/// Runs statements for all changes. While the server works on one, a thread prepares the values of the next.
fn run_all<'b>(
    conn: &mut Conn,
    rows: &mut Rereader<'_>,
    changes: &[KeyedChange<'b>],
    limits: &StatementLimits,
    statement: &dyn Fn(usize) -> String,
    refused: &mut Vec<(KeyedChange<'b>, MySqlError)>,
) -> mysql::Result<u64> {
    let rows = Mutex::new(rows);
    std::thread::scope(|scope| {
        let (to, ready) = sync_channel(0);
        if limits.fit(changes) < changes.len() {
            // Without a thread nothing is prepared, which only costs time.
            let _ = std::thread::Builder::new()
                .name("convert".to_owned())
                .spawn_scoped(scope, || prepare_all(&rows, changes, limits, to));
        } else {
            drop(to);
        }
        let mut affected = 0;
        let mut rest = changes;
        while !rest.is_empty() {
            let (count, values) = ready.recv().unwrap_or_else(|_| (limits.fit(rest), None));
            let (chunk, later) = rest.split_at(count);
            affected += run_or_halve(conn, &rows, chunk, values, statement, refused)?;
            rest = later;
        }
        Ok(affected)
    })
}

/// Sends how many changes go into each statement, and their values unless they are too large to wait in memory. Ends early
/// if the receiver is gone.
fn prepare_all(
    rows: &Mutex<&mut Rereader<'_>>,
    changes: &[KeyedChange<'_>],
    limits: &StatementLimits,
    to: SyncSender<(usize, Option<Vec<Value>>)>,
) {
    let mut rest = changes;
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at(limits.fit(rest));
        let bytes: usize = chunk.iter().map(|(_, pending)| pending.wire_bytes()).sum();
        let values = (bytes <= READY_BYTES_MAX).then(|| values_of(rows, chunk));
        if to.send((chunk.len(), values)).is_err() {
            return;
        }
        rest = later;
    }
}

fn values_of(rows: &Mutex<&mut Rereader<'_>>, changes: &[KeyedChange<'_>]) -> Vec<Value> {
    let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
    let mut all = Vec::new();
    for changes in changes.chunks(TOGETHER) {
        changes.iter().for_each(|(_, pending)| pending.fetch());
        for (_, pending) in changes {
            match rows.values(pending) {
                Cow::Owned(mut values) => all.append(&mut values),
                Cow::Borrowed(values) => all.extend_from_slice(values),
            }
        }
    }
    all
}

/// Runs a statement. A refused statement changes nothing, so its halves are tried until the one record is found.
fn run_or_halve<'b>(
    conn: &mut Conn,
    rows: &Mutex<&mut Rereader<'_>>,
    changes: &[KeyedChange<'b>],
    values: Option<Vec<Value>>,
    statement: &dyn Fn(usize) -> String,
    refused: &mut Vec<(KeyedChange<'b>, MySqlError)>,
) -> mysql::Result<u64> {
    let parameters = values.unwrap_or_else(|| values_of(rows, changes));
    let error = match conn.exec_drop(statement(changes.len()), parameters) {
        Ok(()) => return Ok(conn.affected_rows()),
        Err(error) if fault_of(&error) != Fault::Data => return Err(error),
        Err(error) => error,
    };
    match (changes, error) {
        ([change], mysql::Error::MySqlError(error)) => {
            refused.push((*change, error));
            Ok(0)
        }
        ([_], error) => Err(error),
        _ => {
            let (first, second) = changes.split_at(changes.len() / 2);
            Ok(run_or_halve(conn, rows, first, None, statement, refused)?
                + run_or_halve(conn, rows, second, None, statement, refused)?)
        }
    }
}

/// Upserts rows: an existing row gets all columns but the primary key's.
fn upsert_sql(table: &TargetTable, columns: &FilledColumns<'_>, rows: usize, alias: bool) -> String {
    let all = columns.filled.iter().chain(&columns.reset);
    let names: Vec<String> = all.map(|&at| quote(&table.columns[at].name)).collect();
    let (key, others) = names.split_at(table.primary_key.len().min(names.len()));
    let updates: Vec<String> = match others {
        // The key is all there is: the row only has to exist.
        [] => vec![format!("{0}.{1} = {0}.{1}", quote(&table.name), key[0])],
        others if alias => others
            .iter()
            .map(|name| format!("{name} = lakectl_new.{name}"))
            .collect(),
        others => others
            .iter()
            .map(|name| format!("{name} = VALUES({name})"))
            .collect(),
    };
    let mut values = vec!["?"; columns.filled.len()];
    values.resize(names.len(), "DEFAULT");
    let row = format!("({})", values.join(","));
    format!(
        "INSERT INTO {} ({}) VALUES {}{} ON DUPLICATE KEY UPDATE {}",
        quote(&table.name),
        names.join(","),
        vec![row.as_str(); rows].join(","),
        if alias { " AS lakectl_new" } else { "" },
        updates.join(",")
    )
}

/// Deletes rows by equalities joined with OR: the range optimizer of MySQL and of MariaDB uses the primary key for them.
fn delete_sql(table: &TargetTable, keys: usize) -> String {
    let equal: Vec<String> = table
        .primary_key
        .iter()
        .map(|&at| format!("{} = ?", quote(&table.columns[at].name)))
        .collect();
    let one = format!("({})", equal.join(" AND "));
    format!(
        "DELETE FROM {} WHERE {}",
        quote(&table.name),
        vec![one.as_str(); keys].join(" OR ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warehouse::table::column::{Column, ColumnType};

    fn table() -> TargetTable {
        let column = |name: &str, in_key: bool| Column {
            nullable: !in_key,
            in_key,
            ..Column::named(name, ColumnType::Other)
        };
        TargetTable {
            name: "t`x".to_owned(),
            columns: vec![column("n", false), column("a", true), column("b", true)],
            primary_key: vec![1, 2],
            may_refuse: false,
        }
    }

    #[test]
    fn statements() {
        let upsert_sql = |filled: &[usize], reset: &[usize], rows, alias| {
            let reset = reset.to_vec();
            upsert_sql(&table(), &FilledColumns { filled, reset }, rows, alias)
        };
        assert_eq!(
            upsert_sql(&[1, 2, 0], &[], 2, true),
            "INSERT INTO `t``x` (`a`,`b`,`n`) VALUES (?,?,?),(?,?,?) AS lakectl_new \
             ON DUPLICATE KEY UPDATE `n` = lakectl_new.`n`"
        );
        assert_eq!(
            upsert_sql(&[1, 2, 0], &[], 1, false),
            "INSERT INTO `t``x` (`a`,`b`,`n`) VALUES (?,?,?) ON DUPLICATE KEY UPDATE `n` = VALUES(`n`)"
        );
        assert_eq!(
            upsert_sql(&[1, 2], &[0], 2, true),
            "INSERT INTO `t``x` (`a`,`b`,`n`) VALUES (?,?,DEFAULT),(?,?,DEFAULT) AS lakectl_new \
             ON DUPLICATE KEY UPDATE `n` = lakectl_new.`n`"
        );
        assert!(upsert_sql(&[1, 2], &[], 1, true).ends_with("UPDATE `t``x`.`a` = `t``x`.`a`"));
        assert_eq!(
            delete_sql(&table(), 2),
            "DELETE FROM `t``x` WHERE (`a` = ? AND `b` = ?) OR (`a` = ? AND `b` = ?)"
        );
    }

    #[test]
    fn statements_stay_below_the_limits() {
        let pending = |bytes: usize| PendingChange::for_tests(vec![Value::Bytes(vec![0; bytes])]);
        let limits = StatementLimits {
            rows: 700,
            bytes: 10_000,
        };
        let key: &[u8] = b"k";
        let small = pending(1);
        let fit = |pending, count| limits.fit(&vec![(key, pending); count]);
        assert_eq!(
            (fit(&small, 5000), fit(&small, 300), fit(&small, 1)),
            (512, 256, 1)
        );
        let (large, huge) = (pending(4_000), pending(40_000));
        assert_eq!((fit(&large, 10), fit(&huge, 10)), (2, 1));
    }
}
