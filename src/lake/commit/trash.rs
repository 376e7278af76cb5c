//! The way out of the lake: whole day folders are renamed into the trash, and removed from there.

use anyhow::{Result, bail};
use std::collections::BTreeSet;

use crate::lake::disk::checksummed;
use crate::lake::disk::root::Root;
use crate::lake::layout::paths::{HOME, parent};
use crate::lake::ledger::{Manifest, PendingPurge};

/// Takes a day folder away from the readers in one moment, and its manifest from the ledger.
pub(super) fn move_there(root: &Root, topic: &str, purge: &PendingPurge) -> Result<()> {
    let home = parent(&purge.trash);
    root.make_dirs(home)?;
    let to_move = root.stat(&purge.trash)?.is_none() && root.stat(&purge.folder)?.is_some();
    if to_move && !root.rename_new(&purge.folder, &purge.trash)? {
        bail!("{} is in the way", root.shown(&purge.trash));
    }
    let manifest = Manifest::path(topic, &purge.day);
    if root.stat(&manifest)?.is_some() {
        root.rename_over(&manifest, &manifest_in_trash(purge))?;
    }
    Ok(())
}

/// Makes the moves durable, once for all of them: the commit that asks for them is so already.
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

/// Removes what the manifests name. A foreign file that came into a folder in its last moment stays in the trash.
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

/// The foreign files that purges of a topic have kept in the trash. The topic's lock must be held: a purge that is under way
/// has its own there.
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

/// Where the folders go that a topic's purges take away.
pub(in crate::lake) fn home(topic: &str) -> String {
    format!("{HOME}/trash/{topic}")
}

fn manifest_in_trash(purge: &PendingPurge) -> String {
    format!("{}.manifest", purge.trash)
}

/// Removes the day, month and year folders that a removed file has left empty, and makes that durable.
pub(super) fn remove_empty_parents(root: &Root, path: &str) -> Result<()> {
    let left = remove_empty_dirs(root, path)?;
    match root.stat(left)? {
        Some(_) => root.sync_dir(left),
        None => Ok(()),
    }
}

/// The same, not yet durable: an empty folder that comes back after a power cut harms nobody. Returns the first folder
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
