//! Merges a run's fold into the previous snapshot, sorted by raw key, in one streaming pass.

use anyhow::Result;
use std::cmp::Ordering;

use super::merge::Merge;
use super::new_snapshot::{Output, StagedSnapshot};
use super::old_snapshot::Previous;
use crate::config::Compression;
use crate::lake::disk::root::Root;
use crate::lake::ledger::Snapshot;
use crate::subjects::matcher::Matcher;

/// Whether a table's first drain is complete. Until then keys may have moved between Kafka partitions, and the order in which
/// runs take their records does not decide which is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstDrain {
    /// It was complete before: all rows of the fold are newer than the previous snapshot.
    WasComplete,
    /// This run completes it: rows of both are compared, and deleted keys need not be remembered any more.
    IsComplete,
    /// It is not complete: rows of both are compared, and deleted keys are remembered, because older rows may still come.
    GoesOn,
}

/// Merges `fold` over the previous snapshot and stages the result as `snapshot` and `sidecar` in `folder`.
/// Rows of the previous snapshot that `erase` finds are left out.
pub fn merge(
    root: &Root,
    previous: Option<&Snapshot>,
    mut fold: Merge,
    folder: &str,
    compression: Compression,
    first_drain: FirstDrain,
    erase: Option<&Matcher>,
) -> Result<StagedSnapshot> {
    let mut out = Output::new(root, folder, compression, first_drain == FirstDrain::GoesOn)?;
    let mut more = fold.advance()?;
    if let Some(snapshot) = previous {
        let mut old = Previous::open(root, snapshot)?;
        while old.advance()? {
            let mut both = false;
            while more && !both {
                match fold.key().cmp(old.key()) {
                    Ordering::Less => {
                        old.copy_kept(&mut out)?;
                        out.add(&mut fold)?;
                        more = fold.advance()?;
                    }
                    Ordering::Equal => {
                        both = first_drain == FirstDrain::WasComplete || fold.replaces(old.origin());
                        if !both {
                            more = fold.advance()?;
                            break;
                        }
                    }
                    Ordering::Greater => break,
                }
            }
            match erase {
                // The fold's row replaces it.
                _ if both => old.drop_row(&mut out)?,
                Some(matcher) => old.keep_unless(matcher, &mut out)?,
                None => old.keep(&mut out)?,
            }
        }
        old.copy_kept(&mut out)?;
        old.check(snapshot)?;
    }
    while more {
        out.add(&mut fold)?;
        more = fold.advance()?;
    }
    out.finish()
}

#[cfg(test)]
mod tests;
