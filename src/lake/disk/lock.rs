//! One run at a time per topic: an flock(2), which the kernel releases when its holder dies.

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use super::root::Root;
use crate::lake::layout::paths::HOME;
use crate::locked::Locked;
use crate::run_id;

/// How long a waiting run waits before it tries again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Lock files of ours are shorter.
const BYTES_MAX: u64 = 200;

/// Takes a topic's lock, waiting up to `wait` for another run.
pub fn take(root: &Root, topic: &str, run_id: &str, wait: Duration) -> Result<Locked<File>> {
    root.make_dirs(&folder())?;
    let path = path(topic);
    let mut file = root.lock_file(&path)?;
    let deadline = Instant::now() + wait;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(LOOK_AGAIN),
            Err(Errno::WOULDBLOCK) => return Ok(Locked::HeldBy(held(&mut file))),
            Err(error) => return Err(error).with_context(|| format!("locking {}", root.shown(&path))),
        }
    }
    // A lock that can't be written still locks; a file with a second name may be somebody else's.
    if file.metadata().is_ok_and(|found| found.nlink() == 1) {
        let holder = LockHolder {
            run_id: run_id.to_owned(),
            process: std::process::id(),
        };
        let _ = file.set_len(0);
        let _ = file.write_all(&serde_json::to_vec(&holder).unwrap_or_default());
    }
    Ok(Locked::Ours(file))
}

/// The last run that took the topic's lock; None if the file doesn't say.
pub fn last_holder(root: &Root, topic: &str) -> Option<LockHolder> {
    LockHolder::read(&mut root.read(&path(topic)).ok()??)
}

fn folder() -> String {
    format!("{HOME}/locks")
}

fn path(topic: &str) -> String {
    format!("{}/{topic}", folder())
}

/// Waits for a lock that nobody holds for more than a moment.
pub fn wait(root: &Root, path: &str) -> Result<File> {
    let file = root.lock_file(path)?;
    loop {
        match flock(&file, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error).with_context(|| format!("locking {}", root.shown(path))),
        }
    }
}

/// The run that holds a lock, as its file has it: in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    pub run_id: String,
    pub process: u32,
}

impl LockHolder {
    fn read(file: &mut File) -> Option<LockHolder> {
        file.seek(SeekFrom::Start(0)).ok()?;
        let holder: LockHolder = serde_json::from_reader(file.take(BYTES_MAX)).ok()?;
        // Whatever else lies there, only the id of a run is shown.
        run_id::began(&holder.run_id).map(|_| holder)
    }
}

fn held(file: &mut File) -> String {
    match LockHolder::read(file) {
        Some(LockHolder { run_id, process }) => {
            format!("another run holds the lock: run {run_id}, process {process}")
        }
        None => "another run holds the lock".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_names_its_holder_and_nothing_that_is_not_one() {
        const RUN: &str = "20261122T225650682Z-8d494fa1";
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path(), 0o640, 0o750, true).unwrap().unwrap();
        let lock = take(&root, "T", RUN, Duration::ZERO).unwrap().ours().unwrap();
        let holder = last_holder(&root, "T").unwrap();
        assert_eq!(
            (holder.run_id.as_str(), holder.process),
            (RUN, std::process::id())
        );
        let Locked::HeldBy(words) = take(&root, "T", "other", Duration::ZERO).unwrap() else {
            panic!("two hold the lock");
        };
        assert_eq!(
            words,
            format!(
                "another run holds the lock: run {RUN}, process {}",
                std::process::id()
            )
        );
        drop(lock);
        for text in ["", "run x, process 1", "{\"run_id\":\"<b>\",\"process\":1}", "{"] {
            std::fs::write(folder.path().join(path("T")), text).unwrap();
            assert_eq!(last_holder(&root, "T"), None, "{text}");
        }
    }
}
