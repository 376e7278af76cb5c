//! The memory of a topic's commits, in its state: which runs made or saw them, and which files they took away.

use chrono::Utc;
use serde::{Deserialize, Serialize};

use crate::run_id;

/// Runs that are remembered by name.
const RUNS_MAX: usize = 500;
/// Removed files that are remembered.
const REMOVED_MAX: usize = 10_000;
/// In place of a run: before the first one that was remembered, when there were files.
pub(super) const UNCOUNTED: &str = "uncounted";

/// The memory of a topic's commits, counted from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The last commit that changed files.
    pub(super) commit: u64,
    /// Changes up to this commit are not remembered as a whole.
    #[serde(default)]
    forgotten: u64,
    /// Whether they were counted from the topic's beginning on.
    #[serde(default)]
    whole: bool,
    /// Newest last.
    #[serde(default)]
    pub(super) runs: Vec<Mark>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) removed: Vec<Removed>,
}

/// The last commit that a run has seen, or made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) run: String,
    commit: u64,
    /// Milliseconds since 1970.
    at: i64,
}

/// Files of one day that a commit took away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Removed {
    pub(super) commit: u64,
    pub(super) day: String,
    /// Name, and the commit that had made the file.
    pub(super) files: Vec<(String, u64)>,
}

impl Changes {
    /// Of a topic that is new to the lake.
    pub fn of_new_topic() -> Changes {
        Changes {
            whole: true,
            ..Changes::default()
        }
    }

    /// A run that has looked at the topic is between the commits before and after it. Which those are can be told from
    /// its start alone, unless somebody else has committed since: then it leaves a mark.
    pub fn seen_by(&mut self, run_id: &str) {
        let Some(began) = began_ms(run_id) else { return };
        if self
            .runs
            .last()
            .is_some_and(|last| last.run != run_id && last.at >= began)
        {
            self.mark(run_id);
        }
    }

    pub(super) fn mark(&mut self, run_id: &str) {
        let earliest = self.runs.last().map_or(i64::MIN, |last| last.at);
        self.runs.retain(|mark| mark.run != run_id);
        self.runs.push(Mark {
            run: run_id.to_owned(),
            commit: self.commit,
            // A clock that was set back must not bring the runs out of order.
            at: Utc::now().timestamp_millis().max(earliest),
        });
        if self.runs.len() > RUNS_MAX {
            self.runs.drain(..self.runs.len() - RUNS_MAX);
            self.whole = false;
            self.forget(self.runs[0].commit);
        }
    }

    pub(super) fn remove(&mut self, removed: Vec<Removed>) {
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
        self.forget(upto);
    }

    fn forget(&mut self, upto: u64) {
        self.forgotten = self.forgotten.max(upto);
        self.removed.retain(|removed| removed.commit > upto);
    }

    /// The last commit before which all was as this run has left it. None: that is not remembered.
    pub(super) fn upto(&self, run_id: &str) -> Option<u64> {
        if run_id == UNCOUNTED {
            return (self.forgotten == 0).then_some(0);
        }
        let began = began_ms(run_id).filter(|&began| began <= Utc::now().timestamp_millis())?;
        let by_name = self.runs.iter().rev().find(|mark| mark.run == run_id);
        let by_time = self.runs.iter().rev().find(|mark| mark.at < began);
        let commit = match (by_name.or(by_time), self.whole) {
            (Some(mark), _) => mark.commit,
            (None, true) => 0,
            (None, false) => return None,
        };
        (commit >= self.forgotten).then_some(commit)
    }
}

/// Milliseconds since 1970.
fn began_ms(run_id: &str) -> Option<i64> {
    run_id::began(run_id).map(|began| began.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "20260101T000000000Z-00000001";
    const SECOND: &str = "20260101T000001000Z-00000002";
    const LATER: &str = "20260101T000002500Z-0000000a";

    fn mark(run: &str, commit: u64, at: &str) -> Mark {
        Mark {
            run: run.to_owned(),
            commit,
            at: began_ms(at).unwrap(),
        }
    }

    #[test]
    fn runs_are_found_by_name_and_else_by_their_start() {
        let mut changes = Changes::of_new_topic();
        assert_eq!(changes.upto(FIRST), Some(0));
        changes.commit = 2;
        changes.runs = vec![mark(FIRST, 1, SECOND), mark("x", 2, LATER)];
        assert_eq!(changes.upto(FIRST), Some(1));
        // It began while the first one was still at work, and has seen nothing of it.
        assert_eq!(changes.upto("20260101T000000500Z-00000003"), Some(0));
        assert_eq!(changes.upto("20260101T000001001Z-00000003"), Some(1));
        assert_eq!(changes.upto("20260101T000003000Z-00000003"), Some(2));
        changes.whole = false;
        assert_eq!(changes.upto("20260101T000000500Z-00000003"), None);
        changes.forgotten = 2;
        assert_eq!(changes.upto(FIRST), None);
        for id in [
            "",
            "x",
            "20260101T000000000Z",
            "20260101T000000000Z-xyz",
            "99990101T000000000Z-00000001",
        ] {
            assert_eq!(changes.upto(id), None, "{id}");
        }
    }

    #[test]
    fn a_run_leaves_a_mark_where_its_start_does_not_tell() {
        let mut changes = Changes::of_new_topic();
        changes.seen_by(SECOND);
        assert_eq!(changes.runs, []);
        changes.commit = 1;
        changes.runs = vec![mark("other", 1, FIRST)];
        changes.seen_by(SECOND);
        assert_eq!(changes.runs.len(), 1);
        changes.runs = vec![mark("other", 1, LATER)];
        changes.seen_by(SECOND);
        assert_eq!(changes.upto(SECOND), Some(1));
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut changes = Changes::of_new_topic();
        for commit in 1..=RUNS_MAX as u64 + 1 {
            changes.commit = commit;
            changes.mark(&format!("20260101T000000000Z-{commit:08x}"));
        }
        assert_eq!(
            (changes.runs.len(), changes.whole, changes.forgotten),
            (RUNS_MAX, false, 2)
        );
        let removed = |commit, count: usize| Removed {
            commit,
            day: "2026-01-01".to_owned(),
            files: (0..count).map(|i| (i.to_string(), 1)).collect(),
        };
        changes.remove(vec![removed(600, 10)]);
        changes.remove(vec![removed(601, REMOVED_MAX)]);
        assert_eq!((changes.removed.len(), changes.forgotten), (1, 600));
        changes.remove(vec![removed(602, REMOVED_MAX + 1)]);
        assert_eq!((changes.removed.len(), changes.forgotten), (0, 602));
    }
}
