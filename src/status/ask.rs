//! Asks lake, database and Kafka, each within seconds. The targets are asked before Kafka's ends: if a run commits meanwhile,
//! the lag is too large, but never negative.

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ends::Ends;
use super::model::{Source, TopicStatus};
use super::topics::Answers;
use crate::config::{Kind, Settings};
use crate::kafka::{Client, TopicList};
use crate::lake::Ledger;
use crate::problem::{Problem, unexpected};
use crate::run::select;
use crate::warehouse::{self, TableStanding};

/// How long Kafka, and MySQL, may take over one question.
const PATIENCE: Duration = Duration::from_secs(4);

/// The status: what is known, and which of the three gave no answer.
#[derive(Debug)]
pub struct StatusAnswer {
    pub asked: DateTime<Utc>,
    /// In the lake's time zone.
    pub today: NaiveDate,
    pub lake_root: String,
    pub brokers: String,
    /// Without a password.
    pub database: Option<String>,
    pub lake: Source,
    pub kafka: Source,
    pub warehouse: Source,
    /// For a person: what would stop a run or is unknown, of which topic, and what to do.
    pub warnings: Vec<Problem>,
    pub topics: Vec<TopicStatus>,
}

impl StatusAnswer {
    /// Whether lake, Kafka or warehouse has answered.
    pub fn heard_anything(&self) -> bool {
        [&self.lake, &self.kafka, &self.warehouse].contains(&&Source::Answered)
    }

    /// Where was asked, and whether there was an answer, for the report.
    pub fn outcome(&self) -> Value {
        let state = |source: &Source| match source {
            Source::Answered => "ok",
            Source::Absent(_) => "none",
            Source::Silent => "unknown",
        };
        json!({
            "kafka": { "brokers": self.brokers, "state": state(&self.kafka) },
            "lake": { "root": self.lake_root, "state": state(&self.lake) },
            "warehouse": { "database": self.database, "state": state(&self.warehouse) },
        })
    }
}

/// # Errors
/// The configuration is wrong, or a topic is unknown: exit code 2. A source that gives no answer is not an error.
pub fn ask(settings: &Settings, patterns: &[String]) -> Result<StatusAnswer> {
    let client = Client::new(&settings.kafka, "lake")?.answering_within(PATIENCE);
    let asked = Utc::now();
    let mut status = StatusAnswer {
        asked,
        today: asked.with_timezone(&settings.lake.timezone).date_naive(),
        lake_root: whole(&settings.lake.root).display().to_string(),
        brokers: settings.kafka.brokers.clone(),
        database: settings.database.as_ref().map(|database| database.shown()),
        lake: Source::Answered,
        kafka: Source::Answered,
        warehouse: Source::Answered,
        warnings: Vec::new(),
        topics: Vec::new(),
    };
    let (live, tables) = std::thread::scope(|scope| {
        let kafka = scope.spawn(|| client.topics());
        let tables = ask_database(settings);
        let broken = || Err(unexpected("asking Kafka failed unexpectedly"));
        (kafka.join().unwrap_or_else(|_| broken()), tables)
    });
    let tables = status.hear_database(tables);
    let ledger = status.hear_lake(Ledger::at(settings));
    let in_ledger = match ledger.as_ref().map_or_else(|| Ok(Vec::new()), Ledger::topics) {
        Ok(topics) => topics,
        Err(error) => {
            status.lake = Source::Silent;
            status.warnings.push(Problem::of(&error));
            Vec::new()
        }
    };
    let mut ends = Ends {
        topics: status.hear_kafka(live),
        ..Ends::default()
    };
    let chosen = choose(settings, patterns, &in_ledger, &tables, ends.topics.as_ref())?;
    status.miss_topics(settings, &chosen, ends.topics.as_ref());
    let mut standings = BTreeMap::new();
    for topic in &chosen {
        if let Some(ledger) = &ledger {
            let configured = settings.topics.get(topic).filter(|topic| topic.lake_enabled);
            let standing = ledger.standing(topic, configured);
            standings.insert(topic.clone(), (standing, ledger.last_run(topic)));
        }
    }
    if let Err(error) = ends.fetch(&client, &chosen) {
        status.kafka = Source::Silent;
        status.warnings.push(Problem::of(&error));
    }
    status.warnings.append(&mut ends.warnings);
    status.miss_lake(settings, &client, &ends, &chosen);
    let mut facts = Answers {
        settings,
        lake: status.lake.clone(),
        warehouse: status.warehouse.clone(),
        standings,
        tables,
        ends,
        warnings: Vec::new(),
    };
    status.topics = chosen.iter().map(|topic| facts.of(topic)).collect();
    status.warnings.append(&mut facts.warnings);
    Ok(status)
}

/// The absolute path, as the page may be read from anywhere.
fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// None: no warehouse is configured.
fn ask_database(settings: &Settings) -> Option<Result<Vec<TableStanding>>> {
    let tables: Vec<(String, String)> = settings
        .topics
        .values()
        .filter(|topic| topic.kind == Kind::Table && topic.warehouse_enabled)
        .map(|topic| (topic.name.clone(), topic.table.clone()))
        .collect();
    let database = settings.database.as_ref()?;
    Some(warehouse::standing(database, &tables, PATIENCE))
}

