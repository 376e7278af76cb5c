//! Checks how long Kafka keeps a topic's records: whether that fits its kind, and leaves runs the time to read them.

use chrono::Utc;
use std::collections::BTreeMap;

use super::broker::Broker;
use super::scope::CheckedTopic;
use super::{CheckName, Checks};
use crate::config::{Kind, topic_heading};
use crate::kafka::{PartitionOffsets, TopicSettings};
use crate::record::Progress;
use crate::words::count;

/// Cron can't run lakectl reliably if Kafka keeps records for less than this.
const KEPT_MIN_MS: i64 = 3_600_000;
const UNITS: [(i64, &str); 4] = [
    (86_400_000, "day"),
    (3_600_000, "hour"),
    (60_000, "minute"),
    (1_000, "second"),
];

/// How far lake or warehouse has taken in the topic.
#[derive(Debug)]
pub(super) struct Position {
    pub(super) target: &'static str,
    pub(super) progress: Progress,
    /// When a run last looked for records, in milliseconds since 1970.
    pub(super) run_ms: Option<i64>,
}

/// A topic's records against the time for which Kafka keeps them.
#[derive(Debug)]
struct Ages<'a> {
    now_ms: i64,
    kept_ms: i64,
    offsets: &'a [PartitionOffsets],
    /// The first offset of each Kafka partition with a record that is not too old; None: all are too old.
    fresh: &'a BTreeMap<i32, Option<i64>>,
    positions: &'a [Position],
}

