//! What Kafka says of the run's topics when the run begins: ends, ids and settings.

use anyhow::Result;
use std::collections::BTreeMap;

use crate::config::{Kind, Topic};
use crate::kafka::{Client, PartitionOffsets, TopicList, TopicOffsets, TopicSettings};
use crate::problem::Problem;

/// Kafka's answers on the run's topics when it began.
pub(super) struct KafkaFacts {
    offsets: TopicOffsets,
    ids: BTreeMap<String, Result<Option<String>, String>>,
    /// Only of tables.
    settings: BTreeMap<String, Result<TopicSettings, String>>,
    pub(super) at_ms: i64,
}

impl KafkaFacts {
    pub(super) fn look<'t>(
        client: &Client,
        topics: impl Iterator<Item = (&'t Topic, &'t Vec<i32>)>,
    ) -> Result<KafkaFacts> {
        let (mut all, mut names, mut tables) = (TopicList::new(), Vec::new(), Vec::new());
        for (topic, partitions) in topics {
            all.insert(topic.name.clone(), partitions.clone());
            names.push(topic.name.clone());
            if topic.kind == Kind::Table {
                tables.push(topic.name.clone());
            }
        }
        let at_ms = chrono::Utc::now().timestamp_millis();
        Ok(KafkaFacts {
            ids: client.topic_ids(&names)?,
            settings: client.topic_settings(&tables),
            offsets: client.offsets(&all)?,
            at_ms,
        })
    }

    /// Where its Kafka partitions begin and end.
    pub(super) fn offsets(&self, topic: &str) -> Result<&[PartitionOffsets]> {
        match self.offsets.get(topic) {
            Some(Ok(offsets)) => Ok(offsets),
            Some(Err(problem)) => problem.clone().err(),
            None => Problem::new("Kafka was not asked for its offsets")
                .about_topic(topic)
                .err(),
        }
    }

    /// The topic's id; None if the broker has no ids.
    pub(super) fn id(&self, topic: &str) -> Result<Option<&str>> {
        match self.ids.get(topic) {
            Some(Ok(id)) => Ok(id.as_deref()),
            other => Problem::new(format!(
                "Kafka does not give its id, without which a topic that was created again goes unnoticed: {}",
                why(other)
            ))
            .about_topic(topic)
            .err(),
        }
    }

    /// The settings of a table's topic.
    pub(super) fn settings(&self, topic: &str) -> Result<&TopicSettings> {
        match self.settings.get(topic) {
            Some(Ok(settings)) => Ok(settings),
            other => Problem::new(format!(
                "Kafka does not give its settings, which decide how long it keeps tombstones and records: {}",
                why(other)
            ))
            .about_topic(topic)
            .err(),
        }
    }
}

fn why<T>(answer: Option<&Result<T, String>>) -> &str {
    match answer {
        Some(Err(error)) => error,
        _ => "it was not asked for",
    }
}
