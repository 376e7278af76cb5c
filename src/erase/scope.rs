//! Where to erase: which of lake and warehouse can be opened, and which of their topics are meant.

use anyhow::{Context, Result};
use globset::GlobMatcher;
use std::collections::BTreeSet;

use super::ErasureRequest;
use crate::config::{Kind, Settings, Topic, did_you_mean};
use crate::decode::registry::Registry;
use crate::exit::usage;
use crate::lake::Lake;
use crate::problem::Problem;
use crate::run::select;
use crate::subjects::subject::Subject;
use crate::target::TargetKind;
use crate::warehouse::Warehouse;
use crate::words::listed;

/// The opened targets, and their topics that may hold a subject.
#[derive(Debug)]
pub(super) struct ErasureScope<'a> {
    pub(super) lake: Option<Lake<'a>>,
    pub(super) warehouse: Option<Warehouse>,
    pub(super) lake_topics: Vec<Topic>,
    pub(super) table_topics: Vec<Topic>,
    /// The topics that `--topics` names; None means all, including future ones.
    pub(super) named_topics: Option<Vec<String>>,
    pub(super) not_done: Vec<NotDone>,
    registry: Registry,
}

/// A target that is left out.
#[derive(Debug, Clone)]
pub(super) struct NotDone {
    pub(super) target: &'static str,
    pub(super) why: String,
    /// It is meant, but can't be reached.
    pub(super) unreached: bool,
}

impl<'a> ErasureScope<'a> {
    /// # Errors
    /// There is neither a lake nor a warehouse, or a topic is unknown: exit code 2.
    pub(super) fn open(request: &ErasureRequest, settings: &'a Settings) -> Result<ErasureScope<'a>> {
        let mut scope = ErasureScope {
            lake: None,
            warehouse: None,
            lake_topics: Vec::new(),
            table_topics: Vec::new(),
            named_topics: None,
            not_done: Vec::new(),
            registry: Registry::new(settings.registry.as_ref())?,
        };
        scope.open_lake(request.only, settings)?;
        scope.open_warehouse(request.only, settings)?;
        if scope.lake.is_none() && scope.warehouse.is_none() {
            let why: Vec<String> = scope.not_done.iter().map(|left| left.why.clone()).collect();
            return Err(usage(format!("nothing to erase from: {}", why.join("; "))));
        }
        scope.choose(&request.topics, settings, &request.subjects)?;
        Ok(scope)
    }

    fn open_lake(&mut self, only: Option<TargetKind>, settings: &'a Settings) -> Result<()> {
        if only == Some(TargetKind::Warehouse) {
            self.leave_out("lake", "--only warehouse".to_owned(), false);
            return Ok(());
        }
        match Lake::at(settings, false)? {
            Some(lake) => {
                for (name, kind) in lake.known_topics()? {
                    let mut topic = match settings.topics.get(&name) {
                        Some(topic) => topic.clone(),
                        None => Topic::ad_hoc(&name, kind.unwrap_or(Kind::Stream), None)?,
                    };
                    topic.kind = kind.unwrap_or(topic.kind);
                    self.lake_topics.push(topic);
                }
                self.lake = Some(lake);
            }
            None => {
                let why = format!(
                    "there is no lake at {} (is a disk not mounted, or lake.root wrong?)",
                    settings.lake.root.display()
                );
                self.leave_out("lake", why, true);
            }
        }
        Ok(())
    }

    fn open_warehouse(&mut self, only: Option<TargetKind>, settings: &Settings) -> Result<()> {
        if only == Some(TargetKind::Lake) {
            self.leave_out("warehouse", "--only lake".to_owned(), false);
            return Ok(());
        }
        let Some(database) = &settings.database else {
            self.leave_out("warehouse", "no warehouse is configured".to_owned(), false);
            return Ok(());
        };
        match Warehouse::connect(database) {
            Ok(warehouse) => {
                let warehouse = warehouse.with_registry(self.registry.clone());
                self.table_topics = warehouse.loaded_topics(settings)?;
                self.warehouse = Some(warehouse);
                Ok(())
            }
            // If nothing else was asked for, it is an error.
            Err(error) if only.is_some() => Err(error),
            Err(error) => {
                self.leave_out("warehouse", format!("{error:#}"), true);
                Ok(())
            }
        }
    }

    fn leave_out(&mut self, target: &'static str, why: String, unreached: bool) {
        self.not_done.push(NotDone {
            target,
            why,
            unreached,
        });
    }

    /// Checks that the registry answers, if a topic needs it to show whose its records are. It is asked once.
    ///
    /// # Errors
    /// It does not answer: exit code 1. None is configured: exit code 2. The topics are named.
    pub(super) fn check_registry(&self) -> Result<()> {
        let topics = self.lake_topics.iter().chain(&self.table_topics);
        let needing: BTreeSet<&str> = topics
            .filter(|topic| topic.needs_registry())
            .map(|topic| topic.name.as_str())
            .collect();
        let needing: Vec<&str> = needing.into_iter().collect();
        let Some(first) = needing.first() else {
            return Ok(());
        };
        self.registry.answers(first).with_context(|| {
            let (topics, have) = if needing.len() == 1 {
                ("topic", "has")
            } else {
                ("topics", "have")
            };
            format!(
                "nothing was erased, because {topics} {} {have} schemas in the registry",
                listed(&needing)
            )
        })
    }

    /// Keeps the named topics that may hold a subject.
    fn choose(&mut self, patterns: &[String], settings: &Settings, subjects: &[Subject]) -> Result<()> {
        let found = self.lake_topics.iter().chain(&self.table_topics);
        let known: BTreeSet<String> = found
            .map(|topic| topic.name.clone())
            .chain(settings.topics.keys().cloned())
            .collect();
        let mut named = BTreeSet::new();
        for pattern in patterns {
            named.extend(expand(pattern, &known)?);
        }
        for subject in subjects {
            let Subject::Key { topic, .. } = subject else {
                continue;
            };
            check_known(topic, &known)?;
            if !patterns.is_empty() && !named.contains(topic) {
                return Err(usage(format!("--key names {topic}, but --topics leaves it out")));
            }
        }
        let meant = |topic: &Topic| {
            (patterns.is_empty() || named.contains(&topic.name))
                && subjects.iter().any(|subject| subject.applies_to(&topic.name))
        };
        self.lake_topics.retain(meant);
        self.table_topics.retain(meant);
        self.named_topics = (!patterns.is_empty()).then(|| named.into_iter().collect());
        Ok(())
    }
}

fn expand(pattern: &str, known: &BTreeSet<String>) -> Result<Vec<String>> {
    let Some(glob): Option<GlobMatcher> = select::glob(pattern)? else {
        check_known(pattern, known)?;
        return Ok(vec![pattern.to_owned()]);
    };
    let names: Vec<String> = known.iter().filter(|name| glob.is_match(name)).cloned().collect();
    if names.is_empty() {
        Err(usage(format!(
            "no topic of the lake, the warehouse or the configuration matches `{pattern}`"
        )))
    } else {
        Ok(names)
    }
}

fn check_known(topic: &str, known: &BTreeSet<String>) -> Result<()> {
    if known.contains(topic) {
        return Ok(());
    }
    Problem::usage(format!(
        "topic {topic} is neither in the lake, nor in the warehouse, nor configured"
    ))
    .fix_if_known(did_you_mean(topic, known.iter().map(String::as_str)))
    .err()
}
