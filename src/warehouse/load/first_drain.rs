//! `lakectl_first_drain`: the Kafka partition and latest time of every key that a table's first drain has taken so far, deleted
//! ones included, and the columns that its records have filled. Each transaction adds its own, the next run reads them, and the
//! one that completes the drain deletes them.

use anyhow::{Context, Result};
use mysql::Conn;
use mysql::prelude::Queryable;

use super::batch::recent_keys::Home;
use super::batch::{Batch, Instead};
use super::progress::ProgressKey;
use crate::memory::key_hash::Seed;
use crate::problem::Problem;
use crate::warehouse::table::target::TargetTable;

pub(in crate::warehouse) const TABLE: &str = "lakectl_first_drain";

/// Keys in a row: about a megabyte, which every server takes.
const TOGETHER: usize = 36_000;
const HOME_BYTES: usize = 28;

/// How many keys are compared at once when the drain is complete: 32 MB.
const COMPARED_MAX: u64 = 1_000_000;

/// Gives `batch` what earlier runs have noted, the oldest first.
pub(in crate::warehouse) fn read(
    conn: &mut Conn,
    place: ProgressKey<'_>,
    table: &TargetTable,
    batch: &mut Batch,
) -> Result<()> {
    let rows = conn.exec_iter(
        format!("SELECT seed, places, filled FROM {TABLE} WHERE table_name = ? AND topic = ? ORDER BY id"),
        (place.table, place.topic),
    )?;
    for row in rows {
        let (seed, homes, filled): (u64, Vec<u8>, Option<String>) = mysql::from_row_opt(row?)
            .with_context(|| format!("a row of {TABLE} is not as it was written"))?;
        let names: Option<Vec<String>> = match filled {
            None => Some(Vec::new()),
            Some(names) => serde_json::from_str(&names).ok(),
        };
        let (homes, rest) = homes.as_chunks::<HOME_BYTES>();
        let (Some(names), []) = (names, rest) else {
            return Problem::new(format!(
                "table `{}`: the rows of {TABLE} about its first load are damaged",
                place.table
            ))
            .fix(format!(
                "run: lakectl warehouse --rebuild --topics {}",
                place.topic
            ))
            .err();
        };
        batch.recall(Seed::of(seed), homes.iter().map(parse));
        // A column that is gone needs no default any more.
        let column = |name: String| table.columns.iter().position(|column| column.name == name);
        batch.recall_filled(names.into_iter().filter_map(column));
    }
    Ok(())
}

/// Notes the keys and columns of a batch in the open transaction.
pub(in crate::warehouse) fn note(
    conn: &mut Conn,
    place: ProgressKey<'_>,
    table: &TargetTable,
    batch: &Batch,
    instead: &Instead,
) -> mysql::Result<()> {
    let filled = batch.newly_filled().into_iter();
    let names: Vec<&str> = filled.map(|at| table.columns[at].name.as_str()).collect();
    let mut filled = (!names.is_empty()).then(|| serde_json::Value::from(names).to_string());
    let mut homes = batch.homes(instead).peekable();
    while homes.peek().is_some() {
        let mut bytes = Vec::new();
        for home in homes.by_ref().take(TOGETHER) {
            bytes.extend_from_slice(&home.key.to_le_bytes());
            bytes.extend_from_slice(&home.partition.to_le_bytes());
            bytes.extend_from_slice(&home.latest_ms.to_le_bytes());
        }
        conn.exec_drop(
            format!("INSERT INTO {TABLE} (table_name, topic, seed, places, filled) VALUES (?, ?, ?, ?, ?)"),
            (
                place.table,
                place.topic,
                batch.seed().number(),
                bytes,
                filled.take(),
            ),
        )?;
    }
    Ok(())
}

/// Counts the keys that were in several Kafka partitions and were not remembered all the time, at the end of a first drain of more
/// keys than are remembered. `batch` is its last one.
pub(in crate::warehouse) fn count_unsure(
    conn: &mut Conn,
    place: ProgressKey<'_>,
    batch: &Batch,
    instead: &Instead,
) -> mysql::Result<u64> {
    if batch.zeros() == 0 {
        return Ok(0);
    }
    let bytes: Option<u64> = conn.exec_first(
        format!(
            "SELECT CAST(SUM(LENGTH(places)) AS UNSIGNED) FROM {TABLE} WHERE table_name = ? AND topic = ?"
        ),
        (place.table, place.topic),
    )?;
    let noted = bytes.unwrap_or(0) / HOME_BYTES as u64 + batch.homes(instead).count() as u64;
    let parts = noted.div_ceil(COMPARED_MAX);
    let mut unsure = 0;
    for part in 0..parts {
        // The low half of a hash says nothing of the zeros that it begins with.
        let is_compared = |home: &Home| {
            home.key.leading_zeros() < batch.zeros() && (u64::from(home.key as u32) * parts) >> 32 == part
        };
        // A hash spreads them evenly, and a sixteenth more is ample.
        let room = noted.div_ceil(parts) * 17 / 16;
        let mut homes: Vec<(u128, i32)> = Vec::with_capacity(room as usize);
        let rows = conn.exec_iter(
            format!("SELECT places FROM {TABLE} WHERE table_name = ? AND topic = ?"),
            (place.table, place.topic),
        )?;
        for row in rows {
            let places: Vec<u8> = mysql::from_row_opt(row?).map_err(mysql::Error::from)?;
            let places = places.as_chunks::<HOME_BYTES>().0.iter().map(parse);
            homes.extend(places.filter(is_compared).map(|home| (home.key, home.partition)));
        }
        let last = batch.homes(instead).filter(is_compared);
        homes.extend(last.map(|home| (home.key, home.partition)));
        homes.sort_unstable();
        homes.dedup();
        let keys = homes.chunk_by(|(one, _), (other, _)| one == other);
        unsure += keys.filter(|places| places.len() > 1).count() as u64;
    }
    Ok(unsure)
}

/// Deletes all noted keys. Most tables have none: then no lock is taken that others could wait for.
pub(in crate::warehouse) fn forget(conn: &mut Conn, place: ProgressKey<'_>) -> mysql::Result<()> {
    let whose = "WHERE table_name = ? AND topic = ?";
    let found: Option<i64> = conn.exec_first(
        format!("SELECT id FROM {TABLE} {whose} LIMIT 1"),
        (place.table, place.topic),
    )?;
    if found.is_some() {
        conn.exec_drop(format!("DELETE FROM {TABLE} {whose}"), (place.table, place.topic))?;
    }
    Ok(())
}

fn parse(bytes: &[u8; HOME_BYTES]) -> Home {
    let (mut key, mut partition, mut latest_ms) = ([0; 16], [0; 4], [0; 8]);
    key.copy_from_slice(&bytes[..16]);
    partition.copy_from_slice(&bytes[16..20]);
    latest_ms.copy_from_slice(&bytes[20..]);
    Home {
        key: u128::from_le_bytes(key),
        partition: i32::from_le_bytes(partition),
        latest_ms: i64::from_le_bytes(latest_ms),
    }
}
