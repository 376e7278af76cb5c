//! The plan of a purge: made from what is there, shown or kept in a file, and then executed exactly.

use anyhow::{Context, Result};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

use crate::config::{Kind, Retention};
use crate::exit::usage;
use crate::lake::layout::paths::{HivePartition, day_folder};
use crate::lake::{DayFolder, TopicDays};
use crate::problem::Problem;
use crate::types::plausible;
use crate::warehouse::TablePlan;
use crate::words::{count, one_line};

/// A plan to review, keep in a file, and execute.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub version: u32,
    /// When it was made, in RFC 3339.
    pub made: String,
    /// The lake's root.
    pub lake_root: Option<String>,
    /// The database's URL, without a password.
    pub database: Option<String>,
    pub topics: Vec<TopicPlan>,
    pub tables: Vec<TablePlan>,
    /// Old or odd files and folders that stay.
    #[serde(default)]
    pub left: Vec<String>,
}

/// Day folders of one topic that are older than its retention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicPlan {
    pub topic: String,
    pub kind: Kind,
    /// The first day that stays.
    pub cutoff: NaiveDate,
    /// All records of the topic, by the ledger.
    pub records_in_all: u64,
    pub folders: Vec<FolderPlan>,
    /// Older folders, which stay because their days are implausible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub implausible: Vec<FolderPlan>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderPlan {
    /// Relative to the lake root.
    pub path: String,
    pub day: NaiveDate,
    pub files: u64,
    pub records: u64,
    pub bytes: u64,
}

/// Plans one topic of the lake: day folders before the cutoff are deleted whole, but never a table's current snapshot, nor
/// Hive's null partition, which has no age.
pub fn topic(now: &TopicDays, keep: Retention, today: NaiveDate) -> Option<TopicPlan> {
    let cutoff = keep.cutoff(today)?;
    let folders = now
        .days
        .iter()
        .filter(|day| !day.current)
        .filter_map(|folder| match folder.day {
            HivePartition::Day(day) if day < cutoff => Some(FolderPlan {
                path: folder.path.clone(),
                day,
                files: folder.files,
                records: folder.records,
                bytes: folder.bytes,
            }),
            _ => None,
        });
    Some(TopicPlan {
        topic: now.topic.clone(),
        kind: now.kind,
        cutoff,
        records_in_all: now.days.iter().map(|day| day.records).sum(),
        folders: folders.collect(),
        implausible: Vec::new(),
    })
}

impl TopicPlan {
    /// The planned folders as the lake's type.
    pub fn day_folders(&self) -> Vec<DayFolder> {
        self.folders.iter().map(FolderPlan::day_folder).collect()
    }

    fn part_implausible(&mut self, purge_them: bool) {
        self.folders.append(&mut self.implausible);
        self.folders.sort_by_key(|folder| folder.day);
        if !purge_them {
            let first = self
                .folders
                .partition_point(|folder| folder.day < plausible::FIRST_DAY);
            let plausible = self.folders.split_off(first);
            self.implausible = std::mem::replace(&mut self.folders, plausible);
        }
    }

    fn records(&self) -> u64 {
        self.folders.iter().map(|folder| folder.records).sum()
    }
}

impl FolderPlan {
    /// The folder as the lake's type.
    pub fn day_folder(&self) -> DayFolder {
        DayFolder {
            day: HivePartition::Day(self.day),
            path: self.path.clone(),
            files: self.files,
            records: self.records,
            bytes: self.bytes,
            current: false,
        }
    }
}

impl Plan {
    /// Leaves out implausible days and rows, unless they are to be purged as well.
    pub fn part_implausible(&mut self, purge_them: bool) {
        for topic in &mut self.topics {
            topic.part_implausible(purge_them);
        }
        for table in &mut self.tables {
            table.with_implausible = purge_them;
        }
    }

