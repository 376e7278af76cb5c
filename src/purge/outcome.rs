//! What a purge deleted or would delete: for the report, the audit trail, and people.

use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::ops::Not;

use super::plan::{FolderPlan, Plan, TopicPlan};
use crate::lake::DayFolder;
use crate::report::{self, Report};
use crate::warehouse::{DependentRows, TablePlan};
use crate::words::count;

/// What was deleted, or would be in a dry run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PurgeOutcome {
    pub folders: Vec<PurgedFolder>,
    pub tables: Vec<PurgedTable>,
    /// Files that are not lakectl's: they stay.
    pub left: Vec<String>,
    /// Day folders that stay because their days are implausible.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub implausible_folders: Vec<PurgedFolder>,
    /// Rows that stay for the same reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub implausible_rows: Vec<ImplausibleRows>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ImplausibleRows {
    pub table: String,
    pub column: String,
    pub rows: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct PurgedFolder {
    pub topic: String,
    pub path: String,
    pub day: String,
    pub files: u64,
    pub records: u64,
    pub bytes: u64,
}

impl PurgedFolder {
    pub fn of(topic: &str, folder: &DayFolder) -> Self {
        PurgedFolder {
            topic: topic.to_owned(),
            path: folder.path.clone(),
            day: folder.day.to_string(),
            files: folder.files,
            records: folder.records,
            bytes: folder.bytes,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct PurgedTable {
    pub table: String,
    pub column: String,
    /// The cutoff in UTC: rows before it were deleted.
    pub cutoff: String,
    pub rows: u64,
    /// Rows that are left for the next purge, as time was up.
    pub rows_left: u64,
    /// Rows among them whose deletion was sent, but the server's answer never came.
    #[serde(skip_serializing_if = "report::is_zero")]
    pub rows_unknown: u64,
    /// Rows without a time in the column; they are never purged.
    pub rows_without_time: u64,
    /// Rows of other tables that went, or lost their reference, with these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<DependentRows>,
    /// Rejected records that were as old.
    #[serde(skip_serializing_if = "report::is_zero")]
    pub rejects: u64,
    /// The table is system-versioned: purged rows stay in its history.
    #[serde(skip_serializing_if = "Not::not")]
    pub keeps_history: bool,
}

/// What was deleted, for the audit trail.
pub fn audit(outcome: &PurgeOutcome, report: &Report) -> serde_json::Value {
    let mut topics: BTreeMap<&str, (u64, u64, u64, u64)> = BTreeMap::new();
    for folder in &outcome.folders {
        let sum = topics.entry(&folder.topic).or_default();
        *sum = (
            sum.0 + 1,
            sum.1 + folder.files,
            sum.2 + folder.records,
            sum.3 + folder.bytes,
        );
    }
    let topic = |(topic, (folders, files, records, bytes)): (&&str, &(u64, u64, u64, u64))| json!({ "topic": topic, "folders": folders, "files": files, "records": records, "bytes": bytes });
    json!({
        "topics": topics.iter().map(topic).collect::<Vec<_>>(),
        "tables": outcome.tables,
        "left": outcome.left.len(),
        "failed": report.topics.iter().map(|topic| json!([topic.topic, topic.error])).collect::<Vec<_>>(),
    })
}

pub fn planned(plan: &Plan) -> PurgeOutcome {
    let folders = |topic: &TopicPlan, folders: &[FolderPlan]| -> Vec<PurgedFolder> {
        let folders = folders.iter().map(FolderPlan::day_folder);
        folders
            .map(|folder| PurgedFolder::of(&topic.topic, &folder))
            .collect()
    };
    let table = |table: &TablePlan| PurgedTable {
        table: table.table.clone(),
        column: table.column.clone(),
        cutoff: table.cutoff.clone(),
        rows: table.doomed(),
        rows_left: 0,
        rows_unknown: 0,
        rows_without_time: table.rows_without_time,
        dependents: table.dependents().to_vec(),
        rejects: table.rejects,
        keeps_history: table.keeps_history,
    };
    PurgeOutcome {
        folders: plan
            .topics
            .iter()
            .flat_map(|topic| folders(topic, &topic.folders))
            .collect(),
        tables: plan.tables.iter().map(table).collect(),
        left: plan.left.clone(),
        implausible_folders: plan
            .topics
            .iter()
            .flat_map(|topic| folders(topic, &topic.implausible))
            .collect(),
        implausible_rows: plan
            .tables
            .iter()
            .filter(|table| table.spared() > 0)
            .map(|table| ImplausibleRows {
                table: table.table.clone(),
                column: table.column.clone(),
                rows: table.spared(),
            })
            .collect(),
    }
}

/// A line for folders and one for rows, if there are any.
pub fn amounts(verb: &str, outcome: &PurgeOutcome) -> Vec<String> {
    let sum = |pick: fn(&PurgedFolder) -> u64| outcome.folders.iter().map(pick).sum::<u64>();
    let rows: u64 = outcome.tables.iter().map(|table| table.rows).sum();
    let mut lines = Vec::new();
    if !outcome.folders.is_empty() {
        lines.push(format!(
            "{verb} {} with {}, {}, {}",
            count(outcome.folders.len() as u64, "day folder"),
            count(sum(|f| f.files), "file"),
            count(sum(|f| f.records), "record"),
            indicatif::HumanBytes(sum(|f| f.bytes)),
        ));
    }
    if rows > 0 {
        lines.push(format!("{verb} {}", count(rows, "row")));
    }
    let rejects: u64 = outcome.tables.iter().map(|table| table.rejects).sum();
    if rejects > 0 {
        lines.push(format!("{verb} {}", count(rejects, "rejected record")));
    }
    let dependents = outcome.tables.iter().flat_map(|table| &table.dependents);
    let along = dependents.filter(|rows| rows.may_be_some());
    lines.extend(along.map(|rows| format!("{verb} along with them: {rows}")));
    lines
}

pub fn summary(outcome: &PurgeOutcome, plan: &Plan) -> Vec<String> {
    let left: u64 = outcome.tables.iter().map(|table| table.rows_left).sum();
    let mut lines = amounts("purged", outcome);
    let unknown: u64 = outcome.tables.iter().map(|table| table.rows_unknown).sum();
    if lines.is_empty() && !plan.is_empty() && unknown == 0 {
        // The plan was executed before, or its topics are locked.
        lines.push("purged nothing".to_owned());
    }
    if left > 0 {
        lines.push(format!("{left} rows are left; run again to go on"));
    }
    if unknown > 0 {
        lines.push(format!(
            "of {} it is unknown whether they were deleted: the server's answer never came",
            count(unknown, "row")
        ));
    }
    lines
}
