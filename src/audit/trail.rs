//! The audit trail of one deletion: an entry with the plan before it begins, and one with the outcome after it.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{CommandLine, Entry};
use crate::config::Database;
use crate::lake::disk::root::Root;
use crate::warehouse::Session;

/// Whether and how an entry is written to the lake or to the database.
#[derive(Debug, Clone, Copy)]
pub enum TrailPlace<T> {
    /// There is no lake, or no database.
    None,
    /// Data is deleted there: without the entry nothing is deleted.
    Needed(T),
    /// Nothing is deleted there: the entry is written if the place can be reached.
    Told(T),
}

impl<T> TrailPlace<T> {
    /// `place` is the lake or the database, if there is one; `deleted_from` is whether data is deleted there.
    pub fn of(place: Option<T>, deleted_from: bool) -> Self {
        match (place, deleted_from) {
            (None, _) => TrailPlace::None,
            (Some(place), true) => TrailPlace::Needed(place),
            (Some(place), false) => TrailPlace::Told(place),
        }
    }

    fn write(&self, what: &str, write: impl FnOnce(&T) -> Result<()>) -> Result<Option<String>> {
        match self {
            TrailPlace::None => Ok(None),
            TrailPlace::Needed(place) => write(place).map(|()| None),
            TrailPlace::Told(place) => Ok(write(place).err().map(|error| {
                format!(
                    "the audit trail in the {what}, which nothing is deleted from, was not written: {error:#}"
                )
            })),
        }
    }
}

/// The audit trail of one deletion, in lake and database.
#[derive(Debug)]
pub struct Trail<'a> {
    pub lake: TrailPlace<&'a Root>,
    pub database: TrailPlace<&'a Database>,
    pub command: &'a str,
    pub arguments: CommandLine,
    pub run_id: &'a str,
}

impl Trail<'_> {
    /// Writes the entry before the deletion. Returns warnings.
    ///
    /// # Errors
    /// A place from which data is to be deleted can't be written to: then nothing may be deleted.
    pub fn begin(&self, detail: &Value) -> Result<Vec<String>> {
        self.write("begin", detail)
            .context("nothing was deleted, because the audit trail can't be written")
    }

    /// Writes the entry after the deletion. Returns warnings.
    ///
    /// # Errors
    /// The entry is missing, although the deletion is done; the trail has its beginning.
    pub fn end(&self, detail: &Value) -> Result<Vec<String>> {
        self.write("end", detail)
            .context("the audit trail has the beginning of this run, but not its end")
    }

    fn write(&self, phase: &str, detail: &Value) -> Result<Vec<String>> {
        let mut detail = detail.clone();
        if let Value::Object(fields) = &mut detail {
            fields.insert("phase".to_owned(), json!(phase));
        }
        let entry = Entry::new(self.command, self.arguments.clone(), self.run_id, detail);
        let lake = self.lake.write("lake", |root| entry.to_lake(root))?;
        let database = self.database.write("warehouse", |database| {
            entry.to_session(&mut Session::open(database)?)
        })?;
        Ok(lake.into_iter().chain(database).collect())
    }
}
