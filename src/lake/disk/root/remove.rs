//! Removing files and folders; symlinks are removed, never followed.

use anyhow::{Context, Result};
use rustix::fs::{self, AtFlags, Dir, Mode};
use rustix::io::Errno;
use std::os::fd::AsFd;

use super::{FOLDER, Root, is_missing};

impl Root {
    /// Removes a file or a symlink; a missing one is not an error.
    pub fn remove_file(&self, rel: &str) -> Result<()> {
        self.unlink(rel, AtFlags::empty())
    }

    /// Removes a folder if it is empty. False: it is not empty.
    pub fn remove_empty_dir(&self, rel: &str) -> Result<bool> {
        match self.unlink(rel, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.downcast_ref(), Some(&Errno::NOTEMPTY | &Errno::EXIST)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn unlink(&self, rel: &str, flags: AtFlags) -> Result<()> {
        match self
            .parent(rel)
            .and_then(|(dir, name)| Ok(fs::unlinkat(dir, name, flags)?))
        {
            Ok(()) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("removing {}", self.shown(rel))),
        }
    }

    /// Removes a folder and everything in it; symlinks in it are removed, never followed.
    pub fn remove_tree(&self, rel: &str) -> Result<()> {
        match self.walk(rel) {
            Ok(dir) => {
                remove_contents(dir.as_fd()).with_context(|| format!("removing {}", self.shown(rel)))?
            }
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(error).with_context(|| format!("removing {}", self.shown(rel))),
        }
        self.unlink(rel, AtFlags::REMOVEDIR)
    }
}

fn remove_contents(dir: impl AsFd) -> Result<()> {
    let dir = dir.as_fd();
    // A removed name may hide others from the same listing: list again until nothing is left.
    loop {
        let mut removed = 0;
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            match fs::unlinkat(dir, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::ISDIR | Errno::PERM) => {
                    let inner = fs::openat(dir, name, FOLDER, Mode::empty())?;
                    remove_contents(&inner)?;
                    fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?;
                }
                Err(error) => return Err(error.into()),
            }
            removed += 1;
        }
        if removed == 0 {
            return Ok(());
        }
    }
}
