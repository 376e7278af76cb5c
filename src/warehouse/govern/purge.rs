//! Deletes a plan's rows in many short transactions along an index; it can stop and resume between any two.

use anyhow::{Context, Result};
use chrono::NaiveDateTime;
use mysql::prelude::Queryable;
use std::fmt;
use std::time::{Duration, Instant};

use super::retention::{self, Aged, Doomed, TablePlan};
use crate::config::Database;
use crate::exit::usage;
use crate::locked::Locked;
use crate::problem::Problem;
use crate::stop::Stop;
use crate::warehouse::connected::Warehouse;
use crate::warehouse::load::own_tables::check_own_tables;
use crate::warehouse::load::{cutoffs, rejects};
use crate::warehouse::server::connect;
use crate::warehouse::server::error_class::{Fault, fault_of, is_foreign_key, lock_advice};
use crate::warehouse::server::identifier::quote;
use crate::warehouse::server::locked_session::{Link, PATIENCE, held};
use crate::warehouse::server::statement::{Trouble, rows_of};
use crate::warehouse::table::dependents::{DependentRows, taken_along};
use crate::warehouse::table::triggers::refused_by_trigger;

/// How long one transaction should take: readers and replicas hardly notice it, and a stop takes effect soon.
const CHUNK_SECONDS: f64 = 0.5;
/// Rows in the first transaction, and the limits for later ones.
const CHUNK_START: u64 = 500;
const CHUNK_MIN: u64 = 50;
const CHUNK_MAX: u64 = 50_000;
const REJECTS_AT_ONCE: u64 = 5_000;
/// A table with more rows than this needs the index, because without it each transaction reads the whole table.
const ROWS_WITHOUT_INDEX_MAX: u64 = 100_000;

/// MySQL from 9.6 on deletes with IGNORE what refers to a row by CASCADE, although it keeps the row itself.
pub(super) fn no_row_can_be_skipped() -> Problem {
    Problem::new(
        "the server refuses to delete a row, and none can be skipped: other foreign keys of the table CASCADE or SET NULL, and \
         would reach other tables for a row that stays",
    )
    .fix("remove what refers to it, and run again")
}

/// What a purge of one table has done before it ended early.
#[derive(Debug)]
pub struct PurgeEnded {
    pub purged: RowsPurged,
    /// Rows for which it is unknown whether they are deleted.
    pub unknown: u64,
    table: String,
    skips_referenced: bool,
}

impl fmt::Display for PurgeEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RowsPurged { deleted, left, .. } = &self.purged;
        write!(
            f,
            "purging table `{}`: {deleted} rows are deleted, {left} are left",
            self.table
        )?;
        if self.unknown > 0 {
            write!(
                f,
                ", and of {} of these it is unknown whether they are",
                self.unknown
            )?;
        }
        f.write_str(if self.skips_referenced {
            "; the server refuses to delete those"
        } else {
            "; run again to go on"
        })
    }
}

impl std::error::Error for PurgeEnded {}

/// The result of purging one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowsPurged {
    pub deleted: u64,
    /// Planned rows that are not deleted yet, because the purge was stopped or ran out of time.
    pub left: u64,
    /// Rejected records that were as old.
    pub rejects: u64,
    /// Rows of other tables that went, or lost their reference, with the deleted ones.
    pub dependents: Vec<DependentRows>,
}

