//! Erasing persons from MySQL: the rows of the tables that topics fill, and the records that were put aside.

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use mysql::prelude::Queryable;
use mysql::{Conn, Params, Value};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::column::{Column, ColumnType};
use super::convert::{Input, convert};
use super::fault::{Fault, fault_of};
use super::link::Link;
use super::row::RowReader;
use super::schema::TargetTable;
use super::upsert::quote;
use super::{Warehouse, connect, load, progress, rebuild, rejects};
use crate::config::{Kind, Settings, Topic};
use crate::erase::matcher::Matcher;
use crate::erase::subject::Subject;
use crate::ksqldb::{Key, KeyFormat};
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

/// Which rows: SQL without values, and the values.
struct Condition {
    sql: String,
    values: Vec<Value>,
    unsearched: Vec<String>,
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

    /// Deletes, under the lock that loads take; None where another run holds it for longer than `wait`.
    ///
    /// # Errors
    /// What was deleted by then stays deleted; another run goes on with the rest.
    pub fn delete_subjects(
        &self,
        topic: &Topic,
        subjects: &[Subject],
        wait: Duration,
        stop: &Stop,
    ) -> Result<Option<TableHits>> {
        let conn = connect::open(&self.database, rebuild::READ_TIMEOUT)?;
        let mut link = Link::new(&self.database, &self.server, conn, &topic.table);
        if !link.lock(wait)? {
            return Ok(None);
        }
        let conn = &mut link.conn;
        let mut hits = TableHits::default();
        if let Some((table, condition)) = self.condition(conn, topic, subjects)? {
            if !condition.sql.is_empty() {
                let sql = format!(
                    "DELETE FROM {} WHERE {} LIMIT {ROWS_PER_DELETE}",
                    quote(&table),
                    condition.sql
                );
                hits.rows = delete_all(conn, &table, &sql, &condition.values, stop)?;
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
            hits.rejects += delete_once(conn, rejects::TABLE, &sql, &values)?;
        }
        Ok(Some(hits))
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
        let mut whole = Condition {
            sql: String::new(),
            values: Vec::new(),
            unsearched: Vec::new(),
        };
        for subject in subjects.iter().filter(|subject| subject.applies_to(&topic.name)) {
            let found = match subject {
                Subject::Key { key, .. } => of_key(topic, &table, &mut reader, key),
                Subject::Field { path, value } => {
                    of_field(&table, &reader, path, value, &mut whole.unsearched)
                }
            };
            if let Some((sql, values)) = found {
                if !whole.sql.is_empty() {
                    whole.sql.push_str(" OR ");
                }
                whole.sql.push_str(&sql);
                whole.values.extend(values);
            }
        }
        Ok(Some((table.name, whole)))
    }
}

/// All windows of a key; None where the key's columns can't hold it.
fn of_key(
    topic: &Topic,
    table: &TargetTable,
    reader: &mut RowReader,
    key: &str,
) -> Option<(String, Vec<Value>)> {
    let bytes;
    let quoted;
    let key = match topic.key.format {
        KeyFormat::String => Key::Text(key),
        KeyFormat::Int | KeyFormat::Bigint => Key::Int(key.parse().ok()?),
        KeyFormat::Double => Key::Double(key.parse().ok()?),
        KeyFormat::Json if key.starts_with(['{', '[']) => Key::Json(key),
        // A number that is written as text fills a column of numbers all the same.
        KeyFormat::Json => {
            quoted = serde_json::to_string(key).ok()?;
            Key::Json(&quoted)
        }
        KeyFormat::Delimited => Key::Fields(delimited(&topic.key.columns, key)?),
        KeyFormat::Bytes => {
            bytes = BASE64.decode(key).ok()?;
            Key::Bytes(&bytes)
        }
        KeyFormat::None => return None,
    };
    let filled = reader.key_values(table, &key).ok()?;
    if filled.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    let mut values = Vec::new();
    for (at, value) in filled {
        let (sql, bound) = equals(&table.columns[at], value);
        parts.push(sql);
        values.extend(bound);
    }
    Some((format!("({})", parts.join(" AND ")), values))
}

/// The fields of a delimited key, from the object that its line shows, or the one there is.
fn delimited(columns: &[String], key: &str) -> Option<Vec<String>> {
    if columns.len() == 1 {
        return Some(vec![key.to_owned()]);
    }
    let fields: BTreeMap<String, String> = serde_json::from_str(key).ok()?;
    columns.iter().map(|column| fields.get(column).cloned()).collect()
}

fn of_field(
    table: &TargetTable,
    reader: &RowReader,
    path: &str,
    value: &str,
    unsearched: &mut Vec<String>,
) -> Option<(String, Vec<Value>)> {
    let top = path.split('.').next().unwrap_or(path);
    let column = match (reader.column(path), reader.column(top)) {
        (Some(at), _) => &table.columns[at],
        (None, Some(at)) if table.columns[at].kind == ColumnType::Json => &table.columns[at],
        _ => return None,
    };
    if column.kind == ColumnType::Json {
        unsearched.push(column.name.clone());
        return None;
    }
    // 00042 is not 42, whatever a column of numbers makes of it.
    let number = value.parse::<i128>().map(|number| number.to_string());
    if matches!(column.kind, ColumnType::Integer { .. }) && number.is_ok_and(|number| number != value) {
        return None;
    }
    // A column that can't hold the value holds no one of it; MySQL's own comparison would be generous.
    let value = convert(column, &boolean_or_text(column, value)).ok()?;
    let (sql, values) = equals(column, value);
    Some((sql, values))
}

/// In a column of numbers a boolean is one.
fn boolean_or_text<'a>(column: &Column, value: &'a str) -> Input<'a> {
    match (&column.kind, value) {
        (ColumnType::Integer { .. } | ColumnType::Decimal { .. } | ColumnType::Float { .. }, "true") => {
            Input::Bool(true)
        }
        (ColumnType::Integer { .. } | ColumnType::Decimal { .. } | ColumnType::Float { .. }, "false") => {
            Input::Bool(false)
        }
        _ => Input::Text(value.into()),
    }
}

