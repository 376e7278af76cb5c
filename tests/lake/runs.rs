//! Runs side by side, runs that are stopped or killed, and things in the lake that are not ours.

use rustix::process::Signal;
use std::path::PathBuf;
use std::time::Duration;

use crate::common::compare::{Compare, assert_stream, assert_table};
use crate::common::files::data_files;
use crate::common::kafka::{Topic, numbered, record};
use crate::common::lake::{Lake, number};
use crate::common::poll;
use crate::common::program::{Run, Running};

/// Waits until a run has the topic's lock and has begun to take records.
fn wait_until_it_reads(lake: &Lake, topic: &Topic) {
    let staging = lake.root().join(".lakectl/staging").join(&topic.name);
    poll("a run to read", || {
        std::fs::read_dir(&staging)
            .ok()
            .and_then(|mut found| found.next())
            .map(|_| ())
    });
}

/// A run that holds the lock of a topic, and stands still.
fn start_and_freeze(lake: &Lake, topic: &Topic) -> Running {
    let mut running = lake.start(&["--topics", &topic.name]);
    wait_until_it_reads(lake, topic);
    running.signal(Signal::STOP);
    assert!(!running.is_over(), "the run was over too soon");
    running
}

/// Enough records for a run to be caught in the middle.
fn long_topic(label: &str) -> Topic {
    let topic = Topic::with(label, 2, &[]);
    topic.send(&numbered("a", 40_000, 2));
    topic
}

#[test]
fn of_two_runs_one_is_locked_out() {
    let (topic, other) = (long_topic("locked"), Topic::new("other"));
    other.send(&numbered("a", 5, 1));
    let lake = Lake::new().stream(&topic, "").stream(&other, "");
    let frozen = start_and_freeze(&lake, &topic);
    let report = lake.run(&[]).expect(11).report();
    let own = &report["topics"][0];
    assert_eq!(
        (&own["status"], &report["topics"][1]["status"]),
        (&"locked".into(), &"ok".into())
    );
    assert!(own["error"].as_str().unwrap().contains("another run"), "{own}");
    assert_stream(&lake, &other);
    // A failure elsewhere is the worse news.
    let list = format!("{},no-such-topic", topic.name);
    lake.run(&["--topics", &list]).expect(1);
    lake.run(&["--wait", "100ms", "--topics", &topic.name]).expect(11);
    // A dry run takes no lock.
    lake.run(&["--dry-run"]).expect(0);
    frozen.signal(Signal::CONT);
    frozen.wait().expect(0);
    assert_stream(&lake, &topic);
    assert_eq!(number(&lake.drain()["totals"], "read"), 0);
}

#[test]
fn a_run_can_wait_for_the_lock() {
    let topic = long_topic("wait");
    let lake = Lake::of_stream(&topic);
    let frozen = start_and_freeze(&lake, &topic);
    let mut waiting = lake.start(&["--wait", "1m"]);
    assert!(!waiting.is_over());
    topic.send(&numbered("b", 10, 2));
    frozen.signal(Signal::CONT);
    let first = frozen.wait().expect(0).report();
    let second = waiting.wait().expect(0).report();
    let read = |report: &serde_json::Value| number(&report["totals"], "read");
    assert_eq!(read(&first) + read(&second), 40_010);
    assert_stream(&lake, &topic);
}

#[test]
fn a_signal_ends_the_wait_for_a_lock() {
    let topic = long_topic("wait-signal");
    let lake = Lake::of_stream(&topic);
    let frozen = start_and_freeze(&lake, &topic);
    let waiting = lake.start(&["--wait", "1h", "--verbose"]);
    // It has the lock's file open: it is at the lock, or just before it.
    let lock = lake.root().join(".lakectl/locks").join(&topic.name);
    let files = format!("/proc/{}/fd", waiting.child.id());
    poll("a run to wait", || {
        let open = std::fs::read_dir(&files).ok()?;
        open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
            .find(|path| path.ends_with(lock.strip_prefix(lake.root()).unwrap()))
    });
    waiting.signal(Signal::TERM);
    let report = waiting.wait().expect(143).report();
    assert_eq!(report["status"], "interrupted");
    frozen.signal(Signal::CONT);
    frozen.wait().expect(0);
    assert_stream(&lake, &topic);
}

#[test]
fn runs_that_start_together_double_nothing() {
    let (stream, table) = (Topic::with("together", 3, &[]), Topic::compacted("together"));
    stream.send(&numbered("a", 3_000, 3));
    table.send(&numbered("a", 300, 1));
    let lake = Lake::new().stream(&stream, "").table(&table, "");
    let runs: Vec<Running> = (0..6).map(|_| lake.start(&[])).collect();
    let runs: Vec<_> = runs.into_iter().map(Running::wait).collect();
    assert!(runs.iter().all(|run| matches!(run.code, 0 | 11)), "{runs:#?}");
    // Each topic was some run's; no two of them had it at once.
    for topic in [&stream, &table] {
        let done = |run: &Run| {
            let report = run.report();
            let topics = report["topics"].as_array().unwrap();
            topics
                .iter()
                .any(|own| own["topic"] == *topic.name && own["status"] == "ok")
        };
        assert!(runs.iter().any(done), "{runs:#?}");
    }
    lake.drain();
    assert_stream(&lake, &stream);
    assert_table(&lake, &table);
}