impl Warehouse {
    /// Records the cutoff, which all later loads honour, and deletes the planned rows. `deadline` and `stop` end it between
    /// two transactions; the next run continues. It calls `progress` with the number of rows deleted so far.
    ///
    /// # Errors
    /// If more rows are before the cutoff than were planned, or the table no longer fits, nothing is deleted. After later errors
    /// the rows deleted so far, see the error's [`PurgeEnded`], stay deleted; the next run continues.
    pub fn purge_rows(
        &self,
        plan: &TablePlan,
        wait: Duration,
        deadline: Option<Instant>,
        stop: &Stop,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Locked<RowsPurged>> {
        let mut deletion = match self.prepare(plan, wait, stop) {
            Ok(Locked::Ours(deletion)) => deletion,
            Ok(Locked::HeldBy(holder)) => return Ok(Locked::HeldBy(holder)),
            Err(error) => return Err(error.context(format!("purging table `{}`", plan.table))),
        };
        let ended = deletion.run(deadline, stop, progress);
        ended.with_context(|| PurgeEnded {
            purged: deletion.purged(),
            unknown: deletion.unknown,
            table: plan.table.clone(),
            skips_referenced: deletion.skips_referenced,
        })?;
        let purged = deletion.purged();
        deletion.link.release();
        Ok(Locked::Ours(purged))
    }

    /// Takes the lock, compares the plan with the table, and records the cutoff.
    fn prepare(&self, plan: &TablePlan, wait: Duration, stop: &Stop) -> Result<Locked<Deletion>> {
        let cutoff = NaiveDateTime::parse_from_str(&plan.cutoff, retention::CUTOFF_FORMAT)
            .map_err(|e| usage(format!("the plan's cutoff `{}`: {e}", plan.cutoff.escape_debug())))?;
        retention::check_past(cutoff)?;
        let mut conn = connect::open(&self.database, connect::READ_TIMEOUT)?;
        check_own_tables(&mut conn, &self.database)?;
        let aged = Aged::inspect(&mut conn, &self.server, &plan.table, &plan.column)?;
        let cutoff = retention::cutoff_value(cutoff)?;
        // Where there are no such rows, later ones were not purged.
        let plausible = Doomed::plausible(cutoff.clone());
        let with_implausible = plan.with_implausible && plan.rows_implausible > 0;
        let doomed = if with_implausible {
            Doomed::all(cutoff)
        } else {
            plausible.clone()
        };
        let mut link = Link::new(&self.database, &self.server, conn, &aged.table);
        if !link.lock(wait)? {
            return Ok(Locked::HeldBy(held(&aged.table)));
        }
        let mut deletion = Deletion {
            database: self.database.clone(),
            statement: delete_sql(&aged, &doomed, ""),
            doomed,
            skips_referenced: false,
            skipped: 0,
            aged,
            link,
            dependents: Vec::new(),
            topic: plan.topic.clone(),
            rejects: 0,
            found: 0,
            deleted: 0,
            unknown: 0,
        };
        deletion.found = deletion.count(&deletion.doomed)?;
        // Room that one kind of rows leaves in the plan is none for the other.
        let implausible = if with_implausible {
            deletion.found.saturating_sub(deletion.count(&plausible)?)
        } else {
            0
        };
        if implausible > plan.rows_implausible || deletion.found - implausible > plan.rows {
            return Problem::new(format!(
                "{} rows are before the cutoff by now, and {} were planned: this would delete more",
                deletion.found,
                plan.doomed()
            ))
            .fix("plan again")
            .err();
        }
        deletion.check_index()?;
        deletion.dependents = deletion.count_dependents()?;
        check_planned(plan.dependents(), &deletion.dependents)?;
        let Deletion {
            link, aged, doomed, ..
        } = &mut deletion;
        // Where only rejects go, no row has to stay away.
        if plan.doomed() > 0 || plan.rejects == 0 {
            let Doomed { since, cutoff } = &*doomed;
            cutoffs::raise(link, &aged.table, &aged.column, (since, cutoff), stop)
                .context("recording the cutoff; nothing was deleted")?;
        }
        Ok(Locked::Ours(deletion))
    }
}

/// A purge under the table's lock.
struct Deletion {
    database: Database,
    aged: Aged,
    link: Link,
    doomed: Doomed,
    statement: String,
    /// Whether rows that other tables refer to are skipped.
    skips_referenced: bool,
    /// How many such rows are known to come before the others.
    skipped: u64,
    /// Rows of other tables that go with them, as counted when the lock was taken.
    dependents: Vec<DependentRows>,
    /// Rows before the cutoff when the lock was taken.
    found: u64,
    deleted: u64,
    topic: String,
    /// Rejected records that are deleted.
    rejects: u64,
    /// How many of the rows that are left may be deleted after all.
    unknown: u64,
}

impl Deletion {
    fn purged(&self) -> RowsPurged {
        let dependents = if self.dependents.is_empty() {
            Vec::new()
        } else {
            taken_along(&self.dependents, self.count_dependents().ok())
        };
        RowsPurged {
            deleted: self.deleted,
            left: self.found.saturating_sub(self.deleted),
            rejects: self.rejects,
            dependents,
        }
    }

