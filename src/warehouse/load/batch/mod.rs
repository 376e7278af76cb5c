//! A batch: the newest change per primary key, read but not yet written.

pub(in crate::warehouse) mod change;
pub(super) mod recent_keys;

use mysql::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::rejects::Reject;
use crate::memory::key_hash::{Places, Seed};
use crate::record::{Rank, Record};
use crate::warehouse::table::target::TargetTable;
use crate::warehouse::value::cell::values_bytes;
use crate::warehouse::value::cells::RowValues;
use crate::warehouse::value::sort_key::{first_bytes, sort_key};
use change::{OVERHEAD_BYTES, PendingChange, Write};
use recent_keys::{Home, RecentKeys};

/// Pending changes and rejects, with the memory they take.
#[derive(Debug, Default)]
pub(in crate::warehouse) struct Batch {
    /// One for each key; in the primary key's order once nothing more is put.
    changes: Vec<PendingChange>,
    index: Places,
    seed: Seed,
    in_order: bool,
    /// Tombstones that were followed by an upsert of the same key: the old row must still be deleted, with all its columns.
    pub(super) reborn: BTreeMap<Box<[u8]>, PendingChange>,
    /// For keys that were changed more than once: every change as its record has it, in order. If the server refuses
    /// the folded change, each is tried alone. Kept only for tables that can refuse.
    pub versions: BTreeMap<Box<[u8]>, Vec<PendingChange>>,
    keeps_versions: bool,
    /// For keys whose changes come from several Kafka partitions, are of several kinds, or may be refused one by one: every
    /// change in order, the first one as it had been folded. Their result depends on whether an earlier batch had a newer
    /// change. Kept only by rebuilds, which find that out.
    histories: BTreeMap<Box<[u8]>, Vec<PendingChange>>,
    keeps_histories: bool,
    /// Distinct sets of columns.
    pub shapes: Vec<Vec<usize>>,
    shape_of: HashMap<Vec<usize>, usize>,
    /// Which columns the previous row filled, and the number of that set.
    filled: Vec<bool>,
    filled_shape: usize,
    pub rejects: Vec<Reject>,
    /// Primary keys of refused records: a rebuild keeps their rows.
    pub kept: BTreeMap<Box<[u8]>, Vec<Value>>,
    /// Keys of earlier batches, if keys can move between the Kafka partitions of a run.
    written: Option<RecentKeys>,
    /// Columns that records of earlier batches have filled. None: the row of a key that moves keeps its values.
    filled_before: Option<BTreeSet<usize>>,
    bytes: usize,
}

/// For keys whose newest change the server refused: where an earlier one that it accepted has put them, if any.
pub(in crate::warehouse) type Instead = BTreeMap<u128, Option<Home>>;