#[test]
fn a_signal_commits_what_was_read() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let topic = long_topic("signal");
        let records = topic.read();
        let lake = Lake::of_stream(&topic);
        let running = lake.start(&[]);
        wait_until_it_reads(&lake, &topic);
        running.signal(signal);
        let report = running.wait().expect(code).report();
        assert_eq!(report["status"], "interrupted");
        let parts = &report["topics"][0]["partitions"];
        let next = |partition: i32| number(&parts[usize::try_from(partition).unwrap()], "next");
        let mut taken = records.clone();
        taken.retain(|record| record.offset < next(record.partition));
        assert_eq!(number(&report["totals"], "read"), taken.len() as i64);
        Compare::default().stream(&lake, &topic.name, &taken);
        let group = format!("{}.lake", lake.group);
        assert_eq!(topic.committed(&group), [(0, next(0)), (1, next(1))]);
        lake.drain();
        Compare::default().stream(&lake, &topic.name, &records);
    }
}

/// A virtual machine that is paused, a laptop that sleeps: longer than Kafka may be silent.
#[test]
fn a_pause_of_our_own_is_not_kafkas_silence() {
    let topic = long_topic("paused");
    let mut lake = Lake::of_stream(&topic);
    lake.kafka = "timeout = \"3s\"";
    let frozen = start_and_freeze(&lake, &topic);
    std::thread::sleep(Duration::from_millis(3_200));
    frozen.signal(Signal::CONT);
    frozen.wait().expect(0);
    assert_stream(&lake, &topic);
}

/// Every place beneath the root where a symlink would lead out of it.
#[test]
fn symlinks_are_not_followed() {
    let topic = Topic::new("symlink");
    topic.send(&[record("k", "{}")]);
    let day = format!("streams/{}/year=2025/month=10/day=30", topic.name);
    for planted in [
        "streams",
        &day[..day.find("/year").unwrap()],
        &day,
        ".lakectl",
        ".lakectl/staging",
    ] {
        let lake = Lake::of_stream(&topic);
        let outside = lake.folder().join("outside");
        std::fs::create_dir(&outside).unwrap();
        let link = lake.root().join(planted);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&outside, &link).unwrap();
        let run = lake.run(&[]);
        assert_ne!(run.code, 0, "{planted}");
        assert!(run.stdout.contains("symlink"), "{planted}: {}", run.stdout);
        let found: Vec<PathBuf> = walkdir::WalkDir::new(&outside)
            .min_depth(1)
            .into_iter()
            .map(|entry| entry.unwrap().into_path())
            .collect();
        assert!(found.is_empty(), "{planted}: {found:?}");
        // Without it, all is well.
        std::fs::remove_file(&link).unwrap();
        lake.run(&["--new-lake"]).expect(0);
        assert_stream(&lake, &topic);
    }
}

#[test]
fn a_foreign_file_is_not_overwritten() {
    let topic = Topic::new("foreign");
    topic.send(&[record("k", "{}")]);
    let lake = Lake::of_stream(&topic);
    let folder = lake
        .root()
        .join(format!("streams/{}/year=2025/month=10/day=30", topic.name));
    let name = format!("part-00000-{:020}-{:020}.json", 0, 0);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(&name), "mine\n").unwrap();
    for _ in 0..2 {
        let report = lake.one(&[], 1);
        assert!(report["error"].as_str().unwrap().contains(&name), "{report}");
        assert_eq!(std::fs::read_to_string(folder.join(&name)).unwrap(), "mine\n");
    }
    std::fs::remove_file(folder.join(&name)).unwrap();
    lake.drain();
    assert_stream(&lake, &topic);
}

#[test]
fn a_changed_snapshot_is_not_built_upon() {
    let topic = Topic::compacted("changed");
    topic.send(&[record("a", "{\"N\":1}"), record("b", "{\"N\":1}")]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    let path = lake.root().join("tables").join(&topic.name);
    let file = path.join(&data_files(&path)[0].path);
    let whole = std::fs::read_to_string(&file).unwrap();
    topic.send(&[record("a", "{\"N\":2}")]);
    for damage in [
        whole.replace("\"N\":1", "\"N\":7"),
        whole[..whole.len() - 1].to_owned(),
        whole.repeat(2),
    ] {
        std::fs::write(&file, &damage).unwrap();
        let report = lake.one(&[], 1);
        assert!(
            report["error"].as_str().unwrap().contains("--rebuild"),
            "{report}"
        );
        assert_eq!(std::fs::read_to_string(&file).unwrap(), damage);
    }
    lake.one(&["--rebuild"], 0);
    assert_table(&lake, &topic);
}
