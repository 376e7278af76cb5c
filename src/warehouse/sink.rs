//! One table topic on its way into its table.

mod take;

pub(super) use take::STATEMENT_OVERHEAD_BYTES;

use anyhow::{Result, anyhow};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::batch::Batch;
use super::cutoffs::{self, Erased};
use super::erasures;
use super::link::Link;
use super::load::{self, Landed, Work};
use super::progress::{self, Place};
use super::rebuild::{self, Rebuild};
use super::row::RowReader;
use super::schema::TargetTable;
use crate::config::Topic;
use crate::erase::filter::Filter;
use crate::exit::usage;
use crate::kafka::DrainPlan;
use crate::record::Record;
use crate::report::{TargetReport, TopicReport};
use crate::sink::{self, Drained, Progress, Sink};

/// Memory for what was read and not yet written, in bytes; more is written in a transaction of its own.
const BUDGET_BYTES: usize = 96 << 20;
/// The time of the last complete run is only written when nothing else is if it is older than this.
const COMPLETE_STALE_MS: i64 = 60_000;
const NAMES_SHOWN: usize = 20;

/// A table under its lock, ready to take a topic's records.
pub struct TableSink {
    topic: Topic,
    table: TargetTable,
    link: Link,
    reader: RowReader,
    batch: Batch,
    /// The key of the change at hand, as the batch wants it.
    sort_key: Vec<u8>,
    /// What a purge has erased, as it was when the lock was taken.
    erased: Erased,
    /// Who was erased by name, as it was when the lock was taken: they must not come back.
    persons: Filter,
    persons_dropped: u64,
    /// As it is in the database.
    progress: Progress,
    /// Kafka partition -> offset after the last record taken since.
    taken: BTreeMap<i32, i64>,
    /// What intermediate transactions record beside offsets.
    identity: Option<(Option<String>, u32)>,
    rebuild: Option<Rebuild>,
    landed: Landed,
    /// Written within a rebuild's open transaction.
    spilled: Landed,
    tombstones: u64,
    irregular: u64,
    warnings: Vec<String>,
    broken: bool,
    budget_bytes: usize,
    patience: Duration,
}

impl fmt::Debug for TableSink {
    /// Without the connection, whose options hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableSink")
            .field("topic", &self.topic.name)
            .field("table", &self.table.name)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

impl TableSink {
    pub(super) fn new(
        topic: Topic,
        table: TargetTable,
        link: Link,
        reader: RowReader,
        erased: Erased,
        persons: Filter,
        progress: Progress,
    ) -> TableSink {
        let mut warnings = Vec::new();
        let folding = table.folding_key_columns();
        if !folding.is_empty() {
            warnings.push(format!(
                "table `{}`: keys that differ only in case, accents or trailing blanks may become one row, by the \
                 collation of {}; utf8mb4_0900_bin (MariaDB: utf8mb4_nopad_bin) keeps them apart",
                table.name,
                folding.join(", ")
            ));
        }
        TableSink {
            topic,
            batch: Batch::new(table.may_refuse),
            sort_key: Vec::new(),
            table,
            link,
            reader,
            erased,
            persons,
            persons_dropped: 0,
            progress,
            taken: BTreeMap::new(),
            identity: None,
            rebuild: None,
            landed: Landed::default(),
            spilled: Landed::default(),
            tombstones: 0,
            irregular: 0,
            warnings,
            broken: false,
            budget_bytes: BUDGET_BYTES,
            patience: load::PATIENCE,
        }
    }

    /// How far the table was when it was opened, or last committed.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The table's name as MySQL spells it.
    pub fn table(&self) -> &str {
        &self.table.name
    }

    /// Tells which topic the records to come belong to, so that transactions before the last one record it too.
    pub fn begin(&mut self, topic_id: Option<&str>, generation: u32) {
        self.identity = Some((topic_id.map(str::to_owned), generation));
    }

