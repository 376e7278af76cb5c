//! `lakectl discover`: configuration for topics that the configuration lacks, from what ksqlDB, the registry and Kafka know.
//!
//! Only what nobody says is guessed from a sample of records, and marked as a guess.

mod append;
mod described;
mod entry;
mod ksqldb;
mod looked_at;
mod statement;

use anyhow::Result;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Settings, check_topic_name, closest};
use crate::decode::registry::Registry;
use crate::decode::stated::StatedSettings;
use crate::kafka::{Client, TopicList, TopicSettings};
use crate::problem::Problem;
use crate::report::Report;
use crate::run::select::{glob, is_internal};
use crate::stop::Stop;
use crate::words::count;
use entry::{ShownEntry, TopicEntry};
use ksqldb::KsqlSources;
use looked_at::{Subjects, TopicSample};

/// What a person wants discovered.
#[derive(Debug, Clone)]
pub struct DiscoverRequest {
    /// Names and globs; none: every topic that is not internal.
    pub topics: Vec<String>,
    /// Append the entries to the configuration file.
    pub write: bool,
    pub dry_run: bool,
}

/// Proposes entries for the topics that have none.
///
/// # Errors
/// A topic or glob that does not exist, or no file to append to: exit code 2. Kafka, ksqlDB or the registry can't be asked:
/// exit code 1.
pub fn execute(
    request: &DiscoverRequest,
    settings: &Settings,
    report: &mut Report,
    stop: &Stop,
) -> Result<()> {
    let file = request.write.then(|| append::file(settings)).transpose()?;
    let client = Client::new(&settings.kafka, "discover")?.stopped_by(stop);
    let live = client.topics()?;
    let topics = chosen(request, settings, &live)?;
    let entries = match topics.is_empty() {
        true => Vec::new(),
        false => entries(settings, &client, &topics, report, stop)?,
    };
    let usable: Vec<&ShownEntry> = entries.iter().filter(|entry| entry.unusable.is_none()).collect();
    let is_written = file.is_some() && !request.dry_run && !usable.is_empty() && stop.signal().is_none();
    if let (Some(file), true) = (&file, is_written) {
        let names: Vec<&str> = usable.iter().map(|entry| entry.topic.as_str()).collect();
        append::append(file, &joined(usable.iter().copied()), &names)?;
    }
    tell_guesses(&entries, report);
    report.topics.told_as(&entries)?;
    report.outcome(&json!({
        "toml": joined(&entries),
        "guesses": entries.iter().filter(|entry| entry.is_guess).count(),
        "file": file.as_ref().map(|file| file.display().to_string()),
        "written": is_written,
    }));
    match file {
        Some(file) => {
            let verb = if request.dry_run {
                "would append"
            } else {
                "appended"
            };
            let names = usable.iter().map(|entry| format!("  {}", entry.topic));
            let entries = if usable.len() == 1 { "entry" } else { "entries" };
            report.text = vec![format!("{verb} {} {entries} to {}", usable.len(), file.display())];
            report.text.extend(names);
        }
        None if entries.is_empty() => report.output = Some("# no topic lacks an entry\n".to_owned()),
        None => report.output = Some(joined(&entries)),
    }
    Ok(())
}

/// The topics without an entry, in the order of their names. A name may be that of an internal topic.
fn chosen(request: &DiscoverRequest, settings: &Settings, live: &TopicList) -> Result<BTreeSet<String>> {
    let ordinary = || live.keys().filter(|name| !is_internal(name));
    let mut chosen = BTreeSet::new();
    if request.topics.is_empty() {
        chosen.extend(ordinary().cloned());
    }
    for pattern in request.topics.iter().map(|pattern| pattern.trim()) {
        if let Some(glob) = glob(pattern)? {
            let matching: Vec<&String> = ordinary().filter(|name| glob.is_match(name)).collect();
            if matching.is_empty() {
                return Problem::usage(format!("no topic of Kafka matches `{pattern}`"))
                    .fix("internal topics are left out, unless they are named in full")
                    .err();
            }
            chosen.extend(matching.into_iter().cloned());
        } else if live.contains_key(pattern) {
            chosen.insert(pattern.to_owned());
        } else {
            check_topic_name(pattern)?;
            let near = closest(pattern, ordinary().map(String::as_str));
            return Problem::usage(format!("there is no topic `{pattern}` in Kafka"))
                .fix_if_known(near.map(|near| format!("did you mean `{near}`?")))
                .err();
        }
    }
    chosen.retain(|name| !settings.topics.contains_key(name));
    Ok(chosen)
}

