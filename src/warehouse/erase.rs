//! Erasing persons from MySQL: the rows of the tables that topics fill, and the records that were put aside.

use anyhow::{Context, Result, anyhow};
use mysql::prelude::Queryable;
use mysql::{Conn, Params, Value};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::condition::Condition;
use super::fault::{Fault, fault_of};
use super::identifier::quote;
use super::link::Link;
use super::{Warehouse, connect, held, load, progress, rebuild, rejects};
use crate::config::{Kind, Settings, Topic};
use crate::decode::Decoder;
use crate::erase::matcher::Matcher;
use crate::erase::subject::Subject;
use crate::locked::Locked;
use crate::record::Record;
use crate::stop::Stop;

/// Rows of one DELETE: short enough for others to come in between.
const ROWS_PER_DELETE: u64 = 5_000;

/// What one topic's table and its rejects hold of the subjects, or what was deleted there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableHits {
    /// None where there is no such table.
    pub table: Option<String>,
    pub rows: u64,
    pub rejects: u64,
    /// Columns that are not searched: JSON.
    pub unsearched: Vec<String>,
}

impl Warehouse {
    /// `mysql://user@host:port/database`, fit for messages.
    pub fn shown(&self) -> String {
        self.database.shown()
    }

    /// The table topics of the configuration, and whatever else has been loaded or put aside here.
    pub fn loaded_topics(&self, settings: &Settings) -> Result<Vec<Topic>> {
        let mut topics: BTreeMap<(String, String), Topic> = settings
            .topics
            .values()
            .filter(|topic| topic.kind == Kind::Table && topic.warehouse_enabled)
            .map(|topic| ((topic.name.clone(), topic.table.to_lowercase()), topic.clone()))
            .collect();
        let mut conn = connect::open(&self.database, connect::READ_TIMEOUT)?;
        super::check_own_tables(&mut conn, &self.database)?;
        let (progress, rejects) = (progress::TABLE, rejects::TABLE);
        let loaded: Vec<(String, String)> = conn
            .query(format!(
                "SELECT topic, table_name FROM {progress} UNION SELECT topic, table_name FROM {rejects}"
            ))
            .context("reading which topics were loaded")?;
        for (name, table) in loaded {
            let key = (name.clone(), table.to_lowercase());
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

    /// Counts, and touches nothing.
    pub fn count_subjects(&self, topic: &Topic, subjects: &[Subject]) -> Result<TableHits> {
        let mut conn = connect::open(&self.database, rebuild::READ_TIMEOUT)?;
        let mut hits = TableHits::default();
        if let Some((table, condition)) = self.condition(&mut conn, topic, subjects)? {
            hits.rows = match condition.sql.is_empty() {
                true => 0,
                false => conn
                    .exec_first(
                        format!("SELECT COUNT(*) FROM {} WHERE {}", quote(&table), condition.sql),
                        Params::Positional(condition.values),
                    )
                    .map_err(|error| hushed(error, &table))?
                    .unwrap_or(0),
            };
            hits.unsearched = condition.unsearched;
            hits.table = Some(table);
        }
        hits.rejects = find_rejects(&mut conn, topic, subjects)?.len() as u64;
        Ok(hits)
    }

    /// Deletes, under the lock that loads take, waiting up to `wait` for another run.
    ///
    /// # Errors
    /// What was deleted by then stays deleted; another run goes on with the rest.
    pub fn delete_subjects(
        &self,
        topic: &Topic,
        subjects: &[Subject],
        wait: Duration,
        stop: &Stop,
    ) -> Result<Locked<TableHits>> {
        let conn = connect::open(&self.database, rebuild::READ_TIMEOUT)?;
        let mut link = Link::new(&self.database, &self.server, conn, &topic.table);
        if !link.lock(wait)? {
            return Ok(Locked::HeldBy(held(&topic.table)));
        }
        let conn = &mut link.conn;
        let mut hits = TableHits::default();
        if let Some((table, condition)) = self.condition(conn, topic, subjects)? {
            if !condition.sql.is_empty() {
                hits.rows = delete_all(conn, &table, &condition, stop)?;
            }
            hits.unsearched = condition.unsearched;
            hits.table = Some(table);
        }
        for place in find_rejects(conn, topic, subjects)? {
            let sql = format!(
                "DELETE FROM {} WHERE table_name = ? AND topic = ? AND generation = ? AND `partition` = ? AND `offset` = ?",
                rejects::TABLE
            );
            let values = [
                topic.table.as_str().into(),
                topic.name.as_str().into(),
                place.generation.into(),
                place.partition.into(),
                place.offset.into(),
            ];
            hits.rejects +=
                delete_once(conn, &sql, &values).map_err(|error| hushed(error, rejects::TABLE))?;
        }
        Ok(Locked::Ours(hits))
    }

    /// The condition that the subjects' rows meet; None where the table does not exist. Its SQL is empty where none can.
    fn condition(
        &self,
        conn: &mut Conn,
        topic: &Topic,
        subjects: &[Subject],
    ) -> Result<Option<(String, Condition)>> {
        let exists: Option<String> = conn
            .exec_first(
                "SELECT TABLE_NAME FROM information_schema.TABLES \
                 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
                (&topic.table,),
            )
            .context("looking for the table")?;
        if exists.is_none() {
            return Ok(None);
        }
        let (_, table, mut reader) = self.fit(topic)?;
        let condition = Condition::of(topic, &table, &mut reader, subjects);
        Ok(Some((table.name, condition)))
    }
}

fn delete_all(conn: &mut Conn, table: &str, condition: &Condition, stop: &Stop) -> Result<u64> {
    let (quoted, values) = (quote(table), &condition.values);
    let sql = format!(
        "DELETE FROM {quoted} WHERE {} LIMIT {ROWS_PER_DELETE}",
        condition.sql
    );
    let mut rows = 0;
    loop {
        if stop.signal().is_some() {
            return Err(anyhow!(
                "table `{table}`: stopped by a signal after {rows} rows; run it again for the rest"
            ));
        }
        match delete_once(conn, &sql, values) {
            Ok(deleted) => {
                rows += deleted;
                if deleted < ROWS_PER_DELETE {
                    return Ok(rows);
                }
            }
            // A row that another table refers to must not keep the others.
            Err(refusal) if fault_of(&refusal) == Fault::Data => {
                let sql = format!("DELETE IGNORE FROM {quoted} WHERE {}", condition.sql);
                rows += delete_once(conn, &sql, values).map_err(|error| hushed(error, table))?;
                return Err(hushed(refusal, table).context(format!(
                    "{rows} rows are deleted, and the server refuses to delete the others: does another table refer to them?"
                )));
            }
            Err(error) => return Err(hushed(error, table)),
        }
    }
}

/// One statement is one transaction; locks of others are waited for, with a deadline.
fn delete_once(conn: &mut Conn, sql: &str, values: &[Value]) -> mysql::Result<u64> {
    let deadline = Instant::now() + load::PATIENCE;
    loop {
        match conn.exec_drop(sql, Params::Positional(values.to_vec())) {
            Ok(()) => return Ok(conn.affected_rows()),
            Err(error) if fault_of(&error) == Fault::Busy && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(200));
            }
            Err(error) => return Err(error),
        }
    }
}

