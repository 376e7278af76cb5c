//! `lakectl files --since`: whoever applies what it says, run after run, has what lies in the lake.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

use crate::common::kafka::{DAY_MS, NOON_MS, Record, Topic, numbered, record, tombstone};
use crate::common::lake::Lake;
use crate::common::program::{self, Run};
use crate::common::{strace, unique};

/// Path relative to the lake root -> inode and content: what somebody has loaded.
type Loaded = BTreeMap<String, (u64, Vec<u8>)>;

fn lakectl(lake: &Lake, arguments: &[&str]) -> Run {
    lake.configure();
    program::start(lake.folder(), arguments, &[]).wait()
}

fn files(lake: &Lake, topic: &str, arguments: &[&str]) -> Run {
    lakectl(lake, &[&["files", topic], arguments].concat())
}

/// The token of a topic's last commit.
fn last_commit(lake: &Lake, topic: &str) -> String {
    let report = files(lake, topic, &["--json"]).expect(0).report();
    report["last_run"].as_str().unwrap().to_owned()
}

/// The topic's data files as they lie there.
fn lying_there(lake: &Lake) -> Loaded {
    let is_data = |path: &Path| ["streams", "tables"].iter().any(|home| path.starts_with(home));
    let listing = lake
        .listing()
        .into_iter()
        .filter(|(path, entry)| is_data(path) && entry.is_file());
    listing
        .map(|(path, entry)| {
            let content = std::fs::read(lake.root().join(&path)).unwrap();
            (path.to_str().unwrap().to_owned(), (entry.inode, content))
        })
        .collect()
}

/// Loads what has changed since a commit, and nothing else. What is said must fit what was loaded before.
fn follow(lake: &Lake, topic: &str, since: &str, mut loaded: Loaded) -> Loaded {
    let now = lying_there(lake);
    let text = files(lake, topic, &["--relative", "--since", since])
        .expect(0)
        .stdout;
    for line in text.lines() {
        let (mark, path) = line.split_once(' ').unwrap();
        let before = match mark {
            "+" => loaded.insert(path.to_owned(), now[path].clone()).is_some(),
            "~" => loaded.insert(path.to_owned(), now[path].clone()).is_none(),
            "-" => loaded.remove(path).is_none(),
            _ => panic!("{line}"),
        };
        assert!(!before, "{line} since {since}: {text}");
    }
    assert_eq!(
        loaded.keys().collect::<Vec<_>>(),
        now.keys().collect::<Vec<_>>(),
        "since {since}: {text}"
    );
    assert!(
        loaded == now,
        "since {since} a file has changed in silence: {text}"
    );
    loaded
}

/// Somebody who follows each run, and remembers what there was after each.
struct Follower<'l> {
    lake: &'l Lake,
    topic: String,
    runs: Vec<(String, Loaded)>,
}

impl Follower<'_> {
    /// After a run that ended with this report. Also from all earlier runs on, the way leads here.
    fn after(&mut self, run: &Run) -> Value {
        let report = run.report();
        let now = lying_there(self.lake);
        for (since, loaded) in &self.runs {
            follow(self.lake, &self.topic, since, loaded.clone());
        }
        self.runs.push((last_commit(self.lake, &self.topic), now));
        report
    }

    /// What the last run but one has left, and the last has changed.
    fn changed(&self) -> Value {
        let [.., (since, _), _] = &self.runs[..] else {
            panic!("two runs are needed")
        };
        let report = files(self.lake, &self.topic, &["--json", "--since", since])
            .expect(0)
            .report();
        assert_eq!(report["since"], **since);
        report["paths"].clone()
    }
}

fn count(paths: &Value) -> [usize; 3] {
    ["new", "replaced", "removed"].map(|list| paths[list].as_array().unwrap().len())
}

fn of_day(label: &str, day: i64) -> Vec<Record> {
    numbered(label, 6, 2)
        .into_iter()
        .map(|r| r.at(NOON_MS + day * DAY_MS))
        .collect()
}

