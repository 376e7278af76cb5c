//! Checks the place of the lake: whether runs can write there, whether there is room, and whether the file system can do
//! what a commit needs.

use rustix::fs::{self, Access, AtFlags, CWD, FallocateFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::scope::ToCome;
use super::{CheckScope, Checks, LAKE};
use crate::config::Files;
use crate::lake::layout::paths;
use crate::lake::{Lake, ledger};
use crate::words::count;

/// Less free space than this is little on any disk.
const FREE_MIN_BYTES: u64 = 1 << 30;
const FREE_MIN_INODES: u64 = 10_000;
/// Less than this part of the disk is little, too.
const FREE_MIN_PERCENT: u64 = 5;
/// The size of the probe's file.
const PROBE_BYTES: u64 = 1 << 20;

/// A place that runs can write to, and its lake if there is one.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub(super) lake: Option<Lake<'a>>,
}

/// `mirrored`: Kafka's group has offsets, so these topics were drained before.
pub(super) fn look<'a>(scope: &CheckScope<'a>, mirrored: bool, checks: &mut Checks) -> Option<Opened<'a>> {
    if !scope.lake {
        return None;
    }
    let place = (LAKE, "root");
    let root = &scope.settings.lake.root;
    let shown = root.display();
    let opened = match Lake::at(scope.settings, false) {
        Ok(lake) => Opened { lake },
        Err(error) => {
            match crate::advice::errno(&error) {
                Some(errno) => checks.wrong(place, format!("{error:#}"), refused(root, root, errno).fix),
                None => checks.error(place, &error, "look at the folder, and at lake.root"),
            }
            checks.unknown((LAKE, "room"), "the lake can't be opened");
            return None;
        }
    };
    let base = existing(root);
    match writable(root, &base) {
        Err(refused) => checks.wrong(place, refused.message, refused.fix),
        Ok(()) => match (&opened.lake, base == *root) {
            (Some(lake), _) => {
                let topics = ledger::topics(lake.root()).map_or(0, |topics| topics.len() as u64);
                let zone = scope.settings.lake.timezone;
                checks.ok(
                    place,
                    format!(
                        "{shown} can be written: {}, days of {zone}",
                        count(topics, "topic")
                    ),
                );
            }
            (None, _) if mirrored => {
                checks.wrong(
                    place,
                    format!("there is no lake at {shown}, but Kafka's group has been through these topics"),
                    "mount its disk, or set lake.root right; to begin a new lake there: lakectl lake --new-lake",
                );
            }
            (None, true) => checks.ok(place, format!("{shown} can be written, and holds no lake yet")),
            (None, false) => checks.ok(place, format!("{shown} will be created in {}", base.display())),
        },
    }
    file_system(&base, checks);
    Some(opened)
}

