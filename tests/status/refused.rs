//! A configuration that no longer fits what the lake has taken in: a run refuses the topic, and a dry run, `check` and
//! `status` say so before.

use serde_json::Value;

use crate::common::envelope::Converter::WithSchema;
use crate::common::envelope::person;
use crate::common::kafka::Topic;
use crate::scene::{checked, topic_of, warns};
use crate::world::Warehouse;

fn entry(topic: &Topic, settings: &str) -> String {
    format!(
        "[topics.{:?}]\nkey.format = \"json\"\nwarehouse.enabled = false\n{settings}\n",
        topic.name
    )
}

#[test]
fn what_the_next_run_would_refuse_is_told_by_every_command() {
    let topics =
        ["kind", "time", "unit", "envelope"].map(|label| Topic::compacted(&format!("refused-{label}")));
    for topic in &topics {
        topic.send(&[WithSchema(1).change(1, "c", "null", &person(1, "Ada"))]);
    }
    let [kind, time, unit, envelope] = &topics;
    let mut world = Warehouse::new();
    let stream = "kind = \"stream\"";
    let debezium = "kind = \"table\"\nvalue.unwrap = \"debezium\"";
    world.set_topics(
        &[
            entry(kind, stream),
            entry(time, stream),
            entry(unit, stream),
            entry(envelope, debezium),
        ]
        .concat(),
    );
    world.lakectl(&["lake"]).expect(0);
    assert!(checked(world.lakectl(&["status", "--json"]), 0)["warnings"] == serde_json::json!([]));
    let changed = [
        (kind, "kind = \"table\"", "it was taken into the lake as a stream"),
        (
            time,
            "kind = \"stream\"\nlake.partition_time = \"field:T\"",
            "lake.partition_time is field:T",
        ),
        (
            unit,
            "kind = \"stream\"\nlake.timestamp_unit = \"s\"",
            "the timestamp_unit of its days is s",
        ),
        (
            envelope,
            "kind = \"table\"\nvalue.unwrap = \"connect\"",
            "value.unwrap is \"connect\"",
        ),
    ];
    world.set_topics(
        &changed
            .map(|(topic, settings, _)| entry(topic, settings))
            .concat(),
    );
    let same = |command: &[&str], report: &Value| {
        for (topic, _, why) in &changed {
            let error = topic_of(report, &topic.name)["error"].to_string();
            assert!(
                error.replace('\\', "").contains(why),
                "{command:?}: no {why} in {error}"
            );
        }
    };
    for command in [&["lake", "--json", "-n"][..], &["lake", "--json"]] {
        same(command, &world.lakectl(command).expect(2).report());
    }
    let status = checked(world.lakectl(&["status", "--json"]), 3);
    let check = world
        .lakectl(&["check", "--json", "--only", "lake"])
        .expect(3)
        .report();
    for (topic, _, why) in &changed {
        warns(&status, &[&topic.name, why]);
        // The figures are there all the same.
        assert_eq!(topic_of(&status, &topic.name)["lake"]["records"], 1, "{status}");
        let checks = check["checks"].as_array().unwrap();
        let found = checks.iter().any(|check| {
            check["subject"] == *topic.name
                && check["status"] == "wrong"
                && check["message"].as_str().unwrap().contains(why)
        });
        assert!(found, "no {why} in {check:#}");
    }
    // What mends it is not refused before it is tried.
    let rebuild = ["lake", "--json", "--rebuild", "--topics", &envelope.name];
    world.lakectl(&[&rebuild[..], &["-n"]].concat()).expect(0);
    world.lakectl(&rebuild).expect(0);
    let mended = ["status", "--json", "--topics", &envelope.name];
    checked(world.lakectl(&mended), 0);
}
