//! Rows that are already as a rebuild's changes would make them. To read and compare a row takes the server a fraction of what
//! an upsert takes that changes nothing.

use mysql::prelude::Queryable;
use mysql::{Conn, Value};
use std::collections::BTreeSet;

use crate::types::decimal::Decimal;
use crate::warehouse::load::apply_changes::{KeyedChange, ROWS_MAX, StatementLimits};
use crate::warehouse::load::batch::Batch;
use crate::warehouse::load::batch::change::{PendingChange, Write};
use crate::warehouse::load::read_record::Rereader;
use crate::warehouse::server::connect::{Flavor, Server};
use crate::warehouse::server::error_class::{Fault, fault_of};
use crate::warehouse::server::identifier::quote;
use crate::warehouse::table::column::ColumnType;
use crate::warehouse::table::target::TargetTable;
use crate::warehouse::value::sort_key::sort_key;

/// The keys of updates that would change nothing, except for those in `left_out`; their rows are locked until the transaction ends.
/// In case of doubt a key is not among them: then the server decides.
pub(in crate::warehouse::load) fn find<'b>(
    conn: &mut Conn,
    server: &Server,
    rows: &mut Rereader<'_>,
    batch: &'b Batch,
    left_out: &BTreeSet<&[u8]>,
) -> mysql::Result<BTreeSet<&'b [u8]>> {
    if !is_worth_it(rows.table, server) {
        return Ok(BTreeSet::new());
    }
    let mut unchanged = Vec::new();
    let mut updates = vec![Vec::new(); batch.shapes.len()];
    for change in batch.in_order().filter(|(key, _)| !left_out.contains(key)) {
        match change.1.write {
            Write::Upsert { shape, .. } if keeps_its_row(batch, change) => updates[shape].push(change),
            _ => {}
        }
    }
    let limits = StatementLimits::of(server, rows.table.primary_key.len(), ROWS_MAX);
    for (shape, updates) in updates.iter().enumerate() {
        let (mut rest, mut looked_at, found_before) = (&updates[..], 0, unchanged.len());
        // Where most rows are others, reading them is a waste.
        while !rest.is_empty() && looked_at <= 2 * (unchanged.len() - found_before) {
            let (chunk, later) = rest.split_at(limits.fit(rest));
            looked_at += chunk.len();
            rest = later;
            compare(conn, rows, chunk, &batch.shapes[shape], &mut unchanged)?;
        }
    }
    Ok(unchanged.into_iter().collect())
}

/// Not if an upsert may be refused although its row is there, or takes a number; nor where finding rows takes as long as upserts:
/// MariaDB uses no index for lists of keys of several columns.
fn is_worth_it(table: &TargetTable, server: &Server) -> bool {
    !table.may_refuse
        && table.numbered_column().is_none()
        && (server.flavor == Flavor::MySql || table.primary_key.len() == 1)
}

/// Whether nothing happens to the row but that these columns are set.
fn keeps_its_row(batch: &Batch, (key, change): (&[u8], &PendingChange)) -> bool {
    !change.resets && !batch.reborn.contains_key(key)
}

/// Adds those of the keys whose rows have the values of their changes in all of these columns.
fn compare<'b>(
    conn: &mut Conn,
    rows: &mut Rereader<'_>,
    changes: &[KeyedChange<'b>],
    columns: &[usize],
    unchanged: &mut Vec<&'b [u8]>,
) -> mysql::Result<()> {
    let table = rows.table;
    let wanted: Vec<_> = changes.iter().map(|(_, change)| rows.values(change)).collect();
    let width = table.primary_key.len();
    let keys: Vec<Value> = wanted
        .iter()
        .flat_map(|values| values.iter().take(width).cloned())
        .collect();
    let found = match conn.exec_iter(select_sql(table, columns, changes.len()), keys) {
        Ok(found) => found,
        // What the server can't compare it will refuse.
        Err(error) if fault_of(&error) == Fault::Data => return Ok(()),
        Err(error) => return Err(error),
    };
    for row in found {
        let stored = row?.unwrap();
        let key = sort_key(&stored[..width.min(stored.len())]);
        // A key that is stored in another spelling is not found.
        let Ok(at) = changes.binary_search_by(|(other, _)| (**other).cmp(&*key)) else {
            continue;
        };
        let mut pairs = columns.iter().zip(wanted[at].iter().zip(&stored));
        if pairs.all(|(&column, (new, old))| is_same(&table.columns[column].kind, new, old)) {
            unchanged.push(changes[at].0);
        }
    }
    Ok(())
}

