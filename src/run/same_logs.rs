//! Whether the logs of topics are still those that a target has read, for commands that read nothing: a run notices in its read.

use anyhow::Result;
use std::collections::BTreeMap;

use crate::kafka::{self, Accept, Client, From, Limits};
use crate::problem::Problem;
use crate::record::Progress;

/// Topic -> why the next run would refuse it, as it was created again or has lost its end. Topics that Kafka doesn't have are
/// left out.
///
/// # Errors
/// Kafka does not answer.
pub fn refused_logs(
    client: &Client,
    progress: &BTreeMap<String, Progress>,
    limits: &Limits,
) -> Result<BTreeMap<String, Problem>> {
    let mut topics = client.topics()?;
    topics.retain(|topic, _| progress.contains_key(topic));
    let names: Vec<String> = topics.keys().cloned().collect();
    let ids = client.topic_ids(&names)?;
    let accept = Accept {
        gap: true,
        recreated: false,
    };
    let mut refused = BTreeMap::new();
    for (topic, offsets) in client.offsets(&topics)? {
        let (progress, id) = (&progress[&topic], ids.get(&topic));
        let id = id.and_then(|answer| answer.as_ref().ok()?.as_deref());
        let changes = client.log_changes(&topic, &offsets, id, progress, limits)?;
        let planned = kafka::plan(&topic, &offsets, id, progress, &changes, &From::Earliest, accept);
        if let Err(error) = planned {
            refused.insert(topic, Problem::of(&error));
        }
    }
    Ok(refused)
}
