//! Limits of the process itself, and a stdout that takes nothing.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::{Command, Stdio};

use super::scene::{Kind, Scene};
use super::tree;
use crate::common::inject::{self, Call};
use crate::common::kafka::{Topic, numbered};
use crate::common::lake::{Lake, check_report, number};
use crate::common::program::{self, Run};

/// Runs the rest of the command line with this many open files, librdkafka's in this process left out, which are not
/// closed on exec.
fn with_open_files(files: usize) -> String {
    format!(
        "for fd in /proc/$$/fd/*; do fd=${{fd##*/}}; ((fd > 2)) && eval \"exec $fd>&-\"; done; \
         ulimit -n {files}; exec \"$0\" \"$@\""
    )
}

fn run_under(lake: &Lake, wrapper: &str, wrapping: &[&str], arguments: &[String]) -> Run {
    std::fs::write(lake.folder().join("lakectl.toml"), lake.config()).unwrap();
    let wrapping: Vec<String> = wrapping.iter().map(|&word| word.to_owned()).collect();
    let mut command = program::command_under(wrapper, &wrapping);
    command.args(arguments).current_dir(lake.folder());
    program::spawn(command).wait()
}

/// Fails as a program does that knows what it is about: one report, exit code 1, and the words.
fn assert_told(run: Run, words: &[&str]) {
    let report = run.report();
    check_report(&report, report["command"].as_str().unwrap(), run.code);
    let run = run.expect(1);
    for word in words {
        assert!(run.stdout.contains(word), "no {word:?} in {run:?}");
    }
    assert!(!run.stderr.contains("panicked"), "{run:?}");
}

#[test]
fn a_limit_of_file_sizes_is_told_and_made_good() {
    let scene = Scene::new(Kind::Later);
    for bytes in [40, 300, 1_200] {
        let world = scene.world();
        let run = run_under(
            &world.lake,
            "prlimit",
            &[&format!("--fsize={bytes}")],
            &scene.arguments,
        );
        assert_told(run, &["File too large", "ulimit -f"]);
        scene.check_readers(&world.lake);
        scene.check_next(&world.lake);
    }
}

/// A part of a line must not stay in the audit trail.
#[test]
fn an_audit_trail_that_may_not_grow_stays_whole() {
    let scene = Scene::new(Kind::Purge);
    for room in [0, 100] {
        let world = scene.world();
        let trail = world.lake.root().join(".lakectl/audit.jsonl");
        let length = std::fs::metadata(&trail).map_or(0, |found| found.len()) + room;
        let run = run_under(
            &world.lake,
            "prlimit",
            &[&format!("--fsize={length}")],
            &scene.arguments,
        );
        assert_told(run, &["audit.jsonl", "File too large"]);
        scene.check_readers(&world.lake);
        scene.check_next(&world.lake);
        let text = std::fs::read_to_string(&trail).unwrap();
        assert!(
            text.lines()
                .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
            "{text}"
        );
    }
}

#[test]
fn a_limit_of_open_files_is_told_and_made_good() {
    let scene = Scene::new(Kind::Later);
    let mut failed = 0;
    for files in [6, 10, 18, 22, 26] {
        let world = scene.world();
        let script = with_open_files(files);
        let run = run_under(&world.lake, "bash", &["-c", &script], &scene.arguments);
        if run.code != 0 {
            failed += 1;
            assert_told(run, &["Too many open files"]);
        }
        scene.check_readers(&world.lake);
        scene.check_next(&world.lake);
    }
    assert!(failed > 1);
}

/// Each topic's lock is an open file, and there are more topics than files may be open.
#[test]
fn more_topics_than_open_files() {
    const FILES: usize = 120;
    let topics = Topic::many("open_files", FILES + 10);
    let lake = topics
        .iter()
        .fold(Lake::new(), |lake, topic| lake.stream(topic, ""));
    for topic in [&topics[0], &topics[FILES + 9]] {
        topic.send(&numbered("a", 3, 1));
    }
    let script = with_open_files(FILES);
    let arguments = ["lake".to_owned(), "--json".to_owned()];
    let report = run_under(&lake, "bash", &["-c", &script], &arguments)
        .expect(0)
        .report();
    assert_eq!(report["topics"].as_array().unwrap().len(), topics.len());
    assert_eq!(number(&report["totals"], "written"), 6);
}

/// Each topic that is open holds its lock.
#[test]
fn at_most_64_topics_are_open_at_a_time() {
    const OPEN_MAX: usize = 64;
    let topics = Topic::many("open_max", OPEN_MAX + 6);
    let lake = topics
        .iter()
        .fold(Lake::new(), |lake, topic| lake.stream(topic, ""));
    let traced = inject::run(&lake, &["lake"], &[]);
    let (mut open, mut met, mut most) = (BTreeSet::new(), BTreeSet::new(), 0);
    let locks = lake.root().join(".lakectl/locks");
    let of_locks = |call: &&Call| !call.failed && call.path.parent() == Some(&*locks);
    for call in traced.calls.iter().filter(of_locks) {
        match &*call.name {
            "openat" => open.insert(&call.path),
            "close" => open.remove(&call.path),
            // It is made and written to.
            _ => continue,
        };
        met.insert(&call.path);
        most = most.max(open.len());
    }
    assert_eq!((most, met.len()), (OPEN_MAX, topics.len()));
    traced.run.expect(0);
}

/// Runs the scene with its stdout at `stdout`, and gives back exit code and stderr.
fn run_into(lake: &Lake, arguments: &[String], stdout: Stdio) -> (Option<i32>, String) {
    std::fs::write(lake.folder().join("lakectl.toml"), lake.config()).unwrap();
    let mut command: Command = program::command();
    command
        .args(arguments)
        .current_dir(lake.folder())
        .stdin(Stdio::null());
    let output = command.stdout(stdout).stderr(Stdio::piped()).output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_stdout_that_nobody_reads_does_no_harm() {
    let scene = Scene::new(Kind::Later);
    for arguments in [vec!["lake".to_owned()], scene.arguments.clone()] {
        let world = scene.world();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (code, stderr) = run_into(&world.lake, &arguments, writer.into());
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        let promised = tree::durable(&world.lake.root());
        scene.check_done(&world.lake, &promised);
        // Closed altogether.
        let world = scene.world();
        let words = ["-c", "exec \"$0\" \"$@\" >&-"];
        let run = run_under(&world.lake, "sh", &words, &arguments).expect(0);
        assert!(run.stderr.is_empty(), "{run:?}");
        let promised = tree::durable(&world.lake.root());
        scene.check_done(&world.lake, &promised);
    }
}

/// A script that keeps the report must learn that it got none; the data is where it belongs all the same.
#[test]
fn a_report_that_stdout_does_not_take_is_missed() {
    let scene = Scene::new(Kind::Later);
    let world = scene.world();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (code, stderr) = run_into(&world.lake, &scene.arguments, full.into());
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("No space left on device") && stderr.contains("report"),
        "{stderr}"
    );
    let promised = tree::durable(&world.lake.root());
    scene.check_done(&world.lake, &promised);
}
