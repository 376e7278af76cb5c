//! Fills Kafka with the same records every time, for `scripts/bench`: values of a given size over some days, or updates
//! of a given number of keys. A topic that holds fewer records is filled up, one that holds as many is left as it is.
//!
//! `bench_data TOPIC stream RECORDS`, `bench_data TOPIC table|pairs|enveloped|windowed|keys RECORDS KEYS` (pairs: a table's
//! updates with JSON keys of two columns; enveloped: a table's updates as Kafka Connect's JsonConverter takes them, each
//! with its schema; keys: each of them once, then updates), `bench_data TOPIC ten RECORDS [KEYS]` (rows of ten fields, with
//! `--schema ID` in Avro by the schema of that id, else as JSON),
//! with `--partitions N`, `--days N` and `--bytes N`; `bench_data --forget [TOPIC ...]` deletes those, or all it made.
//! The broker is `$LAKECTL_BROKERS`.

mod avro_bytes;
mod ten_fields;

use anyhow::{Context, Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use std::time::Duration;

/// 2025-10-01T00:00:00Z
const FIRST_MS: i64 = 1_759_276_800_000;
const DAY_MS: i64 = 86_400_000;
const WINDOW_MS: i64 = 300_000;
const MESSAGE_MAX: &str = "100000000";
const ANSWER: Duration = Duration::from_secs(20);

/// What to produce.
struct Load {
    topic: String,
    shape: Shape,
    records: i64,
    partitions: i32,
    days: i64,
    value_bytes: usize,
    /// The id of the Avro schema; None: JSON.
    schema: Option<u32>,
    /// Whether the producer compresses, as most do.
    zstd: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Stream,
    /// Without keys a stream.
    Ten {
        keys: Option<i64>,
    },
    Table {
        keys: i64,
    },
    Pairs {
        keys: i64,
    },
    Enveloped {
        keys: i64,
    },
    Windowed {
        keys: i64,
    },
    Keys {
        keys: i64,
    },
}

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let brokers = std::env::var("LAKECTL_BROKERS")
        .context("LAKECTL_BROKERS is not set; scripts/services starts one")?;
    if let Some(("--forget", topics)) = given.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return futures_executor::block_on(forget(&brokers, topics));
    }
    let load = arguments(given)?;
    let before = count(&brokers, &load.topic)?;
    if before == load.records {
        return Ok(());
    }
    if before > load.records {
        bail!(
            "{} holds {before} records, not {}; `--forget`, or name another topic",
            load.topic,
            load.records
        );
    }
    futures_executor::block_on(create(&brokers, &load))?;
    produce(&brokers, &load, before)?;
    let after = count(&brokers, &load.topic)?;
    if after != load.records {
        bail!(
            "{} holds {after} records after {} were sent",
            load.topic,
            load.records
        );
    }
    Ok(())
}

fn arguments(given: Vec<String>) -> Result<Load> {
    let usage = "bench_data TOPIC stream|table|pairs|enveloped|windowed|keys|ten RECORDS [KEYS] [--schema ID] [--partitions N] [--days N] [--bytes N] [--zstd 1]";
    let (mut plain, mut options) = (Vec::new(), std::collections::HashMap::new());
    let mut rest = given.into_iter();
    while let Some(word) = rest.next() {
        match word.strip_prefix("--") {
            Some(name) => {
                options.insert(
                    name.to_owned(),
                    rest.next().context(usage)?.parse::<i64>().context(usage)?,
                );
            }
            None => plain.push(word),
        }
    }
    let number = |at: usize| plain.get(at).context(usage)?.parse::<i64>().context(usage);
    let option = |name: &str, default: i64| options.get(name).copied().unwrap_or(default);
    let shape = match plain.get(1).map(String::as_str) {
        Some("stream") => Shape::Stream,
        Some("ten") => Shape::Ten {
            keys: plain.get(3).map(|_| number(3)).transpose()?,
        },
        Some("table") => Shape::Table { keys: number(3)? },
        Some("pairs") => Shape::Pairs { keys: number(3)? },
        Some("enveloped") => Shape::Enveloped { keys: number(3)? },
        Some("windowed") => Shape::Windowed { keys: number(3)? },
        Some("keys") => Shape::Keys { keys: number(3)? },
        _ => bail!(usage),
    };
    Ok(Load {
        topic: plain[0].clone(),
        shape,
        records: number(2)?,
        partitions: i32::try_from(option("partitions", 3))?,
        days: option("days", 30),
        value_bytes: usize::try_from(option("bytes", 700))?,
        schema: options.get("schema").copied().map(u32::try_from).transpose()?,
        zstd: option("zstd", 0) != 0,
    })
}

/// Records in the topic; 0 where there is none.
fn count(brokers: &str, topic: &str) -> Result<i64> {
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let metadata = consumer.fetch_metadata(None, ANSWER)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(0);
    };
    let mut records = 0;
    for partition in found.partitions() {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), ANSWER)?;
        records += high - low;
    }
    Ok(records)
}

