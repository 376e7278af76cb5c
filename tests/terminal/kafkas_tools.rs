//! The mirror of the progress in Kafka's group, seen by Kafka's own `kafka-consumer-groups.sh`.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::common::kafka::{Topic, brokers, numbered};
use crate::common::lake::{Lake, number};
use crate::common::service;

/// By Kafka partition: the group's offset, the end, and the lag between them.
fn described(group: &str, topic: &str) -> BTreeMap<i64, [String; 3]> {
    let libs = service("LAKECTL_TEST_KAFKA_LIBS");
    // What the script runs.
    let output = Command::new("java")
        .args([
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-cp",
            &format!("{libs}/*"),
        ])
        .arg("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand")
        .args(["--bootstrap-server", brokers(), "--describe", "--group", group])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let titled = text
        .lines()
        .find(|line| line.starts_with("GROUP"))
        .unwrap_or_else(|| panic!("{text}"));
    let titles: Vec<_> = titled.split_whitespace().collect();
    let rows = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(1) == Some(&topic))
        .map(|row| {
            let field = |title: &str| row[titles.iter().position(|it| *it == title).unwrap()].to_owned();
            let partition = field("PARTITION").parse().unwrap();
            (partition, ["CURRENT-OFFSET", "LOG-END-OFFSET", "LAG"].map(field))
        })
        .collect()
}

#[test]
fn kafka_consumer_groups_shows_progress_and_lag() {
    let topic = Topic::with("group-lag", 2, &[]);
    topic.send(&numbered("a", 100, 2));
    let lake = Lake::of_stream(&topic);
    let report = lake.one(&["--max-messages", "60"], 0);
    let shown = described(&format!("{}.lake", lake.group), &topic.name);
    let mut lag = 0;
    for part in report["partitions"].as_array().unwrap() {
        let (next, end) = (number(part, "next"), number(part, "end"));
        let left = end - next;
        let expected = [next, end, left].map(|number| number.to_string());
        assert_eq!(shown[&number(part, "partition")], expected, "{shown:?} {report}");
        lag += left;
    }
    assert_eq!((lag, number(&report, "remaining")), (40, 40));
}
