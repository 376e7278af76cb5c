//! When the batch is written, and which progress is recorded with it.

use anyhow::Result;

use super::TableSink;
use super::loader::Parcel;
use crate::problem::Problem;
use crate::record::{Drained, Progress};
use crate::warehouse::load::batch::Batch;
use crate::warehouse::load::progress::ProgressKey;
use crate::warehouse::load::transaction;

/// If a run has nothing else to write, it writes the time of the last complete run only if the recorded one is older than this.
const COMPLETE_STALE_MS: i64 = 60_000;
/// A turn's records are written if they fill this fraction of the memory (1/24); otherwise they wait for the next turn's.
const TURN_PART: usize = 24;

impl TableSink {
    /// Ends a turn: no later record changes the keys taken so far, so they are written while the next turn is read.
    pub(in crate::warehouse::load::table_sink) fn end_turn(&mut self) -> Result<()> {
        if self.batch.bytes() < self.budget_bytes / TURN_PART || self.rebuild.is_some() {
            return Ok(());
        }
        if self.check_fit().is_err() {
            // Not an error yet: keys of later Kafka partitions may fit.
            return Ok(());
        }
        if self.table.may_refuse && self.batch.remembers_keys() {
            // The next turn's records are compared with what the server has accepted.
            return self.flush();
        }
        let batch = self.batch.hand_over();
        self.wait_for_loader()?;
        let after = self.progress_so_far();
        self.state.taken.clear();
        let parcel = self.parcel(batch, after);
        self.loader.send(parcel)
    }

