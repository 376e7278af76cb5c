//! Erases persons from MySQL: their rows in the tables that topics fill, and their rejected records.

use anyhow::{Context, Result};
use mysql::prelude::Queryable;
use mysql::{Conn, Params};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::purge::no_row_can_be_skipped;
use super::reject_search::RejectPlace;
use super::subject_sql::Condition;
use crate::config::{Kind, Settings, Topic};
use crate::locked::Locked;
use crate::problem::Problem;
use crate::stop::Stop;
use crate::subjects::subject::Subject;
use crate::warehouse::connected::Warehouse;
use crate::warehouse::load::own_tables::check_own_tables;
use crate::warehouse::load::{progress, rebuild, rejects};
use crate::warehouse::server::error_class::{Fault, fault_of, is_foreign_key, lock_advice, server_error};
use crate::warehouse::server::identifier::quote;
use crate::warehouse::server::locked_session::{Link, PATIENCE, held};
use crate::warehouse::server::statement::{Unknown, rows_of};
use crate::warehouse::server::{connect, table_name};
use crate::warehouse::table::dependents::{DependentRows, Dependents, taken_along};
use crate::warehouse::table::target::keeps_history;
use crate::warehouse::table::triggers::refused_by_trigger;

/// Rows per DELETE: few enough that other sessions hardly wait for it.
const ROWS_PER_DELETE: u64 = 5_000;

/// The subjects' rows and rejected records of one topic, found or deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableHits {
    /// None if there is no such table.
    pub table: Option<String>,
    pub rows: u64,
    pub rejects: u64,
    /// Rejected records that may be the subjects', by Kafka partition and offset: they stay.
    pub doubtful_rejects: Vec<(i32, i64)>,
    /// JSON columns, which are not searched.
    pub unsearched: Vec<String>,
    /// Rows of other tables that go, or lose their reference, with these.
    pub dependents: Vec<DependentRows>,
    /// Versions of the subjects' rows in the history of a system-versioned table, which stay; the rows themselves become such.
    pub history: u64,
}

/// What an erasure from one table has done before it ended early.
#[derive(Debug)]
pub struct ErasureEnded {
    pub hits: TableHits,
    /// Rows for which it is unknown whether they are deleted.
    pub unknown: u64,
}

impl fmt::Display for ErasureEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TableHits { rows, rejects, .. } = self.hits;
        write!(f, "{rows} rows and {rejects} rejected records are deleted so far")?;
        if self.unknown > 0 {
            write!(f, ", and of {} more it is unknown whether they are", self.unknown)?;
        }
        Ok(())
    }
}

impl std::error::Error for ErasureEnded {}

impl Warehouse {
    /// `mysql://user@host:port/database`, without the password, for messages.
    pub fn shown(&self) -> String {
        self.database.shown()
    }

    /// The table topics of the configuration, and all others that were loaded or rejected in this database.
    pub fn loaded_topics(&self, settings: &Settings) -> Result<Vec<Topic>> {
        let mut topics: BTreeMap<(String, String), Topic> = settings
            .topics
            .values()
            .filter(|topic| topic.kind == Kind::Table && topic.warehouse_enabled)
            .map(|topic| {
                (
                    (topic.name.clone(), table_name::folded(&self.server, &topic.table)),
                    topic.clone(),
                )
            })
            .collect();
        let (progress, rejects) = (progress::TABLE, rejects::TABLE);
        let loaded: Vec<(String, String)> = self.look(connect::READ_TIMEOUT, |conn| {
            check_own_tables(conn, &self.database)?;
            conn.query(format!(
                "SELECT topic, table_name FROM {progress} UNION SELECT topic, table_name FROM {rejects}"
            ))
            .context("reading which topics were loaded")
        })?;
        for (name, table) in loaded {
            let key = (name.clone(), table_name::folded(&self.server, &table));
            if topics.contains_key(&key) {
                continue;
            }
            let mut topic = match settings.topics.get(&name) {
                Some(topic) => topic.clone(),
                None => Topic::ad_hoc(&name, Kind::Table, None)?,
            };
            topic.table = table;
            topics.insert(key, topic);
        }
        Ok(topics.into_values().collect())
    }

