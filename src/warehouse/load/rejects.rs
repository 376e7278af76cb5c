//! `lakectl_rejects`: records that could not become rows, kept with the reason and their coordinates.

use mysql::prelude::Queryable;
use mysql::{Conn, Params, Value};
use serde::Serialize;
use std::collections::BTreeMap;

use super::batch::change::PendingChange;
use crate::record::{OffsetRange, Record};
use crate::warehouse::server::error_class::is_foreign_key;

pub(in crate::warehouse) const TABLE: &str = "lakectl_rejects";

/// As much of a key as its column (BLOB) takes.
const KEY_BYTES_MAX: usize = 65_535;
/// As much of a value as is enough to recognise it.
const VALUE_BYTES_MAX: usize = 1 << 20;
const REASON_CHARS_MAX: usize = 1_000;
const ROWS_MAX: usize = 256;
const STATEMENT_BYTES_MAX: usize = 4 << 20;

/// How many different reasons are read, of all tables together.
const REASONS_READ_MAX: usize = 2_000;

/// Why records were rejected, without their values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectReason {
    pub reason: String,
    /// The server's error number.
    pub errno: Option<u32>,
    pub records: u64,
    /// When the last of them was rejected: RFC 3339.
    pub last: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::warehouse) struct Reject {
    partition: i32,
    offset: i64,
    reason: String,
    /// The server's error number; None if the record was never sent to it.
    errno: Option<u16>,
    key: Option<Clipped>,
    value: Option<Clipped>,
}

/// The first bytes of a key or value, and its full length.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Clipped {
    bytes: Box<[u8]>,
    length: usize,
}

impl Clipped {
    fn new(bytes: &[u8], max: usize) -> Clipped {
        Clipped {
            bytes: bytes[..bytes.len().min(max)].into(),
            length: bytes.len(),
        }
    }
}

impl Reject {
    pub(super) fn of_record(record: &Record<'_>, reason: &str) -> Reject {
        Reject {
            partition: record.partition,
            offset: record.offset,
            reason: clip_reason(reason),
            errno: None,
            key: record.key.map(|key| Clipped::new(key, KEY_BYTES_MAX)),
            value: record.value.map(|value| Clipped::new(value, VALUE_BYTES_MAX)),
        }
    }

    pub(super) fn of_refused(pending: &PendingChange, error: &mysql::MySqlError) -> Reject {
        Reject {
            errno: Some(error.code),
            ..Reject::of_record(&pending.record(), &error.message)
        }
    }

    pub(super) fn is_by_foreign_key(&self) -> bool {
        self.errno.is_some_and(is_foreign_key)
    }

    /// Approximate size in memory and on the wire, in bytes.
    pub(super) fn stored_bytes(&self) -> usize {
        let part = |clipped: &Option<Clipped>| clipped.as_ref().map_or(0, |clipped| clipped.bytes.len());
        part(&self.key) + part(&self.value) + self.reason.len() + 64
    }
}

fn clip_reason(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

/// Which topic's records were rejected, and for which table.
#[derive(Debug, Clone, Copy)]
pub(in crate::warehouse) struct RejectOrigin<'a> {
    pub table: &'a str,
    pub topic: &'a str,
    pub generation: u32,
}

/// Writes rejects in the transaction that moves the progress past them. If they are read again, they replace themselves.
pub(in crate::warehouse) fn write<'a>(
    conn: &mut Conn,
    origin: RejectOrigin<'_>,
    rejects: impl Iterator<Item = &'a Reject>,
) -> mysql::Result<()> {
    let mut rows: Vec<&Reject> = Vec::new();
    let mut bytes = 0;
    for reject in rejects {
        if rows.len() == ROWS_MAX || (!rows.is_empty() && bytes + reject.stored_bytes() > STATEMENT_BYTES_MAX)
        {
            write_rows(conn, origin, &rows)?;
            rows.clear();
            bytes = 0;
        }
        bytes += reject.stored_bytes();
        rows.push(reject);
    }
    if rows.is_empty() {
        Ok(())
    } else {
        write_rows(conn, origin, &rows)
    }
}

/// The condition for rejects that are older than a time: the table, the topic, the time in UTC.
pub(in crate::warehouse) const OLDER: &str = "table_name = ? AND topic = ? AND rejected_at < ?";

pub(in crate::warehouse) fn count_older(conn: &mut Conn, place: &[Value; 3]) -> mysql::Result<u64> {
    let sql = format!("SELECT COUNT(*) FROM {TABLE} WHERE {OLDER}");
    let rows: Option<u64> = conn.exec_first(sql, Params::Positional(place.to_vec()))?;
    Ok(rows.unwrap_or(0))
}

