//! Chooses the topics of a run, by configuration, names and globs.

use anyhow::Result;
use globset::{Glob, GlobMatcher};
use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Kind, Settings, Topic, check_topic_name, closest, did_you_mean, topic_heading};
use crate::exit::usage;
use crate::kafka::{Client, TopicList};
use crate::problem::Problem;

/// A topic of the run, or why Kafka has no such topic.
#[derive(Debug)]
pub enum Selected {
    Topic(Box<Topic>),
    Missing {
        topic: String,
        kind: Kind,
        error: anyhow::Error,
    },
}

/// What the command line asks for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Names and globs. Empty: every configured topic of the command.
    pub patterns: &'a [String],
    /// The kind of topics without a configuration entry.
    pub kind: Option<Kind>,
    /// Whether the command is for tables only.
    pub tables_only: bool,
}

/// Chooses the topics, in the order of their names.
///
/// # Errors
/// There is no topic, a pattern matches none, or a compacted topic has no kind: exit code 2.
pub fn select(
    settings: &Settings,
    request: Request<'_>,
    client: &Client,
    live: &TopicList,
) -> Result<Vec<Selected>> {
    let served = |topic: &Topic| {
        if request.tables_only {
            topic.warehouse_enabled && topic.kind == Kind::Table
        } else {
            topic.lake_enabled
        }
    };
    let mut chosen: BTreeMap<String, Topic> = BTreeMap::new();
    if request.patterns.is_empty() {
        chosen.extend(
            settings
                .topics
                .iter()
                .filter(|(_, t)| served(t))
                .map(|(name, t)| (name.clone(), t.clone())),
        );
    }
    for pattern in request.patterns.iter().map(|pattern| pattern.trim()) {
        match glob(pattern)? {
            Some(glob) => {
                let names = matching(&glob, settings, &served, request.kind.and(Some(live)));
                if names.is_empty() {
                    return Problem::usage(format!("no topic matches `{pattern}`"))
                        .fix(what_globs_match(request.kind))
                        .err();
                }
                for name in names {
                    // Configured topics that match a glob keep their kind, whatever --kind says.
                    let topic = match settings.topics.get(&name) {
                        Some(topic) => topic.clone(),
                        None => resolve(settings, &name, request, client, live)?,
                    };
                    chosen.insert(name, topic);
                }
            }
            None => {
                chosen.insert(
                    pattern.to_owned(),
                    resolve(settings, pattern, request, client, live)?,
                );
            }
        }
    }
    if chosen.is_empty() {
        let what = if request.tables_only {
            "table topic"
        } else {
            "topic"
        };
        let file = settings.file.as_ref();
        let file = file.map_or_else(|| "lakectl.toml".to_owned(), |path| path.display().to_string());
        return Problem::usage(format!("no {what} is configured"))
            .fix(format!(
                "add a [topics.NAME] entry to {file}, or name one with --topics"
            ))
            .err();
    }
    Ok(chosen.into_values().map(|topic| look_up(topic, live)).collect())
}

/// Whether a topic matches one of these names and globs; every topic does if there are none.
///
/// # Errors
/// A pattern matches none of `known`: exit code 2. `nobody` begins the message.
pub fn among(patterns: &[String], known: &[&str], nobody: &str) -> Result<impl Fn(&str) -> bool + use<>> {
    let mut globs = Vec::new();
    for pattern in patterns {
        let glob = Glob::new(pattern).map_err(|e| usage(format!("`{pattern}` is not a glob: {e}")))?;
        let glob = glob.compile_matcher();
        if !known.iter().any(|name| glob.is_match(name)) {
            return Err(Problem {
                fix: did_you_mean(pattern, known.iter().copied()),
                ..Problem::usage(format!("{nobody} a topic `{pattern}`"))
            }
            .into());
        }
        globs.push(glob);
    }
    Ok(move |topic: &str| globs.is_empty() || globs.iter().any(|glob| glob.is_match(topic)))
}

