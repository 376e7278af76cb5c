//! Puts a topic's status together from all answers.

use anyhow::Result;
use std::collections::BTreeMap;

use super::ends::Ends;
use super::model::{
    ColumnStatus, DayStatus, LakeState, LakeStatus, PartitionStatus, RowRetentionStatus, RowsPurgedBefore,
    RunStatus, Source, TableStatus, TopicStatus,
};
use crate::config::{Kind, Settings, Topic};
use crate::kafka::{self, Accept, From, LogChanges};
use crate::lake::layout::paths::HivePartition;
use crate::lake::{DayCount, LastRun, Standing};
use crate::problem::{Problem, ProblemSubject};
use crate::record::Progress;
use crate::warehouse::TableStanding;

/// All answers.
pub(super) struct Answers<'a> {
    pub(super) settings: &'a Settings,
    pub(super) lake: Source,
    pub(super) warehouse: Source,
    pub(super) standings: BTreeMap<String, (Result<Option<Standing>>, Option<LastRun>)>,
    pub(super) tables: Vec<TableStanding>,
    pub(super) ends: Ends,
    pub(super) warnings: Vec<Problem>,
}

/// The lag of a target, in total and by Kafka partition.
#[derive(Default)]
struct Distance {
    lag: Option<u64>,
    partitions: Vec<PartitionStatus>,
}

impl Answers<'_> {
    pub(super) fn of(&mut self, name: &str) -> TopicStatus {
        let settings = self.settings;
        let configured = settings.topics.get(name);
        let in_kafka = self.ends.topics.as_ref().map(|live| live.contains_key(name));
        if let Some(Err(error)) = self.ends.offsets.get(name) {
            let error = error.clone();
            self.warn(name, &error);
        }
        let found = self.standings.remove(name);
        let tables: Vec<TableStanding> = self.tables.extract_if(.., |table| table.topic == name).collect();
        let from_ledger = match &found {
            Some((Ok(Some(standing)), _)) => Some(standing.kind),
            _ => None,
        };
        let from_database = (!tables.is_empty()).then_some(Kind::Table);
        let kind = configured.map(|topic| topic.kind);
        TopicStatus {
            topic: name.to_owned(),
            kind: kind.or(from_ledger).or(from_database).unwrap_or(Kind::Stream),
            configured: configured.is_some(),
            in_kafka,
            lake: self.lake_status(name, configured, found),
            tables: self.table_statuses(name, configured, tables),
        }
    }

    /// Warns once, as lake and warehouse may give the same error.
    fn warn(&mut self, topic: &str, problem: &Problem) {
        let mut warning = problem.clone();
        warning
            .subject
            .get_or_insert_with(|| ProblemSubject::topic(topic));
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn lake_status(
        &mut self,
        name: &str,
        configured: Option<&Topic>,
        found: Option<(Result<Option<Standing>>, Option<LastRun>)>,
    ) -> Option<LakeStatus> {
        let expected = configured.is_some_and(|topic| topic.lake_enabled);
        let (standing, last_run) = match found {
            Some((standing, last_run)) => (Some(standing), last_run),
            None => (None, None),
        };
        let mut status = LakeStatus::unknown(configured);
        status.last_run = last_run.map(|run| RunStatus {
            run_id: run.run_id,
            started: run.started,
        });
        match standing {
            Some(Ok(Some(standing))) => {
                status.fill(name, &standing);
                if let Some(misfit) = &standing.misfit {
                    self.warn(name, misfit);
                }
                self.measure(name, &standing.progress)
                    .into_parts(&mut status.lag, &mut status.partitions);
            }
            Some(Err(error)) => {
                let problem = Problem::of(&error);
                self.warn(name, &problem);
                status.state = LakeState::Damaged;
                status.error = Some(problem.to_string());
            }
            None if matches!(self.lake, Source::Silent) => {}
            Some(Ok(None)) | None if expected => {
                status.fill_as_new();
                self.measure(name, &Progress::default())
                    .into_parts(&mut status.lag, &mut status.partitions);
            }
            Some(Ok(None)) | None => return None,
        }
        Some(status)
    }

    fn table_statuses(
        &mut self,
        name: &str,
        configured: Option<&Topic>,
        tables: Vec<TableStanding>,
    ) -> Vec<TableStatus> {
        let expected = configured.filter(|topic| topic.kind == Kind::Table && topic.warehouse_enabled);
        if let (Source::Silent, Some(topic)) = (&self.warehouse, expected) {
            return vec![TableStatus::unknown(&topic.table, expected)];
        }
        tables
            .into_iter()
            .map(|table| self.table_status(name, expected, table))
            .collect()
    }

    fn table_status(&mut self, name: &str, expected: Option<&Topic>, found: TableStanding) -> TableStatus {
        let ours = expected.filter(|_| found.configured);
        let mut status = TableStatus::unknown(&found.table, ours);
        if !found.exists && ours.is_some() {
            let problem = Problem::new(format!("there is no table `{}`", found.table)).fix(
                "lakectl's own tables come with `lakectl init-db`, others with `lakectl init-db --for TOPIC`",
            );
            self.warn(name, &problem);
            status.error = Some(problem.to_string());
        }
        // A table that the topic no longer fills has no lag.
        if ours.is_some() {
            self.measure(name, &found.progress)
                .into_parts(&mut status.lag, &mut status.partitions);
        } else {
            status.partitions = progress_alone(&found.progress);
        }
        status.committed = found.committed;
        status.rows = found.rows.map(|count| count.rows);
        status.rows_exact = found.rows.is_some_and(|count| count.exact);
        status.rejects = Some(found.rejects);
        status.rejects_by_reason = found.reasons;
        status.purged_before = found
            .purged_before
            .into_iter()
            .map(|(column, before)| RowsPurgedBefore { column, before })
            .collect();
        status
    }

    /// The lag, which is what the next run would read. A topic that it would refuse has no lag, but a warning with the error of
    /// such a run.
    fn measure(&mut self, name: &str, progress: &Progress) -> Distance {
        let Some(Ok(offsets)) = self.ends.offsets.get(name) else {
            return Distance {
                lag: None,
                partitions: progress_alone(progress),
            };
        };
        let id = self.ends.ids.get(name).map(String::as_str);
        let plan = |gap| {
            let accept = Accept {
                gap,
                recreated: false,
            };
            // Whether the log is still the same only reading it would tell.
            let unchanged = LogChanges::new();
            kafka::plan(name, offsets, id, progress, &unchanged, &From::Earliest, accept)
        };
        let refusal = plan(false).err();
        let ranges = plan(true).map(|plan| plan.ranges).unwrap_or_default();
        let mut partitions: Vec<_> = ranges
            .iter()
            .map(|range| PartitionStatus {
                partition: range.partition,
                next: progress.next.get(&range.partition).copied(),
                end: Some(range.end),
                lag: Some((range.end - range.start).max(0).unsigned_abs()),
            })
            .collect();
        let lag = partitions.iter().filter_map(|part| part.lag).sum();
        let known = !partitions.is_empty() || offsets.is_empty();
        if !known {
            partitions = progress_alone(progress);
        }
        if let Some(error) = refusal {
            self.warn(name, &Problem::of(&error));
        }
        Distance {
            lag: known.then_some(lag),
            partitions,
        }
    }
}

