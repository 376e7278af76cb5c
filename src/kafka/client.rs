//! The connection to Kafka: a consumer that is assigned, never subscribed.

use anyhow::{Context as _, Result};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::admin::{Admin, Leaderless, OffsetSpec, TopicPartition, TopicSettings};
use super::options;
use super::plan::PartitionOffsets;
use super::refusal::{remedy, without_thread};
use crate::config::Kafka;
use crate::problem::{Problem, Subject};
use crate::report::printable;

/// How long one question to Kafka may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);
/// After this, a broker that refuses us is not asked again: a wrong password stays wrong.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
const CLOSING_TICK: Duration = Duration::from_millis(1);
/// The same for a run that was told to stop.
const HURRIED_TIMEOUT: Duration = Duration::from_secs(2);
const LEADER_PAUSE: Duration = Duration::from_millis(200);
const MIRROR_TRIES: u32 = 3;
const MIRROR_PAUSE: Duration = Duration::from_millis(100);

/// Kafka, as one run sees it.
pub struct Client {
    pub(super) consumer: BaseConsumer<Reasons>,
    brokers: String,
    group: String,
    /// How long one question may take.
    pub(super) answer_timeout: Duration,
    /// Ids of the brokers in the last metadata.
    pub(super) brokers_seen: Mutex<Vec<i32>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kafka at {}", self.brokers)
    }
}

/// Topic name -> its Kafka partitions.
pub type TopicList = BTreeMap<String, Vec<i32>>;

impl Client {
    /// Makes the client; nothing is sent before the first question.
    ///
    /// # Errors
    /// A property that librdkafka does not know or accept: exit code 2.
    pub fn new(kafka: &Kafka, target: &str) -> Result<Client> {
        let group = format!("{}.{target}", kafka.group);
        let consumer = options::config(kafka, &group)
            .create_with_context(Reasons::default())
            .map_err(|error| options::refused(kafka, error))?;
        Ok(Client {
            consumer,
            brokers: kafka.brokers.clone(),
            group,
            answer_timeout: ANSWER_TIMEOUT,
            brokers_seen: Mutex::default(),
        })
    }

    /// The same, with less patience.
    #[must_use]
    pub fn answering_within(mut self, answer_timeout: Duration) -> Client {
        self.answer_timeout = answer_timeout;
        self
    }

    /// Every topic of the cluster.
    pub fn topics(&self) -> Result<TopicList> {
        let metadata = self.metadata()?;
        if let Ok(mut seen) = self.brokers_seen.lock() {
            *seen = metadata.brokers().iter().map(|broker| broker.id()).collect();
        }
        let partitions = |topic: &rdkafka::metadata::MetadataTopic| {
            let mut ids: Vec<i32> = topic.partitions().iter().map(|p| p.id()).collect();
            ids.sort_unstable();
            ids
        };
        Ok(metadata
            .topics()
            .iter()
            .map(|topic| (topic.name().to_owned(), partitions(topic)))
            .collect())
    }

