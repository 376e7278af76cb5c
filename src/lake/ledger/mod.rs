//! The ledger, under `.lakectl/`: facts of the whole lake, a small state per topic, and a manifest per day.

pub(super) mod agreement;
pub(super) mod change_log;
pub(super) mod changed_since;
mod debt;
mod manifest;
pub(super) mod preconditions;
mod state;

use anyhow::Result;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::disk::root::Root;
use super::disk::{checksummed, lock};
use super::layout::paths::HOME;
use crate::problem::Problem;
pub use debt::{Debt, PendingExchange, PendingFile, PendingPurge};
pub use manifest::{FileEntry, Manifest, ReplacedFile, by_partition};
pub use state::{Snapshot, TopicState};

const LAKE: &str = ".lakectl/lake";
const LAKE_LOCK: &str = ".lakectl/lake.lock";

/// What holds for the whole lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LakeFacts {
    format: u32,
    timezone: String,
}

/// Whether the root holds a lake already.
///
/// # Errors
/// The ledger holds topics, but the file with the lake's facts is gone.
pub fn exists(root: &Root) -> Result<bool> {
    if root.stat(LAKE)?.is_some() {
        return Ok(true);
    }
    if has_topics(root)? {
        return Problem::new(format!(
            "{} is gone, though the ledger holds topics; nothing was changed",
            root.shown(LAKE)
        ))
        .fix(
            "restore it from a backup, or copy that of another lake with the same lake.timezone: nothing else is in it",
        )
        .err();
    }
    Ok(false)
}

/// Begins the ledger of a new lake, or checks that the lake's facts are still the configuration's.
///
/// # Errors
/// The day folders were made in another time zone: exit code 2.
pub fn open(root: &Root, zone: Tz, create: bool) -> Result<()> {
    let facts = LakeFacts {
        format: 1,
        timezone: zone.name().to_owned(),
    };
    if agrees(root, &facts)? || !create {
        return Ok(());
    }
    root.make_dirs(HOME)?;
    // Of several runs that begin the lake at the same time, one writes the file; the others find it written.
    let _lock = lock::wait(root, LAKE_LOCK)?;
    if agrees(root, &facts)? {
        Ok(())
    } else {
        checksummed::write(root, LAKE, &facts)
    }
}

/// Whether the ledger holds these facts. False: it holds none yet, or others that no topic was made with.
fn agrees(root: &Root, facts: &LakeFacts) -> Result<bool> {
    if !exists(root)? {
        return Ok(false);
    }
    match checksummed::read::<LakeFacts>(root, LAKE)? {
        Some(known) if known == *facts => Ok(true),
        Some(known) if known.timezone != facts.timezone && has_topics(root)? => Problem::usage(format!(
            "lake.timezone is {}, but the day folders of {} were made in {}: a day would mean two things",
            facts.timezone,
            root.path().display(),
            known.timezone
        ))
        .fix(format!(
            "set lake.timezone = \"{}\", or begin a new lake in another root",
            known.timezone
        ))
        .err(),
        Some(known) if known.format > 1 => Problem::usage(format!(
            "{} was written by a newer lakectl than this one",
            root.path().display()
        ))
        .fix("use the newer lakectl")
        .err(),
        _ => Ok(false),
    }
}

/// Checks that a ledger file lies in its own place: in another's, an undamaged file would describe the wrong topic or day.
fn check_place(root: &Root, path: &str, written_for: &str, place: &str) -> Result<()> {
    if written_for.is_empty() || written_for == place {
        return Ok(());
    }
    Problem::new(format!(
        "the ledger file {} belongs to {}, not to {place}; nothing was changed",
        root.shown(path),
        written_for.escape_debug()
    ))
    .fix("restore it from a backup")
    .err()
}

fn has_topics(root: &Root) -> Result<bool> {
    Ok(!root.list(&format!("{HOME}/topics"))?.is_empty())
}

/// Names of all topics that the ledger knows.
pub fn topics(root: &Root) -> Result<Vec<String>> {
    Ok(root
        .list(&format!("{HOME}/topics"))?
        .into_iter()
        .map(|(name, _)| name)
        .collect())
}

/// Where the ledger keeps a topic.
pub fn topic_home(topic: &str) -> String {
    format!("{HOME}/topics/{topic}")
}

/// Where a topic's runs stage their files.
pub fn staging_home(topic: &str) -> String {
    format!("{HOME}/staging/{topic}")
}
