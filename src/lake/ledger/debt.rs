//! What a commit still owes to the readers.

use serde::{Deserialize, Serialize};

use super::manifest::FileEntry;

/// What a committed change still owes to the readers. Every step of it can be done twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// The folder they were staged in.
    pub staging: String,
    pub files: Vec<PendingFile>,
    /// Whole day folders that take the place of those that are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<PendingExchange>,
    /// Whole day folders that go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purges: Vec<PendingPurge>,
    /// Data files that go, and that their day's manifest shall forget: day, name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forget: Vec<(String, String)>,
    /// Paths that go once the files are in place: an old snapshot, its sidecar.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// A table's link in `current/`, and what it points to.
    pub link: Option<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingFile {
    /// Name in the staging folder.
    pub staged: String,
    /// Folder relative to the lake root.
    pub folder: String,
    /// A day, where the file is data and its day's manifest shall know it.
    pub day: Option<String>,
    /// Whether a file of ours that stands at the target is replaced.
    #[serde(default)]
    pub replaces: bool,
    pub file: FileEntry,
}

/// A day folder that was staged as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingExchange {
    /// Name in the staging folder.
    pub staged: String,
    /// Relative to the lake root.
    pub folder: String,
    pub day: String,
    /// All files in the staged folder.
    pub files: Vec<FileEntry>,
}

/// A day folder on its way out, by way of the trash, so that readers never see half of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingPurge {
    /// Relative to the lake root.
    pub folder: String,
    pub day: String,
    /// Relative to the lake root; the manifest goes there too, with `.manifest` at its end.
    pub trash: String,
}

impl PendingFile {
    pub fn target(&self) -> String {
        format!("{}/{}", self.folder, self.file.name)
    }
}
