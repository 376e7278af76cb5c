//! Entries of topics that ksqlDB does not describe: by the registry's subjects, the topic's settings and a sample.

use anyhow::Result;
use std::collections::BTreeSet;

use super::entry::{Origin, TopicEntry};
use crate::config::{KeySchema, Kind, ValueFormat, Window, WrittenSetting, quoted, units};
use crate::decode::guess::sampled::{envelope_of, keys_of, values_of};
use crate::decode::registry::Registry;
use crate::decode::stated::{StatedSettings, schemas};
use crate::kafka::{Client, PartitionOffsets, TopicSettings, read_newest};
use crate::problem::Problem;
use crate::record::{Header, Record};
use crate::stop::Stop;
use crate::words::count;

/// About how many of the newest records of a topic are looked at.
const RECORDS: u64 = 100;
/// How many bytes of them are kept.
const BYTES_MAX: usize = 16 << 20;

/// A record of a sample.
#[derive(Debug)]
struct SampledRecord {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// The newest records of a topic, as far as they were looked at.
#[derive(Debug, Default)]
pub(super) struct TopicSample {
    records: Vec<SampledRecord>,
    /// Kafka did not give them.
    is_unread: bool,
}

impl TopicSample {
    /// Reads a sample. Nothing is committed.
    ///
    /// # Errors
    /// Kafka does not give the records.
    pub fn read(
        client: &Client,
        topic: &str,
        offsets: &[PartitionOffsets],
        stop: &Stop,
    ) -> Result<TopicSample> {
        let mut sample = Vec::new();
        let mut bytes = 0;
        read_newest(client, topic, offsets, RECORDS, stop, &mut |record| {
            bytes += record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
            if bytes <= BYTES_MAX || sample.is_empty() {
                let headers = record.headers.iter();
                sample.push(SampledRecord {
                    key: record.key.map(<[u8]>::to_vec),
                    value: record.value.map(<[u8]>::to_vec),
                    headers: headers
                        .map(|header| (header.name.to_vec(), header.value.map(<[u8]>::to_vec)))
                        .collect(),
                });
            }
            Ok(())
        })?;
        Ok(TopicSample {
            records: sample,
            is_unread: false,
        })
    }

    fn records(&self) -> Vec<Record<'_>> {
        let records = self.records.iter().map(|sampled| Record {
            partition: 0,
            offset: 0,
            timestamp_ms: -1,
            key: sampled.key.as_deref(),
            value: sampled.value.as_deref(),
            headers: sampled
                .headers
                .iter()
                .map(|(name, value)| Header {
                    name,
                    value: value.as_deref(),
                })
                .collect(),
        });
        records.collect()
    }

    fn origin(&self) -> Origin {
        Origin::guessed(format!(
            "a sample of {}",
            count(self.records.len() as u64, "record")
        ))
    }
}

/// The registry and the names of its subjects; there are none if no registry is configured.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    pub registry: Registry,
    pub names: BTreeSet<String>,
}

impl Subjects {
    /// Asks the registry for its subjects.
    ///
    /// # Errors
    /// The registry can't be reached or refuses: exit code 1.
    pub fn ask(registry: Registry) -> Result<Subjects> {
        let names = match registry.is_configured() {
            true => registry.subjects()?.into_iter().collect(),
            false => BTreeSet::new(),
        };
        Ok(Subjects { registry, names })
    }
}

/// The entry of a topic, by all but ksqlDB.
pub(super) fn entry(
    topic: &str,
    settings: &Result<TopicSettings, String>,
    sample: Result<TopicSample>,
    subjects: &Subjects,
) -> TopicEntry {
    let mut entry = match settings {
        Ok(settings) => {
            let kind = if settings.compacts() {
                Kind::Table
            } else {
                Kind::Stream
            };
            let policy = format!("Kafka: cleanup.policy = {}", settings.policy());
            TopicEntry::new(topic, kind, &Origin::said_by(policy))
        }
        Err(error) => {
            let why = format!("Kafka does not give the topic's settings: {error}");
            TopicEntry::new(topic, Kind::Stream, &Origin::guessed(why))
        }
    };
    let sample = read_or_noted(&mut entry, sample);
    keys(&mut entry, topic, &sample, subjects);
    values(&mut entry, topic, &sample, subjects);
    entry
}

/// The sample. If none could be read the entry says so.
pub(super) fn read_or_noted(entry: &mut TopicEntry, sample: Result<TopicSample>) -> TopicSample {
    sample.unwrap_or_else(|error| {
        entry.note([format!("no sample could be read: {}", Problem::of(&error))]);
        entry.doubt();
        TopicSample {
            records: Vec::new(),
            is_unread: true,
        }
    })
}

