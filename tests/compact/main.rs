//! `lakectl compact`: fewer files, and nothing else that a reader could notice.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod days;
mod governed;
mod refused;

use serde_json::Value;

use common::files::{DataFile, data_files};
use common::kafka::{DAY_MS, NOON_MS, Record, Topic, numbered};
use common::lake::Lake;
use common::program::{self, Run};

/// Compacts whatever is there, however young.
const NOW: &[&str] = &["--older-than", "0s"];

fn compact(lake: &Lake, arguments: &[&str]) -> Run {
    lake.configure();
    let all = [&["compact", "--json"], NOW, arguments].concat();
    program::start(lake.folder(), &all, &[]).wait()
}

/// The report of the one topic in a run that must end with this exit code.
fn one(lake: &Lake, arguments: &[&str], code: i32) -> Value {
    let report = compact(lake, arguments).expect(code).report();
    assert_eq!(report["topics"].as_array().unwrap().len(), 1, "{report}");
    report["topics"][0].clone()
}

fn files(lake: &Lake, topic: &Topic) -> Vec<DataFile> {
    data_files(&lake.root().join("streams").join(&topic.name))
}

/// All lines, in the order of Kafka partitions and offsets, which a file's name begins with.
fn lines(lake: &Lake, topic: &Topic) -> Vec<String> {
    let mut files = files(lake, topic);
    files.sort_by_key(|file| {
        let numbers: Vec<u64> = file
            .name()
            .split(['-', '.'])
            .filter_map(|n| n.parse().ok())
            .collect();
        (file.day(), numbers[..2].to_vec())
    });
    files.into_iter().flat_map(|file| file.lines).collect()
}

fn of_day(label: &str, count: usize, partitions: i32, day: i64) -> Vec<Record> {
    let records = numbered(label, count, partitions).into_iter();
    records.map(|record| record.at(NOON_MS + day * DAY_MS)).collect()
}

/// Some runs over the same two days.
fn drain_often(lake: &Lake, topic: &Topic, runs: usize) {
    for run in 0..runs {
        let records = [0, 1].map(|day| of_day(&format!("r{run}-{day}"), 4, 2, day));
        topic.send(&records.concat());
        lake.drain();
    }
}
