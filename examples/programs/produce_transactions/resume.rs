//! Going on where earlier runs stopped: what transaction_log already holds decides where the aggregates stand.
//!
//! TRANSACTIONS_FULL has one record per derived message and is written last, so whatever transaction_log holds beyond
//! it (a run with --no-derive, a run that was killed) has still to be derived. A crash in between derives some
//! messages twice: streams then repeat rows, as ksqlDB's at-least-once does; tables converge.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::Offset;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::avro;
use crate::tables::Tables;
use crate::transaction::{Event, Transaction};

const TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// A read that brings nothing for this long has failed.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Where the derivation stands before this run sends anything.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    pub(crate) tables: Tables,
    /// Messages that were derived already and are now in `tables`.
    pub(crate) derived: u64,
    /// Messages of transaction_log that were never derived, in the order of their offsets.
    pub(crate) pending: Vec<Event>,
    /// Records of transaction_log that this generator did not write and cannot read.
    pub(crate) foreign: u64,
}

/// Reads both topics from their start to the end they have now.
pub(crate) fn read_back(brokers: &str, log_topic: &str, full_topic: &str) -> Result<Earlier> {
    let mut derived: HashMap<(Vec<u8>, i64), u32> = HashMap::new();
    read_topic(brokers, full_topic, |message| {
        *derived.entry(identity(message)).or_default() += 1;
        Ok(())
    })?;
    let mut earlier = Earlier::default();
    read_topic(brokers, log_topic, |message| {
        let parsed = serde_json::from_slice::<Transaction>(message.payload().unwrap_or_default());
        let (Ok(transaction), Some(timestamp_ms)) = (parsed, message.timestamp().to_millis()) else {
            earlier.foreign += 1;
            return Ok(());
        };
        let event = Event {
            transaction,
            timestamp_ms,
        };
        match derived.get_mut(&identity(message)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                earlier.derived += 1;
                earlier.tables.apply(&event)?;
            }
            _ => earlier.pending.push(event),
        }
        Ok(())
    })?;
    Ok(earlier)
}

/// Key and timestamp, which TRANSACTIONS_FULL takes over from transaction_log.
fn identity(message: &BorrowedMessage<'_>) -> (Vec<u8>, i64) {
    (
        avro::text_of_key(message.key().unwrap_or_default()).to_vec(),
        message.timestamp().to_millis().unwrap_or(-1),
    )
}

/// Hands every committed record below the present end offsets to `take`, in order within a Kafka partition.
fn read_topic(
    brokers: &str,
    topic: &str,
    mut take: impl FnMut(&BorrowedMessage<'_>) -> Result<()>,
) -> Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "produce_transactions") // required by the client; nothing is ever committed
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "error")
        .create()
        .context("cannot make a Kafka consumer")?;
    let mut ends = open(&consumer, topic).with_context(|| format!("cannot read {topic} back"))?;
    while !ends.is_empty() {
        match consumer.poll(SILENCE_MAX) {
            None => bail!("{topic}: nothing came for {} s", SILENCE_MAX.as_secs()),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ends.remove(&partition);
            }
            // The client reconnects by itself; a broker that stays away ends in silence.
            Some(Err(KafkaError::MessageConsumption(code))) if is_passing(code) => {}
            Some(Err(error)) => return Err(error).with_context(|| format!("cannot read {topic} back")),
            Some(Ok(message)) => {
                let Some(&end) = ends.get(&message.partition()) else {
                    continue;
                };
                if message.offset() < end {
                    take(&message)?;
                }
                if message.offset() + 1 >= end {
                    ends.remove(&message.partition());
                }
            }
        }
    }
    Ok(())
}

fn is_passing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut};
    matches!(code, BrokerTransportFailure | AllBrokersDown | OperationTimedOut)
}

/// Assigns the partitions that hold anything; returns their end offsets. PartitionEOF stands in for an end that is a
/// transaction's marker, which never arrives as a record.
fn open(consumer: &BaseConsumer, topic: &str) -> Result<HashMap<i32, i64>> {
    let mut ends = HashMap::new();
    let mut assignment = TopicPartitionList::new();
    for partition in retry(|| partitions_of(consumer, topic))? {
        let (low, high) = retry(|| Ok(consumer.fetch_watermarks(topic, partition, TIMEOUT)?))?;
        if low < high {
            assignment.add_partition_offset(topic, partition, Offset::Offset(low))?;
            ends.insert(partition, high);
        }
    }
    consumer.assign(&assignment)?;
    Ok(ends)
}

fn partitions_of(consumer: &BaseConsumer, topic: &str) -> Result<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let found = metadata.topics().first().context("no such topic")?;
    if let Some(error) = found.error() {
        bail!("{:?}", RDKafkaErrorCode::from(error));
    }
    Ok(found
        .partitions()
        .iter()
        .map(|partition| partition.id())
        .collect())
}

/// A topic made a moment ago may have no leaders yet: any error is tried again until TIMEOUT.
fn retry<T>(attempt: impl Fn() -> Result<T>) -> Result<T> {
    let began = Instant::now();
    loop {
        match attempt() {
            Err(_) if began.elapsed() < TIMEOUT => thread::sleep(RETRY_PAUSE),
            outcome => return outcome,
        }
    }
}