    /// What was left out for that reason, as warnings.
    pub fn implausible_left(&self) -> Vec<Problem> {
        let topics = self.topics.iter().filter(|plan| !plan.implausible.is_empty());
        let tables = self.tables.iter().filter(|plan| plan.spared() > 0);
        let problem = |topic: &str, what: String, unit: &str| {
            Problem::new(format!(
                "{what} before {}, which is implausible, left out of the purge",
                plausible::FIRST_DAY
            ))
            .about_topic(topic)
            .fix(format!(
                "if a wrong unit has made them, see {unit}; if they are as old as they say: --yes-implausible"
            ))
        };
        let of_topic = |plan: &TopicPlan| {
            problem(
                &plan.topic,
                told(&plan.implausible),
                "timestamp_unit and lake.timestamp_unit",
            )
        };
        let of_table = |plan: &TablePlan| {
            let rows = format!(
                "{} of table `{}` with a {}",
                count(plan.spared(), "row"),
                plan.table,
                plan.column
            );
            problem(&plan.topic, rows, "timestamp_unit and warehouse.timestamp_unit")
        };
        topics.map(of_topic).chain(tables.map(of_table)).collect()
    }

    /// Whether nothing would be deleted.
    pub fn is_empty(&self) -> bool {
        self.topics.iter().all(|topic| topic.folders.is_empty())
            && self.tables.iter().all(TablePlan::is_empty)
    }

    /// Refuses a plan that would delete an unlikely part of a topic or table: the retention is probably mistyped.
    pub fn check_fraction(&self, max: f64) -> Result<()> {
        let topics = self
            .topics
            .iter()
            .map(|plan| (&plan.topic, plan.records(), plan.records_in_all, "records"));
        let tables = self
            .tables
            .iter()
            .map(|plan| (&plan.table, plan.doomed(), plan.rows_in_all, "rows"));
        let over: Vec<String> = topics
            .chain(tables)
            .filter(|(_, part, all, _)| *part as f64 > max * *all as f64)
            .map(|(name, part, all, what)| format!("{name}: {part} of {all} {what}"))
            .collect();
        if over.is_empty() {
            Ok(())
        } else {
            Problem::usage(format!(
                "this would delete more than {:.0} % ({})",
                max * 100.0,
                over.join(", ")
            ))
            .fix("is the retention right? If it is, say --max-fraction 1")
            .err()
        }
    }

