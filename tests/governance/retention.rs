//! `purge` in the lake: whole day folders, planned before they go, and gone for good.

use chrono::{Days, NaiveDate, Utc};
use serde_json::Value;

use super::purge;
use crate::common::files::data_files;
use crate::common::kafka::{Topic, record};
use crate::common::lake::{Lake, assert_same, number};
use crate::common::{inject, program};

/// Noon of the day that lies so many days back.
fn days_ago(days: u64) -> i64 {
    day_ago(days)
        .and_hms_opt(12, 0, 0)
        .unwrap()
        .and_utc()
        .timestamp_millis()
}

fn day_ago(days: u64) -> NaiveDate {
    Utc::now().date_naive().checked_sub_days(Days::new(days)).unwrap()
}

/// A record for each of these days back.
fn lake_of(label: &str, settings: &str, back: &[u64]) -> (Topic, Lake) {
    let topic = Topic::new(label);
    let records: Vec<_> = back
        .iter()
        .map(|&days| record("k", &format!("{{\"D\":{days}}}")).at(days_ago(days)))
        .collect();
    topic.send(&records);
    let lake = Lake::with(settings).stream(&topic, "");
    lake.drain();
    (topic, lake)
}

fn days(lake: &Lake) -> Vec<String> {
    data_files(&lake.root().join("streams"))
        .iter()
        .map(|file| file.path.clone())
        .map(|path| day_of(&path))
        .collect()
}

fn day_of(path: &str) -> String {
    let part = |name: &str| {
        path.split('/')
            .find_map(|part| part.strip_prefix(name))
            .unwrap()
            .to_owned()
    };
    format!("{}-{}-{}", part("year="), part("month="), part("day="))
}

fn texts(list: &Value, name: &str) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|entry| entry[name].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn whole_days_go_to_the_day_and_stay_gone() {
    let (topic, lake) = lake_of("purge", "retention = \"30d\"", &[32, 31, 30, 29, 1, 0]);
    let report = purge(&lake, &["--yes"]).expect(0).report();
    let gone = [day_ago(32).to_string(), day_ago(31).to_string()];
    assert_eq!(texts(&report["folders"], "day"), gone);
    assert_eq!(number(&report["folders"][0], "records"), 1);
    assert_eq!(days(&lake).len(), 4);
    // Late records of erased days, a replay of the whole topic, and a rebuild of the days: nothing comes back.
    topic.send(&[
        record("late", "{}").at(days_ago(31)),
        record("new", "{}").at(days_ago(30)),
    ]);
    let report = lake.one(&[], 0);
    assert_eq!(
        (number(&report, "below_retention"), number(&report, "written")),
        (1, 1)
    );
    let range = format!("{}..{}", day_ago(40), day_ago(0));
    let report = lake.one(&["--rebuild", &range], 0);
    assert_eq!(
        (number(&report, "below_retention"), number(&report, "written")),
        (3, 5)
    );
    assert!(
        days(&lake).iter().all(|day| !gone.contains(day)),
        "{:?}",
        days(&lake)
    );
    assert_eq!(
        purge(&lake, &["--yes"]).expect(0).report()["folders"],
        serde_json::json!([])
    );
    lake.verify(0);
}

#[test]
fn a_dry_run_names_what_would_go_and_touches_nothing() {
    let (_topic, lake) = lake_of("purge", "", &[400, 3, 0]);
    let before = lake.listing();
    let report = purge(&lake, &["-n", "--older-than", "1y"]).expect(0).report();
    assert_eq!(texts(&report["folders"], "day"), [day_ago(400).to_string()]);
    assert_eq!(report["dry_run"], true);
    assert_same(&lake.listing(), &before);
    // Without a terminal nobody can be asked.
    purge(&lake, &["--older-than", "1y"]).fails(2, &["--yes"]);
    assert_same(&lake.listing(), &before);
}

#[test]
fn doubtful_purges_are_refused() {
    let (_topic, lake) = lake_of("purge", "", &[400, 399, 0]);
    let before = lake.listing();
    for (arguments, word) in [
        (vec!["--yes", "--older-than", "1y"], "--max-fraction 1"),
        (vec!["--yes", "--older-than", "3m"], "3mo"),
        (vec!["--yes", "--older-than", "0d"], "everything"),
        (vec!["--yes", "--older-than", "none"], "nothing"),
        (vec!["--yes", "--topics", "NOPE"], "NOPE"),
        (vec!["--yes", "--max-fraction", "2"], "between 0 and 1"),
        (vec!["--yes", "--lake-root", "elsewhere"], "mounted"),
    ] {
        purge(&lake, &arguments).fails(2, &[word]);
    }
    assert_same(&lake.listing(), &before);
    purge(&lake, &["--yes", "--older-than", "1y", "--max-fraction", "1"]).expect(0);
    assert_eq!(days(&lake).len(), 1);
}

