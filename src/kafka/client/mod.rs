//! The connection to Kafka: a consumer with assigned Kafka partitions; it never subscribes.

pub(super) mod admin;
pub(super) mod fault;
mod group;
mod native;
pub(super) mod offsets;
pub(super) mod options;
pub(super) mod patience;
pub(super) mod reasons;
pub(super) mod refusal;
pub(super) mod settings;
pub(super) mod survey;
#[cfg(test)]
pub(super) mod tests;
mod throttle;

use anyhow::{Context as _, Result, anyhow};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use admin::Admin;
use fault::KafkaFault;

use crate::config::KafkaSettings;
use crate::problem::{Problem, ProblemSubject, regarding};
use crate::stop::Stop;
use crate::words::printable;
use patience::{Patience, deadline};
use reasons::Reasons;
use refusal::{named_address, remedy, without_thread};
use settings::TopicSettings;

/// How long Kafka may leave a question unanswered.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a consumer may take to close; librdkafka waits for answers that may never come.
const CLOSING_MAX: Duration = Duration::from_secs(3);
/// How long quotas may hold answers back before anybody is told.
const NOTICEABLE: Duration = Duration::from_secs(1);
const POLL_TICK: Duration = Duration::from_millis(1);

/// A connection to Kafka, and the questions that a run asks it.
pub struct Client {
    pub(super) consumer: Arc<BaseConsumer<Reasons>>,
    brokers: String,
    group: String,
    /// `client.id`, by which Kafka knows quotas.
    id: String,
    pub(super) patience: Patience,
    /// Whether the broker is librdkafka's own, which answers no questions about topic ids and settings.
    is_embedded: bool,
    /// The broker ids in the last metadata.
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
    /// librdkafka does not know or accept a property: exit code 2.
    pub fn new(kafka: &KafkaSettings, target: &str) -> Result<Client> {
        let group = format!("{}.{target}", kafka.group);
        let config = options::config(kafka, &group);
        let consumer: BaseConsumer<Reasons> = config
            .create_with_context(Reasons::default())
            .map_err(|error| options::refused(kafka, error))?;
        let throttle = consumer.context().throttle.clone();
        Ok(Client {
            consumer: Arc::new(consumer),
            brokers: kafka.brokers.clone(),
            group,
            id: config.get("client.id").unwrap_or_default().to_owned(),
            patience: Patience {
                silence: ANSWER_TIMEOUT,
                not_ready: kafka.timeout.max(ANSWER_TIMEOUT),
                stop: Stop::default(),
                throttle,
            },
            is_embedded: kafka.is_embedded,
            brokers_seen: Mutex::default(),
        })
    }

    /// The same client, but a signal ends its waits.
    #[must_use]
    pub fn stopped_by(mut self, stop: &Stop) -> Client {
        self.patience.stop = stop.clone();
        self
    }

    /// The same client, but it waits for answers only this long.
    #[must_use]
    pub fn answering_within(mut self, answer_timeout: Duration) -> Client {
        self.patience.silence = answer_timeout;
        self.patience.not_ready = answer_timeout;
        self
    }

    /// All topics of the cluster. A topic that is just being made may have no Kafka partitions yet.
    pub fn topics(&self) -> Result<TopicList> {
        let found = self.patience.ask_each(|left| {
            let metadata = self.metadata(None, left)?;
            if let Ok(mut seen) = self.brokers_seen.lock() {
                *seen = metadata.brokers().iter().map(|broker| broker.id()).collect();
            }
            let topics = metadata.topics().iter();
            Ok(topics
                .map(|topic| (topic.name().to_owned(), partitions_of(topic)))
                .collect())
        });
        let found = found.map_err(|fault| self.explain(&fault))?;
        Ok(found
            .into_iter()
            .map(|(topic, partitions)| (topic, partitions.unwrap_or_default()))
            .collect())
    }

    pub(super) fn metadata(&self, topic: Option<&str>, timeout: Duration) -> Result<Metadata, KafkaFault> {
        let topic = topic.map(str::to_owned);
        let answer = self.hearing_signals(timeout, move |consumer| {
            consumer.fetch_metadata(topic.as_deref(), timeout)
        });
        answer.map_err(|fault| {
            let reason = self.reason(&fault.to_string());
            // A wrong password stays wrong.
            if fault.is_silence() && remedy(&reason).lasts {
                fault.that_lasts()
            } else {
                fault
            }
        })
    }

