//! A run that a fault will meet: what lies in the lake before it, and what must lie there once it is done.

use std::path::{Path, PathBuf};
use tempfile::TempDir;

use super::tree::{self, Tree};
use super::volume::{self, Volume};
use crate::common::compare::Compare;
use crate::common::inject::{self, Call, Traced};
use crate::common::kafka::{DAY_MS, Record, Topic, numbered, record, tombstone};
use crate::common::lake::{Lake, number};

/// Megabytes of a lake's disk.
const DISK_MB: u32 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first run of a new lake.
    First,
    /// More days of a stream, and a snapshot that takes the place of another.
    Later,
    /// More files than are synced one by one.
    Messages,
    /// Days of a stream that are read again.
    Rebuild,
    /// A table that is folded again.
    Refold,
    /// A day of two runs, whose files become one for each Kafka partition.
    Compact,
    /// Days that go.
    Purge,
}

pub struct Scene {
    pub kind: Kind,
    pub arguments: Vec<String>,
    stream: (Topic, Vec<Record>),
    table: (Topic, Vec<Record>),
    /// The disk before the run.
    image: PathBuf,
    _dir: TempDir,
    before: Tree,
    after: Tree,
    /// What the run does to the disk, one call after the other.
    pub steps: Vec<Call>,
    /// Where it closes what it has written.
    pub closes: Vec<Call>,
}

/// A disk and the lake on it.
pub struct World {
    pub volume: Volume,
    pub lake: Lake,
}

