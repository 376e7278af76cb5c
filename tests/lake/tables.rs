//! Tables: the newest value per key, in one snapshot, which `current` points to.

use serde_json::json;

use crate::common::compare::{Compare, assert_table};
use crate::common::files::data_files;
use crate::common::kafka::{DAY_MS, NOON_MS, Record, Topic, record, tombstone};
use crate::common::lake::{Lake, assert_same, number};

/// Updates of `keys` keys over `partitions` Kafka partitions, some of them tombstones.
fn updates(count: i32, keys: i32, partitions: i32) -> Vec<Record> {
    let one = |i: i32| {
        let key = i * 7 % keys;
        let update = match i % 11 {
            10 => tombstone(&format!("key-{key}")),
            _ => record(&format!("key-{key}"), &format!("{{\"N\":{i},\"É\":\"é\"}}")),
        };
        update
            .to(key % partitions)
            .at(NOON_MS + i64::from(i % 50) * 1_000)
    };
    (0..count).map(one).collect()
}

#[test]
fn the_snapshot_is_the_fold() {
    let topic = Topic::with("table", 3, &[("cleanup.policy", "compact")]);
    topic.send(&updates(2_000, 300, 3));
    let lake = Lake::of_table(&topic);
    let report = lake.one(&[], 0);
    let file = assert_table(&lake, &topic);
    assert_eq!(number(&report, "written"), file.lines.len() as i64);
    assert_eq!((number(&report, "read"), number(&report, "files")), (2_000, 1));
    assert_eq!(number(&report, "tombstones"), 181);
    // Merged with what comes later.
    topic.send(&updates(501, 350, 3));
    lake.drain();
    assert_table(&lake, &topic);
}

#[test]
fn a_second_run_leaves_the_snapshot_alone() {
    let topic = Topic::compacted("table");
    topic.send(&updates(50, 10, 1));
    let lake = Lake::of_table(&topic);
    lake.drain();
    let before = lake.kept();
    assert_eq!(number(&lake.one(&[], 0), "files"), 0);
    assert_same(&lake.kept(), &before);
}

