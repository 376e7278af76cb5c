//! Merged snapshots, compared with the same updates folded at once; and damage, which must be found.

use super::*;
use crate::config::{FileFormat, KeySchema, Kind, Topic};
use crate::lake::file::lines::Lines;
use crate::lake::line::encode::LineWriter;
use crate::lake::table::fold::Fold;
use crate::lake::table::spill_row::{HEADER, RowOrigin};
use crate::subjects::subject::Subject;
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// Some chunks of lines, more than one of sidecar rows, and enough for the writer's threads.
const KEYS: i64 = 11_000;
const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

/// A key's update; None: a tombstone.
type KeyUpdate = (i64, Option<String>);

/// An update of a key that may be in several Kafka partitions.
#[derive(Debug, Clone)]
struct Moved {
    key: i64,
    partition: i32,
    offset: i64,
    timestamp_ms: i64,
    rest: Option<String>,
}

struct World {
    dir: tempfile::TempDir,
    root: Root,
    merges: u32,
    first_drain: FirstDrain,
    /// Finds the rows of the previous snapshot that are left out.
    erase: Option<Matcher>,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), 0o640, 0o750, true).unwrap().unwrap();
        World {
            dir,
            root,
            merges: 0,
            first_drain: FirstDrain::WasComplete,
            erase: None,
        }
    }

    fn fold(&mut self, updates: &[KeyUpdate], first_offset: i64) -> (String, Merge) {
        let updates = (first_offset..).zip(updates).map(|(offset, (key, rest))| Moved {
            key: *key,
            partition: 0,
            offset,
            timestamp_ms: offset,
            rest: rest.clone(),
        });
        self.fold_moved(updates)
    }

    fn fold_moved(&mut self, updates: impl Iterator<Item = Moved>) -> (String, Merge) {
        self.merges += 1;
        let folder = format!("staging-{}", self.merges);
        let mut fold = Fold::new(&self.root, folder.clone()).unwrap();
        for update in updates {
            let origin = RowOrigin {
                partition: update.partition,
                offset: update.offset,
                timestamp_ms: update.timestamp_ms,
                latest_ms: update.timestamp_ms,
                day_ms: update.timestamp_ms,
            };
            let rest = update.rest.as_ref().map(|rest| rest.as_bytes());
            fold.add(format!("KEY-{:09}", update.key).as_bytes(), origin, rest)
                .unwrap();
        }
        let head = LineWriter::new("_", KeySchema::default(), true).head().clone();
        (folder, fold.into_sorted(head).unwrap())
    }

    /// Merges updates over a snapshot, and puts the result where the next merge finds it.
    fn merge(
        &mut self,
        previous: Option<&Snapshot>,
        updates: &[KeyUpdate],
        first_offset: i64,
        compression: Compression,
    ) -> Result<Snapshot> {
        let (folder, fold) = self.fold(updates, first_offset);
        self.stage(previous, folder, fold, compression)
    }

    fn stage(
        &mut self,
        previous: Option<&Snapshot>,
        folder: String,
        fold: Merge,
        compression: Compression,
    ) -> Result<Snapshot> {
        let erase = self.erase.as_ref();
        let written = merge(
            &self.root,
            previous,
            fold,
            &folder,
            compression,
            self.first_drain,
            erase,
        )?;
        let path = format!("{folder}/data{}", FileFormat::Json(compression).extension());
        fs::rename(self.at(&format!("{folder}/snapshot")), self.at(&path)).unwrap();
        Ok(Snapshot {
            path,
            day: format!("{:?}", written.day_ms),
            rows: written.snapshot.records,
            bytes: written.snapshot.bytes,
            checksum: written.snapshot.checksum,
            sidecar: format!("{folder}/sidecar"),
            sidecar_checksum: written.sidecar.checksum,
            tombstones: written.tombstones,
        })
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn lines(&self, snapshot: &Snapshot) -> Vec<Vec<u8>> {
        let file = fs::File::open(self.at(&snapshot.path)).unwrap();
        let mut from = Lines::new(file, FileFormat::of(&snapshot.path)).unwrap();
        let (mut lines, mut line) = (Vec::new(), Vec::new());
        while from.next(&mut line).unwrap() {
            lines.push(line.clone());
        }
        lines
    }

    fn first(&mut self, compression: Compression) -> Snapshot {
        self.merge(None, &old(), 0, compression).unwrap()
    }

    /// Damages one of a snapshot's files; returns the error of a merge over it.
    fn damaged(&mut self, snapshot: &Snapshot, file: &str, damage: impl FnOnce(&mut Vec<u8>)) -> String {
        let whole = fs::read(self.at(file)).unwrap();
        let mut bytes = whole.clone();
        damage(&mut bytes);
        assert_ne!(bytes, whole);
        fs::write(self.at(file), bytes).unwrap();
        let merged = self.merge(Some(snapshot), &[value(KEYS / 2, "new")], KEYS, Compression::None);
        fs::write(self.at(file), whole).unwrap();
        format!("{:#}", merged.expect_err("damage was not found"))
    }
}

