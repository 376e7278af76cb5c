//! `lake --verify`: every kind of damage is found where it is, and a healthy lake is told to be one.

use serde_json::Value;
use std::path::{Path, PathBuf};

use crate::common::files::data_files;
use crate::common::kafka::{DAY_MS, NOON_MS, Topic, record, tombstone};

use crate::common::lake::{Lake, number};

/// A stream of three days in two Kafka partitions, and a table.
fn lake(settings: &str) -> (Topic, Topic, Lake) {
    let (stream, table) = (Topic::with("stream", 2, &[]), Topic::compacted("table"));
    for day in 0..3 {
        let at = NOON_MS + day * DAY_MS;
        stream.send(&[
            record("a", &format!("{{\"n\":{day}}}")).at(at),
            record("b", "not json").at(at).to(1),
        ]);
    }
    table.send(&[record("x", "{\"v\":1}"), record("y", "{\"v\":2}"), tombstone("x")]);
    let lake = Lake::with(settings).stream(&stream, "").table(&table, "");
    lake.drain();
    lake.verify(0);
    (stream, table, lake)
}

fn differences(report: &Value) -> Vec<(String, String)> {
    let topics = report["topics"].as_array().unwrap().iter();
    let listed = topics.flat_map(|topic| topic["differences"].as_array().unwrap());
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    listed.map(|it| (text(it, "path"), text(it, "what"))).collect()
}

/// The one difference that is found: its path, and what is said of it.
fn finds(lake: &Lake, path: &Path, words: &str) {
    let report = lake.verify(3);
    let found = differences(&report);
    let path = path.to_str().unwrap();
    assert!(
        found.iter().any(|(at, what)| at == path && what.contains(words)),
        "no {words:?} at {path}: {found:#?}"
    );
    let warnings = report["warnings"].as_array().unwrap();
    assert!(
        warnings.iter().any(|it| it.as_str().unwrap().starts_with(path)),
        "{report}"
    );
}

/// The first data file of a topic, relative to the root.
fn a_file(lake: &Lake, folder: &str, topic: &Topic) -> PathBuf {
    let home = Path::new(folder).join(&topic.name);
    home.join(&data_files(&lake.root().join(&home))[0].path)
}

fn change(lake: &Lake, path: &Path, how: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let path = lake.root().join(path);
    let before = std::fs::read(&path).unwrap();
    let mut bytes = before.clone();
    how(&mut bytes);
    std::fs::write(path, bytes).unwrap();
    before
}

#[test]
fn a_healthy_lake_is_told_to_be_one() {
    for settings in [
        "",
        "compression = \"zstd\"",
        "compression = \"gzip\"\nfiles = \"message\"",
        "metadata = false",
    ] {
        let (stream, table, lake) = lake(settings);
        let before = lake.kept();
        let report = lake.verify(0);
        crate::common::lake::assert_same(&lake.kept(), &before);
        for (topic, records, days) in [(&stream, 6, 3), (&table, 1, 1)] {
            let topics = report["topics"].as_array().unwrap();
            let line = topics.iter().find(|line| line["topic"] == *topic.name).unwrap();
            assert_eq!(number(line, "records"), records, "{report}");
            assert_eq!(number(line, "days"), days, "{report}");
        }
    }
}

#[test]
fn a_changed_a_cut_and_a_missing_file() {
    let (stream, table, lake) = lake("");
    for (folder, topic) in [("streams", &stream), ("tables", &table)] {
        let file = a_file(&lake, folder, topic);
        let good = change(&lake, &file, |bytes| bytes[3] ^= 1);
        finds(&lake, &file, "checksum");
        change(&lake, &file, |bytes| bytes.truncate(bytes.len() - 1));
        finds(&lake, &file, "bytes");
        std::fs::remove_file(lake.root().join(&file)).unwrap();
        finds(&lake, &file, "gone");
        std::fs::write(lake.root().join(&file), good).unwrap();
        lake.verify(0);
    }
}

#[test]
fn damage_in_the_ledger() {
    let (stream, table, lake) = lake("");
    let home = |topic: &Topic| PathBuf::from(".lakectl/topics").join(&topic.name);
    let day = home(&stream).join("days/2025-10-30");
    let good = change(&lake, &day, |bytes| *bytes.last_mut().unwrap() = b'x');
    finds(&lake, &day, "damaged");
    // A day that is missing as a whole shows in the sum.
    std::fs::remove_file(lake.root().join(&day)).unwrap();
    finds(
        &lake,
        &home(&stream),
        "its days hold 2 records of Kafka partition 0, and 3 were committed",
    );
    std::fs::write(lake.root().join(&day), good).unwrap();

    let state = home(&stream).join("state");
    let good = change(&lake, &state, |bytes| bytes[60] ^= 1);
    finds(&lake, &state, "damaged");
    std::fs::write(lake.root().join(&state), good).unwrap();

    let keys = std::fs::read_dir(lake.root().join(home(&table))).unwrap();
    let keys = keys
        .map(|entry| entry.unwrap().file_name())
        .find(|name| name.to_string_lossy().starts_with("keys-"));
    let keys = home(&table).join(keys.unwrap());
    let good = change(&lake, &keys, |bytes| bytes[0] ^= 1);
    finds(&lake, &keys, "checksum");
    std::fs::write(lake.root().join(&keys), good).unwrap();

    let link = PathBuf::from("current").join(format!("{}.json", table.name));
    let target = std::fs::read_link(lake.root().join(&link)).unwrap();
    std::fs::remove_file(lake.root().join(&link)).unwrap();
    finds(&lake, &link, "points to nothing");
    std::os::unix::fs::symlink("elsewhere", lake.root().join(&link)).unwrap();
    finds(&lake, &link, "points to elsewhere");
    std::fs::remove_file(lake.root().join(&link)).unwrap();
    std::os::unix::fs::symlink(target, lake.root().join(&link)).unwrap();
    lake.verify(0);
}

#[test]
fn strangers_are_named() {
    let (stream, _table, lake) = lake("");
    let folder = PathBuf::from("streams").join(&stream.name);
    let day = folder.join("year=2025/month=10/day=30");
    for stranger in [
        day.join("mine.json"),
        folder.join("notes"),
        folder.join("year=2025/month=13"),
    ] {
        let path = lake.root().join(&stranger);
        std::fs::create_dir(&path).unwrap();
        finds(&lake, &stranger, "does not know it");
        std::fs::remove_dir(path).unwrap();
    }
    for stranger in ["streams/nobody", "tables/nobody", "current/nobody.json"] {
        std::fs::create_dir(lake.root().join(stranger)).unwrap();
        let report = lake.verify(3);
        assert_eq!(report["strangers"], serde_json::json!([stranger]), "{report}");
        std::fs::remove_dir(lake.root().join(stranger)).unwrap();
    }
    lake.verify(0);
}

#[test]
fn topics_are_chosen_by_name_and_kafka_is_not_needed() {
    let (stream, _table, lake) = lake("");
    let run = |arguments: &[&str]| lake.start(&[&["--verify"], arguments].concat()).wait();
    let report = run(&["--topics", &stream.name]).expect(0).report();
    assert_eq!(report["topics"].as_array().unwrap().len(), 1, "{report}");
    run(&["--topics", "NOBODY"]).fails(2, &["NOBODY"]);
    run(&["--from", "earliest"]).expect(2);
    std::fs::remove_dir_all(lake.root()).unwrap();
    run(&[]).fails(2, &["there is no lake at"]);
}