    /// From now on the records are the whole topic, from its start: at commit, rows whose keys were never mentioned are
    /// deleted, unless `rebuild` keeps them. All of it is one transaction, however many records there are.
    ///
    /// # Errors
    /// Another topic fills the same table (exit code 2), another run took the lock, or the session could not be renewed.
    pub fn rebuild(&mut self, rebuild: sink::Rebuild) -> Result<()> {
        let place = Place {
            table: &self.table.name,
            topic: &self.topic.name,
        };
        let others = progress::other_topics(&mut self.link.conn, place)?;
        if !others.is_empty() {
            return Err(usage(format!(
                "table `{}` is also filled by {}: a rebuild from one topic would delete the other's rows",
                self.table.name,
                others.join(", ")
            )));
        }
        self.link.reopen(rebuild::READ_TIMEOUT)?;
        self.progress = progress::read(&mut self.link.conn, place, false)?;
        self.erased = Erased::new(cutoffs::read(&mut self.link.conn, place.table)?, &self.table)?;
        self.persons = erasures::filter(&mut self.link.conn, &self.topic, &self.reader)?;
        self.rebuild = Some(Rebuild::new(rebuild));
        Ok(())
    }

    /// What a person should know of, since last asked.
    pub fn warnings(&mut self) -> Vec<String> {
        let names = self.reader.take_names_without_column();
        if !names.is_empty() {
            self.warnings.push(self.without_column(&names));
        }
        std::mem::take(&mut self.warnings)
    }

    /// Bytes of memory for what is not yet written, in place of 96 MiB.
    pub fn set_budget(&mut self, bytes: usize) {
        self.budget_bytes = bytes;
    }

    /// How long a transaction is replayed against locks and lost connections, in place of a minute.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    fn without_column(&self, names: &[String]) -> String {
        let shown = names
            .iter()
            .take(NAMES_SHOWN)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let more = match names.len().saturating_sub(NAMES_SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "fields without a column in table `{}`, left out: {shown}{more}",
            self.table.name
        )
    }

    /// The configuration's faults that only the records could tell.
    fn check_fit(&self) -> Result<()> {
        match &self.reader.key_misfit {
            Some(reason) if !self.reader.key_fitted => {
                Err(usage(format!("topic {}: {reason}", self.topic.name)))
            }
            _ => Ok(()),
        }
    }

    /// Writes what was taken so far; the progress stands after the last record of each Kafka partition.
    fn flush(&mut self) -> Result<()> {
        self.check_fit()?;
        let mut after = self.progress.clone();
        let (topic_id, generation) = match &self.identity {
            Some((topic_id, generation)) => (topic_id.clone().or(after.topic_id.take()), *generation),
            None => (after.topic_id.take(), after.generation.max(1)),
        };
        if generation != after.generation {
            after.next.clear();
        }
        after.next.extend(&self.taken);
        after.topic_id = topic_id;
        after.generation = generation;
        self.write(after, false)
    }

    /// Runs the transaction that leads to `after`; a rebuild's stays open unless this is its `end`.
    fn write(&mut self, after: Progress, end: bool) -> Result<()> {
        let work = Work {
            table: &self.table,
            topic: &self.topic.name,
            batch: &self.batch,
            before: &self.progress,
            after: &after,
            cutoffs: &self.erased.cutoffs,
            persons_listed: self.persons.listed(),
            patience: self.patience,
        };
        match (&mut self.rebuild, end) {
            (Some(rebuild), false) => {
                self.spilled += work.spill(&mut self.link, &mut self.reader, rebuild)?;
                self.batch.clear();
            }
            (rebuild, _) => {
                self.landed += work.run(&mut self.link, &mut self.reader, rebuild.as_mut())?;
                self.landed += std::mem::take(&mut self.spilled);
                self.progress = after;
                self.rebuild = None;
                self.batch.clear_aside();
                self.taken.clear();
            }
        }
        Ok(())
    }

