//! Rebuilds days of a stream from Kafka: each day folder is staged as a whole and exchanged in one moment.

use anyhow::{Context, Result};
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};

use crate::config::Kind;
use crate::lake::disk::root::Root;
use crate::lake::layout::paths::{HivePartition, day_folder};
use crate::lake::ledger::{Debt, FileEntry, Manifest, PendingExchange, PendingFile, by_partition};
use crate::problem::{Problem, unexpected};

/// Turns the staged files of a rebuild into day folders that are ready to be exchanged.
///
/// # Errors
/// A day would hold fewer records than the ledger counted, or its folder holds files that are not ours. Then no day is
/// replaced.
pub(in crate::lake) fn stage(
    root: &Root,
    topic: &str,
    (first, last): (NaiveDate, NaiveDate),
    staging: String,
    files: Vec<PendingFile>,
) -> Result<Debt> {
    let mut found: BTreeMap<HivePartition, Vec<PendingFile>> = BTreeMap::new();
    for file in files {
        let day = file
            .day
            .as_deref()
            .and_then(HivePartition::parse)
            .context("a staged file has no day")?;
        found.entry(day).or_default().push(file);
    }
    let in_range =
        |day: &HivePartition| matches!(day, HivePartition::Day(day) if (first..=last).contains(day));
    let known: BTreeSet<_> = Manifest::days(root, topic)?
        .into_iter()
        .filter(in_range)
        .collect();
    let days: BTreeSet<HivePartition> = known.into_iter().chain(found.keys().copied()).collect();
    check(root, topic, &days, &found)?;
    let mut pending = Debt {
        staging,
        ..Debt::default()
    };
    for (number, (day, files)) in found.into_iter().enumerate() {
        let exchange = stage_day(root, topic, &pending.staging, number, day, files)?;
        pending.exchanges.push(exchange);
    }
    Ok(pending)
}

fn check(
    root: &Root,
    topic: &str,
    days: &BTreeSet<HivePartition>,
    found: &BTreeMap<HivePartition, Vec<PendingFile>>,
) -> Result<()> {
    let mut fewer = Vec::new();
    // Counted per Kafka partition, so that a gain in one does not hide a loss in another.
    for day in days {
        let known = Manifest::files_of(root, topic, &day.to_string())?;
        let before = by_partition(&known);
        let now = by_partition(found.get(day).into_iter().flatten().map(|file| &file.file));
        for (partition, before) in before {
            let now = now.get(&partition).copied().unwrap_or(0);
            if now < before {
                fewer.push(format!(
                    "{day} (Kafka partition {partition}: {now} of {before} records)"
                ));
            }
        }
        // What stands in the place of a file of ours may go: the rebuild mends just that.
        let ours: BTreeSet<_> = known.iter().map(|file| file.name.as_str()).collect();
        let folder = day_folder(Kind::Stream, topic, *day);
        if let Some((name, _)) = root
            .list(&folder)?
            .iter()
            .find(|(name, _)| !ours.contains(name.as_str()))
        {
            return Problem::new(format!(
                "{} is not ours, and a rebuild would remove it with its folder",
                root.shown(&format!("{folder}/{name}"))
            ))
            .fix("move it elsewhere and run again")
            .err();
        }
    }
    if !fewer.is_empty() {
        return Problem::new(format!(
            "Kafka no longer holds all records of {}: the lake has more of them than a rebuild would leave; nothing was \
             replaced",
            fewer.join(", ")
        ))
        .fix("rebuild without these days")
        .err();
    }
    Ok(())
}

fn stage_day(
    root: &Root,
    topic: &str,
    staging: &str,
    number: usize,
    day: HivePartition,
    files: Vec<PendingFile>,
) -> Result<PendingExchange> {
    let staged = format!("day-{number}");
    let folder = format!("{staging}/{staged}");
    root.make_dirs(&folder)?;
    let mut entries: Vec<FileEntry> = Vec::new();
    for file in files {
        if !root.rename_new(
            &format!("{staging}/{}", file.staged),
            &format!("{folder}/{}", file.file.name),
        )? {
            return Err(unexpected(format!("{} was staged twice", file.file.name)));
        }
        entries.push(file.file);
    }
    Ok(PendingExchange {
        staged,
        folder: day_folder(Kind::Stream, topic, day),
        day: day.to_string(),
        files: entries,
        same_records: false,
    })
}
