//! A table's snapshot: the previous one, sorted by raw key, merged with a run's fold in one streaming pass.

use anyhow::Result;
use std::cmp::Ordering;

use super::ledger::Snapshot;
use super::merge::Merge;
use super::previous::Previous;
use super::root::Root;
use super::snapshot_output::{Output, Written};
use crate::config::Compression;
use crate::erase::matcher::Matcher;

/// Merges `fold` over the previous snapshot and stages the result as `snapshot` and `sidecar` in `folder`.
/// What `erase` says of the previous snapshot's rows is left out.
pub fn merge(
    root: &Root,
    previous: Option<&Snapshot>,
    mut fold: Merge,
    folder: &str,
    compression: Compression,
    erase: Option<&Matcher>,
) -> Result<Written> {
    let mut out = Output::new(root, folder, compression)?;
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
                    Ordering::Equal => both = true,
                    Ordering::Greater => break,
                }
            }
            match erase {
                // The fold's row takes its place.
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
#[path = "snapshot_tests.rs"]
mod tests;