impl StatusAnswer {
    fn hear_database(&mut self, answer: Option<Result<Vec<TableStanding>>>) -> Vec<TableStanding> {
        match answer {
            Some(Ok(tables)) => return tables,
            Some(Err(error)) => {
                self.warehouse = Source::Silent;
                self.warnings.push(Problem::of(&error));
            }
            None => self.warehouse = Source::Absent("no warehouse is configured"),
        }
        Vec::new()
    }

    fn hear_lake(&mut self, answer: Result<Option<Ledger>>) -> Option<Ledger> {
        match answer {
            Ok(Some(ledger)) => {
                self.warnings.extend(ledger.misfit.clone());
                Some(ledger)
            }
            Ok(None) => {
                self.lake = Source::Absent("no lake yet");
                None
            }
            Err(error) => {
                self.lake = Source::Silent;
                let problem = Problem::of(&error.context("the lake can't be read"));
                self.warnings
                    .push(problem.fix("is its disk mounted, and may this user read it?"));
                None
            }
        }
    }

    fn hear_kafka(&mut self, answer: Result<TopicList>) -> Option<TopicList> {
        match answer {
            Ok(topics) => Some(topics),
            Err(error) => {
                self.kafka = Source::Silent;
                self.warnings.push(Problem::of(&error));
                None
            }
        }
    }
}

impl StatusAnswer {
    /// Warns if there is no lake, but Kafka's group has offsets: its disk may not be mounted, and the next run will refuse.
    fn miss_lake(&mut self, settings: &Settings, client: &Client, ends: &Ends, chosen: &BTreeSet<String>) {
        let (Source::Absent(_), Source::Answered) = (&self.lake, &self.kafka) else {
            return;
        };
        let wanted = ends.wanted(chosen);
        let remembered = !wanted.is_empty() && client.has_mirror(&wanted).unwrap_or(false);
        // A first run may have made one meanwhile.
        if remembered && matches!(Ledger::at(settings), Ok(None)) {
            let what = format!(
                "there is no lake at {}, but Kafka's group {} has been through these topics",
                self.lake_root,
                client.group()
            );
            self.warnings
                .push(Problem::new(what).fix("is a disk not mounted, or lake.root wrong?"));
        }
    }

    /// Warns of configured topics that Kafka lacks, on which the next runs would fail.
    fn miss_topics(&mut self, settings: &Settings, chosen: &BTreeSet<String>, live: Option<&TopicList>) {
        let wanted = chosen.iter().filter(|topic| settings.topics.contains_key(*topic));
        for topic in wanted.filter(|topic| live.is_some_and(|live| !live.contains_key(*topic))) {
            self.warnings.push(
                Problem::new("Kafka has no such topic, or does not show it to this account")
                    .about_topic(topic)
                    .fix("make it, or take its entry out of the configuration"),
            );
        }
    }
}

/// The topics of configuration, lake and database, or those of them that `--topics` names. A topic that only Kafka has must
/// be given by its name.
fn choose(
    settings: &Settings,
    patterns: &[String],
    in_ledger: &[String],
    tables: &[TableStanding],
    live: Option<&TopicList>,
) -> Result<BTreeSet<String>> {
    let mut known: BTreeSet<String> = settings.topics.keys().chain(in_ledger).cloned().collect();
    known.extend(tables.iter().map(|table| table.topic.clone()));
    let named = patterns
        .iter()
        .filter(|pattern| live.is_some_and(|live| live.contains_key(*pattern)));
    known.extend(named.cloned());
    let matches = select::among(
        patterns,
        &known.iter().map(String::as_str).collect::<Vec<_>>(),
        "neither configuration, lake, warehouse nor Kafka knows",
    )?;
    known.retain(|topic| matches(topic));
    Ok(known)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::model::{DayStatus, LakeStatus};
    use super::*;

    /// So many streams that all have these days and records.
    pub(in crate::status) fn of_streams(
        topics: usize,
        today: NaiveDate,
        days: Vec<(NaiveDate, u64)>,
    ) -> StatusAnswer {
        let day = |(day, records): &(NaiveDate, u64)| DayStatus {
            day: *day,
            records: *records,
            files: 1,
            bytes: 1,
        };
        let lake = LakeStatus {
            by_day: days.iter().map(day).collect(),
            ..LakeStatus::unknown(None)
        };
        let topic = |number| TopicStatus {
            topic: format!("topic.with-a_name.{number}"),
            kind: Kind::Stream,
            configured: true,
            in_kafka: None,
            lake: Some(lake.clone()),
            tables: Vec::new(),
        };
        StatusAnswer {
            asked: Utc::now(),
            today,
            lake_root: "/lake".to_owned(),
            brokers: "localhost:9092".to_owned(),
            database: None,
            lake: Source::Answered,
            kafka: Source::Silent,
            warehouse: Source::Absent("no warehouse is configured"),
            warnings: Vec::new(),
            topics: (0..topics).map(topic).collect(),
        }
    }
}
