//! What a compaction leaves alone: foreign files, damaged ones, topics that another run holds.

use rustix::process::Signal;

use super::{compact, drain_often, files, lines, of_day, one};
use crate::common::kafka::Topic;
use crate::common::lake::{Lake, assert_same, number};
use crate::common::program;

fn scene(label: &str) -> (Topic, Lake) {
    let topic = Topic::with(label, 2, &[]);
    let lake = Lake::of_stream(&topic);
    drain_often(&lake, &topic, 3);
    (topic, lake)
}

#[test]
fn a_day_with_a_foreign_file_is_left_alone_and_named() {
    let (topic, lake) = scene("compact-foreign");
    let folder = format!("streams/{}/year=2025/month=10/day=30", topic.name);
    std::fs::write(lake.root().join(&folder).join("_SUCCESS"), "").unwrap();
    let planned = compact(&lake, &["-n"]).expect(3).report();
    assert_eq!(number(&planned["topics"][0], "files_before"), 6);
    let run = compact(&lake, &[]).fails(3, &[&format!("{folder}/_SUCCESS is not lakectl's"), "move it"]);
    let done = &run.report()["topics"][0];
    assert_eq!(
        (number(done, "files_before"), number(done, "files_after")),
        (6, 2)
    );
    assert_eq!(
        done["days"][0]["day"], "2025-10-31",
        "the other day is compacted: {done}"
    );
    std::fs::remove_file(lake.root().join(&folder).join("_SUCCESS")).unwrap();
    assert_eq!(number(&one(&lake, &[], 0), "files_after"), 2);
    lake.verify(0);
}

#[test]
fn a_damaged_day_stays_as_it_was_and_the_others_are_compacted() {
    let (topic, lake) = scene("compact-damaged");
    let place = |path: &str| lake.root().join("streams").join(&topic.name).join(path);
    let damaged = files(&lake, &topic).remove(0);
    let sound = std::fs::read(place(&damaged.path)).unwrap();
    let cut = sound.len() / 2;
    for (spoilt, words) in [
        ([&sound[..cut], b"x", &sound[cut + 1..]].concat(), "checksum"),
        (Vec::new(), "checksum"),
    ] {
        std::fs::write(place(&damaged.path), spoilt).unwrap();
        let before = lake.kept();
        let run = compact(&lake, &[]).fails(
            1,
            &[
                "day 2025-10-30 stays as it was",
                damaged.name(),
                words,
                "restore it",
            ],
        );
        assert_eq!(run.report()["topics"][0]["status"], "failed");
        let mut now = lake.kept();
        let is_of_day =
            |path: &std::path::Path| path.to_string_lossy().contains("day=30") && path.starts_with("streams");
        now.retain(|path, _| is_of_day(path));
        let mut before = before;
        before.retain(|path, _| is_of_day(path));
        assert_same(&now, &before);
    }
    std::fs::remove_file(place(&damaged.path)).unwrap();
    compact(&lake, &[]).fails(1, &["is gone, but the ledger knows it"]);
    std::fs::write(place(&damaged.path), sound).unwrap();
    let before = lines(&lake, &topic);
    let done = one(&lake, &[], 0);
    assert_eq!(
        (number(&done, "files_before"), number(&done, "files_after")),
        (6, 2)
    );
    assert_eq!(lines(&lake, &topic), before);
    lake.verify(0);
}

#[test]
fn a_topic_that_another_run_holds_is_skipped() {
    let (topic, lake) = scene("compact-locked");
    let path = lake.root().join(".lakectl/locks").join(&topic.name);
    let lock = std::fs::File::open(path).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let report = compact(&lake, &[]).expect(11).report();
    assert_eq!(report["topics"][0]["status"], "locked");
    // A plan needs no lock.
    assert_eq!(number(&one(&lake, &["-n"], 0), "files_after"), 4);
    drop(lock);
    one(&lake, &["--wait", "10s"], 0);
    lake.verify(0);
}

#[test]
fn a_lake_that_is_not_there_and_a_topic_that_nobody_knows() {
    let topic = Topic::new("compact-none");
    let lake = Lake::of_stream(&topic);
    compact(&lake, &[]).fails(2, &["there is no lake at"]);
    topic.send(&of_day("a", 1, 1, 0));
    lake.drain();
    compact(&lake, &["--topics", "compact-nine"]).fails(2, &["the lake does not have a topic"]);
    compact(&lake, &["--older-than", "5"]).fails(2, &["--older-than"]);
    compact(&lake, &["--format", "parquet"]).fails(2, &["json"]);
    one(&lake, &["--format", "json"], 0);
}

/// A signal that comes while it waits for the topic, or just behind that.
#[test]
fn a_signal_ends_it_and_leaves_all_in_order() {
    let (topic, lake) = scene("compact-signal");
    let lock = std::fs::File::open(lake.root().join(".lakectl/locks").join(&topic.name)).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    lake.configure();
    let arguments = ["compact", "--json", "--older-than", "0s", "--wait", "1h"];
    let running = program::start(lake.folder(), &arguments, &[]);
    running.wait_until_signals_are_taken();
    running.signal(Signal::TERM);
    drop(lock);
    let report = running.wait().expect(143).report();
    assert_eq!(report["status"], "interrupted");
    lake.verify(0);
    one(&lake, &[], 0);
    lake.verify(0);
}