fn value(key: i64, value: &str) -> KeyUpdate {
    let more = "x".repeat(200 + usize::try_from(key.rem_euclid(100)).unwrap());
    (key, Some(format!(",\"N\":\"{value} {key} {more}\"}}\n")))
}

/// Even keys; one line is larger than what is copied at once.
fn old() -> Vec<KeyUpdate> {
    let mut updates: Vec<_> = (0..KEYS).map(|key| value(2 * key, "old")).collect();
    updates[5_000].1 = Some(format!(",\"N\":\"{}\"}}\n", "large ".repeat(300_000)));
    updates
}

#[test]
fn a_merge_is_the_same_as_one_fold() {
    let last = 2 * KEYS - 2;
    let later: [Vec<KeyUpdate>; 8] = [
        vec![],
        vec![value(-1, "below"), value(last + 1, "above")],
        vec![value(0, "first"), value(last, "last"), (10_000, None)],
        vec![(0, None), (last, None), (-1, None), (last + 1, None), (7, None)],
        (0..200).map(|n| value(137 * n, "some of both kinds")).collect(),
        (0..3_000)
            .map(|key| value(2 * key + 8_000, "one after the other"))
            .collect(),
        (0..KEYS).map(|key| value(2 * key + 1, "between all")).collect(),
        (0..KEYS).map(|key| (2 * key, None)).collect(),
    ];
    let mut world = World::new();
    let first = world.first(Compression::None);
    for later in &later {
        check_merge(&mut world, &first, later, Compression::None);
    }
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let first = world.first(ALL[from]);
        check_merge(&mut world, &first, &later[4], ALL[to]);
    }
}

fn check_merge(world: &mut World, first: &Snapshot, later: &[KeyUpdate], to: Compression) {
    let merged = world.merge(Some(first), later, KEYS, to).unwrap();
    let folded = world
        .merge(None, &[old(), later.to_vec()].concat(), 0, to)
        .unwrap();
    assert!(world.lines(&merged) == world.lines(&folded));
    assert_eq!((merged.rows, &merged.day), (folded.rows, &folded.day));
    // Sidecars are the same whichever way they were made; frames may begin elsewhere.
    assert_eq!(merged.sidecar_checksum, folded.sidecar_checksum);
    for (path, checksum) in [
        (&merged.path, &merged.checksum),
        (&merged.sidecar, &merged.sidecar_checksum),
    ] {
        let bytes = fs::read(world.at(path)).unwrap();
        assert_eq!(*checksum, format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes)));
    }
}