#[test]
fn a_reviewed_plan_is_executed_and_no_more_than_that() {
    let (topic, lake) = lake_of("purge", "", &[400, 3, 2, 0]);
    purge(&lake, &["--older-than", "1y", "--plan-out", "plan.json"]).expect(0);
    assert_eq!(days(&lake).len(), 4);
    topic.send(&[record("late", "{}").at(days_ago(400))]);
    lake.drain();
    let report = purge(&lake, &["--plan", "plan.json", "--yes"])
        .fails(1, &[])
        .report();
    assert!(
        report["topics"][0]["error"]
            .as_str()
            .unwrap()
            .contains("plan again"),
        "{report}"
    );
    assert_eq!(days(&lake).len(), 5);
    purge(&lake, &["--older-than", "1y", "--plan-out", "plan.json"]).expect(0);
    let report = purge(&lake, &["--plan", "plan.json", "--yes"]).expect(0).report();
    assert_eq!(number(&report["folders"][0], "files"), 2);
    assert_eq!(days(&lake).len(), 3);
    let again = ["purge", "--only", "lake", "--plan", "plan.json", "--yes"];
    let again = program::start(lake.folder(), &again, &[]).wait().expect(0);
    assert!(again.stdout.ends_with("purged nothing\n"), "{}", again.stdout);
    let other = Lake::new();
    std::fs::copy(lake.folder().join("plan.json"), other.folder().join("plan.json")).unwrap();
    std::fs::create_dir_all(other.root().join(".lakectl")).unwrap();
    purge(&other, &["--plan", "plan.json", "--yes"]).expect(2);
}

/// A warning for each of the files, each with its topic.
fn assert_told_with_topic(warnings: &Value, topic: &Topic, files: &[&str]) {
    let begin = format!("topic {}: ", topic.name);
    let told: Vec<&str> = warnings
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect();
    assert_eq!(told.len(), files.len(), "{told:?}");
    for (text, file) in told.iter().zip(files) {
        assert!(text.starts_with(&begin) && text.contains(file), "{text}");
    }
}

#[test]
fn a_day_with_a_foreign_file_is_left_out_and_the_others_go() {
    let (topic, lake) = lake_of("purge", "retention = \"30d\"", &[41, 40, 3, 2, 0]);
    let folder = lake.root().join("streams").join(&topic.name);
    let [with_notes, without] = [0, 1].map(|at| folder.join(&data_files(&folder)[at].path));
    let notes = with_notes.with_file_name("notes.txt");
    std::fs::write(&notes, "mine").unwrap();
    std::fs::create_dir_all(folder.join("year=2001/month=01/day=01")).unwrap();
    std::fs::write(folder.join("year=2001/month=01/day=01/part.json"), "{}").unwrap();
    let before = lake.listing();
    for arguments in [&["-n"][..], &["--yes"]] {
        let report = purge(&lake, arguments).expect(3).report();
        assert_eq!(texts(&report["folders"], "day"), [day_ago(40).to_string()]);
        let left = report["left"].to_string();
        assert!(left.contains("notes.txt") && left.contains("year=2001"), "{left}");
        let warnings = report["warnings"].to_string();
        assert!(
            warnings.contains("notes.txt") && !warnings.contains("year=2001"),
            "{warnings}"
        );
        if arguments == ["-n"] {
            assert_same(&lake.listing(), &before);
        }
    }
    assert!(notes.exists() && with_notes.exists() && !without.exists());
    assert!(folder.join("year=2001/month=01/day=01/part.json").exists());
    // Nothing else is to be done, and it is told all the same.
    let run = purge(&lake, &["--yes"]);
    let run = run.fails(3, &["notes.txt", "move it elsewhere"]);
    assert_told_with_topic(&run.report()["warnings"], &topic, &["notes.txt"]);
    let as_json = ["purge", "--only", "lake", "--yes", "--log-format", "json"];
    let run = program::start(lake.folder(), &as_json, &[]).wait();
    let told: Value = serde_json::from_str(run.stderr.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&told["level"], &told["topic"]),
        (&"warning".into(), &topic.name.as_str().into()),
        "{run:?}"
    );
    std::fs::remove_file(&notes).unwrap();
    let report = purge(&lake, &["--yes"]).expect(0).report();
    assert_eq!(texts(&report["folders"], "day"), [day_ago(41).to_string()]);
}

