//! What must not pass silently: lost records, topics created again, more Kafka partitions, a lake that is not there.

use serde_json::{Value, json};

use crate::common::compare::{Compare, assert_stream, assert_table};
use crate::common::files::data_files;
use crate::common::inject;
use crate::common::kafka::{DAY_MS, NOON_MS, Topic, commit_offset, numbered, record};
use crate::common::lake::{Lake, assert_same, number};

#[test]
fn a_gap_is_named_and_must_be_accepted() {
    let (topic, other) = (Topic::with("gap", 2, &[]), Topic::new("other"));
    topic.send(&numbered("a", 20, 2));
    other.send(&numbered("a", 3, 1));
    let lake = Lake::new().stream(&topic, "").stream(&other, "");
    lake.run(&["--topics", &topic.name]).expect(0);
    let early = topic.read();
    topic.send(&numbered("b", 20, 2));
    topic.delete_below(1, 15);
    let before = data_files(&lake.root().join("streams").join(&topic.name)).len();
    let report = lake.run(&[]).expect(1).report();
    let error = report["topics"][0]["error"].as_str().unwrap();
    assert!(error.contains("Kafka partition 1 offsets 10 to 14"), "{error}");
    assert!(error.contains("--accept-gap"), "{error}");
    assert_eq!(report["topics"][1]["status"], "ok");
    assert_eq!(
        data_files(&lake.root().join("streams").join(&topic.name)).len(),
        before
    );
    lake.run(&["--dry-run"]).expect(1);

    let report = lake
        .run(&["--accept-gap", "--topics", &topic.name])
        .expect(3)
        .report();
    let own = &report["topics"][0];
    assert_eq!(own["gaps"], json!([{"partition": 1, "from": 10, "to": 15}]));
    assert_eq!(
        own["partitions"][1],
        json!({"partition": 1, "start": 10, "next": 20, "end": 20})
    );
    assert_eq!(number(own, "read"), 15);
    let mut all = [early, topic.read()].concat();
    all.sort_by_key(|record| (record.partition, record.offset));
    all.dedup();
    Compare::default().stream(&lake, &topic.name, &all);
    // It is behind us now.
    assert_eq!(lake.drain()["topics"][0]["gaps"], json!([]));
}

#[test]
fn what_was_deleted_before_the_first_run_is_no_gap() {
    let topic = Topic::new("trimmed");
    topic.send(&numbered("a", 10, 1));
    topic.delete_below(0, 4);
    let lake = Lake::of_stream(&topic);
    let report = lake.one(&[], 0);
    assert_eq!(
        (number(&report["partitions"][0], "start"), &report["gaps"]),
        (4, &json!([]))
    );
    assert_stream(&lake, &topic);
    // What was read already may go, too.
    topic.delete_below(0, 10);
    assert_eq!(number(&lake.one(&[], 0), "read"), 0);
}

#[test]
fn a_gap_up_to_the_end() {
    let topic = Topic::new("gap-all");
    topic.send(&numbered("a", 5, 1));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    let records = topic.read();
    topic.send(&numbered("b", 5, 1));
    topic.delete_below(0, 10);
    lake.one(&[], 1);
    let report = lake.one(&["--accept-gap"], 3);
    assert_eq!(report["gaps"], json!([{"partition": 0, "from": 5, "to": 10}]));
    Compare::default().stream(&lake, &topic.name, &records);
    topic.send(&numbered("c", 1, 1));
    assert_eq!(number(&lake.one(&[], 0), "read"), 1);
}

