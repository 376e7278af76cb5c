//! Reads the last records of a topic as a run does, but commits nothing and joins no group.

use anyhow::Result;

use super::CheckScope;
use super::keys::Keys;
use super::scope::CheckedTopic;
use super::values::Values;
use crate::config::PartitionTime;
use crate::decode::{Body, Decoder};
use crate::kafka::{Client, PartitionOffsets, read_newest};
use crate::lake::line::encode;
use crate::lake::{DayDoubts, RecordDay};
use crate::record::Record;
use crate::warehouse::Trial;

#[derive(Debug)]
pub(super) struct Sample {
    pub(super) keys: Keys,
    pub(super) values: Values,
    /// The decoder, which knows the schemas that it has seen.
    pub(super) decoder: Decoder,
    pub(super) records: u64,
    /// Bytes of keys and values.
    pub(super) bytes: u64,
    /// Records without a day in the lake, or of an implausible one.
    pub(super) doubts: DayDoubts,
}

/// Reads the sample, and gives each record to `trial` as well.
pub(super) fn read(
    scope: &CheckScope<'_>,
    client: &Client,
    subject: &CheckedTopic,
    offsets: &[PartitionOffsets],
    mut trial: Option<&mut Trial>,
) -> Result<Sample> {
    let (topic, lake) = (&subject.topic, &scope.settings.lake);
    let mut sample = Sample {
        keys: Keys::new(&topic.key, &scope.registry),
        values: Values::new(&topic.value, &scope.registry),
        decoder: encode::decoder(&lake.prefix, topic, &scope.registry)
            .with_fields()
            .keeping_undecodable(),
        records: 0,
        bytes: 0,
        doubts: DayDoubts::default(),
    };
    let mut day = RecordDay::new(lake.timezone, topic);
    let mut take = |record: &Record<'_>| {
        sample.records += 1;
        sample.bytes += record.key.map_or(0, <[u8]>::len) as u64 + record.value.map_or(0, <[u8]>::len) as u64;
        let decoded = sample.decoder.decode(record)?;
        sample.keys.take(record, &decoded.key);
        sample.values.take(record, &decoded);
        // A tombstone has no fields.
        if topic.partition_time == PartitionTime::Kafka || decoded.body != Body::Tombstone {
            let folder = day.of(&decoded);
            day.note(&decoded, folder);
        }
        if let Some(trial) = trial.as_mut() {
            trial.take(&decoded);
        }
        sample.decoder.take_back([decoded]);
        Ok(())
    };
    let (name, wanted) = (&subject.topic.name, scope.request.sample);
    read_newest(client, name, offsets, wanted, scope.stop, &mut take)?;
    sample.doubts = day.doubts().clone();
    Ok(sample)
}