    /// Keeps within the memory budget. A batch that the loader's thread still writes takes memory too.
    pub(in crate::warehouse::load::table_sink) fn make_room(&mut self) -> Result<()> {
        if self.batch.bytes() + self.loader.bytes_away() > self.budget_bytes {
            self.wait_for_loader()?;
        }
        if self.batch.bytes() > self.budget_bytes {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Waits for the transaction in the loader's thread, and returns its error or counts its rows.
    pub(in crate::warehouse::load::table_sink) fn wait_for_loader(&mut self) -> Result<()> {
        match self.loader.wait() {
            Ok(None) => Ok(()),
            Ok(Some((landed, progress))) => {
                self.counts.landed += landed;
                self.progress = progress;
                Ok(())
            }
            Err(error) => {
                self.broken = true;
                Err(error)
            }
        }
    }

    /// Finds faults of the configuration that only the records show.
    fn check_fit(&self) -> Result<()> {
        match &self.reader.key_misfit {
            Some(reason) if !self.reader.key_fitted => {
                Problem::usage(reason).about_topic(&self.topic.name).err()
            }
            _ => Ok(()),
        }
    }

    /// Writes the batch; the progress is then after the last record taken of each Kafka partition.
    fn flush(&mut self) -> Result<()> {
        self.check_fit()?;
        let after = self.progress_so_far();
        if self.rebuild.is_some() {
            self.spill(after)
        } else {
            let batch = self.batch.hand_over();
            self.load(batch, after)
        }
    }

    /// The progress after the records taken so far.
    fn progress_so_far(&self) -> Progress {
        let (topic_id, generation) = match &self.state.identity {
            Some((topic_id, generation)) => (topic_id.as_ref(), *generation),
            None => (None, self.progress.generation),
        };
        let mut after = self.progress_of(topic_id, generation);
        // Without an offset, a Kafka partition that had no turn yet would look like one that was added to the topic.
        for range in &self.state.ranges {
            after.next.entry(range.partition).or_insert(range.start);
        }
        let taken = self.state.taken.iter();
        after
            .next
            .extend(taken.map(|(&partition, last)| (partition, last.next())));
        after.last.extend(&self.state.taken);
        after
    }

    /// The present progress, without the offsets of another generation.
    fn progress_of(&self, topic_id: Option<&String>, generation: u32) -> Progress {
        let mut progress = self.progress.clone();
        if generation != progress.generation {
            progress.next.clear();
            progress.last.clear();
            progress.topic_id = None;
            // The new topic has a first drain of its own, in which keys may have moved.
            progress.complete_ms = None;
        }
        progress.generation = generation.max(1);
        progress.topic_id = topic_id.cloned().or(progress.topic_id);
        progress
    }

    fn parcel(&self, mut batch: Batch, after: Progress) -> Parcel {
        // A batch from `hand_over` is in order already; the last one is not.
        batch.put_in_order();
        Parcel {
            batch,
            before: self.progress.clone(),
            notes_keys: self.state.may_have_moved && after.complete_ms.is_none(),
            after,
            cutoffs: self.purged.cutoffs.clone(),
            persons_listed: self.persons.listed(),
        }
    }

    /// Writes the batch into a rebuild's transaction, which stays open.
    fn spill(&mut self, after: Progress) -> Result<()> {
        let batch = self.batch.hand_over();
        let parcel = self.parcel(batch, after);
        if let Some(rebuild) = &mut self.rebuild {
            // The first batch has nothing to be compared with.
            if rebuild.compares() {
                self.batch.keep_histories();
            }
            self.counts.spilled += self.loader.here()?.spill(&parcel, rebuild)?;
        }
        Ok(())
    }

    /// Commits the batch with the progress `after`; this also ends a rebuild.
    fn load(&mut self, batch: Batch, after: Progress) -> Result<()> {
        let parcel = self.parcel(batch, after);
        let written = self.loader.here()?.load(&parcel, self.rebuild.as_mut())?;
        if self.table.may_refuse {
            self.batch.remember(&parcel.batch, &written.instead);
        }
        self.counts.landed += written.landed;
        self.counts.landed += std::mem::take(&mut self.counts.spilled);
        self.progress = parcel.after;
        self.rebuild = None;
        self.state.taken.clear();
        Ok(())
    }

    /// The progress after the run that read `drained`.
    fn progress_after(&self, drained: &Drained) -> Progress {
        let mut after = self.progress_of(drained.topic_id.as_ref(), drained.generation);
        let partitions = drained.partitions.iter();
        after
            .next
            .extend(partitions.map(|partition| (partition.partition, partition.next)));
        after.last.clone_from(&drained.last);
        if drained.complete {
            after.complete_ms = Some(drained.planned_ms);
        }
        after
    }

    /// Commits what is left, or only the time of the run if nothing is.
    pub(in crate::warehouse::load::table_sink) fn commit_rest(&mut self, drained: &Drained) -> Result<()> {
        // Sorts while the loader's thread still writes the batch before.
        self.batch.put_in_order();
        self.wait_for_loader()?;
        self.check_fit()?;
        if self.rebuild.is_some() && !drained.complete {
            return Problem::new(format!(
                "table `{}`: the rebuild did not read the topic to its end, and would have deleted rows whose records it \
                 had not read; nothing was changed",
                self.table.name
            ))
            .fix("run again")
            .err();
        }
        let after = self.progress_after(drained);
        let moved = after.next != self.progress.next
            || after.topic_id != self.progress.topic_id
            || (after.generation != self.progress.generation && !after.next.is_empty());
        if moved || !self.batch.is_empty() || self.rebuild.is_some() {
            let batch = std::mem::replace(&mut self.batch, Batch::new(self.table.may_refuse));
            return self.load(batch, after);
        }
        let stale = match (self.progress.complete_ms, after.complete_ms) {
            (Some(before), Some(after)) => after - before > COMPLETE_STALE_MS,
            (before, after) => before.is_none() && after.is_some(),
        };
        if stale && !after.next.is_empty() {
            let place = ProgressKey {
                table: &self.table.name,
                topic: &self.topic.name,
            };
            let link = &mut self.loader.here()?.link;
            self.counts.landed.unsure += transaction::touch_complete(link, place, &after, &self.batch)?;
            self.progress = after;
        }
        Ok(())
    }
}
