//! Which day folder: midnight in the lake's time zone, clock changes, timestamps without a day.

use chrono_tz::Tz;

use crate::common::compare::Compare;
use crate::common::files::{DataFile, data_files};
use crate::common::kafka::{Record, Topic, record, tombstone};
use crate::common::lake::{Lake, number};
use crate::common::program;

const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// One record per time; its value is the day that it must land on.
fn on_days(times: &[(&str, &str)]) -> Vec<Record> {
    let one = |(time, day): &(&str, &str)| record("k", &format!("{{\"DAY\":\"{day}\"}}")).on(time);
    times.iter().map(one).collect()
}

fn assert_days(files: &[DataFile]) {
    for file in files {
        for line in &file.lines {
            let wanted = format!("\"DAY\":\"{}\"", file.day());
            assert!(line.contains(&wanted), "{} has {line}", file.path);
        }
    }
}

fn check(zone: Tz, times: &[(&str, &str)]) {
    let topic = Topic::new("days");
    topic.send(&on_days(times));
    let lake = Lake::with(&format!("timezone = {:?}", zone.name())).stream(&topic, "");
    lake.drain();
    let compare = Compare {
        zone,
        ..Compare::default()
    };
    assert_days(&compare.stream(&lake, &topic.name, &topic.read()));
}

#[test]
fn midnight_in_utc() {
    check(
        Tz::UTC,
        &[
            ("2025-10-29T23:59:59.999Z", "2025-10-29"),
            ("2025-10-30T00:00:00.000Z", "2025-10-30"),
            ("2025-10-30T00:00:00.001Z", "2025-10-30"),
            ("2024-02-29T23:59:59.999Z", "2024-02-29"),
            ("2025-12-31T23:59:59.999Z", "2025-12-31"),
            ("2026-01-01T00:00:00.000Z", "2026-01-01"),
            // Out of order, and the first millisecond that can be produced.
            ("1970-01-01T00:00:00.001Z", "1970-01-01"),
        ],
    );
}

#[test]
fn midnight_in_paris() {
    check(
        Tz::Europe__Paris,
        &[
            ("2025-10-29T22:59:59.999Z", "2025-10-29"),
            ("2025-10-29T23:00:00.000Z", "2025-10-30"),
            ("2025-07-14T21:59:59.999Z", "2025-07-14"),
            ("2025-07-14T22:00:00.000Z", "2025-07-15"),
            // The clocks go back on 2025-10-26, a day of 25 hours.
            ("2025-10-25T21:59:59.999Z", "2025-10-25"),
            ("2025-10-25T22:00:00.000Z", "2025-10-26"),
            ("2025-10-26T00:30:00.000Z", "2025-10-26"),
            ("2025-10-26T01:30:00.000Z", "2025-10-26"),
            ("2025-10-26T22:59:59.999Z", "2025-10-26"),
            ("2025-10-26T23:00:00.000Z", "2025-10-27"),
            // And forward on 2025-03-30, a day of 23.
            ("2025-03-29T22:59:59.999Z", "2025-03-29"),
            ("2025-03-29T23:00:00.000Z", "2025-03-30"),
            ("2025-03-30T21:59:59.999Z", "2025-03-30"),
            ("2025-03-30T22:00:00.000Z", "2025-03-31"),
        ],
    );
}

#[test]
fn times_without_a_day_go_to_hives_null_partition() {
    let topic = Topic::new("null-day");
    topic.send(&[
        record("k", &format!("{{\"DAY\":\"{NULL}\"}}")).at(-1),
        record("k", "{\"DAY\":\"9999-12-31\"}").at(253_402_300_799_999),
        record("k", &format!("{{\"DAY\":\"{NULL}\"}}")).at(253_402_300_800_000),
        record("k", &format!("{{\"DAY\":\"{NULL}\"}}")).at(i64::MAX),
    ]);
    let lake = Lake::of_stream(&topic);
    let report = lake.one(&[], 0);
    assert_eq!(report["days"], serde_json::json!(["9999-12-31", NULL]));
    assert_days(&Compare::default().stream(&lake, &topic.name, &topic.read()));
}

