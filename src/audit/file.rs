//! The audit trail in the lake: one JSON object per line, appended under a lock and synced.

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use super::{Entry, History};
use crate::lake::disk::root::Root;
use crate::lake::layout::paths::HOME;

/// The file's path, relative to the lake root.
pub const PATH: &str = ".lakectl/audit.jsonl";

impl Entry {
    /// Appends the entry to the lake's trail; on return it is durable.
    pub fn to_lake(&self, root: &Root) -> Result<()> {
        let mut line = serde_json::to_vec(self).context("writing an audit entry")?;
        line.push(b'\n');
        root.make_dirs(HOME)?;
        let mut file = root.journal(PATH)?;
        let failed = || format!("writing {}", root.shown(PATH));
        lock(&file, FlockOperation::LockExclusive).with_context(failed)?;
        if !ends_with_line(&mut file).with_context(failed)? {
            line.insert(0, b'\n');
        }
        let before = file.metadata().with_context(failed)?.len();
        // A single write, which only a crash can cut short; the next entry then begins on a new line.
        if let Err(error) = file.write_all(&line) {
            // A full disk may have taken a part of the line, which must not look like damage later.
            let _ = file.set_len(before);
            return Err(error).with_context(failed);
        }
        file.sync_all().with_context(failed)?;
        root.sync_dir(HOME)
    }
}

/// Reads the lake's trail; it is empty if there is no file.
pub fn read_lake(root: &Root) -> Result<History> {
    let Some(mut file) = root.read(PATH)? else {
        return Ok(History::default());
    };
    let failed = || format!("reading {}", root.shown(PATH));
    // Under the lock, so that a line that is just being written does not look torn.
    lock(&file, FlockOperation::LockShared).with_context(failed)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).with_context(failed)?;
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8]) -> History {
    let mut history = History::default();
    let whole = match memchr::memrchr(b'\n', bytes) {
        Some(end) => end + 1,
        None => 0,
    };
    history.torn_end = whole < bytes.len();
    for (number, line) in bytes[..whole].split(|&byte| byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(entry) => history.entries.push(entry),
            Err(_) => history.damaged.push(number + 1),
        }
    }
    history
}

fn ends_with_line(file: &mut File) -> std::io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn lock(file: &File, operation: FlockOperation) -> std::io::Result<()> {
    loop {
        match flock(file, operation) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::CommandLine;
    use super::*;
    use serde_json::json;

    fn root() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), 0o644, 0o750, true).unwrap().unwrap();
        (dir, root)
    }

    fn entry(n: usize) -> Entry {
        let line = CommandLine::new(["grant\nset".to_owned()]);
        Entry::new("grant set", line, "run", json!({ "n": n, "text": "a\nb" }))
    }

    #[test]
    fn what_was_appended_is_read_newest_last() {
        let (dir, root) = root();
        assert_eq!(read_lake(&root).unwrap(), History::default());
        let entries: Vec<Entry> = (0..3).map(entry).collect();
        for entry in &entries {
            entry.to_lake(&root).unwrap();
        }
        let history = read_lake(&root).unwrap();
        assert_eq!(history.entries, entries);
        assert!(history.complaints().is_empty() && history.entries[0].time().is_some());
        use std::os::unix::fs::MetadataExt;
        let mode = std::fs::metadata(dir.path().join(PATH)).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o640);
    }

    #[test]
    fn a_torn_line_is_told_and_costs_no_later_entry() {
        let (dir, root) = root();
        entry(1).to_lake(&root).unwrap();
        let path = dir.path().join(PATH);
        let mut bytes = std::fs::read(&path).unwrap();
        let half = bytes[..bytes.len() / 2].to_vec();
        bytes.extend(half);
        std::fs::write(&path, &bytes).unwrap();
        let torn = read_lake(&root).unwrap();
        assert_eq!((torn.entries.len(), torn.torn_end), (1, true));
        assert!(torn.complaints()[0].contains("torn"));
        entry(2).to_lake(&root).unwrap();
        let mended = read_lake(&root).unwrap();
        assert_eq!(
            (mended.entries.len(), mended.torn_end, &mended.damaged[..]),
            (2, false, &[2][..])
        );
        assert!(mended.complaints()[0].contains("line 2"));
    }

    #[test]
    fn many_writers_never_mix_their_lines() {
        let (_dir, root) = root();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let root = &root;
                scope.spawn(move || (0..20).for_each(|m| entry(n * 100 + m).to_lake(root).unwrap()));
            }
        });
        let history = read_lake(&root).unwrap();
        assert_eq!((history.entries.len(), history.damaged.len()), (160, 0));
    }
}
