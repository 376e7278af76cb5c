//! Finds rows that are older than their retention, and checks whether a purge can delete them.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use mysql::prelude::Queryable;
use mysql::{Conn, Row, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Not;
use std::time::Duration;

use crate::config::{Topic, did_you_mean, units};
use crate::exit::usage;
use crate::problem::Problem;
use crate::report;
use crate::types::plausible;
use crate::warehouse::connected::Warehouse;
use crate::warehouse::load::own_tables::check_own_tables;
use crate::warehouse::load::{cutoffs, rejects};
use crate::warehouse::server::connect::{self, Server};
use crate::warehouse::server::identifier::quote;
use crate::warehouse::table::column::ColumnType;
use crate::warehouse::table::dependents::{DependentRows, Dependents};
use crate::warehouse::table::target::{self, field, keeps_history};
use crate::warehouse::value::time;

/// Counting reads a whole index in one statement, so it may take long.
pub(super) const COUNT_TIMEOUT: Duration = connect::LONG_TIMEOUT;
/// How plans write a cutoff, in UTC.
pub(super) const CUTOFF_FORMAT: &str = "%Y-%m-%d %H:%M:%S";

const INDEX_NAME_CHARS_MAX: usize = 64;
const ANOTHER_COLUMN: &str = "name another column in warehouse.retention";

/// Rows of one MySQL table that are older than its retention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TablePlan {
    pub topic: String,
    pub table: String,
    pub column: String,
    /// UTC, `YYYY-MM-DD HH:MM:SS`: rows before it go.
    pub cutoff: String,
    pub rows: u64,
    /// Rows before the cutoff whose times are implausible; they are not among `rows`.
    #[serde(default)]
    pub rows_implausible: u64,
    /// Whether these go as well.
    #[serde(default)]
    pub with_implausible: bool,
    pub rows_in_all: u64,
    /// Rows without a time in the column: left.
    pub rows_without_time: u64,
    pub oldest: Option<String>,
    pub newest: Option<String>,
    /// The statement that makes the index which is missing on the column.
    pub missing_index: Option<String>,
    /// Rows of other tables that go, or lose their reference, with `rows`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<DependentRows>,
    /// The same if the implausible rows go as well; empty if there are none of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependents_with_implausible: Vec<DependentRows>,
    /// Rejected records that are as old, by the time of their rejection.
    #[serde(default, skip_serializing_if = "report::is_zero")]
    pub rejects: u64,
    /// The table is system-versioned: purged rows stay in its history.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub keeps_history: bool,
}

impl TablePlan {
    /// Whether nothing would be deleted.
    pub fn is_empty(&self) -> bool {
        self.doomed() + self.rejects == 0
    }

    /// Rows that are to be deleted.
    pub fn doomed(&self) -> u64 {
        if self.with_implausible {
            self.rows + self.rows_implausible
        } else {
            self.rows
        }
    }

    /// Rows of other tables that go, or lose their reference, with these.
    pub fn dependents(&self) -> &[DependentRows] {
        if self.with_implausible && self.rows_implausible > 0 {
            &self.dependents_with_implausible
        } else {
            &self.dependents
        }
    }

    /// Rows that stay because their times are implausible.
    pub fn spared(&self) -> u64 {
        self.rows + self.rows_implausible - self.doomed()
    }
}

/// Which rows a purge deletes, by their column's time in UTC.
#[derive(Debug, Clone)]
pub(super) struct Doomed {
    /// Rows before it stay; NULL: none does.
    pub since: Value,
    /// Rows from it on stay.
    pub cutoff: Value,
}

impl Doomed {
    /// Rows of all times before the cutoff.
    pub fn all(cutoff: Value) -> Doomed {
        Doomed {
            since: Value::NULL,
            cutoff,
        }
    }

    /// Only rows of a plausible time.
    pub fn plausible(cutoff: Value) -> Doomed {
        let first = plausible::FIRST_DAY.and_time(NaiveTime::MIN);
        Doomed {
            since: time::date_time_value(first, 0).unwrap_or(Value::NULL),
            cutoff,
        }
    }

    pub fn condition(&self, column: &str) -> String {
        let column = quote(column);
        match self.since {
            Value::NULL => format!("{column} < ?"),
            _ => format!("{column} >= ? AND {column} < ?"),
        }
    }