    /// A call of librdkafka that blocks. After a signal it is waited for only a short time, and left behind.
    pub(super) fn hearing_signals<T: Send + 'static>(
        &self,
        timeout: Duration,
        ask: impl FnOnce(&BaseConsumer<Reasons>) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, KafkaFault> {
        let consumer = Arc::clone(&self.consumer);
        let stop = &self.patience.stop;
        match stop.hearing("ask", deadline(timeout), move || ask(&consumer)) {
            Ok(Some(answer)) => Ok(answer?),
            Ok(None) => Err(KafkaFault::no_answer()),
            Err(error) => Err(KafkaFault::lasting(format!("{error:#}"))),
        }
    }

    /// Topic name -> topic id, or why Kafka doesn't give it. None: the broker has no ids (before Kafka 2.8). Then only an end
    /// that has moved back shows that a topic was created again.
    pub fn topic_ids(&self, topics: &[String]) -> Result<BTreeMap<String, Result<Option<String>, String>>> {
        if topics.is_empty() || self.is_embedded {
            return Ok(topics.iter().map(|topic| (topic.clone(), Ok(None))).collect());
        }
        let found = self
            .patience
            .ask_each(|left| self.admin(left).topic_ids(topics))
            .map_err(|fault| self.explain(&fault))
            .with_context(|| format!("asking {} for topic ids", self.brokers))?;
        Ok(self.each(topics, found))
    }

    /// Topic name -> its settings, in one request, or why Kafka doesn't give them.
    pub fn topic_settings(&self, topics: &[String]) -> BTreeMap<String, Result<TopicSettings, String>> {
        let all = |answer: &dyn Fn() -> Result<TopicSettings, String>| {
            topics.iter().map(|topic| (topic.clone(), answer())).collect()
        };
        if topics.is_empty() || self.is_embedded {
            return all(&|| Ok(TopicSettings::default()));
        }
        match self
            .patience
            .ask_each(|left| self.admin(left).topic_settings(topics))
        {
            Ok(found) => self.each(topics, found),
            Err(fault) => all(&|| Err(format!("{:#}", self.explain(&fault)))),
        }
    }

    /// An answer, or an error, for each topic.
    fn each<T>(
        &self,
        topics: &[String],
        mut found: BTreeMap<String, Result<T, KafkaFault>>,
    ) -> BTreeMap<String, Result<T, String>> {
        let one = |topic: &String| match found.remove(topic) {
            Some(answer) => answer.map_err(|fault| format!("{:#}", self.explain(&fault))),
            None => Err("its answer leaves the topic out".to_owned()),
        };
        topics.iter().cloned().zip(topics.iter().map(one)).collect()
    }

