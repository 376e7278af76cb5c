//! After the commit: everything that the state owes is put in its place. Every step can be done twice.

use anyhow::{Context, Result};
use rustix::fs::FileType;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{checksum_in, side_by_side, trash};
use crate::config::Settings;
use crate::lake::disk::folder::Folder;
use crate::lake::disk::inherited_acl::{self, Heirs};
use crate::lake::disk::root::{PathStat, Root};
use crate::lake::layout::paths::{HivePartition, day_folder, parent};
use crate::lake::ledger::{self, Debt, FileEntry, Manifest, PendingExchange, PendingFile, TopicState};
use crate::problem::{About, Problem};

/// The way out where a file is not what was committed.
const RESTORE: &str = "restore it from a backup and run again";

/// Pays the state's debt. A run that was killed may have done any of the steps already.
pub(super) fn publish(
    root: &Root,
    settings: &Settings,
    topic: &str,
    state: &mut TopicState,
    recovering: bool,
) -> Result<()> {
    let Some(pending) = &state.pending else {
        return Ok(());
    };
    publish_files(root, pending, recovering)?;
    for exchange in &pending.exchanges {
        publish_exchange(root, &pending.staging, exchange, recovering)?;
    }
    write_manifests(root, settings, topic, state, pending)?;
    for purge in &pending.purges {
        trash::move_there(root, topic, purge)?;
    }
    trash::sync(root, topic, &pending.purges)?;
    if let Some((link, target)) = &pending.link {
        switch_link(root, &pending.staging, link, target)?;
    }
    for path in &pending.remove {
        root.remove_file(path)?;
        trash::remove_empty_parents(root, path)?;
    }
    for (day, name) in &pending.forget {
        let day = HivePartition::parse(day)
            .with_context(|| format!("`{day}` is not a day"))
            .about_topic(topic)?;
        let path = format!("{}/{name}", day_folder(state.kind, topic, day));
        root.remove_file(&path)?;
        trash::remove_empty_parents(root, &path)?;
    }
    trash::empty(root, &pending.purges)?;
    let staging = pending.staging.clone();
    state.pending = None;
    state.save(root, topic)?;
    if !staging.is_empty() {
        root.remove_tree(&staging)?;
        root.remove_empty_dir(&ledger::staging_home(topic))?;
    }
    Ok(())
}

/// Replaces a day folder by the staged one; readers see the one or the other.
fn publish_exchange(root: &Root, staging: &str, exchange: &PendingExchange, recovering: bool) -> Result<()> {
    let staged = format!("{staging}/{}", exchange.staged);
    let parent = parent(&exchange.folder);
    let done = recovering && is_exchanged(root, &staged, exchange)?;
    if !done {
        root.make_dirs(parent)?;
        inherited_acl::like(root, &staged, &exchange.folder)?;
        if root.stat(&exchange.folder)?.is_some() {
            root.exchange(&staged, &exchange.folder)?;
        } else if !root.rename_new(&staged, &exchange.folder)? {
            return Problem::new(format!(
                "{} was made by somebody else meanwhile",
                root.shown(&exchange.folder)
            ))
            .fix("run again")
            .err();
        }
    }
    root.sync_dir(parent)?;
    root.sync_dir(staging)
}

/// Whether a run that was killed has exchanged the day already. The files themselves decide, so that a lake can be copied
/// between the two runs.
///
/// # Errors
/// Neither the day folder nor the staged one is what was committed.
fn is_exchanged(root: &Root, staged: &str, exchange: &PendingExchange) -> Result<bool> {
    if holds(root, &exchange.folder, &exchange.files)? {
        return Ok(true);
    }
    if !holds(root, staged, &exchange.files)? {
        return Problem::new(format!(
            "{} is not what was committed, nor is the folder that was staged in its place, {}: one of them was changed or \
             the disk lost it",
            root.shown(&exchange.folder),
            root.shown(staged)
        ))
        .fix(RESTORE)
        .err();
    }
    Ok(false)
}

/// Whether a folder holds these files unchanged.
fn holds(root: &Root, folder: &str, files: &[FileEntry]) -> Result<bool> {
    if root.stat(folder)?.is_none() {
        return Ok(false);
    }
    let folder = root.open_folder(folder)?;
    // Names and sizes are compared first: they mostly decide, and nothing has to be read.
    for file in files {
        if !folder
            .stat(&file.name)?
            .is_some_and(|found| has_size(found, file))
        {
            return Ok(false);
        }
    }
    for file in files {
        if checksum_in(&folder, &file.name)? != file.checksum {
            return Ok(false);
        }
    }
    Ok(true)
}

fn has_size(found: PathStat, file: &FileEntry) -> bool {
    found.kind == FileType::RegularFile && found.bytes == file.bytes
}

