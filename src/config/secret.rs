//! Passwords and other values that no output may show.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::exit::usage;
use crate::problem::Problem;

/// A password. `Debug` prints it as `***`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The password itself, for the call that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Reads a secret from a file, without one trailing line end.
///
/// # Errors
/// The file is missing, or others can read it: exit code 2.
pub fn read(path: &Path, key: &str) -> Result<Secret> {
    let shown = path.display();
    let meta = std::fs::metadata(path).map_err(|e| usage(format!("{key}: cannot read {shown}: {e}")))?;
    // Reading by a group may be meant (root:lakectl 0640), reading by everybody never.
    if meta.mode() & 0o007 != 0 {
        return Problem::usage(format!("{key}: {shown} can be read by others"))
            .fix(format!("run: chmod o-rwx {shown}"))
            .err();
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
