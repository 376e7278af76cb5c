//! Which topics: names, globs, kinds, and names that are none.

use serde_json::Value;

use crate::common::compare::{assert_stream, assert_table};
use crate::common::kafka::{Topic, brokers, record};
use crate::common::lake::{Lake, assert_same};
use crate::common::program;
use crate::common::unique;

/// One record in a topic of exactly this name.
fn topic(name: String) -> Topic {
    let topic = Topic::named(name);
    topic.create(1, &[]);
    topic.send(&[record("k", "{\"A\":1}")]);
    topic
}

fn names(report: &Value) -> Vec<String> {
    let topics = report["topics"].as_array().unwrap();
    topics
        .iter()
        .map(|topic| topic["topic"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn globs_take_the_configured_topics() {
    let base = unique("glob");
    let topics = ["A", "B", "C_1"].map(|end| topic(format!("{base}-{end}")));
    let lake = Lake::new().stream(&topics[0], "").stream(&topics[2], "");
    let all = |glob: &str| {
        names(
            &lake
                .run(&["--topics", &format!("{base}-{glob}")])
                .expect(0)
                .report(),
        )
    };
    assert_eq!(all("*"), [&*topics[0].name, &topics[2].name]);
    assert_eq!(all("[A-B]"), [&*topics[0].name]);
    assert_eq!(all("[B-D]_?"), [&*topics[2].name]);
    assert_stream(&lake, &topics[0]);
    assert_stream(&lake, &topics[2]);
    let none = format!("{base}-X*");
    lake.run(&["--topics", &none])
        .fails(2, &["no topic matches", &none]);
    lake.run(&["--topics", "["]).fails(2, &["glob"]);
}

#[test]
fn globs_with_a_kind_take_kafkas_own_but_no_internal_ones() {
    let base = unique("own");
    let ends = [
        "A",
        "B",
        "x-changelog",
        "x-repartition",
        "ksql_processing_log",
        "_command_topic",
    ];
    let topics = ends.map(|end| topic(format!("{base}-{end}")));
    let hidden = topic(format!("_{base}"));
    let lake = Lake::new().stream(&topics[0], "");
    let glob = format!("*{base}*");
    let report = lake
        .run(&["--topics", &glob, "--kind", "stream"])
        .expect(0)
        .report();
    assert_eq!(names(&report), [&*topics[0].name, &topics[1].name]);
    // A name takes any topic.
    let list = format!("{},{}", topics[2].name, hidden.name);
    let report = lake.run(&["--topics", &list]).expect(0).report();
    assert_eq!(names(&report), [&*hidden.name, &topics[2].name]);
    assert_stream(&lake, &hidden);
}

#[test]
fn a_topic_without_an_entry() {
    let (plain, compacted) = (Topic::new("ad-hoc"), Topic::compacted("ad-hoc"));
    for topic in [&plain, &compacted] {
        topic.send(&[record("k", "{\"A\":1}"), record("k", "{\"A\":2}")]);
    }
    let lake = Lake::new();
    lake.run(&["--topics", &plain.name]).expect(0);
    assert_stream(&lake, &plain);
    // A compacted topic may be either.
    lake.run(&["--topics", &compacted.name])
        .fails(2, &["compacted", "--kind table", &compacted.name]);
    lake.run(&["--topics", &compacted.name, "--kind", "table"])
        .expect(0);
    assert_table(&lake, &compacted);
    let other = Lake::new();
    other
        .run(&["--topics", &compacted.name, "--kind", "stream"])
        .expect(0);
    assert_stream(&other, &compacted);
}

#[test]
fn a_kind_does_not_change() {
    let topic = Topic::new("kind");
    topic.send(&[record("k", "{}")]);
    let mut lake = Lake::of_stream(&topic);
    lake.run(&["--kind", "table", "--topics", &topic.name])
        .fails(2, &["--kind table", "configured as a stream"]);
    lake.drain();
    lake.set_topics(&format!("[topics.{:?}]\nkind = \"table\"", topic.name));
    let before = lake.kept();
    for arguments in [&[][..], &["--dry-run"]] {
        let report = lake.one(arguments, 2);
        let error = report["error"].as_str().unwrap();
        assert!(error.contains("stream") && error.contains("table"), "{error}");
    }
    assert_same(&lake.kept(), &before);
}

#[test]
fn topics_that_the_lake_is_not_for() {
    let (on, off) = (Topic::new("on"), Topic::new("off"));
    let lake = Lake::new().stream(&on, "").stream(&off, "lake.enabled = false");
    assert_eq!(names(&lake.drain()), [&*on.name]);
}

#[test]
fn nothing_to_do_is_wrong_usage() {
    Lake::new()
        .run(&[])
        .fails(2, &["no topic is configured", "--topics"]);
}

#[test]
fn an_unknown_topic_names_the_closest_and_stops_no_other() {
    let known = Topic::new("TRANSACTIONS_FLAT");
    known.send(&[record("k", "{}")]);
    let mistyped = known.name.replace("FLAT", "FLATT");
    let lake = Lake::new();
    let run = lake.run(&["--topics", &format!("{mistyped},{}", known.name)]);
    let report = run.fails(1, &[]).report();
    let failed = &report["topics"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["topic"] == *mistyped);
    let error = failed.unwrap()["error"].as_str().unwrap();
    assert!(
        error.contains(&mistyped) && error.contains(&format!("`{}`", known.name)),
        "{error}"
    );
    assert_stream(&lake, &known);
    // A configured one that is not there yet, too.
    let mistyped = Topic::named(mistyped);
    let lake = Lake::new().stream(&known, "").stream(&mistyped, "");
    lake.run(&[]).expect(1);
    assert_stream(&lake, &known);
    assert!(!mistyped.exists());
}

/// The broker would make one: auto.create.topics.enable is true, as by default.
#[test]
fn no_command_makes_a_topic_by_asking_for_it() {
    let nobodys = Topic::named(unique("nobodys"));
    let lake = Lake::new().table(&nobodys, "");
    for command in ["lake", "check", "status"] {
        lake.configure();
        let address = "mysql://lakectl@127.0.0.1:1/nowhere";
        let arguments = [command, "--brokers", brokers()];
        let run = program::start(lake.folder(), &arguments, &[("LAKECTL_WAREHOUSE_URL", address)]).wait();
        assert_ne!(run.code, 0, "{command}: {run:?}");
        assert!(!nobodys.exists(), "{command} made the topic");
    }
}

#[test]
fn names_that_no_topic_can_have() {
    let lake = Lake::new();
    for name in ["a/b", "..", "../../etc", "a b", "é"] {
        lake.run(&["--topics", name]).fails(2, &["topic name"]);
    }
    assert!(!lake.root().exists());
}
