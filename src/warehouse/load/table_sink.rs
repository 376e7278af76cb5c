//! One table topic on its way into its table.

mod flush;
mod loader;
mod take;

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
use super::transaction::{self, Landed};
use super::{erased_list, first_drain};
use crate::config::Topic;
use crate::decode::{Decoded, Decoder};
use crate::exit::usage;
use crate::record::{DrainPlan, Drained, Progress, Record};
use crate::report::{TargetReport, TopicReport};
use crate::subjects::filter::Filter;
use crate::target::{self, Sink};
use crate::warehouse::server::locked_session::Link;
use crate::warehouse::table::target::TargetTable;
use loader::{Loader, Seat};
use take::Coming;

/// Memory for what was read and not yet written, in bytes; more is written in a transaction of its own.
const BUDGET_BYTES: usize = 64 << 20;
const NAMES_SHOWN: usize = 20;

/// A table under its lock, ready to take a topic's records.
pub struct TableSink {
    topic: Topic,
    table: Arc<TargetTable>,
    loader: Seat,
    /// What the server takes in one packet, in bytes.
    packet_max: usize,
    reader: RowReader,
    batch: Batch,
    /// Memory for what is taken together.
    coming: Coming,
    /// What a purge has erased, as it was when the lock was taken.
    erased: RowCutoffs,
    /// Who was erased by name, as it was when the lock was taken: they must not come back.
    persons: Filter,
    persons_dropped: u64,
    /// As it is in the database, but for what is written beside.
    progress: Progress,
    /// Kafka partition -> where the plan begins.
    starts: BTreeMap<i32, i64>,
    /// Kafka partition -> the turn it is read in.
    turns: BTreeMap<i32, usize>,
    turn: usize,
    /// Whether several Kafka partitions have records: keys of a single one have nowhere to move.
    keys_may_move: bool,
    /// Whether the first drain goes on, in which keys may have moved between Kafka partitions before.
    may_have_moved: bool,
    /// Kafka partition -> offset after the last record taken since.
    taken: BTreeMap<i32, i64>,
    /// What intermediate transactions record beside offsets.
    identity: Option<(Option<String>, u32)>,
    rebuild: Option<TableRebuild>,
    landed: Landed,
    /// Written within a rebuild's open transaction.
    spilled: Landed,
    tombstones: u64,
    irregular: u64,
    warnings: Vec<String>,
    broken: bool,
    budget_bytes: usize,
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
        erased: RowCutoffs,
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
        let table = Arc::new(table);
        TableSink {
            batch: Batch::new(table.may_refuse),
            packet_max: link.server.packet_max,
            loader: Seat::Here(Box::new(Loader {
                topic: topic.name.clone(),
                table: Arc::clone(&table),
                link,
                reader: reader.clone(),
                patience: transaction::PATIENCE,
            })),
            topic,
            coming: Coming::default(),
            table,
            reader,
            erased,
            persons,
            persons_dropped: 0,
            progress,
            starts: BTreeMap::new(),
            turns: BTreeMap::new(),
            turn: 0,
            keys_may_move: true,
            may_have_moved: false,
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
        self.erased = RowCutoffs::new(cutoffs::read(&mut link.conn, place.table)?, &self.table)?;
        self.persons = erased_list::filter(&mut link.conn, &self.topic, &self.reader)?;
        // Its own table knows of all keys.
        self.batch.forget_written();
        self.rebuild = Some(TableRebuild::new(rebuild, self.keys_may_move));
        Ok(())
    }

    /// What a person should know of, since last asked.
    pub fn warnings(&mut self) -> Vec<String> {
        // Nothing is away after a commit; where the read failed, what is beside it may still land.
        if let Err(error) = self.rejoin() {
            self.warnings.push(format!("{error:#}"));
        }
        if self.landed != Landed::default() && self.batch.has_missed_some() {
            self.warn_of_moved_keys();
        }
        self.warn_of_landed();
        self.landed = Landed::default();
        let names = self.reader.take_names_without_column();
        if !names.is_empty() {
            self.warnings.push(self.without_column(&names));
        }
        std::mem::take(&mut self.warnings)
    }

    /// Bytes of memory for what is not yet written, in place of 64 MiB.
    pub fn set_budget(&mut self, bytes: usize) {
        self.budget_bytes = bytes;
    }

    /// Keys that are remembered once they are written, in place of 400,000.
    pub fn set_keys_remembered(&mut self, keys: usize) {
        self.batch.set_keys_remembered(keys);
    }

    /// How long a transaction is replayed against locks and lost connections, in place of a minute.
    pub fn set_patience(&mut self, patience: Duration) {
        if let Ok(loader) = self.loader.here() {
            loader.patience = patience;
        }
    }

