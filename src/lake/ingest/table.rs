//! Takes a table topic into the lake: records are folded, and the fold becomes the next snapshot.

use anyhow::Result;

use super::{Taking, TopicSink};
use crate::config::FileFormat;
use crate::decode::{Body, Decoded};
use crate::lake::ledger::{Debt, Snapshot};
use crate::lake::table::snapshot::FirstDrain;
use crate::lake::table::spill_row::RowOrigin;
use crate::lake::table::{self, TableChange};
use crate::record::Record;
use crate::target::Rebuild;

/// How much older the ledger's time of a table's last complete drain may be than the last run that found nothing new.
const COMPLETE_LAG_MAX_MS: i64 = 600_000;

/// Bytes that stay reserved for the table's next line.
const REST_KEPT: usize = 1024 * 1024;

/// Whether one is JSON and the other Parquet. Another compression of JSON waits for new records.
fn is_other_format(one: FileFormat, other: FileFormat) -> bool {
    one != other && (one == FileFormat::Parquet || other == FileFormat::Parquet)
}

impl TopicSink<'_> {
    pub(super) fn take_table(&mut self, record: &Record<'_>, decoded: &Decoded<'_>) -> Result<()> {
        self.undecoded.take(self.topic, decoded);
        let Some(key) = record.key else {
            self.irregular += 1;
            return Ok(());
        };
        let mut is_row = false;
        // An erased record also replaces the row that the key had before, so that row is removed too.
        if self.filter.hits(decoded) {
            self.erased += 1;
        } else if decoded.body == Body::Tombstone {
            self.tombstones += 1;
        } else {
            let written = self.lines.write_rest(record, decoded, &mut self.rest);
            self.irregular += u64::from(written.irregular);
            is_row = true;
        }
        let day_ms = self.day.time_of(decoded);
        if is_row {
            let day = self.day.of_time(day_ms);
            self.day.note(decoded, day);
        }
        let origin = RowOrigin {
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            latest_ms: record.timestamp_ms,
            day_ms,
        };
        self.start_taking()?;
        if let Some(Taking::Table(fold)) = &mut self.taking {
            let key = self.lines.head().kept(key, &decoded.key, &mut self.kept_key);
            fold.add(key, origin, is_row.then_some(&self.rest[..]))?;
        }
        // The memory of a very large line is not kept.
        self.rest.clear();
        self.rest.shrink_to(REST_KEPT);
        Ok(())
    }

    /// Stages the new snapshot and returns the debt of its commit; None if the table does not change.
    fn stage_snapshot(&mut self) -> Result<Option<Debt>> {
        if self.replaces_without_records() {
            self.start_taking()?;
        }
        let Some(Taking::Table(fold)) = self.taking.take() else {
            return Ok(None);
        };
        let change = TableChange {
            topic: self.topic,
            run_id: &self.run_id,
            staging: self.staging(),
            format: self.settings.lake.format_of(self.topic),
            lake: &self.settings.lake,
            columns: self.state.columns.clone(),
            declared: self.decoder.declared_columns(),
            previous: self.state.snapshot.as_ref(),
            merge: self.rebuild != Some(Rebuild::DropAbsent),
            fallback_day: self.day.latest(),
            keeps_previous: self.topic.history && !self.state.has_purged_snapshot(),
            first_drain: self.first_drain(),
            erase: None,
        };
        let rows = fold.into_sorted(self.lines.head().clone())?;
        let staged = table::stage(self.root, change, rows, |ms| self.day.of_time(ms))?;
        let snapshot = staged.snapshot;
        self.irregular += staged.irregular;
        self.state.columns = staged.columns;
        self.report.written = snapshot.rows;
        self.report.files = 1;
        self.report.bytes = snapshot.bytes;
        self.report.days.insert(snapshot.day.clone());
        self.state.snapshot = Some(snapshot);
        Ok(Some(staged.debt))
    }

    /// Whether a new snapshot is needed though no record was read: a rebuild or another format replaces the old one, and deleted
    /// keys are forgotten once the first drain is complete.
    fn replaces_without_records(&self) -> bool {
        let is_complete = self.first_drain() != FirstDrain::GoesOn;
        let format = self.settings.lake.format_of(self.topic);
        let replaced = |snapshot: &Snapshot| {
            self.rebuild == Some(Rebuild::DropAbsent)
                || (is_complete && snapshot.tombstones > 0)
                || is_other_format(FileFormat::of(&snapshot.path), format)
        };
        self.state.snapshot.as_ref().is_some_and(replaced)
    }

    fn first_drain(&self) -> FirstDrain {
        if self.rebuild.is_some() || !self.is_first_drain {
            FirstDrain::WasComplete
        } else if self.state.complete_ms.is_some() {
            FirstDrain::IsComplete
        } else {
            FirstDrain::GoesOn
        }
    }

    pub(super) fn commit_table(&mut self) -> Result<()> {
        self.state.pending = self.stage_snapshot()?;
        if self.state.pending.is_none() && self.same_as_on_disk(COMPLETE_LAG_MAX_MS)? {
            return Ok(());
        }
        self.commit_state()
    }
}
