//! Whether the logs of topics are still those that a target has read, for commands that read nothing: a run notices in its read.

use anyhow::Result;
use std::collections::BTreeMap;

use crate::kafka::{self, Accept, Client, From, Limits};
use crate::problem::Problem;
use crate::record::Progress;

/// What comparing logs with a target's progress has led to. Topics that Kafka doesn't have are left out.
#[derive(Debug, Default)]
pub struct ComparedLogs {
    /// Topic -> why the next run would refuse it, as it was created again or has lost its end.
    pub refused: BTreeMap<String, Problem>,
    /// Why a topic's log could not be compared.
    pub unknown: Vec<Problem>,
}

/// Compares the logs of the topics that `progress` knows.
///
/// # Errors
/// Kafka does not answer.
pub fn compare_logs(
    client: &Client,
    progress: &BTreeMap<String, Progress>,
    limits: &Limits,
) -> Result<ComparedLogs> {
    let mut topics = client.topics()?;
    topics.retain(|topic, _| progress.contains_key(topic));
    let names: Vec<String> = topics.keys().cloned().collect();
    let ids = client.topic_ids(&names)?;
    let accept = Accept {
        gap: true,
        recreated: false,
    };
    let mut compared = ComparedLogs::default();
    for (topic, offsets) in client.offsets(&topics)? {
        let offsets = match offsets {
            Ok(offsets) => offsets,
            Err(why) => {
                compared.unknown.push(why);
                continue;
            }
        };
        let (progress, id) = (&progress[&topic], ids.get(&topic));
        let id = id.and_then(|answer| answer.as_ref().ok()?.as_deref());
        let changes = client.log_changes(&topic, &offsets, id, progress, limits)?;
        let planned = kafka::plan(&topic, &offsets, id, progress, &changes, &From::Earliest, accept);
        if let Err(error) = planned {
            compared.refused.insert(topic, Problem::of(&error));
        }
    }
    Ok(compared)
}
