//! Reads the target table from information_schema, and refuses tables that are unfit for upserts.

use anyhow::{Context, Result};
use mysql::prelude::{FromValue, Queryable};
use mysql::{Conn, Row};

use super::column::{Column, ColumnType, TypeFacts};
use crate::config::{MYSQL_NAME_MAX, TimeUnit};
use crate::exit::usage;
use crate::problem::Problem;
use crate::warehouse::server::connect::{Flavor, Server};

/// The type of MariaDB's tables that keep old versions of their rows.
const SYSTEM_VERSIONED: &str = "SYSTEM VERSIONED";

const NUMBERS_FIX: &str = "drop the column, or let a field of the records fill it";

/// A table that rows can be upserted into without surprises.
#[derive(Debug, Clone)]
pub(in crate::warehouse) struct TargetTable {
    /// As MySQL spells it.
    pub name: String,
    pub columns: Vec<Column>,
    /// Indexes into `columns`, in the primary key's order.
    pub primary_key: Vec<usize>,
    /// Whether the server may refuse a row for reasons that the types of its columns don't show.
    pub may_refuse: bool,
}

impl TargetTable {
    /// All columns in the order that statements use: the primary key's, then the others.
    pub fn key_first(&self) -> impl Iterator<Item = usize> + Clone {
        let rest = (0..self.columns.len()).filter(|&at| !self.columns[at].in_key);
        self.primary_key.iter().copied().chain(rest)
    }

    /// The column outside of the key that the server counts up.
    pub fn numbered_column(&self) -> Option<usize> {
        let mut columns = self.columns.iter();
        columns.position(|column| column.auto_increment && !column.in_key)
    }

    /// What its AUTO_INCREMENT column does, and what to do about it.
    pub fn numbers_in_words(&self) -> Option<Problem> {
        let name = &self.columns[self.numbered_column()?].name;
        let what = format!(
            "column {name} is AUTO_INCREMENT, and every update takes a number of it, also of a row that is there: one day \
             there is none left (MySQL's error 1467), and loads stop"
        );
        Some(Problem::new(what).fix(NUMBERS_FIX))
    }

    /// The same when there is no number left.
    pub fn numbers_used_up_in_words(&self) -> Option<Problem> {
        let name = &self.columns[self.numbered_column()?].name;
        let what =
            format!("column {name} is AUTO_INCREMENT and has no number left, as every update takes one");
        Some(Problem::new(what).fix(NUMBERS_FIX))
    }

    pub fn key_names(&self) -> String {
        let names: Vec<&str> = self
            .primary_key
            .iter()
            .map(|&at| self.columns[at].name.as_str())
            .collect();
        names.join(", ")
    }

    /// Key columns, with their collation, in which two different texts can mean one row.
    pub fn folding_key_columns(&self) -> Vec<String> {
        self.primary_key
            .iter()
            .map(|&at| &self.columns[at])
            .filter_map(|column| {
                let collation = column.collation.as_deref()?;
                let exact = collation == "utf8mb4_0900_bin" || collation.contains("nopad_bin");
                (!exact).then(|| format!("{} ({collation})", column.name))
            })
            .collect()
    }
}

/// Reads the table `name` of the session's database.
///
/// # Errors
/// The table is missing or unfit: exit code 2, with what to do.
pub(in crate::warehouse) fn read(conn: &mut Conn, server: &Server, name: &str) -> Result<TargetTable> {
    if is_our_own(name) {
        return Problem::usage(format!("`{name}` is a table of lakectl's own"))
            .fix("set warehouse.table to another one")
            .err();
    }
    let name = find(conn, name)?;
    let mut columns = read_columns(conn, server, &name)?;
    let primary_key = read_primary_key(conn, &name, &mut columns)?;
    refuse_second_unique_index(conn, &name)?;
    Ok(TargetTable {
        may_refuse: may_refuse(conn, &name, &columns)?,
        name,
        columns,
        primary_key,
    })
}

/// Whether there are constraints (MariaDB's JSON type is one, and limits nesting), triggers (that the account may see),
/// partitions, computed columns, or types and character sets that only the server can check.
fn may_refuse(conn: &mut Conn, table: &str, columns: &[Column]) -> Result<bool> {
    if columns
        .iter()
        .any(|column| column.generated || column.kind.only_server_can_judge() || column.has_own_characters())
    {
        return Ok(true);
    }
    let constraints: Vec<String> = conn.exec(
        "SELECT CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() \
         AND TABLE_NAME = ? AND CONSTRAINT_TYPE IN ('CHECK', 'FOREIGN KEY')",
        (table,),
    )?;
    let others: bool = conn
        .exec_first(
            "SELECT EXISTS (SELECT 1 FROM information_schema.REFERENTIAL_CONSTRAINTS \
             WHERE UNIQUE_CONSTRAINT_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME = ?) \
             OR EXISTS (SELECT 1 FROM information_schema.TRIGGERS \
             WHERE EVENT_OBJECT_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = ?) \
             OR EXISTS (SELECT 1 FROM information_schema.PARTITIONS \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND PARTITION_NAME IS NOT NULL)",
            (table, table, table),
        )?
        .unwrap_or(true);
    Ok(others || !constraints.is_empty())
}