/// Moves staged files to their folders, one folder after the other, and makes the moves durable.
fn publish_files(root: &Root, pending: &Debt, recovering: bool) -> Result<()> {
    let mut by_folder: HashMap<&str, Vec<&PendingFile>> = HashMap::new();
    let mut folders: Vec<&str> = Vec::new();
    for file in &pending.files {
        let files = by_folder.entry(&file.folder).or_default();
        if files.is_empty() {
            folders.push(&file.folder);
        }
        files.push(file);
    }
    if folders.is_empty() {
        return Ok(());
    }
    root.make_all(folders.iter().copied())?;
    if recovering {
        // The run that was killed may have made some folders and not synced those above them.
        let above: BTreeSet<&str> = folders.iter().flat_map(|folder| ancestors(folder)).collect();
        above.into_iter().try_for_each(|folder| root.sync_dir(folder))?;
    }
    // A run that was killed may have emptied and removed the staging folder.
    let staging = match root.stat(&pending.staging)? {
        Some(_) => Some(root.open_folder(&pending.staging)?),
        None => None,
    };
    for path in &folders {
        let folder = root.open_folder(path)?;
        let (files, heirs) = (&by_folder[path], Heirs::new(&folder)?);
        for file in files {
            publish_file(staging.as_ref(), &folder, &heirs, file, recovering)?;
        }
        heirs.mend(files.iter().map(|file| &*file.file.name))?;
    }
    side_by_side(&folders, |folder| root.sync_dir(folder))
}

/// The folders above this one, up to the root.
fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |below| (!below.is_empty()).then(|| parent(below))).skip(1)
}

fn publish_file(
    staging: Option<&Folder<'_>>,
    folder: &Folder<'_>,
    heirs: &Heirs<'_>,
    file: &PendingFile,
    recovering: bool,
) -> Result<()> {
    let name = &file.file.name;
    let found = folder.stat(name)?;
    let staged = match staging {
        Some(staging) => staging.stat(&file.staged)?.map(|staged| (staging, staged)),
        None => None,
    };
    match (staged, found) {
        (Some((staging, staged)), found) => {
            check(staging, &file.staged, staged, file, recovering)?;
            heirs.endow(staging, &file.staged)?;
            if file.replaces && found.is_none_or(|found| found.kind == FileType::RegularFile) {
                return staging.rename_over(&file.staged, folder, name);
            }
            if staging.rename_new(&file.staged, folder, name)? {
                Ok(())
            } else {
                Problem::new(format!(
                    "{} is where a committed file belongs, but the ledger doesn't know it",
                    folder.shown(name)
                ))
                .fix("move it away and run again")
                .err()
            }
        }
        (None, Some(found)) => check(folder, name, found, file, recovering),
        (None, None) => Problem::new(format!(
            "{} was committed, but is neither there nor staged",
            folder.shown(name)
        ))
        .fix(format!("was it deleted? {RESTORE}"))
        .err(),
    }
}

/// Checks that a file is what was committed. The run that staged it has its checksum; a later run reads the file again.
fn check(folder: &Folder<'_>, name: &str, found: PathStat, file: &PendingFile, read_it: bool) -> Result<()> {
    if !has_size(found, &file.file) || (read_it && checksum_in(folder, name)? != file.file.checksum) {
        return Problem::new(format!(
            "{} is not what was committed ({} bytes, checksum {}): it was changed or the disk lost it",
            folder.shown(name),
            file.file.bytes,
            file.file.checksum
        ))
        .fix(RESTORE)
        .err();
    }
    Ok(())
}

fn write_manifests(
    root: &Root,
    settings: &Settings,
    topic: &str,
    state: &TopicState,
    pending: &Debt,
) -> Result<()> {
    let (zone, by) = (settings.lake.timezone, &state.partition_time);
    let new = |day: &str| Manifest::new(topic, day, state.kind, zone, by);
    root.make_dirs(&Manifest::home(topic))?;
    let home = root.open_folder(&Manifest::home(topic))?;
    for exchange in &pending.exchanges {
        let mut manifest = new(&exchange.day);
        manifest.add(exchange.files.clone());
        manifest.save(&home)?;
    }
    let mut added: BTreeMap<&str, Vec<FileEntry>> = BTreeMap::new();
    for file in &pending.files {
        if let Some(day) = &file.day {
            added.entry(day).or_default().push(file.file.clone());
        }
    }
    let mut forgotten: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (day, name) in &pending.forget {
        added.entry(day).or_default();
        forgotten.entry(day).or_default().insert(name);
    }
    let added: Vec<_> = added.into_iter().collect();
    side_by_side(&added, |(day, files)| {
        let mut manifest = Manifest::load(root, topic, day)?.unwrap_or_else(|| new(day));
        manifest.forget(forgotten.get(day).unwrap_or(&BTreeSet::new()));
        manifest.add(files.iter().cloned());
        if manifest.files.is_empty() {
            home.remove_file(day)
        } else {
            manifest.save(&home)
        }
    })?;
    home.sync()
}

/// Points the link to a new target. Readers that open it find the old target or the new one, never none.
fn switch_link(root: &Root, staging: &str, link: &str, target: &str) -> Result<()> {
    if root.link_target(link)?.as_deref() == Some(target) {
        return Ok(());
    }
    let folder = parent(link);
    let temporary = format!("{staging}/link");
    root.make_dirs(staging)?;
    root.make_dirs(folder)?;
    // All tables share this folder: another table's commit may have made it a moment ago.
    root.sync_dir(parent(folder))?;
    root.remove_file(&temporary)?;
    root.symlink(target, &temporary)?;
    root.rename_over(&temporary, link)?;
    root.sync_dir(folder)
}
