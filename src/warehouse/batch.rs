//! What was read and not yet written: the newest change per primary key.

use mysql::Value;
use std::collections::{BTreeMap, HashMap};

use super::convert::Cell;
use super::key_hash::KeyHash;
use super::rejects::Reject;
use super::written::Written;
use crate::record::Record;

/// What one row is to become, and the record that says so.
///
/// The record's bytes are all that is kept of an update: they are needed for `lakectl_rejects`, should the server refuse
/// the row, and what was taken once is read again when it is written. Most updates are followed by another before that.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp_ms: i64,
    pub(super) write: Write,
    /// The record's key, then its value.
    raw: Vec<u8>,
    key_length: Option<usize>,
    has_value: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Write {
    Upsert {
        /// Index into [`Batch::shapes`].
        shape: usize,
        /// About what its values take on the wire.
        wire_bytes: usize,
        /// The values of the shape's columns, the primary key's first, where they come from several records.
        merged: Option<Vec<Value>>,
    },
    Delete {
        key: Vec<Value>,
        /// The record has a row for the key, but one that a purge has erased.
        erased: bool,
    },
}

impl Pending {
    fn new(record: &Record<'_>, write: Write) -> Pending {
        let (key, value) = (record.key.unwrap_or_default(), record.value.unwrap_or_default());
        let mut raw = Vec::with_capacity(key.len() + value.len());
        raw.extend_from_slice(key);
        raw.extend_from_slice(value);
        Pending {
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            write,
            raw,
            key_length: record.key.map(<[u8]>::len),
            has_value: record.value.is_some(),
        }
    }

    /// In the memory of the one before, where it has the room.
    fn replace(&mut self, record: &Record<'_>, write: Write) {
        let (key, value) = (record.key.unwrap_or_default(), record.value.unwrap_or_default());
        let length = key.len() + value.len();
        if self.raw.capacity() < length || self.raw.capacity() / 2 > length {
            *self = Pending::new(record, write);
            return;
        }
        self.partition = record.partition;
        self.offset = record.offset;
        self.timestamp_ms = record.timestamp_ms;
        self.write = write;
        self.raw.clear();
        self.raw.extend_from_slice(key);
        self.raw.extend_from_slice(value);
        self.key_length = record.key.map(<[u8]>::len);
        self.has_value = record.value.is_some();
    }

    /// As it came, but for its headers.
    pub(super) fn record(&self) -> Record<'_> {
        let (key, value) = self.raw.split_at(self.key_length.unwrap_or(0));
        Record {
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key_length.map(|_| key),
            value: self.has_value.then_some(value),
            headers: Vec::new(),
        }
    }

    /// What its parameters take on the wire, in bytes, about.
    pub(super) fn wire_bytes(&self) -> usize {
        match &self.write {
            Write::Upsert { wire_bytes, .. } => *wire_bytes,
            Write::Delete { key, .. } => values_bytes(key),
        }
    }

    /// Whether it would have brought back what a purge has erased.
    pub(super) fn is_erased(&self) -> bool {
        matches!(self.write, Write::Delete { erased: true, .. })
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
    pub(super) changes: HashMap<Box<[u8]>, Box<Pending>, KeyHash>,
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
    /// What batches before this one have held.
    pub(super) written: Written,
    bytes: usize,
}

/// What a change takes beside its data: a place in the map, vectors, allocator.
const OVERHEAD_BYTES: usize = 192;

/// To give back the memory of fewer is done in a few milliseconds.
const MANY_CHANGES: usize = 10_000;

