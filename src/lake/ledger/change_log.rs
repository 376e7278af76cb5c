//! The memory of a topic's commits: how many there were, and which files they took away.

use serde::{Deserialize, Serialize};

/// Removed files that are remembered.
const REMOVED_MAX: usize = 10_000;

/// The memory of a topic's commits, counted from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The last commit that changed files.
    pub(in crate::lake) commit: u64,
    /// What was removed up to this commit is not remembered as a whole.
    #[serde(default)]
    forgotten: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::lake) removed: Vec<Removed>,
}

/// Files of one day that a commit took away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lake) struct Removed {
    pub(in crate::lake) commit: u64,
    pub(in crate::lake) day: String,
    /// Name, and the commit that had made the file.
    pub(in crate::lake) files: Vec<(String, u64)>,
}

impl Changes {
    pub(in crate::lake) fn remove(&mut self, removed: Vec<Removed>) {
        self.removed.extend(removed);
        let mut known: usize = self.removed.iter().map(|removed| removed.files.len()).sum();
        let mut upto = self.forgotten;
        for removed in &self.removed {
            if known <= REMOVED_MAX {
                break;
            }
            known -= removed.files.len();
            upto = removed.commit;
        }
        self.forgotten = upto;
        self.removed.retain(|removed| removed.commit > upto);
    }

    /// Whether all is known that was removed after this commit. Before the first one there was nothing to remove.
    pub(super) fn remembers(&self, commit: u64) -> bool {
        commit <= self.commit && (commit == 0 || commit >= self.forgotten)
    }
}

/// A commit as it is named outside, `c1742`; `c0` stands before the first one.
pub fn token_of(commit: u64) -> String {
    format!("c{commit}")
}

/// The commit that is named so. None: nothing is.
pub fn commit_of(token: &str) -> Option<u64> {
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