    fn metadata(&self) -> Result<Metadata> {
        let ask = |timeout| self.consumer.fetch_metadata(None, timeout);
        match ask(REFUSAL_TIMEOUT.min(self.answer_timeout)) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => {
                let reason = self.reason(&error.to_string());
                if remedy(&reason).lasts {
                    return Err(self.unreachable(&reason));
                }
            }
        }
        ask(self.answer_timeout.saturating_sub(REFUSAL_TIMEOUT)).map_err(|e| self.unreachable(&e.to_string()))
    }

    /// Topic name -> topic id, of the topics that have one.
    pub fn topic_ids(&self, topics: &[String]) -> Result<BTreeMap<String, String>> {
        if topics.is_empty() || self.is_mock() {
            return Ok(BTreeMap::new());
        }
        self.admin()
            .topic_ids(topics)
            .with_context(|| format!("asking {} for topic ids", self.brokers))
    }

    /// Where the Kafka partitions of these topics begin and end now.
    pub fn offsets(&self, topics: &TopicList) -> Result<BTreeMap<String, Vec<PartitionOffsets>>> {
        let all: Vec<_> = topics
            .iter()
            .flat_map(|(topic, ids)| ids.iter().map(|&id| (topic.clone(), id)))
            .collect();
        let ask = |spec| {
            self.ends(&all, spec)
                .with_context(|| format!("asking {} for offsets", self.brokers))
        };
        // The low watermark last: what has been deleted by then is noticed by the plan, not by the read.
        let (high, stable, low) = (
            ask(OffsetSpec::Latest)?,
            ask(OffsetSpec::LatestStable)?,
            ask(OffsetSpec::Earliest)?,
        );
        let mut found: BTreeMap<String, Vec<PartitionOffsets>> = BTreeMap::new();
        for key in all {
            let pick = |map: &BTreeMap<_, Result<i64, String>>| match map.get(&key) {
                Some(Ok(offset)) => Ok(*offset),
                Some(Err(error)) => Problem::new(error).about(Subject::partition(&key.0, key.1)).err(),
                None => Problem::new("the broker gave no offset")
                    .about(Subject::partition(&key.0, key.1))
                    .err(),
            };
            let (low, high) = (pick(&low)?, pick(&high)?);
            // Asked before the stable end, the high watermark may lie below it by now.
            let stable_end = pick(&stable)?.max(low);
            let offsets = PartitionOffsets {
                partition: key.1,
                low,
                stable_end,
                high: high.max(stable_end),
            };
            found.entry(key.0).or_default().push(offsets);
        }
        Ok(found)
    }

    /// One end of Kafka partitions; a broker that has just come up leads nothing for a moment.
    pub(super) fn ends(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<BTreeMap<TopicPartition, Result<i64, String>>> {
        let began = Instant::now();
        loop {
            match self.admin().offsets(partitions, spec) {
                Err(error) if !error.is::<Leaderless>() => return Err(error),
                Err(error) if began.elapsed() >= self.answer_timeout => {
                    return Err(error
                        .context("a Kafka partition has no leader: has the broker just come up? Run again"));
                }
                Err(_) => std::thread::sleep(LEADER_PAUSE),
                answer => return answer,
            }
        }
    }

    /// The settings of topics, all asked for at once; what the broker keeps to itself comes with the reason.
    pub fn topic_settings(
        &self,
        topics: &[String],
    ) -> Result<BTreeMap<String, Result<TopicSettings, String>>> {
        if topics.is_empty() || self.is_mock() {
            return Ok(BTreeMap::new());
        }
        self.admin()
            .topic_settings(topics)
            .with_context(|| format!("asking {} for the settings of topics", self.brokers))
    }

    /// The first offset whose record may have a timestamp at or past `time_ms`, per Kafka partition;
    /// none where there is no such record. On transactional topics it may lie far too early, never too late.
    pub fn offsets_at(
        &self,
        topic: &str,
        partitions: &[i32],
        time_ms: i64,
    ) -> Result<BTreeMap<i32, Option<i64>>> {
        let mut list = TopicPartitionList::new();
        for &partition in partitions {
            list.add_partition_offset(topic, partition, Offset::Offset(time_ms))?;
        }
        let found = self
            .consumer
            .offsets_for_times(list, self.answer_timeout)
            .map_err(|e| self.unreachable(&e.to_string()))?;
        found
            .elements_for_topic(topic)
            .iter()
            .map(|entry| {
                entry.error().map_err(|e| {
                    Problem::new(e.to_string()).about(Subject::partition(topic, entry.partition()))
                })?;
                let offset = match entry.offset() {
                    Offset::Offset(offset) => Some(offset),
                    _ => None,
                };
                Ok((entry.partition(), offset))
            })
            .collect()
    }

    /// Whether Kafka's group holds committed offsets of any of these topics.
    pub fn has_mirror(&self, topics: &TopicList) -> Result<bool> {
        let mut list = TopicPartitionList::new();
        for (topic, partitions) in topics {
            for &partition in partitions {
                list.add_partition(topic, partition);
            }
        }
        let ask = |timeout| self.consumer.committed_offsets(list.clone(), timeout);
        let committed = ask(REFUSAL_TIMEOUT.min(self.answer_timeout)).or_else(|_| match self.is_group_closed() {
            true => Problem::new("Kafka doesn't let us see it")
                .fix(format!(
                    "its administrator can: kafka-acls --add --allow-principal User:… --operation Read --operation \
                     Describe --group {}",
                    self.group
                ))
                .err(),
            false => ask(self.answer_timeout.saturating_sub(REFUSAL_TIMEOUT)).map_err(anyhow::Error::new),
        });
        let committed = committed
            .with_context(|| format!("asking {} for the offsets of group {}", self.brokers, self.group))?;
        Ok(committed
            .elements()
            .iter()
            .any(|entry| matches!(entry.offset(), Offset::Offset(_))))
    }

    /// Whether Kafka has said that the group is none of our business: the question itself only goes without an answer.
    fn is_group_closed(&self) -> bool {
        let mut events = std::iter::from_fn(|| self.consumer.poll(Duration::ZERO));
        events.any(|event| {
            event.is_err_and(|error| {
                error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed)
            })
        })
    }

    /// Writes progress into Kafka's group, where the usual lag tools look. Only a mirror: never read as the truth.
    /// In a hurry, because a signal came, a broker that says nothing is not waited for long.
    pub fn mirror(&self, progress: &[(String, i32, i64)], hurry: bool) -> Result<()> {
        if progress.is_empty() {
            return Ok(());
        }
        let patience = if hurry {
            HURRIED_TIMEOUT
        } else {
            self.answer_timeout
        };
        let began = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let admin = Admin::new(self.consumer.client().native_ptr(), patience);
            match admin.commit(&self.group, progress) {
                Ok(()) => return Ok(()),
                // A connection that was lost is soon there again; a broker that said nothing was waited for already.
                Err(_) if tries < MIRROR_TRIES && began.elapsed() < patience / 2 => {
                    std::thread::sleep(MIRROR_PAUSE);
                }
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("mirroring progress into Kafka's group {}", self.group));
                }
            }
        }
    }

    pub fn group(&self) -> &str {
        &self.group
    }

    /// An error that says what the last connection attempt met.
    pub(super) fn unreachable(&self, error: &str) -> anyhow::Error {
        let reason = self.reason(error);
        Problem::new(format!(
            "cannot get an answer from Kafka at {}: {}",
            self.brokers,
            printable(without_thread(&reason))
        ))
        .fix(remedy(&reason).advice)
        .into()
    }

    /// Why the last connection attempt failed, or what there is instead.
    fn reason(&self, error: &str) -> String {
        // Events wait in the queue until somebody polls: the reason may be among them.
        while self.consumer.poll(Duration::ZERO).is_some() {}
        self.consumer.context().last().unwrap_or_else(|| error.to_owned())
    }

    /// librdkafka's own mock broker answers no questions about topics, and is known by naming a controller that is not
    /// there: it would be waited for in vain.
    fn is_mock(&self) -> bool {
        let controller = self.admin().controller();
        !self
            .brokers_seen
            .lock()
            .is_ok_and(|seen| seen.contains(&controller))
    }

    pub(super) fn admin(&self) -> Admin {
        Admin::new(self.consumer.client().native_ptr(), self.answer_timeout)
    }
}

impl Drop for Client {
    /// Left to itself, the rdkafka crate looks only every 100 ms whether the consumer has closed.
    fn drop(&mut self) {
        if self.consumer.close_queue().is_ok() {
            while !self.consumer.closed() {
                self.consumer.poll(CLOSING_TICK);
            }
        }
    }
}

/// Remembers why the last connection failed, and keeps librdkafka's own log off the terminal.
#[derive(Default)]
pub(super) struct Reasons {
    last: Mutex<Option<String>>,
}

impl Reasons {
    pub(super) fn last(&self) -> Option<String> {
        self.last.lock().ok()?.clone()
    }

    fn remember(&self, reason: &str) {
        if let Ok(mut last) = self.last.lock() {
            *last = Some(reason.to_owned());
        }
    }
}

impl ClientContext for Reasons {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if (level as i32) <= RDKafkaLogLevel::Error as i32 || facility == "FAIL" {
            self.remember(message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // That all brokers are down says less than why the last of them is.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.remember(reason);
        }
    }
}

impl ConsumerContext for Reasons {}