impl Scene {
    pub fn new(kind: Kind) -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("base");
        volume::make_image(&image, DISK_MB);
        let mut scene = Scene {
            kind,
            arguments: Vec::new(),
            stream: (Topic::with("stream", 2, &[]), Vec::new()),
            table: (Topic::new("table"), Vec::new()),
            image,
            _dir: dir,
            before: Tree::new(),
            after: Tree::new(),
            steps: Vec::new(),
            closes: Vec::new(),
        };
        scene.arguments = scene.command();
        scene.send_old();
        if !matches!(kind, Kind::First | Kind::Messages) {
            scene.drain_into_base();
        }
        scene.send_new();
        if matches!(kind, Kind::Rebuild | Kind::Refold | Kind::Compact | Kind::Purge) {
            scene.drain_into_base();
        }
        scene.stream.1 = scene.stream.0.read();
        scene.table.1 = scene.table.0.read();
        scene.rehearse();
        scene
    }

    fn command(&self) -> Vec<String> {
        let words: &[&str] = match self.kind {
            Kind::First | Kind::Later | Kind::Messages => &["lake"],
            Kind::Rebuild => &["lake", "--rebuild", "2025-10-30..2025-10-31"],
            Kind::Refold => &["lake", "--rebuild"],
            Kind::Compact => &["compact", "--older-than=0s"],
            Kind::Purge => &[
                "purge",
                "--only=lake",
                "--yes",
                "--older-than=1d",
                "--max-fraction=1",
            ],
        };
        let mut words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        words.push("--json".to_owned());
        words
    }

    fn send_old(&self) {
        let count = if self.kind == Kind::Messages { 990 } else { 60 };
        self.stream.0.send(&on_day(numbered("old", count, 2), 0));
        self.stream.0.send(&on_day(numbered("old", 20, 2), 1));
        let rows = |n: i32| record(&format!("k{n}"), &format!("{{\"N\":{n}}}"));
        self.table.0.send(&(0..30).map(rows).collect::<Vec<_>>());
    }

    fn send_new(&self) {
        self.stream.0.send(&on_day(numbered("new", 40, 2), 1));
        self.stream.0.send(&on_day(numbered("new", 20, 2), 2));
        let rows = (20..40).map(|n| record(&format!("k{n}"), &format!("{{\"NEW\":{n}}}")));
        let rows = rows.chain([tombstone("k0"), tombstone("k25")]).collect();
        self.table.0.send(&on_day(rows, 1));
    }

    fn drain_into_base(&mut self) {
        let World { volume, lake } = self.world();
        lake.drain();
        self.before = tree::visible(&lake.root());
        volume::copy_image(&volume.into_image(), &self.image);
    }

    /// The run without a fault, held against Kafka by the independent reader, and a power cut as soon as it says that
    /// it's done.
    fn rehearse(&mut self) {
        let world = self.world();
        let root = world.lake.root();
        let traced = inject::run(&world.lake, &self.arguments, &[]);
        self.steps = traced.under(&world.volume.at);
        self.closes = traced.closes(&root);
        let run = traced.run.expect(0);
        assert!(number_of_files(&run.report()) > 0, "{run:?}");
        self.after = tree::visible(&root);
        self.check_against_kafka(&world.lake);
        let promised = tree::durable(&root);
        world.volume.cut();
        self.check_done(&world.lake, &promised);
    }

    fn check_against_kafka(&self, lake: &Lake) {
        let compare = Compare::default();
        match self.kind {
            Kind::Purge => assert!(
                !lake
                    .root()
                    .join("streams")
                    .join(&self.stream.0.name)
                    .join("year=2025")
                    .exists()
            ),
            _ => drop(compare.stream(lake, &self.stream.0.name, &self.stream.1)),
        }
        compare.table(lake, &self.table.0.name, &self.table.1);
    }

    /// A disk as it was before the run, for one try.
    pub fn world(&self) -> World {
        let lake = self.lake();
        let (at, image) = (lake.folder().join("disk"), lake.folder().join("image"));
        volume::copy_image(&self.image, &image);
        World {
            volume: Volume::of_image(&at, image),
            lake,
        }
    }

    /// An empty memory disk of this size, for a first run.
    pub fn world_in_memory(&self, options: &str) -> World {
        let lake = self.lake();
        World {
            volume: Volume::tmpfs(&lake.folder().join("disk"), options),
            lake,
        }
    }

    /// A lake that shall lie on a disk.
    pub fn lake(&self) -> Lake {
        let files = if self.kind == Kind::Messages {
            "message"
        } else {
            "batch"
        };
        let mut lake = Lake::with(&format!("files = {files:?}"))
            .stream(&self.stream.0, "")
            .table(&self.table.0, "");
        lake.place = "disk/lake";
        lake
    }

    /// Runs with these injections.
    pub fn run(&self, world: &World, injections: &[String]) -> Traced {
        inject::run(&world.lake, &self.arguments, injections)
    }

    /// What readers may find after a run that did not end well, before any other: whole files, old or new, and never
    /// less than there was.
    pub fn check_readers(&self, lake: &Lake) {
        let now = tree::visible(&lake.root());
        for (path, content) in &now {
            let known = [&self.before, &self.after].map(|tree| tree.get(path) == Some(content));
            assert!(
                known.contains(&true),
                "{} is torn: {} bytes",
                path.display(),
                content.len()
            );
        }
        for (path, _) in self
            .before
            .iter()
            .filter(|(path, _)| self.after.contains_key(*path))
        {
            assert!(now.contains_key(path), "{} is gone", path.display());
        }
        if !self.before.is_empty() {
            let snapshot = |path: &&PathBuf| path.starts_with("tables");
            assert!(now.keys().any(|path| snapshot(&path)), "no snapshot is left");
            let link = lake
                .root()
                .join("current")
                .join(format!("{}.json", self.table.0.name));
            assert!(
                link.metadata().is_ok_and(|found| found.is_file()),
                "the link leads nowhere"
            );
        }
        if matches!(self.kind, Kind::Rebuild | Kind::Compact | Kind::Purge) {
            self.check_whole_days(&now);
        }
    }

    /// Rebuild, compact and purge change whole day folders: no reader sees half of one.
    fn check_whole_days(&self, now: &Tree) {
        let folders = |tree: &Tree| {
            let files = tree.keys().filter(|path| path.starts_with("streams"));
            files
                .map(|path| path.parent().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let of = |tree: &Tree, folder: &Path| {
            let mut files = tree.clone();
            files.retain(|path, _| path.parent() == Some(folder));
            files
        };
        for folder in folders(&self.before) {
            let found = of(now, &folder);
            let known = [&self.before, &self.after].map(|tree| of(tree, &folder) == found);
            assert!(known.contains(&true), "half of {}", folder.display());
        }
    }

    /// The next run of all needs no help, begins where the ledger says, and leaves what Kafka has.
    pub fn check_next(&self, lake: &Lake) {
        let found = tree::visible(&lake.root());
        let report = lake.drain();
        for topic in report["topics"].as_array().unwrap() {
            let read = number(topic, "read");
            let name = topic["topic"].as_str().unwrap();
            let changed = |(path, content): (&PathBuf, &Vec<u8>)| {
                path.to_string_lossy().contains(name) && self.before.get(path) != Some(content)
            };
            let visible = found.iter().any(changed);
            assert!(
                read == 0 || (read == self.new_records(name) && !visible),
                "{read} records read again, new ones visible before: {visible}; {topic}"
            );
        }
        let now = tree::visible(&lake.root());
        if !self.is_drain() && now == self.before {
            inject::run(lake, &self.arguments, &[]).run.expect(0);
        }
        tree::assert_same(&tree::visible(&lake.root()), &self.after, "after the next run");
        self.check_against_kafka(lake);
    }

    /// What a run that ended well has promised is there, and nothing is left to do.
    pub fn check_done(&self, lake: &Lake, promised: &Tree) {
        tree::assert_same(&tree::durable(&lake.root()), promised, "after exit code 0");
        tree::assert_same(&tree::visible(&lake.root()), &self.after, "after exit code 0");
        let report = lake.drain();
        assert_eq!(number(&report["totals"], "read"), 0, "{report}");
        for (topic, records) in [&self.stream, &self.table] {
            let last = |partition: i32| records.iter().rfind(|record| record.partition == partition);
            let next: Vec<_> = (0..2)
                .filter_map(last)
                .map(|record| (record.partition, record.offset + 1))
                .collect();
            assert_eq!(
                topic.committed(&format!("{}.lake", lake.group)),
                next,
                "Kafka's mirror"
            );
        }
        tree::assert_same(&tree::visible(&lake.root()), &self.after, "after the next run");
        self.check_against_kafka(lake);
    }

    fn is_drain(&self) -> bool {
        matches!(self.kind, Kind::First | Kind::Later | Kind::Messages)
    }

    /// Records of a topic that the run shall take.
    fn new_records(&self, topic: &str) -> i64 {
        let (all, old) = if topic == self.stream.0.name {
            (self.stream.1.len(), 80)
        } else {
            (self.table.1.len(), 30)
        };
        let new = match self.kind {
            Kind::First | Kind::Messages => all,
            Kind::Later => all - old,
            _ => 0,
        };
        i64::try_from(new).unwrap()
    }
}

fn on_day(records: Vec<Record>, day: i64) -> Vec<Record> {
    let moved = records.into_iter().map(|record| {
        let time = record.timestamp_ms + day * DAY_MS;
        record.at(time)
    });
    moved.collect()
}

/// What the run wrote or deleted.
fn number_of_files(report: &serde_json::Value) -> usize {
    let folders = report["folders"].as_array().map_or(0, Vec::len);
    let topics = report["topics"].as_array().unwrap().iter();
    folders
        + topics
            .filter(|topic| {
                ["files", "files_after"]
                    .iter()
                    .any(|files| topic[files].as_i64() > Some(0))
            })
            .count()
}
