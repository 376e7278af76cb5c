//! Day folders are removed as a whole: renamed into the trash, and deleted there.

use anyhow::Result;
use std::collections::BTreeSet;

use crate::lake::disk::checksummed;
use crate::lake::disk::root::Root;
use crate::lake::layout::paths::{HOME, parent};
use crate::lake::ledger::{Manifest, PendingPurge};
use crate::problem::Problem;

/// Moves a day folder into the trash, so that readers lose it in one moment, and its manifest with it.
pub(super) fn move_there(root: &Root, topic: &str, purge: &PendingPurge) -> Result<()> {
    let home = parent(&purge.trash);
    root.make_dirs(home)?;
    let to_move = root.stat(&purge.trash)?.is_none() && root.stat(&purge.folder)?.is_some();
    if to_move && !root.rename_new(&purge.folder, &purge.trash)? {
        return Problem::new(format!(
            "{} is in the way of a day that is purged",
            root.shown(&purge.trash)
        ))
        .fix("move it away and run again")
        .err();
    }
    let manifest = Manifest::path(topic, &purge.day);
    if root.stat(&manifest)?.is_some() {
        root.rename_over(&manifest, &manifest_in_trash(purge))?;
    }
    Ok(())
}

/// Makes all moves durable together. The commit that asks for them is durable already.
pub(in crate::lake) fn sync(root: &Root, topic: &str, purges: &[PendingPurge]) -> Result<()> {
    let mut folders: BTreeSet<&str> = purges.iter().map(|purge| parent(&purge.folder)).collect();
    folders.extend(purges.iter().map(|purge| parent(&purge.trash)));
    let manifests = Manifest::home(topic);
    if !purges.is_empty() {
        folders.insert(&manifests);
    }
    for folder in folders {
        if root.stat(folder)?.is_some() {
            root.sync_dir(folder)?;
        }
    }
    Ok(())
}

/// Deletes the files that the manifests list. A foreign file that was put into a folder at the last moment stays in the trash.
pub(in crate::lake) fn empty(root: &Root, purges: &[PendingPurge]) -> Result<()> {
    for purge in purges {
        let manifest = checksummed::read::<Manifest>(root, &manifest_in_trash(purge))?;
        if let Some(manifest) = manifest
            && root.stat(&purge.trash)?.is_some()
        {
            let folder = root.open_folder(&purge.trash)?;
            for file in &manifest.files {
                folder.remove_file(&file.name)?;
            }
        }
        root.remove_empty_dir(&purge.trash)?;
        root.remove_file(&manifest_in_trash(purge))?;
        remove_empty_dirs(root, &format!("{}/x", purge.folder))?;
    }
    Ok(())
}

/// The foreign files that purges of a topic have kept in the trash. The caller holds the topic's lock: a running purge has
/// its own files there.
pub(in crate::lake) fn kept(root: &Root, topic: &str) -> Result<Vec<String>> {
    let home = home(topic);
    let mut kept = Vec::new();
    for (folder, kind) in root.list(&home)? {
        if kind.is_dir() {
            let names = root.list(&format!("{home}/{folder}"))?;
            kept.extend(
                names
                    .into_iter()
                    .map(|(name, _)| format!("{home}/{folder}/{name}")),
            );
        }
    }
    Ok(kept)
}

/// The trash folder of a topic.
pub(in crate::lake) fn home(topic: &str) -> String {
    format!("{HOME}/trash/{topic}")
}

fn manifest_in_trash(purge: &PendingPurge) -> String {
    format!("{}.manifest", purge.trash)
}

/// Removes the day, month and year folders that are empty without a removed file, and makes that durable.
pub(super) fn remove_empty_parents(root: &Root, path: &str) -> Result<()> {
    let left = remove_empty_dirs(root, path)?;
    match root.stat(left)? {
        Some(_) => root.sync_dir(left),
        None => Ok(()),
    }
}

/// The same without a sync: an empty folder that is there again after a power cut does no harm. Returns the first folder
/// that stays.
fn remove_empty_dirs<'p>(root: &Root, path: &'p str) -> Result<&'p str> {
    let mut folder = path;
    while let Some((parent, _)) = folder.rsplit_once('/') {
        let name = parent.rsplit_once('/').map_or(parent, |(_, name)| name);
        let ours = ["year=", "month=", "day="]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        if !ours || !root.remove_empty_dir(parent)? {
            return Ok(parent);
        }
        folder = parent;
    }
    Ok("")
}
