//! A part of the cluster that is sick for long: its topics fail by themselves, and all others are drained.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use serde_json::Value;
use std::mem::ManuallyDrop;

use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::compare::assert_stream;
use crate::common::kafka::{Topic, numbered, use_broker};
use crate::common::lake::{Lake, number};
use crate::common::program;

/// librdkafka's own brokers, two of them, with two topics of two Kafka partitions each.
struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
    well: ManuallyDrop<Topic>,
    sick: ManuallyDrop<Topic>,
}

impl Cluster {
    /// Every topic is led by the first broker; the other one leads Kafka partition 1 of the sick topic.
    fn new() -> Cluster {
        let mock = MockCluster::new(2).unwrap();
        use_broker(&mock.bootstrap_servers());
        let topic = |name: &str| {
            mock.create_topic(name, 2, 1).unwrap();
            for partition in 0..2 {
                mock.partition_leader(name, partition, Some(1)).unwrap();
            }
            // These brokers delete no topics.
            ManuallyDrop::new(Topic::named(name.to_owned()))
        };
        let (well, sick) = (topic("well"), topic("sick"));
        mock.partition_leader("sick", 1, Some(2)).unwrap();
        Cluster { mock, well, sick }
    }

    fn lake(&self, lake: &Lake, arguments: &[&str], code: i32) -> Value {
        lake.configure();
        let brokers = self.mock.bootstrap_servers();
        let arguments = [&["lake", "--json"], arguments].concat();
        let env = [("LAKECTL_EMBEDDED_KAFKA", brokers.as_str())];
        program::start(lake.folder(), &arguments, &env)
            .wait()
            .expect(code)
            .report()
    }

    fn warehouse(&self, warehouse: &Warehouse, code: i32) -> Value {
        let brokers = self.mock.bootstrap_servers();
        let run = warehouse.start_with(&["warehouse", "--json"], &[("LAKECTL_EMBEDDED_KAFKA", &brokers)]);
        run.wait().expect(code).report()
    }
}

/// The report on a topic.
fn of<'r>(report: &'r Value, topic: &Topic) -> &'r Value {
    let topics = report["topics"].as_array().unwrap();
    let found = topics.iter().find(|found| found["topic"] == topic.name.as_str());
    found.unwrap_or_else(|| panic!("no topic {} in {report}", topic.name))
}

/// Only the sick topic has failed, and its error has these words.
fn assert_only_the_sick_fails(report: &Value, cluster: &Cluster, words: &[&str]) {
    let (well, sick) = (of(report, &cluster.well), of(report, &cluster.sick));
    assert_eq!(
        (&well["status"], number(well, "read")),
        (&"ok".into(), 10),
        "{report}"
    );
    assert_eq!(sick["status"], "failed", "{report}");
    let error = sick["error"].as_str().unwrap();
    for word in words {
        assert!(error.contains(word), "no {word:?} in {error}");
    }
    assert_eq!(report["error"], Value::Null);
}

#[test]
fn a_kafka_partition_without_a_leader_fails_its_topic_alone() {
    let cluster = Cluster::new();
    cluster.well.send(&numbered("a", 10, 2));
    cluster.sick.send(&numbered("a", 10, 2));
    cluster.mock.partition_leader("sick", 1, None).unwrap();
    let mut lake = Lake::of_stream(&cluster.well).stream(&cluster.sick, "");
    lake.kafka = "timeout = \"1s\"";
    let report = cluster.lake(&lake, &[], 1);
    let words = ["Kafka partition 1", "Leader not available", "look at them"];
    assert_only_the_sick_fails(&report, &cluster, &words);
    // Its three questions share one wait of 8 s.
    assert!(number(&report, "duration_ms") < 16_000, "{report}");
    assert_stream(&lake, &cluster.well);
    cluster.mock.partition_leader("sick", 1, Some(1)).unwrap();
    let report = cluster.lake(&lake, &[], 0);
    assert_eq!(number(of(&report, &cluster.sick), "read"), 10, "{report}");
    assert_stream(&lake, &cluster.sick);
}

#[test]
fn topics_without_any_leader_are_in_the_report() {
    let cluster = Cluster::new();
    for topic in ["well", "sick"] {
        for partition in 0..2 {
            cluster.mock.partition_leader(topic, partition, None).unwrap();
        }
    }
    let mut lake = Lake::of_stream(&cluster.well).stream(&cluster.sick, "");
    lake.kafka = "timeout = \"1s\"";
    let report = cluster.lake(&lake, &[], 1);
    for topic in [&cluster.well, &cluster.sick] {
        assert_eq!(of(&report, topic)["status"], "failed", "{report}");
    }
}

#[test]
fn a_broker_that_is_down_fails_its_topics_alone() {
    let cluster = Cluster::new();
    let rows: Vec<_> = (0..10)
        .map(|n| count(&format!("k{n}"), n).to(n as i32 % 2))
        .collect();
    cluster.well.send(&rows);
    cluster.sick.send(&rows);
    cluster.mock.broker_down(2).unwrap();
    let mut warehouse = Warehouse::of_counts(&cluster.well);
    warehouse.execute("CREATE TABLE sick LIKE product_purchase_counts");
    warehouse = warehouse.table(&cluster.sick, "sick", "product_id");
    warehouse.kafka = "timeout = \"1s\"";
    let report = cluster.warehouse(&warehouse, 1);
    // Kafka may have noticed by then that it has no leader.
    assert_only_the_sick_fails(&report, &cluster, &["Kafka partition 1"]);
    cluster.mock.broker_up(2).unwrap();
    let report = cluster.warehouse(&warehouse, 0);
    assert_eq!(number(of(&report, &cluster.well), "read"), 0, "{report}");
    COUNTS.assert_equals(&warehouse, &cluster.well);
    assert_eq!(number(of(&report, &cluster.sick), "read"), 10, "{report}");
}
