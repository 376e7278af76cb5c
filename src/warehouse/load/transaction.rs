//! The transaction of a load: rows, rejects and progress are committed together or not at all.
//!
//! `value/convert.rs` refuses values that don't fit their columns before folding. Only the server can refuse others (by a
//! CHECK, a foreign key, a trigger), and it does so after folding: then `apply_changes.rs` tries the changes of that key one by
//! one. Either way an earlier, acceptable update counts.

use anyhow::{Context, Result, bail};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::batch::{Batch, Instead};
use super::cutoffs::{self, Cutoffs};
use super::progress::{self, ProgressKey};
use super::read_record::{Rereader, RowReader};
use super::rebuild::{Compared, TableRebuild, unchanged};
use super::rejects::{self, Reject, RejectOrigin};
use super::{apply_changes, erased_list, first_drain};
use crate::problem::Problem;
use crate::record::Progress;
use crate::stop::Stop;
use crate::warehouse::server::error_class::{Fault, fault_of};
use crate::warehouse::server::locked_session::{Link, PATIENCE};
use crate::warehouse::server::statement::{LOOK_UP, roll_back};
use crate::warehouse::table::target::TargetTable;

/// ER_AUTOINC_READ_FAILED
const NO_NUMBER_LEFT: u16 = 1467;

/// What a transaction is to write.
pub(super) struct Work<'a> {
    pub table: &'a TargetTable,
    pub topic: &'a str,
    pub batch: &'a Batch,
    pub before: &'a Progress,
    pub after: &'a Progress,
    /// The cutoffs that the batch was folded with.
    pub cutoffs: &'a Cutoffs,
    /// How many entries the list of erased persons had when it was read.
    pub(super) persons_listed: usize,
    /// Whether to note the batch's keys for the next run: the first drain continues, and keys may have moved.
    pub(super) notes_keys: bool,
    pub patience: Duration,
}

/// What was committed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Landed {
    pub upserted: u64,
    pub deleted: u64,
    pub rejected: u64,
    /// How many of the rejected a foreign key has refused.
    pub by_foreign_key: u64,
    pub below_retention: u64,
    /// Keys of a first drain, now complete, that were in several Kafka partitions and were not all remembered: their rows may be
    /// an older record's.
    pub unsure: u64,
}

/// What one transaction has committed, or is about to.
#[derive(Debug, Default, Clone)]
pub(super) struct Written {
    pub landed: Landed,
    pub(super) instead: Instead,
}

impl std::ops::AddAssign for Landed {
    fn add_assign(&mut self, other: Landed) {
        self.upserted += other.upserted;
        self.deleted += other.deleted;
        self.rejected += other.rejected;
        self.by_foreign_key += other.by_foreign_key;
        self.below_retention += other.below_retention;
        self.unsure += other.unsure;
    }
}

/// Why an attempt failed.
enum AttemptFailure {
    Server(mysql::Error),
    /// The answer to COMMIT never came. If it was done, this was committed.
    Unanswered(mysql::Error, Box<Written>),
    /// Someone else has moved the progress, to this.
    ProgressMoved(Progress),
    /// A purge or an erasure ran while the lock was lost.
    Purged,
}

impl From<mysql::Error> for AttemptFailure {
    fn from(error: mysql::Error) -> Self {
        AttemptFailure::Server(error)
    }
}