#[test]
fn a_tombstone_deletes_the_row() {
    let topic = Topic::compacted("tombstone");
    topic.send(&[
        record("a", "{\"N\":1}"),
        record("b", "{\"N\":1}"),
        record("é", "{}"),
    ]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    topic.send(&[tombstone("a"), tombstone("never-there"), record("b", "{\"N\":2}")]);
    let report = lake.one(&[], 0);
    assert_eq!(
        (number(&report, "tombstones"), number(&report, "written")),
        (2, 2)
    );
    let file = assert_table(&lake, &topic);
    assert!(file.lines[0].ends_with("\"_key\":\"b\",\"N\":2}"), "{file:?}");
}

#[test]
fn keys_are_told_apart_byte_for_byte() {
    let topic = Topic::compacted("keys");
    let keys = ["a", "A", "á", "a ", "", " a", "a\u{301}", "b"];
    topic.send(&keys.map(|key| record(key, &format!("{{\"K\":{key:?}}}"))));
    let lake = Lake::of_table(&topic);
    lake.drain();
    assert_eq!(assert_table(&lake, &topic).lines.len(), keys.len());
}

#[test]
fn an_emptied_table_is_an_empty_file() {
    for (compression, extension) in [("none", ".json"), ("gzip", ".json.gz"), ("zstd", ".json.zst")] {
        let topic = Topic::compacted("emptied");
        topic.send(&[record("a", "{}"), record("b", "{}")]);
        let lake = Lake::with(&format!("compression = {compression:?}")).table(&topic, "");
        let compare = Compare {
            extension,
            ..Compare::default()
        };
        lake.drain();
        let there = compare.table(&lake, &topic.name, &topic.read());
        topic.send(&[
            tombstone("a").at(NOON_MS + DAY_MS),
            tombstone("b").at(NOON_MS + DAY_MS),
        ]);
        lake.drain();
        let emptied = compare.table(&lake, &topic.name, &topic.read());
        assert_eq!((emptied.path, emptied.lines.len()), (there.path, 0));
        topic.send(&[record("c", "{}").at(NOON_MS + DAY_MS)]);
        lake.drain();
        let filled = compare.table(&lake, &topic.name, &topic.read());
        assert_eq!((filled.day(), filled.lines.len()), ("2025-10-31".to_owned(), 1));
    }
}

#[test]
fn nothing_but_tombstones() {
    let topic = Topic::compacted("tombstones");
    topic.send(&[tombstone("a"), tombstone("b")]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    assert!(assert_table(&lake, &topic).lines.is_empty());
    lake.drain();
    assert!(assert_table(&lake, &topic).lines.is_empty());
}

#[test]
fn an_empty_table_topic() {
    let topic = Topic::compacted("empty");
    let lake = Lake::of_table(&topic);
    lake.drain();
    topic.send(&[record("a", "{}")]);
    lake.drain();
    assert_table(&lake, &topic);
}

#[test]
fn the_snapshot_moves_with_its_latest_day() {
    let topic = Topic::compacted("moves");
    topic.send(&[record("a", "{}"), record("b", "{}").at(NOON_MS + 3 * DAY_MS)]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    assert_eq!(assert_table(&lake, &topic).day(), "2025-11-02");
    topic.send(&[record("a", "{}").at(NOON_MS + 70 * DAY_MS)]);
    lake.drain();
    assert_eq!(assert_table(&lake, &topic).day(), "2026-01-08");
    let folders: Vec<_> = lake.listing().into_keys().collect();
    assert!(
        !folders.iter().any(|path| path.ends_with("year=2025")),
        "{folders:?}"
    );
    // And back, where the row of the latest day is gone.
    topic.send(&[tombstone("a").at(NOON_MS + 80 * DAY_MS)]);
    lake.drain();
    assert_eq!(assert_table(&lake, &topic).day(), "2025-11-02");
}

#[test]
fn history_keeps_the_last_snapshot_of_each_day() {
    let topic = Topic::compacted("history");
    let lake = Lake::new().table(&topic, "lake.history = true");
    let folder = lake.root().join("tables").join(&topic.name);
    let mut wanted = Vec::new();
    for (day, value) in [(0, "1"), (0, "2"), (1, "3"), (5, "4")] {
        topic.send(&[record("a", &format!("{{\"N\":{value}}}")).at(NOON_MS + day * DAY_MS)]);
        lake.drain();
        let files = data_files(&folder);
        let newest = files.last().unwrap();
        Compare::default().check_snapshot(newest, &topic.read());
        if wanted.last().is_some_and(|(path, _)| *path == newest.path) {
            wanted.pop();
        }
        wanted.push((newest.path.clone(), newest.lines.clone()));
        let link = std::fs::read_link(lake.root().join(format!("current/{}.json", topic.name))).unwrap();
        assert!(link.ends_with(&newest.path), "{link:?}");
    }
    let files: Vec<_> = data_files(&folder)
        .into_iter()
        .map(|file| (file.path, file.lines))
        .collect();
    assert_eq!(files, wanted);
    assert_eq!(files.len(), 3);
}

#[test]
fn a_record_without_a_key_is_skipped() {
    let topic = Topic::new("keyless");
    topic.send(&[
        record("a", "{}"),
        record("", "{\"N\":1}").key(None),
        tombstone("").key(None),
    ]);
    let lake = Lake::of_table(&topic);
    let report = lake.one(&[], 0);
    assert_eq!((number(&report, "irregular"), number(&report, "written")), (2, 1));
    assert_table(&lake, &topic);
}

#[test]
fn an_irregular_value_is_a_row_all_the_same() {
    let topic = Topic::compacted("irregular");
    topic.send(&[
        record("a", "{broken"),
        record("b", "{\"X\":1,\"x\":2}"),
        record("c", "3"),
    ]);
    let lake = Lake::of_table(&topic);
    assert_eq!(number(&lake.one(&[], 0), "irregular"), 2);
    assert_table(&lake, &topic);
    topic.send(&[tombstone("a")]);
    lake.drain();
    assert_table(&lake, &topic);
}

#[test]
fn metadata_stays_in_tables() {
    let topic = Topic::compacted("metadata");
    topic.send(&[record("a", "{\"N\":1}")]);
    let lake = Lake::with("metadata = false").table(&topic, "");
    lake.drain();
    assert_table(&lake, &topic);
}

#[test]
fn a_table_that_gained_partitions_wants_a_rebuild() {
    let topic = Topic::compacted("gained");
    topic.send(&[
        record("a", "{\"N\":1}"),
        record("b", "{\"N\":1}"),
        record("c", "{\"N\":1}"),
    ]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    topic.add_partitions(2);
    // The key moved, and its update is later by the clock.
    topic.send(&[
        record("a", "{\"N\":2}").to(1).at(NOON_MS + 1_000),
        tombstone("b").to(1).at(NOON_MS + 1_000),
        record("c", "{\"N\":0}").to(1).at(NOON_MS - 1_000),
    ]);
    let before = lake.kept();
    let report = lake.one(&[], 1);
    let error = report["error"].as_str().unwrap();
    assert!(
        error.contains("--rebuild") && error.contains(&topic.name),
        "{error}"
    );
    assert_same(&lake.kept(), &before);
    let report = lake.one(&["--rebuild", "--topics", &topic.name], 0);
    assert_eq!((number(&report, "read"), number(&report, "written")), (6, 2));
    let file = &data_files(&lake.root().join("tables"))[0];
    assert!(file.lines[0].ends_with("\"_key\":\"a\",\"N\":2}"), "{file:?}");
    assert!(file.lines[1].ends_with("\"_key\":\"c\",\"N\":1}"), "{file:?}");
    assert_eq!(lake.one(&[], 0)["partitions"].as_array().unwrap().len(), 2);
}

#[test]
fn a_rebuild_takes_away_what_the_topic_no_longer_has() {
    let topic = Topic::new("rebuild");
    topic.send(&[record("a", "{\"N\":1}"), record("b", "{\"N\":1}")]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    // As if compaction had taken the record and its tombstone between two runs.
    topic.delete_below(0, 1);
    let report = lake.one(&["--rebuild"], 0);
    assert_eq!(
        report["partitions"],
        json!([{"partition": 0, "start": 1, "next": 2, "end": 2}])
    );
    assert_eq!(assert_table(&lake, &topic).lines.len(), 1);
    let before = lake.kept();
    lake.drain();
    assert_same(&lake.kept(), &before);
}

#[test]
fn a_rebuild_of_expiring_windows_keeps_what_kafka_forgot() {
    let topic = Topic::with("expiring", 1, &[("cleanup.policy", "compact,delete")]);
    topic.send(&[record("a", "{\"N\":1}"), record("b", "{\"N\":1}")]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    let all = topic.read();
    topic.delete_below(0, 1);
    lake.one(&["--rebuild"], 0);
    Compare::default().table(&lake, &topic.name, &all);
}

#[test]
fn forgotten_tombstones_want_a_rebuild() {
    let topic = Topic::with(
        "forgotten",
        1,
        &[("cleanup.policy", "compact"), ("delete.retention.ms", "1")],
    );
    topic.send(&[record("a", "{}")]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    topic.send(&[record("b", "{}")]);
    let run = lake.run(&[]).expect(3);
    let report = run.report();
    assert!(
        report["warnings"][0].as_str().unwrap().contains("--rebuild"),
        "{report}"
    );
    assert_table(&lake, &topic);
}

#[test]
fn another_compression_takes_the_old_snapshots_place() {
    let topic = Topic::compacted("recompressed");
    let mut lake = Lake::of_table(&topic);
    for (i, (compression, extension)) in [
        ("none", ".json"),
        ("gzip", ".json.gz"),
        ("zstd", ".json.zst"),
        ("none", ".json"),
    ]
    .into_iter()
    .enumerate()
    {
        lake.set(&format!("compression = {compression:?}"));
        topic.send(&[
            record("a", &format!("{{\"N\":{i}}}")),
            record(&format!("k{i}"), "{}"),
        ]);
        lake.drain();
        let compare = Compare {
            extension,
            ..Compare::default()
        };
        compare.table(&lake, &topic.name, &topic.read());
        let links = std::fs::read_dir(lake.root().join("current")).unwrap();
        let links: Vec<_> = links.map(|link| link.unwrap().file_name()).collect();
        assert_eq!(
            links,
            [std::ffi::OsString::from(format!("{}{extension}", topic.name))]
        );
    }
}

#[test]
fn history_and_rebuild_get_along() {
    let topic = Topic::new("history-rebuild");
    let lake = Lake::new().table(&topic, "lake.history = true");
    for day in 0..3 {
        topic.send(&[record("a", &format!("{{\"DAY_\":{day}}}")).at(NOON_MS + day * DAY_MS)]);
        lake.drain();
    }
    let folder = lake.root().join("tables").join(&topic.name);
    let before = data_files(&folder);
    lake.one(&["--rebuild"], 0);
    let after = data_files(&folder);
    assert_eq!(after.len(), 3);
    for (then, now) in before.iter().zip(&after) {
        assert_eq!((&then.path, &then.lines), (&now.path, &now.lines));
    }
    // A day that comes again replaces its own.
    topic.send(&[record("b", "{}").at(NOON_MS)]);
    lake.drain();
    Compare::default().check_snapshot(data_files(&folder).last().unwrap(), &topic.read());
}

/// Kafka's longest names; a link of 257 bytes can't be made, and is refused before anything is committed.
#[test]
fn a_name_that_is_too_long_with_an_extension() {
    let name = format!("{:t<249}", crate::common::unique("long"));
    let topic = Topic::named(name.clone());
    topic.create(1, &[("cleanup.policy", "compact")]);
    topic.send(&[record("k", "{\"A\":1}")]);
    let lake = Lake::with("compression = \"gzip\"").table(&topic, "");
    for _ in 0..2 {
        let run = lake.run(&[]).expect(2);
        assert!(
            run.stderr.contains("257 bytes") && run.stderr.contains("lake.compression"),
            "{run:?}"
        );
        assert!(data_files(&lake.root().join("tables")).is_empty());
    }
    let lake = Lake::new().table(&topic, "");
    lake.drain();
    topic.send(&[record("k", "{\"A\":2}")]);
    lake.drain();
    assert_table(&lake, &topic);
}
