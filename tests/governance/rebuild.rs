//! `lake --rebuild`: days read again from Kafka, and exactly those replaced.

use serde_json::json;
use std::collections::BTreeMap;

use crate::common::compare::{assert_stream, assert_table};
use crate::common::files::data_files;
use crate::common::inject;
use crate::common::kafka::{DAY_MS, NOON_MS, Topic, numbered, record};
use crate::common::lake::{Lake, assert_same, number};
use crate::common::program::Run;

/// Three days, one file each.
fn three_days(label: &str) -> (Topic, Lake) {
    let topic = Topic::new(label);
    for day in 0..3 {
        let records = numbered(&format!("d{day}"), 20, 1).into_iter();
        topic.send(&records.map(|r| r.at(NOON_MS + day * DAY_MS)).collect::<Vec<_>>());
    }
    let lake = Lake::of_stream(&topic);
    lake.drain();
    (topic, lake)
}

#[test]
fn exactly_the_named_days_are_replaced_and_late_records_kept() {
    let (topic, lake) = three_days("rebuild");
    topic.send(&[record("late", "{\"LATE\":1}").at(NOON_MS)]);
    let report = lake.one(&[], 0);
    assert_eq!(report["days_reopened"], json!(["2025-10-30"]));
    let (before, group) = (lake.kept(), topic.committed(&format!("{}.lake", lake.group)));
    let damaged = data_files(&lake.root().join("streams")).remove(0);
    std::fs::write(lake.root().join("streams").join(&damaged.path), "torn").unwrap();
    let report = lake.one(&["--rebuild", "2025-10-30..2025-10-30"], 0);
    assert_eq!(
        (number(&report, "written"), &report["days"]),
        (21, &json!(["2025-10-30"]))
    );
    assert_stream(&lake, &topic);
    assert_eq!(topic.committed(&format!("{}.lake", lake.group)), group);
    let others = |mut listing: std::collections::BTreeMap<_, _>| {
        listing.retain(|path: &std::path::PathBuf, _| {
            let text = path.to_string_lossy();
            (text.contains("day=31") || text.contains("day=01")) && text.ends_with(".json")
        });
        listing
    };
    assert_same(&others(lake.kept()), &others(before));
    // What comes later goes on where the progress stood.
    topic.send(&numbered("more", 5, 1));
    assert_eq!(number(&lake.one(&[], 0), "read"), 5);
    assert_stream(&lake, &topic);
}

#[test]
fn a_rebuild_takes_nothing_from_beyond_the_progress() {
    let (topic, lake) = three_days("rebuild");
    topic.send(&[record("new", "{}")]);
    lake.one(&["--rebuild", "2025-10-30"], 0);
    assert_eq!(number(&lake.one(&[], 0), "read"), 1);
    assert_stream(&lake, &topic);
    lake.verify(0);
}

#[test]
fn a_day_that_kafka_no_longer_holds_is_refused() {
    let (topic, lake) = three_days("rebuild");
    topic.delete_below(0, 10);
    let before = lake.kept();
    let run = lake.run(&["--rebuild", "2025-10-30..2025-10-31"]);
    let report = run.fails(1, &[]).report();
    let error = report["topics"][0]["error"].as_str().unwrap().to_owned();
    assert!(
        error.contains("2025-10-30 (Kafka partition 0: 10 of 20 records)"),
        "{error}"
    );
    assert_same(&lake.kept(), &before);
    lake.one(&["--rebuild", "2025-10-31..2025-11-01"], 0);
}

/// Each day in two files, which a rebuild makes one.
fn three_split_days(label: &str) -> (Topic, Lake) {
    let (topic, lake) = three_days(label);
    for day in 0..3 {
        topic.send(&[record("late", "{}").at(NOON_MS + day * DAY_MS)]);
    }
    lake.drain();
    (topic, lake)
}

fn killed_at(lake: &Lake, arguments: &[&str], nth: u32) -> Run {
    let arguments = [&["lake", "--json"], arguments].concat();
    inject::run(lake, &arguments, &[format!("renameat2:signal=KILL:when={nth}")]).run
}

/// Whatever the copy has for inodes: a day that was exchanged stays so, and one that was not is exchanged.
#[test]
fn a_killed_rebuild_is_finished_in_a_copy_of_the_lake() {
    let (topic, lake) = three_split_days("rebuild-copied");
    let days = ["--rebuild", "2025-10-30..2025-11-01"];
    let twin = lake.twin();
    twin.one(&days, 0);
    let [old, rebuilt] = [&lake, &twin].map(contents);
    assert_ne!(old.len(), rebuilt.len());
    let mut finished = 0;
    for nth in 1.. {
        let original = lake.twin();
        let run = killed_at(&original, &days, nth);
        let copy = original.twin();
        copy.drain();
        copy.verify(0);
        assert_stream(&copy, &topic);
        let now = contents(&copy);
        assert!(now == old || now == rebuilt, "{nth}: {:?}", now.keys());
        finished += u32::from(now == rebuilt);
        if run.code == 0 {
            break;
        }
    }
    assert!(finished > 3);
}

