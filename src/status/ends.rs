//! Asks Kafka for the ends and ids of topics.

use anyhow::{Context, Result, anyhow};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::kafka::{Client, PartitionOffsets, TopicList};
use crate::problem::Problem;

/// How long to ask for topics one by one, if asking for all at once has failed.
const ONE_BY_ONE_MAX: Duration = Duration::from_secs(4);

/// Kafka's answers on the topics.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// None: Kafka could not be asked.
    pub(super) topics: Option<TopicList>,
    pub(super) offsets: BTreeMap<String, Result<Vec<PartitionOffsets>, Problem>>,
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
        match client.offsets(&wanted) {
            Ok(offsets) => {
                let answered = offsets.into_iter().map(|(topic, offsets)| (topic, Ok(offsets)));
                self.offsets.extend(answered);
                Ok(())
            }
            Err(error) => self.fetch_one_by_one(client, wanted, error),
        }
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

    /// Asks for one topic after the other, so that one that fails does not hide the others.
    fn fetch_one_by_one(&mut self, client: &Client, wanted: TopicList, error: anyhow::Error) -> Result<()> {
        let began = Instant::now();
        let mut answers = 0;
        for (topic, partitions) in wanted {
            let answer = if began.elapsed() < ONE_BY_ONE_MAX {
                client.offsets(&TopicList::from([(topic.clone(), partitions)]))
            } else {
                Err(anyhow!("{error:#}"))
            };
            let mut answer = answer.map_err(|error| Problem::of(&error));
            answers += u32::from(answer.is_ok());
            if let Ok(offsets) = &mut answer {
                let offsets = offsets.remove(&topic).unwrap_or_default();
                self.offsets.insert(topic, Ok(offsets));
            } else if let Err(error) = answer {
                self.offsets.insert(topic, Err(error));
            }
        }
        match answers {
            0 => {
                self.offsets.clear();
                Err(error).context("Kafka gives no ends of topics")
            }
            _ => Ok(()),
        }
    }
}