/// Keys by their subject, else by the sample alone.
fn keys(entry: &mut TopicEntry, topic: &str, sample: &TopicSample, subjects: &Subjects) {
    let subject = format!("{topic}-key");
    if !subjects.names.contains(&subject) {
        return keys_of_sample(entry, sample, subjects);
    }
    match subjects.registry.latest(&subject) {
        Ok(Some(schema)) => {
            let stated = schemas::keys(&schema);
            let from = format!(
                "registry: subject {subject}, schema {} ({})",
                schema.id, schema.kind
            );
            entry.add(stated.schema.written(), &Origin::said_by(from));
            entry.note_of_stated(&stated);
            let seen = keys_of(&sample.records(), &subjects.registry);
            compared(
                entry,
                seen.as_ref(),
                |seen| seen.format == stated.schema.format,
                "keys",
            );
            let alike = seen.filter(|seen| seen.schema.format == stated.schema.format);
            window(entry, sample, alike.as_ref());
        }
        Ok(None) => keys_of_sample(entry, sample, subjects),
        Err(error) => unusable(entry, &subject, &error),
    }
}

/// Keys as they look; nothing is set where no record has one.
pub(super) fn keys_of_sample(entry: &mut TopicEntry, sample: &TopicSample, subjects: &Subjects) {
    match keys_of(&sample.records(), &subjects.registry) {
        Some(stated) => {
            entry.add(stated.schema.written(), &sample.origin());
            window(entry, sample, Some(&stated));
            entry.note_of_stated(&stated);
        }
        // The entry says so already.
        None if sample.is_unread => {}
        None if sample.records.is_empty() => {
            entry.note(["the topic holds no record that could tell how its keys are written".to_owned()]);
            entry.doubt();
        }
        None => entry.note(["no record of a sample has a key".to_owned()]),
    }
}

fn window(entry: &mut TopicEntry, sample: &TopicSample, seen: Option<&StatedSettings<KeySchema>>) {
    let setting = |value: String| -> WrittenSetting { ("window", value) };
    let written = match seen.and_then(|seen| seen.schema.window) {
        None => return,
        Some(Window::Session) => setting("{ type = \"session\" }".to_owned()),
        Some(Window::Time { size_ms }) => {
            let size = quoted(&units::shortest(size_ms.unsigned_abs()));
            setting(format!("{{ type = \"tumbling\", size = {size} }}"))
        }
    };
    entry.add([written], &sample.origin());
}

/// Values by their subject, else by the sample alone.
fn values(entry: &mut TopicEntry, topic: &str, sample: &TopicSample, subjects: &Subjects) {
    let subject = format!("{topic}-value");
    let schema = match subjects.names.contains(&subject) {
        true => subjects.registry.latest(&subject),
        false => Ok(None),
    };
    let seen = values_of(&sample.records(), &subjects.registry);
    let format = match (schema, seen) {
        (Ok(Some(schema)), seen) => {
            let stated = schemas::values(&schema);
            let from = format!(
                "registry: subject {subject}, schema {} ({})",
                schema.id, schema.kind
            );
            entry.add(stated.schema.written(), &Origin::said_by(from));
            entry.note_of_stated(&stated);
            compared(
                entry,
                seen.as_ref(),
                |seen| seen.format == stated.schema.format,
                "values",
            );
            stated.schema.format
        }
        (Ok(None), Some(seen)) => {
            entry.add(seen.schema.written(), &sample.origin());
            entry.note_of_stated(&seen);
            seen.schema.format
        }
        (Ok(None), None) => {
            let why = match sample.records.is_empty() {
                _ if sample.is_unread => "no sample could be read",
                true => "the topic holds no record",
                false => "no record of a sample has a value",
            };
            let json = ("value.format", quoted(&ValueFormat::default().to_string()));
            entry.add([json], &Origin::guessed(why));
            return;
        }
        (Err(error), _) => return unusable(entry, &subject, &error),
    };
    if let Some(envelope) = envelope_of(&sample.records(), format, &subjects.registry) {
        entry.add(
            [("value.unwrap", quoted(&envelope.to_string()))],
            &sample.origin(),
        );
    }
}

/// Notes that the records look otherwise than the registry says.
fn compared<S>(
    entry: &mut TopicEntry,
    seen: Option<&StatedSettings<S>>,
    is_alike: impl Fn(&S) -> bool,
    what: &str,
) {
    if seen.is_some_and(|seen| !is_alike(&seen.schema)) {
        entry.note([format!("the {what} of a sample do not all look like that")]);
        entry.doubt();
    }
}

fn unusable(entry: &mut TopicEntry, subject: &str, error: &anyhow::Error) {
    entry.note([format!("subject {subject}: {}", Problem::of(error))]);
    entry.doubt();
}
