//! What an erasure found and did, for scripts, for people and for the audit trail: hashes and counts, never the subject.

mod warnings;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::scope::{ErasureScope, NotDone};
use crate::config::Topic;
use crate::exit;
use crate::lake::{FileHits, LakeHits};
use crate::report;
use crate::subjects::list::{EVERY_TOPIC, ErasureSecret, Erasures};
use crate::subjects::subject::Subject;
use crate::warehouse::{DependentRows, TableHits};
use crate::words::count;

/// Files that a list for people has at most; the JSON has all.
const FILES_SHOWN: usize = 1_000;
const HASH_SHOWN: usize = 16;

/// Places that lakectl can't erase from, beside Kafka.
const UNREACHABLE: [&str; 3] = [
    "backups and snapshots of the lake and of MySQL: restored, they bring the person back until the same erasure is run again",
    "copies that readers of lake and warehouse have made",
    "MySQL's binary logs, until they expire",
];
/// What stays in Kafka after an erasure, and after one that is planned.
const IN_KAFKA: &str = "Kafka: the records stay in their topics until retention or compaction takes them; drains leave \
     them out from now on";
const IN_KAFKA_BY_PLAN: &str = "Kafka: the records stay in their topics until retention or compaction takes them; drains leave \
     them out then";

/// The report's `erased`.
#[derive(Debug, Clone, Serialize)]
pub struct ErasureOutcome {
    erased: ErasedCounts,
}

#[derive(Debug, Clone, Default, Serialize)]
struct ErasedCounts {
    /// The hash of the first subject; null in a dry run if nothing was ever erased.
    hash: Option<String>,
    subjects: Vec<SubjectReport>,
    lines: u64,
    rows: u64,
    files: Vec<FileReport>,
    tables: Vec<TableReport>,
    not_searchable: Vec<FileReport>,
    mentions: Vec<FileReport>,
    without_key: Vec<TopicLines>,
    unreachable: Vec<&'static str>,
    not_done: Vec<NotDoneReport>,
    locked: Vec<String>,
    failed: Vec<ErasureFailure>,
}

#[derive(Debug, Clone, Serialize)]
struct SubjectReport {
    /// A topic, or `*`.
    topic: String,
    /// The path of the field; null means the record's key.
    field: Option<String>,
    hash: Option<String>,
    /// The hash for MySQL, if its key differs from the lake's.
    #[serde(skip_serializing_if = "Option::is_none")]
    warehouse_hash: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct FileReport {
    topic: String,
    path: String,
    lines: u64,
}

#[derive(Debug, Clone, Serialize)]
struct TableReport {
    topic: String,
    table: String,
    rows: u64,
    /// Rows of `lakectl_rejects`.
    rejects: u64,
    /// Rejected records that may be the subject's, as "Kafka partition/offset": they stay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    doubtful_rejects: Vec<String>,
    /// Further rows whose deletion was sent, but the server's answer never came.
    #[serde(skip_serializing_if = "report::is_zero")]
    unknown: u64,
    /// JSON columns, which are not searched.
    unsearched: Vec<String>,
    /// Rows of other tables that went, or lost their reference, with these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependents: Vec<DependentRows>,
    /// Versions of rows in the history of a system-versioned table, which stay.
    #[serde(skip_serializing_if = "report::is_zero")]
    history: u64,
}

#[derive(Debug, Clone, Serialize)]
struct TopicLines {
    topic: String,
    lines: u64,
}

#[derive(Debug, Clone, Serialize)]
struct NotDoneReport {
    target: &'static str,
    why: String,
    unreached: bool,
}

#[derive(Debug, Clone, Serialize)]
struct ErasureFailure {
    what: String,
    error: String,
    #[serde(skip)]
    exit_code: u8,
}

impl ErasureOutcome {
    pub(super) fn new(scope: &ErasureScope<'_>) -> ErasureOutcome {
        let not_done = |left: &NotDone| NotDoneReport {
            target: left.target,
            why: left.why.clone(),
            unreached: left.unreached,
        };
        ErasureOutcome {
            erased: ErasedCounts {
                unreachable: [&[IN_KAFKA][..], &UNREACHABLE].concat(),
                not_done: scope.not_done.iter().map(not_done).collect(),
                ..ErasedCounts::default()
            },
        }
    }

