//! Plans what a run reads, before it reads: from the offsets that Kafka holds and the target's progress.

use anyhow::Result;
use std::collections::BTreeMap;

use crate::problem::Problem;
use crate::record::{DrainPlan, Gap, OffsetRange, Progress};

/// The offsets of a Kafka partition, as the broker gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionOffsets {
    pub partition: i32,
    /// The low watermark: the first offset that Kafka still has.
    pub low: i64,
    /// Where read_committed ends: below the high watermark while a transaction is open.
    pub stable_end: i64,
    /// The high watermark.
    pub high: i64,
}

/// Losses that the user accepts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Accept {
    pub gap: bool,
    pub recreated: bool,
}

/// Where a target without progress begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum From {
    #[default]
    Earliest,
    Latest,
    /// Records from this time on, with the offset that Kafka gives for it per Kafka partition.
    Time {
        ms: i64,
        offsets: BTreeMap<i32, Option<i64>>,
    },
}

/// How a log differs below the progress from what was read there: it lost its end, and has grown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogChange {
    /// Another record stands at this offset.
    Another(i64),
    /// A record stands at this offset, where there was none.
    Additional(i64),
}

/// Kafka partition -> how its log has changed; the others are as they were, as far as anybody looked.
pub type LogChanges = BTreeMap<i32, LogChange>;

/// Plans the ranges of one topic.
///
/// # Errors
/// Kafka has deleted records that were never read, or the topic was created again or lost its end, unless `accept` says to go on.
pub fn plan(
    topic: &str,
    offsets: &[PartitionOffsets],
    topic_id: Option<&str>,
    progress: &Progress,
    changes: &LogChanges,
    from: &From,
    accept: Accept,
) -> Result<DrainPlan> {
    let generation = generation(topic, offsets, topic_id, progress, changes, accept)?;
    // The old offsets mean nothing in a topic that was created again.
    let is_anew = generation != progress.generation.max(1);
    let known = if is_anew {
        restart(offsets, topic_id, progress, changes)
    } else {
        progress.next.clone()
    };
    // An answer without an id leaves the known one in place: a topic keeps its id.
    let known_id = progress.topic_id.clone().filter(|_| !is_anew);
    let mut plan = DrainPlan {
        generation,
        topic_id: topic_id.map(str::to_owned).or(known_id),
        ..DrainPlan::default()
    };
    for at in offsets {
        let start = match known.get(&at.partition) {
            Some(&next) => next,
            // A new Kafka partition of a known topic: records that it has already lost were never read.
            None if !progress.next.is_empty() && !is_anew => 0,
            None => first_start(at, from),
        };
        if start < at.low {
            plan.gaps.push(Gap {
                partition: at.partition,
                from: start,
                to: at.low,
            });
        }
        let start = start.max(at.low);
        let last = progress.last.get(&at.partition);
        if let Some(&last) = last.filter(|last| known.contains_key(&at.partition) && last.offset >= at.low) {
            plan.last.insert(at.partition, last);
        }
        plan.held += (at.high - at.stable_end).max(0).unsigned_abs();
        plan.ranges.push(OffsetRange {
            partition: at.partition,
            start,
            end: at.stable_end.max(start),
        });
    }
    if let (From::Time { ms, .. }, true) = (from, progress.next.is_empty()) {
        plan.from_ms = Some(*ms);
    }
    if plan.gaps.is_empty() || accept.gap {
        Ok(plan)
    } else {
        Err(lost(topic, &plan.gaps))
    }
}

fn first_start(at: &PartitionOffsets, from: &From) -> i64 {
    match from {
        From::Earliest => at.low,
        From::Latest => at.stable_end,
        From::Time { offsets, .. } => offsets
            .get(&at.partition)
            .copied()
            .flatten()
            .unwrap_or(at.stable_end)
            .max(at.low),
    }
}

