//! The lake: files in Hive's layout, and the ledger that says which of them count.

mod commit;
mod compact;
pub mod disk;
mod file;
mod govern;
mod ingest;
pub mod layout;
pub mod ledger;
pub mod line;
mod look;
mod opened;
mod stream;
mod table;

use anyhow::Result;
use std::time::Duration;

use crate::config::{Kind, Topic};
use crate::locked::Locked;
use crate::problem::Problem;
use crate::record::Progress;
use crate::subjects::filter::Filter;
use crate::target::{Rebuild, Target};
pub use compact::{CompactRequest, Compacted, kept_out};
use disk::lock;
pub use file::parquet::{FileColumn, file_columns};
use govern::erased_list;
pub use govern::found::{FileHits, LakeHits};
pub use govern::purge::{DayFolder, Purged, TopicDays, kept, left_out};
pub use ingest::TopicSink;
pub use layout::day::{DayDoubts, RecordDay};
pub use ledger::change_log::{Since, commit_of, token_of};
use ledger::{TopicState, agreement, preconditions};
pub use look::listing::{DataFile, TopicFiles};
pub use look::status::{DayCount, FormatNote, LastRun, Ledger, Standing};
pub use look::verify::Verified;
pub use opened::Lake;

impl Lake<'_> {
    /// Checks that all names which the topic needs fit the lake's filesystem.
    ///
    /// # Errors
    /// The topic's name is too long for it: exit code 2.
    fn check_names(&self, topic: &Topic) -> Result<()> {
        let longest = match topic.kind {
            Kind::Stream => topic.name.clone(),
            Kind::Table => table::link_name(&topic.name, self.settings.lake.format_of(topic)),
        };
        let most = self.root.name_max()?;
        if longest.len() as u64 <= most {
            return Ok(());
        }
        Problem::usage(format!(
            "the topic's name is too long for the lake: the file `{longest}` would have a name of {} bytes, and the \
             filesystem takes {most}",
            longest.len()
        ))
        .about_topic(&topic.name)
        .fix("leave it out with lake.enabled = false; a table's link is shorter with lake.compression = \"none\"")
        .err()
    }

    fn check(&self, topic: &Topic, state: Option<TopicState>) -> Result<TopicState> {
        let Some(state) = state else {
            preconditions::check_new_topic(&self.root, topic.kind, &topic.name)?;
            let by = topic.partition_time.to_string();
            return Ok(TopicState::new(&topic.name, topic.kind, by, topic.lake_unit));
        };
        agreement::check(topic, &state)?;
        Ok(state)
    }
}

impl Target for Lake<'_> {
    type Sink<'t>
        = TopicSink<'t>
    where
        Self: 't;

    /// Each open topic keeps a descriptor, and shells allow a process 1,024.
    const OPEN_MAX: usize = 64;

    /// Also finishes what an earlier run committed, and drops what it only staged.
    fn open<'t>(&'t self, topic: &'t Topic, run_id: &str, wait: Duration) -> Result<Locked<TopicSink<'t>>> {
        self.check_names(topic)?;
        let lock = match lock::take(&self.root, &topic.name, run_id, wait)? {
            Locked::Ours(lock) => lock,
            Locked::HeldBy(holder) => return Ok(Locked::HeldBy(holder)),
        };
        let recovered = commit::recover(&self.root, self.settings, &topic.name)?;
        let state = self.check(topic, recovered)?;
        let erased = Filter::new(erased_list::load(&self.root)?, topic, &topic.key.names());
        Ok(Locked::Ours(TopicSink::new(
            self, topic, run_id, state, erased, lock,
        )))
    }

    fn progress(&self, topic: &Topic) -> Result<Progress> {
        self.check_names(topic)?;
        let state = TopicState::load(&self.root, &topic.name)?;
        Ok(self.check(topic, state)?.progress())
    }

    fn check_begin(&self, topic: &Topic, rebuild: Option<Rebuild>) -> Result<()> {
        match TopicState::load(&self.root, &topic.name)? {
            Some(state) => agreement::check_rows(topic, &state, rebuild),
            None => Ok(()),
        }
    }
}