    /// The values of the condition.
    pub fn values(&self) -> Vec<Value> {
        let both = [&self.since, &self.cutoff].into_iter();
        both.filter(|value| **value != Value::NULL).cloned().collect()
    }
}

/// A table and the column that its rows are purged by.
#[derive(Debug)]
pub(in crate::warehouse) struct Aged {
    /// All names are as MySQL spells them.
    pub table: String,
    pub column: String,
    pub kind: ColumnType,
    nullable: bool,
    /// The order in which rows are deleted: that of an index that begins with the column, then the primary key.
    pub order: Vec<String>,
    /// The statement that creates an index on the column, if there is none.
    pub missing_index: Option<String>,
    pub dependents: Dependents,
}

impl Warehouse {
    /// Plans a purge of the topic's table: rows whose `column` is before the day `cutoff`, which begins at midnight in
    /// `zone`; a DATE is compared with the day itself. It changes nothing.
    ///
    /// # Errors
    /// The table is missing, is not InnoDB's, or lacks a primary key or the column; the column does not hold a time; or the
    /// cutoff is in the future: exit code 2.
    pub fn survey_rows(&self, topic: &Topic, column: &str, cutoff: NaiveDate, zone: Tz) -> Result<TablePlan> {
        self.look(COUNT_TIMEOUT, |conn| {
            self.survey(conn, topic, column, cutoff, zone)
        })
        .with_context(|| format!("topic {}: retention in the warehouse", topic.name))
    }

    fn survey(
        &self,
        conn: &mut Conn,
        topic: &Topic,
        column: &str,
        day: NaiveDate,
        zone: Tz,
    ) -> Result<TablePlan> {
        check_own_tables(conn, &self.database)?;
        let aged = Aged::inspect(conn, &self.server, &topic.table, column)?;
        let cutoff = aged.cutoff(day, zone)?;
        let value = cutoff_value(cutoff)?;
        // All counts see the table at one moment.
        conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")?;
        let doomed = Doomed::plausible(value.clone());
        let rows = aged.count(conn, &doomed)?;
        let doomed_with_implausible = Doomed::all(value.clone());
        let all = aged.count(conn, &doomed_with_implausible)?;
        let rows_implausible = all.saturating_sub(rows);
        let (table, name) = (quote(&aged.table), quote(&aged.column));
        let in_all: Option<u64> = conn.query_first(format!("SELECT COUNT(*) FROM {table}"))?;
        let without_time: Option<u64> = match aged.nullable {
            true => conn.query_first(format!("SELECT COUNT(*) FROM {table} WHERE {name} IS NULL"))?,
            // In a NOT NULL column, IS NULL would find 0000-00-00.
            false => Some(0),
        };
        let bounds: Option<(Option<String>, Option<String>)> = conn.exec_first(
            format!(
                "SELECT CAST(MIN({name}) AS CHAR), CAST(MAX({name}) AS CHAR) FROM {table} WHERE {}",
                doomed.condition(&aged.column)
            ),
            doomed.values(),
        )?;
        let dependents = aged.count_dependents(conn, &doomed)?;
        let dependents_with_implausible = match rows_implausible {
            0 => Vec::new(),
            _ => aged.count_dependents(conn, &doomed_with_implausible)?,
        };
        let place = [aged.table.as_str().into(), topic.name.as_str().into(), value];
        let rejects = rejects::count_older(conn, &place)?;
        conn.query_drop("COMMIT")?;
        let keeps_history = keeps_history(conn, &aged.table)?;
        let (oldest, newest) = bounds.unwrap_or_default();
        Ok(TablePlan {
            topic: topic.name.clone(),
            table: aged.table,
            column: aged.column,
            cutoff: cutoff.format(CUTOFF_FORMAT).to_string(),
            rows,
            rows_implausible,
            with_implausible: false,
            rows_in_all: in_all.unwrap_or(0),
            rows_without_time: without_time.unwrap_or(0),
            oldest,
            newest,
            missing_index: aged.missing_index,
            dependents,
            dependents_with_implausible,
            rejects,
            keeps_history,
        })
    }
}