/// Whether the table is one of lakectl's own, ignoring case, as some servers do.
pub(in crate::warehouse) fn is_our_own(name: &str) -> bool {
    let name = name.to_lowercase();
    name.starts_with("lakectl_") || name == "user_permissions"
}

/// Finds a transactional table, and returns its name as MySQL spells it.
///
/// # Errors
/// The table is missing, is a view, or is not InnoDB's: exit code 2, with what to do.
pub(in crate::warehouse) fn find(conn: &mut Conn, name: &str) -> Result<String> {
    let facts: Option<(String, String, Option<String>)> = conn.exec_first(
        "SELECT TABLE_NAME, TABLE_TYPE, ENGINE FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
        (name,),
    )?;
    let Some((name, table_type, engine)) = facts else {
        if name.chars().count() > MYSQL_NAME_MAX {
            return Problem::usage(format!(
                "`{name}` is longer than MySQL's names are, {MYSQL_NAME_MAX} characters"
            ))
            .fix("set warehouse.table")
            .err();
        }
        if let Some((before, _)) = name.split_once('.') {
            return Problem::usage(format!(
                "there is no table `{name}` in the database of warehouse.url; this is the name of one table, and can't name \
                 another database"
            ))
            .fix(format!(
                "set warehouse.table to a table of that database; if `{before}` is a database, warehouse.url of another \
                 configuration can name it"
            ))
            .err();
        }
        return Problem::usage(format!("there is no table `{name}`"))
            .fix(
                "lakectl's own tables come with `lakectl init-db`, the others with `lakectl init-db --for TOPIC`, or you CREATE \
                 them with a primary key of the record key's columns (and window_start of a windowed one)",
            )
            .err();
    };
    let engine = engine.unwrap_or_default();
    if table_type != "BASE TABLE" && table_type != SYSTEM_VERSIONED {
        return Err(usage(format!("`{name}` is a {table_type}, not a table")));
    }
    if !engine.eq_ignore_ascii_case("InnoDB") {
        return Problem::usage(format!(
            "table `{name}` has engine {engine}, which can't take data back: rows and progress would come apart"
        ))
        .fix(format!("run: ALTER TABLE `{name}` ENGINE = InnoDB"))
        .err();
    }
    Ok(name)
}

/// Whether the table keeps deleted rows and old values in a history.
pub(in crate::warehouse) fn keeps_history(conn: &mut Conn, table: &str) -> Result<bool> {
    let table_type: Option<String> = conn.exec_first(
        "SELECT TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
        (table,),
    )?;
    Ok(table_type.as_deref() == Some(SYSTEM_VERSIONED))
}

/// A column of a row that may be of any type and NULL; servers differ in their types here.
pub(in crate::warehouse) fn field<T: FromValue>(row: &Row, name: &str) -> Option<T> {
    row.get_opt::<Option<T>, _>(name).and_then(Result::ok).flatten()
}

