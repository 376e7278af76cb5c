//! A lake of one test: its configuration, its runs, and what lies in it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

use super::kafka::{Topic, brokers};
use super::program::{self, Run, Running};
use super::unique;

pub struct Lake {
    dir: TempDir,
    pub group: String,
    /// More lines of the `[kafka]` section.
    pub kafka: &'static str,
    /// Where the lake lies, from `folder` on.
    pub place: &'static str,
    settings: String,
    topics: String,
}

/// What lies at a path: enough to see that it was not touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub mode: u32,
    pub bytes: u64,
    pub inode: u64,
    /// Nanoseconds since 1970.
    pub modified: i128,
    pub link: Option<PathBuf>,
}

impl Entry {
    pub fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }
}

impl Lake {
    pub fn new() -> Lake {
        Lake::with("")
    }

    /// With lines of the `[lake]` section.
    pub fn with(settings: &str) -> Lake {
        Lake {
            dir: tempfile::tempdir().unwrap(),
            group: unique("group"),
            kafka: "",
            place: "lake",
            settings: settings.to_owned(),
            topics: String::new(),
        }
    }

    /// One of the same configuration, whose root is a copy of this folder.
    pub fn copied_from(&self, root: &Path) -> Lake {
        let lake = Lake {
            dir: tempfile::tempdir().unwrap(),
            group: self.group.clone(),
            kafka: self.kafka,
            place: self.place,
            settings: self.settings.clone(),
            topics: self.topics.clone(),
        };
        copy(root, &lake.root());
        lake
    }

    pub fn of_stream(topic: &Topic) -> Lake {
        Lake::new().stream(topic, "")
    }

    pub fn of_table(topic: &Topic) -> Lake {
        Lake::new().table(topic, "")
    }

    /// Configures a topic, with further lines of its entry.
    pub fn stream(self, topic: &Topic, more: &str) -> Lake {
        self.topic(&topic.name, "stream", more)
    }

    pub fn table(self, topic: &Topic, more: &str) -> Lake {
        self.topic(&topic.name, "table", more)
    }

    fn topic(mut self, name: &str, kind: &str, more: &str) -> Lake {
        writeln!(self.topics, "[topics.{name:?}]\nkind = {kind:?}\n{more}").unwrap();
        self
    }

    /// Changes the `[lake]` section.
    pub fn set(&mut self, settings: &str) {
        self.settings = settings.to_owned();
    }

    /// Changes all topics.
    pub fn set_topics(&mut self, entries: &str) {
        self.topics = entries.to_owned();
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join(self.place)
    }

    pub fn config(&self) -> String {
        format!(
            "[kafka]\nbrokers = {:?}\ngroup = {:?}\n{}\n[lake]\nroot = {:?}\n{}\n{}",
            brokers(),
            self.group,
            self.kafka,
            self.place,
            self.settings,
            self.topics
        )
    }

    /// Writes the configuration, unless it stands there: another run may be about to read it.
    pub fn configure(&self) {
        let (path, config) = (self.dir.path().join("lakectl.toml"), self.config());
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&config) {
            std::fs::write(&path, &config).unwrap();
        }
    }

    /// Another lake with the same settings, and a copy of all that lies in this one. In memory, where the system has a
    /// place for that: a killed process loses nothing there either, and fsync costs nothing.
    pub fn twin(&self) -> Lake {
        let twin = Lake {
            dir: in_memory(),
            group: unique("group"),
            kafka: self.kafka,
            place: self.place,
            settings: self.settings.clone(),
            topics: self.topics.clone(),
        };
        if self.root().exists() {
            let copied = Command::new("cp")
                .arg("-a")
                .args([self.root(), twin.root()])
                .status();
            assert!(copied.unwrap().success());
        }
        twin.configure();
        twin
    }

    /// Starts `lakectl lake --json` with these arguments.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.configure();
        let all = [&["lake", "--json"], arguments].concat();
        program::start(self.dir.path(), &all, &[])
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        let run = self.start(arguments).wait();
        let report = run.report();
        check_report(&report, "lake", run.code);
        if run.code == 0 && report["dry_run"] == false {
            self.check_home();
        }
        run
    }

    /// Runs, and gives the report back; the exit code must be 0.
    pub fn drain(&self) -> Value {
        self.run(&[]).expect(0).report()
    }

    /// What `lake --verify` finds; the exit code must be this.
    pub fn verify(&self, code: i32) -> Value {
        self.start(&["--verify"]).wait().expect(code).report()
    }

    /// The one topic of a run that must end with this exit code.
    pub fn one(&self, arguments: &[&str], code: i32) -> Value {
        let report = self.run(arguments).expect(code).report();
        assert_eq!(report["topics"].as_array().unwrap().len(), 1, "{report}");
        report["topics"][0].clone()
    }

    /// Everything under the lake root, `.lakectl` included.
    pub fn listing(&self) -> BTreeMap<PathBuf, Entry> {
        let walk = walkdir::WalkDir::new(self.root()).into_iter();
        walk.filter_map(Result::ok)
            .map(|found| {
                let metadata = found.metadata().unwrap();
                let entry = Entry {
                    mode: metadata.mode(),
                    bytes: metadata.len(),
                    inode: metadata.ino(),
                    modified: i128::from(metadata.mtime()) * 1_000_000_000
                        + i128::from(metadata.mtime_nsec()),
                    link: std::fs::read_link(found.path()).ok(),
                };
                (found.path().strip_prefix(self.root()).unwrap().to_owned(), entry)
            })
            .collect()
    }

    /// The listing without what a run may touch while it does nothing: the locks and its own workshop.
    pub fn kept(&self) -> BTreeMap<PathBuf, Entry> {
        let mut listing = self.listing();
        let passing = |path: &Path| {
            [".lakectl/locks", ".lakectl/staging"]
                .iter()
                .any(|at| path.starts_with(at))
        };
        listing.retain(|path, _| !passing(path));
        listing
    }

    /// What a run that is over leaves under `.lakectl`: nothing staged, and nothing that looks like data.
    fn check_home(&self) {
        for path in self.listing().keys().filter(|path| path.starts_with(".lakectl")) {
            let name = path.file_name().unwrap().to_string_lossy();
            let like_data = [".json", ".gz", ".zst", ".parquet"]
                .iter()
                .any(|end| name.ends_with(end));
            assert!(!like_data, "{} looks like data", path.display());
            let staged = path.starts_with(".lakectl/staging") && path.components().count() > 3;
            assert!(!staged, "{} is left over", path.display());
        }
    }
}

