//! New folders: with the configured mode, and durable.

use anyhow::{Context, Result};
use rustix::fs::{self, Mode};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::{FOLDER, Root};
use crate::lake::disk::acl;
use crate::lake::layout::paths::parent;

impl Root {
    /// Makes a folder and those above it, and makes each new one durable.
    pub fn make_dirs(&self, rel: &str) -> Result<()> {
        self.make_all([rel])
    }

    /// The same for several folders; each folder that gets new ones is synced once.
    pub fn make_all<'f>(&self, folders: impl IntoIterator<Item = &'f str>) -> Result<()> {
        let mut grown = BTreeSet::new();
        for rel in folders {
            self.walk_and_make(rel, &mut |dir, name, above| {
                grown.insert(above.to_owned());
                // That folder itself may be so new that its maker has not synced the one above it yet.
                grown.insert(parent(above).to_owned());
                self.make_dir(dir, name)
            })
            .with_context(|| format!("making the folder {}", self.shown(rel)))?;
        }
        grown.iter().try_for_each(|folder| self.sync_dir(folder))
    }

    fn make_dir(&self, parent: &OwnedFd, name: &str) -> Result<OwnedFd> {
        match fs::mkdirat(parent, name, self.dir_mode) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let dir = fs::openat(parent, name, FOLDER, Mode::empty())?;
        fs::fchmod(&dir, self.dir_mode)?;
        if let Some(default) = acl::read_default(&dir)? {
            // With an ACL the mode's group bits are the mask, which would cut inherited rights.
            acl::write_access(&dir, &default.inherited(self.dir_mode.as_raw_mode(), true))?;
        }
        Ok(dir)
    }
}

pub(in crate::lake::disk::root) fn make_root(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let failed = || format!("making the lake root {}", path.display());
    let named = path.ancestors().filter(|folder| !folder.as_os_str().is_empty());
    let new: Vec<&Path> = named.take_while(|folder| !folder.exists()).collect();
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .with_context(failed)?;
    if !new.is_empty() {
        // The root gets the mode as it is configured, whatever umask the shell has.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).with_context(failed)?;
    }
    for folder in new {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))
            .and_then(|parent| parent.sync_all())
            .with_context(failed)?;
    }
    Ok(())
}
