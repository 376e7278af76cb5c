//! The bounded read of a plan: it ends by itself, even while producers keep writing.

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

use super::client::admin::OffsetSpec;
use super::client::{Client, fault};
use crate::problem::{self, About, Problem, ProblemSubject};
use crate::record::{DrainPlan, Drained, Record};
use crate::stop::Stop;
use handover::Giver;
use positions::Parts;
use shares::Allowance;

/// What a record may take in a sink's memory beside its key and value, in bytes.
const RECORD_OVERHEAD: usize = 256;
/// How often a silent broker lets us look at the clock and at signals.
const TICK: Duration = Duration::from_millis(50);
/// How long a run that was told to stop still looks for the next record of each Kafka partition.
const CLOSING_GRACE: Duration = Duration::from_secs(2);

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

/// What came of a drain, beside what the sink took.
#[derive(Debug, Default)]
pub struct ReadOutcome {
    pub drained: Drained,
    pub before_from: u64,
    /// About what its records take in a sink's memory.
    pub bytes: u64,
}

/// What comes after a message.
enum Step {
    On,
    /// Nobody takes any more records.
    TakerGone,
}

/// A bounded read that Kafka has begun to send. While it lives, no other is begun.
pub struct Reading<'a> {
    client: &'a Client,
    topic: &'a str,
    plan: DrainPlan,
    parts: Parts,
    before_from: u64,
    bytes: u64,
}

impl std::fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the read of topic {}: {:?}", self.topic, self.plan)
    }
}

impl Drop for Reading<'_> {
    /// A topic that failed must not send its records on. Where this fails, the next assignment takes its place.
    fn drop(&mut self) {
        let _ = self.client.consumer.unassign();
    }
}

impl<'a> Reading<'a> {
    /// Lets Kafka begin to send what `plan` says.
    ///
    /// # Errors
    /// librdkafka does not take the assignment.
    pub fn start(client: &'a Client, topic: &'a str, mut plan: DrainPlan, limits: &Limits) -> Result<Self> {
        // Run after run, a limit would always fall on the same turns.
        if limits.records_left.is_some() || limits.deadline.is_some() {
            plan.turns.clear();
        }
        let mut reading = Reading {
            client,
            topic,
            parts: Parts::of(&plan),
            plan,
            before_from: 0,
            bytes: 0,
        };
        if limits.reached() {
            reading.parts.leave_all();
        }
        if !reading.parts.are_settled() {
            reading.next_turn(limits)?;
        }
        Ok(reading)
    }

    pub fn plan(&self) -> &DrainPlan {
        &self.plan
    }

