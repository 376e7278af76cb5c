//! Plans a topic's drain from Kafka's offsets, the target's progress and the flags.

use anyhow::Result;

use super::{KafkaFacts, RebuildRequest, Run, RunOptions, StartPosition};
use crate::config::{Kind, Topic};
use crate::kafka::{self, Accept, Client, From, LogChanges, PartitionOffsets, TopicSettings};
use crate::problem::Problem;
use crate::record::{DrainPlan, OffsetRange, Progress};
use crate::report::TopicReport;
use crate::target::Rebuild;

/// How far the clocks of machines that run lakectl may differ.
const CLOCKS_DIFFER_MS: i64 = 300_000;

impl Run<'_> {
    /// Plans what to read of a topic, and puts warnings and gaps into the report. `is_read`: its records will be read, which
    /// shows whether the log is still the same.
    pub(super) fn plan(
        &mut self,
        topic: &Topic,
        seen: &KafkaFacts,
        progress: &Progress,
        is_read: bool,
        line: &mut TopicReport,
    ) -> Result<(DrainPlan, Option<Rebuild>)> {
        let (client, options) = (self.client, &self.options);
        let offsets = seen.offsets(&topic.name)?;
        let topic_id = seen.id(&topic.name)?;
        let mut progress = progress.clone();
        let renamed = kafka::is_renamed(topic_id, &progress);
        let looks_first = match options.rebuild {
            Some(RebuildRequest::Tables) => false,
            Some(RebuildRequest::Days { .. }) => true,
            None => !is_read || options.accept.recreated,
        };
        let changes = if looks_first {
            client.log_changes(&topic.name, offsets, topic_id, &progress, &options.limits)?
        } else {
            LogChanges::new()
        };
        let anew = kafka::difference(offsets, topic_id, &progress, &changes).is_some();
        // If a table was created again, the old rows are another topic's: they are replaced.
        let anew_table = anew && options.accept.recreated && topic.kind == Kind::Table;
        let rebuild = match options.rebuild {
            Some(RebuildRequest::Days { first, last }) => {
                let plan = rebuild_plan(topic, offsets, topic_id, &progress, &changes, seen.at_ms)?;
                return Ok((plan, Some(Rebuild::Days { first, last })));
            }
            tables if tables.is_some() || anew_table => {
                if anew_table {
                    line.needs_attention();
                }
                // A table that is read from its start needs no progress. Its id and generation still tell topics apart.
                progress = Progress {
                    generation: progress.generation.max(1) + u32::from(anew),
                    topic_id: progress.topic_id.filter(|_| !anew),
                    ..Progress::default()
                };
                Some(rebuild_kind(seen.settings(&topic.name)?))
            }
            _ => {
                if let Some(warning) = check_table(topic, offsets, &progress, seen)? {
                    line.needs_attention();
                    line.tombstones_forgotten = true;
                    self.report.warn_of(warning);
                }
                None
            }
        };
        let from = from(client, topic, &progress, offsets, options)?;
        let changes = if rebuild.is_some() {
            LogChanges::new()
        } else {
            changes
        };
        let mut plan = kafka::plan(
            &topic.name,
            offsets,
            topic_id,
            &progress,
            &changes,
            &from,
            options.accept,
        )?;
        plan.planned_ms = seen.at_ms;
        if !plan.gaps.is_empty() || plan.generation > progress.generation.max(1) {
            line.needs_attention();
        }
        if anew_table || plan.generation > progress.generation.max(1) {
            let what = if renamed {
                "it was deleted and created again, and the new one is read from its start (--accept-recreated)"
            } else if anew_table {
                "Kafka lost its end, and the table is built again from its start (--accept-recreated)"
            } else {
                "Kafka lost its end, and the Kafka partitions that did are read from their start (--accept-recreated): the \
                 records that Kafka had kept of them are in the lake twice"
            };
            self.report.warn_of(Problem::new(what).about_topic(&topic.name));
        }
        line.held = plan.held;
        line.gaps.clone_from(&plan.gaps);
        Ok((plan, rebuild))
    }
}

