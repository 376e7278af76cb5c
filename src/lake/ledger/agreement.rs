//! Whether a topic is still configured as it was when its data was taken in.

use anyhow::Result;

use super::TopicState;
use crate::config::{Envelope, Topic};
use crate::problem::Problem;
use crate::target::Rebuild;

/// Checks what no rebuild changes: the kind, and how days are made.
///
/// # Errors
/// One of them is another one now: exit code 2.
pub(in crate::lake) fn check(topic: &Topic, state: &TopicState) -> Result<()> {
    let by = topic.partition_time.to_string();
    let (what, fix) = if state.kind != topic.kind {
        (
            format!(
                "it was taken into the lake as a {}, and is a {} now: a topic can't be both",
                state.kind, topic.kind
            ),
            format!(
                "move its folder and .lakectl/topics/{} away to take it in again",
                topic.name
            ),
        )
    } else if state.partition_time != by {
        (
            format!(
                "lake.partition_time is {by}, but its day folders were made by {}: a day would mean two things",
                state.partition_time
            ),
            format!("set lake.partition_time = \"{}\"", state.partition_time),
        )
    } else if state.time_unit != topic.lake_unit {
        (
            format!(
                "the timestamp_unit of its days is {}, but they were made with {}: a day would mean two things",
                topic.lake_unit.name(),
                state.time_unit.name()
            ),
            format!(
                "set lake.timestamp_unit = \"{}\", or move its folder and .lakectl/topics/{} away to take it in again",
                state.time_unit.name(),
                topic.name
            ),
        )
    } else {
        return Ok(());
    };
    Problem::usage(what).about_topic(&topic.name).fix(fix).err()
}

/// Checks the envelope that a table's rows are taken out of. A rebuild that replaces them all may change it.
///
/// # Errors
/// The rows that are there came out of another one, or out of none, and would stand beside the new ones: exit code 2.
pub(in crate::lake) fn check_envelope(
    topic: &Topic,
    state: &TopicState,
    rebuild: Option<Rebuild>,
) -> Result<()> {
    let begins_anew = state.snapshot.is_none() || rebuild == Some(Rebuild::DropAbsent);
    if state.unwrap == topic.value.unwrap || begins_anew {
        return Ok(());
    }
    let shown = |envelope: Option<Envelope>| envelope.map_or("not set".to_owned(), |it| format!("\"{it}\""));
    let name = &topic.name;
    Problem::usage(format!(
        "value.unwrap is {}, but it was {} when the rows of its snapshot were taken in: a key would have a row of each form",
        shown(topic.value.unwrap),
        shown(state.unwrap)
    ))
    .about_topic(name)
    .fix(match rebuild {
        None => format!("take them in again: lakectl lake --rebuild --topics {name}"),
        // This rebuild keeps rows that Kafka no longer has.
        Some(_) => format!("move its folder and .lakectl/topics/{name} away to take in what Kafka still has"),
    })
    .err()
}
