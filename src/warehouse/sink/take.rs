//! One record of the topic becomes a change in the batch.

use super::TableSink;
use crate::record::Record;
use crate::warehouse::convert::{Cell, Slots};
use crate::warehouse::pending::Write;
use crate::warehouse::rejects::Reject;
use crate::warehouse::row::Change;
use crate::warehouse::schema::TargetTable;
use crate::warehouse::sort_key::push_cell;

/// What a statement takes beside the values of its one row.
pub(in crate::warehouse) const STATEMENT_OVERHEAD_BYTES: usize = 64 << 10;

impl TableSink {
    /// A change of the key that `sort_key` holds.
    fn put(&mut self, record: &Record<'_>, write: Write) {
        let (reader, table) = (&mut self.reader, &self.table);
        self.batch.put(&self.sort_key, record, write, &mut |record| {
            reader.values(table, record)
        });
    }

    /// Whatever row the key had before is outdated, so it goes; nothing of the record itself is kept anywhere.
    fn take_erased(&mut self, record: &Record<'_>) {
        self.persons_dropped += 1;
        let tombstone = Record {
            value: None,
            ..record.clone()
        };
        if let Change::Delete { key } = self.reader.read(&self.table, &tombstone) {
            let nameless = Record {
                key: None,
                ..tombstone
            };
            self.put_deletion(&nameless, key, false);
        }
    }

    pub(super) fn take_change(&mut self, record: &Record<'_>) {
        if self.persons.hits(record) {
            return self.take_erased(record);
        }
        match self.reader.read(&self.table, record) {
            Change::NoKey => self.irregular += 1,
            Change::Refused(refusal) => {
                self.batch
                    .reject(Reject::of_record(record, &refusal.reason), refusal.key);
            }
            Change::Delete { key } => {
                self.tombstones += 1;
                self.put_deletion(record, key, false);
            }
            Change::Upsert(row) => {
                self.take_upsert(record, &row);
                self.reader.take_back(row);
            }
        }
    }

    fn take_upsert(&mut self, record: &Record<'_>, row: &Slots<'_>) {
        let key_values = |table: &TargetTable| {
            let filled = table.primary_key.iter().filter_map(|&at| row[at].clone());
            filled.map(Cell::into_value).collect()
        };
        if self.erased.covers(row) {
            return self.put_deletion(record, key_values(&self.table), true);
        }
        let packet_max = self.packet_max;
        let wire_bytes = row.iter().flatten().map(Cell::wire_bytes).sum();
        if wire_bytes + STATEMENT_OVERHEAD_BYTES > packet_max {
            let reason = format!("larger than the server's max_allowed_packet, {packet_max} bytes");
            let reject = Reject::of_record(record, &reason);
            return self.batch.reject(reject, Some(key_values(&self.table)));
        }
        let write = Write::Upsert {
            shape: self.batch.shape_of_row(&self.table, row),
            wire_bytes,
            merged: None,
        };
        self.sort_key.clear();
        for &at in &self.table.primary_key {
            push_cell(&mut self.sort_key, row[at].as_ref().unwrap_or(&Cell::Null));
        }
        self.put(record, write);
    }

    fn put_deletion(&mut self, record: &Record<'_>, key: Vec<mysql::Value>, erased: bool) {
        self.sort_key.clear();
        for value in &key {
            push_cell(&mut self.sort_key, &Cell::of(value));
        }
        self.put(record, Write::Delete { key, erased });
    }
}