/// Reads rows by a list of keys, which takes the server half of the time that equalities joined with OR do.
fn select_sql(table: &TargetTable, columns: &[usize], keys: usize) -> String {
    let name = |&at: &usize| quote(&table.columns[at].name);
    let key: Vec<String> = table.primary_key.iter().map(name).collect();
    let one = format!("({})", vec!["?"; key.len()].join(","));
    format!(
        // The server may believe the table to be nearly empty, and scan it.
        "SELECT {} FROM {} FORCE INDEX (PRIMARY) WHERE ({}) IN ({}) FOR UPDATE",
        columns.iter().map(name).collect::<Vec<_>>().join(","),
        quote(&table.name),
        key.join(","),
        vec![one.as_str(); keys].join(",")
    )
}

/// Whether a column that holds `old` would hold the same after it was set to `new`. False if that isn't certain.
fn is_same(kind: &ColumnType, new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Int(new), Value::UInt(old)) | (Value::UInt(old), Value::Int(new)) => {
            u64::try_from(*new) == Ok(*old)
        }
        (Value::Double(new), Value::Double(old)) => new.to_bits() == old.to_bits(),
        (Value::Bytes(new), Value::Bytes(old)) if matches!(kind, ColumnType::Decimal { .. }) => {
            new == old || is_same_decimal(new, old)
        }
        (new, old) => new == old,
    }
}

fn is_same_decimal(new: &[u8], old: &[u8]) -> bool {
    let parsed = |text| std::str::from_utf8(text).ok().and_then(Decimal::parse);
    matches!((parsed(new), parsed(old)), (Some(new), Some(old)) if new.is_equal(&old))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warehouse::table::column::Column;

    #[test]
    fn a_list_of_keys_uses_the_primary_key() {
        let columns = ["n", "a", "b"].map(|name| Column::named(name, ColumnType::Other));
        let mut table = TargetTable {
            name: "t`x".to_owned(),
            columns: columns.to_vec(),
            primary_key: vec![1],
            may_refuse: false,
        };
        assert_eq!(
            select_sql(&table, &[1, 0], 2),
            "SELECT `a`,`n` FROM `t``x` FORCE INDEX (PRIMARY) WHERE (`a`) IN ((?),(?)) FOR UPDATE"
        );
        table.primary_key = vec![1, 2];
        assert_eq!(
            select_sql(&table, &[1, 2], 2),
            "SELECT `a`,`b` FROM `t``x` FORCE INDEX (PRIMARY) WHERE (`a`,`b`) IN ((?,?),(?,?)) FOR UPDATE"
        );
    }

    #[test]
    fn values_are_the_same_only_if_that_is_certain() {
        let text = |text: &str| Value::Bytes(text.as_bytes().to_vec());
        let decimal = ColumnType::Decimal {
            precision: 9,
            scale: 2,
            unsigned: false,
        };
        let cases = [
            (&ColumnType::Other, Value::NULL, Value::NULL, true),
            (&ColumnType::Other, Value::NULL, text(""), false),
            (&ColumnType::Other, Value::Int(7), Value::UInt(7), true),
            (&ColumnType::Other, Value::UInt(7), Value::Int(7), true),
            (&ColumnType::Other, Value::Int(-1), Value::UInt(u64::MAX), false),
            (&ColumnType::Other, Value::Double(0.5), Value::Double(0.5), true),
            (&ColumnType::Other, Value::Double(0.0), Value::Double(-0.0), false),
            (&ColumnType::Other, text("1.5"), text("1.50"), false),
            (&decimal, text("1.5"), text("1.50"), true),
            (&decimal, text("-0"), text("0.00"), true),
            (&decimal, text("1.504"), text("1.50"), false),
            (&decimal, text("x"), text("1.50"), false),
            (&ColumnType::Other, text("a"), text("a"), true),
            (&ColumnType::Other, text("a"), text("A"), false),
        ];
        for (kind, new, old, same) in cases {
            assert_eq!(is_same(kind, &new, &old), same, "{kind:?} {new:?} {old:?}");
        }
    }
}
