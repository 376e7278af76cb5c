//! The bounded read of a plan: it ends at the planned offsets, even while producers go on.

pub(super) mod compare;
pub(super) mod handover;
pub(super) mod native_headers;
pub(super) mod positions;
pub(super) mod shares;
pub(super) mod turns;

use anyhow::{Context, Result};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

use super::client::{Client, fault};
use super::plan::LogChanges;
use crate::problem::{self, About, Problem, ProblemSubject};
use crate::record::{DrainPlan, Drained, LastRecords, Record, note_last};
use crate::stop::Stop;
use handover::Giver;
use positions::Parts;
use shares::Allowance;

/// Bytes that a record may take in a sink's memory beside its key and value.
const RECORD_OVERHEAD: usize = 256;
/// How often the read looks at the clock and at signals while the broker is silent.
const TICK: Duration = Duration::from_millis(50);
/// How long a run that was stopped still waits for the next record of each Kafka partition.
const CLOSING_GRACE: Duration = Duration::from_secs(2);
/// How many of the longest waits that a quota has caused may pass without a record.
const THROTTLES_MAX: u32 = 3;

/// How far a run may go, over all its topics.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Records that may still be taken.
    pub records_left: Option<u64>,
    pub deadline: Option<Instant>,
    /// Each Kafka partition stops at its first record at or past this time.
    pub until_ms: Option<i64>,
    /// How long Kafka may stay silent.
    pub silence_max: Duration,
    pub stop: Stop,
}

impl Limits {
    /// Whether nothing more may be read.
    pub fn reached(&self) -> bool {
        self.records_left == Some(0)
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
            || self.stop.signal().is_some()
    }
}

/// The result of a read, beside the records that the sink took.
#[derive(Debug, Default)]
pub struct ReadOutcome {
    pub drained: Drained,
    pub before_from: u64,
    /// About how much memory its records take in a sink, in bytes.
    pub bytes: u64,
    /// Kafka sent no record at all before the time of the run was over.
    pub nothing_came: bool,
}

/// How long Kafka has sent nothing.
#[derive(Default)]
struct Silence {
    unexplained: Duration,
    /// While a quota held its answers back.
    throttled: Duration,
}

/// What comes after a message.
enum Step {
    On,
    /// The taking side has ended.
    TakerGone,
}

/// A bounded read whose records Kafka has begun to send. There is only one at a time.
pub struct Reading<'a> {
    client: &'a Client,
    topic: &'a str,
    plan: DrainPlan,
    parts: Parts,
    /// The last record read of each Kafka partition, or the one before the read.
    last: LastRecords,
    /// None: a log that has changed fails the read. Otherwise nothing is read but the last records, and this is what was found.
    changes: Option<LogChanges>,
    before_from: u64,
    bytes: u64,
    nothing_came: bool,
}

impl std::fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the read of topic {}: {:?}", self.topic, self.plan)
    }
}

impl Drop for Reading<'_> {
    /// Kafka must not go on sending a topic that failed. If this fails, the next assignment replaces it.
    fn drop(&mut self) {
        let _ = self.client.consumer.unassign();
    }
}

impl<'a> Reading<'a> {
    /// Lets Kafka begin to send the ranges of `plan`.
    ///
    /// # Errors
    /// librdkafka does not accept the assignment.
    pub fn start(client: &'a Client, topic: &'a str, mut plan: DrainPlan, limits: &Limits) -> Result<Self> {
        // With turns, a limit would cut off the same Kafka partitions run after run.
        if limits.records_left.is_some() || limits.deadline.is_some() {
            plan.turns.clear();
        }
        let mut reading = Reading::of(client, topic, Parts::of(&plan), plan);
        if limits.reached() {
            reading.parts.leave_all();
        }
        if !reading.parts.are_settled() {
            reading.next_turn(limits)?;
        }
        Ok(reading)
    }

    fn of(client: &'a Client, topic: &'a str, parts: Parts, plan: DrainPlan) -> Self {
        Reading {
            client,
            topic,
            parts,
            last: plan.last.clone(),
            plan,
            changes: None,
            before_from: 0,
            bytes: 0,
            nothing_came: false,
        }
    }

    pub fn plan(&self) -> &DrainPlan {
        &self.plan
    }