/// The server's own words may repeat a value, and with it the subject: only their number is told.
fn hushed(error: mysql::Error, table: &str) -> anyhow::Error {
    match error {
        mysql::Error::MySqlError(error) => anyhow!("table `{table}`: MySQL's error {}", error.code),
        error => anyhow!(error).context(format!("table `{table}`")),
    }
}

struct RejectPlace {
    generation: u32,
    partition: i32,
    offset: i64,
}

/// Records of the topic that were put aside and belong to a subject, or can't be read and hold one's bytes.
fn find_rejects(conn: &mut Conn, topic: &Topic, subjects: &[Subject]) -> Result<Vec<RejectPlace>> {
    let matcher = Matcher::new(topic, subjects);
    // A reject is kept as it came: whom it belongs to can only be told by decoding it again.
    let mut decoder = Decoder::new(topic.key.clone());
    let mut found = Vec::new();
    if matcher.is_empty() {
        return Ok(found);
    }
    let reading = || format!("reading {}", rejects::TABLE);
    let rows = conn
        .exec_iter(
            format!(
                "SELECT generation, `partition`, `offset`, `key`, `value` FROM {} WHERE table_name = ? AND topic = ?",
                rejects::TABLE
            ),
            (&topic.table, &topic.name),
        )
        .with_context(reading)?;
    for row in rows {
        let (generation, partition, offset, key, value): (u32, i32, i64, Option<Vec<u8>>, Option<Vec<u8>>) =
            // Its own error would show the row.
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
                generation,
                partition,
                offset,
            });
        }
    }
    Ok(found)
}
