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

/// Plans the ranges of one topic.
///
/// # Errors
/// Kafka has deleted records that were never read, or the topic was created again, unless `accept` says to go on.
pub fn plan(
    topic: &str,
    offsets: &[PartitionOffsets],
    topic_id: Option<&str>,
    progress: &Progress,
    from: &From,
    accept: Accept,
) -> Result<DrainPlan> {
    let generation = generation(topic, offsets, topic_id, progress, accept)?;
    // The old offsets mean nothing in a topic that was created again.
    let is_anew = generation != progress.generation.max(1);
    let known = if is_anew {
        restart(offsets, topic_id, progress)
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

/// The topic's generation, one more if it was deleted and created again. Its id shows that; without ids only an end below the
/// progress does.
fn generation(
    topic: &str,
    offsets: &[PartitionOffsets],
    topic_id: Option<&str>,
    progress: &Progress,
    accept: Accept,
) -> Result<u32> {
    let current = progress.generation.max(1);
    let renamed = matches!((topic_id, &progress.topic_id), (Some(now), Some(then)) if now != then);
    let beyond = offsets.iter().find(|at| {
        progress
            .next
            .get(&at.partition)
            .is_some_and(|&next| next > at.high)
    });
    let vanished = progress
        .next
        .keys()
        .find(|&&p| !offsets.iter().any(|at| at.partition == p));
    if !renamed && beyond.is_none() && vanished.is_none() {
        return Ok(current);
    }
    if accept.recreated {
        return Ok(current + 1);
    }
    let what = match (renamed, beyond, vanished) {
        (true, ..) => "it has another topic id than the one that was drained before".to_owned(),
        (_, Some(at), _) => format!(
            "Kafka partition {} ends at offset {}, but {} was reached before",
            at.partition, at.high, progress.next[&at.partition]
        ),
        (_, _, vanished) => format!(
            "Kafka partition {} is gone",
            vanished.copied().unwrap_or_default()
        ),
    };
    Problem::new(format!(
        "it was deleted and created again, or Kafka lost its end: {what}; nothing was read"
    ))
    .about_topic(topic)
    .fix("run again with --accept-recreated to take it in from its start as a new topic")
    .err()
}

/// Where a topic that was created again begins. With another id all records are new. With the same id Kafka lost the log's end,
/// and the records below it were read already.
fn restart(offsets: &[PartitionOffsets], topic_id: Option<&str>, progress: &Progress) -> BTreeMap<i32, i64> {
    let same_topic = topic_id.is_some() && topic_id == progress.topic_id.as_deref();
    if !same_topic {
        return BTreeMap::new();
    }
    let kept = |at: &PartitionOffsets| {
        progress
            .next
            .get(&at.partition)
            .map(|&next| (at.partition, next.min(at.high)))
    };
    offsets.iter().filter_map(kept).collect()
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
            complete_ms: None,
            generation: 1,
        }
    }

    fn ranges(plan: &DrainPlan) -> Vec<(i64, i64)> {
        plan.ranges.iter().map(|range| (range.start, range.end)).collect()
    }

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
            ranges(&plan("t", &both, Some("a"), &progress, &From::Latest, NO).unwrap()),
            [(5, 5), (0, 3)]
        );
        let trimmed = [at(0, 0, 5, 5), at(1, 2, 3, 3)];
        assert!(plan("t", &trimmed, Some("a"), &progress, &From::Latest, NO).is_err());
    }

    #[test]
    fn a_topic_made_anew_is_an_error_unless_accepted() {
        let progress = progress(&[(0, 5), (1, 5)], "a");
        let now = [at(0, 0, 9, 9), at(1, 0, 9, 9)];
        let error = plan("t", &now, Some("b"), &progress, &From::Earliest, NO).unwrap_err();
        assert!(error.to_string().contains("--accept-recreated"), "{error}");
        let accepted = plan("t", &now, Some("b"), &progress, &From::Earliest, ALL).unwrap();
        assert_eq!(
            (accepted.generation, ranges(&accepted)),
            (2, vec![(0, 9), (0, 9)])
        );
        let fewer = plan("t", &now[..1], Some("a"), &progress, &From::Earliest, NO);
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
            let planned = plan("t", &[offsets], seen, &progress, &From::Earliest, ALL);
            planned.unwrap().topic_id
        };
        assert_eq!(id(at(0, 0, 9, 9), None).as_deref(), Some("a"));
        assert_eq!(id(at(0, 0, 9, 9), Some("b")).as_deref(), Some("b"));
        // Another topic has another one.
        assert_eq!(id(at(0, 0, 4, 4), None), None);
    }

    #[test]
    fn a_log_that_lost_its_end_is_taken_on_from_there() {
        let progress = progress(&[(0, 5)], "a");
        let now = [at(0, 0, 4, 4)];
        assert!(plan("t", &now, Some("a"), &progress, &From::Earliest, NO).is_err());
        let accepted = plan("t", &now, Some("a"), &progress, &From::Earliest, ALL).unwrap();
        assert_eq!((accepted.generation, ranges(&accepted)), (2, vec![(4, 4)]));
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
            &from,
            NO,
        )
        .unwrap();
        assert_eq!((ranges(&plan), plan.from_ms), (vec![(4, 9), (9, 9)], Some(99)));
    }
}
