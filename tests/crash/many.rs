//! Many topics, whose commits go on beside each other: a SIGKILL or a SIGTERM where some of them are under way.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::source::{Kind, Source};
use super::sweep::World;
use crate::common::files::data_files;
use crate::common::kafka::Topic;
use crate::common::lake::{Lake, in_memory, number};
use crate::common::program::{self, Run};

/// More than are committed one after the other.
const TOPICS: usize = 10;
/// Runs wait for Kafka most of their time.
const WORKERS: usize = 4;
/// No commit makes so many calls of one name.
const CALLS_MAX: u32 = 100;
/// By which a commit changes what is on the disk.
const CALLS: [&str; 4] = ["mkdirat", "renameat2", "unlinkat", "fsync"];

fn world() -> (Source, Lake) {
    let mut kinds = vec![Kind::Stream; TOPICS - 1];
    kinds.push(Kind::Table);
    let mut source = Source::new("many", &kinds);
    let lake = source.lake("");
    lake.drain();
    source.go_on();
    (source, lake)
}

/// Runs lakectl, and sends it a signal when one of its threads makes this call in the topic's folder of the ledger for
/// the `nth` time.
fn run(lake: &Lake, topic: &Topic, call: &str, nth: u32, signal: &str) -> Run {
    let folder = lake.root().join(".lakectl/topics").join(&topic.name);
    let trace = in_memory();
    let words = [
        "-f",
        "-qq",
        "-o",
        trace.path().join("trace").to_str().unwrap(),
        "-P",
        folder.to_str().unwrap(),
        "-e",
        &format!("trace={call}"),
        "-e",
        &format!("inject={call}:signal={signal}:when={nth}"),
    ]
    .map(str::to_owned);
    let mut command: Command = program::command_under("strace", &words);
    lake.fill(&mut command);
    command.args(["lake", "--json"]);
    program::spawn(command).wait()
}

/// Topics with anything in their staging: those that are under way.
fn staged(lake: &Lake) -> usize {
    let Ok(topics) = std::fs::read_dir(lake.root().join(".lakectl/staging")) else {
        return 0;
    };
    topics.count()
}

/// Lines of a stream.
fn lines(lake: &Lake, topic: &str) -> i64 {
    let files = data_files(&lake.root().join("streams").join(topic));
    files.iter().map(|file| file.lines.len() as i64).sum()
}

#[test]
fn killed_where_several_commits_are_under_way() {
    let (source, base) = world();
    let undisturbed = base.twin();
    undisturbed.drain();
    source.assert_all(&undisturbed, ".json");
    let picture = undisturbed.picture();

    // An early topic, one amid the others, and the last one.
    let places: Vec<(&Topic, &str)> = [1, TOPICS / 2, TOPICS - 1]
        .iter()
        .flat_map(|&at| CALLS.map(|call| (&source.0[at].topic, call)))
        .collect();
    let (next, kills, together) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(&(topic, call)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
            for nth in 1..CALLS_MAX {
                let lake = base.twin();
                let killed = run(&lake, topic, call, nth, "KILL");
                if killed.code == 0 {
                    break;
                }
                assert_eq!(killed.code, 137, "{killed:?}");
                kills.fetch_add(1, Ordering::Relaxed);
                together.fetch_max(staged(&lake), Ordering::Relaxed);
                source.assert_readable(&lake, ".json");
                lake.drain();
                source.assert_all(&lake, ".json");
                assert_eq!(
                    lake.picture(),
                    picture,
                    "killed at {call} {nth} of {}",
                    topic.name
                );
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let (kills, together) = (kills.into_inner(), together.into_inner());
    println!("many topics: killed {kills} times, with up to {together} topics under way");
    assert!(kills >= 3 * places.len() / 2, "only {kills} kills");
    assert!(together >= 3, "never more than {together} topics under way");
}

#[test]
fn ended_where_several_commits_are_under_way() {
    let (source, base) = world();
    for at in [1, TOPICS / 2] {
        let lake = base.twin();
        let ended = run(&lake, &source.0[at].topic, "renameat2", 1, "TERM").expect(143);
        let report = ended.report();
        assert_eq!(report["status"], "interrupted");
        let topics = report["topics"].as_array().unwrap();
        assert_eq!(topics.len(), TOPICS);
        for part in &source.0[..TOPICS - 1] {
            let name = &part.topic.name;
            let line = topics.iter().find(|line| line["topic"] == **name).unwrap();
            assert_eq!(line["error"], serde_json::Value::Null, "{line}");
            // What was read is there.
            let read = number(line, "read");
            assert_eq!(lines(&lake, name), lines(&base, name) + read, "{line}");
        }
        assert!(number(&report["totals"], "read") > 0, "{report}");
        assert_eq!(staged(&lake), 0);
        source.assert_readable(&lake, ".json");
        lake.drain();
        source.assert_all(&lake, ".json");
    }
}
