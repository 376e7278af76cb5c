//! librdkafka's properties: lakectl's defaults, the user's options, and those that lakectl's guarantees rest on.

use anyhow::anyhow;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use std::time::Duration;

use super::refusal::advice_on_creation;
use crate::config::KafkaSettings;
use crate::exit::usage;
use crate::problem::Problem;
use crate::words::printable;

/// Set before the user's options, which may override them.
const DEFAULTS: [(&str, &str); 11] = [
    ("client.id", "lakectl"),
    // Bounds memory for topics of any size; a bounded queue stalls on the backoff unless that is short. It does not count
    // the overhead of a record, nor that a whole answer is in memory at once, decompressed.
    ("queued.max.messages.kbytes", "16384"),
    ("queued.min.messages", "20000"),
    ("fetch.max.bytes", "1048576"),
    ("fetch.queue.backoff.ms", "5"),
    // A fetch at the end of a topic should return at once: the next topic's fetch waits behind it. But during a long commit
    // a topic that is ready must not be fetched over and over without a pause.
    ("fetch.wait.max.ms", "5"),
    ("fetch.error.backoff.ms", "100"),
    // A single batch may be larger than the default of 100 MB; then librdkafka would reconnect without end.
    ("receive.message.max.bytes", "2147483647"),
    ("reconnect.backoff.max.ms", "2000"),
    ("socket.keepalive.enable", "true"),
    // A host that drops packets is to be named before the question to it runs out of time.
    ("socket.connection.setup.timeout.ms", "6000"),
];

/// Set after the user's options, so that nothing overrides them.
const PROMISES: [(&str, &str); 7] = [
    ("auto.offset.reset", "error"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("isolation.level", "read_committed"),
    ("check.crcs", "true"),
    ("enable.partition.eof", "true"),
    ("allow.auto.create.topics", "false"),
];

/// All properties, for a client of this group.
pub(in crate::kafka) fn config(kafka: &KafkaSettings, group: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Info);
    for (key, value) in DEFAULTS {
        config.set(key, value);
    }
    config.set(
        "statistics.interval.ms",
        statistics_interval(kafka).as_millis().to_string(),
    );
    for (key, value) in &kafka.options {
        config.set(key, value.reveal());
    }
    make_answers_large_enough(&mut config, kafka);
    config
        .set("bootstrap.servers", &kafka.brokers)
        .set("group.id", group);
    for (key, value) in PROMISES {
        config.set(key, value);
    }
    config
}

/// How often librdkafka says whether a quota slows us down: in time to tell that from silence. It waits in memory while a
/// long commit keeps us from listening.
fn statistics_interval(kafka: &KafkaSettings) -> Duration {
    (kafka.timeout / 2).clamp(Duration::from_millis(100), Duration::from_secs(2))
}

/// Raises our default of `fetch.max.bytes` to `message.max.bytes`: librdkafka refuses a smaller one, and users who set the
/// size of messages need not know our default.
fn make_answers_large_enough(config: &mut ClientConfig, kafka: &KafkaSettings) {
    let bytes = |key| config.get(key).and_then(|value| value.parse::<u64>().ok());
    let message = bytes("message.max.bytes");
    let is_ours = !kafka.options.iter().any(|(key, _)| key == "fetch.max.bytes");
    if let Some(message) = message.filter(|_| is_ours && message > bytes("fetch.max.bytes")) {
        config.set("fetch.max.bytes", message.to_string());
    }
}

/// Why librdkafka made no client. Its description may repeat a bad value, which may be a secret.
pub(in crate::kafka) fn refused(kafka: &KafkaSettings, error: KafkaError) -> anyhow::Error {
    match error {
        KafkaError::ClientConfig(_, description, key, value) => {
            let description = if value.is_empty() {
                description
            } else {
                description.replace(&value, "***")
            };
            usage(format!("kafka option `{key}`: {}", printable(&description)))
        }
        KafkaError::ClientCreation(description) => Problem {
            fix: advice_on_creation(&description).map(str::to_owned),
            ..Problem::usage(format!(
                "kafka options: {}",
                printable(&redact(&description, kafka))
            ))
        }
        .into(),
        other => anyhow!(other),
    }
}

fn redact(text: &str, kafka: &KafkaSettings) -> String {
    kafka
        .options
        .iter()
        .fold(text.to_owned(), |text, (_, value)| match value.reveal().len() {
            0..=3 => text,
            _ => text.replace(value.reveal(), "***"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::kafka::Client;
    use anyhow::Result;

    fn made_with(options: &[(&str, &str)]) -> Result<Client> {
        let options = options.iter();
        let kafka = KafkaSettings {
            brokers: "127.0.0.1:1".to_owned(),
            group: "g".to_owned(),
            options: options
                .map(|(key, value)| ((*key).to_owned(), Secret::new(*value)))
                .collect(),
            timeout: Duration::from_secs(1),
            is_embedded: false,
        };
        Client::new(&kafka, "lake")
    }

    #[test]
    fn how_large_a_message_may_be_can_be_said_alone() {
        for bytes in ["1000000000", "10485760", "1048577", "20000"] {
            let made = made_with(&[("message.max.bytes", bytes)]);
            assert!(made.is_ok(), "{bytes}: {:#}", made.unwrap_err());
        }
        for both in [("2000000", "2000000"), ("2000000", "60000000")] {
            let options = [("fetch.max.bytes", both.1), ("message.max.bytes", both.0)];
            made_with(&options).unwrap();
        }
        // What the user's own options say stands.
        let small = [("message.max.bytes", "2000000"), ("fetch.max.bytes", "1999999")];
        assert!(format!("{:#}", made_with(&small).unwrap_err()).contains("`fetch.max.bytes` must be >="));
    }
}
