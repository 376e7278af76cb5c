//! Before the commit: whatever the new state would owe to the readers can be put in its place. What is found to be
//! impossible only afterwards would stay owed, and every later run would fail with it.

use anyhow::{Context, Result, bail};
use rustix::fs::FileType;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use crate::lake::disk::root::{MountId, Root, may_write, mount_of};
use crate::lake::layout::paths::{HOME, parent};
use crate::lake::ledger::Debt;
use crate::problem::{About, Problem};

/// Checks each folder that files are moved to or from, and the link's name.
///
/// # Errors
/// A folder is on another mount than the staging, can't be written, or isn't a folder; something else than a link is where
/// the link belongs. Nothing was committed.
pub(super) fn check(root: &Root, topic: &str, debt: &Debt) -> Result<()> {
    let staging = if debt.staging.is_empty() {
        HOME
    } else {
        &debt.staging
    };
    let files = debt.files.iter().map(|file| &*file.folder);
    let days = debt.exchanges.iter().map(|exchange| &*exchange.folder);
    let purged = debt.purges.iter().map(|purge| &*purge.folder);
    let mut folders: BTreeSet<&str> = files.chain(days.clone()).chain(purged.clone()).collect();
    // A day folder that goes as a whole is also a name in the folder above it.
    folders.extend(days.chain(purged).map(parent));
    if let Some((link, _)) = &debt.link {
        folders.insert(parent(link));
        check_link(root, link).about_topic(topic)?;
    }
    let staged = root
        .walk(staging)
        .with_context(|| format!("looking at {}", root.shown(staging)))?;
    let home = (staging, mount_of(&staged)?);
    folders
        .into_iter()
        .try_for_each(|folder| check_folder(root, home, folder).about_topic(topic))
}

/// The folder itself, or the nearest one above it that is there.
fn nearest<'f>(root: &Root, folder: &'f str) -> Result<(&'f str, OwnedFd)> {
    let mut there = folder;
    loop {
        match root.folder(there)? {
            Some(dir) => return Ok((there, dir)),
            None if there.is_empty() => bail!("the lake {} is gone", root.path().display()),
            None => there = parent(there),
        }
    }
}

fn check_folder(root: &Root, (staging, home): (&str, MountId), folder: &str) -> Result<()> {
    let (there, dir) = nearest(root, folder)?;
    if mount_of(&dir)? != home {
        return Problem::new(format!(
            "{} is on another mount than {}, and a commit moves files from the one to the other; nothing was committed",
            root.shown(there),
            root.shown(staging)
        ))
        .fix("keep the whole lake in one mount: lake.root itself can be one, but nothing below it")
        .err();
    }
    if !may_write(&dir) {
        return Problem::new(format!(
            "{} can't be written; nothing was committed",
            root.shown(there)
        ))
        .fix("give it to the user that lakectl runs as, or run as the user that it belongs to")
        .err();
    }
    Ok(())
}

fn check_link(root: &Root, link: &str) -> Result<()> {
    match root.stat(link)? {
        None => Ok(()),
        Some(found) if found.kind == FileType::Symlink => Ok(()),
        Some(_) => Problem::new(format!(
            "{} is not a link, and a table's link belongs there; nothing was committed",
            root.shown(link)
        ))
        .fix("move it away and run again")
        .err(),
    }
}