    /// Where the table is to stand after `drained`.
    fn target(&self, drained: &Drained) -> Progress {
        let mut after = self.progress.clone();
        if drained.generation != after.generation {
            after.next.clear();
        }
        after.next.extend(
            drained
                .partitions
                .iter()
                .map(|partition| (partition.partition, partition.next)),
        );
        after.generation = drained.generation.max(1);
        after.topic_id = drained.topic_id.clone().or(after.topic_id);
        if drained.complete {
            after.complete_ms = Some(drained.planned_ms);
        }
        after
    }

    fn settle(&mut self, drained: &Drained) -> Result<()> {
        self.check_fit()?;
        if self.rebuild.is_some() && !drained.complete {
            return Err(anyhow!(
                "table `{}`: a rebuild needs the topic from its start to its end, or rows would be deleted that it never \
                 came to; nothing was changed",
                self.table.name
            ));
        }
        let after = self.target(drained);
        let moved = after.next != self.progress.next
            || after.topic_id != self.progress.topic_id
            || (after.generation != self.progress.generation && !after.next.is_empty());
        if moved || !self.batch.is_empty() || self.rebuild.is_some() {
            return self.write(after, true);
        }
        let stale = match (self.progress.complete_ms, after.complete_ms) {
            (Some(before), Some(after)) => after - before > COMPLETE_STALE_MS,
            (before, after) => before.is_none() && after.is_some(),
        };
        if stale && !after.next.is_empty() {
            let place = Place {
                table: &self.table.name,
                topic: &self.topic.name,
            };
            load::touch_complete(&mut self.link, place, &after)?;
            self.progress = after;
        }
        Ok(())
    }

    /// What landed counts, also where the last transaction failed after others.
    fn fill(&mut self, report: &mut TopicReport) {
        report.tombstones += std::mem::take(&mut self.tombstones);
        report.irregular += std::mem::take(&mut self.irregular);
        report.erased += std::mem::take(&mut self.persons_dropped);
        let landed = std::mem::take(&mut self.landed);
        report.below_retention += landed.below_retention;
        if let TargetReport::Warehouse(warehouse) = &mut report.target {
            warehouse.table.clone_from(&self.table.name);
            warehouse.upserted += landed.upserted;
            warehouse.deleted += landed.deleted;
            warehouse.rejected += landed.rejected;
        }
        if landed.rejected > 0 {
            report.needs_attention();
        }
    }
}

impl Drop for TableSink {
    fn drop(&mut self) {
        // A broken load may have a server that no longer answers.
        if !self.broken {
            self.link.release();
        }
    }
}

impl Sink for TableSink {
    fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn begin(&mut self, plan: &DrainPlan, rebuild: Option<sink::Rebuild>) -> Result<()> {
        TableSink::begin(self, plan.topic_id.as_deref(), plan.generation);
        match rebuild {
            Some(rebuild) => self.rebuild(rebuild),
            None => Ok(()),
        }
    }

    fn warnings(&mut self) -> Vec<String> {
        TableSink::warnings(self)
    }

    fn take(&mut self, record: &Record<'_>) -> Result<()> {
        if self.broken {
            return Err(anyhow!(
                "table `{}`: an earlier error ended this load",
                self.table.name
            ));
        }
        self.taken.insert(record.partition, record.offset + 1);
        self.take_change(record);
        if self.topic.strict && self.reader.has_names_without_column() {
            self.broken = true;
            let names = self.reader.take_names_without_column();
            return Err(usage(format!(
                "{} (warehouse.strict = true)",
                self.without_column(&names)
            )));
        }
        if self.batch.bytes() > self.budget_bytes {
            let flushed = self.flush();
            self.broken = flushed.is_err();
            flushed?;
        }
        Ok(())
    }

    /// `upserted` counts rows after folding: many records of one key are one row.
    fn commit(&mut self, drained: &Drained, report: &mut TopicReport) -> Result<()> {
        if self.broken {
            return Err(anyhow!(
                "table `{}`: an earlier error ended this load",
                self.table.name
            ));
        }
        let settled = self.settle(drained);
        self.broken = settled.is_err();
        self.fill(report);
        settled
    }
}