    /// Sets the hashes of the subjects, and returns the secret for targets that have none.
    pub(super) fn name_subjects(
        &mut self,
        scope: &ErasureScope<'_>,
        subjects: &[Subject],
        dry_run: bool,
    ) -> Result<ErasureSecret> {
        let lake = scope.lake.as_ref().map(|lake| lake.erasures()).transpose()?;
        let warehouse = scope.warehouse.as_ref().map(|w| w.erasures()).transpose()?;
        let secret_of = |registry: &Option<Erasures>| registry.as_ref().and_then(|r| r.secret.clone());
        let known = secret_of(&lake).or_else(|| secret_of(&warehouse));
        let secret = match &known {
            Some(secret) => secret.clone(),
            None => ErasureSecret::random()?,
        };
        // A dry run keeps no secret, and a hash by a secret that is thrown away is useless.
        let tell = known.is_some() || !dry_run;
        let other = secret_of(&warehouse).filter(|other| *other != secret);
        for subject in subjects {
            let (topic, field) = match subject {
                Subject::Key { topic, .. } => (topic.clone(), None),
                Subject::Field { path, .. } => {
                    let topics = scope.named_topics.as_ref().map(|names| names.join(","));
                    (
                        topics.unwrap_or_else(|| EVERY_TOPIC.to_owned()),
                        Some(path.clone()),
                    )
                }
            };
            self.erased.subjects.push(SubjectReport {
                topic,
                field,
                hash: tell.then(|| secret.of_subject(subject)),
                warehouse_hash: other.as_ref().map(|other| other.of_subject(subject)),
            });
        }
        self.erased.hash = self.erased.subjects.first().and_then(|first| first.hash.clone());
        Ok(secret)
    }

    /// Clears what was found, to be filled with what is done.
    pub(super) fn clear(&mut self) {
        let kept = std::mem::take(&mut self.erased);
        self.erased = ErasedCounts {
            hash: kept.hash,
            subjects: kept.subjects,
            unreachable: kept.unreachable,
            not_done: kept.not_done,
            ..ErasedCounts::default()
        };
    }

    pub(super) fn add_files(&mut self, topic: &str, found: &LakeHits) {
        let report = |hits: &FileHits| FileReport {
            topic: topic.to_owned(),
            path: hits.path.clone(),
            lines: hits.lines,
        };
        let erased = &mut self.erased;
        erased.lines += found.files.iter().map(|file| file.lines).sum::<u64>();
        erased.files.extend(found.files.iter().map(report));
        erased
            .not_searchable
            .extend(found.not_searchable.iter().map(report));
        erased.mentions.extend(found.mentions.iter().map(report));
        if found.without_key > 0 {
            erased.without_key.push(TopicLines {
                topic: topic.to_owned(),
                lines: found.without_key,
            });
        }
        for (path, error) in &found.failed {
            erased.failed.push(ErasureFailure {
                what: path.clone(),
                error: error.clone(),
                exit_code: exit::FAILED,
            });
        }
    }

    /// `unknown`: rows that may or may not be deleted.
    pub(super) fn add_rows(&mut self, topic: &Topic, hits: TableHits, unknown: u64) {
        if hits.table.is_none() && hits.rejects + unknown == 0 && hits.doubtful_rejects.is_empty() {
            return;
        }
        self.erased.rows += hits.rows;
        self.erased.tables.push(TableReport {
            topic: topic.name.clone(),
            table: hits.table.unwrap_or_else(|| topic.table.clone()),
            rows: hits.rows,
            rejects: hits.rejects,
            doubtful_rejects: hits
                .doubtful_rejects
                .iter()
                .map(|(partition, offset)| format!("{partition}/{offset}"))
                .collect(),
            unknown,
            unsearched: hits.unsearched,
            dependents: hits.dependents,
            history: hits.history,
        });
    }

    pub(super) fn lock_out(&mut self, holder: String) {
        self.erased.locked.push(holder);
    }

    pub(super) fn fail(&mut self, what: String, error: &anyhow::Error) {
        self.erased.failed.push(ErasureFailure {
            what,
            error: format!("{error:#}"),
            exit_code: exit::code_of(error),
        });
    }

    pub(super) fn failures(&self) -> Vec<String> {
        let shown = |failure: &ErasureFailure| format!("{}: {}", failure.what, failure.error);
        self.erased.failed.iter().map(shown).collect()
    }

