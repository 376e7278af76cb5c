//! `lakectl_progress`: how far a table has taken a topic. The transaction that writes the rows moves it.

use mysql::prelude::Queryable;
use mysql::{Conn, Row};
use std::collections::BTreeMap;

use crate::record::{LastRecord, Progress};
use crate::warehouse::table::target::field;

pub(in crate::warehouse) const TABLE: &str = "lakectl_progress";

/// The progress of one topic in one table.
#[derive(Debug, Clone, Copy)]
pub(in crate::warehouse) struct ProgressKey<'a> {
    pub table: &'a str,
    pub topic: &'a str,
}

/// Reads the rows; `locked` keeps them locked until the transaction ends.
pub(in crate::warehouse) fn read(
    conn: &mut Conn,
    place: ProgressKey<'_>,
    locked: bool,
) -> mysql::Result<Progress> {
    let rows: Vec<Row> = conn.exec(
        format!(
            "SELECT kafka_partition, next_offset, last_offset, last_timestamp_ms, last_hash, topic_id, generation, \
             complete_ms FROM {TABLE} WHERE table_name = ? AND topic = ? ORDER BY kafka_partition{}",
            if locked { " FOR UPDATE" } else { "" }
        ),
        (place.table, place.topic),
    )?;
    let mut progress = Progress::default();
    for row in &rows {
        // A row without an offset was only inserted to be locked.
        if let (Some(partition), Some(next)) = (field(row, "kafka_partition"), field(row, "next_offset")) {
            progress.next.insert(partition, next);
            progress
                .last
                .extend(last_record(row).map(|last| (partition, last)));
            progress.topic_id = field(row, "topic_id");
            progress.generation = field(row, "generation").unwrap_or(1);
            progress.complete_ms = field(row, "complete_ms");
        }
    }
    Ok(progress)
}

fn last_record(row: &Row) -> Option<LastRecord> {
    Some(LastRecord {
        offset: field(row, "last_offset")?,
        timestamp_ms: field(row, "last_timestamp_ms")?,
        hash: field(row, "last_hash")?,
    })
}

/// (topic, table) -> the progress without last records, and the time of its last change in UTC.
pub(super) type AllProgress = BTreeMap<(String, String), (Progress, Option<String>)>;

/// Every topic's progress in every table.
pub(in crate::warehouse) fn read_all(conn: &mut Conn) -> mysql::Result<AllProgress> {
    let rows: Vec<Row> = conn.query(format!(
        "SELECT topic, table_name, kafka_partition, next_offset, topic_id, generation, complete_ms, \
         CAST(updated_at AS CHAR) AS written FROM {TABLE} WHERE next_offset IS NOT NULL"
    ))?;
    let mut all = AllProgress::new();
    for row in &rows {
        let (Some(topic), Some(table)) = (field(row, "topic"), field(row, "table_name")) else {
            continue;
        };
        let (progress, written) = all.entry((topic, table)).or_default();
        if let (Some(partition), Some(next)) = (field(row, "kafka_partition"), field(row, "next_offset")) {
            progress.next.insert(partition, next);
        }
        progress.topic_id = field(row, "topic_id");
        progress.generation = field(row, "generation").unwrap_or(1);
        progress.complete_ms = field(row, "complete_ms");
        *written = field::<String>(row, "written").max(written.take());
    }
    Ok(all)
}

/// Inserts missing rows and commits them at once: two sessions that lock absent rows would deadlock.
pub(in crate::warehouse) fn prepare(
    conn: &mut Conn,
    place: ProgressKey<'_>,
    partitions: impl Iterator<Item = i32>,
) -> mysql::Result<()> {
    for partition in partitions {
        conn.exec_drop(
            format!(
                "INSERT INTO {TABLE} (table_name, topic, kafka_partition) VALUES (?, ?, ?) \
                 ON DUPLICATE KEY UPDATE kafka_partition = VALUES(kafka_partition)"
            ),
            (place.table, place.topic, partition),
        )?;
    }
    Ok(())
}

/// Updates the rows from `before` to `after`; a new generation replaces them.
pub(in crate::warehouse) fn write(
    conn: &mut Conn,
    place: ProgressKey<'_>,
    before: &Progress,
    after: &Progress,
) -> mysql::Result<()> {
    let about = |progress: &Progress| {
        (
            progress.topic_id.clone(),
            progress.generation,
            progress.complete_ms,
        )
    };
    let all = about(before) != about(after);
    if after.generation != before.generation {
        for partition in before
            .next
            .keys()
            .filter(|partition| !after.next.contains_key(partition))
        {
            conn.exec_drop(
                format!("DELETE FROM {TABLE} WHERE table_name = ? AND topic = ? AND kafka_partition = ?"),
                (place.table, place.topic, partition),
            )?;
        }
    }
    for (partition, next) in &after.next {
        let last = after.last.get(partition);
        if all || before.next.get(partition) != Some(next) || before.last.get(partition) != last {
            conn.exec_drop(
                format!(
                    "UPDATE {TABLE} SET next_offset = ?, last_offset = ?, last_timestamp_ms = ?, last_hash = ?, \
                     topic_id = ?, generation = ?, complete_ms = ?, updated_at = CURRENT_TIMESTAMP(3) \
                     WHERE table_name = ? AND topic = ? AND kafka_partition = ?"
                ),
                (
                    next,
                    last.map(|last| last.offset),
                    last.map(|last| last.timestamp_ms),
                    last.map(|last| last.hash),
                    &after.topic_id,
                    after.generation,
                    after.complete_ms,
                    place.table,
                    place.topic,
                    partition,
                ),
            )?;
        }
    }
    Ok(())
}

/// Updates only the time of the last complete run.
pub(super) fn complete(conn: &mut Conn, place: ProgressKey<'_>, complete_ms: i64) -> mysql::Result<u64> {
    conn.exec_drop(
        format!("UPDATE {TABLE} SET complete_ms = ? WHERE table_name = ? AND topic = ?"),
        (complete_ms, place.table, place.topic),
    )?;
    Ok(conn.affected_rows())
}

/// Other topics that fill the same table.
pub(super) fn other_topics(conn: &mut Conn, place: ProgressKey<'_>) -> mysql::Result<Vec<String>> {
    conn.exec(
        format!("SELECT DISTINCT topic FROM {TABLE} WHERE table_name = ? AND topic <> ? AND next_offset IS NOT NULL"),
        (place.table, place.topic),
    )
}