/// Reads the values of an update again from its record.
pub(super) type Reread<'a> = &'a mut dyn FnMut(&Record<'_>) -> Vec<Value>;

impl Batch {
    pub fn new(keeps_versions: bool) -> Batch {
        Batch {
            keeps_versions,
            written: Some(RecentKeys::default()),
            ..Batch::default()
        }
    }

    /// Forgets the keys of earlier batches: from now on a later batch always has the later change.
    pub(super) fn forget_written(&mut self) {
        self.written = None;
    }

    /// From now on, a key that moves to another Kafka partition leaves behind what records have filled before.
    pub(super) fn reset_moved_rows(&mut self) {
        self.filled_before.get_or_insert_default();
    }

    /// Keeps what [`Batch::refold`] needs: only after this batch was put does a rebuild learn what earlier batches had.
    pub(super) fn keep_histories(&mut self) {
        self.keeps_histories = true;
    }

    /// Whether keys have moved between Kafka partitions, and for some an older record may have been written last.
    pub(super) fn has_missed_some(&self) -> bool {
        self.written.as_ref().is_some_and(RecentKeys::has_missed_some)
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.rejects.is_empty()
    }

    /// Approximate memory in use, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Remembers keys that an earlier run has written, the oldest first.
    pub(super) fn recall(&mut self, seed: Seed, homes: impl Iterator<Item = Home>) {
        self.seed = seed;
        self.written.get_or_insert_default().add(homes);
    }

    /// Remembers columns that records of an earlier run have filled.
    pub(super) fn recall_filled(&mut self, columns: impl Iterator<Item = usize>) {
        self.filled_before.get_or_insert_default().extend(columns);
    }

    /// Remembers the keys of a batch that was written.
    pub(super) fn remember(&mut self, written: &Batch, instead: &Instead) {
        if let Some(keys) = &mut self.written {
            keys.add(written.homes(instead));
        }
    }

    /// Whether keys of earlier batches are remembered.
    pub(super) fn remembers_keys(&self) -> bool {
        self.written.is_some()
    }

    /// Which keys of earlier batches are not remembered: those whose hash begins with fewer zeros.
    pub(super) fn zeros(&self) -> u32 {
        self.written.as_ref().map_or(0, RecentKeys::zeros)
    }

    /// Whether only one by one a key's changes show the row that comes of them, because the server may refuse some.
    pub(super) fn counts_one_by_one(&self, change: &PendingChange) -> bool {
        self.has_come_back(change) || (self.keeps_versions && change.is_merged())
    }

    /// Whether the key came back from another Kafka partition: what it had left behind there counts again if the server refuses all
    /// of the other's changes, so only one by one do they show the row.
    fn has_come_back(&self, change: &PendingChange) -> bool {
        let versions = self.versions.get(change.sort_key());
        let Some(versions) = versions.filter(|_| change.resets) else {
            return false;
        };
        let is_elsewhere = |version: &PendingChange| version.partition != change.partition;
        let lived_here = versions.iter().skip_while(|version| is_elsewhere(version));
        // One that resets had moved away from where an earlier batch had put the key.
        let was_here_before = versions.iter().any(|version| version.resets)
            && lived_here.clone().next().is_some_and(|first| !first.resets);
        was_here_before || lived_here.clone().any(is_elsewhere)
    }

    /// Where each key of this batch lives once it is written.
    pub(super) fn homes(&self, instead: &Instead) -> impl Iterator<Item = Home> {
        self.changes.iter().filter_map(|change| {
            let home = self.home(change);
            instead.get(&home.key).copied().unwrap_or(Some(home))
        })
    }

    /// Where a change puts its key.
    pub(super) fn home(&self, change: &PendingChange) -> Home {
        Home {
            key: self.seed.long_hash(change.sort_key()),
            partition: change.partition,
            latest_ms: change.latest_ms,
        }
    }

    /// Columns that this batch's records are the first to fill.
    pub(super) fn newly_filled(&self) -> BTreeSet<usize> {
        let before = self.filled_before.as_ref();
        let columns = self.shapes.iter().flatten().copied();
        columns
            .filter(|at| before.is_some_and(|before| !before.contains(at)))
            .collect()
    }

    /// Columns that records have filled, but none of this set: those to reset in the row of a key that has moved.
    pub(super) fn columns_to_reset(&self, shape: usize) -> Vec<usize> {
        let filled = self.filled_before.iter().flatten().copied();
        let all: BTreeSet<usize> = filled.chain(self.newly_filled()).collect();
        let is_left = |at: &usize| !self.shapes[shape].contains(at);
        all.into_iter().filter(is_left).collect()
    }

    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Sets how many written keys are remembered; the default is 400,000.
    pub(super) fn set_keys_remembered(&mut self, keys: usize) {
        if let Some(written) = &mut self.written {
            written.set_keys_max(keys);
        }
    }

    /// Returns what is to be written, in order, and begins another batch. Where the server may refuse changes, what it has
    /// accepted is remembered only by [`Batch::remember`].
    pub fn hand_over(&mut self) -> Batch {
        let newly_filled = self.newly_filled();
        let next = Batch {
            keeps_versions: self.keeps_versions,
            seed: self.seed,
            written: self.written.take(),
            filled_before: self.filled_before.clone(),
            ..Batch::default()
        };
        let mut given = std::mem::replace(self, next);
        if let Some(filled) = &mut self.filled_before {
            filled.extend(newly_filled);
        }
        // Where the server may refuse changes, it is not known yet which ones count.
        if !self.keeps_versions {
            self.remember(&given, &Instead::new());
        }
        given.put_in_order();
        given
    }

    /// Sorts the changes by primary key; nothing may be put afterwards. Does nothing if they are sorted already.
    pub(super) fn put_in_order(&mut self) {
        if std::mem::replace(&mut self.in_order, true) {
            return;
        }
        self.index = Places::default();
        let changes = (0..).zip(&self.changes);
        let mut order: Vec<_> = changes
            .map(|(at, change)| (first_bytes(change.sort_key()), at))
            .collect();
        let key = |at: u32| self.changes[at as usize].sort_key();
        order.sort_unstable_by(|&(a, at), &(b, other)| a.cmp(&b).then_with(|| key(at).cmp(key(other))));
        let mut order: Vec<u32> = order.into_iter().map(|(_, at)| at).collect();
        // Follows each cycle of the permutation, and swaps every change into its place.
        for start in 0..order.len() {
            let mut place = start;
            loop {
                let from = std::mem::replace(&mut order[place], place as u32) as usize;
                if from == start {
                    break;
                }
                self.changes.swap(place, from);
                place = from;
            }
        }
    }

    /// The number of the set of columns that a row fills.
    pub(super) fn shape_of_row(&mut self, table: &TargetTable, row: &RowValues<'_>) -> usize {
        let filled = row.sizes.iter().map(|&size| size > 0);
        // Most records of a topic have the same fields.
        if filled.clone().eq(self.filled.iter().copied()) {
            return self.filled_shape;
        }
        let columns = table.key_first().filter(|&at| row.sizes[at] > 0);
        self.filled_shape = self.shape(columns.collect());
        self.filled = filled.collect();
        self.filled_shape
    }

    /// The number of a set of columns.
    fn shape(&mut self, columns: Vec<usize>) -> usize {
        if let Some(&shape) = self.shape_of.get(&columns) {
            return shape;
        }
        self.shapes.push(columns.clone());
        self.shape_of.insert(columns, self.shapes.len() - 1);
        self.shapes.len() - 1
    }

    /// The changes in the primary key's order, after [`Batch::put_in_order`].
    pub(super) fn in_order(&self) -> impl ExactSizeIterator<Item = (&[u8], &PendingChange)> {
        debug_assert!(self.in_order, "put in order before");
        self.changes.iter().map(|change| (change.sort_key(), change))
    }

    /// The hash that a key is found by.
    pub fn hash(&self, key: &[u8]) -> u128 {
        self.seed.long_hash(key)
    }

    /// Fetches into the processor's cache the change of a key that will be put soon.
    pub fn fetch(&self, hash: u128) {
        if let Some(at) = self.index.find(hash as u32, |_| true) {
            self.changes[at as usize].fetch();
        }
    }

    /// Puts a record's change. The later record of a key wins: by offset, or by [`Rank`] if its Kafka partition changed.
    /// Fields that it lacks keep what an earlier update of the same Kafka partition gave them, as they would in the table: where
    /// batches end must make no difference.
    pub(super) fn put(
        &mut self,
        key: &[u8],
        long_hash: u128,
        record: &Record<'_>,
        write: Write,
        reread: Reread<'_>,
    ) {
        let hash = long_hash as u32;
        let is_it = |at| self.changes[at as usize].sort_key() == key;
        let Some(at) = self.index.find(hash, is_it) else {
            if let Some(pending) = self.after_written(key, long_hash, record, write) {
                self.insert(hash, pending);
            }
            return;
        };
        let at = at as usize;
        if self.keeps_histories {
            self.keep_history(key, at, record, &write);
        }
        if self.keeps_versions {
            self.keep_version(at, long_hash, record, write.clone());
        }
        let old = &mut self.changes[at];
        let has_moved = old.partition != record.partition;
        let mut latest_ms = record.timestamp_ms;
        if has_moved {
            if let Some(written) = &mut self.written {
                written.note_moved();
            }
            if old.rank() > Rank::of(latest_ms, record.partition) {
                // In a rebuild the row may stand from a load before the key moved.
                old.resets |= self.written.is_none() && self.filled_before.is_some();
                return;
            }
        } else {
            latest_ms = latest_ms.max(old.latest_ms);
        }
        let leaves_fields = has_moved && self.filled_before.is_some();
        let resets = old.resets || leaves_fields;
        self.bytes -= old.size();
        if old.is_like(&write) {
            old.replace(record, write);
        } else {
            let old = std::mem::replace(old, PendingChange::new(key, record, write));
            self.keep_what_counts(old, at, leaves_fields, reread);
        }
        let new = &mut self.changes[at];
        (new.latest_ms, new.resets) = (latest_ms, resets);
        self.bytes += new.size();
    }

    /// A record's change as it is after earlier batches. None if it is outdated.
    fn after_written(
        &mut self,
        key: &[u8],
        long_hash: u128,
        record: &Record<'_>,
        write: Write,
    ) -> Option<PendingChange> {
        let mut pending = PendingChange::new(key, record, write);
        if let Some(written) = &mut self.written {
            let placement = written.placement(long_hash, record)?;
            pending.latest_ms = placement.latest_ms;
            pending.resets = placement.has_moved && self.filled_before.is_some();
        }
        Some(pending)
    }

    fn insert(&mut self, hash: u32, pending: PendingChange) {
        self.bytes += pending.size();
        // It fits: the limit of bytes is reached long before 2^32 changes.
        let at = self.changes.len() as u32;
        self.in_order = false;
        if self.changes.len() == self.changes.capacity() {
            // By a quarter, and not twofold: if there is no room, the kernel moves the pages without a copy.
            self.changes.reserve_exact(self.changes.len() / 4 + 64);
        }
        self.changes.push(pending);
        self.index.insert(hash, at);
    }

    fn keep_history(&mut self, key: &[u8], at: usize, record: &Record<'_>, write: &Write) {
        let old = &self.changes[at];
        let is_plain = !self.keeps_versions && old.partition == record.partition && old.is_like(write);
        if is_plain && !self.histories.contains_key(key) {
            return;
        }
        let history = self.histories.entry(key.into()).or_default();
        if history.is_empty() {
            self.bytes += old.size() + key.len();
            history.push(old.clone());
        }
        let new = PendingChange::new(key, record, write.clone());
        self.bytes += new.size();
        history.push(new);
    }

    pub(super) fn has_history(&self, key: &[u8]) -> bool {
        self.histories.contains_key(key)
    }

    /// Folds these changes' keys again, each after the Kafka partition and latest time that earlier batches had for it.
    pub(super) fn refold<'k>(
        &self,
        before: impl Iterator<Item = (&'k PendingChange, i32, i64)>,
        reread: Reread<'_>,
    ) -> Batch {
        let mut again = Batch {
            shapes: self.shapes.clone(),
            shape_of: self.shape_of.clone(),
            keeps_versions: self.keeps_versions,
            filled_before: self.filled_before.clone(),
            ..Batch::default()
        };
        for (change, partition, latest_ms) in before {
            let key = change.sort_key();
            let hash = again.hash(key);
            let home = Home {
                key: hash,
                partition,
                latest_ms,
            };
            // Remembers this key alone.
            again.written = None;
            again.recall(again.seed, [home].into_iter().filter(|home| home.partition >= 0));
            let history = self
                .histories
                .get(key)
                .map_or(std::slice::from_ref(change), Vec::as_slice);
            for change in history {
                again.put(key, hash, &change.record(), change.write.clone(), &mut *reread);
            }
        }
        again.put_in_order();
        again
    }

    /// Adds a change, as if it had come alone, to those of its key, of which the one at `at` is the newest so far. They are in the
    /// order that they count in: an outdated change of another Kafka partition is before those that outdate it.
    fn keep_version(&mut self, at: usize, long_hash: u128, record: &Record<'_>, write: Write) {
        // The first time it is still as its record has it.
        let newest = &self.changes[at];
        let key = newest.sort_key();
        if !self.versions.contains_key(key) {
            self.bytes += newest.size() + key.len();
            self.versions.insert(key.into(), vec![newest.clone()]);
        }
        let versions = self.versions.get(key).into_iter().flatten();
        let in_same = versions.filter(|other| other.partition == record.partition);
        let latest_ms = in_same.map(|other| other.latest_ms).max();
        let ranked = Record {
            timestamp_ms: record.timestamp_ms.max(latest_ms.unwrap_or(i64::MIN)),
            headers: Vec::new(),
            ..*record
        };
        let key: Box<[u8]> = key.into();
        let version = self.after_written(&key, long_hash, &ranked, write);
        if let (Some(version), Some(versions)) = (version, self.versions.get_mut(&key)) {
            self.bytes += version.size();
            let place = versions.partition_point(|other| other.rank() <= version.rank());
            versions.insert(place, version);
        }
    }

    /// Keeps what still counts of `old` beside the later change at `at`, which has replaced it: its fields too, unless they
    /// are left behind in another Kafka partition.
    fn keep_what_counts(&mut self, old: PendingChange, at: usize, leaves_fields: bool, reread: Reread<'_>) {
        let new = &self.changes[at];
        match (&old.write, &new.write) {
            (_, Write::Delete { .. }) => {
                if let Some(tombstone) = self.reborn.remove(old.sort_key()) {
                    self.bytes -= tombstone.size() + old.sort_key().len();
                }
            }
            (Write::Delete { .. }, Write::Upsert { .. }) => {
                self.bytes += old.size() + old.sort_key().len();
                self.reborn.insert(old.sort_key().into(), old);
            }
            (Write::Upsert { shape: before, .. }, Write::Upsert { shape, .. })
                if before != shape && !leaves_fields =>
            {
                let mut columns = self.shapes[*shape].clone();
                let mut values = values_of(new, reread);
                for (column, value) in self.shapes[*before].iter().zip(values_of(&old, reread)) {
                    if !columns.contains(column) {
                        columns.push(*column);
                        values.push(value);
                    }
                }
                self.changes[at].write = Write::Upsert {
                    shape: self.shape(columns),
                    wire_bytes: values_bytes(&values),
                    merged: Some(values),
                };
            }
            (Write::Upsert { .. }, Write::Upsert { .. }) => {}
        }
    }

    /// Adds a record that can't become a row; `key` is its primary key, if that could be read.
    pub(super) fn reject(&mut self, reject: Reject, key: Option<Vec<Value>>) {
        self.bytes += OVERHEAD_BYTES + reject.stored_bytes();
        self.rejects.push(reject);
        if let Some(key) = key {
            self.bytes += OVERHEAD_BYTES + values_bytes(&key);
            self.kept.insert(sort_key(&key), key);
        }
    }
}

fn values_of(pending: &PendingChange, reread: Reread<'_>) -> Vec<Value> {
    match &pending.write {
        Write::Upsert {
            merged: Some(values), ..
        } => values.clone(),
        _ => reread(&pending.record()),
    }
}

#[cfg(test)]
mod tests;
