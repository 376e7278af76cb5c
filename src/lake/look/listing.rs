//! The data files of a topic that readers may open, as the ledger lists them.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::config::{FileFormat, Kind};
use crate::lake::file::lines::Lines;
use crate::lake::file::parquet::{FileColumn, read_columns};
use crate::lake::layout::paths::day_folder;
use crate::lake::ledger::change_log::Since;
use crate::lake::ledger::{self, Manifest, TopicState, changed_since};
use crate::lake::opened::Lake;
use crate::lake::table::link_of;
use crate::problem::Problem;
use crate::report::PathsReport;
use crate::types::stored::StoredColumns;

/// Most commits put their files in place in less than this.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A topic's files between two commits.
#[derive(Debug, Clone)]
pub struct TopicFiles {
    pub kind: Kind,
    /// By day and name.
    pub files: Vec<DataFile>,
    /// The last commit that changed the files. Whoever has loaded them goes on from there.
    pub commit: u64,
    /// What has changed since the requested commit. None: the ledger does not remember that far back.
    pub since: Option<PathsReport>,
    /// A table's link in `current/`, and the file it points to; relative to the lake root.
    pub current: Option<(String, String)>,
    /// The columns of its Parquet files.
    pub columns: StoredColumns,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Relative to the lake root.
    pub path: String,
    pub day: String,
    pub records: u64,
    /// On disk.
    pub bytes: u64,
    /// The version of the topic's columns with which a Parquet file was written.
    pub columns: Option<u64>,
}

impl Lake<'_> {
    /// The names of all topics that the ledger knows.
    pub fn topic_names(&self) -> Result<Vec<String>> {
        ledger::topics(&self.root)
    }

    /// A topic's files, read without its lock: a commit that is made meanwhile is in the list as a whole or not at all.
    /// None: the ledger does not know the topic.
    ///
    /// # Errors
    /// A killed run left its commit half published.
    pub fn files(&self, topic: &str, since: Option<Since>) -> Result<Option<TopicFiles>> {
        let deadline = Instant::now() + PUBLISHED_WITHIN;
        loop {
            let Some(state) = TopicState::load(&self.root, topic)? else {
                return Ok(None);
            };
            if state.pending.is_none() {
                let files = self.listed(topic, &state, since)?;
                if TopicState::load(&self.root, topic)?.as_ref() == Some(&state) {
                    return Ok(Some(files));
                }
            } else if Instant::now() > deadline {
                return Problem::new("a run has committed, and not all of its files are in place yet")
                    .about_topic(topic)
                    .fix(format!(
                        "if none is at work, it was killed: run lakectl lake --topics {topic}, which finishes it, and try \
                         again"
                    ))
                    .err();
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn listed(&self, topic: &str, state: &TopicState, since: Option<Since>) -> Result<TopicFiles> {
        let mut files = Vec::new();
        let mut entries = BTreeMap::new();
        for day in Manifest::days(&self.root, topic)? {
            let name = day.to_string();
            let folder = day_folder(state.kind, topic, day);
            let known = Manifest::files_of(&self.root, topic, &name)?;
            for entry in known {
                let path = format!("{folder}/{}", entry.name);
                files.push(DataFile {
                    path: path.clone(),
                    day: name.clone(),
                    records: entry.records,
                    bytes: entry.bytes,
                    columns: entry.columns,
                });
                entries.insert(path, (name.clone(), entry));
            }
        }
        let current = state.snapshot.as_ref();
        Ok(TopicFiles {
            kind: state.kind,
            commit: state.changes.commit,
            files,
            since: since.and_then(|since| changed_since::since(topic, state, &entries, since)),
            current: current.map(|snapshot| (link_of(topic, &snapshot.path), snapshot.path.clone())),
            columns: state.columns.clone(),
        })
    }

    /// The columns with which a Parquet file was written. None: the file is gone, because it was replaced or purged meanwhile.
    pub fn columns_of(&self, path: &str) -> Result<Option<Vec<FileColumn>>> {
        let file = self.root.read(path)?;
        file.map(read_columns)
            .transpose()
            .with_context(|| format!("reading {}", self.root.shown(path)))
    }

    /// Calls `take` with each line of a data file, line feed included.
    /// False: the file is gone, because it was replaced or purged meanwhile.
    pub fn read_lines(&self, path: &str, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        let reading = || format!("reading {}", self.root.shown(path));
        let Some(file) = self.root.read(path)? else {
            return Ok(false);
        };
        let mut lines = Lines::new(file, FileFormat::of(path)).with_context(reading)?;
        let mut line = Vec::new();
        while lines.next(&mut line).with_context(reading)? {
            take(&line).with_context(reading)?;
        }
        Ok(true)
    }
}
