//! Checks Kafka: whether it answers, by which protocol, and whether the group can be read.

use anyhow::Result;

use super::scope::CheckedTopic;
use super::{CheckScope, Checks, KAFKA};
use crate::config::KafkaSettings;
use crate::kafka::{Client, TopicList};
use crate::words::count;

/// Advice on errors that come before any broker is asked.
const OPTIONS_ADVICE: &str =
    "correct [kafka.options]: librdkafka's CONFIGURATION.md lists all properties and their values";

const EMBEDDED_ADVICE: &str = "LAKECTL_EMBEDDED_KAFKA says that it is the embedded broker for trying lakectl out, which is \
                               not asked for ids and settings of topics: unset it if it is a real Kafka";

/// A broker that answers.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) client: Client,
    pub(super) live: TopicList,
    /// Whether the group has offsets of any of the topics: they were drained before.
    pub(super) mirrored: bool,
}

pub(super) fn look(scope: &CheckScope<'_>, topics: &[CheckedTopic], checks: &mut Checks) -> Option<Broker> {
    let answer = (KAFKA, "answer");
    let kafka = &scope.settings.kafka;
    let target = if scope.lake { "lake" } else { "warehouse" };
    let made = Client::new(kafka, target).map(|client| client.stopped_by(scope.stop));
    let made = made.map_err(|error| (error, OPTIONS_ADVICE));
    let connected = made.and_then(|client| match client.topics() {
        Ok(live) => Ok(Broker {
            client,
            live,
            mirrored: false,
        }),
        Err(error) => Err((error, "look at the broker, and at kafka.options")),
    });
    let mut broker = match connected {
        Ok(broker) => broker,
        Err((error, fix)) => {
            checks.error(answer, &error, fix);
            not_asked("its group and ", topics, checks);
            return None;
        }
    };
    let security = Security::of(kafka);
    let brokers = count(broker.client.brokers_seen() as u64, "broker");
    let message = format!("{} answers, {}, {brokers}", kafka.brokers, security.shown);
    let advice = if kafka.is_embedded {
        Some(EMBEDDED_ADVICE.to_owned())
    } else {
        security.advice
    };
    checks.ok_but(answer, message, advice);
    match group(&broker, topics, checks) {
        // Every topic would be asked about in vain, one after the other.
        Err(_) if broker.client.is_astray() => {
            not_asked("", topics, checks);
            None
        }
        mirrored => {
            broker.mirrored = mirrored.unwrap_or(false);
            Some(broker)
        }
    }
}

fn not_asked(group: &str, topics: &[CheckedTopic], checks: &mut Checks) {
    let topics = count(topics.len() as u64, "topic");
    checks.unknown(
        (KAFKA, "topics"),
        format!("Kafka could not be asked about {group}{topics}"),
    );
}

/// Checks the mirror of the progress, which runs ask for to notice a disk that is not mounted.
fn group(broker: &Broker, topics: &[CheckedTopic], checks: &mut Checks) -> Result<bool> {
    let place = (KAFKA, "group");
    let asked: TopicList = topics
        .iter()
        .filter_map(|subject| {
            Some((
                subject.name().to_owned(),
                broker.live.get(subject.name())?.clone(),
            ))
        })
        .collect();
    let group = broker.client.group();
    if asked.is_empty() {
        checks.unknown(place, "there is no topic to ask about");
        return Ok(false);
    }
    let mirrored = broker.client.has_mirror(&asked);
    match &mirrored {
        Ok(true) => checks.ok(place, format!("{group} mirrors the progress for lag monitors")),
        Ok(false) => checks.ok(place, format!("{group} has no offsets yet")),
        Err(error) => checks.error(place, error, "look at the broker that coordinates the group"),
    }
    mirrored
}

/// How the connection is protected: as the options say, and the broker has accepted.
struct Security {
    shown: String,
    advice: Option<String>,
}

impl Security {
    fn of(kafka: &KafkaSettings) -> Security {
        let option = |names: &[&str]| {
            let found = kafka
                .options
                .iter()
                .rev()
                .find(|(key, _)| names.contains(&key.as_str()));
            found.map(|(_, value)| value.reveal().to_owned())
        };
        let protocol = option(&["security.protocol"]).unwrap_or_else(|| "plaintext".to_owned());
        let protocol = protocol.to_uppercase();
        let mut shown = protocol.clone();
        if protocol.starts_with("SASL") {
            let mechanism = option(&["sasl.mechanism", "sasl.mechanisms"]);
            shown = format!("{protocol} with {}", mechanism.as_deref().unwrap_or("GSSAPI"));
        }
        let unverified = option(&["enable.ssl.certificate.verification"]).is_some_and(|on| on == "false")
            || option(&["ssl.endpoint.identification.algorithm"]).is_some_and(|by| by == "none");
        let advice = if protocol.ends_with("SSL") && unverified {
            Some("its certificate is not verified, as the options say: any server could answer in its place")
        } else if protocol == "SASL_PLAINTEXT" {
            Some("records and passwords can be read on the wire: SASL_SSL would encrypt it")
        } else {
            None
        };
        Security {
            shown,
            advice: advice.map(str::to_owned),
        }
    }
}
