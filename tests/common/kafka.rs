//! Topics of our own on the real Kafka: made, filled and read back without any of lakectl's code.

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

pub use super::records::*;
use super::{DEADLINE, HOW, poll, unique};

const ANSWER: Duration = Duration::from_secs(10);
const FOREVER_MS: &str = "9223372036854775807";

thread_local! {
    /// Another broker than the environment's, and an admin client of it.
    static ANOTHER: Cell<Option<(&'static str, &'static AdminClient<DefaultClientContext>)>> = const { Cell::new(None) };
}

/// From now on, this test's topics and runs are on this broker instead of the environment's.
pub fn use_broker(address: &str) {
    let address = String::leak(address.to_owned());
    ANOTHER.set(Some((address, Box::leak(Box::new(admin_of(address))))));
}

/// The broker's address, once it has answered. Asked once: without Kafka all tests fail, and none of them waits.
pub fn brokers() -> &'static str {
    static BROKERS: OnceLock<Result<String, String>> = OnceLock::new();
    if let Some((another, _)) = ANOTHER.get() {
        return another;
    }
    let found = BROKERS.get_or_init(|| {
        let brokers = std::env::var("LAKECTL_BROKERS").unwrap_or_default();
        if brokers.is_empty() {
            return Err("LAKECTL_BROKERS is not set".to_owned());
        }
        match consumer(&brokers, "lakectl-tests").fetch_metadata(Some("lakectl-tests"), ANSWER) {
            Ok(_) => Ok(brokers),
            Err(error) => Err(format!("no Kafka answers at {brokers} ({error})")),
        }
    });
    match found {
        Ok(brokers) => brokers,
        Err(why) => panic!("{why}: {HOW}"),
    }
}

/// A topic of one test; deleted at its end, but kept for a look where the test panics.
pub struct Topic {
    pub name: String,
}

impl Topic {
    /// With one Kafka partition.
    pub fn new(label: &str) -> Topic {
        Topic::with(label, 1, &[])
    }

    pub fn compacted(label: &str) -> Topic {
        Topic::with(label, 1, &[("cleanup.policy", "compact")])
    }

    pub fn with(label: &str, partitions: i32, settings: &[(&str, &str)]) -> Topic {
        let topic = Topic::named(unique(label));
        topic.create(partitions, settings);
        topic
    }

    /// Compacted topics of one Kafka partition each, made in one go.
    pub fn many(label: &str, count: usize) -> Vec<Topic> {
        Topic::many_with(label, count, "compact")
    }

    /// The same with another cleanup.policy.
    pub fn many_with(label: &str, count: usize, policy: &str) -> Vec<Topic> {
        let topics: Vec<_> = (0..count).map(|_| Topic::named(unique(label))).collect();
        let new: Vec<_> = topics
            .iter()
            .map(|topic| new_topic(&topic.name, 1).set("cleanup.policy", policy))
            .collect();
        for result in block_on(admin().create_topics(&new, &options())).unwrap() {
            result.unwrap();
        }
        topics.iter().for_each(|topic| topic.wait_for_leaders(1));
        topics
    }

    /// One that somebody else makes, or that nobody does.
    pub fn named(name: String) -> Topic {
        Topic { name }
    }

    pub fn create(&self, partitions: i32, settings: &[(&str, &str)]) {
        let mut new = new_topic(&self.name, partitions);
        for (key, value) in settings {
            new = new.set(key, value);
        }
        for result in block_on(admin().create_topics([&new], &options())).unwrap() {
            result.unwrap();
        }
        self.wait_for_leaders(partitions);
    }

    fn wait_for_leaders(&self, partitions: i32) {
        let consumer = consumer(brokers(), "lakectl-tests");
        poll("the leaders of a new topic", || {
            let metadata = consumer.fetch_metadata(Some(&self.name), ANSWER).unwrap();
            let topic = &metadata.topics()[0];
            let led = topic.partitions().iter().filter(|part| part.leader() >= 0);
            (led.count() == usize::try_from(partitions).unwrap()).then_some(())
        });
    }