impl Distance {
    fn into_parts(self, lag: &mut Option<u64>, partitions: &mut Vec<PartitionStatus>) {
        *lag = self.lag;
        *partitions = self.partitions;
    }
}

fn progress_alone(progress: &Progress) -> Vec<PartitionStatus> {
    progress
        .next
        .iter()
        .map(|(&partition, &next)| PartitionStatus {
            partition,
            next: Some(next),
            end: None,
            lag: None,
        })
        .collect()
}

impl LakeStatus {
    pub(super) fn unknown(configured: Option<&Topic>) -> LakeStatus {
        LakeStatus {
            state: LakeState::Unknown,
            error: None,
            lag: None,
            partitions: Vec::new(),
            committed: None,
            last_run: None,
            unfinished: false,
            records: None,
            bytes: None,
            files: None,
            days: None,
            first_day: None,
            last_day: None,
            undated_records: None,
            generation: 1,
            retention: configured.and_then(|topic| topic.lake_retention.map(|keep| keep.to_string())),
            purged_before: None,
            by_day: Vec::new(),
            columns: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn fill(&mut self, name: &str, standing: &Standing) {
        self.state = LakeState::Ok;
        self.notes = standing.format_notes(name);
        let columns = standing.columns.iter();
        self.columns = columns
            .map(|(name, kind)| ColumnStatus {
                name: name.clone(),
                r#type: kind.to_string(),
            })
            .collect();
        self.committed = standing.committed;
        self.unfinished = standing.unfinished;
        self.generation = standing.progress.generation.max(1);
        self.purged_before = standing.purged_before;
        for (day, count) in &standing.days {
            if let HivePartition::Day(day) = day {
                self.by_day.push(DayStatus {
                    day: *day,
                    records: count.records,
                    files: count.files,
                    bytes: count.bytes,
                });
            }
        }
        let undated = standing.days.get(&HivePartition::Null);
        self.add_up(standing.days.values(), undated.map_or(0, |count| count.records));
    }

    fn fill_as_new(&mut self) {
        self.state = LakeState::New;
        self.add_up(std::iter::empty(), 0);
    }

    fn add_up<'d>(&mut self, counts: impl Iterator<Item = &'d DayCount>, undated: u64) {
        let (mut records, mut bytes, mut files) = (0, 0, 0);
        for count in counts {
            records += count.records;
            bytes += count.bytes;
            files += count.files;
        }
        (self.records, self.bytes, self.files) = (Some(records), Some(bytes), Some(files));
        self.days = Some(self.by_day.len() as u64);
        self.first_day = self.by_day.first().map(|day| day.day);
        self.last_day = self.by_day.last().map(|day| day.day);
        self.undated_records = Some(undated);
    }
}

impl TableStatus {
    fn unknown(table: &str, topic: Option<&Topic>) -> TableStatus {
        let retention = topic.and_then(|topic| topic.row_retention.as_ref());
        TableStatus {
            table: table.to_owned(),
            current: topic.is_some(),
            error: None,
            lag: None,
            partitions: Vec::new(),
            committed: None,
            rows: None,
            rows_exact: false,
            rejects: None,
            rejects_by_reason: Vec::new(),
            retention: retention.map(|retention| RowRetentionStatus {
                column: retention.column.clone(),
                keep: retention.keep.to_string(),
            }),
            purged_before: Vec::new(),
        }
    }
}
