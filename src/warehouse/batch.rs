//! What was read and not yet written: the newest change per primary key, in the primary key's order.

use mysql::Value;
use std::collections::{BTreeMap, HashMap};

use super::rejects::Reject;
use crate::record::Record;

/// What one row is to become, and the record that says so.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp_ms: i64,
    pub(super) write: Write,
    /// Kept for `lakectl_rejects`, should the server refuse the row.
    pub(super) raw_key: Option<Box<[u8]>>,
    pub(super) raw_value: Option<Box<[u8]>>,
}

#[derive(Debug, Clone)]
pub(super) enum Write {
    /// Index into [`Batch::shapes`], and the values of its columns, the primary key's first.
    Upsert { shape: usize, values: Vec<Value> },
    Delete {
        key: Vec<Value>,
        /// The record has a row for the key, but one that a purge has erased.
        erased: bool,
    },
}

impl Pending {
    /// What its parameters take on the wire, in bytes, about.
    pub(super) fn wire_bytes(&self) -> usize {
        match &self.write {
            Write::Upsert { values, .. } => values_bytes(values),
            Write::Delete { key, .. } => values_bytes(key),
        }
    }

    /// Whether it would have brought back what a purge has erased.
    pub(super) fn is_erased(&self) -> bool {
        matches!(self.write, Write::Delete { erased: true, .. })
    }

    pub(super) fn key(&self, key_columns: usize) -> &[Value] {
        match &self.write {
            Write::Upsert { values, .. } => &values[..key_columns],
            Write::Delete { key, .. } => key,
        }
    }
}

pub(super) fn values_bytes(values: &[Value]) -> usize {
    values
        .iter()
        .map(|value| match value {
            Value::Bytes(bytes) => bytes.len() + 9,
            _ => 13,
        })
        .sum()
}

/// Pending changes and rejects, with the memory they take.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) changes: BTreeMap<Box<[u8]>, Pending>,
    /// Tombstones that a later upsert of the same key followed: the old row goes all the same, with all its columns.
    pub(super) reborn: BTreeMap<Box<[u8]>, Pending>,
    /// Of keys that were changed more than once, every change as its record has it, in order: should the server refuse
    /// what they fold to, each is tried by itself. Only kept for tables that can refuse.
    pub(super) versions: BTreeMap<Box<[u8]>, Vec<Pending>>,
    keeps_versions: bool,
    /// Distinct sets of columns.
    pub(super) shapes: Vec<Vec<usize>>,
    shape_of: HashMap<Vec<usize>, usize>,
    pub(super) rejects: Vec<Reject>,
    /// Primary keys of refused records: a rebuild keeps their rows.
    pub(super) kept: BTreeMap<Box<[u8]>, Vec<Value>>,
    bytes: usize,
}

/// What a change takes beside its data: map nodes, vectors, allocator.
const OVERHEAD_BYTES: usize = 256;

impl Batch {
    pub(super) fn new(keeps_versions: bool) -> Batch {
        Batch {
            keeps_versions,
            ..Batch::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.rejects.is_empty()
    }

    /// Memory in use, in bytes, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn clear(&mut self) {
        *self = Batch::new(self.keeps_versions);
    }

    pub(super) fn shape(&mut self, columns: Vec<usize>) -> usize {
        if let Some(&shape) = self.shape_of.get(&columns) {
            return shape;
        }
        self.shapes.push(columns.clone());
        self.shape_of.insert(columns, self.shapes.len() - 1);
        self.shapes.len() - 1
    }

    /// The later record of a key wins: by offset, or by time where its Kafka partition changed. Fields that it lacks keep
    /// what an earlier update gave them, as they would in the table: where batches end must make no difference.
    pub(super) fn put(&mut self, key: Box<[u8]>, record: &Record<'_>, write: Write) {
        let mut pending = Pending {
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            write,
            raw_key: record.key.map(Box::from),
            raw_value: record.value.map(Box::from),
        };
        if let Some(old) = self.changes.remove(&key) {
            if old.partition != pending.partition && old.timestamp_ms > pending.timestamp_ms {
                self.changes.insert(key, old);
                return;
            }
            if self.keeps_versions {
                self.keep_versions(&key, &old, &pending);
            }
            self.bytes -= size_of_pending(&old) + key.len();
            self.follow(&key, old, &mut pending);
        }
        self.bytes += size_of_pending(&pending) + key.len();
        self.changes.insert(key, pending);
    }

    /// `old` is as its record has it the first time that a key comes again; later on it is there already.
    fn keep_versions(&mut self, key: &[u8], old: &Pending, new: &Pending) {
        let versions = self.versions.entry(key.into()).or_default();
        if versions.is_empty() {
            self.bytes += size_of_pending(old) + key.len();
            versions.push(old.clone());
        }
        self.bytes += size_of_pending(new);
        versions.push(new.clone());
    }

    /// What of the earlier change of a key still counts beside the later one.
    fn follow(&mut self, key: &[u8], old: Pending, new: &mut Pending) {
        match (old.write, &mut new.write) {
            (_, Write::Delete { .. }) => {
                if let Some(tombstone) = self.reborn.remove(key) {
                    self.bytes -= size_of_pending(&tombstone) + key.len();
                }
            }
            (write @ Write::Delete { .. }, Write::Upsert { .. }) => {
                let tombstone = Pending { write, ..old };
                self.bytes += size_of_pending(&tombstone) + key.len();
                self.reborn.insert(key.into(), tombstone);
            }
            (
                Write::Upsert {
                    shape: old_shape,
                    values: old_values,
                },
                Write::Upsert { shape, values },
            ) if old_shape != *shape => {
                let mut columns = self.shapes[*shape].clone();
                for (column, value) in self.shapes[old_shape].clone().into_iter().zip(old_values) {
                    if !columns.contains(&column) {
                        columns.push(column);
                        values.push(value);
                    }
                }
                *shape = self.shape(columns);
            }
            (Write::Upsert { .. }, Write::Upsert { .. }) => {}
        }
    }