/// The root, or the nearest folder above it that exists.
fn existing(root: &Path) -> PathBuf {
    let found = root
        .ancestors()
        .find(|folder| !folder.as_os_str().is_empty() && folder.exists());
    found.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

struct RefusedPath {
    message: String,
    fix: String,
}

/// Checks all folders in which runs create files, with a file without a name, which leaves nothing behind even if we are
/// killed.
fn writable(root: &Path, base: &Path) -> Result<(), RefusedPath> {
    let dangling = |path: &&Path| path.symlink_metadata().is_ok() && !path.exists();
    if let Some(link) = root.ancestors().find(dangling) {
        return Err(RefusedPath {
            message: format!("{} is a symlink to nowhere", link.display()),
            fix: "mount or make what it points to, or set lake.root".to_owned(),
        });
    }
    if !base.is_dir() {
        return Err(RefusedPath {
            message: format!("{} is not a folder", base.display()),
            fix: "set lake.root to a folder".to_owned(),
        });
    }
    for folder in folders(root, base) {
        if let Err(error) = fs::accessat(CWD, &folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
            return Err(refused(root, &folder, error));
        }
    }
    let file = match fs::openat(
        CWD,
        base,
        OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC,
        Mode::RUSR | Mode::WUSR,
    ) {
        Ok(file) => file,
        // Not every file system has such files; then the access rights must do.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => return Ok(()),
        Err(error) => return Err(refused(root, base, error)),
    };
    use_it(&file).map_err(|error| refused(root, base, error))
}

fn use_it(file: &OwnedFd) -> Result<(), Errno> {
    match fs::fallocate(file, FallocateFlags::empty(), 0, PROBE_BYTES) {
        Ok(()) | Err(Errno::OPNOTSUPP) => {}
        Err(error) => return Err(error),
    }
    fs::flock(file, FlockOperation::NonBlockingLockExclusive)
}

fn refused(root: &Path, folder: &Path, error: Errno) -> RefusedPath {
    let shown = folder.display();
    let fix = match error {
        Errno::ACCESS | Errno::PERM => {
            let user = rustix::process::geteuid().as_raw();
            let user = nix::unistd::User::from_uid(user.into())
                .ok()
                .flatten()
                .map_or_else(|| user.to_string(), |user| user.name);
            // If one folder of a lake has another owner, others may too; folders above the lake are left alone.
            let target = match root.canonicalize() {
                Ok(root_itself) if folder.starts_with(root) => format!("-R {user} {}", root_itself.display()),
                _ => format!("{user} {shown}"),
            };
            format!("chown {target}, or run as the user that it belongs to")
        }
        Errno::NOTDIR => "set lake.root to a folder".to_owned(),
        Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS => {
            "its file system has no locks: put the lake on a local disk".to_owned()
        }
        other => crate::advice::on(&anyhow::Error::new(other))
            .unwrap_or("look at the disk and the mount")
            .to_owned(),
    };
    RefusedPath {
        message: format!("{shown} can't be written: {error}"),
        fix,
    }
}

/// The folders that exist; runs make the missing ones in them.
fn folders(root: &Path, base: &Path) -> Vec<PathBuf> {
    let mut folders = vec![base.to_owned()];
    if base != root {
        return folders;
    }
    let own = [
        "streams",
        "tables",
        "current",
        paths::HOME,
        ".lakectl/topics",
        ".lakectl/locks",
        ".lakectl/staging",
    ];
    for name in own {
        let folder = root.join(name);
        if !folder.is_dir() {
            continue;
        }
        if matches!(name, "streams" | "tables" | ".lakectl/topics") {
            let inner = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            folders.extend(inner.map(|entry| entry.path()).filter(|path| path.is_dir()));
        }
        folders.push(folder);
    }
    folders
}

/// File systems that lack what a commit needs, and what they lack.
fn file_system(base: &Path, checks: &mut Checks) {
    let place = (LAKE, "disk");
    let Ok(found) = fs::statfs(base) else { return };
    let why = match found.f_type as u32 {
        0x6969 => "NFS, which knows no rename that spares what is there (RENAME_NOREPLACE)",
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => {
            "SMB, which has neither symlinks nor such renames as a commit needs"
        }
        0x0102_1997 => "9p, where locks and renames are the server's",
        0x4d44 | 0x2011_bab0 => "FAT, which has neither owners nor symlinks",
        0x6573_5546 => {
            return checks.ok_but(
                place,
                "a FUSE file system",
                Some(
                    "whether it has locks, fsync and atomic renames is unknown: try `lakectl lake` there"
                        .to_owned(),
                ),
            );
        }
        _ => return,
    };
    checks.wrong(
        place,
        format!("{} lies on {why}", base.display()),
        "put the lake on a local disk (ext4, XFS, Btrfs)",
    );
}

/// Checks whether there is room for the next run, and for some more. `to_come` is None if Kafka could not be asked.
pub(super) fn room(scope: &CheckScope<'_>, to_come: Option<ToCome>, checks: &mut Checks) {
    let place = (LAKE, "room");
    if checks
        .0
        .iter()
        .any(|check| (check.subject.as_str(), check.name) == place)
    {
        return;
    }
    let base = existing(&scope.settings.lake.root);
    let space = match fs::statvfs(&base) {
        Ok(space) => space,
        Err(error) => return checks.unknown(place, format!("{}: {error}", base.display())),
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let all = space.f_blocks.saturating_mul(space.f_frsize);
    let asked = to_come.is_some();
    let to_come = to_come.unwrap_or_default();
    let files = match scope.settings.lake.files {
        Files::Message => to_come.records,
        Files::Batch => 0,
    };
    let shown = |bytes: u64| indicatif::HumanBytes(bytes).to_string();
    let message = format!(
        "{} of {} free, {} for the next run{}",
        shown(free),
        shown(all),
        if asked {
            shown(to_come.bytes)
        } else {
            "an unknown amount".to_owned()
        },
        match space.f_files {
            0 => String::new(),
            _ => format!(", {} more files", space.f_favail),
        }
    );
    let little = |free: u64, all: u64, min: u64| free < min && free < all / 100 * FREE_MIN_PERCENT;
    let few_inodes = space.f_files > 0
        && (space.f_favail < files || little(space.f_favail, space.f_files, FREE_MIN_INODES));
    if free < to_come.bytes || little(free, all, FREE_MIN_BYTES) {
        checks.wrong(
            place,
            message,
            "make room on the disk (df -h), move the lake, or purge what is old",
        );
    } else if few_inodes {
        checks.wrong(
            place,
            message,
            "the disk takes no more files (df -i): remove some, or set lake.files = \"batch\"",
        );
    } else if !asked {
        let why = format!("Kafka could not be asked what the next run would write; {message}");
        checks.unknown(place, why);
    } else {
        checks.ok(place, message);
    }
}