/// The first of several commits passes it: where the next one fails, no later run comes by the gap again.
#[test]
fn a_gap_is_kept_with_the_first_commit_that_passes_it() {
    let topic = Topic::new("gap-kept");
    topic.send(&numbered("a", 5, 1));
    let lake = Lake::with("files = \"message\"").stream(&topic, "");
    lake.drain();
    topic.send(&numbered("b", 5, 1));
    topic.delete_below(0, 10);
    let of_one_day = numbered("c", 10_000, 1).into_iter().map(|r| r.at(NOON_MS));
    topic.send(&of_one_day.collect::<Vec<_>>());
    topic.send(&[record("next day", "{}").at(NOON_MS + DAY_MS)]);
    // Somebody else's file keeps the second commit from that day.
    let home = lake.root().join("streams").join(&topic.name);
    let day = home.join("year=2025/month=10/day=31");
    std::fs::create_dir_all(&day).unwrap();
    std::fs::write(day.join("offset-00000-00000000000000000001.json"), "{}").unwrap();
    let error = lake.one(&["--accept-gap"], 1)["error"].to_string();
    assert!(error.contains("nothing was committed"), "{error}");
    let state = ledger(&lake, &topic);
    assert_eq!(state["next"], json!({"0": 10_010}));
    assert_eq!(state["gaps"], json!([{"partition": 0, "from": 5, "to": 10}]));
    std::fs::remove_dir_all(&day).unwrap();
    assert_eq!(number(&lake.one(&[], 0), "read"), 1);
    assert_eq!(ledger(&lake, &topic)["gaps"], state["gaps"]);
}

/// The ledger's state of a topic.
fn ledger(lake: &Lake, topic: &Topic) -> Value {
    let path = lake
        .root()
        .join(".lakectl/topics")
        .join(&topic.name)
        .join("state");
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(text.split_once('\n').unwrap().1).unwrap()
}

