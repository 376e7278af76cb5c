//! The client with librdkafka's own broker, which gives the errors that a test asks for.

use anyhow::Result;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Code};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::config::KafkaSettings;
use crate::kafka::{Client, TopicList};

const HOUR: Duration = Duration::from_secs(3600);
/// No test waits longer.
const DEADLINE: Duration = Duration::from_secs(30);

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 2, 1).unwrap();
    cluster
}

/// Without its variable, an embedded broker is one like any other.
fn client(cluster: &MockCluster<'_, DefaultProducerContext>) -> Client {
    let kafka = KafkaSettings {
        brokers: cluster.bootstrap_servers(),
        group: "g".to_owned(),
        options: Vec::new(),
        timeout: HOUR,
        is_embedded: false,
    };
    Client::new(&kafka, "lake").unwrap()
}

#[test]
fn a_topic_that_is_being_made_is_waited_for() {
    let cluster = cluster();
    cluster
        .topic_error("t", Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
        .unwrap();
    let client = client(&cluster);
    let topics = std::thread::scope(|scope| {
        let asking = scope.spawn(|| client.topics());
        let began = Instant::now();
        while client.brokers_seen() == 0 && began.elapsed() < DEADLINE {
            std::thread::yield_now();
        }
        cluster
            .topic_error("t", Code::RD_KAFKA_RESP_ERR_NO_ERROR)
            .unwrap();
        asking.join().unwrap()
    });
    assert_eq!(topics.unwrap()["t"], [0, 1]);
}

#[test]
fn offsets_are_asked_for_until_there_are_leaders() {
    let cluster = cluster();
    let client = client(&cluster);
    let topics = TopicList::from([("t".to_owned(), vec![0, 1])]);
    for error in [
        Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    ] {
        cluster.request_errors(Api::ListOffsets, &[error; 5]);
        assert_eq!(client.offsets(&topics).unwrap()["t"].as_ref().unwrap().len(), 2);
        cluster.request_errors(Api::ListOffsets, &[error; 5]);
        assert_eq!(client.offsets_at("t", &[0, 1], 7).unwrap().len(), 2);
    }
}

#[test]
fn a_group_without_a_coordinator_is_waited_for() {
    let cluster = cluster();
    let client = client(&cluster);
    let topics = TopicList::from([("t".to_owned(), vec![0, 1])]);
    for error in [
        Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        Code::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    ] {
        cluster.request_errors(Api::OffsetFetch, &[error; 5]);
        client.has_mirror(&topics).unwrap();
        cluster.request_errors(Api::OffsetCommit, &[error; 8]);
        client.mirror(&[("t".to_owned(), 0, 7)]).unwrap();
    }
    assert!(client.has_mirror(&topics).unwrap());
}

/// Questions that this broker leaves unanswered are errors: no decision may rest on them.
#[test]
fn what_kafka_does_not_tell_is_an_error() -> Result<()> {
    let cluster = cluster();
    let client = client(&cluster).answering_within(Duration::from_secs(1));
    let asked = ["t".to_owned()];
    client.topics()?;
    assert!(client.topic_ids(&asked).is_err());
    assert!(client.topic_settings(&asked)["t"].is_err());
    Ok(())
}

#[test]
fn closing_ends_though_an_answer_never_comes() {
    let cluster = cluster();
    let client = client(&cluster);
    client.topics().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(7)).unwrap();
    // The coordinator is known and answers; from now on it takes an hour.
    client
        .has_mirror(&TopicList::from([("t".to_owned(), vec![0])]))
        .unwrap();
    cluster.broker_round_trip_time(1, HOUR).unwrap();
    client.consumer.commit(&list, CommitMode::Async).unwrap();
    let (closed, is_closed) = mpsc::channel();
    std::thread::spawn(move || {
        drop(client);
        closed.send(()).unwrap();
    });
    is_closed.recv_timeout(DEADLINE).unwrap();
}

fn topics_of_two() -> TopicList {
    TopicList::from([("t".to_owned(), vec![0, 1]), ("u".to_owned(), vec![0, 1])])
}

fn cluster_of_two() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(2).unwrap();
    for (topic, leader) in [("t", 1), ("u", 2)] {
        cluster.create_topic(topic, 2, 1).unwrap();
        cluster.partition_leader(topic, 0, Some(1)).unwrap();
        cluster.partition_leader(topic, 1, Some(leader)).unwrap();
    }
    cluster
}

#[test]
fn offsets_that_kafka_does_not_give_are_missed_by_their_topic_alone() {
    let cluster = cluster_of_two();
    let client = client(&cluster).answering_within(Duration::from_secs(3));
    let missed = || {
        let found = client.offsets(&topics_of_two()).unwrap();
        assert_eq!(found["t"].as_ref().unwrap().len(), 2);
        found["u"].clone().unwrap_err().to_string()
    };
    cluster.partition_leader("u", 1, None).unwrap();
    let error = missed();
    assert!(
        error.contains("topic u Kafka partition 1") && error.contains("Leader not available"),
        "{error}"
    );
    cluster.partition_leader("u", 1, Some(2)).unwrap();
    cluster.broker_down(2).unwrap();
    let error = missed();
    // Kafka may have noticed by then that it has no leader.
    assert!(error.contains("topic u Kafka partition 1"), "{error}");
    for topic in ["t", "u"] {
        for partition in 0..2 {
            cluster.partition_leader(topic, partition, None).unwrap();
        }
    }
    let found = client.offsets(&topics_of_two()).unwrap();
    assert!(found.values().all(Result::is_err));
}

#[test]
fn a_leader_that_is_chosen_late_is_noticed() {
    for topics in [topics_of_two(), TopicList::from([("u".to_owned(), vec![1])])] {
        let cluster = cluster_of_two();
        cluster.partition_leader("u", 1, None).unwrap();
        let client = client(&cluster).answering_within(Duration::from_millis(500));
        client.topics().unwrap();
        assert!(client.offsets(&topics).unwrap()["u"].is_err());
        cluster.partition_leader("u", 1, Some(1)).unwrap();
        let found = client.answering_within(DEADLINE).offsets(&topics).unwrap();
        assert_eq!(found["u"].as_ref().unwrap().len(), topics["u"].len());
    }
}