    /// Counts in another session, which allows long statements; the lock stays with the link.
    fn count_dependents(&self) -> Result<Vec<DependentRows>> {
        let mut conn = connect::open(&self.database, retention::COUNT_TIMEOUT)?;
        self.aged.count_dependents(&mut conn, &self.doomed)
    }

    /// Counts the rows before the cutoff in another session, which allows long statements; the lock stays with the link.
    fn count(&self, doomed: &Doomed) -> Result<u64> {
        let mut conn = connect::open(&self.database, retention::COUNT_TIMEOUT)?;
        self.aged
            .count(&mut conn, doomed)
            .context("counting the rows before the cutoff")
    }

    /// Refuses a large table without the index: every transaction would read, and lock, the whole table.
    fn check_index(&mut self) -> Result<()> {
        let Some(statement) = &self.aged.missing_index else {
            return Ok(());
        };
        let most = ROWS_WITHOUT_INDEX_MAX + 1;
        let table = quote(&self.aged.table);
        let rows: Option<u64> = self.link.conn.query_first(format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM {table} LIMIT {most}) AS few"
        ))?;
        if rows.unwrap_or(0) < most || self.found == 0 {
            Ok(())
        } else {
            Problem::usage(format!(
                "no index begins with column `{}`, and the table has more than {ROWS_WITHOUT_INDEX_MAX} rows: every step \
                 would read and lock all of it",
                self.aged.column
            ))
            .fix(format!("run: {statement}"))
            .err()
        }
    }

    fn run(&mut self, deadline: Option<Instant>, stop: &Stop, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let mut chunk = CHUNK_START;
        let mut patience = PurgePatience::new();
        let mut refused = None;
        let over = || stop.signal().is_some() || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        while self.deleted < self.found && !over() {
            let limit = chunk.min(self.found - self.deleted) + self.skipped;
            let began = Instant::now();
            match self.delete(limit, patience.until) {
                Ok(deleted) => {
                    self.deleted += deleted;
                    if deleted < limit && !self.should_go_on(limit, deleted)? {
                        break;
                    }
                    chunk = adapted(chunk, began.elapsed());
                    patience = PurgePatience::new();
                }
                Err(Trouble::NotDone(error)) if is_of_trigger(&error) => {
                    let by = refused_by_trigger(&mut self.link.conn, &self.aged.table);
                    return Err(by.caused_by(error));
                }
                Err(Trouble::NotDone(error)) if fault_of(&error) == Fault::Data && !self.skips_referenced => {
                    if !self.dependents.is_empty() {
                        return Err(no_row_can_be_skipped().caused_by(error));
                    }
                    // A row that another table refers to must not stop the deletion of others.
                    self.statement = delete_sql(&self.aged, &self.doomed, "IGNORE ");
                    self.skips_referenced = true;
                    refused = Some(error);
                }
                Err(Trouble::NotDone(error)) => {
                    self.recover(error, &mut patience)?;
                    chunk = (chunk / 2).max(CHUNK_MIN);
                }
                Err(Trouble::Unknown(unknown)) => {
                    self.unknown = unknown.rows;
                    return Err(unknown.into());
                }
            }
            progress(self.deleted);
        }
        match refused {
            Some(error) if self.deleted < self.found && !over() => Err(error.into()),
            _ if over() => Ok(()),
            _ => self.delete_rejects(stop),
        }
    }

    fn delete_rejects(&mut self, stop: &Stop) -> Result<()> {
        let sql = format!(
            "DELETE FROM {} WHERE {} LIMIT {REJECTS_AT_ONCE}",
            rejects::TABLE,
            rejects::OLDER
        );
        let place = [
            self.aged.table.as_str().into(),
            self.topic.as_str().into(),
            self.doomed.cutoff.clone(),
        ];
        loop {
            let deleted = self.link.change(PATIENCE, stop, &mut rows_of(&sql, &place))?;
            self.rejects += deleted;
            if deleted < REJECTS_AT_ONCE {
                return Ok(());
            }
        }
    }

    /// Deletes up to `limit` rows in one transaction.
    fn delete(&mut self, limit: u64, until: Instant) -> Result<u64, Trouble> {
        let mut values = self.doomed.values();
        values.push(limit.into());
        self.link
            .change_once(until, &mut rows_of(&self.statement, &values))
    }

    /// Whether to go on after fewer rows than `limit` were deleted: others have deleted the rest, or the server refuses to.
    fn should_go_on(&mut self, limit: u64, deleted: u64) -> Result<bool> {
        let left = if self.skips_referenced {
            self.count(&self.doomed)?
        } else {
            0
        };
        self.found = self.deleted + left;
        // MySQL counts rows that it skips towards the limit, MariaDB does not.
        self.skipped = left.min(limit - deleted);
        Ok(left > 0 && (deleted > 0 || limit < left))
    }

    /// Waits after an error that passes, and takes a new session if the old one was lost.
    fn recover(&mut self, error: mysql::Error, patience: &mut PurgePatience) -> Result<()> {
        match fault_of(&error) {
            Fault::Busy if patience.wait() => Ok(()),
            Fault::Lost if patience.wait() => self.link.reconnect(patience.until),
            _ => {
                let told = Problem::new("this step was not done").fix_if_known(lock_advice(&error));
                Err(told.caused_by(error))
            }
        }
    }
}

