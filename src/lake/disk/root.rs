//! The lake's root folder, opened once. Every path below it is walked folder by folder without following symlinks, so that
//! nothing outside of it is ever read, written or deleted.

mod make;
mod remove;

use anyhow::{Context, Result, bail};
#[cfg(target_os = "linux")]
use rustix::fs::StatxFlags;
use rustix::fs::{self, Access, AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::words::one_line;

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The open root. Its methods take paths relative to the root, with `/` between names and no `.` or `..`.
#[derive(Debug)]
pub struct Root {
    dir: OwnedFd,
    path: PathBuf,
    /// A sync of the whole filesystem has failed.
    sync_failed: Mutex<bool>,
    pub(in crate::lake) file_mode: Mode,
    pub(in crate::lake) dir_mode: Mode,
}

/// Device and, from Linux 5.8 on, the mount's own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountId(u64, Option<u64>);

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathStat {
    pub kind: FileType,
    pub bytes: u64,
    /// When it was last written, in milliseconds since 1970.
    pub written_ms: i64,
}

impl Root {
    /// Opens the root; with `create` a missing one is made. None: it is missing.
    pub fn open(path: &Path, file_mode: u32, dir_mode: u32, create: bool) -> Result<Option<Root>> {
        if create {
            make::make_root(path, dir_mode)?;
        }
        // The root itself may be a symlink, because the user chose it.
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        match fs::open(path, flags, Mode::empty()) {
            Ok(dir) => Ok(Some(Root {
                dir,
                path: path.to_owned(),
                sync_failed: Mutex::new(false),
                file_mode: Mode::from_raw_mode(file_mode),
                dir_mode: Mode::from_raw_mode(dir_mode),
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("opening the lake root {}", path.display())),
        }
    }

    /// A path as people see it.
    pub fn shown(&self, rel: &str) -> String {
        one_line(&self.path.join(rel).to_string_lossy())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new file for writing; it must not exist.
    pub fn create(&self, rel: &str) -> Result<File> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
        self.open_file(rel, flags)
            .with_context(|| format!("creating {}", self.shown(rel)))
    }

    /// An existing file, for appending.
    pub fn append(&self, rel: &str) -> Result<File> {
        let flags = OFlags::APPEND | OFlags::WRONLY;
        self.open_file(rel, flags)
            .with_context(|| format!("opening {}", self.shown(rel)))
    }

    /// A file for locking, made if it is missing.
    pub fn lock_file(&self, rel: &str) -> Result<File> {
        self.open_or_create(rel, OFlags::RDWR, self.file_mode)
            .with_context(|| format!("opening the lock {}", self.shown(rel)))
    }

    /// A file that is only appended to, made if it is missing; its mode is 0640, whatever mode data files have.
    pub fn journal(&self, rel: &str) -> Result<File> {
        self.open_or_create(rel, OFlags::APPEND | OFlags::RDWR, Mode::from_raw_mode(0o640))
            .with_context(|| format!("opening {}", self.shown(rel)))
    }

    /// A file for reading; None if it is missing.
    pub fn read(&self, rel: &str) -> Result<Option<File>> {
        match self.open_file(rel, OFlags::RDONLY) {
            Ok(file) => Ok(Some(file)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", self.shown(rel))),
        }
    }

    /// The content of a small file; None if it is missing.
    pub fn read_all(&self, rel: &str) -> Result<Option<Vec<u8>>> {
        let Some(mut file) = self.read(rel)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .with_context(|| format!("reading {}", self.shown(rel)))?;
        Ok(Some(bytes))
    }

    /// What is at a path; symlinks are not followed.
    pub fn stat(&self, rel: &str) -> Result<Option<PathStat>> {
        let found = self
            .parent(rel)
            .and_then(|(dir, name)| Ok(fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?));
        match found {
            Ok(stat) => Ok(Some(found_from(&stat))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("looking at {}", self.shown(rel))),
        }
    }

    /// Whether anything but a symlink is at a path; `.` is the root.
    pub fn folder_or_file(&self, rel: &str) -> Result<bool> {
        if rel == "." {
            return Ok(true);
        }
        let found = self.stat(rel)?;
        Ok(found.is_some_and(|found| found.kind != FileType::Symlink))
    }

    /// Moves a file to a free path. False: the path is taken.
    pub fn rename_new(&self, from: &str, to: &str) -> Result<bool> {
        match self.rename_with(from, to, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(true),
            Err(error) if error.downcast_ref() == Some(&Errno::EXIST) => Ok(false),
            Err(error) => {
                Err(error).with_context(|| format!("moving {} to {}", self.shown(from), self.shown(to)))
            }
        }
    }

    /// Moves a file; what is at the new path is replaced in one moment.
    pub fn rename_over(&self, from: &str, to: &str) -> Result<()> {
        self.rename_with(from, to, RenameFlags::empty())
            .with_context(|| format!("moving {} to {}", self.shown(from), self.shown(to)))
    }

    /// Exchanges two files or folders in one moment.
    pub fn exchange(&self, one: &str, other: &str) -> Result<()> {
        self.rename_with(one, other, RenameFlags::EXCHANGE)
            .with_context(|| format!("exchanging {} and {}", self.shown(one), self.shown(other)))
    }

    fn rename_with(&self, from: &str, to: &str, flags: RenameFlags) -> Result<()> {
        let (from_dir, from_name) = self.parent(from)?;
        let (to_dir, to_name) = self.parent(to)?;
        Ok(fs::renameat_with(from_dir, from_name, to_dir, to_name, flags)?)
    }

    /// Makes a relative symlink for readers; lakectl itself never follows it.
    pub fn symlink(&self, target: &str, rel: &str) -> Result<()> {
        self.parent(rel)
            .and_then(|(dir, name)| Ok(fs::symlinkat(target, dir, name)?))
            .with_context(|| format!("making the link {}", self.shown(rel)))
    }

    /// Where a symlink points; None if the path is not a symlink.
    pub fn link_target(&self, rel: &str) -> Result<Option<String>> {
        let target = self
            .parent(rel)
            .and_then(|(dir, name)| Ok(fs::readlinkat(dir, name, Vec::new())?));
        match target {
            Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
            Err(error) if is_missing(&error) || error.downcast_ref() == Some(&Errno::INVAL) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading the link {}", self.shown(rel))),
        }
    }

    /// The names in a folder with their types, sorted; none if the folder is missing.
    pub fn list(&self, rel: &str) -> Result<Vec<(String, FileType)>> {
        let dir = match self.walk(rel) {
            Ok(dir) => dir,
            Err(error) if is_missing(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("listing {}", self.shown(rel))),
        };
        let mut names = entries(dir.as_fd()).with_context(|| format!("listing {}", self.shown(rel)))?;
        names.sort();
        Ok(names
            .into_iter()
            .map(|(name, kind)| (name, FileType::from_raw_mode(kind)))
            .collect())
    }

    /// A folder's descriptor; the empty path is the root. None: it is missing.
    pub fn folder(&self, rel: &str) -> Result<Option<OwnedFd>> {
        match self.walk(rel) {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("opening the folder {}", self.shown(rel))),
        }
    }

    /// Bytes that a name may have in the lake's filesystem.
    pub fn name_max(&self) -> Result<u64> {
        let found = fs::fstatvfs(&self.dir).with_context(|| format!("looking at {}", self.path.display()))?;
        Ok(found.f_namemax)
    }

    /// Makes the names in a folder durable.
    pub fn sync_dir(&self, rel: &str) -> Result<()> {
        self.walk(rel)
            .and_then(|dir| Ok(fs::fsync(dir)?))
            .with_context(|| format!("syncing the folder {}", self.shown(rel)))
    }

    /// Makes everything on the lake's filesystem durable; since Linux 5.8 it reports failed writes.
    ///
    /// # Errors
    /// It failed now or earlier in this run: the kernel reports a failed write only once, and it may have been a file of
    /// another topic, whose commit syncs next.
    pub fn sync_filesystem(&self) -> Result<()> {
        let mut failed = self.sync_failed.lock().unwrap_or_else(PoisonError::into_inner);
        if *failed {
            bail!(
                "an earlier sync of the filesystem of {} failed in this run, and these files may be among what was lost; \
                 run again",
                self.path.display()
            );
        }
        #[cfg(target_os = "linux")]
        fs::syncfs(&self.dir)
            .inspect_err(|_| *failed = true)
            .with_context(|| format!("syncing the filesystem of {}", self.path.display()))?;
        #[cfg(not(target_os = "linux"))]
        rustix::fs::sync();
        Ok(())
    }

    fn open_or_create(&self, rel: &str, flags: OFlags, mode: Mode) -> Result<File> {
        let (dir, name) = self.parent(rel)?;
        match open_regular(&dir, name, flags | OFlags::CREATE | OFlags::EXCL, mode) {
            // A new file gets the mode as it is configured, whatever umask the shell has.
            Ok(new) => {
                fs::fchmod(&new, mode)?;
                Ok(new)
            }
            Err(error) if error.downcast_ref() == Some(&Errno::EXIST) => {
                open_regular(&dir, name, flags, mode)
            }
            Err(error) => Err(error),
        }
    }

    fn open_file(&self, rel: &str, flags: OFlags) -> Result<File> {
        let (dir, name) = self.parent(rel)?;
        self.open_in(&dir, name, flags)
    }

    pub(super) fn open_in(&self, dir: &OwnedFd, name: &str, flags: OFlags) -> Result<File> {
        check_name(name)?;
        let file = open_regular(dir, name, flags, self.file_mode)?;
        if flags.contains(OFlags::CREATE | OFlags::EXCL) {
            // A new file gets the mode as it is configured, whatever umask the shell has.
            fs::fchmod(&file, self.file_mode)?;
        }
        Ok(file)
    }

    fn parent<'r>(&self, rel: &'r str) -> Result<(OwnedFd, &'r str)> {
        let (folder, name) = rel.rsplit_once('/').unwrap_or(("", rel));
        check_name(name)?;
        Ok((self.walk(folder)?, name))
    }

    pub(in crate::lake) fn walk(&self, rel: &str) -> Result<OwnedFd> {
        self.walk_and_make(rel, &mut |_, _, _| Err(Errno::NOENT.into()))
    }

    /// Calls `missing` with the folder in which a name is missing, the name, and that folder's path.
    fn walk_and_make(
        &self,
        rel: &str,
        missing: &mut dyn FnMut(&OwnedFd, &str, &str) -> Result<OwnedFd>,
    ) -> Result<OwnedFd> {
        let mut reached = None;
        let mut above = 0;
        for name in rel.split('/').filter(|name| !name.is_empty()) {
            check_name(name)?;
            let dir = reached.as_ref().unwrap_or(&self.dir);
            let next = match fs::openat(dir, name, FOLDER, Mode::empty()) {
                Err(Errno::NOENT) => missing(dir, name, rel[..above].trim_end_matches('/'))?,
                Err(error @ (Errno::LOOP | Errno::NOTDIR)) => {
                    return Err(error).context(format!(
                        "`{name}` is not a folder, or is a symlink, which is never followed"
                    ));
                }
                opened => opened?,
            };
            reached = Some(next);
            above += name.len() + 1;
        }
        match reached {
            Some(dir) => Ok(dir),
            None => Ok(fs::openat(&self.dir, ".", FOLDER, Mode::empty())?),
        }
    }
}

/// The mount that a folder is in: moves from one to another fail, also between two mounts of one filesystem.
pub(in crate::lake) fn mount_of(dir: &OwnedFd) -> Result<MountId> {
    let device = fs::fstat(dir)?.st_dev;
    #[cfg(target_os = "linux")]
    if let Ok(found) = fs::statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)
        && found.stx_mask & StatxFlags::MNT_ID.bits() != 0
    {
        return Ok(MountId(device, Some(found.stx_mnt_id)));
    }
    Ok(MountId(device, None))
}

/// Whether this process may make and remove names in a folder.
pub(in crate::lake) fn may_write(dir: &OwnedFd) -> bool {
    let access = fs::accessat(dir, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
    !matches!(access, Err(Errno::ACCESS | Errno::PERM | Errno::ROFS))
}

/// Opens a regular file. Anything else that somebody put in its place is an error, neither followed nor waited for.
fn open_regular(dir: &OwnedFd, name: &str, flags: OFlags, mode: Mode) -> Result<File> {
    // Without NONBLOCK, opening a named pipe would wait for its other end.
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file: File = match fs::openat(dir, name, flags, mode) {
        Err(error @ Errno::LOOP) => return Err(error).context("it is a symlink, which is never followed"),
        opened => opened?.into(),
    };
    match FileType::from_raw_mode(fs::fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file),
        _ => bail!("it is not a regular file"),
    }
}

pub(super) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        bail!(
            "`{}` can't be the name of a file in the lake",
            name.escape_debug()
        );
    }
    Ok(())
}

pub(super) fn found_from(stat: &Stat) -> PathStat {
    PathStat {
        kind: FileType::from_raw_mode(stat.st_mode),
        bytes: u64::try_from(stat.st_size).unwrap_or(0),
        written_ms: written_ms(stat),
    }
}

#[allow(
    clippy::unnecessary_cast,
    reason = "the fields' types differ from system to system"
)]
fn written_ms(stat: &Stat) -> i64 {
    (stat.st_mtime as i64).saturating_mul(1_000) + stat.st_mtime_nsec as i64 / 1_000_000
}

pub(super) fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref() == Some(&Errno::NOENT)
}

/// The names in a folder, with raw mode bits, so that the list can be sorted.
fn entries(dir: impl AsFd) -> Result<Vec<(String, u32)>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => FileType::from_raw_mode(
                fs::statat(&dir, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?.st_mode,
            ),
            kind => kind,
        };
        names.push((
            entry.file_name().to_string_lossy().into_owned(),
            kind.as_raw_mode(),
        ));
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
