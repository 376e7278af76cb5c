//! The rows of a fold in one piece of memory, which is reserved once and reused: a row costs no allocation, an update
//! overwrites the key's last row, and the used size is known to the byte.

use anyhow::{Context, Result};
use std::cell::Cell;

use super::spill_row::{HEADER, RowHeader, RowOrigin};
use crate::memory::key_hash::{Places, Seed};
use crate::memory::prefetch::fetch;

/// Each row is preceded by the capacity of its line; the top bit marks the row outdated.
const ROOM: usize = 4;
const DEAD: u32 = 1 << 31;
/// How many rows ahead `fetch` is called.
pub(super) const FETCH_AHEAD: usize = 8;
/// Bytes that a row costs beside its own, in the index and while rows are sorted.
const ROW_OVERHEAD: usize = 32;
/// Capacities must leave the bit of `DEAD` free.
const CAPACITY_MAX: usize = (1 << 31) - 1;

pub(in crate::lake) struct Arena {
    /// The rows one after the other, each as capacity, header, key, line and unused bytes.
    bytes: Vec<u8>,
    index: Places,
    seed: Seed,
    capacity: usize,
    /// Bytes that the rows would take without outdated rows and unused bytes.
    needed: usize,
}

/// A key's hash, as the index uses it.
#[derive(Clone, Copy)]
pub(in crate::lake) struct Hash(u32);

/// Where a row begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lake) struct At(u32);

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows, {} bytes", self.index.len(), self.bytes.len())
    }
}