fn look_up(topic: Topic, live: &TopicList) -> Selected {
    if live.contains_key(&topic.name) {
        return Selected::Topic(Box::new(topic));
    }
    let near = closest(
        &topic.name,
        live.keys().map(String::as_str).filter(|name| !is_internal(name)),
    );
    let hint = near.map_or_else(
        || "Kafka has no topic like it".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    let error = Problem::new(format!("there is no topic `{}` in Kafka", topic.name)).fix(hint);
    Selected::Missing {
        topic: topic.name,
        kind: topic.kind,
        error: error.into(),
    }
}

fn resolve(
    settings: &Settings,
    name: &str,
    request: Request<'_>,
    client: &Client,
    live: &TopicList,
) -> Result<Topic> {
    check_topic_name(name)?;
    let topic = match (settings.topics.get(name), request.kind) {
        (Some(topic), Some(kind)) if topic.kind != kind => {
            return Err(usage(format!(
                "--kind {kind}: topic {name} is configured as a {}",
                topic.kind
            )));
        }
        (Some(topic), _) => topic.clone(),
        (None, Some(kind)) => Topic::ad_hoc(name, kind, settings.lake.retention)?,
        (None, None) => {
            if live.contains_key(name) && is_compacted(client, name)? {
                return Problem::usage("it is compacted, so it may be a table")
                    .about_topic(name)
                    .fix(format!(
                        "say --kind table or --kind stream, or give it a {} entry",
                        topic_heading(name)
                    ))
                    .err();
            }
            Topic::ad_hoc(name, Kind::Stream, settings.lake.retention)?
        }
    };
    if request.tables_only && topic.kind != Kind::Table {
        return Problem::usage(format!(
            "only table topics go to the warehouse, and {name} is a stream"
        ))
        .fix("if it is a table, say --kind table")
        .err();
    }
    Ok(topic)
}

fn is_compacted(client: &Client, topic: &str) -> Result<bool> {
    let told = client.topic_settings(&[topic.to_owned()]).remove(topic);
    let reason = match told {
        Some(Ok(settings)) => return Ok(settings.compacts()),
        Some(Err(error)) => format!("Kafka does not give its settings: {error}"),
        None => "Kafka does not give its settings".to_owned(),
    };
    Problem::new(reason).about_topic(topic).err()
}

pub(crate) fn glob(pattern: &str) -> Result<Option<GlobMatcher>> {
    if !pattern.contains(['*', '?', '[']) {
        return Ok(None);
    }
    match Glob::new(pattern) {
        Ok(glob) => Ok(Some(glob.compile_matcher())),
        Err(error) => Err(usage(format!("`{pattern}` is not a glob: {error}"))),
    }
}

fn matching(
    glob: &GlobMatcher,
    settings: &Settings,
    served: &dyn Fn(&Topic) -> bool,
    live: Option<&TopicList>,
) -> BTreeSet<String> {
    let configured = settings
        .topics
        .values()
        .filter(|topic| served(topic))
        .map(|topic| &topic.name);
    let others = live
        .into_iter()
        .flat_map(BTreeMap::keys)
        .filter(|name| !is_internal(name) && !settings.topics.contains_key(*name));
    configured
        .chain(others)
        .filter(|name| glob.is_match(name))
        .cloned()
        .collect()
}

fn what_globs_match(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(_) => "globs match the configured topics and Kafka's, but no internal ones",
        None => "globs match the configured topics, and Kafka's only with --kind",
    }
}

/// Whether the topic belongs to Kafka, ksqlDB or the Confluent platform itself.
pub(crate) fn is_internal(name: &str) -> bool {
    name.starts_with('_')
        || [
            "-changelog",
            "-repartition",
            "command_topic",
            "ksql_processing_log",
        ]
        .iter()
        .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_topics_are_known() {
        for name in [
            "__consumer_offsets",
            "_schemas",
            "_confluent-ksql-default_query_CTAS_T_1-Aggregate-GroupBy-repartition",
            "app-store-changelog",
            "default_ksql_processing_log",
        ] {
            assert!(is_internal(name), "{name}");
        }
        assert!(!is_internal("TRANSACTIONS_FLAT"));
    }
}