fn moved() -> impl Strategy<Value = Vec<Moved>> {
    let update = (0..4i64, 0..3i32, -1..8i64, any::<bool>());
    let moved = |(offset, (key, partition, timestamp_ms, is_row)): (i64, (i64, i32, i64, bool))| Moved {
        key,
        partition,
        offset,
        timestamp_ms,
        rest: is_row.then(|| ",\"N\":1}\n".to_owned()),
    };
    proptest::collection::vec(update, 0..40)
        .prop_map(move |updates| (0..).zip(updates).map(moved).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// A first drain in several runs gives the same as one in a single run, deleted keys included.
    #[test]
    fn a_first_drain_in_parts_is_the_same_as_one_fold(
        updates in moved(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut world = World::new();
        let (folder, fold) = world.fold_moved(updates.iter().cloned());
        let folded = world.stage(None, folder, fold, Compression::None).unwrap();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(updates.len() + 1)).collect();
        cuts.sort_unstable();
        let (mut done, mut merged) = (0, None);
        for cut in cuts.into_iter().map(Some).chain([None]) {
            let end = cut.unwrap_or(updates.len());
            world.first_drain = if cut.is_some() { FirstDrain::GoesOn } else { FirstDrain::IsComplete };
            let (folder, fold) = world.fold_moved(updates[done..end].iter().cloned());
            merged = Some(world.stage(merged.as_ref(), folder, fold, Compression::None).unwrap());
            done = end;
        }
        let merged = merged.unwrap();
        prop_assert_eq!(world.lines(&merged), world.lines(&folded));
        prop_assert_eq!((merged.rows, merged.tombstones, &merged.day), (folded.rows, 0, &folded.day));
        prop_assert_eq!(merged.sidecar_checksum, folded.sidecar_checksum);
    }
}

/// More neighbouring sidecar rows are kept than are copied at once.
#[test]
fn erasing_is_the_same_as_folding_tombstones() {
    let (mut world, keys) = (World::new(), [0, 8, 200, 2 * KEYS - 2]);
    let later = [value(5, "new"), value(8, "came back")];
    let tombstones: Vec<KeyUpdate> = keys.map(|key| (key, None)).into();
    let topic = Topic::ad_hoc("T", Kind::Table, None).unwrap();
    let subjects = keys.map(|key| Subject::key(&format!("T=KEY-{key:09}")).unwrap());
    for later in [&[], &later[..]] {
        let first = world.first(Compression::None);
        world.erase = Some(Matcher::new(&topic, &subjects));
        let merged = world
            .merge(Some(&first), later, KEYS + 4, Compression::None)
            .unwrap();
        world.erase = None;
        let updates = [&old(), &tombstones, later].concat();
        let folded = world.merge(None, &updates, 0, Compression::None).unwrap();
        assert!(world.lines(&merged) == world.lines(&folded));
        assert_eq!((merged.rows, &merged.day), (folded.rows, &folded.day));
        assert_eq!(merged.sidecar_checksum, folded.sidecar_checksum);
    }
}

#[test]
fn damage_of_lines_that_stay_is_found() {
    for compression in ALL {
        let mut world = World::new();
        let snapshot = world.first(compression);
        let length = usize::try_from(snapshot.bytes).unwrap();
        for at in [0, 70_000, 1_000_000, length / 2, length - 1].map(|at| at.min(length - 1)) {
            world.damaged(&snapshot, &snapshot.path, |file| file[at] ^= 1);
        }
        world.damaged(&snapshot, &snapshot.path, |file| file.truncate(length - 1));
        world.damaged(&snapshot, &snapshot.path, |file| file.truncate(length / 2));
    }
}

#[test]
fn what_is_wrong_with_a_snapshot_is_told() {
    let mut world = World::new();
    let snapshot = world.first(Compression::None);
    let (lines, sidecar) = (&snapshot.path, &snapshot.sidecar);
    // One character for another, in the middle of lines that stay.
    let error = world.damaged(&snapshot, lines, |file| {
        let at = find(file, b"old 8000 ");
        file[at] = b'O';
    });
    assert!(error.contains("was changed since it was written"), "{error}");
    let error = world.damaged(&snapshot, lines, |file| {
        file.remove(1_000_000);
    });
    assert!(error.contains("don't belong together"), "{error}");
    let error = world.damaged(&snapshot, lines, |file| file.write_all(b"{}\n").unwrap());
    assert!(error.contains("more lines than its sidecar"), "{error}");
    let error = world.damaged(&snapshot, lines, |file| *file.last_mut().unwrap() = b' ');
    assert!(error.contains("don't belong together"), "{error}");
    // Two line lengths that are wrong, but not both together.
    let row = HEADER + "KEY-000000000".len();
    let error = world.damaged(&snapshot, sidecar, |file| {
        (file[row + 4], file[2 * row + 4]) = (file[row + 4] + 1, file[2 * row + 4] - 1);
    });
    assert!(error.contains("its checksum is wrong"), "{error}");
    let error = world.damaged(&snapshot, sidecar, |file| file[row + 6] = 0xF0);
    assert!(error.contains("don't belong together"), "{error}");
    let error = world.damaged(&snapshot, sidecar, |file| {
        let (one, other) = file[6_000 * row..6_002 * row].split_at_mut(row);
        one.swap_with_slice(other);
    });
    assert!(error.contains("its keys are not sorted"), "{error}");
    let error = world.damaged(&snapshot, sidecar, |file| {
        file.copy_within(6_000 * row + HEADER..6_001 * row, 6_001 * row + HEADER);
    });
    assert!(error.contains("its keys are not sorted"), "{error}");
    let error = world.damaged(&snapshot, sidecar, |file| file.truncate(file.len() - 1));
    assert!(error.contains("ends in the middle of a row"), "{error}");
    let error = world.damaged(&snapshot, sidecar, |file| file.truncate(file.len() - row));
    assert!(error.contains("its checksum is wrong"), "{error}");
    // The snapshot itself is unchanged.
    world
        .merge(Some(&snapshot), &[], KEYS, Compression::None)
        .unwrap();
}

fn find(all: &[u8], part: &[u8]) -> usize {
    all.windows(part.len()).position(|found| found == part).unwrap()
}