/// It came after the plan was made: by a person's review, or in the moment before the day went.
#[test]
fn a_foreign_file_that_comes_later_is_never_deleted() {
    let (topic, lake) = lake_of("purge", "retention = \"30d\"", &[41, 40, 3, 2, 0]);
    purge(&lake, &["--plan-out", "plan.json"]).expect(0);
    let folder = lake.root().join("streams").join(&topic.name);
    let [first, second] = [0, 1].map(|at| folder.join(&data_files(&folder)[at].path));
    let notes = second.with_file_name("notes.txt");
    std::fs::write(&notes, "mine").unwrap();
    let late = first.with_file_name("late.txt");
    let by_plan = [
        "purge",
        "--json",
        "--only",
        "lake",
        "--yes",
        "--plan",
        "plan.json",
    ];
    // All is committed, and the day is about to go.
    let purge = inject::stop_at(&lake, &by_plan, "renameat2", 1);
    std::fs::write(&late, "mine too").unwrap();
    let report = purge.go_on().expect(3).report();
    assert_eq!(texts(&report["folders"], "day"), [day_ago(41).to_string()]);
    assert!(notes.exists() && second.exists() && !first.exists() && !late.exists());
    let left = report["left"].as_array().unwrap();
    let kept = |path: &&Value| path.as_str().unwrap().starts_with(".lakectl/trash/");
    let kept = lake
        .root()
        .join(left.iter().find(kept).unwrap().as_str().unwrap());
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "mine too");
    assert_told_with_topic(&report["warnings"], &topic, &["notes.txt", "late.txt"]);
    assert_told_with_topic(&lake.drain()["warnings"], &topic, &["late.txt"]);
    std::fs::remove_file(&notes).unwrap();
    let found = lake.verify(3)["topics"][0]["differences"].to_string();
    assert!(found.contains("late.txt"), "{found}");
    std::fs::rename(&kept, lake.folder().join("late.txt")).unwrap();
    assert_eq!(lake.drain()["warnings"], serde_json::json!([]));
    lake.verify(0);
}

#[test]
fn a_tables_history_goes_and_its_snapshot_stays() {
    let topic = Topic::new("table");
    let lake = Lake::with("retention = \"30d\"").table(&topic, "lake.history = true");
    for back in [60, 50, 40] {
        topic.send(&[record("k", &format!("{{\"D\":{back}}}")).at(days_ago(back))]);
        lake.drain();
    }
    let tables = lake.root().join("tables");
    assert_eq!(data_files(&tables).len(), 3);
    let report = purge(&lake, &["--yes", "--max-fraction", "1"]).expect(0).report();
    assert_eq!(
        texts(&report["folders"], "day"),
        [day_ago(60).to_string(), day_ago(50).to_string()]
    );
    let left = data_files(&tables);
    assert_eq!((left.len(), left[0].path.contains(&topic.name)), (1, true));
    // The current snapshot is a state: an old row of it stays until Kafka says otherwise.
    topic.send(&[record("other", "{}").at(days_ago(70))]);
    assert_eq!(number(&lake.one(&[], 0), "written"), 2);
    lake.verify(0);
}

