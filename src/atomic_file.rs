//! Replaces a file outside the lake: readers find the old file or the new one, never a half.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// The folder of a file that is to be written.
///
/// # Errors
/// The folder does not exist.
pub fn folder_of(path: &Path) -> io::Result<PathBuf> {
    let named = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = named.unwrap_or(Path::new("."));
    if folder.try_exists()? {
        Ok(folder.to_owned())
    } else {
        Err(io::Error::new(
            ErrorKind::NotFound,
            format!(
                "there is no folder {}; make it first (mkdir -p)",
                folder.display()
            ),
        ))
    }
}

/// Replaces a file that holds `old` by one that holds `new`, with the same mode and owner.
///
/// # Errors
/// Somebody has changed the file meanwhile, its owner can't be kept, or its folder can't be written: the old file stays.
pub fn rewrite(path: &Path, old: &str, new: &str) -> io::Result<()> {
    let meta = fs::metadata(path)?;
    put(path, new, Some(meta.permissions()), &|file| {
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (meta.uid(), meta.gid()) {
            fchown(file, Some(meta.uid()), Some(meta.gid()))?;
            // A change of the owner may take bits away.
            file.set_permissions(meta.permissions())?;
        }
        if fs::read(path)? != old.as_bytes() {
            return Err(io::Error::other("somebody has changed the file meanwhile"));
        }
        Ok(())
    })
}

/// Writes a file beside `path`, under a hidden name that no pattern of readers matches, and renames it into place.
/// Without `permissions` the umask decides.
///
/// # Errors
/// `path` does not name a file, or its folder can't be written: the old file stays.
pub fn replace(path: &Path, text: &str, permissions: Option<Permissions>) -> io::Result<()> {
    put(path, text, permissions, &|_| Ok(()))
}

/// Writes a file beside `path`, lets `last` have its say, and renames it into place.
fn put(
    path: &Path,
    text: &str,
    permissions: Option<Permissions>,
    last: &dyn Fn(&File) -> io::Result<()>,
) -> io::Result<()> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it names no file"));
    };
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    let beside = folder_of(path)?.join(hidden);
    let written = write_new(&beside, text, permissions)
        .and_then(|file| last(&file))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The rest of it is useless.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_new(path: &Path, text: &str, permissions: Option<Permissions>) -> io::Result<File> {
    // A killed process of the same id may have left one.
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    // What has permissions of its own may hold secrets.
    let mode = if permissions.is_some() { 0o600 } else { 0o666 };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    file.sync_all()?;
    Ok(file)
}
