//! The way out of the lake: whole day folders are renamed into the trash, and removed from there.

use anyhow::{Context, Result, bail};
use std::collections::HashSet;

use super::commit::remove_empty_parents;
use super::ledger::{Manifest, PendingPurge};
use super::root::Root;
use super::sealed;

/// Takes a day folder away from the readers in one moment, and its manifest from the ledger.
pub(super) fn move_there(root: &Root, topic: &str, purge: &PendingPurge) -> Result<()> {
    let home = parent(&purge.trash);
    root.make_dirs(home)?;
    if root.stat(&purge.trash)?.is_none() && root.stat(&purge.folder)?.is_some() {
        if !root.rename_new(&purge.folder, &purge.trash)? {
            bail!("{} is in the way", root.shown(&purge.trash));
        }
        root.sync_dir(parent(&purge.folder))?;
    }
    let manifest = Manifest::path(topic, &purge.day);
    if root.stat(&manifest)?.is_some() {
        root.rename_over(&manifest, &manifest_in_trash(purge))?;
        root.sync_dir(&Manifest::home(topic))?;
    }
    root.sync_dir(home)
}

/// Removes what the manifests name. Whatever else lay in the folders is put back where it was, and named.
pub(super) fn empty(root: &Root, purges: &[PendingPurge]) -> Result<Vec<String>> {
    let mut strangers = Vec::new();
    for purge in purges {
        let manifest = sealed::read::<Manifest>(root, &manifest_in_trash(purge))?;
        let files = manifest.map(|manifest| manifest.files).unwrap_or_default();
        let known: HashSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
        for name in root.remove_known(&purge.trash, &known)? {
            let place = format!("{}/{name}", purge.folder);
            root.make_dirs(&purge.folder)?;
            if !root.rename_new(&format!("{}/{name}", purge.trash), &place)? {
                bail!(
                    "{} is not ours, and can't be put back: {} exists",
                    root.shown(&purge.trash),
                    root.shown(&place)
                );
            }
            root.sync_dir(&purge.folder)?;
            strangers.push(place);
        }
        root.remove_empty_dir(&purge.trash)
            .with_context(|| root.shown(&purge.trash))?;
        root.remove_file(&manifest_in_trash(purge))?;
        remove_empty_parents(root, &format!("{}/x", purge.folder))?;
    }
    Ok(strangers)
}

fn manifest_in_trash(purge: &PendingPurge) -> String {
    format!("{}.manifest", purge.trash)
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}
