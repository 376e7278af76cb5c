//! The lake's commit: staged files become data in the one moment in which the topic's state is renamed.
//!
//! Before that moment any failure drops the staging. After it nothing is deleted: this run or the next one finishes what
//! is still owed to the readers.

mod publish;
mod publishable;
pub(super) mod trash;

use anyhow::{Context, Result};
use rustix::system::uname;
use std::ffi::CStr;
use std::io::Read;
use std::thread::Builder;

use super::disk::checksum::Checksum;
use super::disk::checksummed;
use super::disk::folder::Folder;
use super::disk::root::Root;
use super::ledger::{self, Debt, TopicState, preconditions};
use crate::config::Settings;
use crate::problem::unexpected;
use publish::publish;

/// Past this many files one syncfs is cheaper than one fsync per file, four at a time.
const SYNC_EACH_MAX: usize = 1_000;
/// From this many files or folders on, several are written and synced at a time.
const TOGETHER_MIN: usize = 8;
/// How many are written and synced at a time.
const THREADS: usize = 4;

/// Commits `state`, then publishes its debt, `state.pending`. The staged files must be complete; they are made durable
/// first.
///
/// # Errors
/// Before the commit point the old state still counts. After it the next run's `recover` finishes the publishing.
pub fn commit(root: &Root, settings: &Settings, topic: &str, state: &mut TopicState) -> Result<()> {
    let path = TopicState::path(topic);
    preconditions::check_days(root, topic, state)?;
    root.make_dirs(&ledger::topic_home(topic))?;
    if let Some(pending) = &state.pending {
        publishable::check(root, topic, pending)?;
        make_durable(root, pending)?;
    }
    checksummed::prepare(root, &path, state)?.switch()?;
    publish(root, settings, topic, state, false)
}

/// Finishes what a committed run still owes, and drops what was never committed. None: the ledger doesn't know the topic.
///
/// # Errors
/// A committed file is neither staged nor in its place, or is not what was committed.
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

/// Whether so many files are made durable by one sync of the filesystem. Before Linux 5.8 it does not report failed writes,
/// and other systems don't even wait for them.
fn syncs_whole(files: usize, release: &CStr) -> bool {
    let release = release.to_str().unwrap_or_default();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|n| n.parse().ok());
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    cfg!(target_os = "linux") && files > SYNC_EACH_MAX && version >= (5, 8)
}

/// Calls `each` for all items, from several threads if there are many: the filesystem then writes several at once.
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
                // If no thread can be started, this one does its share.
                thread.map_err(|_| these)
            })
            .collect();
        // All threads end before the first failure is returned: no fsync may run on after it.
        let ends: Vec<_> = threads
            .into_iter()
            .map(|thread| match thread {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|_| Err(unexpected("syncing failed unexpectedly"))),
                Err(these) => in_turn(these),
            })
            .collect();
        ends.into_iter().collect()
    })
}

/// XXH3-128 of a file, as the ledger writes it.
pub fn checksum(root: &Root, path: &str) -> Result<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    checksum_in(&root.open_folder(folder)?, name)
}

fn checksum_in(folder: &Folder<'_>, name: &str) -> Result<String> {
    let mut file = folder.read(name)?;
    let mut checksum = Checksum::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file
            .read(&mut buffer)
            .with_context(|| format!("reading {}", folder.shown(name)))?
        {
            0 => return Ok(checksum.to_string()),
            n => checksum.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn one_sync_for_all_only_where_it_reports_failed_writes() {
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
