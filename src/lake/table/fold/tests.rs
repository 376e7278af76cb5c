//! The fold, compared with a map of all updates.

use super::*;
use crate::config::KeySchema;
use crate::lake::line::encode::LineWriter;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn origin(partition: i32, offset: i64, timestamp_ms: i64) -> RowOrigin {
    RowOrigin {
        partition,
        offset,
        timestamp_ms,
        latest_ms: timestamp_ms,
        day_ms: timestamp_ms,
    }
}

fn root(dir: &tempfile::TempDir) -> Root {
    Root::open(dir.path(), 0o640, 0o750, true).unwrap().unwrap()
}

/// A key, where its row is from, and the rest of its line.
type FoldedRow = (Vec<u8>, RowOrigin, Option<Vec<u8>>);

fn rows(fold: Fold<'_>) -> Vec<FoldedRow> {
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
    let named = |(key, origin, _): FoldedRow| (String::from_utf8(key).unwrap(), origin.offset);
    rows(fold).into_iter().map(named).collect()
}

#[test]
fn the_newest_wins_across_spilled_runs() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(&dir);
    let mut fold = Fold::new(&root, "staging".to_owned()).unwrap();
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
    let mut fold = Fold::new(&root, "staging".to_owned()).unwrap();
    fold.add(b"k", origin(1, 5, 200), Some(b"new\n")).unwrap();
    fold.spill().unwrap();
    fold.add(b"k", origin(0, 9, 100), Some(b"old\n")).unwrap();
    // Within one Kafka partition the offset decides, whatever the timestamps say.
    fold.add(b"j", origin(0, 1, 100), Some(b"old\n")).unwrap();
    fold.add(b"j", origin(0, 2, 50), Some(b"new\n")).unwrap();
    assert_eq!(keys(fold), [("j".to_owned(), 2), ("k".to_owned(), 5)]);
}

/// The latest timestamp of a key decides its Kafka partition, whichever record comes first.
#[test]
fn timestamps_that_go_back_give_the_same_in_every_order() {
    let first = origin(0, 1, 5);
    let second = origin(0, 2, 3);
    let other = origin(1, 7, 4);
    for (updates, spills) in [
        ([first, second, other], false),
        ([first, other, second], false),
        ([other, first, second], false),
        ([first, other, second], true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let root = root(&dir);
        let mut fold = Fold::new(&root, "staging".to_owned()).unwrap();
        for update in updates {
            fold.add(b"k", update, Some(b"x\n")).unwrap();
            if spills {
                fold.spill().unwrap();
            }
        }
        assert_eq!(keys(fold), [("k".to_owned(), 2)], "{updates:?} {spills}");
    }
}

/// Updates overwrite old rows: many updates of few keys are never spilled, whether or not their lines keep their length.
#[test]
fn updates_of_few_keys_are_not_spilled() {
    for growth in [0, 1, 7] {
        let dir = tempfile::tempdir().unwrap();
        let root = root(&dir);
        let mut fold = Fold::with_memory(&root, "staging".to_owned(), 64 * 1024).unwrap();
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

/// The index of the rows counts too: a topic of tiny keys takes no more memory than one of long lines.
#[test]
fn tiny_rows_count_with_their_index() {
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
    timestamp_ms: i64,
    rest: Option<Vec<u8>>,
}

/// Few keys, some of which are prefixes of others; lines of all lengths, and now and then one that is larger than the
/// memory of these tests.
fn update() -> impl Strategy<Value = Update> {
    let key = prop_oneof![
        4 => (0..20u8).prop_map(|n| format!("a key that is long: {n}").into_bytes()),
        2 => proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255)], 0..11),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ];
    let length = prop_oneof![8 => 0..60usize, 4 => 60..400usize, 1 => 3_000..9_000usize];
    let rest = proptest::option::weighted(0.9, (length, any::<u8>()).prop_map(|(n, byte)| vec![byte; n]));
    let place = (0..3i32, -1..8i64);
    (key, place, rest).prop_map(|(key, (partition, timestamp_ms), rest)| Update {
        key,
        partition,
        timestamp_ms,
        rest,
    })
}

/// The expected rows, from all updates at once: each key's last offset in the Kafka partition with its latest timestamp
/// (the highest such partition).
fn oracle(updates: &[(RowOrigin, Update)]) -> Vec<FoldedRow> {
    let mut by_key: BTreeMap<&[u8], Vec<&(RowOrigin, Update)>> = BTreeMap::new();
    for update in updates {
        by_key.entry(&update.1.key).or_default().push(update);
    }
    let found = by_key.into_iter().map(|(key, updates)| {
        let places = updates
            .iter()
            .map(|(origin, _)| (origin.timestamp_ms, origin.partition));
        let (latest_ms, home) = places.max().unwrap();
        let at_home = updates.iter().filter(|(origin, _)| origin.partition == home);
        let (origin, update) = at_home.max_by_key(|(origin, _)| origin.offset).unwrap();
        let origin = RowOrigin { latest_ms, ..*origin };
        (key.to_vec(), origin, update.rest.clone())
    });
    found.collect()
}

/// The updates with their offsets, and the same in another order between Kafka partitions.
fn mixed(updates: Vec<Update>, order: &[prop::sample::Index]) -> [Vec<(RowOrigin, Update)>; 2] {
    let numbered: Vec<_> = (0..)
        .zip(updates)
        .map(|(offset, update)| (origin(update.partition, offset, update.timestamp_ms), update))
        .collect();
    let mut queues: Vec<std::collections::VecDeque<_>> = (0..3)
        .map(|partition| {
            let of = |(origin, _): &&(RowOrigin, Update)| origin.partition == partition;
            numbered.iter().filter(of).cloned().collect()
        })
        .collect();
    let mut other = Vec::new();
    let mut order = order.iter().cycle();
    while queues.iter().any(|queue| !queue.is_empty()) {
        queues.retain(|queue| !queue.is_empty());
        let at = order.next().map_or(0, |index| index.index(queues.len()));
        other.extend(queues[at].pop_front());
    }
    [numbered, other]
}

proptest! {
    #[test]
    fn the_fold_does_not_depend_on_how_partitions_are_mixed(
        updates in proptest::collection::vec(update(), 0..120), memory in 500..8_000usize,
        order in proptest::collection::vec(any::<prop::sample::Index>(), 1..20),
    ) {
        for updates in mixed(updates, &order) {
            let dir = tempfile::tempdir().unwrap();
            let root = root(&dir);
            let mut fold = Fold::with_memory(&root, "staging".to_owned(), memory).unwrap();
            for (origin, update) in &updates {
                fold.add(&update.key, *origin, update.rest.as_deref()).unwrap();
            }
            prop_assert_eq!(fold.is_empty(), updates.is_empty());
            prop_assert_eq!(rows(fold), oracle(&updates));
        }
    }
}