pub(in crate::warehouse) fn read_columns(
    conn: &mut Conn,
    server: &Server,
    table: &str,
) -> Result<Vec<Column>> {
    let checked_json = checked_json_columns(conn, server, table)?;
    let rows: Vec<Row> = conn.exec(
        "SELECT COLUMN_NAME AS name, DATA_TYPE AS data_type, COLUMN_TYPE AS column_type, IS_NULLABLE AS nullable, \
         COLUMN_DEFAULT AS standard, EXTRA AS extra, CHARACTER_MAXIMUM_LENGTH AS chars, \
         CHARACTER_OCTET_LENGTH AS bytes, NUMERIC_PRECISION AS digits, NUMERIC_SCALE AS scale, \
         DATETIME_PRECISION AS places, COLLATION_NAME AS collation_name \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? \
         AND COALESCE(GENERATION_EXPRESSION, '') NOT IN ('ROW START', 'ROW END') ORDER BY ORDINAL_POSITION",
        (table,),
    )?;
    rows.iter()
        .map(|row| {
            let text = |name| field::<String>(row, name);
            let name = text("name").context("information_schema names no column")?;
            let extra = text("extra").unwrap_or_default().to_uppercase();
            // DEFAULT_GENERATED is how MySQL marks a default that is an expression, which is not a generated column.
            let generated = extra.replace("DEFAULT_GENERATED", "").contains("GENERATED");
            let nullable = text("nullable").is_some_and(|nullable| nullable.eq_ignore_ascii_case("YES"));
            let filled = field::<mysql::Value>(row, "standard").is_some_and(|v| v != mysql::Value::NULL)
                || extra.contains("AUTO_INCREMENT")
                || extra.contains("DEFAULT_GENERATED");
            let is_now = |standard: String| standard.to_lowercase().starts_with("current_timestamp");
            let filled_by_server = extra.contains("AUTO_INCREMENT")
                || extra.contains("ON UPDATE")
                || text("standard").is_some_and(is_now);
            let facts = TypeFacts {
                data_type: text("data_type").unwrap_or_default(),
                column_type: text("column_type").unwrap_or_default(),
                chars: field(row, "chars"),
                bytes: field(row, "bytes"),
                precision: field(row, "digits"),
                scale: field(row, "scale"),
                places: field(row, "places"),
                checked_json: checked_json.contains(&name),
                long_timestamps: server.has_long_timestamps(),
            };
            Ok(Column {
                kind: facts.column_type(),
                nullable,
                in_key: false,
                required: !nullable && !filled && !generated,
                generated,
                auto_increment: extra.contains("AUTO_INCREMENT"),
                filled_by_server,
                collation: text("collation_name"),
                time_unit: TimeUnit::default(),
                name,
            })
        })
        .collect()
}

/// MariaDB's JSON type is visible only as `CHECK (json_valid(column))`.
fn checked_json_columns(conn: &mut Conn, server: &Server, table: &str) -> Result<Vec<String>> {
    if server.flavor == Flavor::MySql {
        return Ok(Vec::new());
    }
    Ok(conn.exec(
        "SELECT CONSTRAINT_NAME FROM information_schema.CHECK_CONSTRAINTS \
         WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = ? AND CHECK_CLAUSE LIKE '%json_valid(%'",
        (table,),
    )?)
}

fn read_primary_key(conn: &mut Conn, table: &str, columns: &mut [Column]) -> Result<Vec<usize>> {
    let parts: Vec<(String, Option<u64>)> = conn.exec(
        "SELECT COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX",
        (table,),
    )?;
    if parts.is_empty() {
        return Err(usage(format!(
            "table `{table}` has no primary key: an update would add a row instead of changing one"
        )));
    }
    let mut primary_key = Vec::with_capacity(parts.len());
    // MariaDB adds the time at which a version of the row ends, which is none of our columns.
    let is_ours = |name: &str| columns.iter().any(|column| column.name == name);
    let parts: Vec<_> = parts.into_iter().filter(|(name, _)| is_ours(name)).collect();
    for (name, prefix) in parts {
        if let Some(length) = prefix {
            return Err(usage(format!(
                "the primary key of `{table}` holds only {length} characters of `{name}`: different keys would \
                 become one row"
            )));
        }
        let at = columns
            .iter()
            .position(|column| column.name == name)
            .with_context(|| format!("`{table}`: no column {name}"))?;
        if matches!(columns[at].kind, ColumnType::Float { single: true, .. }) {
            return Problem::usage(format!(
                "`{name}` in the primary key of `{table}` is a FLOAT, which MySQL rounds when it looks for a row: a deletion \
                 would not find it"
            ))
            .fix(format!("run: ALTER TABLE `{table}` MODIFY `{name}` DOUBLE NOT NULL"))
            .err();
        }
        if columns[at].kind == ColumnType::Other {
            return Problem::usage(format!(
                "`{name}` in the primary key of `{table}` is of a type that only MySQL can compare: lakectl could not see which \
                 changes belong to one row"
            ))
            .fix("make it a VARCHAR")
            .err();
        }
        columns[at].in_key = true;
        primary_key.push(at);
    }
    Ok(primary_key)
}

fn refuse_second_unique_index(conn: &mut Conn, table: &str) -> Result<()> {
    let index: Option<String> = conn.exec_first(
        "SELECT INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? \
         AND NON_UNIQUE = 0 AND INDEX_NAME <> 'PRIMARY' LIMIT 1",
        (table,),
    )?;
    match index {
        None => Ok(()),
        Some(index) => Problem::usage(format!(
            "table `{table}` has a second unique index, `{index}`: an upsert could change another key's row"
        ))
        .fix(format!(
            "run: DROP INDEX `{index}` ON `{table}`, or make it a plain one"
        ))
        .err(),
    }
}
