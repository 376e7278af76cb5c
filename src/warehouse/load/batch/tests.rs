use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

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
        batch.hash(&sort_key(&key)),
        record,
        Write::Delete { key, purged: false },
        &mut |_| Vec::new(),
    );
}

fn newest(batch: &Batch) -> (i32, i64) {
    let pending = batch.changes.first().unwrap();
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
    // If times are equal, the record in the higher Kafka partition is the last one.
    put(&mut batch, &record(0, 901, 500));
    assert_eq!(newest(&batch), (1, 1));
    put(&mut batch, &record(0, 902, 501));
    assert_eq!(newest(&batch), (0, 902));
    // Within a Kafka partition the offset counts.
    put(&mut batch, &record(0, 903, 1));
    put(&mut batch, &record(1, 2, 500));
    assert_eq!(newest(&batch), (0, 903));
}

/// Key, Kafka partition and timestamp.
type Update = (u8, i32, i64);

proptest! {
    /// In whatever order Kafka partitions are read, and wherever batches end and runs go on: each key's change is the last one of
    /// the Kafka partition that has its latest timestamp.
    #[test]
    fn batches_come_out_the_same_however_partitions_are_mixed(
        updates in proptest::collection::vec((0..4u8, 0..3i32, -1..8i64), 0..60),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 1..20),
        cuts in proptest::collection::vec(0..4u8, 60),
    ) {
        let mut queues: Vec<VecDeque<(i64, Update)>> = (0..3)
            .map(|partition| (0..).zip(updates.clone()).filter(|(_, update)| update.1 == partition).collect())
            .collect();
        let (mut batch, mut table, mut order) = (Batch::new(false), BTreeMap::new(), order.iter().cycle());
        let mut noted: Vec<Home> = Vec::new();
        for cut in cuts {
            queues.retain(|queue| !queue.is_empty());
            let at = order.next().map_or(0, |index| index.index(queues.len().max(1)));
            let Some((offset, (key, partition, timestamp))) = queues.get_mut(at).and_then(VecDeque::pop_front) else {
                break;
            };
            let hash = batch.hash(&[key]);
            let write = Write::Delete { key: Vec::new(), purged: false };
            batch.put(&[key], hash, &record(partition, offset, timestamp), write, &mut |_| Vec::new());
            if cut > 1 {
                land(&mut batch, &mut table, &mut noted);
            }
            // Another run goes on.
            if cut > 2 {
                land(&mut batch, &mut table, &mut noted);
                let seed = batch.seed();
                batch = Batch::new(false);
                batch.recall(seed, noted.iter().copied());
            }
        }
        land(&mut batch, &mut table, &mut noted);
        prop_assert_eq!(table, oracle(&updates));
    }
}

fn land(batch: &mut Batch, table: &mut BTreeMap<u8, (i32, i64)>, noted: &mut Vec<Home>) {
    let given = batch.hand_over();
    noted.extend(given.homes(&Instead::new()));
    table.extend(
        given
            .in_order()
            .map(|(key, change)| (key[0], (change.partition, change.offset))),
    );
}

fn oracle(updates: &[Update]) -> BTreeMap<u8, (i32, i64)> {
    let mut by_key: BTreeMap<u8, Vec<(i64, Update)>> = BTreeMap::new();
    for (offset, update) in (0..).zip(updates) {
        by_key.entry(update.0).or_default().push((offset, *update));
    }
    let newest = |(key, updates): (u8, Vec<(i64, Update)>)| {
        let places = updates
            .iter()
            .map(|(_, (_, partition, timestamp))| (*timestamp, *partition));
        let (_, home) = places.max()?;
        let last = updates
            .iter()
            .rfind(|(_, (_, partition, _))| *partition == home)?;
        Some((key, (home, last.0)))
    };
    by_key.into_iter().filter_map(newest).collect()
}

#[test]
fn what_is_handed_over_is_all_there_in_order() {
    let mut batch = Batch::new(false);
    let key = |n: i64| {
        vec![
            Value::from(n * 7919 % 1000),
            Value::from("one that goes on and on"),
        ]
    };
    for n in (0..1000).chain(0..1000) {
        let write = Write::Delete {
            key: key(n),
            purged: false,
        };
        let key = sort_key(&key(n));
        batch.put(&key, batch.hash(&key), &record(0, n, 0), write, &mut |_| {
            Vec::new()
        });
    }
    let mut given = batch.hand_over();
    assert!(batch.is_empty());
    given.put_in_order();
    let keys: Vec<&[u8]> = given.in_order().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), 1000);
    assert!(keys.is_sorted());
    // From another Kafka partition, and older than the batch that was handed over.
    let late = Write::Delete {
        key: key(1),
        purged: false,
    };
    let key = sort_key(&key(1));
    batch.put(&key, batch.hash(&key), &record(1, 0, -1), late, &mut |_| {
        Vec::new()
    });
    assert!(batch.is_empty());
}

/// Some ten pairs of so many keys share the part of their hash that they are found by.
#[test]
fn keys_whose_short_hashes_meet_stay_apart() {
    const KEYS: i64 = 300_000;
    let mut batch = Batch::default();
    for n in 0..KEYS {
        let key = n.to_be_bytes();
        let write = Write::Upsert {
            shape: 0,
            wire_bytes: 0,
            merged: None,
        };
        batch.put(&key, batch.hash(&key), &record(0, n, 0), write, &mut |_| {
            Vec::new()
        });
    }
    let given = batch.hand_over();
    let found = given.in_order().map(|(key, change)| (key, change.offset));
    assert!(
        found.eq((0..KEYS)
            .map(|n| n.to_be_bytes())
            .collect::<Vec<_>>()
            .iter()
            .zip(0..)
            .map(|(key, n)| (&key[..], n)))
    );
}

/// A number that is spelled in several ways is one row, whose record has the last spelling.
#[test]
fn a_change_has_the_record_that_made_it() {
    let mut batch = Batch::default();
    let row = sort_key(&[Value::from(7)]);
    for (offset, key, value) in [(0, "7", "a"), (1, "7.000", "bcd"), (2, "07", "")] {
        let record = Record {
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            ..record(0, offset, 0)
        };
        let write = Write::Upsert {
            shape: 0,
            wire_bytes: 0,
            merged: None,
        };
        batch.put(&row, batch.hash(&row), &record, write, &mut |_| Vec::new());
        let kept = batch.changes[0].record();
        assert_eq!(
            (kept.offset, kept.key, kept.value),
            (offset, record.key, record.value)
        );
    }
    assert_eq!(batch.changes.len(), 1);
}