async fn forget(brokers: &str, wanted: &[String]) -> Result<()> {
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let metadata = consumer.fetch_metadata(None, ANSWER)?;
    let ours = |name: &&str| {
        name.starts_with("bench-") && (wanted.is_empty() || wanted.iter().any(|topic| topic == name))
    };
    let names: Vec<&str> = metadata
        .topics()
        .iter()
        .map(|topic| topic.name())
        .filter(ours)
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    for result in admin.delete_topics(&names, &AdminOptions::new()).await? {
        result.map_err(|(name, code)| anyhow::anyhow!("deleting the topic {name}: {code}"))?;
    }
    Ok(())
}

async fn create(brokers: &str, load: &Load) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    // Compaction would change the load between two runs.
    let topic = NewTopic::new(&load.topic, load.partitions, TopicReplication::Fixed(1))
        .set("cleanup.policy", "delete")
        .set("retention.ms", "-1")
        .set("max.message.bytes", MESSAGE_MAX)
        .set("message.timestamp.after.max.ms", "9223372036854775807");
    for result in admin.create_topics([&topic], &AdminOptions::new()).await? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => bail!("making the topic {name}: {code}"),
        }
    }
    Ok(())
}

fn produce(brokers: &str, load: &Load, before: i64) -> Result<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "50")
        .set("batch.size", "1000000")
        .set("enable.idempotence", "true")
        .set("queue.buffering.max.messages", "1000000")
        .set("message.max.bytes", MESSAGE_MAX)
        .set("compression.codec", if load.zstd { "zstd" } else { "none" })
        .create()?;
    let (mut key, mut value) = (Vec::new(), Vec::new());
    for number in before..load.records {
        let at = FIRST_MS + number * (load.days * DAY_MS) / load.records;
        write_key(load, number, at, &mut key);
        write_value(load, number, at, &mut value);
        let partition = match load.shape {
            Shape::Stream | Shape::Ten { keys: None } => number % i64::from(load.partitions),
            // A key stays in its Kafka partition.
            _ => key_of(load.shape, number) % i64::from(load.partitions),
        };
        send(&producer, load, i32::try_from(partition)?, at, &key, &value)?;
    }
    producer.flush(Duration::from_secs(300))?;
    Ok(())
}

fn send(
    producer: &BaseProducer<DefaultProducerContext>,
    load: &Load,
    partition: i32,
    at: i64,
    key: &[u8],
    value: &[u8],
) -> Result<()> {
    let mut record = BaseRecord::to(&load.topic)
        .partition(partition)
        .timestamp(at)
        .key(key)
        .payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                record = again;
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Spreads updates over all keys in no simple order, the same every time.
fn key_of(shape: Shape, number: i64) -> i64 {
    match shape {
        Shape::Stream | Shape::Ten { keys: None } => number,
        Shape::Keys { keys } if number < keys => number,
        Shape::Ten { keys: Some(keys) }
        | Shape::Table { keys }
        | Shape::Pairs { keys }
        | Shape::Enveloped { keys }
        | Shape::Windowed { keys }
        | Shape::Keys { keys } => (number.wrapping_mul(2_654_435_761) & i64::from(u32::MAX)) % keys,
    }
}

fn write_key(load: &Load, number: i64, at: i64, key: &mut Vec<u8>) {
    use std::io::Write;
    key.clear();
    let which = key_of(load.shape, number);
    // Writing to memory does not fail.
    let _ = match load.shape {
        Shape::Stream | Shape::Ten { keys: None } => write!(key, "TXN-{which:012}"),
        Shape::Ten { .. } | Shape::Table { .. } | Shape::Keys { .. } => write!(key, "KEY-{which:09}"),
        Shape::Pairs { .. } => {
            let (user, kind) = (which / TYPES.len() as i64, pick(&TYPES, which));
            write!(
                key,
                "{{\"USER_ID\":\"USER-{user:06}\",\"TRANSACTION_TYPE\":\"{kind}\"}}"
            )
        }
        Shape::Enveloped { .. } => write!(key, "{KEY_SCHEMA}{{\"k\":\"KEY-{which:09}\"}}}}"),
        Shape::Windowed { .. } => write!(key, "TYPE-{which:06}"),
    };
    if matches!(load.shape, Shape::Windowed { .. }) {
        key.extend_from_slice(&(at - at % WINDOW_MS).to_be_bytes());
    }
}

// What stands before the payload, with a brace after it, where Kafka Connect's JsonConverter wants the schema, too.
const KEY_SCHEMA: &str = r#"{"schema":{"type":"struct","optional":false,"fields":[{"field":"k","type":"string","optional":false}]},"payload":"#;
const VALUE_SCHEMA: &str = concat!(
    r#"{"schema":{"type":"struct","optional":false,"fields":[{"field":"COUNT_OF","type":"int64","optional":true},"#,
    r#"{"field":"TOTAL","type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"#,
    r#""parameters":{"scale":"2"},"optional":true},{"field":"NAME","type":"string","optional":true},"#,
    r#"{"field":"UPDATED_MS","type":"int64","optional":true},{"field":"NOTE","type":"string","optional":true}]},"#,
    r#""payload":"#
);

const WORDS: [&str; 24] = [
    "payment",
    "of",
    "the",
    "invoice",
    "for",
    "goods",
    "received",
    "in",
    "order",
    "paid",
    "by",
    "card",
    "refund",
    "monthly",
    "subscription",
    "transfer",
    "to",
    "savings",
    "account",
    "été",
    "café",
    "Zürich",
    "online",
    "store",
];
const CITIES: [&str; 8] = [
    "Paris",
    "Lyon",
    "Marseille",
    "Berlin",
    "Madrid",
    "Roma",
    "Bruxelles",
    "Genève",
];
const TYPES: [&str; 5] = ["purchase", "withdrawal", "deposit", "transfer", "refund"];

fn pick<'w>(words: &[&'w str], number: i64) -> &'w str {
    words[usize::try_from(number.rem_euclid(words.len() as i64)).unwrap_or(0)]
}