/// The topic's generation, one more if it was deleted and created again, or lost its end. An id shows the first, and an end
/// below the progress or a change of the log the second.
fn generation(
    topic: &str,
    offsets: &[PartitionOffsets],
    topic_id: Option<&str>,
    progress: &Progress,
    changes: &LogChanges,
    accept: Accept,
) -> Result<u32> {
    let current = progress.generation.max(1);
    match difference(offsets, topic_id, progress, changes) {
        None => Ok(current),
        Some(_) if accept.recreated => Ok(current + 1),
        Some(what) if is_renamed(topic_id, progress) => Err(recreated(topic, &what).into()),
        Some(what) => Err(lost_end(topic, &what).into()),
    }
}

/// How the topic differs from the one that was read, in words; None if it is the same.
pub fn difference(
    offsets: &[PartitionOffsets],
    topic_id: Option<&str>,
    progress: &Progress,
    changes: &LogChanges,
) -> Option<String> {
    let is_there = |partition| offsets.iter().any(|at| at.partition == partition);
    let beyond = offsets.iter().find(|at| is_beyond(at, progress));
    let vanished = progress.next.keys().find(|&&partition| !is_there(partition));
    let changed = changes.iter().next();
    if is_renamed(topic_id, progress) {
        Some("it has another topic id than the one that was drained before".to_owned())
    } else if let Some(at) = beyond {
        let (partition, end, next) = (at.partition, at.high, progress.next[&at.partition]);
        Some(format!(
            "Kafka partition {partition} ends at offset {end}, but {next} was reached before"
        ))
    } else if let Some(partition) = vanished {
        Some(format!("Kafka partition {partition} is gone"))
    } else {
        changed.map(|(&partition, &change)| change.of(partition))
    }
}

/// Whether Kafka has given the name to another topic.
pub fn is_renamed(topic_id: Option<&str>, progress: &Progress) -> bool {
    matches!((topic_id, &progress.topic_id), (Some(now), Some(then)) if now != then)
}

/// Whether the progress lies past the end of the Kafka partition.
fn is_beyond(at: &PartitionOffsets, progress: &Progress) -> bool {
    progress
        .next
        .get(&at.partition)
        .is_some_and(|&next| next > at.high)
}

fn recreated(topic: &str, what: &str) -> Problem {
    Problem::new(format!(
        "it was deleted and created again, or Kafka lost its end: {what}; nothing more was read"
    ))
    .about_topic(topic)
    .fix("run again with --accept-recreated to take it in from its start as a new topic")
}

/// The same where the topic may well be the one that was read, so that Kafka still has some of those records.
pub(super) fn lost_end(topic: &str, what: &str) -> Problem {
    recreated(topic, what).fix(
        "run again with --accept-recreated to take it in from its start as a new topic; what Kafka kept of a stream is then in \
         the lake twice",
    )
}

impl LogChange {
    /// The change of this Kafka partition, in words.
    pub(super) fn of(self, partition: i32) -> String {
        match self {
            LogChange::Another(offset) => {
                format!(
                    "Kafka partition {partition} has another record at offset {offset} than the one that was read there"
                )
            }
            LogChange::Additional(offset) => {
                format!(
                    "Kafka partition {partition} has a record at offset {offset}, where none was when it was read"
                )
            }
        }
    }
}

/// The progress that still counts in a topic that was created again. With another id all records are new. With the same id a
/// Kafka partition that lost its end begins at its start: nobody knows from which offset on its records are others.
fn restart(
    offsets: &[PartitionOffsets],
    topic_id: Option<&str>,
    progress: &Progress,
    changes: &LogChanges,
) -> BTreeMap<i32, i64> {
    let same_topic = topic_id.is_some() && topic_id == progress.topic_id.as_deref();
    if !same_topic {
        return BTreeMap::new();
    }
    let is_whole = |at: &&PartitionOffsets| !is_beyond(at, progress) && !changes.contains_key(&at.partition);
    let kept = |at: &PartitionOffsets| {
        let next = progress.next.get(&at.partition)?;
        Some((at.partition, *next))
    };
    offsets.iter().filter(is_whole).filter_map(kept).collect()
}