#[test]
fn a_gap_in_a_table() {
    let topic = Topic::with("gap-table", 1, &[("cleanup.policy", "compact,delete")]);
    topic.send(&[record("a", "{\"N\":1}"), record("b", "{\"N\":1}")]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    let early = topic.read();
    topic.send(&[record("a", "{\"N\":2}"), record("b", "{\"N\":2}")]);
    topic.delete_below(0, 3);
    lake.one(&[], 1);
    lake.one(&["--accept-gap"], 3);
    Compare::default().table(&lake, &topic.name, &[early, topic.read()].concat());
}

#[test]
fn a_topic_made_anew_is_told_by_its_id() {
    let topic = Topic::new("anew");
    topic.send(&numbered("old", 6, 1));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    let old = data_files(&lake.root().join("streams"));
    let mut generations = vec![old.len()];
    for generation in [2, 3] {
        topic.recreate();
        // More than before: offsets alone don't tell.
        topic.send(&numbered(&format!("new-{generation}"), 6 + generation, 1));
        let before = lake.kept();
        let report = lake.one(&[], 1);
        let error = report["error"].as_str().unwrap();
        assert!(
            error.contains("created again") && error.contains("--accept-recreated"),
            "{error}"
        );
        assert_same(&lake.kept(), &before);
        let report = lake.one(&["--accept-recreated"], 3);
        assert_eq!(number(&report, "read"), 6 + generation as i64);
        let files = data_files(&lake.root().join("streams"));
        let own =
            |file: &&crate::common::files::DataFile| file.name().ends_with(&format!("-g{generation}.json"));
        let lines: usize = files.iter().filter(own).map(|file| file.lines.len()).sum();
        assert_eq!(lines, 6 + generation);
        generations.push(files.len());
    }
    assert_eq!(generations, [1, 2, 3]);
    // The old ones stay, and the new topic is an ordinary one from here on.
    let files = data_files(&lake.root().join("streams"));
    assert!(files.iter().any(|file| file.lines == old[0].lines));
    topic.send(&numbered("more", 2, 1));
    assert_eq!(number(&lake.one(&[], 0), "read"), 2);
    let newest = data_files(&lake.root().join("streams"));
    let names: Vec<_> = newest.iter().map(|file| file.name().to_owned()).collect();
    assert_eq!(
        names.iter().filter(|name| name.ends_with("-g3.json")).count(),
        2,
        "{names:?}"
    );
}

#[test]
fn a_shorter_topic_made_anew() {
    let topic = Topic::new("shorter");
    topic.send(&numbered("old", 6, 1));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    topic.recreate();
    lake.one(&[], 1);
    assert_eq!(number(&lake.one(&["--accept-recreated"], 3), "read"), 0);
    topic.send(&numbered("new", 2, 1));
    assert_eq!(number(&lake.one(&[], 0), "read"), 2);
}

#[test]
fn a_table_topic_made_anew() {
    let topic = Topic::compacted("anew-table");
    topic.send(&[record("both", "{\"N\":1}"), record("old", "{\"N\":1}")]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    topic.recreate();
    topic.send(&[record("both", "{\"N\":2}"), record("new", "{\"N\":2}")]);
    lake.one(&[], 1);
    // The old topic's rows are not the new one's.
    assert_eq!(number(&lake.one(&["--accept-recreated"], 3), "written"), 2);
    assert_table(&lake, &topic);
    lake.drain();
    assert_table(&lake, &topic);
}

#[test]
fn a_stream_that_gained_partitions_is_taken_from_their_start() {
    let topic = Topic::new("gained");
    topic.send(&numbered("a", 4, 1));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    topic.add_partitions(3);
    topic.send(&numbered("b", 9, 3));
    let report = lake.one(&[], 0);
    assert_eq!(
        report["partitions"][2],
        json!({"partition": 2, "start": 0, "next": 3, "end": 3})
    );
    assert_stream(&lake, &topic);
}

#[test]
fn a_new_partition_that_lost_its_start_is_a_gap() {
    let topic = Topic::new("gained-gap");
    topic.send(&numbered("a", 4, 1));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    topic.add_partitions(2);
    topic.send(&[record("k", "{}").to(1), record("k", "{}").to(1)]);
    topic.delete_below(1, 1);
    let report = lake.one(&[], 1);
    assert!(
        report["error"]
            .as_str()
            .unwrap()
            .contains("Kafka partition 1 offsets 0 to 0"),
        "{report}"
    );
    let report = lake.one(&["--accept-gap"], 3);
    assert_eq!(report["gaps"], json!([{"partition": 1, "from": 0, "to": 1}]));
}

#[test]
fn a_lake_that_is_not_there_is_not_begun_again() {
    let topic = Topic::new("unmounted");
    topic.send(&numbered("a", 5, 1));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    // The disk is not mounted: its mount point is there, and empty.
    let away = lake.folder().join("away");
    std::fs::rename(lake.root(), &away).unwrap();
    for mount_point in [false, true] {
        if mount_point {
            std::fs::create_dir(lake.root()).unwrap();
        }
        for arguments in [&[][..], &["--dry-run"]] {
            lake.run(arguments)
                .fails(2, &["--new-lake", "there is no lake", &lake.group]);
        }
        assert_eq!(lake.root().exists(), mount_point);
    }
    assert_eq!(number(&lake.one(&["--new-lake"], 0), "read"), 5);
    assert_stream(&lake, &topic);
}

/// Another run makes the lake, and tells Kafka of it, after this one found none and before it asks Kafka.
#[test]
fn a_lake_that_another_run_begins_meanwhile_is_there() {
    let topic = Topic::new("meanwhile");
    topic.send(&numbered("a", 5, 1));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    let away = lake.folder().join("away");
    std::fs::rename(lake.root(), &away).unwrap();
    lake.run(&[]).fails(2, &["there is no lake"]);
    // Its first look, and the only call of this name before.
    let stopped = inject::stop_at(&lake, &["lake"], "open", 1);
    std::fs::rename(&away, lake.root()).unwrap();
    stopped.go_on().expect(0);
    assert_stream(&lake, &topic);
}

#[test]
fn another_topics_offsets_are_no_lake() {
    let (topic, other) = (Topic::new("mounted"), Topic::new("mounted-other"));
    topic.send(&[record("k", "{}").at(NOON_MS)]);
    other.send(&[record("k", "{}")]);
    let lake = Lake::of_stream(&topic);
    commit_offset(&format!("{}.lake", lake.group), &other.name, 0, 1);
    lake.drain();
    assert_stream(&lake, &topic);
}