fn write_value(load: &Load, number: i64, at: i64, value: &mut Vec<u8>) {
    use std::io::Write;
    value.clear();
    let (cents, id) = (
        number.wrapping_mul(48_271) % 10_000_000,
        number.wrapping_mul(7_919) % 50_000,
    );
    let (whole, part) = (cents / 100, cents % 100);
    let (city, kind) = (pick(&CITIES, id / 3), pick(&TYPES, id / 7));
    if matches!(load.shape, Shape::Ten { .. }) {
        let from = WORDS.len() - 8;
        let note = [number / 3, number / 5, number / 7]
            .map(|which| WORDS[usize::try_from(which).unwrap_or(0) % from]);
        let row = ten_fields::Row {
            number,
            user: id,
            cents,
            city,
            status: ((id / 7).rem_euclid(TYPES.len() as i64), kind),
            at_ms: at,
            note: &note.join(" "),
        };
        return match load.schema {
            Some(schema) => row.write_avro(schema, value),
            None => row.write_json(value),
        };
    }
    let enveloped = matches!(load.shape, Shape::Enveloped { .. });
    if enveloped {
        value.extend_from_slice(VALUE_SCHEMA.as_bytes());
    }
    let head = value.len();
    let bytes = match load.shape {
        // It has been written.
        Shape::Ten { .. } => 0,
        Shape::Stream => {
            let _ = write!(
                value,
                "{{\"TRANSACTION_ID\":\"TXN-{number:012}\",\"USER_ID\":\"USER-{id:05}\",\"USER_NAME\":\"Zoé Müller {id}\",\
                 \"TIMESTAMP_MS\":{at},\"TRANSACTION_TYPE\":\"{kind}\",\"AMOUNT\":{whole}.{part:02},\"CURRENCY\":\"EUR\",\
                 \"AMOUNT_USD\":{}.{part:02},\"STATUS\":\"completed\",\"PRODUCT_ID\":\"P-{:04}\",\"PRODUCT\":{{\"CATEGORY\":\
                 \"electronics\",\"TAGS\":[\"new\",\"sale\"],\"PRICE\":{}.50,\"QUANTITY\":{}}},\"CITY\":\"{city}\",\
                 \"COUNTRY\":\"FR\",\"LATITUDE\":48.{:06},\"LONGITUDE\":2.{:06},\"CARD\":\"**** **** **** {:04}\",\
                 \"DEVICE\":\"mobile\",\"IP\":\"192.0.2.{}\",\"RISK\":0.{:04},\"FLAGGED\":false,\"PARENT\":null,\"NOTE\":\"",
                whole + 7,
                id % 977,
                id % 300,
                id % 5,
                cents % 1_000_000,
                (cents * 3) % 1_000_000,
                id % 10_000,
                id % 250,
                id % 10_000
            );
            load.value_bytes
        }
        Shape::Table { .. }
        | Shape::Pairs { .. }
        | Shape::Enveloped { .. }
        | Shape::Windowed { .. }
        | Shape::Keys { .. } => {
            let _ = write!(
                value,
                "{{\"COUNT_OF\":{number},\"TOTAL\":{whole}.{part:02},\"NAME\":\"User {id}\",\"UPDATED_MS\":{at},\"NOTE\":\""
            );
            load.value_bytes.min(200)
        }
    };
    let mut seed = u64::from_ne_bytes(number.to_ne_bytes()).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while value.len() - head + 2 < bytes {
        // xorshift: the same words every time, in no order.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        value.extend_from_slice(WORDS[usize::try_from(seed % WORDS.len() as u64).unwrap_or(0)].as_bytes());
        value.push(b' ');
    }
    value.extend_from_slice(b"\"}");
    if enveloped {
        value.push(b'}');
    }
}
