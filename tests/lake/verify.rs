//! `lake --verify`: every kind of damage is found where it is, and a healthy lake is told to be one.

use serde_json::Value;
use std::path::{Path, PathBuf};

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
        warnings.iter().any(|it| it.as_str().unwrap().contains(path)),
        "{report}"
    );
}

/// The first data file of a topic, relative to the root.
fn a_file(lake: &Lake, folder: &str, topic: &Topic) -> PathBuf {
    a_file_of(lake, folder, topic, "")
}

/// The first whose path holds this text.
fn a_file_of(lake: &Lake, folder: &str, topic: &Topic, text: &str) -> PathBuf {
    let home = Path::new(folder).join(&topic.name);
    let files = walkdir::WalkDir::new(lake.root().join(&home)).sort_by_file_name();
    let mut files = files
        .into_iter()
        .filter_map(Result::ok)
        .filter(|file| file.file_type().is_file());
    let file = files
        .find(|file| file.path().to_str().unwrap().contains(text))
        .unwrap();
    file.path().strip_prefix(lake.root()).unwrap().to_owned()
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
    std::fs::write(lake.root().join(&state), &good).unwrap();

    // Lost, it is not a new topic, and its data are not strangers.
    std::fs::remove_file(lake.root().join(&state)).unwrap();
    finds(&lake, &state, "is gone");
    std::fs::rename(lake.root().join(home(&stream)), lake.folder().join("aside")).unwrap();
    finds(&lake, &state, "is gone");
    std::fs::rename(lake.folder().join("aside"), lake.root().join(home(&stream))).unwrap();
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
    for stranger in ["streams/nobody", "tables/nobody"] {
        std::fs::create_dir(lake.root().join(stranger)).unwrap();
        finds(&lake, Path::new(stranger), "does not know it");
        std::fs::remove_dir(lake.root().join(stranger)).unwrap();
    }
    for stranger in ["current/nobody.json", "notes", "streams/no body"] {
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
    run(&["--topics", "NOBODY"]).fails(2, &["the lake does not have a topic `NOBODY`"]);
    run(&["--from", "earliest"]).expect(2);
    std::fs::remove_dir_all(lake.root()).unwrap();
    run(&[]).fails(2, &["there is no lake at"]);
}

#[test]
fn a_table_that_was_put_back_as_a_whole() {
    let (_stream, table, lake) = lake("");
    let parts = [
        PathBuf::from("tables").join(&table.name),
        PathBuf::from(".lakectl/topics").join(&table.name).join("days"),
    ];
    for (number, part) in parts.iter().enumerate() {
        crate::common::lake::copy(&lake.root().join(part), &lake.folder().join(number.to_string()));
    }
    table.send(&[record("y", "{\"v\":3}")]);
    lake.drain();
    lake.verify(0);
    for (number, part) in parts.iter().enumerate() {
        std::fs::remove_dir_all(lake.root().join(part)).unwrap();
        std::fs::rename(lake.folder().join(number.to_string()), lake.root().join(part)).unwrap();
    }
    finds(
        &lake,
        &a_file(&lake, "tables", &table),
        "not the snapshot that was committed last",
    );
}

#[test]
fn a_day_behind_a_link_keeps_nothing_else_from_being_looked_at() {
    let (stream, _table, lake) = lake("");
    let day = PathBuf::from("streams")
        .join(&stream.name)
        .join("year=2025/month=10/day=30");
    std::fs::rename(lake.root().join(&day), lake.folder().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(lake.folder().join("elsewhere"), lake.root().join(&day)).unwrap();
    let later = a_file_of(&lake, "streams", &stream, "day=31");
    change(&lake, &later, |bytes| bytes[3] ^= 1);
    finds(&lake, &day, "");
    finds(&lake, &later, "checksum");
}

/// A run that was killed between its commit and its end is told, and nothing of it is called a stranger.
#[test]
fn an_unfinished_commit_is_for_the_next_run() {
    let (stream, _table, lake) = lake("");
    stream.send(&[record("a", "{\"n\":9}").at(NOON_MS)]);
    lake.configure();
    let killed = std::process::Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "inject=renameat2:signal=KILL:when=3",
        ])
        .arg(env!("CARGO_BIN_EXE_lakectl"))
        .args(["lake", "-q", "--topics", &stream.name])
        .current_dir(lake.folder())
        .status();
    assert!(!killed.unwrap().success());
    let report = lake.verify(3);
    let found = differences(&report);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("run lakectl lake"), "{found:?}");
    lake.drain();
    lake.verify(0);
}
