//! The lake's commit: staged files become data in the one moment in which the topic's state is renamed.
//!
//! Before that moment any failure drops the staging; from it on nothing is deleted, and whatever is still owed to the
//! readers is finished by this run or by the next one.

pub(super) mod trash;

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::FileType;
use rustix::system::uname;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::CStr;
use std::io::Read;
use std::thread::Builder;
use xxhash_rust::xxh3::Xxh3;

use super::disk::checksummed;
use super::disk::folder::Folder;
use super::disk::inherited_acl::{self, Heirs};
use super::disk::root::{PathStat, Root};
use super::layout::paths::{HivePartition, day_folder, parent};
use super::ledger::{
    self, Debt, FileEntry, Manifest, PendingExchange, PendingFile, TopicState, preconditions,
};
use crate::config::Settings;
use crate::problem::About;

/// Past this many files one syncfs is cheaper than an fsync each, four at a time.
const SYNC_EACH_MAX: usize = 1_000;
/// From this many files or folders on, they are written and synced side by side.
const TOGETHER_MIN: usize = 8;
/// How many at a time.
const THREADS: usize = 4;

/// Makes `state`, which owes `state.pending`, the topic's truth, and then publishes what it owes.
/// The staged files must be complete; this makes them durable.
///
/// # Errors
/// Before the commit point the old state stays the truth. After it the next run's `recover` goes on.
pub fn commit(root: &Root, settings: &Settings, topic: &str, state: &mut TopicState) -> Result<()> {
    let path = TopicState::path(topic);
    preconditions::check_days(root, topic, state)?;
    root.make_dirs(&ledger::topic_home(topic))?;
    if let Some(pending) = &state.pending {
        make_durable(root, pending)?;
    }
    checksummed::prepare(root, &path, state)?.switch()?;
    publish(root, settings, topic, state, false)
}

/// Finishes what a committed run still owes, and drops what was never committed. None: the ledger doesn't know the topic.
///
/// # Errors
/// A committed file that is neither staged nor in its place, or is not what was committed.
pub fn recover(root: &Root, settings: &Settings, topic: &str) -> Result<Option<TopicState>> {
    let mut state = TopicState::load(root, topic)?;
    if let Some(state) = &mut state {
        publish(root, settings, topic, state, true)?;
    }
    root.remove_tree(&ledger::staging_home(topic))?;
    Ok(state)
}

fn make_durable(root: &Root, pending: &Debt) -> Result<()> {
    let exchanged: usize = pending
        .exchanges
        .iter()
        .map(|exchange| exchange.files.len())
        .sum();
    if syncs_whole(pending.files.len() + exchanged, uname().release()) {
        return root.sync_filesystem();
    }
    if pending.staging.is_empty() {
        return Ok(());
    }
    let staging = root.open_folder(&pending.staging)?;
    side_by_side(&pending.files, |file| staging.sync_file(&file.staged))?;
    side_by_side(&pending.exchanges, |exchange| {
        let day = root.open_folder(&format!("{}/{}", pending.staging, exchange.staged))?;
        exchange
            .files
            .iter()
            .try_for_each(|file| day.sync_file(&file.name))?;
        day.sync()
    })?;
    staging.sync()
}

/// Whether so many files are made durable by one sync of the filesystem. A kernel before Linux 5.8 doesn't tell by it what
/// could not be written, and other systems don't even wait.
fn syncs_whole(files: usize, release: &CStr) -> bool {
    let release = release.to_str().unwrap_or_default();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|n| n.parse().ok());
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    cfg!(target_os = "linux") && files > SYNC_EACH_MAX && version >= (5, 8)
}

/// Does something for each of these, several at a time where they are many: the filesystem then writes for several of
/// them at once.
fn side_by_side<T: Sync>(these: &[T], each: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let in_turn = |these: &[T]| these.iter().try_for_each(&each);
    if these.len() < TOGETHER_MIN {
        return in_turn(these);
    }
    std::thread::scope(|scope| {
        let share = these.len().div_ceil(THREADS);
        let threads: Vec<_> = these
            .chunks(share)
            .map(|these| {
                let thread = Builder::new().spawn_scoped(scope, move || in_turn(these));
                // Where there is no thread to be had, this one does it.
                thread.map_err(|_| these)
            })
            .collect();
        // All of them end before the first failure is told: no fsync may go on behind it.
        let ends: Vec<_> = threads
            .into_iter()
            .map(|thread| match thread {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("writing failed unexpectedly; please report it"))),
                Err(these) => in_turn(these),
            })
            .collect();
        ends.into_iter().collect()
    })
}