#[test]
fn a_stream_is_followed_through_all_that_happens_to_it() {
    let topic = Topic::with("files-stream", 2, &[]);
    let lake = Lake::of_stream(&topic);
    let mut follower = Follower {
        lake: &lake,
        topic: topic.name.clone(),
        runs: Vec::new(),
    };
    let run = |arguments: &[&str]| lake.run(&[&["-v"], arguments].concat()).expect(0);
    let key = format!("{}=a-3", topic.name);
    topic.send(&of_day("a", 0));
    follower.after(&run(&[]));
    topic.send(&[of_day("b", 0), of_day("b", 1)].concat());
    let report = follower.after(&run(&[]));
    assert_eq!(
        (count(&follower.changed()), &report["topics"][0]["paths"]),
        ([4, 0, 0], &follower.changed())
    );
    // Nothing new: such a run leaves no trace in the ledger, and counts all the same.
    let report = follower.after(&run(&[]));
    assert_eq!(
        report["topics"][0]["paths"],
        json!({ "new": [], "replaced": [], "removed": [] })
    );
    assert_eq!(count(&follower.changed()), [0, 0, 0]);
    // Both runs' files of a day become one per Kafka partition.
    let report = follower.after(&run(&["--rebuild", "2025-10-30..2025-10-31"]));
    assert_eq!(
        (count(&follower.changed()), &report["topics"][0]["paths"]),
        ([2, 2, 4], &follower.changed())
    );
    follower.after(&lakectl(&lake, &["purge", "--json", "--yes", "--key", &key]));
    assert_eq!(count(&follower.changed()), [0, 1, 0]);
    topic.send(&[record("one", "{}").at(NOON_MS + 5 * DAY_MS)]);
    follower.after(&run(&[]));
    // A file of which nothing is left goes as a whole.
    let key = format!("{}=one", topic.name);
    follower.after(&lakectl(&lake, &["purge", "--json", "--yes", "--key", &key]));
    assert_eq!(count(&follower.changed()), [0, 0, 1]);
    topic.send(&of_day("c", 300));
    follower.after(&run(&[]));
    let limits = ["--older-than", "7mo", "--max-fraction", "1", "--only", "lake"];
    let purged = lakectl(&lake, &[&["purge", "--json", "--yes"], &limits[..]].concat());
    follower.after(&purged);
    assert_eq!(count(&follower.changed()), [0, 0, 4], "{}", purged.stdout);
    follower.after(&run(&[]));
    lake.verify(0);
}

#[test]
fn a_table_is_followed_as_its_snapshot_moves() {
    for history in ["", "lake.history = true"] {
        let topic = Topic::compacted("files-table");
        let lake = Lake::new().table(&topic, history);
        let mut follower = Follower {
            lake: &lake,
            topic: topic.name.clone(),
            runs: Vec::new(),
        };
        let steps = [
            vec![record("k", "{\"A\":1}")],
            vec![record("k", "{\"A\":2}")],
            vec![record("l", "{\"A\":3}").at(NOON_MS + DAY_MS)],
            Vec::new(),
            // Back to the first day.
            vec![tombstone("l").at(NOON_MS)],
            vec![record("l", "{\"A\":4}").at(NOON_MS + DAY_MS)],
        ];
        for records in steps {
            topic.send(&records);
            follower.after(&lake.run(&[]).expect(0));
        }
        follower.after(&lake.run(&["--rebuild"]).expect(0));
        let listed = files(&lake, &topic.name, &["--json"]).expect(0).report();
        assert_eq!(
            listed["files"].as_array().unwrap().len(),
            lying_there(&lake).len()
        );
    }
}

/// Killed at each rename: until the next run the truth is told or nothing at all, and after it all of it.
#[test]
fn kills_hide_nothing() {
    let topic = Topic::with("files-killed", 2, &[]);
    let lake = Lake::of_stream(&topic);
    topic.send(&of_day("a", 0));
    lake.drain();
    topic.send(&[of_day("b", 0), of_day("b", 1)].concat());
    lake.drain();
    let since = last_commit(&lake, &topic.name);
    topic.send(&of_day("c", 1));
    let loaded = lying_there(&lake);
    let key = format!("{}=a-3", topic.name);
    for command in [
        &["lake", "-q"][..],
        &["lake", "-q", "--rebuild", "2025-10-30..2025-10-31"],
        &["purge", "-q", "--yes", "--key", &key],
    ] {
        let fill = |command: &[&str], lake: &Lake| {
            let (command, folder) = (
                command.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>(),
                lake.folder().to_owned(),
            );
            move |child: &mut std::process::Command| {
                child.args(command).current_dir(folder);
            }
        };
        let calls = strace::list(None, fill(command, &lake.twin())).changes;
        let renames: Vec<_> = calls
            .iter()
            .filter(|call| call.name.starts_with("rename") && call.has_effect())
            .collect();
        assert!(renames.len() >= 4, "{command:?}");
        for call in renames {
            let twin = lake.twin();
            strace::kill_at(&call.name, call.nth, None, fill(command, &twin));
            // What lies in the twin has other inodes.
            let same = |(path, (_, content)): (&String, &(u64, Vec<u8>))| {
                let inode = lying_there(&twin)
                    .get(path)
                    .filter(|(_, now)| now == content)
                    .map_or(0, |(inode, _)| *inode);
                (path.clone(), (inode, content.clone()))
            };
            let ended = lakectl(&twin, &["lake", "-q"]);
            assert_eq!(ended.code, 0, "{call} {}", ended.stderr);
            follow(&twin, &topic.name, &since, loaded.iter().map(same).collect());
        }
    }
}