    /// Per Kafka partition, the first offset whose record may have a timestamp at or past `time_ms`; None if there is no such
    /// record. On transactional topics the offset may be much too early, never too late.
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
        let found = self.patience.ask_each(|left| {
            let list = list.clone();
            let found = self.hearing_signals(left, move |consumer| consumer.offsets_for_times(list, left))?;
            let entries = found.elements_for_topic(topic);
            Ok(entries
                .iter()
                .map(|entry| {
                    let offset = match entry.offset() {
                        Offset::Offset(offset) => Some(offset),
                        _ => None,
                    };
                    let answer = entry.error().map(|()| offset).map_err(KafkaFault::from);
                    (entry.partition(), answer)
                })
                .collect())
        });
        found
            .map_err(|fault| regarding(ProblemSubject::topic(topic), self.explain(&fault)))?
            .into_iter()
            .map(|(partition, answer)| {
                let offset = answer.map_err(|fault| {
                    regarding(ProblemSubject::partition(topic, partition), self.explain(&fault))
                })?;
                Ok((partition, offset))
            })
            .collect()
    }

    /// A fault as an error that says what to do.
    pub(super) fn explain(&self, fault: &KafkaFault) -> anyhow::Error {
        if fault.is_silence() || fault.is(RDKafkaErrorCode::Authentication) {
            self.unreachable(&fault.to_string())
        } else if fault.passes() {
            Problem::new(fault.to_string())
                .fix("this passes once all brokers are up: look at them, and run again")
                .into()
        } else {
            anyhow!("{fault}")
        }
    }

    /// An error that says why the last connection attempt failed.
    pub(super) fn unreachable(&self, error: &str) -> anyhow::Error {
        let reason = self.reason(error);
        let here = || {
            Problem::new(format!(
                "cannot get an answer from Kafka at {}: {}",
                self.brokers,
                printable(without_thread(&reason))
            ))
            .fix(remedy(&reason).advice)
        };
        self.astray(&reason).unwrap_or_else(here).into()
    }

    /// The problem, if Kafka has sent us to an address at which nobody answers.
    fn astray(&self, reason: &str) -> Option<Problem> {
        let (address, failure) = named_address(reason)?;
        let ours = self
            .brokers
            .split(',')
            .map(|broker| broker.trim().rsplit("://").next());
        // That address is known to be right, or what went wrong has a remedy of its own.
        if ours.flatten().any(|ours| ours == address) || remedy(reason).lasts {
            return None;
        }
        let what = format!(
            "cannot get an answer from Kafka: {} sends us to {}, the address in a broker's advertised.listeners, and there: {}",
            self.brokers,
            printable(address),
            printable(failure)
        );
        Some(Problem::new(what).fix(
            "is that broker up, and can this machine reach that address? If it can't, correct advertised.listeners in the \
             broker's configuration",
        ))
    }

    /// Whether Kafka sends us to addresses at which nobody answers.
    pub fn is_astray(&self) -> bool {
        self.astray(&self.reason("")).is_some()
    }

    /// The problem, if quotas have taken noticeable time.
    pub fn slowed_down(&self) -> Option<Problem> {
        let throttle = &self.patience.throttle;
        (throttle.total() >= NOTICEABLE).then(|| {
            Problem::new(format!(
                "Kafka throttles this client: a quota of its user or of client.id {} has held answers back for {:.0} s in all, \
                 and for {:.1} s at most",
                printable(&self.id),
                throttle.total().as_secs_f64(),
                throttle.longest().as_secs_f64()
            ))
            .fix(
                "give runs more time, or raise consumer_byte_rate or request_percentage (kafka-configs --alter): a batch of \
                 records larger than consumer_byte_rate allows in 10 s never comes",
            )
        })
    }

    /// Why the last connection attempt failed; `error` if that is unknown.
    fn reason(&self, error: &str) -> String {
        // The reason may be among the events that have not been heard yet.
        self.events().for_each(drop);
        self.consumer.context().last().unwrap_or_else(|| error.to_owned())
    }

    /// The events that wait in the queue until the consumer polls. Without a little time, a line of librdkafka's log would
    /// end them.
    pub(super) fn events(&self) -> impl Iterator<Item = KafkaResult<BorrowedMessage<'_>>> {
        std::iter::from_fn(|| self.consumer.poll(POLL_TICK))
    }

    fn admin(&self, timeout: Duration) -> Admin<'_> {
        Admin::new(self.consumer.client().native_ptr(), timeout, &self.patience.stop)
    }

    /// Whether the consumer has closed in time. The rdkafka crate would look only every 100 ms, and wait for ever.
    fn close(&self) -> bool {
        if self.consumer.close_queue().is_err() {
            return true;
        }
        let deadline = Instant::now() + CLOSING_MAX;
        while !self.consumer.closed() {
            if Instant::now() >= deadline {
                return false;
            }
            self.consumer.poll(POLL_TICK);
        }
        true
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if !self.close() {
            // Dropping the consumer would wait again. The process ends soon, so the consumer is left open.
            std::mem::forget(Arc::clone(&self.consumer));
        }
    }
}

/// A topic's Kafka partitions. Kafka gives an error and none of them while it makes a topic.
fn partitions_of(topic: &MetadataTopic) -> Result<Vec<i32>, KafkaFault> {
    let mut ids: Vec<i32> = topic.partitions().iter().map(|p| p.id()).collect();
    ids.sort_unstable();
    match topic.error().map(RDKafkaErrorCode::from) {
        Some(code) => Err(KafkaFault::of(code)),
        None => Ok(ids),
    }
}