/// Copies a folder, and all that lies in it as it is.
pub fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status();
    assert!(
        status.unwrap().success(),
        "cp {} {}",
        from.display(),
        to.display()
    );
}

/// A folder that nobody needs after a power cut.
pub fn in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// What every report promises.
pub fn check_report(report: &Value, command: &str, code: i32) {
    assert_eq!(report["version"], 1, "{report}");
    assert_eq!(report["command"], command, "{report}");
    assert_eq!(report["exit_code"], code, "{report}");
    let status = match code {
        0 => "ok",
        3 => "partial",
        11 => "locked",
        130 | 143 => "interrupted",
        _ => "failed",
    };
    assert_eq!(report["status"], status, "{report}");
    // It takes no records from Kafka.
    if command == "compact" {
        return;
    }
    let topics = report["topics"].as_array().unwrap();
    for topic in topics.iter().filter(|topic| topic["status"] == "ok") {
        if report["dry_run"] == false {
            check_account(topic);
        }
    }
    // What a topic calls its part of a total.
    let written = if command == "lake" { "written" } else { "upserted" };
    for (name, part) in [("read", "read"), ("written", written), ("remaining", "remaining")] {
        let sum: i64 = topics.iter().map(|topic| number(topic, part)).sum();
        assert_eq!(number(&report["totals"], name), sum, "{name}: {report}");
    }
    let bytes: i64 = topics.iter().filter_map(|topic| topic["bytes"].as_i64()).sum();
    assert_eq!(number(&report["totals"], "bytes"), bytes, "{report}");
}

/// Every offset that a run went over is accounted for.
fn check_account(topic: &Value) {
    let list = |name: &str| topic[name].as_array().unwrap().clone();
    let partitions = list("partitions");
    let covered: i64 = partitions
        .iter()
        .map(|p| number(p, "next") - number(p, "start"))
        .sum();
    let left: i64 = partitions
        .iter()
        .map(|p| number(p, "end") - number(p, "next"))
        .sum();
    let gaps: i64 = list("gaps")
        .iter()
        .map(|g| number(g, "to") - number(g, "from"))
        .sum();
    let read = number(topic, "read");
    assert_eq!(
        read + number(topic, "skipped_offsets") + gaps,
        covered,
        "offsets unaccounted for: {topic}"
    );
    assert_eq!(number(topic, "remaining"), left, "{topic}");
    if topic["kind"] == "stream" {
        let dropped =
            number(topic, "below_retention") + number(topic, "before_from") + number(topic, "other_days");
        assert_eq!(number(topic, "written") + dropped, read, "{topic}");
    }
}

/// Fails with what differs, not with everything.
pub fn assert_same(now: &BTreeMap<PathBuf, Entry>, before: &BTreeMap<PathBuf, Entry>) {
    let differs = |path: &&PathBuf| now.get(*path) != before.get(*path);
    let paths: BTreeSet<_> = now.keys().chain(before.keys()).filter(differs).collect();
    let shown = |path: &&PathBuf| {
        format!(
            "{}: {:?} -> {:?}",
            path.display(),
            before.get(*path),
            now.get(*path)
        )
    };
    assert!(
        paths.is_empty(),
        "{:#?}",
        paths.iter().map(shown).collect::<Vec<_>>()
    );
}

pub fn number(value: &Value, name: &str) -> i64 {
    value[name]
        .as_i64()
        .unwrap_or_else(|| panic!("no number {name} in {value}"))
}
