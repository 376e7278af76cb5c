//! A folder of the lake that is kept open, so that work on many files in it does not walk the path each time.

use anyhow::{Context, Result};
use rustix::fs::{self, AtFlags, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::OwnedFd;

use super::acl::{self, Acl};
use super::root::{PathStat, Root, check_name, found_from, is_missing};

/// An open folder; its methods take names of files in it.
#[derive(Debug)]
pub struct Folder<'r> {
    root: &'r Root,
    dir: OwnedFd,
    path: String,
}

impl Root {
    /// Opens a folder that must be there.
    pub fn open_folder(&self, rel: &str) -> Result<Folder<'_>> {
        let dir = self
            .walk(rel)
            .with_context(|| format!("opening the folder {}", self.shown(rel)))?;
        Ok(Folder {
            root: self,
            dir,
            path: rel.to_owned(),
        })
    }
}

impl Folder<'_> {
    /// The path of a file in it, as people see it.
    pub fn shown(&self, name: &str) -> String {
        if self.path.is_empty() {
            self.root.shown(name)
        } else {
            self.root.shown(&format!("{}/{name}", self.path))
        }
    }

    /// A new file for writing; it must not exist.
    pub fn create(&self, name: &str) -> Result<File> {
        self.open(name, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY)
            .with_context(|| format!("creating {}", self.shown(name)))
    }

    /// A file that exists, for writing more at its end.
    pub fn append(&self, name: &str) -> Result<File> {
        self.open(name, OFlags::APPEND | OFlags::WRONLY)
            .with_context(|| format!("opening {}", self.shown(name)))
    }

    /// A file that must be there, for reading.
    pub fn read(&self, name: &str) -> Result<File> {
        self.open(name, OFlags::RDONLY)
            .with_context(|| format!("reading {}", self.shown(name)))
    }

    /// Makes a file durable.
    pub fn sync_file(&self, name: &str) -> Result<()> {
        self.open(name, OFlags::RDONLY)
            .and_then(|file| Ok(file.sync_all()?))
            .with_context(|| format!("syncing {}", self.shown(name)))
    }

    /// What is at a name; symlinks are not followed.
    pub fn stat(&self, name: &str) -> Result<Option<PathStat>> {
        check_name(name)?;
        match fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(found_from(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("looking at {}", self.shown(name))),
        }
    }

    /// Moves a file to a free name. False: the name is taken.
    pub fn rename_new(&self, name: &str, to: &Folder<'_>, new_name: &str) -> Result<bool> {
        match self.rename(name, to, new_name, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => Ok(false),
            moved => self.moved(name, to, new_name, moved).map(|()| true),
        }
    }

    /// Moves a file; what is at the new name is replaced in one moment.
    pub fn rename_over(&self, name: &str, to: &Folder<'_>, new_name: &str) -> Result<()> {
        let moved = self.rename(name, to, new_name, RenameFlags::empty());
        self.moved(name, to, new_name, moved)
    }

    fn rename(&self, name: &str, to: &Folder<'_>, new: &str, flags: RenameFlags) -> Result<(), Errno> {
        fs::renameat_with(&self.dir, name, &to.dir, new, flags)
    }

    fn moved(&self, name: &str, to: &Folder<'_>, new: &str, moved: Result<(), Errno>) -> Result<()> {
        moved.with_context(|| format!("moving {} to {}", self.shown(name), to.shown(new)))
    }

    /// Removes a file; a missing file is not an error.
    pub fn remove_file(&self, name: &str) -> Result<()> {
        check_name(name)?;
        match fs::unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("removing {}", self.shown(name))),
        }
    }

    /// The folder's default ACL, which new files and folders in it inherit; None if it has none.
    pub fn default_acl(&self) -> Result<Option<Acl>> {
        acl::read_default(&self.dir)
            .with_context(|| format!("reading the ACL of {}", self.root.shown(&self.path)))
    }

    /// Gives a file the ACL that it would have inherited in a folder with this default; a missing file is not an error.
    pub fn inherit(&self, name: &str, default: Option<&Acl>) -> Result<()> {
        let file = match self.open(name, OFlags::RDONLY) {
            Ok(file) => file,
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(error).with_context(|| format!("reading {}", self.shown(name))),
        };
        let mode = self.root.file_mode.as_raw_mode();
        let acl = default.map_or_else(|| Acl::from_mode(mode), |acl| acl.inherited(mode, false));
        acl::write_access(&file, &acl).with_context(|| format!("setting the ACL of {}", self.shown(name)))
    }

    /// Makes the names in the folder durable.
    pub fn sync(&self) -> Result<()> {
        fs::fsync(&self.dir).with_context(|| format!("syncing the folder {}", self.root.shown(&self.path)))
    }

    fn open(&self, name: &str, flags: OFlags) -> Result<File> {
        self.root.open_in(&self.dir, name, flags)
    }
}
