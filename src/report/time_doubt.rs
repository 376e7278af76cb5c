//! Records whose time is in doubt: there is none, or it is implausible.

use chrono::NaiveDate;
use serde::Serialize;

use super::TargetReport;
use crate::config::TimeUnit;
use crate::problem::Problem;
use crate::record::Coordinates;

/// How many records share a doubt, and the first of them as an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimeDoubt {
    pub records: u64,
    /// Kafka partition.
    pub partition: i32,
    pub offset: i64,
    pub why: String,
    /// The unit in which its number would be a plausible time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likely_unit: Option<TimeUnit>,
}

impl TimeDoubt {
    /// The doubt about a first record. `likely`: its number, and the day that it would be in another unit.
    pub fn first(at: Coordinates, why: String, likely: Option<(i64, (TimeUnit, NaiveDate))>) -> TimeDoubt {
        let hint = likely
            .map(|(number, (unit, day))| format!("; it looks like {}: {number} would be {day}", unit.word()));
        TimeDoubt {
            records: 1,
            partition: at.partition,
            offset: at.offset,
            why: why + &hint.unwrap_or_default(),
            likely_unit: likely.map(|(_, (unit, _))| unit),
        }
    }

    /// Records of the lake that lie in Hive's null partition.
    pub fn of_no_day(&self) -> Problem {
        let what = self.told("without a time by lake.partition_time: in no day, where no purge reaches");
        let otherwise = "have every record give that time, or choose another lake.partition_time";
        Problem::new(what).fix(self.unit_to_set().unwrap_or_else(|| otherwise.to_owned()))
    }

    /// Records whose day or retention column is implausible.
    pub fn of_implausible(&self, target: &TargetReport) -> Problem {
        let place = match target {
            TargetReport::Warehouse(_) => "the column of warehouse.retention",
            _ => "lake.partition_time",
        };
        let what = self.told(&format!(
            "whose time by {place} lies before 2000 or more than a year ahead"
        ));
        let otherwise = "correct what produces them; a purge leaves what lies before 2000 unless --yes-implausible is given";
        Problem::new(what).fix(self.unit_to_set().unwrap_or_else(|| otherwise.to_owned()))
    }

    /// The setting that would make the example's time plausible.
    pub fn unit_to_set(&self) -> Option<String> {
        let unit = self.likely_unit?;
        let (word, name) = (unit.word(), unit.name());
        Some(format!(
            "if it is in {word}, give the topic timestamp_unit = \"{name}\""
        ))
    }

    /// The first record, and why its time is in doubt.
    pub fn example(&self) -> String {
        format!(
            "{} (Kafka partition {}, offset {})",
            self.why, self.partition, self.offset
        )
    }

    fn told(&self, what: &str) -> String {
        match self.records {
            1 => format!("1 record {what}: {}", self.example()),
            records => format!("{records} records {what}, the first: {}", self.example()),
        }
    }
}