/// Text compares byte for byte, whatever the collation; the first half lets an index help.
fn equals(column: &Column, value: Value) -> (String, Vec<Value>) {
    let name = quote(&column.name);
    match (&column.kind, value) {
        (ColumnType::Text { fixed, .. }, Value::Bytes(mut text)) => {
            if *fixed {
                // CHAR keeps no trailing blanks.
                text.truncate(text.len() - text.iter().rev().take_while(|&&byte| byte == b' ').count());
            }
            let value = Value::Bytes(text);
            (
                format!("({name} = ? AND CAST(CONVERT({name} USING utf8mb4) AS BINARY) = CAST(? AS BINARY))"),
                vec![value.clone(), value],
            )
        }
        (_, value) => (format!("{name} = ?"), vec![value]),
    }
}

fn delete_all(conn: &mut Conn, table: &str, sql: &str, values: &[Value], stop: &Stop) -> Result<u64> {
    let mut rows = 0;
    loop {
        if stop.signal().is_some() {
            return Err(anyhow!(
                "table `{table}`: stopped by a signal after {rows} rows; run it again for the rest"
            ));
        }
        let deleted = delete_once(conn, table, sql, values)?;
        rows += deleted;
        if deleted < ROWS_PER_DELETE {
            return Ok(rows);
        }
    }
}

/// One statement is one transaction; locks of others are waited for, with a deadline.
fn delete_once(conn: &mut Conn, table: &str, sql: &str, values: &[Value]) -> Result<u64> {
    let deadline = Instant::now() + load::PATIENCE;
    loop {
        match conn.exec_drop(sql, Params::Positional(values.to_vec())) {
            Ok(()) => return Ok(conn.affected_rows()),
            Err(error) if fault_of(&error) == Fault::Busy && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(200));
            }
            Err(error) => return Err(hushed(error, table)),
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
        if matcher.holds(&record) {
            found.push(RejectPlace {
                generation,
                partition,
                offset,
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: ColumnType) -> Column {
        Column {
            name: "c`".to_owned(),
            kind,
            nullable: true,
            in_key: false,
            required: false,
            generated: false,
            collation: None,
        }
    }

    #[test]
    fn text_compares_byte_for_byte() {
        let text = |fixed| {
            column(ColumnType::Text {
                chars_max: Some(9),
                bytes_max: 36,
                fixed,
            })
        };
        let (sql, values) = equals(&text(false), Value::Bytes(b"a ".to_vec()));
        assert_eq!(
            sql,
            "(`c``` = ? AND CAST(CONVERT(`c``` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))"
        );
        assert_eq!(values, vec![Value::Bytes(b"a ".to_vec()); 2]);
        assert_eq!(
            equals(&text(true), Value::Bytes(b"a ".to_vec())).1,
            vec![Value::Bytes(b"a".to_vec()); 2]
        );
        let number = column(ColumnType::Integer { min: 0, max: 9 });
        assert_eq!(
            equals(&number, Value::Int(1)),
            ("`c``` = ?".to_owned(), vec![Value::Int(1)])
        );
    }

    #[test]
    fn keys_of_several_columns_are_given_as_the_lake_shows_them() {
        let columns = ["a".to_owned(), "b".to_owned()];
        assert_eq!(
            delimited(&columns, r#"{"b":"2","a":"1"}"#),
            Some(vec!["1".to_owned(), "2".to_owned()])
        );
        assert_eq!(delimited(&columns, "1,2"), None);
        assert_eq!(delimited(&columns[..1], "1,2"), Some(vec!["1,2".to_owned()]));
    }
}
