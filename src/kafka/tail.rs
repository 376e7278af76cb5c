//! The newest records of a topic, for commands that only look: nothing is committed, and no group is joined.

use anyhow::Result;
use std::time::Duration;

use super::client::Client;
use super::plan::PartitionOffsets;
use super::read::{Limits, Reading};
use crate::record::{DrainPlan, OffsetRange, Record};
use crate::stop::Stop;

/// How long Kafka may stay silent; short, as a person waits for the answer.
const SILENCE_MAX: Duration = Duration::from_secs(8);
/// Factors by which more is read if the end of a log holds no records, only transaction markers and compacted offsets.
const WIDER: [u64; 3] = [1, 10, 100];

/// Gives about `wanted` of the newest records, as many of each Kafka partition, to `take`.
///
/// # Errors
/// Kafka, or `take`.
pub fn read_newest(
    client: &Client,
    topic: &str,
    offsets: &[PartitionOffsets],
    wanted: u64,
    stop: &Stop,
    take: &mut dyn FnMut(&Record<'_>) -> Result<()>,
) -> Result<()> {
    let each = wanted.div_ceil(offsets.len().max(1) as u64);
    for times in WIDER {
        let plan = last(offsets, each.saturating_mul(times));
        let mut limits = Limits {
            silence_max: SILENCE_MAX,
            stop: stop.clone(),
            ..Limits::default()
        };
        let mut ranges = plan.ranges.iter().zip(offsets);
        let whole = ranges.all(|(range, at)| range.start == at.low);
        let mut read = 0;
        Reading::start(client, topic, plan, &limits)?.read(&mut limits, &mut |records| {
            read += records.len();
            records.iter().try_for_each(&mut *take)
        })?;
        if read > 0 || whole {
            break;
        }
    }
    Ok(())
}

/// The last `each` offsets of each Kafka partition.
fn last(offsets: &[PartitionOffsets], each: u64) -> DrainPlan {
    let each = i64::try_from(each).unwrap_or(i64::MAX);
    let range = |at: &PartitionOffsets| OffsetRange {
        partition: at.partition,
        start: at.stable_end.saturating_sub(each).max(at.low),
        end: at.stable_end,
    };
    DrainPlan {
        ranges: offsets.iter().map(range).collect(),
        ..DrainPlan::default()
    }
}
