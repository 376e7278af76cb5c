//! Turns a run's report into samples, over those of earlier runs.

use serde_json::Value;
use std::collections::BTreeMap;

use super::exposition::{FAMILIES, Labels, Samples};
use crate::exit;
use crate::report::{Report, Status, TargetReport, TimeDoubt, TopicReport};

const TOPIC_SUCCESS: &str = "lakectl_topic_last_success_timestamp_seconds";

/// A run, under the name of its command.
pub(super) struct RunMetrics<'r> {
    pub command: &'static str,
    pub report: &'r Report,
    /// Whether the run was about all topics, so that topics it doesn't have are no longer configured.
    pub all_topics: bool,
    /// When it ended, in seconds since 1970.
    pub now: f64,
}

impl RunMetrics<'_> {
    /// Replaces the run's samples. Those of other commands, and of topics that the run did not reach, stay.
    pub(super) fn over(&self, mut samples: Samples) -> Samples {
        if self.all_topics && self.report.error.is_none() && self.report.status != Status::Interrupted {
            let purged = |family: usize| FAMILIES[family].0.starts_with("lakectl_purged");
            samples
                .0
                .retain(|(family, labels), _| !self.is_ours(labels) || self.has(labels) || purged(*family));
        }
        self.command(&mut samples);
        for topic in &self.report.topics {
            if self.all_topics || topic.status == Status::Ok || self.knows(&samples, topic) {
                self.topic(topic, &mut samples);
            }
        }
        self.purged(&mut samples);
        samples
    }

    fn is_ours(&self, labels: &Labels) -> bool {
        labels
            .get("command")
            .is_some_and(|command| command == self.command)
    }

    /// Whether the labels name a topic of the run, or no topic.
    fn has(&self, labels: &Labels) -> bool {
        let mut topics = self.report.topics.iter();
        labels
            .get("topic")
            .is_none_or(|name| topics.any(|topic| topic.topic == *name))
    }

    /// Whether the topic is known. A name from the command line that never succeeded may be mistyped, and must not stay in the
    /// file for ever.
    fn knows(&self, samples: &Samples, topic: &TopicReport) -> bool {
        let labels = self.labels(Some(("topic", &topic.topic)));
        samples.get(TOPIC_SUCCESS, &labels).is_some()
    }

    fn labels(&self, more: Option<(&str, &str)>) -> Labels {
        let all = [Some(("command", self.command)), more].into_iter().flatten();
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn command(&self, samples: &mut Samples) {
        let labels = self.labels(None);
        let succeeded = matches!(self.report.exit_code, exit::DONE | exit::ATTENTION);
        let success = "lakectl_last_success_timestamp_seconds";
        let before = samples.get(success, &labels).unwrap_or(0.0);
        let mut set = |name, value| samples.set(name, &labels, value);
        set(success, if succeeded { self.now } else { before });
        set("lakectl_last_run_timestamp_seconds", self.now);
        set(
            "lakectl_last_run_duration_seconds",
            self.report.duration_ms as f64 / 1000.0,
        );
        set("lakectl_last_run_exit_code", f64::from(self.report.exit_code));
        set("lakectl_last_run_warnings", self.report.warnings.len() as f64);
    }

    /// Sets a topic's samples. If it failed or was locked, the numbers of the last successful run stay.
    fn topic(&self, topic: &TopicReport, samples: &mut Samples) {
        let labels = self.labels(Some(("topic", &topic.topic)));
        let before = samples.get(TOPIC_SUCCESS, &labels).unwrap_or(0.0);
        let done = topic.status == Status::Ok;
        let cut_short = self.report.status == Status::Interrupted && topic.remaining > 0;
        let mut set = |name: &str, value: f64| samples.set(name, &labels, value);
        set(TOPIC_SUCCESS, if done && !cut_short { self.now } else { before });
        set("lakectl_topic_last_run_timestamp_seconds", self.now);
        set("lakectl_topic_exit_code", f64::from(topic.exit_code));
        if done {
            for (name, value) in numbers(topic) {
                set(name, value as f64);
            }
        }
    }

    /// Sets what a purge deleted. Topics and tables of which it deleted nothing keep the numbers of an earlier purge.
    fn purged(&self, samples: &mut Samples) {
        let list = |name: &str| {
            self.report
                .outcome
                .get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        let mut topics: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
        for folder in list("folders") {
            let number = |name: &str| folder[name].as_u64().unwrap_or(0);
            let sums = topics.entry(folder["topic"].as_str().unwrap_or("")).or_default();
            for (sum, more) in sums.iter_mut().zip([1, number("records"), number("bytes")]) {
                *sum += more;
            }
        }
        let names = [
            "lakectl_purged_day_folders",
            "lakectl_purged_records",
            "lakectl_purged_bytes",
        ];
        for (topic, sums) in topics {
            for (name, sum) in names.into_iter().zip(sums) {
                samples.set(name, &self.labels(Some(("topic", topic))), sum as f64);
            }
        }
        for table in list("tables") {
            if let (Some(name), Some(rows)) = (table["table"].as_str(), table["rows"].as_u64()) {
                samples.set(
                    "lakectl_purged_rows",
                    &self.labels(Some(("table", name))),
                    rows as f64,
                );
            }
        }
    }
}

fn numbers(topic: &TopicReport) -> Vec<(&'static str, u64)> {
    let doubted = |doubt: &Option<TimeDoubt>| doubt.as_ref().map_or(0, |doubt| doubt.records);
    let lost = |gap: &crate::record::Gap| (gap.to - gap.from).unsigned_abs();
    let mut numbers = vec![
        ("lakectl_topic_read_records", topic.read),
        ("lakectl_topic_remaining_offsets", topic.remaining),
        ("lakectl_topic_held_records", topic.held),
        ("lakectl_topic_irregular_records", topic.irregular),
        ("lakectl_topic_gap_offsets", topic.gaps.iter().map(lost).sum()),
        ("lakectl_topic_below_retention_records", topic.below_retention),
        ("lakectl_topic_without_day_records", doubted(&topic.without_day)),
        (
            "lakectl_topic_implausible_time_records",
            doubted(&topic.implausible_time),
        ),
    ];
    match &topic.target {
        TargetReport::Lake(lake) => numbers.extend([
            ("lakectl_topic_written_records", lake.written),
            ("lakectl_topic_written_bytes", lake.bytes),
        ]),
        TargetReport::Warehouse(warehouse) => numbers.extend([
            ("lakectl_topic_written_records", warehouse.upserted),
            ("lakectl_topic_deleted_rows", warehouse.deleted),
            ("lakectl_topic_rejected_records", warehouse.rejected),
        ]),
        TargetReport::Verify(found) => {
            numbers = vec![("lakectl_verify_differences", found.differences.len() as u64)];
        }
        TargetReport::Compact(compacted) => {
            numbers = vec![
                ("lakectl_compacted_days", compacted.days.len() as u64),
                ("lakectl_compacted_records", compacted.records),
                ("lakectl_compacted_files", compacted.files_before),
                ("lakectl_compacted_into_files", compacted.files_after),
                ("lakectl_compact_days_left", compacted.days_left),
            ];
        }
        TargetReport::None {} => numbers.clear(),
    }
    numbers
}

#[cfg(test)]
mod tests;
