//! A topic's commits: how many there were, and which files they removed.

use serde::{Deserialize, Serialize};

use super::ReplacedFile;

/// How many removed files are remembered.
const REMOVED_MAX: usize = 10_000;

/// A topic's commits, counted from 1, and the files they removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The last commit that changed files.
    pub(in crate::lake) commit: u64,
    /// Not all files are remembered that were removed up to this commit.
    #[serde(default)]
    forgotten: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::lake) removed: Vec<Removed>,
}

/// Files of one day that a commit removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lake) struct Removed {
    pub(in crate::lake) commit: u64,
    pub(in crate::lake) day: String,
    /// The file's name, and the commit that made it.
    pub(in crate::lake) files: Vec<(String, u64)>,
    /// The files that compactions had put into these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::lake) replaced: Vec<ReplacedFile>,
}

impl Removed {
    fn names(&self) -> usize {
        self.files.len() + self.replaced.len()
    }
}

impl Changes {
    pub(in crate::lake) fn remove(&mut self, removed: Vec<Removed>) {
        self.removed.extend(removed);
        let mut known: usize = self.removed.iter().map(Removed::names).sum();
        let mut upto = self.forgotten;
        for removed in &self.removed {
            if known <= REMOVED_MAX {
                break;
            }
            known -= removed.names();
            upto = removed.commit;
        }
        self.forgotten = upto;
        self.removed.retain(|removed| removed.commit > upto);
    }

    /// Whether all files are remembered that were removed after this commit. Before the first commit there were none.
    pub(super) fn remembers(&self, commit: u64) -> bool {
        commit <= self.commit && (commit == 0 || commit >= self.forgotten)
    }
}

/// From where on somebody follows a topic.
#[derive(Debug, Clone, Copy)]
pub struct Since {
    pub commit: u64,
    /// Whether they are told which files compactions have put into others, too.
    pub compacted: bool,
}

/// The token that users see for a commit: `c1742`; `c0` means before the first one.
pub fn token_of(commit: u64) -> String {
    format!("c{commit}")
}

/// The commit of a token, of which `none` is another form of `c0`; None if it isn't a token.
pub fn commit_of(token: &str) -> Option<u64> {
    if token == "none" {
        return Some(0);
    }
    let commit = token.strip_prefix('c')?.parse().ok()?;
    (token_of(commit) == token).then_some(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_name_commits() {
        for commit in [0, 1, 1742, u64::MAX] {
            assert_eq!(commit_of(&token_of(commit)), Some(commit));
        }
        assert_eq!(commit_of("none"), commit_of("c0"));
        for other in [
            "",
            "c",
            "1742",
            "c+1",
            "c01",
            "c-1",
            "C1",
            "c1 ",
            "c18446744073709551616",
            "20260101T000000000Z-00000001",
        ] {
            assert_eq!(commit_of(other), None, "{other}");
        }
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut changes = Changes {
            commit: 602,
            ..Changes::default()
        };
        let removed = |commit, count: usize| Removed {
            commit,
            day: "2026-01-01".to_owned(),
            files: (0..count).map(|i| (i.to_string(), 1)).collect(),
            replaced: Vec::new(),
        };
        changes.remove(vec![removed(600, 10)]);
        assert!(changes.remembers(599));
        changes.remove(vec![removed(601, REMOVED_MAX)]);
        assert_eq!((changes.removed.len(), changes.forgotten), (1, 600));
        assert!(!changes.remembers(599) && changes.remembers(600) && changes.remembers(0));
        changes.remove(vec![removed(602, REMOVED_MAX + 1)]);
        assert_eq!((changes.removed.len(), changes.forgotten), (0, 602));
        assert!(changes.remembers(602) && !changes.remembers(603));
    }
}