/// Foreign keys aside, nothing else refuses a deletion.
fn is_of_trigger(error: &mysql::Error) -> bool {
    match error {
        mysql::Error::MySqlError(server) => fault_of(error) == Fault::Data && !is_foreign_key(server.code),
        _ => false,
    }
}

/// # Errors
/// More rows of other tables would go, or lose their reference, than were planned.
fn check_planned(planned: &[DependentRows], found: &[DependentRows]) -> Result<()> {
    for now in found {
        let then = planned
            .iter()
            .find(|then| (&then.table, &then.foreign_key) == (&now.table, &now.foreign_key));
        let then = then.and_then(|then| then.rows).unwrap_or(0);
        if now.rows.is_none_or(|rows| rows > then) {
            return Problem::new(format!(
                "{now} by now, and {then} were planned: this would take more along"
            ))
            .fix("plan again")
            .err();
        }
    }
    Ok(())
}

/// How long one transaction is retried.
struct PurgePatience {
    until: Instant,
    pause: Duration,
}

impl PurgePatience {
    fn new() -> PurgePatience {
        PurgePatience {
            until: Instant::now() + PATIENCE,
            pause: Duration::from_millis(20),
        }
    }

    /// Waits a little; false if the time is up.
    fn wait(&mut self) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(Duration::from_secs(2));
        true
    }
}

/// The DELETE of one transaction. Its order is the index's own, and makes replicas delete the same rows.
fn delete_sql(aged: &Aged, doomed: &Doomed, ignore: &str) -> String {
    let order: Vec<String> = aged.order.iter().map(|name| quote(name)).collect();
    format!(
        "DELETE {ignore}FROM {} WHERE {} ORDER BY {} LIMIT ?",
        quote(&aged.table),
        doomed.condition(&aged.column),
        order.join(", ")
    )
}

/// The number of rows for the next transaction, after `chunk` rows took `took`: at most twice and at least half as many.
fn adapted(chunk: u64, took: Duration) -> u64 {
    let factor = (CHUNK_SECONDS / took.as_secs_f64().max(0.001)).clamp(0.5, 2.0);
    ((chunk as f64 * factor) as u64).clamp(CHUNK_MIN, CHUNK_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_follow_the_time_they_take() {
        let after = |ms| adapted(1_000, Duration::from_millis(ms));
        assert_eq!((after(1), after(400), after(500)), (2_000, 1_250, 1_000));
        assert_eq!((after(800), after(60_000)), (625, 500));
        assert_eq!(adapted(CHUNK_MAX, Duration::ZERO), CHUNK_MAX);
        assert_eq!(adapted(CHUNK_MIN, Duration::from_secs(60)), CHUNK_MIN);
    }
}
