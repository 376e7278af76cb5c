//! The trail of one deletion: what is about to happen is written before it begins, what happened after it.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{CommandLine, Entry};
use crate::config::Database;
use crate::lake::disk::root::Root;
use crate::warehouse::Session;

/// Where an entry goes.
#[derive(Debug, Clone, Copy)]
pub enum TrailPlace<T> {
    /// There is none.
    None,
    /// Nothing is deleted without it.
    Needed(T),
    /// Not deleted from, but told all the same, as far as it can be reached.
    Told(T),
}

impl<T> TrailPlace<T> {
    /// A place, if there is one, that is `deleted_from` or not.
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

/// The trail of one deletion, in lake and database.
#[derive(Debug)]
pub struct Trail<'a> {
    pub lake: TrailPlace<&'a Root>,
    pub database: TrailPlace<&'a Database>,
    pub command: &'a str,
    pub arguments: CommandLine,
    pub run_id: &'a str,
}

impl Trail<'_> {
    /// Returns what a person should know.
    ///
    /// # Errors
    /// A place that is deleted from and can't be written to: nothing may be deleted then.
    pub fn begin(&self, detail: &Value) -> Result<Vec<String>> {
        self.write("begin", detail)
            .context("nothing was deleted, because the audit trail can't be written")
    }

    /// Returns what a person should know.
    ///
    /// # Errors
    /// The deletion is done all the same, and its beginning stands in the trail.
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
