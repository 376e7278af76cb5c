//! `lakectl_first_drain`: the Kafka partition and latest time of every key that a table's first drain has taken so far, deleted
//! ones included. Each transaction adds its keys, the next run reads them, and the one that completes the drain deletes them.

use anyhow::{Context, Result};
use mysql::Conn;
use mysql::prelude::Queryable;

use super::batch::Batch;
use super::batch::recent_keys::Home;
use super::progress::ProgressKey;
use crate::memory::key_hash::Seed;
use crate::problem::Problem;

pub(in crate::warehouse) const TABLE: &str = "lakectl_first_drain";

/// Keys in a row: about a megabyte, which every server takes.
const TOGETHER: usize = 36_000;
const HOME_BYTES: usize = 28;

/// Gives `batch` the keys that earlier runs have noted, the oldest first.
pub(in crate::warehouse) fn read(conn: &mut Conn, place: ProgressKey<'_>, batch: &mut Batch) -> Result<()> {
    let rows = conn.exec_iter(
        format!("SELECT seed, places FROM {TABLE} WHERE table_name = ? AND topic = ? ORDER BY id"),
        (place.table, place.topic),
    )?;
    for row in rows {
        let (seed, homes): (u64, Vec<u8>) = mysql::from_row_opt(row?)
            .with_context(|| format!("a row of {TABLE} is not as it was written"))?;
        let (homes, rest) = homes.as_chunks::<HOME_BYTES>();
        if !rest.is_empty() {
            return Problem::new(format!(
                "table `{}`: the rows of {TABLE} about its first load are damaged",
                place.table
            ))
            .fix(format!(
                "run: lakectl warehouse --rebuild --topics {}",
                place.topic
            ))
            .err();
        }
        batch.recall(Seed::of(seed), homes.iter().map(parse));
    }
    Ok(())
}

/// Notes the keys of a batch in the open transaction.
pub(in crate::warehouse) fn note(
    conn: &mut Conn,
    place: ProgressKey<'_>,
    batch: &Batch,
) -> mysql::Result<()> {
    let mut homes = batch.homes().peekable();
    while homes.peek().is_some() {
        let mut bytes = Vec::with_capacity(TOGETHER.min(homes.len()) * HOME_BYTES);
        for home in homes.by_ref().take(TOGETHER) {
            bytes.extend_from_slice(&home.key.to_le_bytes());
            bytes.extend_from_slice(&home.partition.to_le_bytes());
            bytes.extend_from_slice(&home.latest_ms.to_le_bytes());
        }
        conn.exec_drop(
            format!("INSERT INTO {TABLE} (table_name, topic, seed, places) VALUES (?, ?, ?, ?)"),
            (place.table, place.topic, batch.seed().number(), bytes),
        )?;
    }
    Ok(())
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