    pub fn exists(&self) -> bool {
        let metadata = consumer(brokers(), "lakectl-tests")
            .fetch_metadata(None, ANSWER)
            .unwrap();
        metadata.topics().iter().any(|topic| topic.name() == self.name)
    }

    /// Sends records in order and waits for Kafka to have them all.
    pub fn send(&self, records: &[Record]) {
        let producer = producer(&[]);
        enqueue(&producer, &self.name, records);
        flush(&producer);
    }

    /// Sends to many topics at once.
    pub fn send_to_each<'t>(all: impl IntoIterator<Item = (&'t Topic, Vec<Record>)>) {
        let producer = producer(&[]);
        for (topic, records) in all {
            enqueue(&producer, &topic.name, &records);
        }
        flush(&producer);
    }

    /// In batches of so many records, for runs that are to read long.
    pub fn send_in_batches(&self, records: &[Record], size: usize) {
        let producer = producer(&[("batch.num.messages", &size.to_string()), ("linger.ms", "100")]);
        enqueue(&producer, &self.name, records);
        flush(&producer);
    }

    pub fn read(&self) -> Vec<Record> {
        read_topic(&self.name)
    }

    /// Sends records in one transaction that stays open.
    pub fn open_transaction(&self, records: &[Record]) -> Transaction {
        let id = unique("transaction");
        let producer = producer(&[("transactional.id", &id), ("transaction.timeout.ms", "60000")]);
        producer.init_transactions(DEADLINE).unwrap();
        producer.begin_transaction().unwrap();
        enqueue(&producer, &self.name, records);
        flush(&producer);
        Transaction(producer)
    }

    pub fn commit(&self, records: &[Record]) {
        self.open_transaction(records).commit();
    }

    pub fn abort(&self, records: &[Record]) {
        self.open_transaction(records).abort();
    }

    /// Deletes the records below an offset, which Kafka refuses on a topic that is only compacted.
    pub fn delete_below(&self, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.name, partition, Offset::Offset(offset))
            .unwrap();
        let deleted = block_on(admin().delete_records(&list, &options())).unwrap();
        for entry in deleted.elements() {
            entry.error().unwrap();
        }
    }

    pub fn add_partitions(&self, count: i32) {
        let new = NewPartitions::new(&self.name, usize::try_from(count).unwrap());
        for result in block_on(admin().create_partitions([&new], &options())).unwrap() {
            result.unwrap();
        }
        self.wait_for_leaders(count);
    }

    /// Deletes the topic and makes it anew, empty.
    pub fn recreate(&self) {
        self.delete().unwrap();
        poll("a topic to be gone", || (!self.exists()).then_some(()));
        self.create(1, &[]);
    }

    fn delete(&self) -> Result<(), KafkaError> {
        block_on(admin().delete_topics(&[&self.name], &options())).map(|_| ())
    }

    /// What a group has committed for the topic: Kafka partition and offset, where there is one.
    pub fn committed(&self, group: &str) -> Vec<(i32, i64)> {
        let consumer = consumer(brokers(), group);
        let mut list = TopicPartitionList::new();
        for partition in partitions(&consumer, &self.name) {
            list.add_partition(&self.name, partition);
        }
        let committed = consumer.committed_offsets(list, ANSWER).unwrap();
        let entries = committed.elements();
        entries
            .iter()
            .filter_map(|entry| match entry.offset() {
                Offset::Offset(offset) => Some((entry.partition(), offset)),
                _ => None,
            })
            .collect()
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("topic {} is kept", self.name);
        } else {
            let _ = self.delete();
        }
    }
}

/// Records that are in Kafka, but not committed yet.
pub struct Transaction(BaseProducer<Answers>);

impl Transaction {
    pub fn commit(self) {
        self.0.commit_transaction(DEADLINE).unwrap();
    }

    pub fn abort(self) {
        self.0.abort_transaction(DEADLINE).unwrap();
    }
}

/// A producer of one transaction after the other, over any topics.
pub struct Sender(BaseProducer<Answers>);

impl Sender {
    pub fn transactional() -> Sender {
        let id = unique("transactions");
        let producer = producer(&[("transactional.id", &id), ("transaction.timeout.ms", "60000")]);
        producer.init_transactions(DEADLINE).unwrap();
        Sender(producer)
    }

