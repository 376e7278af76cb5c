//! The state of tables: progress, rows, rejects and cutoffs in one view of the database. It takes no lock and changes nothing.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDateTime, Utc};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::load::own_tables::check_own_tables;
use super::load::rejects::{self, RejectReason};
use super::load::{cutoffs, progress};
use super::server::connect::{self, Flavor, Server};
use super::server::identifier::quote;
use super::server::table_name;
use crate::config::Database;
use crate::record::Progress;

/// How long counting the rows of one table, and of all tables, may take; beyond it they are estimated.
const COUNT_MAX: Duration = Duration::from_millis(1_000);
const COUNT_ALL_MAX: Duration = Duration::from_millis(2_500);

/// A topic's table, as it is in the database now.
#[derive(Debug, Clone, Default)]
pub struct TableStanding {
    pub topic: String,
    pub table: String,
    /// Whether it is the topic's table in the configuration.
    pub configured: bool,
    /// Whether there is such a table.
    pub exists: bool,
    pub progress: Progress,
    /// When the progress was last written.
    pub committed: Option<DateTime<Utc>>,
    /// None if the table is missing or may not be read.
    pub rows: Option<RowCount>,
    pub rejects: u64,
    /// The most frequent ones first.
    pub reasons: Vec<RejectReason>,
    /// Columns, each with the time in UTC before which rows were purged.
    pub purged_before: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowCount {
    pub rows: u64,
    /// False for InnoDB's estimate, if counting would take too long.
    pub exact: bool,
}

/// The state of the tables of these topics (topic, table), and of those for which the database has progress or rejects.
///
/// # Errors
/// A server that does not answer within `patience`, a missing database, or missing tables of lakectl's own.
pub fn standing(
    database: &Database,
    configured: &[(String, String)],
    patience: Duration,
) -> Result<Vec<TableStanding>> {
    let (mut conn, server) = connect::open_briefly(database, patience)?;
    check_own_tables(&mut conn, database)?;
    let shown = || database.shown();
    limit_statements(&mut conn, &server, patience).with_context(shown)?;
    look(&mut conn, &server, configured).with_context(shown)
}

fn look(conn: &mut Conn, server: &Server, configured: &[(String, String)]) -> Result<Vec<TableStanding>> {
    let estimates = estimates(conn)?;
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")?;
    let mut progress = progress::read_all(conn).context("reading the progress")?;
    let mut rejects = rejects::read_all(conn).context("reading the rejects")?;
    let mut places: BTreeSet<(String, String)> = progress.keys().chain(rejects.keys()).cloned().collect();
    let spelled = |(topic, table): &(String, String)| {
        let kept = places.iter().filter(|(kept_of, _)| kept_of == topic);
        let known = estimates.keys().chain(kept.map(|(_, table)| table));
        (topic.clone(), as_spelled(table, server, known))
    };
    let configured: BTreeSet<(String, String)> = configured.iter().map(spelled).collect();
    places.extend(configured.iter().cloned());
    let mut found = Vec::new();
    for (topic, table) in places {
        let place = (topic, table);
        let (progress, written) = progress.remove(&place).unwrap_or_default();
        let (rejects, reasons) = rejects.remove(&place).unwrap_or_default();
        let is_configured = configured.contains(&place);
        let (topic, table) = place;
        found.push(TableStanding {
            configured: is_configured,
            exists: estimates.contains_key(&table),
            progress,
            committed: written.as_deref().and_then(utc),
            rows: None,
            rejects,
            reasons,
            purged_before: cutoffs::read(conn, &table)
                .context("reading what was purged")?
                .shown(),
            topic,
            table,
        });
    }
    let counts = count_rows(conn, server, &found, &estimates);
    for table in &mut found {
        table.rows = counts.get(&table.table).copied();
    }
    Ok(found)
}

/// Makes the server give up on a statement before lakectl does. A limit that it refuses is left out.
fn limit_statements(conn: &mut Conn, server: &Server, limit: Duration) -> mysql::Result<()> {
    let lock_wait = limit.as_secs().max(1);
    match server.flavor {
        Flavor::MySql => conn.query_drop(format!(
            "SET SESSION max_execution_time = {}, lock_wait_timeout = {lock_wait}, information_schema_stats_expiry = 0",
            limit.as_millis()
        )),
        Flavor::MariaDb => conn.query_drop(format!(
            "SET SESSION max_statement_time = {}, lock_wait_timeout = {lock_wait}",
            limit.as_secs_f64()
        )),
    }
}

/// Table -> InnoDB's estimate of its rows, for all tables and views of the database.
fn estimates(conn: &mut Conn) -> Result<BTreeMap<String, Option<u64>>> {
    let rows: Vec<(String, Option<u64>)> = conn
        .query("SELECT TABLE_NAME, TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()")
        .context("looking at information_schema")?;
    Ok(rows.into_iter().collect())
}

/// The table's name as the server spells it, or, if the table is gone, as lakectl's own tables spell it.
fn as_spelled<'k>(table: &str, server: &Server, mut known: impl Iterator<Item = &'k String>) -> String {
    let found = known.find(|known| table_name::is_same(server.ignores_case, known, table));
    found.cloned().unwrap_or_else(|| table.to_owned())
}

/// Counts as long as there is time, and takes the estimate afterwards.
fn count_rows(
    conn: &mut Conn,
    server: &Server,
    tables: &[TableStanding],
    estimates: &BTreeMap<String, Option<u64>>,
) -> BTreeMap<String, RowCount> {
    let began = Instant::now();
    let mut counts = BTreeMap::new();
    let mut can_count = limit_statements(conn, server, COUNT_MAX).is_ok();
    for table in tables.iter().filter(|table| table.exists) {
        let estimate = estimates.get(&table.table).copied().flatten();
        let mut count = estimate.map(|rows| RowCount { rows, exact: false });
        if can_count && began.elapsed() < COUNT_ALL_MAX {
            let sql = format!("SELECT COUNT(*) FROM {}", quote(&table.table));
            match conn.query_first::<u64, _>(sql) {
                Ok(Some(rows)) => count = Some(RowCount { rows, exact: true }),
                Ok(None) => {}
                // It took too long or is not allowed; after a worse error the next count would fail too.
                Err(mysql::Error::MySqlError(_)) => {}
                Err(_) => can_count = false,
            }
        }
        if let Some(count) = count {
            counts.insert(table.table.clone(), count);
        }
    }
    counts
}

/// Reads a time as MySQL writes it, in a session whose time zone is UTC.
fn utc(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
        .ok()
        .map(|time| time.and_utc())
}
