//! Checks, before anything is committed, that the ledger still describes what lies in a topic's folders.
//!
//! A ledger file that was lost, or restored from an older backup, is undamaged and yet wrong: records that it doesn't list
//! would be taken in a second time, or never be searched again.

use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};

use super::{FileEntry, Manifest, TopicState, topic_home};
use crate::config::Kind;
use crate::lake::disk::root::Root;
use crate::lake::layout::paths::{HivePartition, day_folder, is_data_name, topic_folder};
use crate::problem::Problem;

/// Checks that a topic which the ledger doesn't know has no data yet.
///
/// # Errors
/// The topic's state was lost. Taken in again, its records would be there twice.
pub(in crate::lake) fn check_new_topic(root: &Root, kind: Kind, topic: &str) -> Result<()> {
    let home = topic_home(topic);
    let state = TopicState::path(topic);
    // A first run that was killed before its commit leaves the state that it was about to commit to.
    let unfinished = format!("{state}.new");
    let rest = root
        .list(&home)?
        .into_iter()
        .map(|(name, _)| format!("{home}/{name}"));
    let found = match rest.into_iter().find(|path| *path != unfinished) {
        Some(path) => Some(path),
        None => first_data_file(root, &topic_folder(kind, topic), 3)?,
    };
    match found {
        None => Ok(()),
        Some(path) => Problem::new(format!(
            "the ledger's state of topic {topic}, {}, is gone, though {} is there: taken in again, its records would be there twice",
            root.shown(&state),
            root.shown(&path)
        ))
        .fix(
            "restore it from a backup, or move the topic's data and its folder under .lakectl/topics away and run again",
        )
        .err(),
    }
}

fn first_data_file(root: &Root, folder: &str, levels: u32) -> Result<Option<String>> {
    for (name, kind) in root.list(folder)? {
        let path = format!("{folder}/{name}");
        if levels == 0 {
            if is_data_name(&name) {
                return Ok(Some(path));
            }
        } else if kind.is_dir()
            && let Some(found) = first_data_file(root, &path, levels - 1)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Checks each day that this commit adds to: its folder holds no data file that its manifest doesn't list, and none of the
/// new offsets.
///
/// # Errors
/// A manifest or the state is older than the data. Nothing was committed.
pub(in crate::lake) fn check_days(root: &Root, topic: &str, state: &TopicState) -> Result<()> {
    let mut days: BTreeMap<&str, Vec<&FileEntry>> = BTreeMap::new();
    for file in state.pending.iter().flat_map(|pending| &pending.files) {
        if let Some(day) = &file.day {
            let new = (state.kind == Kind::Stream && !file.replaces).then_some(&file.file);
            days.entry(day).or_default().extend(new);
        }
    }
    for (day, new) in days {
        let known = Manifest::files_of(root, topic, day)?;
        check_folder(root, topic, state.kind, day, &known)?;
        check_offsets(root, topic, day, &known, &new)?;
    }
    Ok(())
}

fn check_folder(root: &Root, topic: &str, kind: Kind, day: &str, known: &[FileEntry]) -> Result<()> {
    let Some(partition) = HivePartition::parse(day) else {
        return Problem::new(format!("`{day}` is not a day"))
            .about_topic(topic)
            .err();
    };
    let folder = day_folder(kind, topic, partition);
    let names: BTreeSet<&str> = known.iter().map(|file| file.name.as_str()).collect();
    for (name, _) in root.list(&folder)? {
        if is_data_name(&name) && !names.contains(name.as_str()) {
            return Problem::new(format!(
                "the ledger's list of this day, {}, doesn't know {}; nothing was committed",
                root.shown(&Manifest::path(topic, day)),
                root.shown(&format!("{folder}/{name}"))
            ))
            .about_topic(topic)
            .fix("restore the list from a backup; if the file is not lakectl's, move it away")
            .err();
        }
    }
    Ok(())
}

/// What lies in a day's folder and is not a file of its manifest.
pub(in crate::lake) fn foreign(
    root: &Root,
    topic: &str,
    kind: Kind,
    day: HivePartition,
) -> Result<Vec<String>> {
    let files = Manifest::files_of(root, topic, &day.to_string())?;
    let known: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let folder = day_folder(kind, topic, day);
    let names = root.list(&folder)?.into_iter();
    let foreign = names.filter(|(name, kind)| !kind.is_file() || !known.contains(name.as_str()));
    Ok(foreign.map(|(name, _)| format!("{folder}/{name}")).collect())
}

/// Checks that files of one Kafka partition and day share no offset, whichever runs wrote them.
fn check_offsets(root: &Root, topic: &str, day: &str, known: &[FileEntry], new: &[&FileEntry]) -> Result<()> {
    let wanted: BTreeSet<(i32, u32)> = new.iter().map(|file| file.source()).collect();
    let mut taken: BTreeMap<(i32, u32, i64), &FileEntry> = BTreeMap::new();
    for file in known {
        let (partition, generation) = file.source();
        if wanted.contains(&(partition, generation)) {
            taken.insert((partition, generation, file.first), file);
        }
    }
    for file in new {
        let (partition, generation) = file.source();
        let range = (partition, generation, i64::MIN)..=(partition, generation, file.last);
        if let Some((_, there)) = taken.range(range).next_back()
            && there.last >= file.first
        {
            return Problem::new(format!(
                "offsets {} to {} of Kafka partition {partition} are in {day} already, in {}: the ledger's state, {}, is \
                 older than the data. Nothing was committed",
                file.first.max(there.first),
                file.last.min(there.last),
                there.name,
                root.shown(&TopicState::path(topic))
            ))
            .about_topic(topic)
            .fix(
                "restore the newest state from a backup, or move the topic's data and its folder under .lakectl/topics \
                 away and run again",
            )
            .err();
        }
    }
    Ok(())
}
