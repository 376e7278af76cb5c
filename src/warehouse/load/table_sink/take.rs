//! Records of the topic become changes in the batch.

use mysql::Value;
use std::ops::Range;

use super::TableSink;
use crate::decode::registry::header::{Side, framed};
use crate::decode::{Body, Decoded};
use crate::record::{Coordinates, Record};
use crate::warehouse::load::batch::change::Write;
use crate::warehouse::load::read_record::{RowChange, RowReader};
use crate::warehouse::load::rejects::Reject;
use crate::warehouse::value::cell::Cell;
use crate::warehouse::value::cells::{RowValues, Wanted};
use crate::warehouse::value::refusal::{Refusal, RefusalKind};
use crate::warehouse::value::sort_key::push_cell;

/// Room in a packet for the statement beside the values of its one row.
pub(in crate::warehouse) const STATEMENT_OVERHEAD_BYTES: usize = 64 << 10;

/// What a record was read as.
pub(in crate::warehouse::load::table_sink) enum Taken {
    /// The record of an erased person, whose key is not one of a row.
    Nothing,
    NoKey,
    Refused {
        refusal: Refusal,
        key: Option<Vec<Value>>,
    },
    Change {
        write: Write,
        /// The range of its key in [`Coming::sort_keys`].
        sort_key: Range<usize>,
        hash: u128,
        whose: Whose,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::warehouse::load::table_sink) enum Whose {
    Anyones,
    /// An erased person's: nothing of the record itself is kept anywhere.
    Erased,
}

/// Records that are taken together, and the memory for the next ones.
#[derive(Default)]
pub(in crate::warehouse::load::table_sink) struct Coming {
    taken: Vec<Taken>,
    sort_keys: Vec<u8>,
    framed: FramedRecord,
}

/// Memory for a record whose schemas' ids are in its headers, which the batch does not keep.
#[derive(Default)]
struct FramedRecord {
    key: Vec<u8>,
    value: Vec<u8>,
}

impl FramedRecord {
    /// The record with the ids before its key and its value, if they are read by ids. Other formats have no use for a header
    /// that was passed on.
    fn record<'r>(&'r mut self, record: &Record<'r>, reader: &RowReader) -> Record<'r> {
        let with_id = |payload: Option<&'r [u8]>, side, memory: &'r mut Vec<u8>| {
            let payload = payload?;
            if !reader.reads_header_of(side) {
                return Some(payload);
            }
            framed(payload, &record.headers, side, memory).or(Some(payload))
        };
        let key = with_id(record.key, Side::Key, &mut self.key);
        let value = with_id(record.value, Side::Value, &mut self.value);
        Record {
            key,
            value,
            headers: Vec::new(),
            ..*record
        }
    }
}

impl TableSink {
    /// Reads all records before it puts the first into the batch. What the batch has for their keys is mostly not in the
    /// processor's cache, and this way all of it is fetched at once.
    pub(in crate::warehouse::load::table_sink) fn take_changes(
        &mut self,
        records: &[Record<'_>],
        decoded: &[Decoded<'_>],
    ) {
        let mut coming = std::mem::take(&mut self.coming);
        for decoded in decoded {
            let taken = self.read(decoded, &mut coming.sort_keys);
            coming.taken.push(taken);
        }
        for taken in &coming.taken {
            if let Taken::Change { hash, .. } = taken {
                self.batch.fetch(*hash);
            }
        }
        let are_rows = self.topic.value.unwrap.is_none();
        let has_ids = [Side::Key, Side::Value].map(|side| self.reader.reads_header_of(side)) != [false; 2];
        for ((record, decoded), taken) in records.iter().zip(decoded).zip(coming.taken.drain(..)) {
            // A reject keeps the bytes that came, by which a search decodes it again.
            let whole = are_rows || (has_ids && matches!(taken, Taken::Refused { .. }));
            if whole && record.headers.is_empty() {
                self.put(record, taken, &coming.sort_keys);
            } else if whole {
                self.put(
                    &coming.framed.record(record, &self.reader),
                    taken,
                    &coming.sort_keys,
                );
            } else {
                // An envelope may hold persons whom the row no longer has, and takes memory.
                self.put(&decoded.row(record), taken, &coming.sort_keys);
            }
        }
        coming.sort_keys.clear();
        self.coming = coming;
    }

    fn put(&mut self, record: &Record<'_>, taken: Taken, sort_keys: &[u8]) {
        match taken {
            Taken::Nothing => {}
            Taken::NoKey => self.counts.irregular += 1,
            Taken::Refused { refusal, key } => {
                let reject = Reject::of_record(record, &refusal.in_words(&self.table));
                self.batch.reject(reject, key);
            }
            Taken::Change {
                write,
                sort_key,
                hash,
                whose,
            } => {
                let (reader, table) = (&mut self.reader, &self.table);
                let nameless;
                let record = match whose {
                    Whose::Anyones => record,
                    Whose::Erased => {
                        nameless = Record {
                            key: None,
                            value: None,
                            ..record.clone()
                        };
                        &nameless
                    }
                };
                self.batch
                    .put(&sort_keys[sort_key], hash, record, write, &mut |record| {
                        reader.values(table, record)
                    });
            }
        }
    }

    /// Reads one record and adds its key to `sort_keys`.
    fn read(&mut self, decoded: &Decoded<'_>, sort_keys: &mut Vec<u8>) -> Taken {
        if self.persons.hits(decoded) {
            return self.read_erased(decoded, sort_keys);
        }
        match self.reader.read(&self.table, decoded, Wanted::Fold) {
            RowChange::NoKey => Taken::NoKey,
            RowChange::Refused { refusal, key } => Taken::Refused { refusal, key },
            RowChange::Delete { key } => {
                self.counts.tombstones += 1;
                self.deletion(key, false, Whose::Anyones, sort_keys)
            }
            RowChange::Upsert(row) => {
                let taken = self.upsert(decoded.at, &row, sort_keys);
                self.reader.take_back(row);
                taken
            }
        }
    }

    /// Reads a record of an erased person: it is dropped, and the row that its key may have is deleted as outdated.
    fn read_erased(&mut self, decoded: &Decoded<'_>, sort_keys: &mut Vec<u8>) -> Taken {
        self.counts.persons_dropped += 1;
        let deletion = Decoded {
            at: decoded.at,
            key: decoded.key.clone(),
            key_places: decoded.key_places.clone(),
            body: Body::Tombstone,
        };
        match self.reader.read(&self.table, &deletion, Wanted::Fold) {
            RowChange::Delete { key } => self.deletion(key, false, Whose::Erased, sort_keys),
            _ => Taken::Nothing,
        }
    }

    fn upsert(&mut self, at: Coordinates, row: &RowValues<'_>, sort_keys: &mut Vec<u8>) -> Taken {
        // Also if a purge of such rows keeps it away: a wrong unit must not go unnoticed.
        self.odd_times.note(at, row);
        if self.purged.covers(row) {
            return self.deletion(row.key(&self.table), true, Whose::Anyones, sort_keys);
        }
        let (wire_bytes, packet_max) = (row.sizes.iter().sum(), self.packet_max);
        if wire_bytes + STATEMENT_OVERHEAD_BYTES > packet_max {
            return Taken::Refused {
                refusal: RefusalKind::TooLarge { packet_max }.into(),
                key: Some(row.key(&self.table)),
            };
        }
        for &column in &row.rounded {
            *self.counts.rounded.entry(column).or_default() += 1;
        }
        if self.numbered_column.is_some_and(|at| row.sizes[at] == 0) {
            self.counts.numbered += 1;
        }
        let write = Write::Upsert {
            shape: self.batch.shape_of_row(&self.table, row),
            wire_bytes,
            merged: None,
        };
        let start = sort_keys.len();
        for &at in &self.table.primary_key {
            push_cell(sort_keys, row.cells[at].as_ref().unwrap_or(&Cell::Null));
        }
        self.change(write, start, Whose::Anyones, sort_keys)
    }

    fn deletion(&self, key: Vec<Value>, purged: bool, whose: Whose, sort_keys: &mut Vec<u8>) -> Taken {
        let start = sort_keys.len();
        for value in &key {
            push_cell(sort_keys, &Cell::of(value));
        }
        self.change(Write::Delete { key, purged }, start, whose, sort_keys)
    }

    /// The change of the key that begins at `start` in `sort_keys`.
    fn change(&self, write: Write, start: usize, whose: Whose, sort_keys: &[u8]) -> Taken {
        Taken::Change {
            write,
            hash: self.batch.hash(&sort_keys[start..]),
            sort_key: start..sort_keys.len(),
            whose,
        }
    }
}
