//! Small files that are read unchanged or not at all: their first line holds a checksum of the JSON that follows.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use xxhash_rust::xxh3::xxh3_128;

use super::folder::Folder;
use super::root::Root;
use crate::problem::Problem;

const MAGIC: &str = "lakectl 1 ";

/// Writes a file with its checksum and makes it durable; readers see the old one or the new one.
/// After an error from `rename` or the sync that follows, either of them may be there.
pub fn write(root: &Root, path: &str, content: &impl Serialize) -> Result<()> {
    prepare(root, path, content)?.switch()
}

/// The same for secrets: mode 0600.
pub fn write_secret(root: &Root, path: &str, content: &impl Serialize) -> Result<()> {
    prepare_with(root, path, content, Some(0o600))?.switch()
}

/// The same for one of many files in a folder, which the caller syncs when all are written.
pub fn write_in(folder: &Folder<'_>, name: &str, content: &impl Serialize) -> Result<()> {
    stage(folder, name, content, None)?;
    folder.rename_over(&temporary(name), folder, name)
}

/// The first half of `write`: the new content is durable beside the old one.
pub fn prepare<'r>(root: &'r Root, path: &str, content: &impl Serialize) -> Result<Prepared<'r>> {
    prepare_with(root, path, content, None)
}

/// New content that is durable and does not count yet.
#[must_use]
pub struct Prepared<'r> {
    folder: Folder<'r>,
    name: String,
}

impl Prepared<'_> {
    /// The second half of `write`: the one moment in which the new content counts.
    pub fn switch(self) -> Result<()> {
        self.folder
            .rename_over(&temporary(&self.name), &self.folder, &self.name)?;
        self.folder.sync()
    }
}

fn prepare_with<'r>(
    root: &'r Root,
    path: &str,
    content: &impl Serialize,
    mode: Option<u32>,
) -> Result<Prepared<'r>> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let folder = root.open_folder(folder)?;
    stage(&folder, name, content, mode)?;
    Ok(Prepared {
        folder,
        name: name.to_owned(),
    })
}

fn stage(folder: &Folder<'_>, name: &str, content: &impl Serialize, mode: Option<u32>) -> Result<()> {
    let json = serde_json::to_vec(content).with_context(|| format!("writing {}", folder.shown(name)))?;
    let temporary = temporary(name);
    folder.remove_file(&temporary)?;
    let mut file = folder.create(&temporary)?;
    if let Some(mode) = mode {
        file.set_permissions(Permissions::from_mode(mode))
            .with_context(|| format!("protecting {}", folder.shown(&temporary)))?;
    }
    let header = format!("{MAGIC}{:032x}\n", xxh3_128(&json));
    file.write_all(&[header.as_bytes(), &json, b"\n"].concat())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing {}", folder.shown(&temporary)))
}

fn temporary(name: &str) -> String {
    format!("{name}.new")
}

/// Reads a file that was written here; None if it is missing.
///
/// # Errors
/// The file was changed since it was written: nothing in it is used.
pub fn read<T: DeserializeOwned>(root: &Root, path: &str) -> Result<Option<T>> {
    let Some(bytes) = root.read_all(path)? else {
        return Ok(None);
    };
    open(&bytes).map(Some).map_err(|damage| {
        Problem::new(format!(
            "the ledger file {} is damaged: {damage:#}; nothing was changed",
            root.shown(path)
        ))
        .fix(
            "restore it from a backup, or move the topic's data and its folder under .lakectl/topics away and take the topic \
             in again",
        )
        .into()
    })
}

fn open<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let Some(end) = memchr::memchr(b'\n', bytes) else {
        bail!("it has no first line")
    };
    let (header, json) = (&bytes[..end], &bytes[end + 1..]);
    let Some(seal) = header.strip_prefix(MAGIC.as_bytes()) else {
        bail!("its first line is not ours")
    };
    let json = json.strip_suffix(b"\n").unwrap_or(json);
    if seal != format!("{:032x}", xxh3_128(json)).as_bytes() {
        bail!("its checksum is wrong");
    }
    Ok(serde_json::from_slice(json)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn root() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), 0o640, 0o750, true).unwrap().unwrap();
        (dir, root)
    }

    #[test]
    fn what_was_written_is_read() {
        let (_dir, root) = root();
        assert_eq!(read::<Vec<u32>>(&root, "x").unwrap(), None);
        write(&root, "x", &vec![1, 2]).unwrap();
        write(&root, "x", &vec![3]).unwrap();
        assert_eq!(read::<Vec<u32>>(&root, "x").unwrap(), Some(vec![3]));
    }

    proptest! {
        /// Damage of any kind is an error: it is never used and never a panic.
        #[test]
        fn damage_is_detected(at in 0usize..60, byte in any::<u8>(), cut in any::<bool>()) {
            let (dir, root) = root();
            write(&root, "x", &vec![1, 2, 3]).unwrap();
            let mut bytes = std::fs::read(dir.path().join("x")).unwrap();
            let at = at % (bytes.len() - 1);
            prop_assume!(cut || bytes[at] != byte);
            if cut { bytes.truncate(at) } else { bytes[at] = byte }
            std::fs::write(dir.path().join("x"), &bytes).unwrap();
            let message = format!("{:#}", read::<Vec<u32>>(&root, "x").unwrap_err());
            prop_assert!(message.contains("damaged"));
        }
    }
}