    pub fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text + "\n").with_context(|| format!("writing the plan to {}", path.display()))
    }

    /// Reads a plan that a person has reviewed.
    ///
    /// # Errors
    /// The file is not a plan, or is made for another lake or database, or has a cutoff in the future: exit code 2.
    pub fn load(path: &Path, lake_root: &str, database: Option<&str>, today: NaiveDate) -> Result<Plan> {
        let shown = path.display();
        let text = std::fs::read(path).map_err(|e| usage(format!("cannot read the plan {shown}: {e}")))?;
        let plan: Plan =
            serde_json::from_slice(&text).map_err(|e| usage(format!("{shown} is not a plan: {e}")))?;
        if plan.version != 1 {
            return Err(usage(format!(
                "{shown} is a plan of version {}, and this lakectl knows 1",
                plan.version
            )));
        }
        let other_lake = plan
            .lake_root
            .as_deref()
            .is_some_and(|planned| planned != lake_root);
        let other_database = plan.database.is_some() && plan.database.as_deref() != database;
        if other_lake || other_database {
            return Err(usage(format!(
                "{shown} was made for {} and {}, not for {lake_root} and {}",
                plan.lake_root.as_deref().unwrap_or("no lake"),
                plan.database.as_deref().unwrap_or("no database"),
                database.unwrap_or("no database")
            )));
        }
        for topic in &plan.topics {
            let odd = |folder: &&FolderPlan| {
                folder.path != day_folder(topic.kind, &topic.topic, HivePartition::Day(folder.day))
            };
            let folders = || topic.folders.iter().chain(&topic.implausible);
            if let Some(folder) = folders().find(odd) {
                return Err(usage(format!(
                    "{shown}: {} is not the folder of {}",
                    folder.path, folder.day
                )));
            }
            let late = |day: NaiveDate| day > today || day > topic.cutoff;
            if topic.cutoff > today || folders().any(|folder| late(folder.day)) {
                return Err(usage(format!(
                    "{shown}: topic {} has a cutoff or a day in the future",
                    topic.topic
                )));
            }
        }
        Ok(plan)
    }

    /// The plan as people read it.
    pub fn text(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for plan in self.topics.iter().filter(|plan| !plan.folders.is_empty()) {
            let (topic, cutoff) = (&plan.topic, plan.cutoff);
            let folders = told(&plan.folders);
            lines.push(format!("lake       {topic:32} before {cutoff}: {folders}"));
        }
        for plan in self
            .tables
            .iter()
            .filter(|plan| !plan.is_empty() || plan.rows_without_time > 0)
        {
            let mut line = format!(
                "warehouse  {:32} {} before {}: {}",
                plan.table,
                plan.column,
                plan.cutoff,
                count(plan.doomed(), "row")
            );
            if let (Some(oldest), Some(newest)) = (&plan.oldest, &plan.newest) {
                let _ = write!(line, " ({oldest} to {newest})");
            }
            if plan.rows_without_time > 0 {
                let _ = write!(line, ", {} without a time are left", plan.rows_without_time);
            }
            if plan.rejects > 0 {
                let _ = write!(line, ", {}", count(plan.rejects, "rejected record"));
            }
            lines.push(line);
            let along = plan.dependents().iter().filter(|rows| rows.may_be_some());
            lines.extend(along.map(|rows| format!("           {:32} along with them: {rows}", "")));
        }
        lines.extend(
            self.left
                .iter()
                .map(|path| format!("left       {}: not ours", one_line(path))),
        );
        let implausible = self.implausible_left();
        lines.extend(implausible.iter().map(|left| format!("left       {left}")));
        if self.is_empty() {
            let what = if implausible.is_empty() {
                "nothing"
            } else {
                "nothing else"
            };
            lines.push(format!("{what} is older than its retention"));
        }
        lines
    }

    /// What is about to be deleted, for the audit trail.
    pub fn audit(&self) -> serde_json::Value {
        let topic = |plan: &TopicPlan| {
            json!({
                "topic": plan.topic,
                "cutoff": plan.cutoff,
                "folders": plan.folders.len(),
                "records": plan.records(),
                "oldest": plan.folders.first().map(|folder| folder.day),
                "newest": plan.folders.last().map(|folder| folder.day),
            })
        };
        let table = |plan: &TablePlan| {
            let mut table = json!({ "table": plan.table, "column": plan.column, "cutoff": plan.cutoff, "rows": plan.doomed() });
            if plan.rejects > 0 {
                table["rejects"] = json!(plan.rejects);
            }
            if !plan.dependents().is_empty() {
                table["dependents"] = json!(plan.dependents());
            }
            table
        };
        json!({
            "topics": self.topics.iter().filter(|plan| !plan.folders.is_empty()).map(topic).collect::<Vec<_>>(),
            "tables": self.tables.iter().filter(|plan| !plan.is_empty()).map(table).collect::<Vec<_>>(),
        })
    }
}

