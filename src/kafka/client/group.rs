//! The consumer group, whose offsets mirror the progress for lag monitors.

use anyhow::{Context as _, Result};
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

use super::fault::KafkaFault;
use super::patience::Patience;
use super::{Client, TopicList};
use crate::problem::Problem;

impl Client {
    /// Whether the group has committed offsets for any of these topics.
    pub fn has_mirror(&self, topics: &TopicList) -> Result<bool> {
        let mut list = TopicPartitionList::new();
        for (topic, partitions) in topics {
            for &partition in partitions {
                list.add_partition(topic, partition);
            }
        }
        // librdkafka gives no sign while it looks for a coordinator. Kafka has answered before, so wait longer.
        let patience = Patience {
            silence: self.patience.not_ready,
            ..self.patience.clone()
        };
        let began = Instant::now();
        patience
            .ask(|left| {
                let committed = self.committed(list.clone(), left.min(self.patience.silence));
                committed.map_err(|fault| {
                    // Then it isn't the coordinator that is not there yet.
                    if began.elapsed() >= self.patience.silence && self.is_astray() {
                        fault.that_lasts()
                    } else {
                        fault
                    }
                })
            })
            .map_err(|fault| if fault.is(RDKafkaErrorCode::GroupAuthorizationFailed) || self.consumer.context().take_group_refusal() { Problem::new("Kafka doesn't let us see it")
                    .fix(format!(
                        "its administrator can: kafka-acls --add --allow-principal User:… --operation Read --operation \
                         Describe --group {}",
                        self.group
                    ))
                    .into() } else { self.explain(&fault) })
            .with_context(|| format!("asking {} for the offsets of group {}", self.brokers, self.group))
    }

    /// Whether any entry of the list has a committed offset.
    fn committed(&self, list: TopicPartitionList, timeout: Duration) -> Result<bool, KafkaFault> {
        let committed =
            self.hearing_signals(timeout, move |consumer| consumer.committed_offsets(list, timeout));
        let committed = committed.map_err(|fault| {
            if self.is_group_closed() {
                fault.with_code(RDKafkaErrorCode::GroupAuthorizationFailed)
            } else {
                fault
            }
        })?;
        let entries = committed.elements();
        for entry in &entries {
            let place = || format!("topic {} Kafka partition {}", entry.topic(), entry.partition());
            entry
                .error()
                .map_err(|error| KafkaFault::from(error).at(&place()))?;
        }
        Ok(entries
            .iter()
            .any(|entry| matches!(entry.offset(), Offset::Offset(_))))
    }

    /// Whether Kafka has refused access to the group. The refusal comes as an event, of the consumer or of the client; the
    /// question itself gets no answer.
    fn is_group_closed(&self) -> bool {
        let of_consumer = self.events().any(|event| {
            event.is_err_and(|error| {
                error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed)
            })
        });
        self.consumer.context().take_group_refusal() || of_consumer
    }

    /// Writes progress into the group, where lag monitors look. It is only a mirror: no run starts from it.
    pub fn mirror(&self, progress: &[(String, i32, i64)]) -> Result<()> {
        if progress.is_empty() {
            return Ok(());
        }
        if self.patience.throttle.is_on() {
            return Problem::new("progress is not mirrored while a quota holds Kafka's answers back")
                .fix("a run that is not throttled does it")
                .err();
        }
        self.patience
            .ask(|left| self.admin(left).commit(&self.group, progress))
            .map_err(|fault| self.explain(&fault))
            .with_context(|| format!("mirroring progress into Kafka's group {}", self.group))
    }

    pub fn group(&self) -> &str {
        &self.group
    }
}