impl Arena {
    /// # Errors
    /// The memory can't be reserved.
    pub fn new(capacity: usize) -> Result<Self> {
        let capacity = capacity.min(CAPACITY_MAX);
        let mut bytes = Vec::new();
        // The kernel provides the memory only when it is written to.
        bytes
            .try_reserve_exact(capacity)
            .with_context(|| format!("reserving {} MiB of memory for a table's rows", capacity >> 20))?;
        Ok(Arena {
            bytes,
            index: Places::default(),
            seed: Seed::default(),
            capacity,
            needed: 0,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    pub fn hash(&self, key: &[u8]) -> Hash {
        Hash((self.seed.hash(key) >> 32) as u32)
    }

    /// The row of a key in one Kafka partition.
    pub fn find(&self, hash: Hash, key: &[u8], partition: i32) -> Option<At> {
        let is_it = |at| self.key(At(at)) == key && self.head(At(at)).origin.partition == partition;
        self.index.find(hash.0, is_it).map(At)
    }

    /// Whether a row can be added.
    pub fn has_room(&self, key: usize, line: usize) -> bool {
        let overhead = (self.index.len() + 1) * ROW_OVERHEAD;
        self.bytes.len() + size(key, line) + overhead <= self.capacity
    }

    /// Whether an empty arena of this capacity could hold such a row.
    pub(super) fn can_hold(&self, key: usize, line: usize) -> bool {
        size(key, line) + ROW_OVERHEAD <= self.capacity
    }

    /// Adds a row. The arena has room for it and no row of its key and Kafka partition.
    pub fn push(
        &mut self,
        hash: Hash,
        key: &[u8],
        origin: RowOrigin,
        line: Option<&[u8]>,
        spare: usize,
    ) -> Result<()> {
        let at = self.bytes.len();
        let text = line.unwrap_or_default();
        let head = RowHeader::new(key.len(), line.map(<[u8]>::len), origin)?;
        let size = size(key.len(), text.len() + spare);
        let room = (size - ROOM - HEADER - key.len()) as u32;
        self.bytes.extend_from_slice(&room.to_le_bytes());
        self.bytes.extend_from_slice(&head.bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(text);
        self.bytes.resize(at + size, 0);
        debug_assert!(self.bytes.len() <= self.capacity);
        self.insert(hash, At(at as u32));
        Ok(())
    }

    fn insert(&mut self, hash: Hash, at: At) {
        self.index.insert(hash.0, at.0);
        self.needed += self.needs(at);
    }

    /// Overwrites a row with an update; false: its line is too long.
    pub fn replace(&mut self, at: At, origin: RowOrigin, line: Option<&[u8]>) -> Result<bool> {
        let text = line.unwrap_or_default();
        if text.len() > self.room(at) {
            return Ok(false);
        }
        self.needed -= self.needs(at);
        let key_length = self.head(at).key_length as usize;
        let head = RowHeader::new(key_length, line.map(<[u8]>::len), origin)?;
        let start = at.0 as usize + ROOM;
        self.bytes[start..start + HEADER].copy_from_slice(&head.bytes());
        let start = start + HEADER + key_length;
        self.bytes[start..start + text.len()].copy_from_slice(text);
        self.needed += self.needs(at);
        Ok(true)
    }

    /// Forgets a row, whose bytes stay until the next `compact`.
    pub fn remove(&mut self, hash: Hash, at: At) {
        self.index.remove(hash.0, at.0);
        self.needed -= self.needs(at);
        let room = self.room(at) as u32 | DEAD;
        self.bytes[at.0 as usize..][..ROOM].copy_from_slice(&room.to_le_bytes());
    }

    /// Bytes that `compact` would free.
    pub(super) fn wasted(&self) -> usize {
        self.bytes.len() - self.needed
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of memory that the rows take, and will take while they are sorted.
    #[cfg(test)]
    pub fn taken(&self) -> usize {
        let order = self.index.len() * size_of::<(u64, At)>();
        self.bytes.len() + self.index.bytes().max(order)
    }

    /// Moves the rows together, so that outdated rows and unused bytes are freed.
    pub(super) fn compact(&mut self) {
        self.index.clear();
        self.needed = 0;
        let (mut from, mut to) = (0, 0);
        while from < self.bytes.len() {
            let at = At(from as u32);
            let next = from + self.size(at);
            if !self.is_dead(at) {
                let (needs, row) = (self.needs(at), ROOM + self.row(at).len());
                self.bytes.copy_within(from..from + row, to);
                let at = At(to as u32);
                let key_length = self.head(at).key_length as usize;
                let room = (needs - ROOM - HEADER - key_length) as u32;
                self.bytes[to..to + ROOM].copy_from_slice(&room.to_le_bytes());
                self.insert(self.hash(self.key(at)), at);
                to += needs;
            }
            from = next;
        }
        self.bytes.truncate(to);
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.index.clear();
        self.needed = 0;
    }

    /// The rows sorted by key; `find` finds none of them afterwards. If a key has rows of several Kafka partitions, the second
    /// is in a second list, and so on: within a list each key occurs once.
    pub(super) fn sorted(&mut self) -> Vec<Vec<At>> {
        let count = std::mem::take(&mut self.index).len();
        let shared = self.shared_prefix();
        let mut order: Vec<(u64, At)> = Vec::with_capacity(count);
        order.extend(self.all().map(|at| (prefix(&self.key(at)[shared..]), at)));
        // Any sort compares equal keys with each other, so it notices keys that moved.
        let have_moved = Cell::new(false);
        let partition = |at: At| self.head(at).origin.partition;
        order.sort_unstable_by(|&(a_first, a), &(b_first, b)| {
            let by_key = || self.key(a)[shared..].cmp(&self.key(b)[shared..]);
            let by_partition = || {
                have_moved.set(true);
                partition(a).cmp(&partition(b))
            };
            a_first.cmp(&b_first).then_with(by_key).then_with(by_partition)
        });
        let order: Vec<At> = order.into_iter().map(|(_, at)| at).collect();
        if have_moved.get() {
            self.layers(order)
        } else {
            vec![order]
        }
    }

    /// Puts the n-th row of each key into the n-th list.
    fn layers(&self, order: Vec<At>) -> Vec<Vec<At>> {
        let mut layers = vec![Vec::new()];
        for rows in order.chunk_by(|&a, &b| self.key(a) == self.key(b)) {
            layers.resize(layers.len().max(rows.len()), Vec::new());
            for (layer, &at) in layers.iter_mut().zip(rows) {
                layer.push(at);
            }
        }
        layers
    }

    /// How many bytes all keys begin with: they don't decide the order.
    fn shared_prefix(&self) -> usize {
        let mut all = self.all().map(|at| self.key(at));
        let Some(first) = all.next() else { return 0 };
        all.fold(first.len(), |shared, key| {
            let same = first[..shared].iter().zip(key);
            same.take_while(|(a, b)| a == b).count()
        })
    }

    /// The rows in the order of their places.
    fn all(&self) -> impl Iterator<Item = At> {
        let mut from = 0;
        std::iter::from_fn(move || {
            while from < self.bytes.len() {
                let at = At(from as u32);
                from += self.size(at);
                if !self.is_dead(at) {
                    return Some(at);
                }
            }
            None
        })
    }

    /// Fetches a row into the processor's cache, because it is needed soon.
    pub fn fetch(&self, at: At) {
        fetch(self.bytes.get(at.0 as usize..).unwrap_or_default());
    }

    /// A row as it is written to runs: header, key, line.
    pub fn row(&self, at: At) -> &[u8] {
        let head = self.head(at);
        let length = HEADER + head.key_length as usize + head.line_length.unwrap_or(0) as usize;
        &self.bytes[at.0 as usize + ROOM..][..length]
    }

    pub fn head(&self, at: At) -> RowHeader {
        let mut header = [0; HEADER];
        header.copy_from_slice(&self.bytes[at.0 as usize + ROOM..][..HEADER]);
        RowHeader::parse(&header)
    }

    pub fn key(&self, at: At) -> &[u8] {
        let start = at.0 as usize + ROOM;
        let mut length = [0; 4];
        length.copy_from_slice(&self.bytes[start..start + 4]);
        &self.bytes[start + HEADER..][..u32::from_le_bytes(length) as usize]
    }

    /// Bytes that the row takes.
    fn size(&self, at: At) -> usize {
        ROOM + HEADER + self.head(at).key_length as usize + self.room(at)
    }

    /// Bytes that the row would take if it were added anew.
    fn needs(&self, at: At) -> usize {
        let head = self.head(at);
        size(head.key_length as usize, head.line_length.unwrap_or(0) as usize)
    }

    fn room_and_bit(&self, at: At) -> u32 {
        let mut room = [0; ROOM];
        room.copy_from_slice(&self.bytes[at.0 as usize..][..ROOM]);
        u32::from_le_bytes(room)
    }

    fn room(&self, at: At) -> usize {
        (self.room_and_bit(at) & !DEAD) as usize
    }

    fn is_dead(&self, at: At) -> bool {
        self.room_and_bit(at) & DEAD != 0
    }
}

/// Bytes of a row, rounded up, so that a slightly longer line still fits.
fn size(key: usize, line: usize) -> usize {
    (ROOM + HEADER + key + line).next_multiple_of(16)
}

/// The first bytes of a key as a number that sorts like the key.
fn prefix(key: &[u8]) -> u64 {
    match key.first_chunk::<8>() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut padded = [0; 8];
            padded[..key.len()].copy_from_slice(key);
            u64::from_be_bytes(padded)
        }
    }
}
