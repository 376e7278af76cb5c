//! Table topics as rows of MySQL tables: upserts, deletes, rejects and progress in one transaction.

mod admin;
mod govern;
mod load;
mod server;
mod status;
mod table;
mod value;

use anyhow::{Context, Result};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::time::Duration;

use crate::config::{Database, Topic};
use crate::locked::Locked;
use crate::problem::{About, Problem};
use crate::record::Progress;
use crate::target::Target;
use govern::cutoffs::RowCutoffs;
use load::progress::ProgressKey;
use load::read_record::RowReader;
use server::connect::Server;
use server::locked_session::Link;
use table::target::TargetTable;

pub use admin::dry_load::{Finding, Trial, Tried};
pub use admin::init_db::{InitDbMode, InitDbOutcome, init_db};
pub use admin::rights::{Rights, ServerFacts};
pub use govern::erase::{ErasureEnded, TableHits};
pub use govern::purge::{PurgeEnded, RowsPurged};
pub use govern::retention::TablePlan;
use govern::{cutoffs, erased_list};
pub use load::rejects::RejectReason;
pub use load::table_sink::TableSink;
use load::{first_drain, progress, rejects};
use server::connect;
pub(crate) use server::identifier::quote;
pub use server::session::Session;
pub use status::{RowCount, TableStanding, standing};
use table::{mapping, target};

/// A database that was reached and logged in to.
#[derive(Debug, Clone)]
pub struct Warehouse {
    database: Database,
    server: Server,
}

impl Warehouse {
    /// # Errors
    /// A server that can't be reached, refuses the login or is too old; a missing database is exit code 2.
    pub fn connect(database: &Database) -> Result<Warehouse> {
        let server = connect::probe(database)?;
        Ok(Warehouse {
            database: database.clone(),
            server,
        })
    }

    /// Checks the topic's table and takes its lock, waiting up to `wait` for another run.
    ///
    /// # Errors
    /// A table that is missing or does not fit the topic: exit code 2.
    pub fn open(&self, topic: &Topic, wait: Duration) -> Result<Locked<TableSink>> {
        let (conn, table, reader) = self.fit(topic).about_topic(&topic.name)?;
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
        let erased = RowCutoffs::new(cutoffs, &table).about_topic(&topic.name)?;
        let persons = erased_list::filter(&mut link.conn, topic, &reader)?;
        let topic = topic.clone();
        Ok(Locked::Ours(TableSink::new(
            topic, table, link, reader, erased, persons, progress,
        )))
    }

    /// How far the topic's table is, with the same checks as [`Warehouse::open`] but without lock or write.
    ///
    /// # Errors
    /// As [`Warehouse::open`].
    pub fn read_progress(&self, topic: &Topic) -> Result<Progress> {
        let (mut conn, table, _) = self.fit(topic).about_topic(&topic.name)?;
        let place = ProgressKey {
            table: &table.name,
            topic: &topic.name,
        };
        progress::read(&mut conn, place, false).context("reading the progress")
    }

    fn fit(&self, topic: &Topic) -> Result<(Conn, TargetTable, RowReader)> {
        let mut conn = connect::open(&self.database, connect::READ_TIMEOUT)?;
        check_own_tables(&mut conn, &self.database)?;
        let table = target::read(&mut conn, &self.server, &topic.table)?;
        let (names, plan) = mapping::plan(topic, &table)?;
        Ok((conn, table, RowReader::new(topic.key.clone(), names, plan)))
    }
}

impl Target for Warehouse {
    type Sink<'t> = TableSink;

    /// An open topic is a session, and MySQL allows 151 of them, for everybody together.
    const OPEN_MAX: usize = 32;

    fn open<'t>(&'t self, topic: &'t Topic, _run_id: &str, wait: Duration) -> Result<Locked<TableSink>> {
        Warehouse::open(self, topic, wait)
    }

    fn progress(&self, topic: &Topic) -> Result<Progress> {
        self.read_progress(topic)
    }
}

fn held(table: &str) -> String {
    format!("another run loads or purges table `{table}` (MySQL's GET_LOCK)")
}

fn check_own_tables(conn: &mut Conn, database: &Database) -> Result<()> {
    for table in [
        progress::TABLE,
        rejects::TABLE,
        cutoffs::TABLE,
        first_drain::TABLE,
    ] {
        let engine: Option<String> = conn
            .exec_first(
                "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
                (table,),
            )
            .context("looking for our own tables")?;
        match engine.as_deref() {
            Some("InnoDB") => {}
            Some(engine) => {
                return Problem::usage(format!("table `{table}` has engine {engine}"))
                    .fix(format!("run: ALTER TABLE `{table}` ENGINE = InnoDB"))
                    .err();
            }
            None => {
                return Problem::usage(format!("database `{}` has no table `{table}` yet", database.name))
                    .fix("run: lakectl init-db")
                    .err();
            }
        }
    }
    Ok(())
}
