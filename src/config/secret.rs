//! Values that must never be seen.

use anyhow::{Context, Result};
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::exit::usage;

/// A password: printed as `***`, whatever prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The value itself, for the one call that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Reads a secret from a file that nobody else can read; one trailing line end is dropped.
///
/// # Errors
/// A missing file, or one that group or others can read: exit code 2.
pub fn read(path: &Path, key: &str) -> Result<Secret> {
    let shown = path.display();
    let meta = std::fs::metadata(path).map_err(|e| usage(format!("{key}: cannot read {shown}: {e}")))?;
    // A group may be meant (root:lakectl 0640); the rest of the world never is.
    if meta.mode() & 0o007 != 0 {
        return Err(usage(format!(
            "{key}: {shown} can be read by others; run: chmod o-rwx {shown}"
        )));
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("{key}: cannot read {shown}"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "s3cret\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o604)).unwrap();
        let error = read(&file, "warehouse.password_file").unwrap_err().to_string();
        assert!(error.contains("chmod") && !error.contains("s3cret"), "{error}");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let secret = read(&file, "warehouse.password_file").unwrap();
        assert_eq!(secret.reveal(), "s3cret");
        assert_eq!(format!("{secret:?}"), "***");
    }
}
