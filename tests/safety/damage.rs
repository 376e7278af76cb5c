//! Files of the ledger, damaged one at a time: told by name with what to do, or harmless; nothing is ever guessed around,
//! so that nothing is lost and nothing stands twice. Put right again, the lake goes on as if nothing had been.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common::compare::Compare;
use crate::common::kafka::{DAY_MS, NOON_MS, Record, Topic, numbered};
use crate::common::lake::{Entry, Lake, assert_same, copy};
use crate::common::program;
use crate::each;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Flipped,
    Cut,
    Doubled,
    Emptied,
    Deleted,
    /// The file of the same role of another topic.
    Swapped,
    /// The same file, from an older backup.
    Older,
}
use Damage::*;

/// Erased before the damage is done, so that there is a list of the erased.
const ERASED: &str = "first-3";

/// Two streams or two tables of two days, drained twice, and records that wait for the next run.
struct World {
    lake: Lake,
    kind: &'static str,
    topics: [Topic; 2],
    records: [Vec<Record>; 2],
}

impl World {
    fn new(kind: &'static str) -> World {
        let topics = ["damaged", "other"].map(|name| Topic::with(name, 2, &[]));
        let mut lake = Lake::new();
        for topic in &topics {
            lake = match kind {
                "streams" => lake.stream(topic, ""),
                _ => lake.table(topic, ""),
            };
        }
        send("first", &topics);
        lake.drain();
        let key = format!("{}={ERASED}", topics[0].name);
        let erase = ["purge", "-q", "--key", &key, "--yes"];
        program::start(lake.folder(), &erase, &[]).wait().expect(0);
        copy(&lake.root(), &lake.folder().join("older"));
        send("second", &topics);
        lake.drain();
        send("third", &topics);
        let [mut first, second] = topics.each_ref().map(Topic::read);
        first.retain(|record| record.key.as_deref() != Some(ERASED.as_bytes()));
        World {
            lake,
            kind,
            topics,
            records: [first, second],
        }
    }

    /// Files of the ledger that belong to the lake, or to the first topic; relative to the root.
    fn files(&self) -> Vec<PathBuf> {
        let other = &self.topics[1].name;
        let of_ledger = |(path, entry): (PathBuf, Entry)| {
            let own = path.starts_with(".lakectl") && !path.to_string_lossy().contains(other.as_str());
            let regular = entry.mode & 0o17_0000 == 0o10_0000;
            (own && regular).then_some(path)
        };
        self.lake.listing().into_iter().filter_map(of_ledger).collect()
    }

    fn check(&self, file: &Path, damage: Damage, dice: &mut Dice) {
        let lake = self.lake.copied_from(&self.lake.root());
        if !self.damage(&lake.root(), file, damage, dice) {
            return;
        }
        let before = lake.listing();
        let run = lake.run(&[]);
        let what = format!("{damage:?} {}: {}", file.display(), run.stdout);
        if self.is_harmless(file, damage) {
            assert_eq!(run.code, 0, "{what}");
        } else {
            assert_eq!(run.code, 1, "{what}");
            let name = file.file_name().unwrap().to_str().unwrap();
            let named = run.stdout.contains(name) && run.stdout.contains("backup");
            assert!(named || run.stdout.contains("or run lake --rebuild"), "{what}");
            self.assert_untouched(&lake.listing(), &before);
            // What was damaged comes back from a backup.
            std::fs::copy(self.lake.root().join(file), lake.root().join(file)).unwrap();
            lake.run(&[]).expect(0);
        }
        self.assert_whole(&lake);
    }

    /// False: this damage can't be done to this file.
    fn damage(&self, root: &Path, file: &Path, damage: Damage, dice: &mut Dice) -> bool {
        let path = root.join(file);
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        match damage {
            Deleted => {
                std::fs::remove_file(&path).unwrap();
                return true;
            }
            Swapped | Older => {
                let from = match damage {
                    Older => self.lake.folder().join("older").join(file),
                    _ => self.counterpart(file),
                };
                // No such file then, or none of another topic.
                bytes = std::fs::read(from).unwrap_or_else(|_| whole.clone());
            }
            _ if whole.is_empty() => return false,
            // The last byte is a line feed that nobody misses.
            Flipped => bytes[dice.below(whole.len() - 1)] ^= 1 << dice.below(8),
            Cut => bytes.truncate(dice.below(whole.len() - 1)),
            Doubled => bytes.extend_from_slice(&whole),
            Emptied => bytes.clear(),
        }
        std::fs::write(&path, &bytes).unwrap();
        bytes != whole
    }

    /// The other topic's file of the same role.
    fn counterpart(&self, file: &Path) -> PathBuf {
        let [own, other] = &self.topics;
        let file = file.to_string_lossy().replace(&own.name, &other.name);
        let path = self.lake.root().join(file);
        let is_sidecar = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with("keys-");
        if !is_sidecar(&path) {
            return path;
        }
        // Its name is that of the run that wrote it.
        let beside = std::fs::read_dir(path.parent().unwrap()).unwrap();
        let mut paths = beside.map(|entry| entry.unwrap().path());
        paths.find(|path| is_sidecar(path)).unwrap()
    }

    /// What is not a part of the lake's memory, or is written again by each commit.
    fn is_harmless(&self, file: &Path, damage: Damage) -> bool {
        let text = file.to_string_lossy();
        text.starts_with(".lakectl/locks/")
            || text.ends_with("lake.lock")
            || text.ends_with("audit.jsonl")
            // A table's day holds one file, of which the state says more than the manifest.
            || (self.kind == "tables" && damage == Older && text.contains("/days/"))
    }

    /// The damaged topic's data is as it was.
    fn assert_untouched(&self, now: &BTreeMap<PathBuf, Entry>, before: &BTreeMap<PathBuf, Entry>) {
        let folder = format!("{}/{}", self.kind, self.topics[0].name);
        let [now, before] = [now, before].map(|listing| {
            let data = listing.iter().filter(|(path, _)| path.starts_with(&folder));
            data.map(|(path, entry)| (path.clone(), entry.clone())).collect()
        });
        assert_same(&now, &before);
    }

    /// All that Kafka holds is in the lake, once.
    fn assert_whole(&self, lake: &Lake) {
        for (topic, records) in self.topics.iter().zip(&self.records) {
            match self.kind {
                "streams" => drop(Compare::default().stream(lake, &topic.name, records)),
                _ => drop(Compare::default().table(lake, &topic.name, records)),
            }
        }
    }
}

/// Six records a day into both Kafka partitions of each topic.
fn send(label: &str, topics: &[Topic]) {
    for topic in topics {
        let day = |day: i64| {
            let records = numbered(label, 6, 2).into_iter();
            records.map(move |record| record.at(NOON_MS + day * DAY_MS))
        };
        topic.send(&day(0).chain(day(1)).collect::<Vec<_>>());
    }
}

/// Always the same numbers: what fails once fails again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// Each file in each way that a checksum can't tell, and in one that it can.
fn every_file(world: &World) {
    let files = world.files();
    assert!(files.len() > 6, "{files:?}");
    let mut dice = Dice(files.len() as u64);
    let mut cases = Vec::new();
    for file in &files {
        let random = [Flipped, Cut, Doubled, Emptied][dice.below(4)];
        cases.extend([Deleted, Swapped, Older, random].map(|damage| (file, damage)));
    }
    each(&cases, |at, (file, damage)| {
        world.check(file, *damage, &mut Dice(at as u64))
    });
}

#[test]
fn of_streams() {
    every_file(&World::new("streams"));
}

#[test]
fn of_tables() {
    every_file(&World::new("tables"));
}