impl Aged {
    pub fn inspect(conn: &mut Conn, server: &Server, table: &str, column: &str) -> Result<Aged> {
        let table = target::find(conn, table)?;
        let mut columns = target::read_columns(conn, server, &table)?;
        let lower = column.to_lowercase();
        let Some(at) = columns
            .iter()
            .position(|known| known.name.to_lowercase() == lower)
        else {
            let known = columns.iter().map(|known| known.name.as_str());
            let what = format!("table `{table}` has no column `{column}` to find old rows by");
            return Problem::usage(what)
                .fix_if_known(did_you_mean(column, known))
                .err();
        };
        let found = columns.swap_remove(at);
        if !cutoffs::has_time(&found.kind) {
            return Problem::usage(format!(
                "column `{}` of table `{table}` is not a TIMESTAMP, DATETIME or DATE: old rows can't be found by it",
                found.name
            ))
            .fix(ANOTHER_COLUMN)
            .err();
        }
        if found.generated {
            return Problem::usage(format!(
                "column `{}` of table `{table}` is computed by the server: a load could not see which rows were purged \
                 and would bring them back",
                found.name
            ))
            .fix(ANOTHER_COLUMN)
            .err();
        }
        let indexes = read_indexes(conn, &table)?;
        let Some(primary) = indexes.get("PRIMARY") else {
            return Problem::usage(format!(
                "table `{table}` has no primary key: its rows can't be purged in a fixed order"
            ))
            .fix("give it one")
            .err();
        };
        let (order, missing_index) = match best_index(&indexes, &found.name) {
            Some(index) => (index.order(&found.name, primary), None),
            None => (
                vec![found.name.clone()],
                Some(create_index(&table, &found.name, &indexes)),
            ),
        };
        Ok(Aged {
            dependents: Dependents::find(conn, server, &table)?,
            table,
            column: found.name,
            kind: found.kind,
            nullable: found.nullable,
            order,
            missing_index,
        })
    }

    pub(super) fn count(&self, conn: &mut Conn, doomed: &Doomed) -> mysql::Result<u64> {
        let (table, condition) = (quote(&self.table), doomed.condition(&self.column));
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE {condition}");
        Ok(conn.exec_first(sql, doomed.values())?.unwrap_or(0))
    }

    /// Counts the rows of other tables that go, or lose their reference, with the doomed rows.
    pub(super) fn count_dependents(&self, conn: &mut Conn, doomed: &Doomed) -> Result<Vec<DependentRows>> {
        self.dependents
            .count(conn, &doomed.condition(&self.column), &doomed.values())
    }

    /// The first instant that is kept, in UTC.
    fn cutoff(&self, day: NaiveDate, zone: Tz) -> Result<NaiveDateTime> {
        let instant = || DateTime::from_timestamp_millis(units::midnight_ms(day, zone));
        let cutoff = match self.kind {
            ColumnType::Date => Some(day.and_time(NaiveTime::MIN)),
            _ => instant().map(|instant| instant.naive_utc()),
        };
        let cutoff = cutoff.ok_or_else(|| usage(format!("the cutoff {day} is out of range")))?;
        check_past(cutoff)?;
        Ok(cutoff)
    }
}

/// Checks that a cutoff is not in the future.
///
/// # Errors
/// It is: it would delete rows that are yet to come. Exit code 2.
pub(super) fn check_past(cutoff: NaiveDateTime) -> Result<()> {
    if cutoff <= Utc::now().naive_utc() {
        Ok(())
    } else {
        Err(usage(format!("the cutoff {cutoff} UTC is in the future")))
    }
}

/// The cutoff as a parameter of statements.
pub(super) fn cutoff_value(cutoff: NaiveDateTime) -> Result<Value> {
    time::date_time_value(cutoff, 0).map_err(|reason| usage(format!("the cutoff {cutoff} is {reason}")))
}

/// An index that the optimizer may use.
#[derive(Debug, Default)]
struct Index {
    /// Its columns in order; None for an expression.
    columns: Vec<Option<String>>,
    /// Whether it has whole columns, in ascending order.
    plain: bool,
    hidden: bool,
}

impl Index {
    /// The index's order; InnoDB adds the primary key at its end.
    fn order(&self, column: &str, primary: &Index) -> Vec<String> {
        let own: Option<Vec<String>> = self.columns.iter().cloned().collect();
        let (true, true, Some(mut order)) = (self.plain, primary.plain, own) else {
            return vec![column.to_owned()];
        };
        for name in primary.columns.iter().flatten() {
            if !order.contains(name) {
                order.push(name.clone());
            }
        }
        order
    }
}

