//! What a commit still owes to the readers.

use serde::{Deserialize, Serialize};

use super::manifest::FileEntry;

/// What a commit still owes to the readers. Every step can be done twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// The folder in which the files were staged.
    pub staging: String,
    pub files: Vec<PendingFile>,
    /// Whole day folders that replace those in the lake.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<PendingExchange>,
    /// Whole day folders that are removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purges: Vec<PendingPurge>,
    /// Day and name of data files that are removed, from their day's manifest too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forget: Vec<(String, String)>,
    /// Paths that are removed once the files are in place: an old snapshot, its sidecar.
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
    /// The day whose manifest will list the file; None unless the file is data.
    pub day: Option<String>,
    /// Whether a file of ours at the target is replaced.
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
    /// They hold the same records as the files in the lake.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same_records: bool,
}

/// A day folder that is removed. It goes through the trash, so that readers never see half of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingPurge {
    /// Relative to the lake root.
    pub folder: String,
    pub day: String,
    /// Relative to the lake root; the manifest goes beside it, with `.manifest` added to the name.
    pub trash: String,
}

impl PendingFile {
    pub fn target(&self) -> String {
        format!("{}/{}", self.folder, self.file.name)
    }
}
