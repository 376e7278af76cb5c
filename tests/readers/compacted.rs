//! `lakectl files --since` across compactions: nobody loads a day twice or loses a record, whether they are told of them or not.

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

use crate::common::files::data_files;
use crate::common::kafka::{DAY_MS, NOON_MS, Topic, numbered, record};
use crate::common::lake::Lake;
use crate::common::program::{self, Run};

/// Path relative to the lake root -> lines: what somebody has loaded.
type Loaded = BTreeMap<String, Vec<String>>;

fn lakectl(lake: &Lake, arguments: &[&str]) -> Run {
    lake.configure();
    program::start(lake.folder(), arguments, &[]).wait()
}

fn lying_there(lake: &Lake, topic: &Topic) -> Loaded {
    let home = format!("streams/{}", topic.name);
    let files = data_files(&lake.root().join(&home)).into_iter();
    files
        .map(|file| (format!("{home}/{}", file.path), file.lines))
        .collect()
}

fn last_commit(lake: &Lake, topic: &Topic) -> String {
    let report = lakectl(lake, &["files", &topic.name, "--json"])
        .expect(0)
        .report();
    report["last_run"].as_str().unwrap().to_owned()
}

fn changes(lake: &Lake, topic: &Topic, since: &str, more: &[&str]) -> String {
    let arguments = ["files", &topic.name, "--relative", "--since", since];
    lakectl(lake, &[&arguments, more].concat()).expect(0).stdout
}

fn sorted(loaded: &Loaded) -> Vec<&String> {
    let mut lines: Vec<_> = loaded.values().flatten().collect();
    lines.sort();
    lines
}

/// Applies what `files --since` says. In the end the lines are those of the lake, whatever files they came from.
fn follow(text: &str, mut loaded: Loaded, now: &Loaded) -> Loaded {
    for line in text.lines() {
        let (mark, path) = line.split_once(' ').unwrap();
        match mark {
            "+" => {
                let before = loaded.insert(path.to_owned(), now[path].clone());
                assert_eq!(before, None, "{line}: {text}");
            }
            "~" => drop(loaded.insert(path.to_owned(), now[path].clone())),
            "-" => drop(loaded.remove(path)),
            _ => panic!("{line}"),
        }
    }
    assert_eq!(sorted(&loaded), sorted(now), "{text}");
    loaded
}

/// The same for somebody who is told of compactions: they have exactly the files of the lake, at any time.
fn follow_files(text: &str, mut loaded: Loaded, now: &Loaded) {
    for line in text.lines() {
        let (mark, path) = line.split_once(' ').unwrap();
        let fits = match mark {
            "+" | "*" => loaded.insert(path.to_owned(), now[path].clone()).is_none(),
            "~" => loaded.insert(path.to_owned(), now[path].clone()).is_some(),
            "-" => loaded.remove(path).is_some(),
            _ => panic!("{line}"),
        };
        assert!(fits, "{line}: {text}");
    }
    assert_eq!(&loaded, now, "{text}");
}

/// Everybody who follows the topic: by the commit up to which they have done so, all that they may have loaded by then.
struct Followers<'l> {
    lake: &'l Lake,
    topic: &'l Topic,
    may_have: BTreeMap<String, BTreeSet<Loaded>>,
    lay_there: BTreeMap<String, Loaded>,
}

impl Followers<'_> {
    fn all_follow(&mut self) {
        let (now, last) = (
            lying_there(self.lake, self.topic),
            last_commit(self.lake, self.topic),
        );
        // Somebody begins here.
        let mut reached = BTreeSet::from([now.clone()]);
        for (since, states) in &self.may_have {
            let text = changes(self.lake, self.topic, since, &[]);
            assert!(!text.contains('*'), "{text}");
            reached.extend(states.iter().map(|loaded| follow(&text, loaded.clone(), &now)));
        }
        for (since, then) in &self.lay_there {
            let text = changes(self.lake, self.topic, since, &["--compacted"]);
            follow_files(&text, then.clone(), &now);
        }
        self.may_have.entry(last.clone()).or_default().extend(reached);
        self.lay_there.insert(last, now);
    }
}