    /// A record that no row can be made of; `key` is its primary key, if it got that far.
    pub(super) fn reject(&mut self, reject: Reject, key: Option<Vec<Value>>) {
        self.bytes += OVERHEAD_BYTES + reject.stored_bytes();
        self.rejects.push(reject);
        if let Some(key) = key {
            self.bytes += OVERHEAD_BYTES + values_bytes(&key);
            self.kept.insert(sort_key(&key), key);
        }
    }
}

#[cfg(test)]
impl Pending {
    pub(super) fn for_tests(key: Vec<Value>) -> Pending {
        Pending {
            partition: 0,
            offset: 0,
            timestamp_ms: 0,
            write: Write::Delete { key, erased: false },
            raw_key: None,
            raw_value: None,
        }
    }
}

fn size_of_pending(pending: &Pending) -> usize {
    let raw = |bytes: &Option<Box<[u8]>>| bytes.as_ref().map_or(0, |bytes| bytes.len());
    let values = match &pending.write {
        Write::Upsert { values, .. } => values,
        Write::Delete { key, .. } => key,
    };
    OVERHEAD_BYTES
        + raw(&pending.raw_key)
        + raw(&pending.raw_value)
        + values_bytes(values)
        + values.len() * size_of::<Value>()
}

/// Bytes that are equal for equal keys and sort as the key's values do, so that locks are taken in one order.
pub(super) fn sort_key(values: &[Value]) -> Box<[u8]> {
    let mut out = Vec::with_capacity(values_bytes(values) + values.len());
    for value in values {
        match value {
            Value::NULL => out.push(0),
            Value::Int(number) => push_number(&mut out, i128::from(*number)),
            Value::UInt(number) => push_number(&mut out, i128::from(*number)),
            Value::Bytes(bytes) => {
                out.push(2);
                for &byte in bytes {
                    out.push(byte);
                    if byte == 0 {
                        out.push(255);
                    }
                }
                // Below every escaped zero: a prefix sorts first and never runs into the next value.
                out.extend([0, 0]);
            }
            Value::Double(number) => push_float(&mut out, *number),
            Value::Float(number) => push_float(&mut out, f64::from(*number)),
            Value::Date(year, month, day, hour, minute, second, micros) => {
                out.push(4);
                out.extend(year.to_be_bytes());
                out.extend([*month, *day, *hour, *minute, *second]);
                out.extend(micros.to_be_bytes());
            }
            Value::Time(negative, days, hour, minute, second, micros) => {
                out.extend([5, u8::from(!negative)]);
                out.extend(days.to_be_bytes());
                out.extend([*hour, *minute, *second]);
                out.extend(micros.to_be_bytes());
            }
        }
    }
    out.into()
}

fn push_number(out: &mut Vec<u8>, number: i128) {
    out.push(1);
    out.extend((number.cast_unsigned() ^ (1 << 127)).to_be_bytes());
}

fn push_float(out: &mut Vec<u8>, number: f64) {
    // -0.0 and 0.0 are one key to MySQL.
    let bits = (if number == 0.0 { 0.0 } else { number }).to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    out.push(3);
    out.extend(ordered.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(partition: i32, offset: i64, timestamp: i64) -> Record<'static> {
        Record {
            partition,
            offset,
            timestamp_ms: timestamp,
            key: Some(b"k"),
            value: None,
            headers: Vec::new(),
        }
    }

    fn put(batch: &mut Batch, record: &Record<'_>) {
        let key = vec![Value::from("k")];
        batch.put(sort_key(&key), record, Write::Delete { key, erased: false });
    }

    fn newest(batch: &Batch) -> (i32, i64) {
        let pending = batch.changes.values().next().unwrap();
        (pending.partition, pending.offset)
    }

    #[test]
    fn the_last_offset_wins_whatever_its_time() {
        let mut batch = Batch::default();
        put(&mut batch, &record(0, 1, 500));
        let bytes = batch.bytes();
        put(&mut batch, &record(0, 2, 100));
        assert_eq!((newest(&batch), batch.bytes()), ((0, 2), bytes));
    }

    #[test]
    fn a_key_that_moved_goes_by_time() {
        let mut batch = Batch::default();
        put(&mut batch, &record(1, 1, 500));
        put(&mut batch, &record(0, 900, 100));
        assert_eq!(newest(&batch), (1, 1));
        put(&mut batch, &record(0, 901, 500));
        assert_eq!(newest(&batch), (0, 901));
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_values(
            a in (any::<i64>(), proptest::collection::vec(0u8..3, 0..5), any::<i32>()),
            b in (any::<i64>(), proptest::collection::vec(0u8..3, 0..5), any::<i32>()),
        ) {
            let key = |(n, bytes, m): &(i64, Vec<u8>, i32)| {
                sort_key(&[Value::Int(*n), Value::Bytes(bytes.clone()), Value::Double(f64::from(*m))])
            };
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
        }
    }
}
