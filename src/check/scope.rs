//! The topics to check, by configuration and flags. Kafka is not asked: it may be down.

use anyhow::Result;
use std::collections::BTreeMap;

use super::CheckScope;
use crate::config::{Kind, Topic, check_topic_name};
use crate::exit::usage;
use crate::run::select::glob;

/// A topic, and whether its kind is only guessed.
#[derive(Debug)]
pub(super) struct CheckedTopic {
    pub(super) topic: Topic,
    pub(super) guessed: bool,
}

impl CheckedTopic {
    pub(super) fn name(&self) -> &str {
        &self.topic.name
    }

    pub(super) fn goes_to_lake(&self, scope: &CheckScope<'_>) -> bool {
        scope.lake && self.topic.lake_enabled
    }

    pub(super) fn goes_to_warehouse(&self, scope: &CheckScope<'_>) -> bool {
        scope.warehouse && self.topic.warehouse_enabled && self.topic.kind == Kind::Table
    }
}

/// About how much the next run of `lake` would write.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ToCome {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// The configured topics, or those that `--topics` names, in the order of their names.
///
/// # Errors
/// A glob that matches nothing, an illegal name, a kind that differs from the configured one: exit code 2.
pub(super) fn topics(scope: &CheckScope<'_>) -> Result<Vec<CheckedTopic>> {
    let configured = &scope.settings.topics;
    let mut chosen: BTreeMap<String, CheckedTopic> = BTreeMap::new();
    let mut add = |topic: Topic, guessed| {
        chosen.insert(topic.name.clone(), CheckedTopic { topic, guessed });
    };
    if scope.request.topics.is_empty() {
        configured.values().for_each(|topic| add(topic.clone(), false));
    }
    for pattern in scope.request.topics.iter().map(|pattern| pattern.trim()) {
        let Some(glob) = glob(pattern)? else {
            let (topic, guessed) = named(scope, pattern)?;
            add(topic, guessed);
            continue;
        };
        let fitting: Vec<&Topic> = configured.values().filter(|t| glob.is_match(&t.name)).collect();
        if fitting.is_empty() {
            return Err(usage(format!("no configured topic matches `{pattern}`")));
        }
        fitting.into_iter().for_each(|topic| add(topic.clone(), false));
    }
    let served = |subject: &CheckedTopic| subject.goes_to_lake(scope) || subject.goes_to_warehouse(scope);
    Ok(chosen.into_values().filter(served).collect())
}

fn named(scope: &CheckScope<'_>, name: &str) -> Result<(Topic, bool)> {
    check_topic_name(name)?;
    match (scope.settings.topics.get(name), scope.request.kind) {
        (Some(topic), Some(kind)) if topic.kind != kind => Err(usage(format!(
            "--kind {kind}: topic {name} is configured as a {}",
            topic.kind
        ))),
        (Some(topic), _) => Ok((topic.clone(), false)),
        (None, kind) => {
            let retention = scope.settings.lake.retention;
            let topic = Topic::ad_hoc(name, kind.unwrap_or(Kind::Stream), retention)?;
            Ok((topic, kind.is_none()))
        }
    }
}