fn lost(topic: &str, gaps: &[Gap]) -> anyhow::Error {
    let list: Vec<_> = gaps
        .iter()
        .map(|gap| {
            format!(
                "Kafka partition {} offsets {} to {}",
                gap.partition,
                gap.from,
                gap.to - 1
            )
        })
        .collect();
    Problem::new(format!(
        "Kafka has deleted records that were never read: {}; nothing was read",
        list.join(", ")
    ))
    .about_topic(topic)
    .fix(
        "run again with --accept-gap to go on without them (they are recorded as a gap), and look at the topic's retention \
         or run more often",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::LastRecord;

    fn at(partition: i32, low: i64, stable_end: i64, high: i64) -> PartitionOffsets {
        PartitionOffsets {
            partition,
            low,
            stable_end,
            high,
        }
    }

    fn progress(next: &[(i32, i64)], id: &str) -> Progress {
        let topic_id = (!id.is_empty()).then(|| id.to_owned());
        Progress {
            next: next.iter().copied().collect(),
            topic_id,
            generation: 1,
            ..Progress::default()
        }
    }

    fn ranges(plan: &DrainPlan) -> Vec<(i64, i64)> {
        plan.ranges.iter().map(|range| (range.start, range.end)).collect()
    }

    const NONE: LogChanges = LogChanges::new();
    const NO: Accept = Accept {
        gap: false,
        recreated: false,
    };
    const ALL: Accept = Accept {
        gap: true,
        recreated: true,
    };

    #[test]
    fn a_first_run_begins_where_kafka_does() {
        let plan = plan(
            "t",
            &[at(0, 7, 10, 12), at(1, 0, 0, 0)],
            None,
            &Progress::default(),
            &NONE,
            &From::Earliest,
            NO,
        );
        let plan = plan.unwrap();
        assert_eq!(ranges(&plan), [(7, 10), (0, 0)]);
        assert_eq!((plan.held, plan.generation, plan.len()), (2, 1, 3));
    }

    #[test]
    fn a_gap_is_an_error_unless_accepted() {
        let progress = progress(&[(0, 5)], "a");
        let error = plan(
            "t",
            &[at(0, 8, 10, 10)],
            Some("a"),
            &progress,
            &NONE,
            &From::Earliest,
            NO,
        )
        .unwrap_err();
        assert!(error.to_string().contains("offsets 5 to 7"), "{error}");
        let plan = plan(
            "t",
            &[at(0, 8, 10, 10)],
            Some("a"),
            &progress,
            &NONE,
            &From::Earliest,
            ALL,
        )
        .unwrap();
        assert_eq!(
            plan.gaps,
            [Gap {
                partition: 0,
                from: 5,
                to: 8
            }]
        );
        assert_eq!(ranges(&plan), [(8, 10)]);
    }

    #[test]
    fn a_new_kafka_partition_is_taken_from_its_start() {
        let progress = progress(&[(0, 5)], "a");
        let both = [at(0, 0, 5, 5), at(1, 0, 3, 3)];
        assert_eq!(
            ranges(&plan("t", &both, Some("a"), &progress, &NONE, &From::Latest, NO).unwrap()),
            [(5, 5), (0, 3)]
        );
        let trimmed = [at(0, 0, 5, 5), at(1, 2, 3, 3)];
        assert!(plan("t", &trimmed, Some("a"), &progress, &NONE, &From::Latest, NO).is_err());
    }

    #[test]
    fn a_topic_made_anew_is_an_error_unless_accepted() {
        let progress = progress(&[(0, 5), (1, 5)], "a");
        let now = [at(0, 0, 9, 9), at(1, 0, 9, 9)];
        let error = plan("t", &now, Some("b"), &progress, &NONE, &From::Earliest, NO).unwrap_err();
        assert!(error.to_string().contains("--accept-recreated"), "{error}");
        let accepted = plan("t", &now, Some("b"), &progress, &NONE, &From::Earliest, ALL).unwrap();
        assert_eq!(
            (accepted.generation, ranges(&accepted)),
            (2, vec![(0, 9), (0, 9)])
        );
        let fewer = plan("t", &now[..1], Some("a"), &progress, &NONE, &From::Earliest, NO);
        assert!(
            fewer
                .unwrap_err()
                .to_string()
                .contains("Kafka partition 1 is gone")
        );
    }

    #[test]
    fn an_answer_without_an_id_forgets_none() {
        let progress = progress(&[(0, 5)], "a");
        let id = |offsets, seen| {
            let planned = plan("t", &[offsets], seen, &progress, &NONE, &From::Earliest, ALL);
            planned.unwrap().topic_id
        };
        assert_eq!(id(at(0, 0, 9, 9), None).as_deref(), Some("a"));
        assert_eq!(id(at(0, 0, 9, 9), Some("b")).as_deref(), Some("b"));
        // Another topic has another one.
        assert_eq!(id(at(0, 0, 4, 4), None), None);
    }

    /// Since then it may have grown: below its new end are records that nobody has taken.
    #[test]
    fn a_log_that_lost_its_end_is_taken_from_its_start() {
        let progress = progress(&[(0, 5), (1, 7)], "a");
        let now = [at(0, 1, 4, 4), at(1, 0, 9, 9)];
        assert!(plan("t", &now, Some("a"), &progress, &NONE, &From::Earliest, NO).is_err());
        let accepted = plan("t", &now, Some("a"), &progress, &NONE, &From::Earliest, ALL).unwrap();
        assert_eq!(
            (accepted.generation, ranges(&accepted)),
            (2, vec![(1, 4), (7, 9)])
        );
    }

    #[test]
    fn a_log_that_grew_past_the_progress_again_is_told_like_a_topic_made_anew() {
        let progress = progress(&[(0, 5), (1, 7)], "a");
        let now = [at(0, 1, 8, 8), at(1, 0, 9, 9)];
        for (change, words) in [
            (LogChange::Another(4), "another record at offset 4"),
            (LogChange::Additional(3), "a record at offset 3, where none was"),
        ] {
            let changes = BTreeMap::from([(0, change)]);
            let planned = |accept| plan("t", &now, Some("a"), &progress, &changes, &From::Earliest, accept);
            let error = Problem::of(&planned(NO).unwrap_err()).to_string();
            assert!(
                error.contains(words) && error.contains("--accept-recreated"),
                "{error}"
            );
            let accepted = planned(ALL).unwrap();
            assert_eq!(
                (accepted.generation, ranges(&accepted)),
                (2, vec![(1, 8), (7, 9)])
            );
        }
    }

    #[test]
    fn the_last_record_is_read_again_where_kafka_has_it_and_the_read_goes_on_from_there() {
        let last = |offset| LastRecord {
            offset,
            timestamp_ms: 0,
            hash: 0,
        };
        let progress = Progress {
            last: (0..4).map(|partition| (partition, last(6))).collect(),
            ..progress(&[(0, 9), (1, 9), (2, 9), (3, 9)], "a")
        };
        // The second one is empty now, and the third has lost that record, but none behind it.
        let now = [
            at(0, 6, 20, 20),
            at(1, 20, 20, 20),
            at(2, 7, 20, 20),
            at(3, 0, 9, 9),
        ];
        let kept = |id, accept| {
            let planned = plan("t", &now, Some(id), &progress, &NONE, &From::Earliest, accept);
            planned.unwrap().last.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(kept("a", ALL), [0, 3]);
        assert_eq!(kept("b", ALL), [0; 0]);
    }

    #[test]
    fn from_a_time_begins_at_kafkas_offset_or_at_the_end() {
        let offsets = BTreeMap::from([(0, Some(4)), (1, None)]);
        let from = From::Time { ms: 99, offsets };
        let plan = plan(
            "t",
            &[at(0, 0, 9, 9), at(1, 0, 9, 9)],
            None,
            &Progress::default(),
            &NONE,
            &from,
            NO,
        )
        .unwrap();
        assert_eq!((ranges(&plan), plan.from_ms), (vec![(4, 9), (9, 9)], Some(99)));
    }
}
