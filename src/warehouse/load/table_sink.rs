//! One table topic is loaded into its table.

mod flush;
mod load_state;
mod loader;
mod take;
mod warnings;

pub(in crate::warehouse) use take::STATEMENT_OVERHEAD_BYTES;

use anyhow::{Context, Result, anyhow};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::batch::Batch;
use super::cutoffs::{self, RowCutoffs};
use super::progress::{self, ProgressKey};
use super::read_record::RowReader;
use super::rebuild::{self, TableRebuild};
use super::transaction::Landed;
use super::{erased_list, first_drain};
use crate::config::Topic;
use crate::decode::registry::header::Side;
use crate::decode::{Decoded, Decoder};
use crate::exit::usage;
use crate::problem::Problem;
use crate::record::{DrainPlan, Drained, Progress, Record};
use crate::report::{TargetReport, TopicReport};
use crate::subjects::filter::Filter;
use crate::target::{self, Sink};
use crate::warehouse::server::locked_session::{Link, PATIENCE};
use crate::warehouse::table::target::TargetTable;
use crate::warehouse::value::odd_times::OddTimes;
use load_state::LoadState;
use loader::{Loader, Seat};
use take::Coming;

/// Memory for records that are read but not yet written, in bytes. When it is full, a transaction writes them.
const BUDGET_BYTES: usize = 64 << 20;

/// A table under its lock, ready to take a topic's records.
pub struct TableSink {
    topic: Topic,
    table: Arc<TargetTable>,
    loader: Seat,
    /// What the server takes in one packet, in bytes.
    packet_max: usize,
    reader: RowReader,
    batch: Batch,
    /// Memory for records that are taken together.
    coming: Coming,
    /// The column that the server counts up, if records don't fill it.
    numbered_column: Option<usize>,
    /// What purges have deleted, as read when the lock was taken.
    purged: RowCutoffs,
    odd_times: OddTimes,
    /// The erased persons, as read when the lock was taken: they must not come back.
    persons: Filter,
    /// The progress in the database, except for what the loader writes at the moment.
    progress: Progress,
    state: LoadState,
    rebuild: Option<TableRebuild>,
    counts: Counts,
    warnings: Vec<Problem>,
    broken: bool,
    budget_bytes: usize,
}

/// What the load has done since the last report.
#[derive(Default)]
struct Counts {
    landed: Landed,
    /// What a rebuild has written in its open transaction.
    spilled: Landed,
    tombstones: u64,
    irregular: u64,
    /// Records of erased persons, which were left out.
    persons_dropped: u64,
    /// Column -> how many records had a number that it rounds.
    rounded: BTreeMap<usize, u64>,
    /// Updates that took a number of an AUTO_INCREMENT column.
    numbered: u64,
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
    pub(in crate::warehouse) fn new(
        topic: Topic,
        table: TargetTable,
        link: Link,
        reader: RowReader,
        purged: RowCutoffs,
        persons: Filter,
        progress: Progress,
    ) -> TableSink {
        let table = Arc::new(table);
        TableSink {
            batch: Batch::new(table.may_refuse),
            packet_max: link.server.packet_max,
            loader: Seat::Here(Box::new(Loader {
                topic: topic.name.clone(),
                table: Arc::clone(&table),
                link,
                reader: reader.clone(),
                patience: PATIENCE,
            })),
            odd_times: OddTimes::new(&topic, &table),
            topic,
            coming: Coming::default(),
            numbered_column: table.numbered_column(),
            reader,
            purged,
            persons,
            progress,
            state: LoadState::default(),
            rebuild: None,
            counts: Counts::default(),
            warnings: warnings::of_folding_keys(&table).into_iter().collect(),
            broken: false,
            budget_bytes: BUDGET_BYTES,
            table,
        }
    }

    /// The table's name as MySQL spells it.
    pub fn table(&self) -> &str {
        &self.table.name
    }

    /// Starts a rebuild: from now on the records are the whole topic, from its start. The commit deletes rows whose keys
    /// no record had, unless `rebuild` keeps them. All of it is one transaction, however many records there are.
    ///
    /// # Errors
    /// Another topic fills the same table (exit code 2), another run took the lock, or the session could not be renewed.
    pub fn rebuild(&mut self, rebuild: target::Rebuild) -> Result<()> {
        let place = ProgressKey {
            table: &self.table.name,
            topic: &self.topic.name,
        };
        let link = &mut self.loader.here()?.link;
        let others = progress::other_topics(&mut link.conn, place)?;
        if !others.is_empty() {
            return Err(usage(format!(
                "table `{}` is also filled by {}: a rebuild from one topic would delete the other's rows",
                self.table.name,
                others.join(", ")
            )));
        }
        link.reopen(rebuild::READ_TIMEOUT)?;
        self.progress = progress::read(&mut link.conn, place, false)?;
        self.purged = RowCutoffs::new(cutoffs::read(&mut link.conn, place.table)?, &self.table)?;
        self.persons = erased_list::filter(&mut link.conn, &self.topic, &self.reader)?;
        // The rebuild's table of keys remembers all of them.
        self.batch.forget_written();
        if self.state.keys_may_move {
            self.batch.reset_moved_rows();
        }
        self.rebuild = Some(TableRebuild::new(
            rebuild,
            self.state.keys_may_move,
            self.state.ranges.clone(),
        ));
        Ok(())
    }

    /// Sets the memory for records that are not yet written, in bytes; the default is 64 MiB.
    pub fn set_budget(&mut self, bytes: usize) {
        self.budget_bytes = bytes;
    }

    /// Sets how many written keys are remembered; the default is 400,000.
    pub fn set_keys_remembered(&mut self, keys: usize) {
        self.batch.set_keys_remembered(keys);
    }