    /// Tells what transactions before the one that failed have done.
    fn warn_of_landed(&mut self) {
        let landed = self.landed;
        if landed != Landed::default() {
            self.warnings.push(format!(
                "table `{}`: earlier transactions of this run stand, with {} rows upserted, {} deleted and {} records \
                 rejected; the next run goes on after them",
                self.table.name, landed.upserted, landed.deleted, landed.rejected
            ));
        }
    }

    fn warn_of_moved_keys(&mut self) {
        self.warnings.push(format!(
            "table `{}`: keys of topic {} are in several Kafka partitions each, as after their number was changed, and this run \
             had more keys than it can remember: of some, an older record may have been written last; \
             lakectl warehouse --rebuild --topics {} puts the table in order",
            self.table.name, self.topic.name, self.topic.name
        ));
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

    /// Learns which keys the first drain has taken in the runs before.
    fn recall(&mut self) -> Result<()> {
        let place = ProgressKey {
            table: &self.table.name,
            topic: &self.topic.name,
        };
        let link = &mut self.loader.here()?.link;
        first_drain::read(&mut link.conn, place, &mut self.batch).with_context(|| {
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
        if let Some(&turn) = self.turns.get(&last.partition)
            && turn > self.turn
        {
            self.turn = turn;
            self.unless_broken(TableSink::end_turn)?;
        }
        self.taken.insert(last.partition, last.offset + 1);
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

    /// After an error nothing more is taken.
    fn unless_broken(&mut self, step: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let done = step(self);
        self.broken |= done.is_err();
        done
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
        // What is written beside comes to its end. A broken load may have a server that no longer answers.
        if self.rejoin().is_ok()
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

    /// What was read of some Kafka partitions is written while others are read, unless all is one transaction.
    fn suit(&self, plan: DrainPlan, rebuild: Option<target::Rebuild>) -> DrainPlan {
        let plan = DrainPlan {
            without_headers: true,
            ..plan
        };
        // After a run that died between turns, nobody could tell of which records `--from` had left some out.
        if rebuild.is_some() || plan.from_ms.is_some() {
            plan
        } else {
            plan.in_turns()
        }
    }

    /// What a foreign key refers to must be there first.
    fn wants_to_be_alone(&self) -> bool {
        self.table.may_refuse
    }

    fn begin(&mut self, plan: &DrainPlan, rebuild: Option<target::Rebuild>) -> Result<()> {
        let ranges = plan.ranges.iter();
        self.starts = ranges
            .clone()
            .map(|range| (range.partition, range.start))
            .collect();
        self.turns = ranges
            .map(|range| (range.partition, plan.turn_of(range.partition)))
            .collect();
        self.turn = 0;
        let to_read = plan.ranges.iter().filter(|range| range.start < range.end);
        self.keys_may_move = to_read.count() > 1;
        let is_same_topic = plan.generation == self.progress.generation;
        let is_first_drain = self.progress.complete_ms.is_none() || !is_same_topic;
        self.may_have_moved = is_first_drain && rebuild.is_none() && plan.ranges.len() > 1;
        if !self.keys_may_move && !self.may_have_moved {
            self.batch.forget_written();
        }
        TableSink::begin(self, plan.topic_id.as_deref(), plan.generation);
        if self.may_have_moved && is_same_topic && !self.progress.next.is_empty() {
            self.recall()?;
        }
        if rebuild.is_none() && !self.progress.next.is_empty() && self.progress.complete_ms.is_none() {
            self.warnings.push(format!(
                "table `{}`: its first load has not come to its end yet, and goes on; only a rebuild would tell of keys \
                 that were deleted long ago meanwhile (--rebuild --topics {})",
                self.table.name, self.topic.name
            ));
        }
        match rebuild {
            Some(rebuild) => self.rebuild(rebuild),
            None => Ok(()),
        }
    }

    fn warnings(&mut self) -> Vec<String> {
        TableSink::warnings(self)
    }

    fn decoder(&self) -> Decoder {
        self.reader.decoder()
    }

    fn take_all(&mut self, records: &[Record<'_>], mut decoded: &[Decoded<'_>]) -> Result<()> {
        // What is of one Kafka partition is of one turn.
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
        let missed = self.batch.has_missed_some();
        let settled = self.unless_broken(|sink| sink.settle(drained));
        if missed {
            self.warn_of_moved_keys();
            report.needs_attention();
        }
        if settled.is_err() {
            self.warn_of_landed();
        }
        self.fill(report);
        settled
    }
}