fn read_indexes(conn: &mut Conn, table: &str) -> Result<BTreeMap<String, Index>> {
    // `*`, because servers show in different columns that an index is hidden.
    let parts: Vec<Row> = conn.exec(
        "SELECT * FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? \
         ORDER BY INDEX_NAME, SEQ_IN_INDEX",
        (table,),
    )?;
    let mut indexes: BTreeMap<String, Index> = BTreeMap::new();
    for part in &parts {
        let text = |name| field::<String>(part, name);
        let says = |name, word: &str| text(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
        let name = text("INDEX_NAME").context("information_schema names no index")?;
        let index = indexes.entry(name).or_insert(Index {
            plain: true,
            ..Index::default()
        });
        index.plain &= field::<u64>(part, "SUB_PART").is_none() && says("COLLATION", "A");
        index.hidden |= says("IS_VISIBLE", "NO") || says("IGNORED", "YES") || !says("INDEX_TYPE", "BTREE");
        index.columns.push(text("COLUMN_NAME"));
    }
    Ok(indexes)
}

/// The shortest index that begins with the column, because it is read fastest.
fn best_index<'a>(indexes: &'a BTreeMap<String, Index>, column: &str) -> Option<&'a Index> {
    let begins = |index: &&Index| {
        index
            .columns
            .first()
            .is_some_and(|first| first.as_deref() == Some(column))
    };
    indexes
        .values()
        .filter(|index| !index.hidden)
        .filter(begins)
        .min_by_key(|index| (!index.plain, index.columns.len()))
}

fn create_index(table: &str, column: &str, indexes: &BTreeMap<String, Index>) -> String {
    let taken: Vec<String> = indexes.keys().map(|name| name.to_lowercase()).collect();
    let name = |number: u32| {
        let end = match number {
            1 => String::new(),
            _ => format!("_{number}"),
        };
        let whole = format!("retention_{column}");
        let start: String = whole.chars().take(INDEX_NAME_CHARS_MAX - end.len()).collect();
        start.trim_end().to_owned() + &end
    };
    let name = (1..=u32::MAX)
        .map(name)
        .find(|name| !taken.contains(&name.to_lowercase()))
        .unwrap_or_default();
    format!(
        "CREATE INDEX {} ON {} ({})",
        quote(&name),
        quote(table),
        quote(column)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(columns: &[&str], plain: bool) -> Index {
        Index {
            columns: columns.iter().map(|&name| Some(name.to_owned())).collect(),
            plain,
            hidden: false,
        }
    }

    #[test]
    fn rows_go_in_the_order_of_their_index() {
        let primary = index(&["id", "part"], true);
        assert_eq!(
            index(&["at", "part"], true).order("at", &primary),
            ["at", "part", "id"]
        );
        assert_eq!(index(&["at"], false).order("at", &primary), ["at"]);
        assert_eq!(index(&["at"], true).order("at", &index(&["id"], false)), ["at"]);
    }

    #[test]
    fn the_shortest_visible_index_is_taken() {
        let mut indexes = BTreeMap::from([
            ("PRIMARY".to_owned(), index(&["id"], true)),
            ("wide".to_owned(), index(&["at", "x"], true)),
            ("other".to_owned(), index(&["x", "at"], true)),
        ]);
        assert_eq!(best_index(&indexes, "at").unwrap().columns.len(), 2);
        if let Some(wide) = indexes.get_mut("wide") {
            wide.hidden = true;
        }
        assert!(best_index(&indexes, "at").is_none());
    }

    #[test]
    fn names_of_indexes_are_free_and_short_enough() {
        let taken = BTreeMap::from([("Retention_AT".to_owned(), index(&["x"], true))]);
        assert_eq!(
            create_index("t`x", "at", &taken),
            "CREATE INDEX `retention_at_2` ON `t``x` (`at`)"
        );
        let long = "é".repeat(64);
        let statement = create_index("t", &long, &BTreeMap::new());
        let name = statement.split('`').nth(1).unwrap();
        assert_eq!(name.chars().count(), 64);
    }
}