    /// Sets how long a transaction is retried after lock waits and lost connections; the default is a minute.
    pub fn set_patience(&mut self, patience: Duration) {
        if let Ok(loader) = self.loader.here() {
            loader.patience = patience;
        }
    }

    /// Reads which keys earlier runs of the first drain have taken.
    fn recall(&mut self) -> Result<()> {
        let place = ProgressKey {
            table: &self.table.name,
            topic: &self.topic.name,
        };
        let link = &mut self.loader.here()?.link;
        first_drain::read(&mut link.conn, place, &self.table, &mut self.batch).with_context(|| {
            format!(
                "table `{}`: reading what its first load has taken",
                self.table.name
            )
        })
    }

    /// Takes records of one Kafka partition.
    fn take_of_one(&mut self, records: &[Record<'_>], decoded: &[Decoded<'_>]) -> Result<()> {
        let Some(last) = records.last() else {
            return Ok(());
        };
        if self.broken {
            return Err(anyhow!(
                "table `{}`: an earlier error ended this load",
                self.table.name
            ));
        }
        if self.state.begins_turn(last.partition) {
            self.unless_broken(TableSink::end_turn)?;
        }
        self.state.taken.insert(last.partition, last.as_last());
        self.take_changes(records, decoded);
        if self.topic.strict && self.reader.has_names_without_column() {
            self.broken = true;
            let names = self.reader.take_names_without_column();
            return Err(usage(format!(
                "{} (warehouse.strict = true)",
                self.without_column(&names)
            )));
        }
        self.unless_broken(TableSink::make_room)
    }

    /// Runs a step. After an error the load takes nothing more.
    fn unless_broken(&mut self, step: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let done = step(self);
        self.broken |= done.is_err();
        done
    }

    /// Fills the report with what was committed, also if the last transaction failed after others.
    fn fill(&mut self, report: &mut TopicReport) {
        let counts = std::mem::take(&mut self.counts);
        self.warn_of_rounded(&counts.rounded);
        if counts.numbered > 0 {
            self.warn_of_numbers();
        }
        report.tombstones += counts.tombstones;
        report.irregular += counts.irregular;
        report.erased += counts.persons_dropped;
        report.implausible_time = self.odd_times.take();
        let landed = counts.landed;
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
        if landed.by_foreign_key > 0 {
            self.warn_of_foreign_keys(landed.by_foreign_key);
        }
    }
}

impl Drop for TableSink {
    fn drop(&mut self) {
        // A transaction in the loader's thread is finished first. After an error the server may no longer answer.
        if self.wait_for_loader().is_ok()
            && !self.broken
            && let Ok(loader) = self.loader.here()
        {
            loader.link.release();
        }
    }
}

impl Sink for TableSink {
    fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Reads in turns, so that one turn is written while the next is read, unless all is one transaction.
    fn suit(&self, plan: DrainPlan, rebuild: Option<target::Rebuild>) -> DrainPlan {
        let plan = DrainPlan {
            without_headers: ![Side::Key, Side::Value]
                .iter()
                .any(|&side| self.reader.reads_header_of(side)),
            ..plan
        };
        // If a run died between turns, nobody could tell for which Kafka partitions `--from` had left records out.
        if rebuild.is_some() || plan.from_ms.is_some() {
            plan
        } else {
            plan.in_turns()
        }
    }

    /// A row that a foreign key refers to must be there first.
    fn wants_to_be_alone(&self) -> bool {
        self.table.may_refuse
    }

    fn begin(&mut self, plan: &DrainPlan, rebuild: Option<target::Rebuild>) -> Result<()> {
        let is_same_topic = plan.generation == self.progress.generation;
        let goes_on = self.progress.complete_ms.is_none() && !self.progress.next.is_empty();
        let is_first_drain = self.progress.complete_ms.is_none() || !is_same_topic;
        self.state = LoadState::new(plan, is_first_drain && rebuild.is_none());
        if !self.state.keys_may_move && !self.state.may_have_moved {
            self.batch.forget_written();
        }
        if self.state.may_have_moved {
            self.batch.reset_moved_rows();
            if is_same_topic && !self.progress.next.is_empty() {
                self.recall()?;
            }
        }
        if goes_on && rebuild.is_none() {
            self.warn_of_long_first_load();
        }
        match rebuild {
            Some(rebuild) => self.rebuild(rebuild),
            None => Ok(()),
        }
    }

    fn warnings(&mut self) -> Vec<Problem> {
        self.collect_warnings()
    }

    fn decoder(&self) -> Decoder {
        self.reader.decoder()
    }

    fn take_all(&mut self, records: &[Record<'_>], mut decoded: &[Decoded<'_>]) -> Result<()> {
        // All records of one Kafka partition belong to one turn.
        for records in records.chunk_by(|one, next| one.partition == next.partition) {
            let (theirs, others) = decoded.split_at(records.len().min(decoded.len()));
            decoded = others;
            self.take_of_one(records, theirs)?;
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
        let may_have_missed = self.batch.has_missed_some();
        let settled = self.unless_broken(|sink| sink.commit_rest(drained));
        let unsure = self.counts.landed.unsure;
        // Once a first drain is complete, all its keys were compared.
        let is_compared = settled.is_ok() && self.state.may_have_moved && drained.complete;
        if unsure > 0 || (may_have_missed && !is_compared) {
            self.warn_of_moved_keys(unsure);
            report.needs_attention();
        }
        if settled.is_err() {
            self.warn_of_landed();
        }
        if let Some(unfilled) = self.reader.unfilled(&self.table) {
            report.needs_a_person(self.of_unfilled(unfilled));
        }
        self.fill(report);
        settled
    }
}