/// Reads the values of an update again.
pub(super) type Reread<'a> = &'a mut dyn FnMut(&Record<'_>) -> Vec<Value>;

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

    /// Gives away what is to be written; what comes next is another batch.
    pub(super) fn hand_over(&mut self) -> Batch {
        let mut given = std::mem::replace(self, Batch::new(self.keeps_versions));
        self.written = std::mem::take(&mut given.written);
        let changes = given.changes.iter();
        self.written
            .add(changes.map(|(key, change)| (&**key, change.partition, change.timestamp_ms)));
        given
    }

    /// Without waiting until the memory of many changes is given back, piece by piece.
    pub(super) fn drop_aside(self) {
        if self.changes.len() > MANY_CHANGES {
            // Where there is no thread to be had, this one does it.
            let _ = std::thread::Builder::new().spawn(move || drop(self));
        }
    }

    /// The number of a set of columns.
    pub(super) fn shape(&mut self, columns: impl Iterator<Item = usize> + Clone) -> usize {
        // Most records of a topic have the same fields.
        if self
            .shapes
            .first()
            .is_some_and(|shape| shape.iter().copied().eq(columns.clone()))
        {
            return 0;
        }
        let columns: Vec<usize> = columns.collect();
        if let Some(&shape) = self.shape_of.get(&columns) {
            return shape;
        }
        self.shapes.push(columns.clone());
        self.shape_of.insert(columns, self.shapes.len() - 1);
        self.shapes.len() - 1
    }

    /// The changes in the primary key's order.
    pub(super) fn in_order(&self) -> Vec<(&[u8], &Pending)> {
        let changes = self.changes.iter();
        let mut changes: Vec<_> = changes
            .map(|(key, pending)| (first_bytes(key), &**key, &**pending))
            .collect();
        changes.sort_unstable_by_key(|&(first, key, _)| (first, key));
        changes
            .into_iter()
            .map(|(_, key, pending)| (key, pending))
            .collect()
    }

    /// The later record of a key wins: by offset, or by time where its Kafka partition changed. Fields that it lacks keep
    /// what an earlier update gave them, as they would in the table: where batches end must make no difference.
    pub(super) fn put(&mut self, key: &[u8], record: &Record<'_>, write: Write, reread: Reread<'_>) {
        let Some(old) = self.changes.get_mut(key) else {
            let outdated = self.written.is_newer(key, record.partition, record.timestamp_ms);
            if !outdated {
                self.insert(key, Box::new(Pending::new(record, write)));
            }
            return;
        };
        if old.partition != record.partition && old.timestamp_ms > record.timestamp_ms {
            return;
        }
        if !self.keeps_versions && is_same_shape(&old.write, &write) {
            self.bytes -= size_of_pending(old);
            old.replace(record, write);
            self.bytes += size_of_pending(old);
            return;
        }
        let mut pending = Box::new(Pending::new(record, write));
        if let Some(old) = self.changes.remove(key) {
            if self.keeps_versions {
                self.keep_versions(key, &old, &pending);
            }
            self.bytes -= size_of_pending(&old) + key.len();
            self.follow(key, *old, &mut pending, reread);
        }
        self.insert(key, pending);
    }

    fn insert(&mut self, key: &[u8], pending: Box<Pending>) {
        self.bytes += size_of_pending(&pending) + key.len();
        self.changes.insert(key.into(), pending);
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
    fn follow(&mut self, key: &[u8], old: Pending, new: &mut Pending, reread: Reread<'_>) {
        match (&old.write, &new.write) {
            (_, Write::Delete { .. }) => {
                if let Some(tombstone) = self.reborn.remove(key) {
                    self.bytes -= size_of_pending(&tombstone) + key.len();
                }
            }
            (Write::Delete { .. }, Write::Upsert { .. }) => {
                self.bytes += size_of_pending(&old) + key.len();
                self.reborn.insert(key.into(), old);
            }
            (Write::Upsert { shape: before, .. }, Write::Upsert { shape, .. }) if before != shape => {
                let mut columns = self.shapes[*shape].clone();
                let mut values = values_of(new, reread);
                for (column, value) in self.shapes[*before].iter().zip(values_of(&old, reread)) {
                    if !columns.contains(column) {
                        columns.push(*column);
                        values.push(value);
                    }
                }
                new.write = Write::Upsert {
                    shape: self.shape(columns.into_iter()),
                    wire_bytes: values_bytes(&values),
                    merged: Some(values),
                };
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
            raw: Vec::new(),
            key_length: None,
            has_value: false,
        }
    }
}

/// As a number that sorts as they do: most keys need no further look.
fn first_bytes(key: &[u8]) -> u128 {
    let mut first = [0; 16];
    let length = key.len().min(16);
    first[..length].copy_from_slice(&key[..length]);
    u128::from_be_bytes(first)
}

fn is_same_shape(old: &Write, new: &Write) -> bool {
    match (old, new) {
        (Write::Upsert { shape: old, .. }, Write::Upsert { shape: new, .. }) => old == new,
        _ => false,
    }
}

fn values_of(pending: &Pending, reread: Reread<'_>) -> Vec<Value> {
    match &pending.write {
        Write::Upsert {
            merged: Some(values), ..
        } => values.clone(),
        _ => reread(&pending.record()),
    }
}

fn size_of_pending(pending: &Pending) -> usize {
    let values = match &pending.write {
        Write::Upsert { merged, .. } => merged.as_deref().unwrap_or_default(),
        Write::Delete { key, .. } => key,
    };
    OVERHEAD_BYTES + pending.raw.capacity() + values_bytes(values) + size_of_val(values)
}

/// Bytes that are equal for equal keys and sort as the key's values do, so that locks are taken in one order.
pub(super) fn sort_key(values: &[Value]) -> Box<[u8]> {
    let mut out = Vec::with_capacity(values_bytes(values) + values.len());
    for value in values {
        push_cell(&mut out, &Cell::of(value));
    }
    out.into()
}

/// Adds one value of a key to the bytes that it is sorted by.
pub(super) fn push_cell(out: &mut Vec<u8>, cell: &Cell<'_>) {
    match cell {
        Cell::Null => out.push(0),
        Cell::Int(number) => push_number(out, i128::from(*number)),
        Cell::UInt(number) => push_number(out, i128::from(*number)),
        Cell::Bytes(bytes) => {
            out.push(2);
            for &byte in &**bytes {
                out.push(byte);
                if byte == 0 {
                    out.push(255);
                }
            }
            // Below every escaped zero: a prefix sorts first and never runs into the next value.
            out.extend([0, 0]);
        }
        Cell::Double(number) => push_float(out, *number),
        Cell::Time(value) => push_time(out, value),
    }
}

fn push_time(out: &mut Vec<u8>, value: &Value) {
    match value {
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
        _ => {}
    }
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
        batch.put(
            &sort_key(&key),
            record,
            Write::Delete { key, erased: false },
            &mut |_| Vec::new(),
        );
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
