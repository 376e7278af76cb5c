//! A producer's clock counts seconds where Kafka means milliseconds: its days lie in 1970, and are not old.

use chrono::{NaiveDate, Utc};
use serde_json::{Value, json};

use super::purge;
use crate::common::files::data_files;
use crate::common::kafka::{Record, Topic, record};
use crate::common::lake::{Lake, assert_same, number};
use crate::common::program;
use crate::common::records::DAY_MS;

/// 2025-12-17T19:33:20Z
const SECONDS: i64 = 1_766_000_000;
const THEIR_DAY: &str = "1970-01-21";
const THEIR_FOLDER: &str = "year=1970/month=01/day=21";

fn of_today() -> Record {
    record("now", "{}").at(Utc::now().timestamp_millis())
}

/// Three records of a clock of seconds, one that is old, and some of today.
fn send(topic: &Topic) -> NaiveDate {
    let old = Utc::now() - chrono::TimeDelta::days(40);
    let mut records = vec![record("s", "{}").at(SECONDS); 3];
    records.push(record("old", "{}").at(old.timestamp_millis()));
    records.extend(vec![of_today(); 6]);
    topic.send(&records);
    old.date_naive()
}

fn days(report: &Value, list: &str) -> Vec<String> {
    let folders = report[list].as_array().cloned().unwrap_or_default();
    folders
        .iter()
        .map(|folder| folder["day"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn days_of_1970_are_told_kept_and_deleted_only_if_told_so() {
    let topic = Topic::new("seconds");
    let old = send(&topic);
    let lake = Lake::with("retention = \"30d\"").stream(&topic, "");
    let report = lake.drain();
    let doubt = &report["topics"][0]["implausible_time"];
    assert_eq!(
        (
            number(doubt, "records"),
            number(doubt, "partition"),
            number(doubt, "offset")
        ),
        (3, 0, 0)
    );
    assert_eq!(doubt["likely_unit"], "s");
    let warnings = report["warnings"].to_string();
    for word in [
        "offset 0",
        "1970-01-21",
        "looks like seconds: 1766000000 would be 2025-12-17",
        "timestamp_unit",
    ] {
        assert!(warnings.contains(word), "{warnings}");
    }

    let before = lake.listing();
    let report = purge(&lake, &["-n"]).expect(3).report();
    assert_eq!(days(&report, "folders"), [old.to_string()]);
    assert_eq!(days(&report, "implausible_folders"), [THEIR_DAY]);
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("--yes-implausible") && warnings.contains(&topic.name),
        "{warnings}"
    );
    let shown = program::start(lake.folder(), &["purge", "--only", "lake", "-n"], &[]);
    let shown = shown.wait().expect(3).stdout;
    assert!(
        shown.contains(THEIR_DAY) && shown.contains("timestamp_unit"),
        "{shown}"
    );
    assert_same(&lake.listing(), &before);

    let report = purge(&lake, &["--yes"]).expect(3).report();
    assert_eq!(days(&report, "folders"), [old.to_string()]);
    assert_eq!(days(&report, "implausible_folders"), [THEIR_DAY]);
    let theirs = lake.root().join("streams").join(&topic.name).join(THEIR_FOLDER);
    assert_eq!(data_files(&theirs).len(), 1);
    // The purge's cutoff lies after 1970, and yet the next one is no old record.
    topic.send(&[record("s", "{}").at(SECONDS)]);
    let report = lake.one(&[], 0);
    assert_eq!(
        (number(&report, "written"), number(&report, "below_retention")),
        (1, 0)
    );

    purge(&lake, &["--plan-out", "plan.json"]).expect(3);
    let report = purge(&lake, &["--plan", "plan.json", "--yes"]).expect(3).report();
    assert_eq!(report["folders"], json!([]));
    assert_eq!(data_files(&theirs).len(), 2);
    let by_plan = ["--plan", "plan.json", "--yes", "--yes-implausible"];
    let report = purge(&lake, &by_plan).expect(0).report();
    assert_eq!(days(&report, "folders"), [THEIR_DAY]);
    assert!(report["implausible_folders"].is_null() && !theirs.exists());
    // What was purged stays purged.
    topic.send(&[record("s", "{}").at(SECONDS)]);
    let report = lake.one(&[], 0);
    assert_eq!(
        (number(&report, "written"), number(&report, "below_retention")),
        (0, 1)
    );
    // And yet a wrong unit is told.
    assert_eq!(number(&report["implausible_time"], "records"), 1, "{report}");
    lake.verify(0);
}

#[test]
fn a_plan_of_such_days_still_wants_to_be_told() {
    let topic = Topic::new("seconds-plan");
    send(&topic);
    let lake = Lake::with("retention = \"30d\"").stream(&topic, "");
    lake.drain();
    let report = purge(&lake, &["--plan-out", "plan.json", "--yes-implausible"])
        .expect(0)
        .report();
    assert_eq!(days(&report, "folders").len(), 2);
    let report = purge(&lake, &["--plan", "plan.json", "--yes"]).expect(3).report();
    assert_eq!(days(&report, "implausible_folders"), [THEIR_DAY]);
    assert_eq!(days(&report, "folders").len(), 1);
    lake.verify(0);
}

/// The snapshots of a table's earlier days, too.
#[test]
fn a_tables_history_of_1970_is_kept() {
    let topic = Topic::new("seconds-table");
    let lake = Lake::with("retention = \"30d\"").table(&topic, "lake.history = true");
    for seconds in [SECONDS, SECONDS + DAY_MS] {
        topic.send(&[record("k", "{}").at(seconds)]);
        lake.drain();
    }
    topic.send(&[of_today()]);
    lake.drain();
    let report = purge(&lake, &["--yes"]).expect(3).report();
    assert_eq!(days(&report, "implausible_folders"), [THEIR_DAY, "1970-01-22"]);
    let all = ["--yes", "--yes-implausible", "--max-fraction", "1"];
    let report = purge(&lake, &all).expect(0).report();
    assert_eq!(days(&report, "folders"), [THEIR_DAY, "1970-01-22"]);
    lake.verify(0);
}

#[test]
fn the_topics_unit_makes_the_right_days() {
    let topic = Topic::new("seconds-unit");
    topic.send(&vec![record("s", "{}").at(SECONDS); 2]);
    let mut lake = Lake::new().stream(&topic, "timestamp_unit = \"s\"");
    let report = lake.drain();
    assert_eq!(report["topics"][0]["days"], json!(["2025-12-17"]));
    assert_eq!(report["warnings"], json!([]));
    // Another unit would give the same day another meaning.
    lake.set_topics(&format!("[topics.{:?}]\nkind = \"stream\"", topic.name));
    let report = lake.one(&[], 2);
    let error = report["error"].as_str().unwrap();
    assert!(
        error.contains("lake.timestamp_unit = \"s\"") && error.contains("take it in again"),
        "{error}"
    );
}