/// An entry for each topic: by ksqlDB where it knows the topic, else by all others.
fn entries(
    settings: &Settings,
    client: &Client,
    topics: &BTreeSet<String>,
    report: &mut Report,
    stop: &Stop,
) -> Result<Vec<ShownEntry>> {
    let sources = match &settings.ksqldb {
        Some(ksqldb) => ksqldb::ask(ksqldb)?,
        None => KsqlSources::default(),
    };
    for warning in &sources.warnings {
        report.warn(format!("ksqlDB: {warning}"));
    }
    let names: Vec<String> = topics.iter().cloned().collect();
    let kept = client.topic_settings(&names);
    let is_known = |topic: &&String| sources.all.iter().any(|source| source.topic == **topic);
    let registry = Registry::new(settings.registry.as_ref())?;
    let subjects = match topics.iter().all(|topic| is_known(&topic)) {
        true => Subjects {
            registry,
            ..Subjects::default()
        },
        false => Subjects::ask(registry)?,
    };
    let mut entries = Vec::new();
    for topic in topics {
        if stop.signal().is_some() {
            break;
        }
        let sample = || sample(client, topic, stop);
        entries.push(one(topic, kept.get(topic), &sources, &subjects, sample).shown());
    }
    Ok(entries)
}

fn one(
    topic: &str,
    kept: Option<&Result<TopicSettings, String>>,
    sources: &KsqlSources,
    subjects: &Subjects,
    sample: impl FnOnce() -> Result<TopicSample>,
) -> TopicEntry {
    let unknown = Err("they were not asked for".to_owned());
    let kept = kept.unwrap_or(&unknown);
    let is_compacted = kept.as_ref().is_ok_and(TopicSettings::compacts);
    let Some(source) = sources.of_topic(topic, is_compacted) else {
        return looked_at::entry(topic, kept, sample(), subjects);
    };
    let (mut entry, lacks_keys) = sources.entry(source);
    if lacks_keys {
        let sample = looked_at::read_or_noted(&mut entry, sample());
        looked_at::keys_of_sample(&mut entry, &sample, subjects);
    }
    entry
}

fn sample(client: &Client, topic: &str, stop: &Stop) -> Result<TopicSample> {
    let partitions = client.leadership(topic)?.map(|seen| seen.partitions);
    let list = BTreeMap::from([(topic.to_owned(), partitions.unwrap_or_default())]);
    let offsets = client.offsets(&list)?.remove(topic).transpose()?;
    TopicSample::read(client, topic, &offsets.unwrap_or_default(), stop)
}

fn joined<'e>(entries: impl IntoIterator<Item = &'e ShownEntry>) -> String {
    let entries: Vec<&str> = entries.into_iter().map(|entry| entry.toml.as_str()).collect();
    entries.join("\n")
}

/// Says which entries somebody has to look at: exit code 3.
fn tell_guesses(entries: &[ShownEntry], report: &mut Report) {
    for entry in entries {
        if let Some(why) = &entry.unusable {
            report
                .warn_of(Problem::new(format!("its entry is not complete: {why}")).about_topic(&entry.topic));
        }
    }
    let guesses = entries
        .iter()
        .filter(|entry| entry.is_guess && entry.unusable.is_none());
    let names: Vec<&str> = guesses.map(|entry| entry.topic.as_str()).collect();
    if !names.is_empty() {
        let what = format!(
            "{} with something that nobody says for sure: {}",
            count(names.len() as u64, "topic"),
            names.join(", ")
        );
        report.warn_of(
            Problem::new(what).fix("read the comments in their entries, and then run: lakectl check"),
        );
    }
    if entries.iter().any(|entry| entry.is_guess) {
        report.needs_attention();
    }
}

impl TopicEntry {
    fn note_of_stated<S>(&mut self, stated: &StatedSettings<S>) {
        self.note(stated.notes.iter().cloned());
        if stated.is_doubtful {
            self.doubt();
        }
    }
}
