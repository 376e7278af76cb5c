//! One change of one row, waiting to be written.

use mysql::Value;

use crate::memory::prefetch::fetch;
use crate::record::{Rank, Record};
use crate::warehouse::value::cell::values_bytes;

/// Memory of a change beside its data: the vector, the index, the sorting, and the allocator.
pub(super) const OVERHEAD_BYTES: usize = 192;

/// A row's change, and the record that makes it.
///
/// An update keeps only the record's bytes. `lakectl_rejects` needs them if the server refuses the row, and the values are
/// read from them again when the row is written: most updates are replaced by another before that.
#[derive(Debug, Clone)]
pub(in crate::warehouse) struct PendingChange {
    pub partition: i32,
    pub offset: i64,
    /// The latest timestamp that the key has had in this Kafka partition.
    pub latest_ms: i64,
    /// Whether the row may hold what records of another Kafka partition have filled: the columns of those that this change lacks
    /// get their defaults.
    pub resets: bool,
    pub write: Write,
    /// The sort key, then the record's key, then its value: one piece of memory.
    raw: Vec<u8>,
    sort_key_length: usize,
    key_length: Option<usize>,
    has_value: bool,
}

#[derive(Debug, Clone)]
pub(in crate::warehouse) enum Write {
    Upsert {
        /// Index into [`super::Batch::shapes`].
        shape: usize,
        /// Approximate size of its values on the wire.
        wire_bytes: usize,
        /// The values of the shape's columns, the primary key's first, if they come from several records.
        merged: Option<Vec<Value>>,
    },
    Delete {
        key: Vec<Value>,
        /// The record has a row for the key, but one that a purge keeps away.
        purged: bool,
    },
}

impl PendingChange {
    pub fn new(sort_key: &[u8], record: &Record<'_>, write: Write) -> PendingChange {
        let mut pending = PendingChange {
            partition: 0,
            offset: 0,
            latest_ms: 0,
            resets: false,
            write,
            raw: Vec::with_capacity(room(raw_length(sort_key, record))),
            sort_key_length: sort_key.len(),
            key_length: None,
            has_value: false,
        };
        pending.raw.extend_from_slice(sort_key);
        pending.fill(record);
        pending
    }

    /// Whether its values come from several records, of which the server may refuse one.
    pub fn is_merged(&self) -> bool {
        matches!(&self.write, Write::Upsert { merged: Some(_), .. })
    }

    /// Replaces the change, in the same memory if there is room.
    pub fn replace(&mut self, record: &Record<'_>, write: Write) {
        let length = raw_length(self.sort_key(), record);
        if self.raw.capacity() < length || self.raw.capacity() / 2 > room(length) {
            *self = PendingChange::new(self.sort_key(), record, write);
            return;
        }
        self.write = write;
        self.raw.truncate(self.sort_key_length);
        self.fill(record);
    }

    fn fill(&mut self, record: &Record<'_>) {
        self.partition = record.partition;
        self.offset = record.offset;
        self.latest_ms = record.timestamp_ms;
        self.raw.extend_from_slice(record.key.unwrap_or_default());
        self.raw.extend_from_slice(record.value.unwrap_or_default());
        self.key_length = record.key.map(<[u8]>::len);
        self.has_value = record.value.is_some();
    }

    /// Bytes that are equal for records of the same row, and sort as the primary key does.
    pub fn sort_key(&self) -> &[u8] {
        &self.raw[..self.sort_key_length]
    }

    /// Fetches the change into the processor's cache.
    pub fn fetch(&self) {
        fetch(&self.raw);
    }

    /// The record as it came, without its headers. The timestamp is the key's latest in its Kafka partition.
    pub fn record(&self) -> Record<'_> {
        let record = &self.raw[self.sort_key_length..];
        let (key, value) = record.split_at(self.key_length.unwrap_or(0));
        Record {
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.latest_ms,
            key: self.key_length.map(|_| key),
            value: self.has_value.then_some(value),
            headers: Vec::new(),
        }
    }

    /// What decides between changes from different Kafka partitions, see [`Rank`].
    pub fn rank(&self) -> Rank {
        Rank::of(self.latest_ms, self.partition)
    }

    /// Approximate size of its parameters on the wire, in bytes.
    pub fn wire_bytes(&self) -> usize {
        match &self.write {
            Write::Upsert { wire_bytes, .. } => *wire_bytes,
            Write::Delete { key, .. } => values_bytes(key),
        }
    }

    /// Approximate memory, in bytes.
    pub fn size(&self) -> usize {
        let values = match &self.write {
            Write::Upsert { merged, .. } => merged.as_deref().unwrap_or_default(),
            Write::Delete { key, .. } => key,
        };
        OVERHEAD_BYTES + self.raw.capacity() + values_bytes(values) + size_of_val(values)
    }

    /// Whether both are updates of the same columns.
    pub(super) fn is_like(&self, new: &Write) -> bool {
        match (&self.write, new) {
            (Write::Upsert { shape: old, .. }, Write::Upsert { shape: new, .. }) => old == new,
            _ => false,
        }
    }

    /// Whether the record would have brought back a row that a purge has deleted.
    pub fn is_purged(&self) -> bool {
        matches!(self.write, Write::Delete { purged: true, .. })
    }
}

/// Rounds up: the next record of a key is often a little longer, and should fit too.
fn room(length: usize) -> usize {
    length.next_multiple_of(32)
}

fn raw_length(sort_key: &[u8], record: &Record<'_>) -> usize {
    sort_key.len() + record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)
}

#[cfg(test)]
impl PendingChange {
    pub fn for_tests(key: Vec<Value>) -> PendingChange {
        PendingChange {
            partition: 0,
            offset: 0,
            latest_ms: 0,
            resets: false,
            write: Write::Delete { key, purged: false },
            raw: Vec::new(),
            sort_key_length: 0,
            key_length: None,
            has_value: false,
        }
    }
}
