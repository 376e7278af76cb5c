//! One run at a time per topic: an flock(2), which the kernel releases when its holder dies.

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use super::root::Root;
use crate::lake::layout::paths::HOME;
use crate::locked::Locked;

/// How long a waiting run waits before it tries again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Takes a topic's lock, waiting up to `wait` for another run.
pub fn take(root: &Root, topic: &str, run_id: &str, wait: Duration) -> Result<Locked<File>> {
    let folder = format!("{HOME}/locks");
    root.make_dirs(&folder)?;
    let path = format!("{folder}/{topic}");
    let mut file = root.lock_file(&path)?;
    let deadline = Instant::now() + wait;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(LOOK_AGAIN),
            Err(Errno::WOULDBLOCK) => return Ok(Locked::HeldBy(holder(&mut file))),
            Err(error) => return Err(error).with_context(|| format!("locking {}", root.shown(&path))),
        }
    }
    // The text is for people. A lock that can't be written still locks; a file with a second name may be somebody else's.
    if file.metadata().is_ok_and(|found| found.nlink() == 1) {
        let _ = file.set_len(0);
        let text = format!("run {run_id}, process {}", std::process::id());
        let _ = file.write_all(text.as_bytes());
    }
    Ok(Locked::Ours(file))
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

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let known = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.take(200).read_to_string(&mut text))
        .is_ok();
    if known && !text.is_empty() {
        format!("another run holds the lock: {text}")
    } else {
        "another run holds the lock".to_owned()
    }
}