/// Day folders as people read them.
fn told(folders: &[FolderPlan]) -> String {
    let sum = |pick: fn(&FolderPlan) -> u64| folders.iter().map(pick).sum::<u64>();
    let mut text = format!(
        "{}, {}, {}, {}",
        count(folders.len() as u64, "day folder"),
        count(sum(|f| f.files), "file"),
        count(sum(|f| f.records), "record"),
        indicatif::HumanBytes(sum(|f| f.bytes)),
    );
    if let (Some(first), Some(last)) = (folders.first(), folders.last()) {
        let _ = write!(text, " ({} to {})", first.day, last.day);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::units;
    use proptest::prelude::*;

    fn days(kind: Kind, days: &[&str], current: Option<&str>) -> TopicDays {
        let folder = |day: &&str| DayFolder {
            day: HivePartition::parse(day).unwrap(),
            path: format!("p/{day}"),
            files: 1,
            records: 10,
            bytes: 100,
            current: current == Some(*day),
        };
        TopicDays {
            topic: "T".into(),
            kind,
            days: days.iter().map(folder).collect(),
            strangers: Vec::new(),
        }
    }

    fn planned(now: &TopicDays, keep: &str, today: &str) -> Vec<String> {
        let keep = units::retention(keep).unwrap().unwrap();
        let plan = topic(now, keep, units::date(today).unwrap()).unwrap();
        plan.folders.iter().map(|folder| folder.day.to_string()).collect()
    }

    #[test]
    fn boundaries_are_to_the_day() {
        let now = days(
            Kind::Stream,
            &[
                "2023-11-21",
                "2023-11-22",
                "2023-11-23",
                "__HIVE_DEFAULT_PARTITION__",
            ],
            None,
        );
        assert_eq!(planned(&now, "3y", "2026-11-22"), ["2023-11-21"]);
        assert_eq!(planned(&now, "3y", "2026-11-23"), ["2023-11-21", "2023-11-22"]);
        let leap = days(Kind::Stream, &["2023-02-27", "2023-02-28", "2023-03-01"], None);
        assert_eq!(planned(&leap, "1y", "2024-02-29"), ["2023-02-27"]);
        assert_eq!(planned(&leap, "1y", "2024-03-01"), ["2023-02-27", "2023-02-28"]);
    }

    #[test]
    fn a_current_snapshot_is_never_purged() {
        let now = days(Kind::Table, &["2020-01-01", "2020-01-02"], Some("2020-01-02"));
        assert_eq!(planned(&now, "7d", "2026-11-22"), ["2020-01-01"]);
    }

    #[test]
    fn days_before_2000_go_only_if_told_so() {
        let all = ["1970-01-21", "1999-12-31", "2000-01-01", "2020-01-01"];
        let keep = units::retention("7d").unwrap().unwrap();
        let planned = topic(
            &days(Kind::Stream, &all, None),
            keep,
            units::date("2026-11-22").unwrap(),
        );
        let mut plan = Plan {
            topics: planned.into_iter().collect(),
            ..Plan::default()
        };
        let names = |folders: &[FolderPlan]| -> Vec<String> {
            folders.iter().map(|folder| folder.day.to_string()).collect()
        };
        for (purge_them, first) in [(false, 2), (true, 0), (false, 2), (false, 2)] {
            plan.part_implausible(purge_them);
            let topic = &plan.topics[0];
            assert_eq!(names(&topic.folders), all[first..]);
            assert_eq!(names(&topic.implausible), all[..first]);
            let told = plan.text().join("\n");
            assert_eq!(told.contains("--yes-implausible"), !purge_them, "{told}");
            assert_eq!(plan.implausible_left().is_empty(), purge_them);
        }
    }

    #[test]
    fn an_unlikely_part_is_refused() {
        let now = days(Kind::Stream, &["2020-01-01", "2020-01-02", "2026-11-22"], None);
        let keep = units::retention("7d").unwrap().unwrap();
        let topics = vec![topic(&now, keep, units::date("2026-11-22").unwrap()).unwrap()];
        let plan = Plan {
            topics,
            ..Plan::default()
        };
        assert!(
            plan.check_fraction(0.5)
                .unwrap_err()
                .to_string()
                .contains("T: 20 of 30 records")
        );
        assert!(plan.check_fraction(0.7).is_ok());
    }

    proptest! {
        /// A purge keeps exactly the days from the cutoff on, and purging twice changes nothing.
        #[test]
        fn kept_and_purged_share_out_the_days(offsets in proptest::collection::btree_set(0i64..2000, 0..30), keep in 1u32..1500) {
            let today = units::date("2026-11-22").unwrap();
            let names: Vec<String> = offsets.iter().map(|o| (today - chrono::TimeDelta::days(*o)).to_string()).collect();
            let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
            names.sort_unstable();
            let now = days(Kind::Stream, &names, None);
            let gone = planned(&now, &format!("{keep}d"), "2026-11-22");
            let kept: Vec<&str> = names.iter().copied().filter(|name| !gone.contains(&(*name).to_owned())).collect();
            prop_assert_eq!(gone.len(), offsets.iter().filter(|o| **o > i64::from(keep)).count());
            let again = planned(&days(Kind::Stream, &kept, None), &format!("{keep}d"), "2026-11-22");
            prop_assert!(again.is_empty());
        }
    }
}