    /// Counts the subjects' rows and rejects, and changes nothing.
    pub fn count_subjects(&self, topic: &Topic, subjects: &[Subject]) -> Result<TableHits> {
        self.look(rebuild::READ_TIMEOUT, |conn| {
            let mut hits = TableHits::default();
            if let Some((table, condition)) = self.condition(conn, topic, subjects)? {
                if !condition.sql.is_empty() {
                    hits.rows = count(conn, &table, &condition)?;
                    let dependents = Dependents::find(conn, &self.server, &table)?;
                    hits.dependents = dependents.count(conn, &condition.sql, &condition.values)?;
                    hits.history = count_history(conn, &table, &condition)?;
                }
                hits.unsearched = condition.unsearched;
                hits.table = Some(table);
            }
            let rejects = self.find_rejects(conn, topic, subjects)?;
            hits.rejects = rejects.theirs.len() as u64;
            hits.doubtful_rejects = places(&rejects.doubtful);
            Ok(hits)
        })
    }

    /// Deletes the subjects' rows and rejects under the lock that loads take, waiting up to `wait` for another run to end.
    ///
    /// # Errors
    /// What was deleted before stays deleted, see the error's [`ErasureEnded`]; the next run deletes the rest.
    pub fn delete_subjects(
        &self,
        topic: &Topic,
        subjects: &[Subject],
        wait: Duration,
        stop: &Stop,
    ) -> Result<Locked<TableHits>> {
        let conn = connect::open(&self.database, rebuild::READ_TIMEOUT)?;
        let mut link = Link::new(&self.database, &self.server, conn, &topic.table).patient();
        if !link.lock(wait)? {
            return Ok(Locked::HeldBy(held(&topic.table)));
        }
        let mut hits = TableHits::default();
        let ended = self.delete_from_all(&mut link, topic, subjects, stop, &mut hits);
        let unknown = ended
            .as_ref()
            .err()
            .and_then(|error| error.downcast_ref::<Unknown>());
        let unknown = unknown.map_or(0, |unknown| unknown.rows);
        ended.with_context(|| ErasureEnded {
            hits: hits.clone(),
            unknown,
        })?;
        Ok(Locked::Ours(hits))
    }

    fn delete_from_all(
        &self,
        link: &mut Link,
        topic: &Topic,
        subjects: &[Subject],
        stop: &Stop,
        hits: &mut TableHits,
    ) -> Result<()> {
        if let Some((table, condition)) = self.condition(&mut link.conn, topic, subjects)? {
            hits.unsearched.clone_from(&condition.unsearched);
            hits.table = Some(table.clone());
            if !condition.sql.is_empty() {
                let dependents = Dependents::find(&mut link.conn, &self.server, &table)?;
                let along =
                    |link: &mut Link| dependents.count(&mut link.conn, &condition.sql, &condition.values);
                let before = along(link)?;
                let skips = before.is_empty();
                let deleted = delete_rows(link, &table, &condition, skips, stop, &mut hits.rows);
                if !before.is_empty() {
                    hits.dependents = taken_along(&before, along(link).ok());
                }
                deleted?;
                hits.history = count_history(&mut link.conn, &table, &condition)?;
            }
        }
        let rejects = self.find_rejects(&mut link.conn, topic, subjects)?;
        hits.doubtful_rejects = places(&rejects.doubtful);
        for place in rejects.theirs {
            hits.rejects += delete_reject(link, topic, &place, stop)?;
        }
        Ok(())
    }

    /// The table and the condition for the subjects' rows; None if the table does not exist. The SQL is empty if no row can
    /// meet it.
    fn condition(
        &self,
        conn: &mut Conn,
        topic: &Topic,
        subjects: &[Subject],
    ) -> Result<Option<(String, Condition)>> {
        if table_name::existing(conn, &topic.table)?.is_none() {
            return Ok(None);
        }
        let (table, mut reader) = self.fit(conn, topic)?;
        let condition = Condition::of(topic, &table, &mut reader, subjects);
        Ok(Some((table.name, condition)))
    }
}

fn places(rejects: &[RejectPlace]) -> Vec<(i32, i64)> {
    let places = rejects.iter().map(|place| (place.partition, place.offset));
    places.collect()
}

