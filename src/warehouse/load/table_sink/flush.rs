//! When what was taken is written, and where the progress stands after it.

use anyhow::{Result, anyhow};

use super::TableSink;
use super::loader::Parcel;
use crate::problem::Problem;
use crate::record::{Drained, Progress};
use crate::warehouse::load::batch::Batch;
use crate::warehouse::load::progress::ProgressKey;
use crate::warehouse::load::transaction;

/// The time of the last complete run is only written when nothing else is if it is older than this.
const COMPLETE_STALE_MS: i64 = 60_000;
/// A turn's records are written when they take this part of the memory; fewer go with the next turn's.
const TURN_PART: usize = 24;

impl TableSink {
    /// The next turn begins: no later record belongs to what was taken so far, which is written while the next are taken.
    pub(in crate::warehouse::load::table_sink) fn end_turn(&mut self) -> Result<()> {
        if self.batch.bytes() < self.budget_bytes / TURN_PART || self.rebuild.is_some() {
            return Ok(());
        }
        if self.check_fit().is_err() {
            // Keys of later Kafka partitions may fit.
            return Ok(());
        }
        let batch = self.batch.hand_over();
        self.rejoin()?;
        let after = self.halfway();
        self.reading.taken.clear();
        let parcel = self.parcel(batch, after);
        self.loader.send(parcel)
    }

    /// What is written beside takes memory too, until it is written.
    pub(in crate::warehouse::load::table_sink) fn make_room(&mut self) -> Result<()> {
        if self.batch.bytes() + self.loader.bytes_away() > self.budget_bytes {
            self.rejoin()?;
        }
        if self.batch.bytes() > self.budget_bytes {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Waits for what is written beside. From then on it counts, or its error does.
    pub(in crate::warehouse::load::table_sink) fn rejoin(&mut self) -> Result<()> {
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

    /// The configuration's faults that only the records could tell.
    fn check_fit(&self) -> Result<()> {
        match &self.reader.key_misfit {
            Some(reason) if !self.reader.key_fitted => {
                Problem::usage(reason).about_topic(&self.topic.name).err()
            }
            _ => Ok(()),
        }
    }

    /// Writes what was taken so far; the progress stands after the last record of each Kafka partition.
    fn flush(&mut self) -> Result<()> {
        self.check_fit()?;
        let after = self.halfway();
        if self.rebuild.is_some() {
            self.spill(after)
        } else {
            let batch = self.batch.hand_over();
            self.load(batch, after)
        }
    }

    /// Where the table is to stand after what was taken so far.
    fn halfway(&self) -> Progress {
        let (topic_id, generation) = match &self.reading.identity {
            Some((topic_id, generation)) => (topic_id.as_ref(), *generation),
            None => (None, self.progress.generation),
        };
        let mut after = self.progress_of(topic_id, generation);
        // A Kafka partition that had no turn yet would look like one that the topic gained since.
        for (&partition, &start) in &self.reading.starts {
            after.next.entry(partition).or_insert(start);
        }
        after.next.extend(&self.reading.taken);
        after
    }

    /// The progress as it is, but for offsets of another generation.
    fn progress_of(&self, topic_id: Option<&String>, generation: u32) -> Progress {
        let mut progress = self.progress.clone();
        if generation != progress.generation {
            progress.next.clear();
            progress.topic_id = None;
            // Keys of the new topic may have moved as well.
            progress.complete_ms = None;
        }
        progress.generation = generation.max(1);
        progress.topic_id = topic_id.cloned().or(progress.topic_id);
        progress
    }

    fn parcel(&self, mut batch: Batch, after: Progress) -> Parcel {
        // Whichever way it came here.
        batch.put_in_order();
        Parcel {
            batch,
            before: self.progress.clone(),
            notes_keys: self.reading.may_have_moved && after.complete_ms.is_none(),
            after,
            cutoffs: self.erased.cutoffs.clone(),
            persons_listed: self.persons.listed(),
        }
    }

    /// A rebuild's transaction goes on.
    fn spill(&mut self, after: Progress) -> Result<()> {
        let batch = self.batch.hand_over();
        let parcel = self.parcel(batch, after);
        if let Some(rebuild) = &mut self.rebuild {
            // Nothing came before the first batch.
            if rebuild.compares() {
                self.batch.keep_histories();
            }
            self.counts.spilled += self.loader.here()?.spill(&parcel, rebuild)?;
        }
        Ok(())
    }

    /// Runs the transaction that leads to `after`, and ends a rebuild's.
    fn load(&mut self, batch: Batch, after: Progress) -> Result<()> {
        let parcel = self.parcel(batch, after);
        self.counts.landed += self.loader.here()?.load(&parcel, self.rebuild.as_mut())?;
        self.counts.landed += std::mem::take(&mut self.counts.spilled);
        self.progress = parcel.after;
        self.rebuild = None;
        self.reading.taken.clear();
        Ok(())
    }

    /// Where the table is to stand after `drained`.
    fn target(&self, drained: &Drained) -> Progress {
        let mut after = self.progress_of(drained.topic_id.as_ref(), drained.generation);
        let partitions = drained.partitions.iter();
        after
            .next
            .extend(partitions.map(|partition| (partition.partition, partition.next)));
        if drained.complete {
            after.complete_ms = Some(drained.planned_ms);
        }
        after
    }

    pub(in crate::warehouse::load::table_sink) fn settle(&mut self, drained: &Drained) -> Result<()> {
        // While what was read before is written.
        self.batch.put_in_order();
        self.rejoin()?;
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
            transaction::touch_complete(&mut self.loader.here()?.link, place, &after)?;
            self.progress = after;
        }
        Ok(())
    }
}
