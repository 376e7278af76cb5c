//! Compares the live schema with the one that the schema files describe.

use anyhow::{Context, Result};
use mysql::prelude::Queryable;
use mysql::{Conn, Row};
use std::collections::BTreeMap;
use std::fmt;

use super::migrations;
use super::schema_files::{self, TableShape};
use crate::warehouse::server::connect::Flavor;
use crate::warehouse::table::target::{field, is_our_own};

/// One difference between the live schema and this lakectl's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::warehouse) enum Drift {
    NotApplied {
        migration: &'static str,
    },
    Table {
        table: String,
        what: TableDrift,
    },
    Column {
        table: String,
        column: String,
        what: ColumnDrift,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::warehouse) enum TableDrift {
    Missing,
    Engine(String),
    NoPrimaryKey,
    PrimaryKey { have: Vec<String>, want: Vec<String> },
    NoIndex { index: String, columns: Vec<String> },
    SecondUniqueIndex(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::warehouse) enum ColumnDrift {
    Missing,
    NotOfThisSchema,
    Type { have: String, want: String },
    IsNullable,
    IsNotNullable,
    Collation { have: String, want: &'static str },
}

impl Drift {
    /// Whether it concerns lakectl's own tables, and not a topic's.
    pub fn is_our_own(&self) -> bool {
        match self {
            Drift::NotApplied { .. } => true,
            Drift::Table { table, .. } | Drift::Column { table, .. } => is_our_own(table),
        }
    }
}

/// The difference in one line.
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Drift::NotApplied { migration } => write!(f, "migration {migration} is not applied"),
            Drift::Table { table, what } => {
                write!(f, "{table}: ")?;
                match what {
                    TableDrift::Missing => f.write_str("the table is missing"),
                    TableDrift::Engine(engine) => write!(f, "engine is {engine}, not InnoDB"),
                    TableDrift::NoPrimaryKey => f.write_str("the primary key is missing"),
                    TableDrift::PrimaryKey { have, want } => {
                        let (have, want) = (have.join(", "), want.join(", "));
                        write!(f, "the primary key is ({have}), not ({want})")
                    }
                    TableDrift::NoIndex { index, columns } => {
                        let columns = columns.join(", ");
                        write!(
                            f,
                            "no index on ({columns}); run: CREATE INDEX `{index}` ON `{table}` ({columns})"
                        )
                    }
                    TableDrift::SecondUniqueIndex(index) => write!(f, "a second unique index, `{index}`"),
                }
            }
            Drift::Column { table, column, what } => {
                write!(f, "{table}.{column}: ")?;
                match what {
                    ColumnDrift::Missing => f.write_str("the column is missing"),
                    ColumnDrift::NotOfThisSchema => f.write_str("the column is not of this schema"),
                    ColumnDrift::Type { have, want } => write!(f, "type is {have}, not {want}"),
                    ColumnDrift::IsNullable => f.write_str("is NULL, not NOT NULL"),
                    ColumnDrift::IsNotNullable => f.write_str("is NOT NULL, not NULL"),
                    ColumnDrift::Collation { have, want } => write!(f, "collation is {have}, not {want}"),
                }
            }
        }
    }
}

pub(in crate::warehouse) fn find(conn: &mut Conn, flavor: Flavor) -> Result<Vec<Drift>> {
    let unrecorded = migrations::unrecorded(conn)?.into_iter();
    let mut drifts: Vec<Drift> = unrecorded
        .map(|migration| Drift::NotApplied {
            migration: migration.name,
        })
        .collect();
    for (table, wanted) in schema_files::shapes(&migrations::all_statements(flavor)) {
        match read(conn, &table).with_context(|| format!("table {table}"))? {
            None => drifts.push(Drift::Table {
                table,
                what: TableDrift::Missing,
            }),
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

fn compare(table: &str, wanted: &TableShape, live: &Live, flavor: Flavor) -> Vec<Drift> {
    let mut drifts = Vec::new();
    if live.engine != "InnoDB" {
        drifts.push(of_table(table, TableDrift::Engine(live.engine.clone())));
    }
    for (name, (column_type, nullable)) in &wanted.columns {
        let mut differs = |what| drifts.push(of_column(table, name, what));
        let Some((live_type, live_nullable, collation)) = live.columns.get(name) else {
            differs(ColumnDrift::Missing);
            continue;
        };
        let (want, have) = (
            comparable_type(column_type, flavor),
            comparable_type(live_type, flavor),
        );
        if want != have {
            differs(ColumnDrift::Type { have, want });
        }
        match (*live_nullable, *nullable) {
            (true, false) => differs(ColumnDrift::IsNullable),
            (false, true) => differs(ColumnDrift::IsNotNullable),
            _ => {}
        }
        if let (Some(collation), true) = (collation, column_type != "json") {
            let want = flavor.key_collation();
            // MariaDB's newer collations are named without the character set.
            if collation != want && format!("utf8mb4_{collation}") != want {
                let have = collation.clone();
                differs(ColumnDrift::Collation { have, want });
            }
        }
    }
    let strangers = live
        .columns
        .keys()
        .filter(|name| !wanted.columns.contains_key(*name));
    drifts.extend(strangers.map(|name| of_column(table, name, ColumnDrift::NotOfThisSchema)));
    let of_indexes = compare_indexes(wanted, live).into_iter();
    drifts.extend(of_indexes.map(|what| of_table(table, what)));
    drifts
}

fn of_table(table: &str, what: TableDrift) -> Drift {
    Drift::Table {
        table: table.to_owned(),
        what,
    }
}

fn of_column(table: &str, column: &str, what: ColumnDrift) -> Drift {
    Drift::Column {
        table: table.to_owned(),
        column: column.to_owned(),
        what,
    }
}

fn compare_indexes(wanted: &TableShape, live: &Live) -> Vec<TableDrift> {
    let mut drifts = Vec::new();
    match live.indexes.get("PRIMARY") {
        None => drifts.push(TableDrift::NoPrimaryKey),
        Some((_, have)) if *have != wanted.primary_key => drifts.push(TableDrift::PrimaryKey {
            have: have.clone(),
            want: wanted.primary_key.clone(),
        }),
        Some(_) => {}
    }
    for (index, columns) in &wanted.indexes {
        // Any index that begins with the columns will do.
        if !live.indexes.values().any(|(_, live)| live.starts_with(columns)) {
            drifts.push(TableDrift::NoIndex {
                index: index.clone(),
                columns: columns.clone(),
            });
        }
    }
    for (index, (unique, _)) in &live.indexes {
        if *unique && index != "PRIMARY" {
            drifts.push(TableDrift::SecondUniqueIndex(index.clone()));
        }
    }
    drifts
}

/// The type without the differences between servers: widths of integers, and MariaDB's name for JSON.
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
