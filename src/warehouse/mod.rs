//! Table topics as rows of MySQL tables: upserts, deletes, rejects and progress in one transaction.

mod admin;
mod connected;
mod govern;
mod load;
mod server;
mod status;
mod table;
mod value;

use anyhow::{Context, Result};
use mysql::Conn;
use std::time::Duration;

use crate::config::Topic;
use crate::locked::Locked;
use crate::problem::About;
use crate::record::Progress;
use crate::target::Target;
use load::cutoffs::RowCutoffs;
use load::progress::ProgressKey;
use load::read_record::RowReader;
use server::locked_session::{Link, held};
use table::target::TargetTable;

pub use admin::dry_load::{Finding, Trial, Tried};
pub use admin::init_db::{InitDbMode, InitDbOutcome, init_db, init_db_within};
pub use admin::load_order::LoadOrder;
pub use admin::propose::{
    KnownColumn, KnownColumns, TableDefinition, TableDiff, apply_table, define, table_diff,
};
pub use admin::rights::{Rights, ServerFacts};
pub use connected::Warehouse;
pub use govern::erase::{ErasureEnded, TableHits};
pub use govern::purge::{PurgeEnded, RowsPurged};
pub use govern::retention::TablePlan;
use load::own_tables::check_own_tables;
pub use load::rejects::RejectReason;
pub use load::table_sink::TableSink;
use load::{cutoffs, erased_list, progress};
use server::connect;
pub(crate) use server::identifier::quote;
pub use server::replayed_session::{Execution, Session};
pub use status::{RowCount, TableStanding, standing};
pub use table::dependents::{DependentRows, OnDelete};
use table::{mapping, target};

impl Warehouse {
    /// Checks the topic's table and takes its lock, waiting up to `wait` for another run to end.
    ///
    /// # Errors
    /// A table that is missing or does not fit the topic: exit code 2.
    pub fn open(&self, topic: &Topic, wait: Duration) -> Result<Locked<TableSink>> {
        let mut conn = connect::open_if_room(&self.database, connect::READ_TIMEOUT)?;
        let (table, reader) = self.fit(&mut conn, topic).about_topic(&topic.name)?;
        let mut link = Link::new(&self.database, &self.server, conn, &table.name);
        if !link.lock(wait)? {
            return Ok(Locked::HeldBy(held(&table.name)));
        }
        let place = ProgressKey {
            table: &table.name,
            topic: &topic.name,
        };
        let progress = progress::read(&mut link.conn, place, false).context("reading the progress")?;
        let cutoffs = cutoffs::read(&mut link.conn, &table.name).context("reading what was purged")?;
        let purged = RowCutoffs::new(cutoffs, &table).about_topic(&topic.name)?;
        let persons = erased_list::filter(&mut link.conn, topic, &reader)?;
        let topic = topic.clone();
        Ok(Locked::Ours(TableSink::new(
            topic, table, link, reader, purged, persons, progress,
        )))
    }

    /// The progress of the topic's table, after the same checks as [`Warehouse::open`], but without a lock or a change.
    ///
    /// # Errors
    /// As [`Warehouse::open`].
    pub fn read_progress(&self, topic: &Topic) -> Result<Progress> {
        self.look(connect::READ_TIMEOUT, |conn| {
            let (table, _) = self.fit(conn, topic).about_topic(&topic.name)?;
            let place = ProgressKey {
                table: &table.name,
                topic: &topic.name,
            };
            progress::read(conn, place, false).context("reading the progress")
        })
    }

    /// Reads in a session of its own; `read_timeout` is how long a statement may take.
    fn look<T>(&self, read_timeout: Duration, read: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let mut conn = connect::open(&self.database, read_timeout)?;
        read(&mut conn).map_err(|error| connect::with_loss(error, &self.database))
    }

    fn fit(&self, conn: &mut Conn, topic: &Topic) -> Result<(TargetTable, RowReader)> {
        check_own_tables(conn, &self.database)?;
        let mut table = target::read(conn, &self.server, &topic.table)?;
        let (names, plan) = mapping::plan(topic, &table)?;
        plan.set_time_units(&mut table, topic, &names);
        Ok((table, RowReader::new(topic, &self.registry, names, plan)))
    }
}

impl Target for Warehouse {
    type Sink<'t> = TableSink;

    /// Each open topic is a session, and MySQL allows 151 of them by default, for all its users together.
    const OPEN_MAX: usize = 32;

    fn open<'t>(&'t self, topic: &'t Topic, _run_id: &str, wait: Duration) -> Result<Locked<TableSink>> {
        Warehouse::open(self, topic, wait).map_err(|error| connect::with_loss(error, &self.database))
    }

    fn progress(&self, topic: &Topic) -> Result<Progress> {
        self.read_progress(topic)
    }
}
