//! Rights granted on a folder must hold for files that come into it later. The kernel lets files inherit them that are made
//! in the folder; files that are staged elsewhere and renamed into it get their ACL here.

use anyhow::{Context, Result};
use std::os::fd::OwnedFd;

use super::acl::{self, Acl};
use super::folder::Folder;
use super::root::Root;

impl Root {
    /// A folder's default ACL, which new files and folders in it inherit; None if it has none.
    pub fn default_acl(&self, folder: &str) -> Result<Option<Acl>> {
        self.open_folder(folder)?.default_acl()
    }

    /// Gives a file the ACL that it would have inherited in a folder with this default; a missing file is not an error.
    pub fn inherit(&self, file: &str, default: Option<&Acl>) -> Result<()> {
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        self.open_folder(folder)?.inherit(name, default)
    }

    /// Gives a folder the ACLs that it would have inherited in one with this default.
    fn inherit_folder(&self, folder: &str, default: &Acl) -> Result<()> {
        let dir = self.needed(folder)?;
        acl::write_access(&dir, &default.inherited(self.dir_mode.as_raw_mode(), true))
            .and_then(|()| acl::write_default(&dir, Some(default)))
            .with_context(|| format!("setting the ACL of {}", self.shown(folder)))
    }

    /// Gives one folder the ACLs of another.
    fn copy_acl(&self, from: &str, to: &str) -> Result<()> {
        let (model, copy) = (self.needed(from)?, self.needed(to)?);
        let set = || -> Result<()> {
            if let Some(access) = acl::read_access(&model)? {
                acl::write_access(&copy, &access)?;
            }
            match acl::read_default(&model)? {
                Some(default) => acl::write_default(&copy, Some(&default)),
                None => Ok(()),
            }
        };
        set().with_context(|| format!("setting the ACL of {}", self.shown(to)))
    }

    fn needed(&self, folder: &str) -> Result<OwnedFd> {
        self.folder(folder)?
            .with_context(|| format!("{} is gone", self.shown(folder)))
    }
}

/// A folder that files are moved into, with its default ACL.
#[derive(Debug)]
pub(in crate::lake) struct Heirs<'f> {
    folder: &'f Folder<'f>,
    default: Option<Acl>,
}

impl<'f> Heirs<'f> {
    pub(in crate::lake) fn new(folder: &'f Folder<'f>) -> Result<Heirs<'f>> {
        let default = folder.default_acl()?;
        Ok(Heirs { folder, default })
    }

    /// Gives a staged file the ACL that it would inherit in the folder it is moved to.
    pub(in crate::lake) fn endow(&self, staging: &Folder<'_>, staged: &str) -> Result<()> {
        match &self.default {
            None => Ok(()),
            default => staging.inherit(staged, default.as_ref()),
        }
    }

    /// Corrects the ACLs of these files if the folder's default was changed while they were moved.
    pub(in crate::lake) fn mend<'n>(&self, mut names: impl Iterator<Item = &'n str>) -> Result<()> {
        let now = self.folder.default_acl()?;
        if now == self.default {
            return Ok(());
        }
        names.try_for_each(|name| self.folder.inherit(name, now.as_ref()))
    }
}

/// Gives a staged folder and its files the ACLs of the folder at `place`, or those that a new folder there would inherit.
pub fn like(root: &Root, staged: &str, place: &str) -> Result<()> {
    let mut model = place;
    while root.stat(model)?.is_none() {
        match model.rsplit_once('/') {
            Some((parent, _)) => model = parent,
            None => return Ok(()),
        }
    }
    let default = root.default_acl(model)?;
    if model == place {
        root.copy_acl(place, staged)?;
    } else if let Some(default) = &default {
        root.inherit_folder(staged, default)?;
    }
    if let Some(default) = &default {
        for (name, _) in root.list(staged)? {
            root.inherit(&format!("{staged}/{name}"), Some(default))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs::File;

    fn default() -> Acl {
        Acl::from_mode(0o750).with_users(&BTreeMap::from([(70_001, Some(5)), (70_002, Some(7))]))
    }

    fn lake() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), 0o640, 0o750, true).unwrap().unwrap();
        root.make_dirs("streams/T").unwrap();
        acl::write_default(
            File::open(dir.path().join("streams/T")).unwrap(),
            Some(&default()),
        )
        .unwrap();
        root.make_dirs("staging").unwrap();
        (dir, root)
    }

    fn users(dir: &tempfile::TempDir, path: &str) -> [Option<u16>; 2] {
        let acl = acl::read_access(File::open(dir.path().join(path)).unwrap()).unwrap();
        [70_001, 70_002].map(|uid| acl.as_ref().and_then(|acl| acl.user(uid)))
    }

    #[test]
    fn a_new_folder_inherits_whatever_its_mode() {
        let (dir, root) = lake();
        root.make_dirs("streams/T/year=2025/month=10").unwrap();
        assert_eq!(users(&dir, "streams/T/year=2025/month=10"), [Some(5), Some(7)]);
        let wanted = default().inherited(0o750, true);
        let made = File::open(dir.path().join("streams/T/year=2025/month=10")).unwrap();
        assert_eq!(acl::read_access(made).unwrap(), Some(wanted));
    }

    #[test]
    fn a_file_that_is_moved_in_inherits_and_is_mended() {
        let (dir, root) = lake();
        root.create("staging/f").unwrap();
        let (staging, place) = (
            root.open_folder("staging").unwrap(),
            root.open_folder("streams/T").unwrap(),
        );
        let heirs = Heirs::new(&place).unwrap();
        heirs.endow(&staging, "f").unwrap();
        heirs.endow(&staging, "gone").unwrap();
        assert!(root.rename_new("staging/f", "streams/T/f").unwrap());
        assert_eq!(users(&dir, "streams/T/f"), [Some(4), Some(6)]);
        let folder = File::open(dir.path().join("streams/T")).unwrap();
        acl::write_default(folder, None).unwrap();
        heirs.mend(["f"].into_iter()).unwrap();
        assert_eq!(users(&dir, "streams/T/f"), [None, None]);
    }

    #[test]
    fn a_staged_folder_becomes_like_the_one_it_replaces() {
        let (dir, root) = lake();
        for folder in ["staging/day", "staging/new", "streams/T/day"] {
            root.make_dirs(folder).unwrap();
        }
        root.create("staging/day/f").unwrap();
        like(&root, "staging/day", "streams/T/day").unwrap();
        like(&root, "staging/new", "streams/T/year=2025/month=10/day=01").unwrap();
        assert_eq!(users(&dir, "staging/day"), [Some(5), Some(7)]);
        assert_eq!(users(&dir, "staging/day/f"), [Some(4), Some(6)]);
        assert_eq!(users(&dir, "staging/new"), [Some(5), Some(7)]);
        assert!(root.default_acl("staging/new").unwrap().is_some());
    }
}