#[test]
fn a_half_published_commit_is_no_answer() {
    let topic = Topic::new("files-half");
    let lake = Lake::of_stream(&topic);
    topic.send(&[record("a", "{}")]);
    lake.drain();
    rewrite(&lake, &topic.name, "state", |state| {
        state["pending"] = json!({ "staging": "", "files": [], "link": null });
    });
    files(&lake, &topic.name, &[]).fails(1, &["not all of its files are in place", "lakectl lake --topics"]);
    lake.drain();
    files(&lake, &topic.name, &[]).expect(0);
}

#[test]
fn commits_that_nobody_remembers_are_told() {
    let topic = Topic::new("files-unknown");
    let lake = Lake::of_stream(&topic);
    topic.send(&[record("a", "{}")]);
    let run_id = lake.drain()["run_id"].as_str().unwrap().to_owned();
    for odd in ["yesterday", "", "c", "c-1", &run_id] {
        let refused = files(&lake, &topic.name, &["--since", odd]);
        refused.fails(2, &["does not name a commit", "run ids are not taken"]);
    }
    files(&lake, &topic.name, &["--since", "c2"])
        .fails(2, &["Load it again", "lists all files", "--since c1"]);
    let shown = |since: &str| {
        let run = files(&lake, &topic.name, &["--since", since, "--last-run"]);
        run.expect(0).stdout
    };
    let all = shown("c0");
    assert_eq!(shown("none"), all);
    assert!(all.starts_with("+ /") && all.ends_with("\n= c1\n"), "{all}");
    assert_eq!(shown("c1"), "= c1\n");
    topic.send(&[record("b", "{}")]);
    lake.drain();
    let second = shown("c1");
    assert!(
        second.starts_with("+ /") && second.ends_with("\n= c2\n"),
        "{second}"
    );
    // As if too many files had been removed since.
    rewrite(&lake, &topic.name, "state", |state| {
        state["changes"]["forgotten"] = json!(2)
    });
    files(&lake, &topic.name, &["--since", "c1"]).fails(2, &["Load it again", "--since c2"]);
    assert_eq!(shown("c2"), "= c2\n");
    assert_eq!(shown("c0").lines().count(), 3);
    lake.verify(0);
}

/// Changes a file of a topic's ledger, sealed as lakectl does it.
fn rewrite(lake: &Lake, topic: &str, name: &str, change: impl FnOnce(&mut Value)) {
    let path = lake.root().join(".lakectl/topics").join(topic).join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut state: Value = serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
    change(&mut state);
    let json = state.to_string();
    std::fs::write(
        path,
        format!("lakectl 1 {:032x}\n{json}\n", xxh3_128(json.as_bytes())),
    )
    .unwrap();
}

#[test]
fn paths_are_what_the_next_program_wants() {
    let topic = Topic::new("files-paths");
    let mut lake = Lake::of_stream(&topic);
    lake.place = "a lake";
    topic.send(
        &of_day(&unique("p"), 0)
            .into_iter()
            .map(|r| r.to(0))
            .collect::<Vec<_>>(),
    );
    let run = lakectl(&lake, &["lake", "-v"]).expect(0);
    let [path] = &lying_there(&lake).into_keys().collect::<Vec<_>>()[..] else {
        panic!()
    };
    assert!(run.stdout.contains(&format!("\n  + {path}\n")), "{}", run.stdout);
    let absolute = lake.root().join(path).display().to_string();
    let shown = |arguments: &[&str]| files(&lake, &topic.name, arguments).expect(0).stdout;
    assert_eq!(shown(&[]), format!("{absolute}\n"));
    assert_eq!(shown(&["--relative"]), format!("{path}\n"));
    assert_eq!(shown(&["-v", "-0"]), format!("{absolute}\0"));
    let report = files(&lake, &topic.name, &["--json"]).expect(0).report();
    let file = &report["files"][0];
    assert_eq!(
        (&file["path"], &file["day"], &file["records"]),
        (&json!(path), &json!("2025-10-30"), &json!(6))
    );
    assert_eq!(PathBuf::from(report["root"].as_str().unwrap()), lake.root());
    let ordinary = lake.drain();
    assert_eq!(ordinary["topics"][0]["paths"], Value::Null);
    files(&lake, &format!("{}-x", topic.name), &[]).fails(2, &["did you mean"]);
}