/// Deletes the rejects of records that are read again.
pub(super) fn forget(
    conn: &mut Conn,
    origin: RejectOrigin<'_>,
    read_again: &[OffsetRange],
) -> mysql::Result<()> {
    for range in read_again {
        conn.exec_drop(
            format!(
                "DELETE FROM {TABLE} WHERE table_name = ? AND topic = ? AND generation = ? AND `partition` = ? \
                 AND `offset` >= ? AND `offset` < ?"
            ),
            (
                origin.table,
                origin.topic,
                origin.generation,
                range.partition,
                range.start,
                range.end,
            ),
        )?;
    }
    Ok(())
}

fn write_rows(conn: &mut Conn, origin: RejectOrigin<'_>, rows: &[&Reject]) -> mysql::Result<()> {
    let mut parameters = Vec::with_capacity(rows.len() * 11);
    for reject in rows {
        let length = |clipped: &Option<Clipped>| clipped.as_ref().map(|clipped| clipped.length as u64);
        let bytes = |clipped: &Option<Clipped>| match clipped {
            Some(clipped) => Value::Bytes(clipped.bytes.to_vec()),
            None => Value::NULL,
        };
        parameters.extend([
            origin.table.into(),
            origin.topic.into(),
            origin.generation.into(),
            reject.partition.into(),
            reject.offset.into(),
            reject.reason.as_str().into(),
            reject.errno.into(),
            bytes(&reject.key),
            length(&reject.key).into(),
            bytes(&reject.value),
            length(&reject.value).into(),
        ]);
    }
    let row = "(?,?,?,?,?,?,?,?,?,?,?)";
    let sql = format!(
        "REPLACE INTO {TABLE} (table_name, topic, generation, `partition`, `offset`, reason, errno, `key`, key_bytes, \
         `value`, value_bytes) VALUES {}",
        vec![row; rows.len()].join(",")
    );
    conn.exec_drop(sql, parameters)
}

/// (topic, table) -> how many records were rejected, and why, the most frequent reasons first.
pub(super) type AllRejects = BTreeMap<(String, String), (u64, Vec<RejectReason>)>;

pub(in crate::warehouse) fn read_all(conn: &mut Conn) -> mysql::Result<AllRejects> {
    let counts: Vec<(String, String, u64)> = conn.query(format!(
        "SELECT topic, table_name, COUNT(*) FROM {TABLE} GROUP BY topic, table_name"
    ))?;
    let mut all: AllRejects = counts
        .into_iter()
        .map(|(topic, table, records)| ((topic, table), (records, Vec::new())))
        .collect();
    if all.is_empty() {
        return Ok(all);
    }
    let reasons: Vec<(String, String, String, Option<u32>, u64, String)> = conn.query(format!(
        "SELECT topic, table_name, reason, errno, COUNT(*) AS records, DATE_FORMAT(MAX(rejected_at), '%Y-%m-%dT%H:%i:%sZ') \
         FROM {TABLE} \
         GROUP BY topic, table_name, reason, errno ORDER BY records DESC LIMIT {REASONS_READ_MAX}"
    ))?;
    for (topic, table, reason, errno, records, last) in reasons {
        let Some((_, reasons)) = all.get_mut(&(topic, table)) else {
            continue;
        };
        let reason = without_values(&reason);
        match reasons
            .iter_mut()
            .find(|known| known.reason == reason && known.errno == errno)
        {
            Some(known) => {
                known.records += records;
                known.last = last.max(std::mem::take(&mut known.last));
            }
            None => reasons.push(RejectReason {
                reason,
                errno,
                records,
                last,
            }),
        }
    }
    for (_, reasons) in all.values_mut() {
        reasons.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.reason.cmp(&b.reason)));
    }
    Ok(all)
}

/// A reason without its value and row number: `Incorrect integer value: 'x' for column 'n' at row 7` becomes the same for
/// all such records, and holds nobody's data.
fn without_values(reason: &str) -> String {
    let reason = match reason.rsplit_once(" at row ") {
        Some((before, row)) if row.bytes().all(|byte| byte.is_ascii_digit()) => before,
        _ => reason,
    };
    let Some((before, value)) = reason.split_once("value: '") else {
        return reason.to_owned();
    };
    let after = value.rfind("' for ").map_or("'", |at| &value[at..]);
    format!("{before}value: '…{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_without_values() {
        for (reason, shared) in [
            (
                "Incorrect integer value: 'it''s' for 'x' for column 'n' at row 7",
                "Incorrect integer value: '…' for column 'n'",
            ),
            (
                "Data too long for column 'n' at row 1",
                "Data too long for column 'n'",
            ),
            (
                "Truncated incorrect INTEGER value: 'x'",
                "Truncated incorrect INTEGER value: '…'",
            ),
            ("no JSON at row of", "no JSON at row of"),
        ] {
            assert_eq!(without_values(reason), shared);
        }
    }
}