/// Deletes many rows in several transactions, and counts them in `rows`. `skips`: a row that the server refuses to delete
/// keeps no other.
fn delete_rows(
    link: &mut Link,
    table: &str,
    condition: &Condition,
    skips: bool,
    stop: &Stop,
    rows: &mut u64,
) -> Result<()> {
    let mut delete = |link: &mut Link, ignore: &str, limit: &str| {
        let sql = format!(
            "DELETE {ignore}FROM {} WHERE {}{limit}",
            quote(table),
            condition.sql
        );
        let deleted = link.change(PATIENCE, stop, &mut rows_of(&sql, &condition.values))?;
        *rows += deleted;
        Ok(deleted)
    };
    loop {
        if stop.signal().is_some() {
            return Problem::new(format!("table `{table}`: stopped by a signal after {rows} rows"))
                .fix("run it again for the rest")
                .err();
        }
        match delete(link, "", &format!(" LIMIT {ROWS_PER_DELETE}")) {
            Ok(deleted) if deleted < ROWS_PER_DELETE => return Ok(()),
            Ok(_) => {}
            Err(refusal) if is_refusal(&refusal) && !is_of_foreign_key(&refusal) => {
                let by = refused_by_trigger(&mut link.conn, table);
                return Err(by.caused_by(without_server_text(refusal, table)));
            }
            Err(refusal) if is_refusal(&refusal) && !skips => {
                return Err(no_row_can_be_skipped().caused_by(without_server_text(refusal, table)));
            }
            // A row that another table refers to must not stop the deletion of others.
            Err(refusal) if is_refusal(&refusal) => {
                delete(link, "IGNORE ", "").map_err(|error| without_server_text(error, table))?;
                let told = format!("{rows} rows are deleted, and the server refuses to delete the others");
                return Err(Problem::new(told)
                    .fix("does another table refer to them?")
                    .caused_by(without_server_text(refusal, table)));
            }
            Err(error) => return Err(without_server_text(error, table)),
        }
    }
}

fn delete_reject(link: &mut Link, topic: &Topic, place: &RejectPlace, stop: &Stop) -> Result<u64> {
    let values = [
        place.table.as_str().into(),
        topic.name.as_str().into(),
        place.generation.into(),
        place.partition.into(),
        place.offset.into(),
    ];
    let sql = format!(
        "DELETE FROM {} WHERE table_name = ? AND topic = ? AND generation = ? AND `partition` = ? AND `offset` = ?",
        rejects::TABLE
    );
    link.change(PATIENCE, stop, &mut rows_of(&sql, &values))
        .map_err(|error| without_server_text(error, rejects::TABLE))
}

/// Counts all versions of rows, if the table keeps them.
fn count_history(conn: &mut Conn, table: &str, condition: &Condition) -> Result<u64> {
    if !keeps_history(conn, table)? {
        return Ok(0);
    }
    count_from(conn, table, " FOR SYSTEM_TIME ALL", condition)
}

fn count(conn: &mut Conn, table: &str, condition: &Condition) -> Result<u64> {
    count_from(conn, table, "", condition)
}

fn count_from(conn: &mut Conn, table: &str, versions: &str, condition: &Condition) -> Result<u64> {
    let sql = format!(
        "SELECT COUNT(*) FROM {}{versions} WHERE {}",
        quote(table),
        condition.sql
    );
    let counted = conn.exec_first(sql, Params::Positional(condition.values.clone()));
    let rows: Option<u64> = counted.map_err(|error| without_server_text(error.into(), table))?;
    Ok(rows.unwrap_or(0))
}

fn is_refusal(error: &anyhow::Error) -> bool {
    server_error(error).is_some_and(|error| fault_of(error) == Fault::Data)
}

fn is_of_foreign_key(error: &anyhow::Error) -> bool {
    match server_error(error) {
        Some(mysql::Error::MySqlError(error)) => is_foreign_key(error.code),
        _ => false,
    }
}

/// Keeps only the number of the server's error: its text may repeat a value, and with it the subject.
fn without_server_text(error: anyhow::Error, table: &str) -> anyhow::Error {
    match server_error(&error) {
        Some(whole @ mysql::Error::MySqlError(server)) => {
            Problem::new(format!("table `{table}`: MySQL's error {}", server.code))
                .fix_if_known(lock_advice(whole))
                .into()
        }
        _ => error.context(format!("table `{table}`")),
    }
}