/// Moves what is pending to its place; each step may have been done by a run that was killed.
fn publish(
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
            .with_context(|| format!("`{day}` is no day"))
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

/// Puts a staged day folder in the place of the one that is there; readers see the one or the other.
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
            bail!(
                "{} appeared in the middle of a rebuild; run again",
                root.shown(&exchange.folder)
            );
        }
    }
    root.sync_dir(parent)?;
    root.sync_dir(staging)
}

/// Whether a run that was killed has exchanged the day already. The files themselves tell, so that a lake can be copied in
/// between.
///
/// # Errors
/// The day is neither in its place nor staged as it was committed.
fn is_exchanged(root: &Root, staged: &str, exchange: &PendingExchange) -> Result<bool> {
    if holds(root, &exchange.folder, &exchange.files)? {
        return Ok(true);
    }
    if !holds(root, staged, &exchange.files)? {
        bail!(
            "{} is not what was committed by a rebuild, and neither is what it staged, {}; one of them was changed or the \
             disk lost it. Restore it from a backup and run again",
            root.shown(&exchange.folder),
            root.shown(staged)
        );
    }
    Ok(false)
}

/// Whether a folder holds these files, as they were written.
fn holds(root: &Root, folder: &str, files: &[FileEntry]) -> Result<bool> {
    if root.stat(folder)?.is_none() {
        return Ok(false);
    }
    let folder = root.open_folder(folder)?;
    // Names and sizes mostly tell, and cost no reading.
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

/// Moves staged files to their folders, one folder after the other, and makes that durable.
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
        // The run that was killed may have made some of them, and not made that durable.
        let above: BTreeSet<&str> = folders.iter().flat_map(|folder| ancestors(folder)).collect();
        above.into_iter().try_for_each(|folder| root.sync_dir(folder))?;
    }
    // A run that was killed may have emptied and removed it.
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

/// The folders above one, up to the root.
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
                bail!(
                    "{} stands where a committed file belongs, and the ledger doesn't know it; move it away and run again",
                    folder.shown(name)
                )
            }
        }
        (None, Some(found)) => check(folder, name, found, file, recovering),
        (None, None) => bail!(
            "{} was committed, but it is neither there nor staged; was it deleted? Restore it from a backup and run again",
            folder.shown(name)
        ),
    }
}

/// A run that staged the file itself knows its checksum; a later one reads it again.
fn check(folder: &Folder<'_>, name: &str, found: PathStat, file: &PendingFile, read_it: bool) -> Result<()> {
    if !has_size(found, &file.file) || (read_it && checksum_in(folder, name)? != file.file.checksum) {
        bail!(
            "{} is not what was committed ({} bytes, checksum {}); it was changed or the disk lost it. \
             Restore it from a backup and run again",
            folder.shown(name),
            file.file.bytes,
            file.file.checksum
        );
    }
    Ok(())
}

/// XXH3-128 of a file, as the ledger writes it.
pub fn checksum(root: &Root, path: &str) -> Result<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    checksum_in(&root.open_folder(folder)?, name)
}

fn checksum_in(folder: &Folder<'_>, name: &str) -> Result<String> {
    let mut file = folder.read(name)?;
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file
            .read(&mut buffer)
            .with_context(|| format!("reading {}", folder.shown(name)))?
        {
            0 => return Ok(format!("{:032x}", hasher.digest128())),
            n => hasher.update(&buffer[..n]),
        }
    }
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

/// Readers that open the link find the old target or the new one, never none.
fn switch_link(root: &Root, staging: &str, link: &str, target: &str) -> Result<()> {
    if root.link_target(link)?.as_deref() == Some(target) {
        return Ok(());
    }
    let folder = parent(link);
    let temporary = format!("{staging}/link");
    root.make_dirs(staging)?;
    root.make_dirs(folder)?;
    // All tables share it: another one's commit may have made it a moment ago.
    root.sync_dir(parent(folder))?;
    root.remove_file(&temporary)?;
    root.symlink(target, &temporary)?;
    root.rename_over(&temporary, link)?;
    root.sync_dir(folder)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn one_sync_for_all_only_where_it_tells_of_lost_writes() {
        let many = SYNC_EACH_MAX + 1;
        for release in [
            c"5.8.0",
            c"5.15.0-91-generic",
            c"6.8",
            c"10.0.1",
            c"6.1.0-18-amd64",
        ] {
            assert!(syncs_whole(many, release), "{release:?}");
            assert!(!syncs_whole(SYNC_EACH_MAX, release), "{release:?}");
        }
        for release in [
            c"4.18.0-513.el8.x86_64",
            c"5.4.0",
            c"5.7.19",
            c"5",
            c"",
            c"unknown",
        ] {
            assert!(!syncs_whole(many, release), "{release:?}");
        }
    }
}
