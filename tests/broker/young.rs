//! A cluster that has just come up: it says for a while that it is not ready, and a run waits for it.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Code};
use rustix::process::Signal;
use std::mem::ManuallyDrop;

use super::private::Private;
use crate::common::kafka::{Topic, numbered, use_broker};
use crate::common::lake::{Lake, number};
use crate::common::program::{self, Running};

/// librdkafka's own broker, which gives any error it is told to, and its one topic of ten records.
struct Embedded {
    cluster: MockCluster<'static, DefaultProducerContext>,
    lake: Lake,
}

impl Embedded {
    fn new() -> Embedded {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("young", 1, 1).unwrap();
        use_broker(&cluster.bootstrap_servers());
        // This broker deletes no topics.
        let topic = ManuallyDrop::new(Topic::named("young".to_owned()));
        topic.send(&numbered("a", 10, 1));
        Embedded {
            cluster,
            lake: Lake::of_stream(&topic),
        }
    }

    /// The broker gives these errors to the next questions of this kind.
    fn fails(&self, api: Api, errors: &[Code]) {
        self.cluster.request_errors(api, errors);
    }

    fn start(&self, arguments: &[&str]) -> Running {
        self.lake.configure();
        let brokers = self.cluster.bootstrap_servers();
        let arguments = [&["lake", "--json"], arguments].concat();
        let env = [("LAKECTL_EMBEDDED_KAFKA", brokers.as_str())];
        program::start(self.lake.folder(), &arguments, &env)
    }

    /// Every record arrives, and nobody is told of the errors.
    fn assert_drains(&self, arguments: &[&str]) {
        let report = self.start(arguments).wait().expect(0).report();
        assert_eq!(number(&report["totals"], "written"), 10, "{report}");
        assert_eq!(report["warnings"], serde_json::json!([]), "{report}");
    }
}

const NOT_COORDINATOR: Code = Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
const LOADING: Code = Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
const NO_COORDINATOR: Code = Code::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE;
const NO_LEADER: Code = Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
const NOT_LEADER: Code = Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;

#[test]
fn a_group_whose_coordinator_is_not_there_yet() {
    for error in [NOT_COORDINATOR, LOADING, NO_COORDINATOR] {
        let embedded = Embedded::new();
        embedded.fails(Api::OffsetFetch, &[error; 5]);
        embedded.assert_drains(&[]);
    }
    let embedded = Embedded::new();
    embedded.fails(Api::FindCoordinator, &[NO_COORDINATOR; 5]);
    embedded.assert_drains(&[]);
}

#[test]
fn a_mirror_whose_coordinator_is_not_there_yet() {
    for error in [NOT_COORDINATOR, LOADING, NO_COORDINATOR] {
        let embedded = Embedded::new();
        embedded.fails(Api::OffsetCommit, &[error; 8]);
        embedded.assert_drains(&[]);
    }
}

#[test]
fn topics_whose_leaders_are_not_chosen_yet() {
    let embedded = Embedded::new();
    embedded.fails(Api::Metadata, &[NO_LEADER; 5]);
    embedded.assert_drains(&[]);
    for error in [NO_LEADER, NOT_LEADER] {
        let embedded = Embedded::new();
        embedded.fails(Api::ListOffsets, &[error; 5]);
        embedded.assert_drains(&[]);
    }
}

/// It would be asked for ten minutes more.
#[test]
fn a_signal_ends_the_wait() {
    let mut embedded = Embedded::new();
    embedded.lake.kafka = "timeout = \"10m\"";
    embedded.fails(Api::OffsetFetch, &[NOT_COORDINATOR; 10_000]);
    let run = embedded.start(&[]);
    run.wait_until_signals_are_taken();
    run.signal(Signal::TERM);
    let report = run.wait().expect(143).report();
    assert_eq!(report["status"], "interrupted", "{report}");
    assert!(
        report["error"].as_str().unwrap().contains("Not coordinator"),
        "{report}"
    );
    assert!(!embedded.lake.root().exists());
}

/// Nobody has asked this cluster for a group before.
#[test]
fn the_first_command_on_a_new_cluster() {
    let kafka = Private::start("kafka");
    use_broker(&kafka.variable("LAKECTL_BROKERS"));
    let topic = Topic::new("young");
    topic.send(&numbered("a", 10, 1));
    let lake = Lake::of_stream(&topic);
    let report = lake.drain();
    assert_eq!(number(&report["totals"], "written"), 10, "{report}");
    assert_eq!(report["warnings"], serde_json::json!([]), "{report}");
}
