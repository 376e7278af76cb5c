//! The live schema against the one that our files describe.

use anyhow::{Context, Result};
use mysql::prelude::Queryable;
use mysql::{Conn, Row};
use std::collections::BTreeMap;

use super::connect::Flavor;
use super::migrations;
use super::schema::field;
use super::sql::{self, TableShape};

/// What differs, one line each, beginning with the table's name.
pub(super) fn find(conn: &mut Conn, flavor: Flavor) -> Result<Vec<String>> {
    let mut drifts = Vec::new();
    for migration in migrations::unrecorded(conn)? {
        drifts.push(format!("migration {} is not applied", migration.name));
    }
    for (table, wanted) in sql::shapes(&migrations::all_statements(flavor)) {
        match read(conn, &table).with_context(|| format!("table {table}"))? {
            None => drifts.push(format!("{table}: the table is missing")),
            Some(live) => drifts.extend(compare(&table, &wanted, &live, flavor)),
        }
    }
    Ok(drifts)
}

#[derive(Debug, Default)]
struct Live {
    engine: String,
    /// Name -> type, whether NULL is allowed, collation.
    columns: BTreeMap<String, (String, bool, Option<String>)>,
    /// Name -> whether it is unique, and its columns.
    indexes: BTreeMap<String, (bool, Vec<String>)>,
}

fn read(conn: &mut Conn, table: &str) -> Result<Option<Live>> {
    let engine: Option<Option<String>> = conn.exec_first(
        "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
        (table,),
    )?;
    let Some(engine) = engine else { return Ok(None) };
    let mut live = Live {
        engine: engine.unwrap_or_default(),
        ..Live::default()
    };
    let columns: Vec<Row> = conn.exec(
        "SELECT COLUMN_NAME AS name, COLUMN_TYPE AS type, IS_NULLABLE AS nullable, COLLATION_NAME AS coll \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
        (table,),
    )?;
    for row in &columns {
        let text = |name| field::<String>(row, name);
        let nullable = text("nullable").is_some_and(|nullable| nullable == "YES");
        let column_type = text("type").unwrap_or_default();
        live.columns.insert(
            text("name").unwrap_or_default(),
            (column_type, nullable, text("coll")),
        );
    }
    let parts: Vec<(String, i64, String)> = conn.exec(
        "SELECT INDEX_NAME, NON_UNIQUE, COALESCE(COLUMN_NAME, '') FROM information_schema.STATISTICS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY INDEX_NAME, SEQ_IN_INDEX",
        (table,),
    )?;
    for (index, non_unique, column) in parts {
        live.indexes
            .entry(index)
            .or_insert((non_unique == 0, Vec::new()))
            .1
            .push(column);
    }
    Ok(Some(live))
}

fn compare(table: &str, wanted: &TableShape, live: &Live, flavor: Flavor) -> Vec<String> {
    let mut drifts = Vec::new();
    if live.engine != "InnoDB" {
        drifts.push(format!("{table}: engine is {}, not InnoDB", live.engine));
    }
    for (name, (column_type, nullable)) in &wanted.columns {
        let Some((live_type, live_nullable, collation)) = live.columns.get(name) else {
            drifts.push(format!("{table}.{name}: the column is missing"));
            continue;
        };
        let (want, have) = (
            comparable_type(column_type, flavor),
            comparable_type(live_type, flavor),
        );
        if want != have {
            drifts.push(format!("{table}.{name}: type is {have}, not {want}"));
        }
        if nullable != live_nullable {
            let word = |nullable: bool| if nullable { "NULL" } else { "NOT NULL" };
            let (have, want) = (word(*live_nullable), word(*nullable));
            drifts.push(format!("{table}.{name}: is {have}, not {want}"));
        }
        if let (Some(collation), true) = (collation, column_type != "json") {
            let want = flavor.key_collation();
            // MariaDB spells its newer collations without the character set.
            if collation != want && format!("utf8mb4_{collation}") != want {
                drifts.push(format!("{table}.{name}: collation is {collation}, not {want}"));
            }
        }
    }
    let strangers = live
        .columns
        .keys()
        .filter(|name| !wanted.columns.contains_key(*name));
    drifts.extend(strangers.map(|name| format!("{table}.{name}: the column is not of this schema")));
    drifts.extend(compare_indexes(table, wanted, live));
    drifts
}

fn compare_indexes(table: &str, wanted: &TableShape, live: &Live) -> Vec<String> {
    let mut drifts = Vec::new();
    match live.indexes.get("PRIMARY") {
        None => drifts.push(format!("{table}: the primary key is missing")),
        Some((_, columns)) if *columns != wanted.primary_key => drifts.push(format!(
            "{table}: the primary key is ({}), not ({})",
            columns.join(", "),
            wanted.primary_key.join(", ")
        )),
        Some(_) => {}
    }
    for (index, columns) in &wanted.indexes {
        // Any index that begins with the columns serves as well.
        if !live.indexes.values().any(|(_, live)| live.starts_with(columns)) {
            let columns = columns.join(", ");
            drifts.push(format!(
                "{table}: no index on ({columns}); run: CREATE INDEX `{index}` ON `{table}` ({columns})"
            ));
        }
    }
    for (index, (unique, _)) in &live.indexes {
        if *unique && index != "PRIMARY" {
            drifts.push(format!("{table}: a second unique index, `{index}`"));
        }
    }
    drifts
}

/// Without what servers differ in: widths of integers, MariaDB's name for JSON.
fn comparable_type(column_type: &str, flavor: Flavor) -> String {
    let lower = column_type.to_lowercase();
    if flavor == Flavor::MariaDb && lower == "json" {
        return "longtext".to_owned();
    }
    match lower.split_once('(') {
        Some((name, rest)) if name.ends_with("int") => {
            let sign = rest.split_once(')').map_or("", |(_, sign)| sign);
            format!("{name}{sign}")
        }
        _ => lower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_of_integers_are_no_drift() {
        let comparable = |text| comparable_type(text, Flavor::MariaDb);
        assert_eq!(comparable("bigint(20)"), "bigint");
        assert_eq!(comparable("int(10) unsigned"), "int unsigned");
        assert_eq!(comparable("DECIMAL(15,2)"), "decimal(15,2)");
        assert_eq!(comparable("json"), "longtext");
        assert_eq!(comparable_type("json", Flavor::MySql), "json");
    }
}