#[test]
fn nobody_loads_a_day_twice_whatever_happens_to_compacted_files() {
    let topic = Topic::with("files-compacted", 2, &[]);
    let lake = Lake::with("max_file_size = \"800\"").stream(&topic, "");
    let mut followers = Followers {
        lake: &lake,
        topic: &topic,
        may_have: BTreeMap::from([("c0".to_owned(), BTreeSet::from([Loaded::new()]))]),
        lay_there: BTreeMap::from([("c0".to_owned(), Loaded::new())]),
    };
    let send = |label: &str, day: i64| {
        let records = numbered(label, 4, 2).into_iter();
        topic.send(
            &records
                .map(|it| it.at(NOON_MS + day * DAY_MS))
                .collect::<Vec<_>>(),
        );
        lake.drain();
    };
    let compact = || {
        let report = lakectl(&lake, &["compact", "--json", "--older-than", "0s"])
            .expect(0)
            .report();
        report["topics"][0]["days"].as_array().unwrap().len()
    };
    let erase = |id: &str| {
        let subject = format!("ID={id}");
        lakectl(
            &lake,
            &["purge", "--json", "--yes", "--only", "lake", "--where", &subject],
        )
        .expect(0);
    };
    let rebuild = || {
        lakectl(&lake, &["lake", "--json", "--rebuild", "2025-10-31..2025-10-31"]).expect(0);
    };
    for run in ["a", "b", "c", "d"] {
        send(run, 0);
        send(&format!("{run}-next"), 1);
        followers.all_follow();
    }
    assert_eq!(compact(), 2);
    followers.all_follow();
    // Late records, together with the compaction that takes them in.
    send("late", 0);
    assert_eq!(compact(), 1);
    followers.all_follow();
    // Of a file that was made of others, and of one that was just made.
    erase("b-1");
    followers.all_follow();
    send("later", 0);
    followers.all_follow();
    erase("later-0");
    assert_eq!(compact(), 1);
    followers.all_follow();
    erase("a-next-2");
    followers.all_follow();
    rebuild();
    followers.all_follow();
    send("more", 1);
    send("more still", 1);
    assert_eq!(compact(), 1);
    followers.all_follow();
    rebuild();
    followers.all_follow();
    let purge = [
        "purge",
        "--json",
        "--yes",
        "--only",
        "lake",
        "--older-than",
        "7mo",
        "--max-fraction",
        "1",
    ];
    lakectl(&lake, &purge).expect(0);
    followers.all_follow();
    let states: usize = followers.may_have.values().map(BTreeSet::len).sum();
    assert!(states > followers.may_have.len(), "all have loaded the same");
    lake.verify(0);
}

#[test]
fn a_compaction_is_told_to_those_who_ask() {
    let topic = Topic::new("files-told");
    let lake = Lake::of_stream(&topic);
    for n in 0..3 {
        topic.send(&[record("k", &format!("{{\"N\":{n}}}"))]);
        lake.drain();
    }
    let before = lying_there(&lake, &topic);
    lakectl(&lake, &["compact", "--older-than", "0s"]).expect(0);
    let now = lying_there(&lake, &topic);
    let made = now.keys().next().unwrap();
    assert_eq!(changes(&lake, &topic, "c3", &[]), "");
    let lines: Vec<String> = before.keys().map(|path| format!("- {path}\n")).collect();
    assert_eq!(
        changes(&lake, &topic, "c3", &["--compacted"]),
        format!("* {made}\n{}", lines.concat())
    );
    let arguments = ["files", &topic.name, "--json", "--since", "c3"];
    let report = lakectl(&lake, &arguments).expect(0).report();
    let nothing = json!({ "new": [], "replaced": [], "removed": [] });
    assert_eq!((&report["paths"], &report["last_run"]), (&nothing, &json!("c4")));
    let report = lakectl(&lake, &[&arguments[..], &["--compacted"]].concat())
        .expect(0)
        .report();
    assert_eq!(
        report["paths"]["compacted"],
        json!([{ "path": made, "replaces": before.keys().collect::<Vec<_>>() }])
    );
    // Who begins now loads the new file.
    assert_eq!(changes(&lake, &topic, "c0", &[]), format!("+ {made}\n"));
    lakectl(&lake, &["files", &topic.name, "--compacted"]).fails(2, &["--since"]);
}