    pub(super) fn exit_code(&self) -> u8 {
        let erased = &self.erased;
        let left = !erased.not_searchable.is_empty()
            || !erased.mentions.is_empty()
            || !erased.without_key.is_empty()
            || erased.tables.iter().any(|table| {
                !table.unsearched.is_empty() || !table.doubtful_rejects.is_empty() || table.history > 0
            })
            || erased.not_done.iter().any(|left| left.unreached);
        let attention = if left { exit::ATTENTION } else { exit::DONE };
        let locked = if erased.locked.is_empty() {
            exit::DONE
        } else {
            exit::LOCKED
        };
        let failed = erased.failed.iter().map(|failure| failure.exit_code);
        exit::worst(failed.chain([attention, locked]))
    }

    /// The result for people, line by line. `plan`: nothing was done yet.
    pub(super) fn text(&self, plan: bool) -> Vec<String> {
        let erased = &self.erased;
        let mut text = Vec::new();
        for subject in &erased.subjects {
            let what = match &subject.field {
                Some(path) => format!("a value of {path} in topics {}", subject.topic),
                None => format!("a key of topic {}", subject.topic),
            };
            let hash = subject.hash.as_deref().map_or(String::new(), |hash| {
                format!(", known from now on as {}…", &hash[..HASH_SHOWN.min(hash.len())])
            });
            text.push(format!("{what}{hash}"));
        }
        for file in erased.files.iter().take(FILES_SHOWN) {
            text.push(format!("  {}: {}", file.path, count(file.lines, "line")));
        }
        if erased.files.len() > FILES_SHOWN {
            text.push(format!(
                "  and {} (all in --json)",
                count((erased.files.len() - FILES_SHOWN) as u64, "more file")
            ));
        }
        for table in erased
            .tables
            .iter()
            .filter(|table| table.rows + table.rejects + table.unknown > 0)
        {
            text.push(format!(
                "  table `{}`: {}, {}",
                table.table,
                count(table.rows, "row"),
                count(table.rejects, "rejected record")
            ));
            if table.unknown > 0 {
                text.push(format!(
                    "    of {} more it is unknown whether they were erased: the server's answer never came",
                    count(table.unknown, "row")
                ));
            }
            let along = table.dependents.iter().filter(|rows| rows.may_be_some());
            text.extend(along.map(|rows| format!("    along with them: {rows}")));
        }
        text.push(format!(
            "{}: {} in {}, {}",
            if plan { "would erase" } else { "erased" },
            count(erased.lines, "line"),
            count(erased.files.len() as u64, "file"),
            count(erased.rows, "row")
        ));
        for left in &erased.not_done {
            let not_done = if plan { "would not be done" } else { "not done" };
            text.push(format!("{not_done}: the {} ({})", left.target, left.why));
        }
        let (unreachable, in_kafka) = if plan {
            ("would not reach", IN_KAFKA_BY_PLAN)
        } else {
            ("not reached", IN_KAFKA)
        };
        let places = [in_kafka].into_iter().chain(UNREACHABLE);
        text.extend(places.map(|what| format!("{unreachable}: {what}")));
        text
    }

    /// The entry in the audit trail: the hashes of the erased persons, and how much was erased.
    pub fn audit(&self) -> serde_json::Value {
        let erased = &self.erased;
        let sum = |pick: fn(&TableReport) -> u64| erased.tables.iter().map(pick).sum::<u64>();
        let mut audit = json!({
            "subjects": erased.subjects,
            "lines": erased.lines,
            "files": erased.files.len(),
            "rows": erased.rows,
            "rejects": sum(|table| table.rejects),
            "not_searchable": erased.not_searchable.len(),
            "mentions": erased.mentions.len(),
            "not_done": erased.not_done,
            "locked": erased.locked.len(),
            "failed": erased.failed.len(),
        });
        let unknown = sum(|table| table.unknown);
        let doubtful = sum(|table| table.doubtful_rejects.len() as u64);
        let history = sum(|table| table.history);
        for (name, number) in [
            ("unknown", unknown),
            ("doubtful_rejects", doubtful),
            ("history", history),
        ] {
            if number > 0 {
                audit[name] = json!(number);
            }
        }
        let dependents: Vec<_> = erased.tables.iter().flat_map(|table| &table.dependents).collect();
        if !dependents.is_empty() {
            audit["dependents"] = json!(dependents);
        }
        audit
    }
}
