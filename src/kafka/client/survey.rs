//! Questions about brokers and about the leaders of one topic, which no run needs.

use anyhow::Result;
use rdkafka::error::RDKafkaErrorCode;

use super::Client;
use crate::problem::Problem;

/// The Kafka partitions of a topic, and those without a leader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leadership {
    pub partitions: Vec<i32>,
    pub leaderless: Vec<i32>,
}

impl Client {
    /// How many brokers the last list of topics named.
    pub fn brokers_seen(&self) -> usize {
        self.brokers_seen.lock().map_or(0, |seen| seen.len())
    }

    /// The topic's Kafka partitions and their leaders; None if there is no such topic.
    ///
    /// # Errors
    /// Kafka gives no answer, or does not show this account the topic.
    pub fn leadership(&self, topic: &str) -> Result<Option<Leadership>> {
        let metadata = self
            .patience
            .ask(|left| self.metadata(Some(topic), left))
            .map_err(|fault| self.explain(&fault))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(None);
        };
        match found.error().map(RDKafkaErrorCode::from) {
            None | Some(RDKafkaErrorCode::LeaderNotAvailable) => {}
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                return Ok(None);
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                return Problem::new(format!("Kafka doesn't let us see topic {topic}"))
                    .fix(format!(
                        "its administrator can: kafka-acls --add --allow-principal User:… --operation Read --operation \
                         Describe --topic {topic}"
                    ))
                    .err();
            }
            Some(code) => return Problem::new(code.to_string()).about_topic(topic).err(),
        }
        let mut seen = Leadership::default();
        for partition in found.partitions() {
            seen.partitions.push(partition.id());
            if partition.leader() < 0 {
                seen.leaderless.push(partition.id());
            }
        }
        seen.partitions.sort_unstable();
        Ok(Some(seen))
    }
}
