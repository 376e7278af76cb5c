//! The floor that `scripts/bench` compares with: a bare rdkafka poll loop over a whole topic, which keeps nothing.
//!
//! `poll_floor TOPIC`; the broker is `$LAKECTL_BROKERS`. Prints records and bytes.

use anyhow::{Context, Result};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::Duration;

const ANSWER: Duration = Duration::from_secs(20);

fn main() -> Result<()> {
    let topic = std::env::args().nth(1).context("poll_floor TOPIC")?;
    let brokers = std::env::var("LAKECTL_BROKERS")
        .context("LAKECTL_BROKERS is not set; scripts/services starts one")?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "poll_floor")
        .set("enable.auto.commit", "false")
        .set("queued.max.messages.kbytes", "32768")
        .set("fetch.queue.backoff.ms", "5")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(&topic), ANSWER)?;
    let mut list = TopicPartitionList::new();
    let mut left = 0;
    for partition in metadata.topics().first().context("no such topic")?.partitions() {
        let (low, high) = consumer.fetch_watermarks(&topic, partition.id(), ANSWER)?;
        list.add_partition_offset(&topic, partition.id(), Offset::Offset(low))?;
        left += high - low;
    }
    consumer.assign(&list)?;
    let (mut records, mut bytes) = (0u64, 0u64);
    while left > 0 {
        if let Some(message) = consumer.poll(ANSWER) {
            let message = message?;
            records += 1;
            bytes += message.payload_len() as u64;
            left -= 1;
        }
    }
    println!("{records} records, {bytes} bytes");
    Ok(())
}