/// What Kafka is about to delete.
#[derive(Debug, PartialEq, Eq)]
enum Expiring {
    /// Even the newest record is too old. `unread`: some target has not taken in all of them.
    All { unread: bool },
    /// The target has not read these, and they are too old.
    Unread { target: &'static str, offsets: u64 },
    /// The target has records to read, and its last run was longer ago than Kafka keeps them.
    RarelyRead { target: &'static str, ago_ms: i64 },
}

pub(super) fn look(
    kafka: &Broker,
    subject: &CheckedTopic,
    offsets: &[PartitionOffsets],
    positions: &[Position],
    checks: &mut Checks,
) {
    let place: CheckName<'_> = (subject.name(), "kept");
    let asked = [subject.name().to_owned()];
    let settings = match kafka.client.topic_settings(&asked).remove(subject.name()) {
        Some(Ok(settings)) => settings,
        Some(Err(error)) => return checks.unknown(place, error),
        None => return checks.unknown(place, "Kafka does not give its settings"),
    };
    if settings.compacts() && subject.guessed {
        return checks.wrong(
            place,
            "the topic is compacted, so it may be a table: a run would ask",
            format!(
                "give it a {} entry with its kind, or say --kind",
                topic_heading(subject.name())
            ),
        );
    }
    let kept = settings.kept_ms();
    if let (Kind::Table, false, Some(ms)) = (subject.topic.kind, settings.compacts(), kept) {
        return checks.wrong(
            place,
            format!(
                "Kafka deletes the records of this table after {}, also those of keys that are still valid",
                span(ms)
            ),
            format!(
                "{}, or kind = \"stream\"",
                alter(subject, "cleanup.policy=compact")
            ),
        );
    }
    let message = in_words(subject, &settings);
    let tombstones = settings.tombstones_kept_ms();
    let tombstones = tombstones.filter(|_| subject.topic.kind == Kind::Table);
    if let Some(ms) = [kept, tombstones].into_iter().flatten().min()
        && ms < KEPT_MIN_MS
    {
        let setting = if kept == Some(ms) {
            "retention.ms"
        } else {
            "delete.retention.ms"
        };
        return checks.wrong(
            place,
            format!("{message}: records that no run has read by then are lost"),
            alter(subject, &format!("{setting}=604800000")),
        );
    }
    let expiring = kept.map_or(Ok(None), |kept_ms| {
        expiring(kafka, subject, offsets, positions, kept_ms)
    });
    match expiring {
        Err(error) => checks.error(place, &error, "look at the brokers that lead this topic"),
        Ok(Some(expiring)) => expiring.tell(subject, &message, checks),
        Ok(None) if settings.compacts() && subject.topic.kind == Kind::Stream => checks.ok_but(
            place,
            message,
            Some("compaction may take older records of a key before a run has read them".to_owned()),
        ),
        Ok(None) => checks.ok(place, message),
    }
}

fn in_words(subject: &CheckedTopic, settings: &TopicSettings) -> String {
    let kept = settings
        .kept_ms()
        .map_or_else(|| "for ever".to_owned(), |ms| format!("for {}", span(ms)));
    let mut message = format!("cleanup.policy {}, records {kept}", settings.policy());
    if let Some(bytes) = settings.kept_bytes() {
        message.push_str(&format!(", at most {bytes} bytes of each Kafka partition"));
    }
    if let (Some(ms), Kind::Table) = (settings.tombstones_kept_ms(), subject.topic.kind) {
        message.push_str(&format!(", tombstones for {}", span(ms)));
    }
    message
}

fn alter(subject: &CheckedTopic, setting: &str) -> String {
    format!(
        "kafka-configs --alter --topic {} --add-config {setting}",
        subject.name()
    )
}

fn expiring(
    kafka: &Broker,
    subject: &CheckedTopic,
    offsets: &[PartitionOffsets],
    positions: &[Position],
    kept_ms: i64,
) -> anyhow::Result<Option<Expiring>> {
    let now_ms = Utc::now().timestamp_millis();
    let partitions: Vec<i32> = offsets.iter().map(|at| at.partition).collect();
    let oldest_ms = now_ms.saturating_sub(kept_ms).max(0);
    let fresh = kafka.client.offsets_at(subject.name(), &partitions, oldest_ms)?;
    let ages = Ages {
        now_ms,
        kept_ms,
        offsets,
        fresh: &fresh,
        positions,
    };
    Ok(ages.expiring())
}

impl Ages<'_> {
    fn expiring(&self) -> Option<Expiring> {
        if self.offsets.iter().all(|at| at.low >= at.stable_end) {
            return None;
        }
        let unread = |position: &Position| self.unread_below(position, |at| at.stable_end) > 0;
        if self.fresh.values().all(Option::is_none) {
            let taken = !self.positions.is_empty() && !self.positions.iter().any(unread);
            return Some(Expiring::All { unread: !taken });
        }
        // The first records of a log that was never read may always be too old: Kafka deletes whole segments.
        let begun = || {
            self.positions
                .iter()
                .filter(|position| !position.progress.next.is_empty())
        };
        let too_old = |position: &Position| {
            self.unread_below(position, |at| {
                let fresh = self.fresh.get(&at.partition).copied().flatten();
                fresh.unwrap_or(at.stable_end).min(at.stable_end)
            })
        };
        let lost = begun().map(|position| (position, too_old(position)));
        if let Some((position, offsets)) = lost.into_iter().find(|(_, offsets)| *offsets > 0) {
            return Some(Expiring::Unread {
                target: position.target,
                offsets,
            });
        }
        let ago = |position: &Position| Some(self.now_ms.saturating_sub(position.run_ms?));
        begun().filter(|position| unread(position)).find_map(|position| {
            let ago_ms = ago(position).filter(|ago| *ago > self.kept_ms)?;
            Some(Expiring::RarelyRead {
                target: position.target,
                ago_ms,
            })
        })
    }

    /// How many offsets below `end` the target has not taken in.
    fn unread_below(&self, position: &Position, end: impl Fn(&PartitionOffsets) -> i64) -> u64 {
        let of = |at: &PartitionOffsets| {
            let next = position.progress.next.get(&at.partition);
            let next = next.copied().unwrap_or(at.low).max(at.low);
            u64::try_from(end(at) - next).unwrap_or(0)
        };
        self.offsets.iter().map(of).sum()
    }
}

impl Expiring {
    fn tell(&self, subject: &CheckedTopic, message: &str, checks: &mut Checks) {
        let place: CheckName<'_> = (subject.name(), "kept");
        let longer = format!("or keep records longer: {}", alter(subject, "retention.ms=…"));
        match self {
            Expiring::All { unread: true } => checks.wrong(
                place,
                format!("{message}: even the newest is older, and Kafka may delete all of them before a run reads them"),
                format!("run now; have records produced with the time at which they are written, {longer}"),
            ),
            Expiring::All { unread: false } => checks.ok_but(
                place,
                message,
                Some("even the newest is older, and Kafka may delete all of them; none is missing from a target".to_owned()),
            ),
            Expiring::Unread { target, offsets } => checks.wrong(
                place,
                format!(
                    "{message}: {} that the {target} has not read are older, and Kafka may delete them before a run reads them",
                    count(*offsets, "offset")
                ),
                format!("run now, and more often, {longer}"),
            ),
            Expiring::RarelyRead { target, ago_ms } => checks.wrong(
                place,
                format!(
                    "{message}, but the last run of the {target} was {} ago: Kafka may delete records before a run reads them",
                    about(*ago_ms)
                ),
                format!("run more often, {longer}"),
            ),
        }
    }
}

fn span(ms: i64) -> String {
    let whole = UNITS.into_iter().find(|(unit, _)| ms >= *unit && ms % unit == 0);
    let (unit, name) = whole.unwrap_or((1, "millisecond"));
    count((ms / unit).unsigned_abs(), name)
}

/// The span in its largest unit, rounded down.
fn about(ms: i64) -> String {
    let largest = UNITS.into_iter().find(|(unit, _)| ms >= *unit);
    largest.map_or_else(|| span(ms), |(unit, _)| span(ms - ms % unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;
    const NOW: i64 = 1_800_000_000_000;

    /// One Kafka partition with the offsets 10 to 20, kept for 7 days, of which those from `fresh` on are younger.
    fn found(fresh: Option<i64>, positions: &[(Option<i64>, i64)]) -> Option<Expiring> {
        let position = |&(next, ago_ms): &(Option<i64>, i64)| Position {
            target: "lake",
            progress: Progress {
                next: next.into_iter().map(|next| (0, next)).collect(),
                ..Progress::default()
            },
            run_ms: Some(NOW - ago_ms),
        };
        let positions: Vec<Position> = positions.iter().map(position).collect();
        let offsets = [PartitionOffsets {
            partition: 0,
            low: 10,
            stable_end: 20,
            high: 20,
        }];
        let ages = Ages {
            now_ms: NOW,
            kept_ms: 7 * DAY,
            offsets: &offsets,
            fresh: &BTreeMap::from([(0, fresh)]),
            positions: &positions,
        };
        ages.expiring()
    }

    #[test]
    fn records_that_are_all_too_old_matter_until_they_are_read() {
        assert_eq!(found(None, &[]), Some(Expiring::All { unread: true }));
        assert_eq!(
            found(None, &[(Some(20), 0), (None, 0)]),
            Some(Expiring::All { unread: true })
        );
        assert_eq!(
            found(None, &[(Some(20), 0)]),
            Some(Expiring::All { unread: false })
        );
    }

    #[test]
    fn records_that_wait_too_long_are_noticed() {
        let unread = |offsets| {
            let target = "lake";
            Some(Expiring::Unread { target, offsets })
        };
        assert_eq!(found(Some(15), &[(Some(12), DAY)]), unread(3));
        // Those that Kafka has deleted already are the next run's business.
        assert_eq!(found(Some(15), &[(Some(2), DAY)]), unread(5));
        assert_eq!(found(Some(15), &[(Some(15), DAY)]), None);
        // A log that was never read may begin with some.
        assert_eq!(found(Some(15), &[(None, 30 * DAY)]), None);
    }

    #[test]
    fn a_target_that_is_run_too_rarely_is_noticed_where_something_waits() {
        let rarely = Some(Expiring::RarelyRead {
            target: "lake",
            ago_ms: 8 * DAY,
        });
        assert_eq!(found(Some(10), &[(Some(15), 8 * DAY)]), rarely);
        assert_eq!(found(Some(10), &[(Some(15), 6 * DAY)]), None);
        assert_eq!(found(Some(10), &[(Some(20), 8 * DAY)]), None);
    }

    #[test]
    fn spans_are_told_in_whole_units() {
        assert_eq!(
            (span(7 * DAY), span(90_000)),
            ("7 days".into(), "90 seconds".into())
        );
        assert_eq!(
            (span(1), about(8 * DAY + 5)),
            ("1 millisecond".into(), "8 days".into())
        );
    }
}