impl<'a> Work<'a> {
    pub fn place(&self) -> ProgressKey<'a> {
        ProgressKey {
            table: &self.table.name,
            topic: self.topic,
        }
    }

    fn origin(&self) -> RejectOrigin<'a> {
        RejectOrigin {
            table: &self.table.name,
            topic: self.topic,
            generation: self.after.generation,
        }
    }

    /// Runs the transaction, and repeats it after faults that pass.
    ///
    /// # Errors
    /// Nothing was committed. Or this is unknown, because the answer to COMMIT never came and the server did not come back;
    /// the next run finds out from the progress.
    pub fn run(
        &self,
        link: &mut Link,
        reader: &mut RowReader,
        mut rebuild: Option<&mut TableRebuild>,
    ) -> Result<Written> {
        let mut deadline = Instant::now() + self.patience;
        let mut pause = Duration::from_millis(20);
        let mut unanswered = None;
        // Whether the lock was lost: then a person in this batch may have been erased since.
        let mut was_away = false;
        loop {
            let error = match self.attempt(
                link,
                reader,
                rebuild.as_deref_mut(),
                unanswered.as_deref(),
                was_away,
            ) {
                Ok(written) => return Ok(written),
                Err(AttemptFailure::ProgressMoved(found)) => return Err(self.progress_moved(&found)),
                Err(AttemptFailure::Purged) => return Err(self.purged()),
                Err(AttemptFailure::Unanswered(error, written))
                    if rebuild.as_ref().is_some_and(|rebuild| rebuild.is_spilled()) =>
                {
                    return self.look_up(link, error, *written);
                }
                Err(AttemptFailure::Unanswered(error, written)) => {
                    // However long the wait for that answer was, the outcome must still be looked up.
                    if unanswered.is_none() {
                        deadline = deadline.max(Instant::now() + self.patience.min(LOOK_UP));
                    }
                    unanswered = Some(written);
                    error
                }
                Err(AttemptFailure::Server(error)) => error,
            };
            let fault = match rebuild.as_ref().is_some_and(|rebuild| rebuild.is_spilled()) {
                // Earlier batches exist only in this transaction, so it can't be repeated.
                true => Fault::Fatal,
                false => fault_of(&error),
            };
            if matches!(fault, Fault::Busy | Fault::Lost) && Instant::now() < deadline {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_secs(2));
            } else {
                return Err(self.give_up(link, error, fault, unanswered.is_some()));
            }
            if !roll_back(&mut link.conn, fault) {
                link.reconnect(deadline)
                    .map_err(|error| self.outcome(unanswered.is_some()).caused_by(error))?;
                was_away = true;
            }
        }
    }

    fn give_up(&self, link: &mut Link, error: mysql::Error, fault: Fault, unanswered: bool) -> anyhow::Error {
        if !roll_back(&mut link.conn, fault_of(&error)) {
            link.abandon();
        }
        let tried = match fault {
            Fault::Busy | Fault::Lost => format!(", tried for {} s", self.patience.as_secs()),
            Fault::Data | Fault::Fatal => String::new(),
        };
        let mut told = self.outcome(unanswered);
        told.what.push_str(&tried);
        told.fix = link.remedy(&error).or(told.fix);
        if let mysql::Error::MySqlError(server) = &error
            && server.code == NO_NUMBER_LEFT
            && let Some(used_up) = self.table.numbers_used_up_in_words()
        {
            told.what = format!("{}: {}", told.what, used_up.what);
            told.fix = used_up.fix;
        }
        told.caused_by(error)
    }

    /// Looks up whether a transaction was committed that can't be repeated, because its earlier batches are no longer in memory.
    fn look_up(&self, link: &mut Link, error: mysql::Error, written: Written) -> Result<Written> {
        let looked = link
            .reconnect(Instant::now() + LOOK_UP)
            .and_then(|()| Ok(progress::read(&mut link.conn, self.place(), false)?));
        let found = looked.map_err(|error| self.outcome(true).caused_by(error))?;
        if is_same(&found, self.after) {
            Ok(written)
        } else if is_same(&found, self.before) {
            Err(self.outcome(false).caused_by(error))
        } else {
            Err(self.progress_moved(&found))
        }
    }

    fn outcome(&self, unanswered: bool) -> Problem {
        let table = &self.table.name;
        if unanswered {
            Problem::new(format!(
                "loading table `{table}`: the answer to COMMIT never came: whether it was done is unknown, and \
                 the next run finds out"
            ))
            .fix("run again")
        } else {
            Problem::new(format!(
                "loading table `{table}`: nothing of this transaction was committed"
            ))
        }
    }

    fn progress_moved(&self, found: &Progress) -> anyhow::Error {
        Problem::new(format!(
            "someone else moved the progress of table `{}`: Kafka partition -> offset was {:?}, is {:?}; \
             nothing was committed",
            self.table.name, self.before.next, found.next
        ))
        .fix("run again")
        .into()
    }

    fn purged(&self) -> anyhow::Error {
        Problem::new(format!(
            "a purge of table `{}` came in between; nothing of this transaction was committed",
            self.table.name
        ))
        .fix("run again")
        .into()
    }

    fn attempt(
        &self,
        link: &mut Link,
        reader: &mut RowReader,
        mut rebuild: Option<&mut TableRebuild>,
        unanswered: Option<&Written>,
        was_away: bool,
    ) -> Result<Written, AttemptFailure> {
        if !rebuild.as_ref().is_some_and(|rebuild| rebuild.is_spilled())
            && let Some(written) = self.begin(link, rebuild.as_deref_mut(), unanswered)?
        {
            return Ok(written);
        }
        if was_away && erased_list::count(&mut link.conn)? != self.persons_listed {
            link.conn.query_drop("ROLLBACK")?;
            return Err(AttemptFailure::Purged);
        }
        let mut written = self.change(link, reader, rebuild.as_deref_mut())?;
        if let Some(rebuild) = rebuild {
            written.landed.deleted += rebuild.delete_absent(&mut link.conn, self.table)?;
        }
        written.landed.unsure = self.note_keys(link, &written.instead)?;
        progress::write(&mut link.conn, self.place(), self.before, self.after)?;
        match link.conn.query_drop("COMMIT") {
            Ok(()) => Ok(written),
            Err(error) if fault_of(&error) == Fault::Lost => {
                Err(AttemptFailure::Unanswered(error, Box::new(written)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Updates the keys that the first drain remembers until it is complete. Returns how many of them may have an older record's
    /// row, once it is.
    fn note_keys(&self, link: &mut Link, instead: &Instead) -> mysql::Result<u64> {
        let (conn, place) = (&mut link.conn, self.place());
        let begins = self.before.next.is_empty() || self.before.generation != self.after.generation;
        let ends = self.after.complete_ms.is_some();
        let mut unsure = 0;
        if self.before.complete_ms.is_none() && (begins || ends) {
            if !begins {
                unsure = first_drain::count_unsure(conn, place, self.batch, instead)?;
            }
            first_drain::forget(conn, place)?;
        }
        if self.notes_keys {
            first_drain::note(conn, place, self.table, self.batch, instead)?;
        }
        Ok(unsure)
    }

    /// Opens the transaction and locks the progress. If an earlier, unanswered COMMIT was done after all, returns what it
    /// committed.
    fn begin(
        &self,
        link: &mut Link,
        rebuild: Option<&mut TableRebuild>,
        unanswered: Option<&Written>,
    ) -> Result<Option<Written>, AttemptFailure> {
        let new = self
            .after
            .next
            .keys()
            .copied()
            .filter(|partition| !self.before.next.contains_key(partition));
        progress::prepare(&mut link.conn, self.place(), new)?;
        if let Some(rebuild) = &rebuild {
            rebuild.prepare(&mut link.conn, self.table)?;
        }
        link.conn.query_drop("START TRANSACTION")?;
        let found = progress::read(&mut link.conn, self.place(), true)?;
        if is_same(&found, self.before) {
            if cutoffs::read(&mut link.conn, &self.table.name)? == *self.cutoffs {
                if let Some(rebuild) = &rebuild {
                    // What is still refused comes again with its record.
                    rejects::forget(&mut link.conn, self.origin(), rebuild.read_again())?;
                }
                return Ok(None);
            }
            link.conn.query_drop("ROLLBACK")?;
            return Err(AttemptFailure::Purged);
        }
        link.conn.query_drop("ROLLBACK")?;
        match unanswered {
            Some(written) if is_same(&found, self.after) => Ok(Some(written.clone())),
            _ => Err(AttemptFailure::ProgressMoved(found)),
        }
    }

    /// Writes the batch's rows and rejects in the open transaction.
    fn change(
        &self,
        link: &mut Link,
        reader: &mut RowReader,
        mut rebuild: Option<&mut TableRebuild>,
    ) -> Result<Written, AttemptFailure> {
        let mut rows = Rereader {
            reader,
            table: self.table,
        };
        let compared = match &mut rebuild {
            Some(rebuild) => rebuild.remember(&mut link.conn, &mut rows, self.batch)?,
            None => Compared::default(),
        };
        let mut left_out = compared.superseded.clone();
        if rebuild.is_some() {
            let (conn, server) = (&mut link.conn, &link.server);
            left_out.extend(unchanged::find(conn, server, &mut rows, self.batch, &left_out)?);
        }
        let mut written = self.apply(link, &mut rows, self.batch, &left_out)?;
        written.landed.upserted += (left_out.len() - compared.superseded.len()) as u64;
        let mut again = Written::default();
        if let Some(refolded) = &compared.again {
            again = self.apply(link, &mut rows, refolded, &BTreeSet::new())?;
            written.landed += again.landed;
        }
        if let Some(rebuild) = rebuild {
            rebuild.settle_rows(self.batch, &written.instead);
            if let Some(refolded) = &compared.again {
                rebuild.settle_rows(refolded, &again.instead);
            }
            let refused = [&written.instead, &again.instead];
            rebuild.settle(&mut link.conn, &mut rows, self.batch, &compared, refused)?;
        }
        Ok(written)
    }

    fn apply(
        &self,
        link: &mut Link,
        rows: &mut Rereader<'_>,
        batch: &Batch,
        superseded: &BTreeSet<&[u8]>,
    ) -> mysql::Result<Written> {
        let applied = apply_changes::apply(&mut link.conn, &link.server, rows, batch, superseded)?;
        let refused: Vec<Reject> = applied
            .refused
            .iter()
            .map(|(pending, error)| Reject::of_refused(pending, error))
            .collect();
        rejects::write(
            &mut link.conn,
            self.origin(),
            batch.rejects.iter().chain(&refused),
        )?;
        let instead = applied.instead.into_iter();
        Ok(Written {
            landed: Landed {
                upserted: applied.upserted,
                deleted: applied.deleted,
                below_retention: applied.below_retention,
                rejected: (batch.rejects.len() + refused.len()) as u64,
                by_foreign_key: refused.iter().filter(|reject| reject.is_by_foreign_key()).count() as u64,
                unsure: 0,
            },
            instead: instead
                .map(|(key, change)| (batch.hash(key), change.map(|change| batch.home(change))))
                .collect(),
        })
    }

    /// Writes a rebuild's batch and leaves the transaction open: the next batch needs the memory.
    pub fn spill(
        &self,
        link: &mut Link,
        reader: &mut RowReader,
        rebuild: &mut TableRebuild,
    ) -> Result<Landed> {
        let result = if rebuild.is_spilled() {
            Ok(None)
        } else {
            self.begin(link, Some(rebuild), None)
        };
        match result.and_then(|_| self.change(link, reader, Some(rebuild))) {
            Ok(written) => {
                rebuild.set_spilled();
                Ok(written.landed)
            }
            Err(AttemptFailure::ProgressMoved(found)) => Err(self.progress_moved(&found)),
            Err(AttemptFailure::Purged) => Err(self.purged()),
            Err(AttemptFailure::Server(error) | AttemptFailure::Unanswered(error, _)) => {
                Err(self.give_up(link, error, Fault::Fatal, false))
            }
        }
    }
}

fn is_same(a: &Progress, b: &Progress) -> bool {
    a.next == b.next && a.generation == b.generation
}

/// Updates only the time of the last complete run; no row of data depends on it. Returns how many keys of a first drain may have
/// an older record's row.
pub(super) fn touch_complete(
    link: &mut Link,
    place: ProgressKey<'_>,
    after: &Progress,
    batch: &Batch,
) -> Result<u64> {
    let Some(complete_ms) = after.complete_ms else {
        bail!("no time of completion to write");
    };
    // Without the time, the next run would need what the first drain remembers.
    let mut change = |conn: &mut Conn| {
        let unsure = first_drain::count_unsure(conn, place, batch, &Instead::new())?;
        first_drain::forget(conn, place)?;
        progress::complete(conn, place, complete_ms)?;
        Ok(unsure)
    };
    link.change(PATIENCE, &Stop::default(), &mut change)
        .context("recording that the topic was read to its end")
}
