//! The fold against a map of all updates.

use super::*;
use crate::ksqldb::KeySchema;
use crate::lake::line::LineWriter;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn origin(partition: i32, offset: i64, timestamp_ms: i64) -> Origin {
    Origin {
        partition,
        offset,
        timestamp_ms,
        day_ms: timestamp_ms,
    }
}

fn root(dir: &tempfile::TempDir) -> Root {
    Root::open(dir.path(), 0o640, 0o750, true).unwrap().unwrap()
}

/// A key, where its row is from, and the rest of its line.
type Found = (Vec<u8>, Origin, Option<Vec<u8>>);

fn rows(fold: Fold<'_>) -> Vec<Found> {
    let head = LineWriter::new("_", KeySchema::default(), true).head().clone();
    let mut merge = fold.into_sorted(head.clone()).unwrap();
    let mut found = Vec::new();
    while merge.advance().unwrap() {
        let (key, origin) = (merge.key().to_vec(), merge.origin());
        let rest = (!merge.is_tombstone()).then(|| {
            let (mut line, mut expected) = (b"before".to_vec(), b"before".to_vec());
            merge.write_line(&mut line).unwrap();
            let place = (origin.partition, origin.offset, origin.timestamp_ms);
            head.write(place, Some(&key), &mut expected);
            line.strip_prefix(&*expected).unwrap().to_vec()
        });
        found.push((key, origin, rest));
    }
    found
}

fn keys(fold: Fold<'_>) -> Vec<(String, i64)> {
    let named = |(key, origin, _): Found| (String::from_utf8(key).unwrap(), origin.offset);
    rows(fold).into_iter().map(named).collect()
}

#[test]
fn the_newest_wins_across_spilled_runs() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(&dir);
    let mut fold = Fold::new(&root, "staging".to_owned(), Order::Offsets).unwrap();
    for offset in 0..100 {
        let line = (offset % 3 != 0).then_some(&b"x\n"[..]);
        fold.add(
            format!("k{}", offset % 7).as_bytes(),
            origin(0, offset, 100 - offset),
            line,
        )
        .unwrap();
        if offset % 30 == 29 {
            fold.spill().unwrap();
        }
    }
    let expected: Vec<_> = (0..7)
        .map(|k| (format!("k{k}"), (0..100).rfind(|o| o % 7 == k).unwrap()))
        .collect();
    assert_eq!(keys(fold), expected);
}

#[test]
fn a_key_that_moved_takes_the_later_timestamp() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(&dir);
    let mut fold = Fold::new(&root, "staging".to_owned(), Order::Timestamps).unwrap();
    fold.add(b"k", origin(1, 5, 200), Some(b"new\n")).unwrap();
    fold.spill().unwrap();
    fold.add(b"k", origin(0, 9, 100), Some(b"old\n")).unwrap();
    // Within one Kafka partition the offset decides, whatever the timestamps say.
    fold.add(b"j", origin(0, 1, 100), Some(b"old\n")).unwrap();
    fold.add(b"j", origin(0, 2, 50), Some(b"new\n")).unwrap();
    assert_eq!(keys(fold), [("j".to_owned(), 2), ("k".to_owned(), 5)]);
}

/// Updates take the place of the old ones: many of few keys never come to the disk, whether their lines keep their
/// length or not.
#[test]
fn updates_of_few_keys_are_not_spilled() {
    for growth in [0, 1, 7] {
        let dir = tempfile::tempdir().unwrap();
        let root = root(&dir);
        let mut fold = Fold::with_memory(&root, "staging".to_owned(), Order::Offsets, 64 * 1024).unwrap();
        for offset in 0..20_000 {
            let line = vec![b'x'; 100 + (offset as usize * growth) % 200];
            let key = format!("key {}", offset % 100);
            fold.add(key.as_bytes(), origin(0, offset, 0), Some(&line))
                .unwrap();
        }
        assert_eq!(fold.runs, 0, "lines that grow by {growth}");
        assert_eq!(rows(fold).len(), 100);
    }
}

/// What rows need beside their bytes counts too: a topic of tiny keys takes no more memory than one of long lines.
#[test]
fn tiny_rows_count_with_what_they_need() {
    let capacity = 1024 * 1024;
    let mut arena = Arena::new(capacity).unwrap();
    let mut count = 0u32;
    while arena.has_room(4, 0) {
        let key = count.to_be_bytes();
        arena
            .push(arena.hash(&key), &key, origin(0, 0, 0), None, 0)
            .unwrap();
        count += 1;
    }
    let taken = arena.taken();
    assert!(
        taken <= capacity + capacity / 8,
        "{count} rows took {taken} bytes"
    );
}

#[derive(Debug, Clone)]
struct Update {
    key: Vec<u8>,
    partition: i32,
    rest: Option<Vec<u8>>,
}

/// Few keys, of which some are the beginning of others; lines of all lengths, and now and then one that no memory of
/// these tests holds.
fn update() -> impl Strategy<Value = Update> {
    let key = prop_oneof![
        4 => (0..20u8).prop_map(|n| format!("a key that is long: {n}").into_bytes()),
        2 => proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255)], 0..11),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ];
    let length = prop_oneof![8 => 0..60usize, 4 => 60..400usize, 1 => 3_000..9_000usize];
    let rest = proptest::option::weighted(0.9, (length, any::<u8>()).prop_map(|(n, byte)| vec![byte; n]));
    (key, 0..3i32, rest).prop_map(|(key, partition, rest)| Update { key, partition, rest })
}

proptest! {
    #[test]
    fn the_fold_is_the_newest_of_each_key(
        updates in proptest::collection::vec(update(), 0..120), memory in 500..8_000usize, moved in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let root = root(&dir);
        let order = if moved { Order::Timestamps } else { Order::Offsets };
        let mut fold = Fold::with_memory(&root, "staging".to_owned(), order, memory).unwrap();
        let mut expected: BTreeMap<Vec<u8>, (Origin, Option<Vec<u8>>)> = BTreeMap::new();
        for (number, update) in updates.into_iter().enumerate() {
            // Without a move a key has one Kafka partition; with one, timestamps rise within each, in no order between them.
            let number = number as i64;
            let partition = if moved { update.partition } else { 0 };
            let new = origin(partition, number, number * i64::from(1 + partition));
            fold.add(&update.key, new, update.rest.as_deref()).unwrap();
            let newest = |old: &Origin| match moved {
                true => (new.timestamp_ms, new.partition) >= (old.timestamp_ms, old.partition),
                false => true,
            };
            if expected.get(&update.key).is_none_or(|(old, _)| newest(old)) {
                expected.insert(update.key, (new, update.rest));
            }
        }
        prop_assert_eq!(fold.is_empty(), expected.is_empty());
        let expected: Vec<Found> = expected.into_iter().map(|(key, (origin, rest))| (key, origin, rest)).collect();
        prop_assert_eq!(rows(fold), expected);
    }
}
