//! Sending: one producer for all threads, every delivery report counted, topics created where they are missing.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};

const REACH_TIMEOUT: Duration = Duration::from_secs(8);
const CREATE_TIMEOUT: Duration = Duration::from_secs(10);
/// After this long without an acknowledgement a record counts as failed.
const DELIVERY_TIMEOUT_MS: &str = "30000";
/// Longer than a delivery may take: when it passes, something is wrong with the client itself.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(5);

const PARTITIONS: i32 = 3;

/// A topic to send to: the index in the list is what `Sink::send` and `Sink::delivered` go by.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) cleanup_policy: &'static str,
}

/// Counts delivery reports per target.
struct Reports {
    delivered: Vec<AtomicU64>,
    failed: AtomicU64,
    first_error: Mutex<Option<String>>,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, target: usize) {
        match result {
            Ok(_) => {
                if let Some(count) = self.delivered.get(target) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err((error, _)) => {
                if let Ok(mut first) = self.first_error.lock() {
                    first.get_or_insert_with(|| error.to_string());
                }
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

pub(crate) struct Sink {
    producer: ThreadedProducer<Reports>,
    targets: Vec<Target>,
}

impl Sink {
    /// Connects, and creates the targets that do not exist. An unreachable broker is an error within seconds.
    pub(crate) fn connect(brokers: &str, targets: Vec<Target>) -> Result<Sink> {
        let reports = Reports {
            delivered: targets.iter().map(|_| AtomicU64::new(0)).collect(),
            failed: AtomicU64::new(0),
            first_error: Mutex::new(None),
        };
        let producer: ThreadedProducer<Reports> = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("client.id", "produce_transactions")
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random") // Java's: keys land where ksqlDB would put them
            .set("message.timeout.ms", DELIVERY_TIMEOUT_MS)
            .set("linger.ms", "20")
            .create_with_context(reports)
            .context("cannot make a Kafka producer")?;
        let metadata = producer
            .client()
            .fetch_metadata(None, REACH_TIMEOUT)
            .with_context(|| format!("no Kafka broker answers at {brokers} (--brokers, LAKECTL_BROKERS)"))?;
        let existing: HashSet<&str> = metadata.topics().iter().map(|topic| topic.name()).collect();
        let missing: Vec<&Target> = targets
            .iter()
            .filter(|target| !existing.contains(target.name.as_str()))
            .collect();
        if !missing.is_empty() {
            create(brokers, &missing, &producer)?;
        }
        Ok(Sink { producer, targets })
    }

    /// Queues one record; waits while the queue is full. Fails as soon as any earlier record was refused.
    pub(crate) fn send(&self, target: usize, key: &[u8], value: &[u8], timestamp_ms: i64) -> Result<()> {
        self.check()?;
        let name = &self.targets.get(target).context("no such target")?.name;
        let mut record = BaseRecord::with_opaque_to(name, target)
            .key(key)
            .payload(value)
            .timestamp(timestamp_ms);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    thread::sleep(QUEUE_FULL_PAUSE);
                    self.check()?;
                }
                Err((error, _)) => return Err(error).with_context(|| format!("cannot send to {name}")),
            }
        }
    }

    /// Waits until Kafka has answered for every record sent so far; an error if it refused one.
    pub(crate) fn flush(&self) -> Result<()> {
        let flushed = self.producer.flush(FLUSH_TIMEOUT);
        self.check()?;
        flushed.with_context(|| format!("{} records are still unanswered", self.producer.in_flight_count()))
    }

    /// The records Kafka has acknowledged for a target.
    pub(crate) fn delivered(&self, target: usize) -> u64 {
        let delivered = &self.producer.context().delivered;
        delivered
            .get(target)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    pub(crate) fn targets(&self) -> &[Target] {
        &self.targets
    }

    fn check(&self) -> Result<()> {
        let reports = self.producer.context();
        let failed = reports.failed.load(Ordering::Relaxed);
        if failed == 0 {
            return Ok(());
        }
        let first = reports
            .first_error
            .lock()
            .ok()
            .and_then(|first| first.clone())
            .unwrap_or_default();
        bail!("Kafka did not take {failed} records or more; the first error: {first}")
    }
}

/// Creates the missing topics; a topic that is there afterwards, however it came to be, is good enough.
fn create(brokers: &str, missing: &[&Target], producer: &ThreadedProducer<Reports>) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .context("cannot make an admin client")?;
    // Event times may lie long before now (a broker's default would delete such records at once) or after it.
    // Brokers before 3.6 do not know the second option; nor do they refuse times to come.
    let old = ("retention.ms", "-1");
    let late = ("message.timestamp.after.max.ms", "9223372036854775807");
    let mut failed = try_create(&admin, missing, &[old, late]);
    let unknown_option: Vec<&Target> = failed
        .extract_if(.., |(_, why)| is_invalid_config(why))
        .map(|(target, _)| target)
        .collect();
    if !unknown_option.is_empty() {
        failed.extend(try_create(&admin, &unknown_option, &[old]));
    }
    for (target, why) in failed {
        // A broker without CreateTopics (librdkafka's mock) may still make topics when asked about them.
        let shown = producer
            .client()
            .fetch_metadata(Some(&target.name), REACH_TIMEOUT)
            .is_ok_and(|metadata| {
                metadata
                    .topics()
                    .iter()
                    .any(|topic| topic.error().is_none() && !topic.partitions().is_empty())
            });
        if !shown {
            return Err(why).with_context(|| format!("cannot create topic {}", target.name));
        }
    }
    Ok(())
}

/// One request for all; returns those that were not created, with the reason.
fn try_create<'a>(
    admin: &AdminClient<DefaultClientContext>,
    targets: &[&'a Target],
    options: &[(&str, &str)],
) -> Vec<(&'a Target, KafkaError)> {
    let new_topics: Vec<NewTopic<'_>> = targets
        .iter()
        .map(|target| {
            let mut topic = NewTopic::new(&target.name, PARTITIONS, TopicReplication::Fixed(-1));
            topic.config = [("cleanup.policy", target.cleanup_policy)]
                .into_iter()
                .chain(options.iter().copied())
                .collect();
            topic
        })
        .collect();
    let timeouts = AdminOptions::new()
        .request_timeout(Some(CREATE_TIMEOUT))
        .operation_timeout(Some(CREATE_TIMEOUT));
    match futures_executor::block_on(admin.create_topics(&new_topics, &timeouts)) {
        Err(error) => targets.iter().map(|target| (*target, error.clone())).collect(),
        Ok(results) => results
            .into_iter()
            .filter_map(Result::err)
            .filter(|(_, code)| *code != RDKafkaErrorCode::TopicAlreadyExists)
            .filter_map(|(name, code)| {
                let target = targets.iter().find(|target| target.name == name)?;
                Some((*target, KafkaError::AdminOp(code)))
            })
            .collect(),
    }
}

fn is_invalid_config(why: &KafkaError) -> bool {
    matches!(why, KafkaError::AdminOp(RDKafkaErrorCode::InvalidConfig))
}