    pub fn begin(&self) {
        self.0.begin_transaction().unwrap();
    }

    pub fn send(&self, topic: &str, records: &[Record]) {
        enqueue(&self.0, topic, records);
        flush(&self.0);
    }

    pub fn commit(&self) {
        self.0.commit_transaction(DEADLINE).unwrap();
    }

    pub fn abort(&self) {
        self.0.abort_transaction(DEADLINE).unwrap();
    }
}

/// Every committed record of a topic up to its end, by Kafka partition and offset.
pub fn read_topic(topic: &str) -> Vec<Record> {
    let consumer = consumer(brokers(), "lakectl-tests");
    let mut open: BTreeSet<i32> = partitions(&consumer, topic).into_iter().collect();
    let mut list = TopicPartitionList::new();
    for &partition in &open {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    let mut records = Vec::new();
    let began = Instant::now();
    while !open.is_empty() {
        assert!(began.elapsed() < DEADLINE, "reading {topic} takes too long");
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => records.push(Record {
                partition: message.partition(),
                offset: message.offset(),
                timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                headers: message.headers().map_or_else(Vec::new, headers_of),
            }),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => panic!("reading {topic}: {error}"),
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

fn headers_of(headers: &rdkafka::message::BorrowedHeaders) -> Vec<(String, Option<Vec<u8>>)> {
    headers
        .iter()
        .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
        .collect()
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> Vec<i32> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER).unwrap();
    metadata.topics()[0]
        .partitions()
        .iter()
        .map(|part| part.id())
        .collect()
}

fn consumer(brokers: &str, group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "20")
        .create()
        .unwrap()
}

/// Commits an offset in Kafka's group, as a run that is long past would have.
pub fn commit_offset(group: &str, topic: &str, partition: i32, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset))
        .unwrap();
    consumer(brokers(), group)
        .commit(&list, rdkafka::consumer::CommitMode::Sync)
        .unwrap();
}

fn new_topic(name: &str, partitions: i32) -> NewTopic<'_> {
    NewTopic::new(name, partitions, TopicReplication::Fixed(1))
        .set("retention.ms", "-1")
        .set("message.timestamp.before.max.ms", FOREVER_MS)
        .set("message.timestamp.after.max.ms", FOREVER_MS)
}

fn admin() -> &'static AdminClient<DefaultClientContext> {
    static ADMIN: OnceLock<AdminClient<DefaultClientContext>> = OnceLock::new();
    match ANOTHER.get() {
        Some((_, admin)) => admin,
        None => ADMIN.get_or_init(|| admin_of(brokers())),
    }
}

fn admin_of(brokers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .unwrap()
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(DEADLINE))
        .operation_timeout(Some(DEADLINE))
}

/// Keeps the first record that Kafka refused.
#[derive(Default)]
pub struct Answers(Mutex<Option<String>>);

impl ClientContext for Answers {}

impl ProducerContext for Answers {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.lock().unwrap().get_or_insert_with(|| error.to_string());
        }
    }
}

/// A new one each time: it has no memory of topics that were created again.
fn producer(settings: &[(&str, &str)]) -> BaseProducer<Answers> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers())
        // Order without idempotence, whose start takes librdkafka half a second.
        .set("max.in.flight", "1")
        .set("message.max.bytes", "100000000");
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create_with_context(Answers::default()).unwrap()
}

fn enqueue(producer: &BaseProducer<Answers>, topic: &str, records: &[Record]) {
    for record in records {
        let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
            .partition(record.partition)
            .timestamp(record.timestamp_ms);
        message.key = record.key.as_deref();
        message.payload = record.value.as_deref();
        if !record.headers.is_empty() {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &record.headers {
                headers = headers.insert(Header {
                    key,
                    value: value.as_deref(),
                });
            }
            message = message.headers(headers);
        }
        if let Err((error, _)) = producer.send(message) {
            panic!("{topic}: {error}");
        }
    }
}

fn flush(producer: &BaseProducer<Answers>) {
    producer.flush(DEADLINE).unwrap();
    if let Some(error) = producer.context().0.lock().unwrap().take() {
        panic!("Kafka refused a record: {error}");
    }
}