/// The old day is still there, and what was staged is not what was committed any more.
#[test]
fn a_killed_rebuild_publishes_only_what_was_committed() {
    let (_topic, lake) = three_split_days("rebuild-spoiled");
    // The staged file has gone into its day folder, and the ledger's state has counted: now the two folders are exchanged.
    killed_at(&lake, &["--rebuild", "2025-10-30"], 3);
    let staged = lake.root().join(".lakectl/staging");
    let file = walkdir::WalkDir::new(staged)
        .into_iter()
        .map(Result::unwrap)
        .find(|entry| entry.file_type().is_file())
        .unwrap();
    std::fs::write(file.path(), "spoiled").unwrap();
    let before = contents(&lake);
    let error = lake.one(&[], 1)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("is not what was committed"), "{error}");
    assert_eq!(contents(&lake), before);
}

/// Path below `streams` -> content.
fn contents(lake: &Lake) -> BTreeMap<String, Vec<u8>> {
    let home = lake.root().join("streams");
    let content = |path: String| (path.clone(), std::fs::read(home.join(&path)).unwrap());
    data_files(&home)
        .into_iter()
        .map(|file| content(file.path))
        .collect()
}

#[test]
fn a_strangers_file_in_a_day_folder_stops_the_rebuild() {
    let (_topic, lake) = three_days("rebuild");
    let file = data_files(&lake.root().join("streams")).remove(0);
    let folder = lake
        .root()
        .join("streams")
        .join(&file.path)
        .parent()
        .unwrap()
        .to_owned();
    std::fs::write(folder.join("notes.txt"), "mine").unwrap();
    let report = lake.one(&["--rebuild", "2025-10-30"], 1);
    assert!(
        report["error"].as_str().unwrap().contains("notes.txt"),
        "{report}"
    );
    assert_eq!(std::fs::read_to_string(folder.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn days_are_for_streams_and_whole_folds_for_tables() {
    let (stream, table) = (Topic::new("stream"), Topic::compacted("table"));
    stream.send(&[record("k", "{}")]);
    table.send(&[record("k", "{\"N\":1}"), record("gone", "{\"N\":1}")]);
    let lake = Lake::new().stream(&stream, "").table(&table, "");
    lake.drain();
    for (arguments, word) in [
        (
            ["--rebuild", "2025-10-30", "--topics", table.name.as_str()],
            "without days",
        ),
        (
            ["--topics", stream.name.as_str(), "--rebuild", "--"],
            "which days",
        ),
        (["--rebuild", "2025-10-30", "--max-messages", "1"], "end to end"),
        (
            [
                "--rebuild",
                "2025-10-31..2025-10-30",
                "--topics",
                stream.name.as_str(),
            ],
            "after the last",
        ),
    ] {
        let arguments: Vec<&str> = arguments.into_iter().filter(|word| *word != "--").collect();
        lake.run(&arguments).fails(2, &[word]);
    }
    lake.verify(0);
}

#[test]
fn a_table_folded_again_drops_what_kafka_forgot() {
    let topic = Topic::new("table");
    topic.send(&[
        record("gone", "{\"N\":1}"),
        record("kept", "{\"N\":1}"),
        record("kept", "{\"N\":2}"),
    ]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    // As after compaction has removed both a key and its tombstone.
    topic.delete_below(0, 1);
    assert_eq!(number(&lake.one(&[], 0), "read"), 0);
    assert_eq!(number(&lake.one(&["--rebuild"], 0), "written"), 1);
    assert_table(&lake, &topic);
    lake.verify(0);
}

#[test]
fn what_one_kafka_partition_gained_does_not_hide_what_another_lost() {
    let topic = Topic::with("rebuild", 2, &[]);
    let records = |hour: i64| {
        let both = (0..8).map(move |i| {
            record(&format!("k{i}"), "{}")
                .to(i % 2)
                .at(NOON_MS + hour * 3_600_000)
        });
        both.collect::<Vec<_>>()
    };
    topic.send(&records(-3));
    topic.send(&records(3));
    let lake = Lake::of_stream(&topic);
    let from = "2025-10-30T12:00:00Z";
    assert_eq!(number(&lake.one(&["--from", from], 0), "written"), 8);
    let before = lake.kept();
    topic.delete_below(0, 8);
    let report = lake.one(&["--rebuild", "2025-10-30"], 1);
    assert!(
        report["error"]
            .as_str()
            .unwrap()
            .contains("Kafka partition 0: 0 of 4"),
        "{report}"
    );
    assert_same(&lake.kept(), &before);
}
