//! Whether a topic is still configured as it was when its data was taken in.

use anyhow::Result;

use super::TopicState;
use crate::config::{Envelope, KeySchema, TimeUnit, Topic, Window};
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
                "{}, or move its folder and .lakectl/topics/{} away to take it in again",
                match state.time_unit {
                    TimeUnit::Days => "state the field as DATE in value.columns".to_owned(),
                    unit => format!("set lake.timestamp_unit = \"{}\"", unit.name()),
                },
                topic.name
            ),
        )
    } else {
        return Ok(());
    };
    Problem::usage(what).about_topic(&topic.name).fix(fix).err()
}

/// Checks the envelope that a table's rows are taken out of, and how their keys are kept. A rebuild that replaces them all may
/// change both.
///
/// # Errors
/// The rows that are there came out of another envelope, or out of none, or have keys of another form: they would stand beside
/// the new ones. Exit code 2.
pub(in crate::lake) fn check_rows(topic: &Topic, state: &TopicState, rebuild: Option<Rebuild>) -> Result<()> {
    let begins_anew = state.snapshot.is_none() || rebuild == Some(Rebuild::DropAbsent);
    let kept_keys = kept_keys(&topic.key);
    if begins_anew || (state.unwrap == topic.value.unwrap && state.kept_keys == kept_keys) {
        return Ok(());
    }
    let (setting, now, before) = if state.unwrap == topic.value.unwrap {
        let shown = |kept: &Option<String>| kept.clone().unwrap_or_else(|| BY_BYTES.to_owned());
        ("how keys are kept", shown(&kept_keys), shown(&state.kept_keys))
    } else {
        let shown =
            |envelope: Option<Envelope>| envelope.map_or("not set".to_owned(), |it| format!("\"{it}\""));
        ("value.unwrap", shown(topic.value.unwrap), shown(state.unwrap))
    };
    let name = &topic.name;
    Problem::usage(format!(
        "{setting} is {now}, but it was {before} when the rows of its snapshot were taken in: a key would have a row of each \
         form"
    ))
    .about_topic(name)
    .fix(match rebuild {
        None => format!("take them in again: lakectl lake --rebuild --topics {name}"),
        // This rebuild keeps rows that Kafka no longer has.
        Some(_) => format!("move its folder and .lakectl/topics/{name} away to take in what Kafka still has"),
    })
    .err()
}

/// How keys are kept in a table whose equal keys have equal bytes.
const BY_BYTES: &str = "by their bytes";

/// How a table keeps its keys, if equal ones may differ in their bytes. Tables whose keys are kept in two ways would have two
/// rows of one key.
pub(in crate::lake) fn kept_keys(keys: &KeySchema) -> Option<String> {
    if !keys.has_other_bytes() {
        return None;
    }
    let window = match keys.window {
        None => String::new(),
        Some(Window::Time { size_ms }) => format!(", with windows of {size_ms} ms"),
        Some(Window::Session) => ", with sessions".to_owned(),
    };
    Some(format!("as decoded by key.format = \"{}\"{window}", keys.format))
}