fn from(
    client: &Client,
    topic: &Topic,
    progress: &Progress,
    offsets: &[PartitionOffsets],
    options: &RunOptions,
) -> Result<From> {
    match options.from {
        None => Ok(From::Earliest),
        Some(_) if !progress.next.is_empty() => Problem::usage(format!(
            "--from: topic {} has progress already, and going back would double its records",
            topic.name
        ))
        .fix("leave --from out, or use --rebuild to read days again")
        .err(),
        Some(StartPosition::Earliest) => Ok(From::Earliest),
        Some(StartPosition::Latest) => Ok(From::Latest),
        Some(StartPosition::Time(ms)) => {
            let partitions: Vec<i32> = offsets.iter().map(|at| at.partition).collect();
            Ok(From::Time {
                ms,
                offsets: client.offsets_at(&topic.name, &partitions, ms)?,
            })
        }
    }
}

/// Refuses, or warns of, a table whose rows may be wrong: its keys have moved, or Kafka has deleted tombstones that no run
/// has read.
fn check_table(
    topic: &Topic,
    offsets: &[PartitionOffsets],
    progress: &Progress,
    seen: &KafkaFacts,
) -> Result<Option<Problem>> {
    if topic.kind != Kind::Table || progress.next.is_empty() {
        return Ok(None);
    }
    if offsets
        .iter()
        .any(|at| !progress.next.contains_key(&at.partition))
    {
        return Problem::new(
            "it has gained Kafka partitions: its keys may have moved, and offsets don't show the order of their updates \
             any more",
        )
        .about_topic(&topic.name)
        .fix(format!("run again with --rebuild --topics {}", topic.name))
        .err();
    }
    let Some(complete_ms) = progress.complete_ms else {
        return Ok(None);
    };
    let now_ms = seen.at_ms;
    let kept_ms = seen.settings(&topic.name)?.tombstones_kept_ms();
    let Some(kept_ms) = kept_ms.filter(|&kept| may_be_forgotten(now_ms, complete_ms, kept)) else {
        return Ok(None);
    };
    let ago = if complete_ms > now_ms {
        "lies in the future by this machine's clock, and may be longer ago"
    } else {
        "was longer ago"
    };
    let what = format!(
        "the last complete run {ago} than Kafka keeps tombstones (delete.retention.ms = {kept_ms}): deleted keys may still \
         stand in the table"
    );
    let fix = format!("run with --rebuild --topics {}", topic.name);
    Ok(Some(Problem::new(what).about_topic(&topic.name).fix(fix)))
}

/// Whether Kafka may have deleted tombstones that no run has read. A time in the future proves nothing: the clock was set
/// back since.
fn may_be_forgotten(now_ms: i64, complete_ms: i64, kept_ms: i64) -> bool {
    let ago_ms = now_ms.saturating_sub(complete_ms);
    ago_ms > kept_ms || ago_ms < -CLOCKS_DIFFER_MS
}

/// Plans a rebuild of days: it reads all offsets below the progress, and none beyond.
fn rebuild_plan(
    topic: &Topic,
    offsets: &[PartitionOffsets],
    topic_id: Option<&str>,
    progress: &Progress,
    changes: &LogChanges,
    now_ms: i64,
) -> Result<DrainPlan> {
    if progress.next.is_empty() {
        return Problem::usage(format!("--rebuild: topic {} has never been drained", topic.name))
            .fix("leave --rebuild out")
            .err();
    }
    // Only notices a topic that was created again or lost its end: its offsets are not those of the days.
    kafka::plan(
        &topic.name,
        offsets,
        topic_id,
        progress,
        changes,
        &From::Earliest,
        Accept {
            gap: true,
            recreated: false,
        },
    )?;
    let range = |at: &PartitionOffsets| {
        let end = progress
            .next
            .get(&at.partition)
            .copied()
            .unwrap_or(at.low)
            .min(at.stable_end);
        OffsetRange {
            partition: at.partition,
            start: at.low.min(end),
            end,
        }
    };
    Ok(DrainPlan {
        ranges: offsets.iter().map(range).collect(),
        generation: progress.generation.max(1),
        topic_id: progress.topic_id.clone(),
        planned_ms: now_ms,
        ..DrainPlan::default()
    })
}

fn rebuild_kind(settings: &TopicSettings) -> Rebuild {
    if settings.compacts() && settings.expires() {
        Rebuild::KeepAbsent
    } else {
        Rebuild::DropAbsent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_is_no_proof() {
        let (hour, day) = (3_600_000, 86_400_000);
        assert!(!may_be_forgotten(10 * day, 10 * day - hour, day));
        assert!(!may_be_forgotten(10 * day, 10 * day + 1_000, day));
        assert!(may_be_forgotten(10 * day, 8 * day, day));
        assert!(may_be_forgotten(10 * day, 11 * day, day));
    }
}
