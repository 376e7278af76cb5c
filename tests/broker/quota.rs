//! Quotas of Kafka: a client that it throttles goes on slowly, and says why.

use std::process::{Command, Stdio};

use crate::common::compare::assert_stream;
use crate::common::kafka::{Topic, brokers, record};
use crate::common::lake::{Lake, number};
use crate::common::{service, unique};

/// A quota for one client id, until it is dropped.
struct Quota {
    client_id: String,
}

impl Quota {
    fn new(setting: &str) -> Quota {
        let quota = Quota {
            client_id: unique("quota"),
        };
        assert!(quota.alter("--add-config", setting));
        quota
    }

    /// Kafka's own tool: the rdkafka crate sets no quotas.
    fn alter(&self, how: &str, setting: &str) -> bool {
        let libs = service("LAKECTL_TEST_KAFKA_LIBS");
        let status = Command::new("java")
            .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"])
            .arg(format!("{libs}/*"))
            .args(["kafka.admin.ConfigCommand", "--bootstrap-server", brokers()])
            .args([
                "--alter",
                "--entity-type",
                "clients",
                "--entity-name",
                &self.client_id,
            ])
            .args([how, setting])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        status.unwrap().success()
    }

    /// A lake whose client has this quota, and little patience.
    fn lake(&self, topic: &Topic) -> Lake {
        let mut lake = Lake::of_stream(topic);
        let options = format!("timeout = \"1s\"\noptions.\"client.id\" = {:?}", self.client_id);
        lake.kafka = String::leak(options);
        lake
    }

    fn assert_named(&self, report: &serde_json::Value) {
        let warnings = report["warnings"].to_string();
        for word in [
            "Kafka throttles this client",
            &self.client_id,
            "consumer_byte_rate",
        ] {
            assert!(warnings.contains(word), "no {word:?} in {report}");
        }
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        self.alter("--delete-config", "consumer_byte_rate");
    }
}

#[test]
fn a_throttled_client_goes_on_slowly() {
    let topic = Topic::new("throttled");
    let value = format!("{{\"V\":\"{}\"}}", "x".repeat(1_000));
    let records: Vec<_> = (0..60).map(|n| record(&n.to_string(), &value)).collect();
    topic.send_in_batches(&records, 1);
    let quota = Quota::new("consumer_byte_rate=4000");
    let lake = quota.lake(&topic);
    let report = lake.drain();
    assert_eq!(number(&report["totals"], "read"), 60, "{report}");
    quota.assert_named(&report);
    assert_stream(&lake, &topic);
}

/// Kafka sends no batch that is larger than what the quota allows in its window of about ten seconds.
#[test]
fn a_run_that_gets_nothing_for_a_quota_ends_and_says_so() {
    let topic = Topic::new("starved");
    let value = format!("{{\"V\":\"{}\"}}", "x".repeat(13_000));
    topic.send(&[record("k", &value)]);
    let quota = Quota::new("consumer_byte_rate=1000");
    let lake = quota.lake(&topic);
    let report = lake.run(&["--max-duration", "1s"]).expect(3).report();
    assert_eq!(number(&report["totals"], "remaining"), 1, "{report}");
    assert!(
        report["warnings"].to_string().contains("--max-duration"),
        "{report}"
    );
    quota.assert_named(&report);
    let report = lake.run(&[]).expect(1).report();
    let error = report["topics"][0]["error"].as_str().unwrap();
    for word in [
        "no record in",
        "Kafka partition 0 at offset 0",
        "Kafka throttles this client",
    ] {
        assert!(error.contains(word), "no {word:?} in {error}");
    }
}
