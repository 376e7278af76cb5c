//! Asks Kafka for the ends and ids of topics.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

use crate::kafka::{Client, TopicList, TopicOffsets};
use crate::problem::Problem;

/// Kafka's answers on the topics.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// None: Kafka could not be asked.
    pub(super) topics: Option<TopicList>,
    pub(super) offsets: TopicOffsets,
    pub(super) ids: BTreeMap<String, String>,
    pub(super) warnings: Vec<Problem>,
}

impl Ends {
    /// The chosen topics that Kafka has.
    pub(super) fn wanted(&self, chosen: &BTreeSet<String>) -> TopicList {
        let live = self.topics.iter().flatten();
        live.filter(|(topic, _)| chosen.contains(*topic))
            .map(|(topic, partitions)| (topic.clone(), partitions.clone()))
            .collect()
    }

    /// Ends and ids of the topics that Kafka has.
    pub(super) fn fetch(&mut self, client: &Client, chosen: &BTreeSet<String>) -> Result<()> {
        let wanted = self.wanted(chosen);
        let names: Vec<String> = wanted.keys().cloned().collect();
        self.fetch_ids(client, &names);
        self.offsets = client.offsets(&wanted).context("Kafka gives no ends of topics")?;
        Ok(())
    }

    /// Adds the ids. Without an id the lag is known anyway, but a topic that was created again is not noticed.
    fn fetch_ids(&mut self, client: &Client, names: &[String]) {
        const UNNOTICED: &str = "lakectl can't find out whether it was created again";
        match client.topic_ids(names) {
            Ok(answers) => {
                for (topic, answer) in answers {
                    match answer {
                        Ok(Some(id)) => drop(self.ids.insert(topic, id)),
                        Ok(None) => {}
                        Err(error) => {
                            let problem = Problem::new(format!("{UNNOTICED}: {error}"));
                            self.warnings.push(problem.about_topic(&topic));
                        }
                    }
                }
            }
            Err(error) => {
                let error = error.context(format!("of every topic, {UNNOTICED}"));
                self.warnings.push(Problem::of(&error));
            }
        }
    }
}