#[test]
fn a_locked_topic_is_skipped() {
    let (topic, lake) = lake_of("purge", "retention = \"30d\"", &[40, 3, 0]);
    let lock = std::fs::File::options()
        .write(true)
        .open(lake.root().join(".lakectl/locks").join(&topic.name))
        .unwrap();
    lock.lock().unwrap();
    let report = purge(&lake, &["--yes"]).expect(11).report();
    assert_eq!(
        (&report["status"], &report["topics"][0]["status"]),
        (&"locked".into(), &"locked".into())
    );
    lock.unlock().unwrap();
    assert_eq!(
        purge(&lake, &["--yes"]).expect(0).report()["folders"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn the_history_tells_who_purged_what() {
    let (topic, lake) = lake_of("purge", "retention = \"30d\"", &[40, 3, 0]);
    assert_eq!(
        purge(&lake, &["--history"]).expect(0).report()["history"],
        serde_json::json!([])
    );
    purge(&lake, &["--yes"]).expect(0);
    // Nothing to purge is nothing to tell.
    purge(&lake, &["--yes"]).expect(0);
    let history = purge(&lake, &["--history"]).expect(0).report()["history"].clone();
    assert_eq!(history.as_array().unwrap().len(), 2, "{history}");
    let (begin, end) = (&history[0], &history[1]);
    assert_eq!(
        (&begin["detail"]["phase"], &end["detail"]["phase"]),
        (&"begin".into(), &"end".into())
    );
    let planned = &begin["detail"]["topics"][0];
    assert_eq!(planned["cutoff"], day_ago(30).to_string());
    assert_eq!(
        (&planned["topic"], number(planned, "folders")),
        (&Value::from(topic.name.as_str()), 1)
    );
    assert_eq!(number(&end["detail"]["topics"][0], "records"), 1);
    assert!(
        begin["arguments"].as_array().unwrap().contains(&"--yes".into()),
        "{begin}"
    );
    let trail = std::fs::read_to_string(lake.root().join(".lakectl/audit.jsonl")).unwrap();
    assert_eq!(trail.lines().count(), 2);
}

#[test]
fn a_purge_that_finds_nothing_keeps_nothing_out() {
    let (topic, lake) = lake_of("purge", "", &[0]);
    let before = lake.kept();
    assert_eq!(
        purge(&lake, &["--older-than", "1d"]).expect(0).report()["folders"],
        serde_json::json!([])
    );
    assert_same(&lake.kept(), &before);
    topic.send(&[record("late", "{}").at(days_ago(400))]);
    assert_eq!(number(&lake.one(&[], 0), "written"), 1);
}

#[test]
fn what_can_not_be_taken_apart_is_refused_before_anything_goes() {
    let (topic, lake) = lake_of("purge", "retention = \"30d\"", &[40, 41, 3, 2, 1, 0]);
    let folder = lake.root().join("streams").join(&topic.name);
    let day = |file: &str| folder.join(file).parent().unwrap().to_owned();
    let old = day(&data_files(&folder)[0].path);
    let elsewhere = lake.folder().join("elsewhere");
    std::fs::rename(&old, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &old).unwrap();
    let report = purge(&lake, &["--yes"]).expect(1).report();
    assert!(
        report["topics"][0]["error"].as_str().unwrap().contains("symlink"),
        "{report}"
    );
    assert_eq!(
        (
            std::fs::read_dir(&elsewhere).unwrap().count(),
            report["folders"].as_array().unwrap().len()
        ),
        (1, 0)
    );
    // A disk that is not mounted.
    std::fs::rename(&folder, lake.folder().join("unmounted")).unwrap();
    let report = purge(&lake, &["--yes"]).expect(1).report();
    assert!(
        report["topics"][0]["error"].as_str().unwrap().contains("mounted"),
        "{report}"
    );
    std::fs::rename(lake.folder().join("unmounted"), &folder).unwrap();
    std::fs::remove_file(&old).unwrap();
    std::fs::rename(&elsewhere, &old).unwrap();
    assert_eq!(
        purge(&lake, &["--yes"]).expect(0).report()["folders"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    lake.drain();
}

/// A name that is not UTF-8, a link and a folder in the place of what the ledger knows.
#[test]
fn foreign_things_of_all_kinds_keep_their_day() {
    use std::os::unix::ffi::OsStrExt;
    let (_topic, lake) = lake_of("purge", "retention = \"30d\"", &[40, 3, 0]);
    let streams = lake.root().join("streams");
    let old = streams.join(&data_files(&streams)[0].path);
    let odd = old.with_file_name(std::ffi::OsStr::from_bytes(b"odd-\xff"));
    std::fs::write(&odd, "mine").unwrap();
    purge(&lake, &["--yes"]).expect(3);
    std::fs::rename(&odd, lake.folder().join("mine")).unwrap();
    let elsewhere = lake.folder().join("elsewhere");
    std::fs::rename(&old, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &old).unwrap();
    purge(&lake, &["--yes"]).expect(3);
    std::fs::remove_file(&old).unwrap();
    std::fs::create_dir(&old).unwrap();
    purge(&lake, &["--yes"]).expect(3);
    assert!(old.exists() && elsewhere.exists());
    std::fs::remove_dir(&old).unwrap();
    std::fs::rename(&elsewhere, &old).unwrap();
    purge(&lake, &["--yes"]).expect(0);
    assert!(!old.exists());
    lake.drain();
}