    /// Gives all records to `take`, some at a time, in the order of offsets per Kafka partition.
    ///
    /// # Errors
    /// What `take` returns; a broker that stays silent; records that Kafka deleted or damaged while we read.
    pub fn read(
        mut self,
        limits: &mut Limits,
        take: &mut dyn FnMut(&[Record<'_>]) -> Result<()>,
    ) -> Result<ReadOutcome> {
        if !self.parts.are_settled() {
            std::thread::scope(|scope| {
                let (giver, taker) = handover::pair(!self.plan.without_headers);
                let polling = std::thread::Builder::new()
                    .name("poll".to_owned())
                    .spawn_scoped(scope, || self.run(limits, giver))
                    .context("starting a thread")?;
                let taken = taker.run(take);
                // Why records were refused says more than that they were.
                taken.and(handover::join(polling))
            })?;
        }
        Ok(self.outcome())
    }

    /// Lets Kafka send the first turn that has anything left.
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
        // What was paused, in an earlier turn or an earlier read, would stay so in a new assignment.
        consumer
            .resume(&list)
            .and_then(|()| consumer.assign(&list))
            .about_topic(self.topic)
    }

    fn run(&mut self, limits: &mut Limits, mut giver: Giver<'a>) -> Result<()> {
        let mut silence = Duration::ZERO;
        let mut closing: Option<Instant> = None;
        while !self.parts.are_settled() {
            if self.parts.is_turn_over() {
                self.next_turn(limits)?;
            }
            match self.next(&mut giver, &mut silence) {
                Some(Ok(message)) => {
                    silence = Duration::ZERO;
                    match self.message(message, closing.is_some(), limits, &mut giver)? {
                        Step::On => {}
                        Step::TakerGone => return Ok(()),
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    silence = Duration::ZERO;
                    self.end_of_log(partition)?;
                }
                Some(Err(error)) => self.check(&error)?,
                None => {}
            }
            if closing.is_none() && limits.reached() {
                closing = Some(Instant::now());
                self.parts.leave_later_turns();
            }
            // What was taken gets committed even where the broker is too slow to name what comes next.
            if closing.is_some_and(|since| since.elapsed() > CLOSING_GRACE) {
                self.parts.leave_all();
            }
            if silence > limits.silence_max {
                return Err(self.silent(limits.silence_max));
            }
        }
        let _ = giver.flush();
        Ok(())
    }

    /// What Kafka says next. Only waiting for it is silence: not what our own disk takes, nor that somebody stopped us
    /// for a while.
    fn next(
        &self,
        giver: &mut Giver<'a>,
        silence: &mut Duration,
    ) -> Option<Result<BorrowedMessage<'a>, KafkaError>> {
        let here = self.client.consumer.poll(Duration::ZERO);
        if here.is_some() {
            return here;
        }
        // Nobody should wait for a batch to become full; where it is refused, the next record is told so.
        let _ = giver.flush();
        let asked = Instant::now();
        let heard = self.client.consumer.poll(TICK);
        *silence += asked.elapsed().min(TICK * 2);
        heard
    }

    /// Gives the record away, or settles its Kafka partition where nothing more is wanted of it.
    fn message(
        &mut self,
        message: BorrowedMessage<'a>,
        closing: bool,
        limits: &mut Limits,
        giver: &mut Giver<'a>,
    ) -> Result<Step> {
        let (partition, offset) = (message.partition(), message.offset());
        let Some(part) = self.parts.sent(partition).filter(|part| offset >= part.position) else {
            return Ok(Step::On);
        };
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
            } else if giver.give(message).is_err() {
                return Ok(Step::TakerGone);
            }
            if at_end {
                self.settle(partition, end)?;
            }
        }
        Ok(Step::On)
    }

    /// Kafka has no more for now. What is left up to the planned end are transaction markers, aborted
    /// or compacted records, unless the log has become shorter than it was.
    fn end_of_log(&mut self, partition: i32) -> Result<()> {
        let Some(part) = self.parts.sent(partition) else {
            return Ok(());
        };
        let (end, reached) = (part.end, part.position);
        let key = (self.topic.to_owned(), partition);
        let found = self.client.stable_end(&key)?;
        if found < end {
            let what = format!(
                "its end moved back from offset {end} to {found} while it was read (at {reached}); nothing of that was \
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
        match self.parts.is_turn_over() {
            // Another assignment, or none, ends it.
            true => Ok(()),
            false => self.pause(partition),
        }
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

    /// Errors that librdkafka mends by itself are waited out; the others end the topic.
    fn check(&self, error: &KafkaError) -> Result<()> {
        use RDKafkaErrorCode as Code;
        let code = error.rdkafka_error_code();
        // Only the mirror needs the group, and it says so itself.
        let of_the_mirror = code == Some(Code::GroupAuthorizationFailed);
        if of_the_mirror || code.is_some_and(fault::passes) {
            return Ok(());
        }
        let hint = match code {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                ": Kafka deleted records while they were read; nothing of these was committed, run again to see which"
            }
            Some(Code::BadMessage) => {
                ": a record's checksum is wrong; nothing of these was committed, look at the broker's disk"
            }
            _ => "",
        };
        Problem::new(format!("{error}{hint}{}", self.parts.places()))
            .about_topic(self.topic)
            .err()
    }

    fn silent(&self, after: Duration) -> anyhow::Error {
        let reason = self.client.unreachable("it went silent");
        let what = format!("no answer for {} s{}", after.as_secs(), self.parts.places());
        problem::regarding(ProblemSubject::topic(self.topic), reason.context(what))
    }

    fn outcome(&self) -> ReadOutcome {
        let partitions = self.parts.drained();
        let drained = Drained {
            complete: partitions.iter().all(|part| part.next >= part.end),
            partitions,
            topic_id: self.plan.topic_id.clone(),
            generation: self.plan.generation,
            planned_ms: self.plan.planned_ms,
        };
        ReadOutcome {
            drained,
            before_from: self.before_from,
            bytes: self.bytes,
        }
    }
}

impl Client {
    fn stable_end(&self, at: &(String, i32)) -> Result<i64> {
        let ends = self.ends(std::slice::from_ref(at), OffsetSpec::LatestStable)?;
        self.offset_at(at, ends.get(at))
    }
}