#[test]
fn a_table_whose_rows_have_no_day() {
    let topic = Topic::compacted("null-day");
    topic.send(&[record("k", "{}").at(253_402_300_800_000)]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    let file = Compare::default().table(&lake, &topic.name, &topic.read());
    assert_eq!(file.day(), NULL);
}

#[test]
fn a_field_of_the_value_can_decide() {
    let topic = Topic::new("field");
    topic.send(&[
        record("k", "{\"DAY\":\"2025-10-31\",\"AT\":\"2025-10-30T23:30:00Z\"}"),
        record("k", "{\"DAY\":\"2025-10-30\",\"AT\":1761825600000}"),
        record("k", "{\"DAY\":\"2025-10-29\",\"AT\":\"2025-10-29\"}"),
        record("k", &format!("{{\"DAY\":\"{NULL}\"}}")),
    ]);
    let lake = Lake::with("timezone = \"Europe/Paris\"").stream(&topic, "lake.partition_time = \"field:AT\"");
    lake.drain();
    let files = data_files(&lake.root().join("streams").join(&topic.name));
    assert_eq!(files.len(), 4);
    assert_days(&files);
}

/// All that a column of MySQL reads as a time, nested names, and any case.
#[test]
fn a_field_is_read_as_mysqls_columns_are() {
    let topic = Topic::new("field-forms");
    let times = [
        "\"2025-10-30T12:00:00Z\"",
        "\"2025-10-30 12:00:00\"",
        "\"2025-10-30t12:00z\"",
        "\"2025-10-30T12:00:00,5+0200\"",
        "\"2025-10-30T12:00:00-02\"",
        "\"2025-10-30T12:00:00+01:00[Europe/Paris]\"",
        "\"2025-10-30\"",
        "1761825600000",
        "1761825600000.5",
        "1.7618256E12",
        "\"1761825600000\"",
    ];
    let value = |time: &&str| format!("{{\"DAY\":\"2025-10-30\",\"meta\":{{\"At\":{time}}}}}");
    let records: Vec<_> = times.iter().map(|time| record("k", &value(time))).collect();
    topic.send(&records);
    let lake = Lake::new().stream(&topic, "lake.partition_time = \"field:META.AT\"");
    let report = lake.one(&[], 0);
    assert_eq!(report["days"], serde_json::json!(["2025-10-30"]), "{report}");
    assert!(report["without_day"].is_null() && report["implausible_time"].is_null());
}

#[test]
fn records_without_a_day_are_counted_with_an_example() {
    let topic = Topic::new("dayless");
    topic.send(&[
        record("k", "{\"AT\":\"2025-10-30\"}"),
        record("k", "{\"AT\":\"soon\"}"),
        record("k", "{}"),
        tombstone("k"),
    ]);
    let lake = Lake::new().stream(&topic, "lake.partition_time = \"field:AT\"");
    let report = lake.run(&["--metrics-file", "metrics.prom"]).expect(0).report();
    let doubt = &report["topics"][0]["without_day"];
    assert_eq!(
        (
            number(doubt, "records"),
            number(doubt, "partition"),
            number(doubt, "offset")
        ),
        (3, 0, 1)
    );
    assert_eq!(doubt["why"], "field AT: not an ISO 8601 date or time");
    let warnings = report["warnings"].to_string();
    for word in [
        &topic.name,
        "3 records",
        "offset 1",
        "lake.partition_time",
        "not an ISO 8601",
    ] {
        assert!(warnings.contains(word), "{warnings}");
    }
    let metrics = std::fs::read_to_string(lake.folder().join("metrics.prom")).unwrap();
    let sample = metrics
        .lines()
        .find(|line| line.starts_with("lakectl_topic_without_day_records{"));
    assert!(sample.unwrap().ends_with(" 3"), "{metrics}");
    topic.send(&[record("k", "{}")]);
    let shown = program::start(lake.folder(), &["lake"], &[])
        .wait()
        .expect(0)
        .stdout;
    assert!(shown.contains("1 without a day"), "{shown}");
}

#[test]
fn another_time_zone_is_refused() {
    let topic = Topic::new("zone");
    topic.send(&[record("k", "{}")]);
    let mut lake = Lake::of_stream(&topic);
    lake.drain();
    lake.set("timezone = \"Europe/Paris\"");
    let before = lake.listing();
    lake.run(&[]).fails(2, &["lake.timezone", "Europe/Paris", "UTC"]);
    lake.run(&["--dry-run"]).fails(2, &["lake.timezone"]);
    assert_eq!(lake.listing(), before);
}

#[test]
fn another_partition_time_is_refused() {
    let topic = Topic::new("partition-time");
    topic.send(&[record("k", "{}")]);
    let mut lake = Lake::of_stream(&topic);
    lake.drain();
    lake.set_topics(&format!(
        "[topics.{:?}]\nkind = \"stream\"\nlake.partition_time = \"field:T\"",
        topic.name
    ));
    let report = lake.one(&[], 2);
    assert!(
        report["error"].as_str().unwrap().contains("partition_time"),
        "{report}"
    );
}
