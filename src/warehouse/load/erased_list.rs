//! `lakectl_erasures`: the database's own list of erased persons, and the secret that their hashes are made with.

use anyhow::{Context, Result, anyhow};
use mysql::Conn;
use mysql::prelude::Queryable;

use super::read_record::RowReader;
use crate::config::Topic;
use crate::problem::{About, Problem};
use crate::subjects::filter::Filter;
use crate::subjects::list::{ErasedEntry, ErasureSecret, Erasures};
use crate::warehouse::connected::Warehouse;
use crate::warehouse::server::connect;
use crate::warehouse::server::replayed_session::Session;

const ENTRIES: &str = "lakectl_erasures";
const SECRET: &str = "lakectl_erasure_key";
/// ER_NO_SUCH_TABLE: no erasure can have been recorded in such a database.
const NO_SUCH_TABLE: u16 = 1146;

/// The filter that drops erased persons' records of a topic. It must be read under the table's lock: a later erasure waits
/// for that lock, and then finds what this load has written.
pub(in crate::warehouse) fn filter(conn: &mut Conn, topic: &Topic, reader: &RowReader) -> Result<Filter> {
    let registry = load(conn).about_topic(&topic.name)?;
    Ok(Filter::new(registry, topic, reader.key_names()))
}

/// The number of entries, which only ever grows.
pub(in crate::warehouse) fn count(conn: &mut Conn) -> mysql::Result<usize> {
    match conn.query_first(format!("SELECT COUNT(*) FROM {ENTRIES}")) {
        Err(mysql::Error::MySqlError(error)) if error.code == NO_SUCH_TABLE => Ok(0),
        counted => Ok(counted?.unwrap_or(0)),
    }
}

/// Reads the list and its secret.
///
/// # Errors
/// A list without its secret: nothing may be loaded, or erased persons would come back.
pub(in crate::warehouse) fn load(conn: &mut Conn) -> Result<Erasures> {
    let rows: Vec<(String, String, Option<String>, String, String)> = match conn.query(format!(
        "SELECT topic, hash, field, run_id, erased_at FROM {ENTRIES} ORDER BY erased_at, topic, hash"
    )) {
        Err(mysql::Error::MySqlError(error)) if error.code == NO_SUCH_TABLE => return Ok(Erasures::default()),
        rows => rows.with_context(|| format!("reading {ENTRIES}"))?,
    };
    let entries = rows.into_iter().map(|(topic, hash, field, id, at)| ErasedEntry {
        id,
        at,
        topic,
        field,
        hash,
    });
    Erasures::new(secret(conn)?, entries.collect(), &format!("table `{ENTRIES}`"))
}

fn secret(conn: &mut impl Queryable) -> Result<Option<ErasureSecret>> {
    let bytes: Option<Vec<u8>> = match conn.query_first(format!("SELECT secret FROM {SECRET} WHERE id = 1")) {
        Err(mysql::Error::MySqlError(error)) if error.code == NO_SUCH_TABLE => None,
        found => found.with_context(|| format!("reading {SECRET}"))?,
    };
    match bytes {
        None => Ok(None),
        Some(bytes) => ErasureSecret::from_bytes(&bytes)
            .map(Some)
            .with_context(|| format!("table `{SECRET}`: its secret is not one that lakectl has written")),
    }
}

impl Warehouse {
    /// Reads the list and its secret.
    ///
    /// # Errors
    /// The database has no such list yet: exit code 2.
    pub fn erasures(&self) -> Result<Erasures> {
        self.look(connect::READ_TIMEOUT, |conn| {
            let missing: u32 = conn
                .exec_first(
                    "SELECT 2 - COUNT(*) FROM information_schema.TABLES \
                     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (?, ?)",
                    (ENTRIES, SECRET),
                )
                .context("looking for the list of erasures")?
                .unwrap_or(2);
            match missing {
                0 => load(conn),
                _ => Problem::usage(format!(
                    "database `{}` has no list of erasures yet",
                    self.database.name
                ))
                .fix("run: lakectl init-db")
                .err(),
            }
        })
    }

    /// Adds entries that are not on the list yet. Every load that opens a table afterwards drops the records that they match.
    /// `suggested` becomes the database's secret if it has none; `entries` makes the entries with the secret it has.
    ///
    /// # Errors
    /// Nothing was added, unless the message says that this is unknown.
    pub fn register(
        &self,
        suggested: &ErasureSecret,
        entries: &dyn Fn(&ErasureSecret) -> Vec<ErasedEntry>,
    ) -> Result<()> {
        let mut session = Session::open(&self.database)?;
        let add = |transaction: &mut Conn| {
            // If two runs are the first at once, one wins, and both use its secret.
            transaction.exec_drop(
                format!("INSERT IGNORE INTO {SECRET} (id, secret) VALUES (1, ?)"),
                (suggested.bytes(),),
            )?;
            let secret = secret(transaction)?.ok_or_else(|| anyhow!("table `{SECRET}` stays empty"))?;
            for entry in entries(&secret) {
                transaction.exec_drop(
                    format!(
                        "INSERT IGNORE INTO {ENTRIES} (topic, hash, field, run_id, erased_at) VALUES (?, ?, ?, ?, ?)"
                    ),
                    (entry.topic, entry.hash, entry.field, entry.id, entry.at),
                )?;
            }
            Ok(())
        };
        // Doing it twice changes nothing more.
        session
            .transact(add, |_, ()| Ok(false))
            .with_context(|| format!("recording the erasure in {ENTRIES}"))
    }
}