    /// Gives all records to `take`, some at a time, in the order of offsets per Kafka partition.
    ///
    /// # Errors
    /// The error of `take`; the broker stays silent; Kafka deleted or damaged records during the read, or lost the end of a log
    /// before it.
    pub fn read(
        mut self,
        limits: &mut Limits,
        take: &mut dyn FnMut(&[Record<'_>]) -> Result<()>,
    ) -> Result<ReadOutcome> {
        self.read_to_end(limits, take)?;
        Ok(self.outcome())
    }

    fn read_to_end(
        &mut self,
        limits: &mut Limits,
        take: &mut dyn FnMut(&[Record<'_>]) -> Result<()>,
    ) -> Result<()> {
        let mut last = LastRecords::new();
        if !self.parts.are_settled() {
            std::thread::scope(|scope| {
                let (giver, taker) = handover::pair(!self.plan.without_headers);
                let polling = std::thread::Builder::new()
                    .name("poll".to_owned())
                    .spawn_scoped(scope, || self.run(limits, giver))
                    .context("starting a thread")?;
                let taken = taker.run(&mut |records| {
                    note_last(&mut last, records);
                    take(records)
                });
                // The error of `take` comes first: it is the cause of the other.
                taken.and(handover::join(polling))
            })?;
        }
        for (partition, taken) in last {
            let last = self.last.entry(partition).or_insert(taken);
            // Of records before `from`, which nobody takes, some may come later.
            if taken.offset > last.offset {
                *last = taken;
            }
        }
        Ok(())
    }

    /// Lets Kafka send the first turn that is not over.
    fn next_turn(&mut self, limits: &Limits) -> Result<()> {
        let allowance = Allowance {
            records: limits.records_left,
            is_timed: limits.deadline.is_some(),
        };
        let mut list = TopicPartitionList::new();
        for (partition, offset) in self.parts.next_turn(allowance) {
            list.add_partition_offset(self.topic, partition, Offset::Offset(offset))?;
        }
        let consumer = &self.client.consumer;
        // A Kafka partition that an earlier turn or read paused would stay paused in a new assignment.
        consumer
            .resume(&list)
            .and_then(|()| consumer.assign(&list))
            .about_topic(self.topic)
    }

    fn run(&mut self, limits: &mut Limits, mut giver: Giver<'a>) -> Result<()> {
        let mut silence = Silence::default();
        let mut closing: Option<Instant> = None;
        while !self.parts.are_settled() {
            if self.parts.is_turn_over() {
                self.next_turn(limits)?;
            }
            match self.next(&mut giver, &mut silence) {
                Some(Ok(message)) => {
                    silence = Silence::default();
                    match self.message(message, closing.is_some(), limits, &mut giver)? {
                        Step::On => {}
                        Step::TakerGone => return Ok(()),
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    silence = Silence::default();
                    self.end_of_log(partition)?;
                }
                Some(Err(error)) => self.check(&error)?,
                None => {}
            }
            if closing.is_none() && limits.reached() {
                closing = Some(Instant::now());
                self.parts.leave_later_turns();
            }
            // Taken records are committed even if the broker is too slow to send the next ones.
            if closing.is_some_and(|since| since.elapsed() > CLOSING_GRACE) {
                self.nothing_came = !self.parts.have_records() && limits.stop.signal().is_none();
                self.parts.leave_all();
            }
            self.judge(&silence, limits.silence_max)?;
        }
        let _ = giver.flush();
        Ok(())
    }

    /// The next message or event. Only waiting for it counts as silence, not the time that our disk takes, or that the process
    /// was suspended.
    fn next(
        &self,
        giver: &mut Giver<'a>,
        silence: &mut Silence,
    ) -> Option<Result<BorrowedMessage<'a>, KafkaError>> {
        let here = self.client.consumer.poll(Duration::ZERO);
        if here.is_some() {
            return here;
        }
        // Records don't wait for a full batch. If this one is refused, giving the next record fails.
        let _ = giver.flush();
        let asked = Instant::now();
        let heard = self.client.consumer.poll(TICK);
        let waited = asked.elapsed().min(TICK * 2);
        if self.client.patience.throttle.is_on() {
            silence.throttled += waited;
            silence.unexplained = Duration::ZERO;
        } else {
            silence.unexplained += waited;
        }
        heard
    }

    /// Ends the wait for a broker that sends nothing. What came before a quota let nothing more through is kept.
    fn judge(&mut self, silence: &Silence, silence_max: Duration) -> Result<()> {
        if silence.unexplained > silence_max {
            return Err(self.silent(silence_max));
        }
        let longest = self.client.patience.throttle.longest();
        let throttled_max = silence_max.saturating_add(longest.saturating_mul(THROTTLES_MAX));
        if silence.throttled > throttled_max {
            if !self.parts.have_records() {
                return Err(self.throttled(silence.throttled));
            }
            self.parts.leave_all();
        }
        Ok(())
    }

    /// Hands the record over, or settles its Kafka partition if no more of it is wanted.
    fn message(
        &mut self,
        message: BorrowedMessage<'a>,
        closing: bool,
        limits: &mut Limits,
        giver: &mut Giver<'a>,
    ) -> Result<Step> {
        let (partition, offset) = (message.partition(), message.offset());
        let Some(part) = self.parts.sent(partition) else {
            return Ok(Step::On);
        };
        if offset < part.start {
            let start = part.start;
            return self.compare(&message, start);
        }
        if offset < part.position {
            return Ok(Step::On);
        }
        let past_until = limits
            .until_ms
            .is_some_and(|until| handover::timestamp_ms(&message) >= until);
        let end = part.end;
        if offset >= end {
            self.settle(partition, end)?;
        } else if closing || past_until || limits.records_left == Some(0) {
            self.settle(partition, offset)?;
        } else if part.has_had_its_share() {
            self.defer(partition, offset)?;
        } else {
            part.take(offset);
            let at_end = part.position >= end;
            self.bytes += (message.payload_len() + message.key_len() + RECORD_OVERHEAD) as u64;
            limits.records_left = limits.records_left.map(|left| left - 1);
            let before = |from| handover::timestamp_ms(&message) < from;
            if self.plan.from_ms.is_some_and(before) {
                self.before_from += 1;
                self.last.insert(partition, handover::as_last(&message));
            } else if giver.give(message).is_err() {
                return Ok(Step::TakerGone);
            }
            if at_end {
                self.settle(partition, end)?;
            }
        }
        Ok(Step::On)
    }

    /// Settles a Kafka partition at the end of its log. The offsets up to the planned end are transaction markers, aborted or
    /// compacted records, unless the log has become shorter.
    fn end_of_log(&mut self, partition: i32) -> Result<()> {
        let Some(part) = self.parts.sent(partition) else {
            return Ok(());
        };
        let (end, reached) = (part.end, part.position);
        let key = (self.topic.to_owned(), partition);
        let found = self.client.stable_end(&key)?;
        if found < end {
            let what = format!(
                "its end moved back from offset {end} to {found} while it was read (at {reached}), and nothing of the topic was \
                 committed"
            );
            return Problem::new(what)
                .about(ProblemSubject::partition(self.topic, partition))
                .fix("run again")
                .err();
        }
        self.settle(partition, end)
    }

    fn settle(&mut self, partition: i32, next: i64) -> Result<()> {
        self.parts.settle(partition, next);
        // After the last one of a turn, the next assignment, or none, ends the sending.
        if self.parts.is_turn_over() {
            return Ok(());
        }
        self.pause(partition)
    }

    /// Leaves the rest of a Kafka partition to a later turn.
    fn defer(&mut self, partition: i32, position: i64) -> Result<()> {
        self.parts.defer(partition, position);
        self.pause(partition)
    }

    fn pause(&self, partition: i32) -> Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition(self.topic, partition);
        self.client.consumer.pause(&list).about_topic(self.topic)
    }

    /// Ignores errors that librdkafka mends by itself; the others fail the topic.
    fn check(&self, error: &KafkaError) -> Result<()> {
        use RDKafkaErrorCode as Code;
        let code = error.rdkafka_error_code();
        // Only the mirror needs the group, and it reports this error itself.
        let of_the_mirror = code == Some(Code::GroupAuthorizationFailed);
        if of_the_mirror || code.is_some_and(fault::passes) {
            return Ok(());
        }
        let places = self.parts.places();
        let problem = match code {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => Problem::new(format!(
                "{error}{places}: Kafka deleted records while they were read, and nothing of the topic was committed"
            ))
            .fix("run again to see which"),
            Some(Code::BadMessage) => Problem::new(format!(
                "{error}{places}: a record's checksum is wrong, and nothing of the topic was committed"
            ))
            .fix("look at the broker's disk"),
            _ => Problem::new(format!("{error}{places}")),
        };
        problem.about_topic(self.topic).err()
    }

    fn silent(&self, after: Duration) -> anyhow::Error {
        let reason = self.client.unreachable("it went silent");
        let what = format!("no answer for {} s{}", after.as_secs(), self.parts.places());
        problem::regarding(ProblemSubject::topic(self.topic), reason.context(what))
    }

    fn throttled(&self, time: Duration) -> anyhow::Error {
        let what = format!("no record in {} s{}", time.as_secs(), self.parts.places());
        let reason = match self.client.slowed_down() {
            Some(problem) => problem.into(),
            None => self.client.unreachable("it went silent"),
        };
        problem::regarding(ProblemSubject::topic(self.topic), reason.context(what))
    }

    fn outcome(&self) -> ReadOutcome {
        let partitions = self.parts.drained();
        let drained = Drained {
            complete: partitions.iter().all(|part| part.next >= part.end),
            partitions,
            last: self.last.clone(),
            topic_id: self.plan.topic_id.clone(),
            generation: self.plan.generation,
            planned_ms: self.plan.planned_ms,
        };
        ReadOutcome {
            drained,
            before_from: self.before_from,
            bytes: self.bytes,
            nothing_came: self.nothing_came,
        }
    }
}
