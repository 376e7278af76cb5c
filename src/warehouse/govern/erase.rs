//! Erases persons from MySQL: their rows in the tables that topics fill, and their rejected records.

use anyhow::{Context, Result, anyhow};
use mysql::prelude::Queryable;
use mysql::{Conn, Params};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::subject_sql::Condition;
use crate::config::{Kind, Settings, Topic};
use crate::decode::Decoder;
use crate::locked::Locked;
use crate::problem::Problem;
use crate::record::Record;
use crate::stop::Stop;
use crate::subjects::matcher::Matcher;
use crate::subjects::subject::Subject;
use crate::warehouse::connected::Warehouse;
use crate::warehouse::load::own_tables::{check_own_tables, kept_under};
use crate::warehouse::load::{progress, rebuild, rejects};
use crate::warehouse::server::error_class::{Fault, fault_of, lock_advice};
use crate::warehouse::server::identifier::quote;
use crate::warehouse::server::locked_session::{Link, PATIENCE, held};
use crate::warehouse::server::statement::{Unknown, rows_of};
use crate::warehouse::server::{connect, table_name};

/// Rows per DELETE: few enough that other sessions hardly wait for it.
const ROWS_PER_DELETE: u64 = 5_000;

/// The subjects' rows and rejected records of one topic, found or deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableHits {
    /// None if there is no such table.
    pub table: Option<String>,
    pub rows: u64,
    pub rejects: u64,
    /// JSON columns, which are not searched.
    pub unsearched: Vec<String>,
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
                }
                hits.unsearched = condition.unsearched;
                hits.table = Some(table);
            }
            hits.rejects = self.find_rejects(conn, topic, subjects)?.len() as u64;
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
                delete_rows(link, &table, &condition, stop, &mut hits.rows)?;
            }
        }
        for place in self.find_rejects(&mut link.conn, topic, subjects)? {
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

/// Deletes many rows in several transactions, and counts them in `rows`.
fn delete_rows(
    link: &mut Link,
    table: &str,
    condition: &Condition,
    stop: &Stop,
    rows: &mut u64,
) -> Result<()> {
    let mut delete = |ignore: &str, limit: &str| {
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
        match delete("", &format!(" LIMIT {ROWS_PER_DELETE}")) {
            Ok(deleted) if deleted < ROWS_PER_DELETE => return Ok(()),
            Ok(_) => {}
            // A row that another table refers to must not stop the deletion of others.
            Err(refusal) if is_refusal(&refusal) => {
                delete("IGNORE ", "").map_err(|error| without_server_text(error, table))?;
                let told = format!("{rows} rows are deleted, and the server refuses to delete the others");
                return Err(without_server_text(refusal, table)
                    .context(Problem::new(told).fix("does another table refer to them?")));
            }
            Err(error) => return Err(without_server_text(error, table)),
        }
    }
}

fn count(conn: &mut Conn, table: &str, condition: &Condition) -> Result<u64> {
    let sql = format!("SELECT COUNT(*) FROM {} WHERE {}", quote(table), condition.sql);
    let counted = conn.exec_first(sql, Params::Positional(condition.values.clone()));
    let rows: Option<u64> = counted.map_err(|error| without_server_text(error.into(), table))?;
    Ok(rows.unwrap_or(0))
}

fn is_refusal(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<mysql::Error>()
        .is_some_and(|error| fault_of(error) == Fault::Data)
}

/// Keeps only the number of the server's error: its text may repeat a value, and with it the subject.
fn without_server_text(error: anyhow::Error, table: &str) -> anyhow::Error {
    match error.downcast_ref::<mysql::Error>() {
        Some(whole @ mysql::Error::MySqlError(server)) => anyhow!(
            "table `{table}`: MySQL's error {}{}",
            server.code,
            lock_advice(whole)
        ),
        _ => error.context(format!("table `{table}`")),
    }
}

struct RejectPlace {
    /// The table's name as `lakectl_rejects` spells it.
    table: String,
    generation: u32,
    partition: i32,
    offset: i64,
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

impl Warehouse {
    /// Finds rejected records of the topic that belong to a subject, or that can't be read and contain a subject's bytes.
    fn find_rejects(&self, conn: &mut Conn, topic: &Topic, subjects: &[Subject]) -> Result<Vec<RejectPlace>> {
        let matcher = Matcher::new(topic, subjects);
        let mut found = Vec::new();
        if matcher.is_empty() {
            return Ok(found);
        }
        for table in kept_under(conn, &self.server, &topic.table)? {
            find_rejects_of(conn, topic, &table, &matcher, &mut found)?;
        }
        Ok(found)
    }
}

fn find_rejects_of(
    conn: &mut Conn,
    topic: &Topic,
    table: &str,
    matcher: &Matcher,
    found: &mut Vec<RejectPlace>,
) -> Result<()> {
    // A reject is stored as it came, so it must be decoded again to see whom it belongs to. It keeps its envelope: the
    // matcher looks at the row before a change as well.
    let mut decoder = Decoder::new(topic.key.clone());
    let reading = || format!("reading {}", rejects::TABLE);
    let rows = conn
        .exec_iter(
            format!(
                "SELECT generation, `partition`, `offset`, `key`, `value` FROM {} WHERE table_name = ? AND topic = ?",
                rejects::TABLE
            ),
            (table, &topic.name),
        )
        .with_context(reading)?;
    for row in rows {
        let (generation, partition, offset, key, value): (u32, i32, i64, Option<Vec<u8>>, Option<Vec<u8>>) =
            // The driver's error would show the row's values.
            mysql::from_row_opt(row.with_context(reading)?).map_err(|_| anyhow!(reading()))?;
        let record = Record {
            partition,
            offset,
            timestamp_ms: -1,
            key: key.as_deref(),
            value: value.as_deref(),
            headers: Vec::new(),
        };
        if matcher.holds(&decoder.decode(&record)) {
            found.push(RejectPlace {
                table: table.to_owned(),
                generation,
                partition,
                offset,
            });
        }
    }
    Ok(())
}
