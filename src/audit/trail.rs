//! The trail of one deletion: what is about to happen is written before it begins, what happened after it.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{CommandLine, Entry};
use crate::config::Database;
use crate::lake::root::Root;
use crate::warehouse::Session;

/// Lake and database, as far as the deletion is about them.
#[derive(Debug)]
pub struct Trail<'a> {
    pub lake: Option<&'a Root>,
    pub database: Option<&'a Database>,
    pub command: &'a str,
    pub arguments: CommandLine,
    pub run_id: &'a str,
}

impl Trail<'_> {
    /// # Errors
    /// A place that can't be written to: nothing may be deleted then.
    pub fn begin(&self, detail: &Value) -> Result<()> {
        self.write("begin", detail)
            .context("nothing was deleted, because the audit trail can't be written")
    }

    /// # Errors
    /// The deletion is done all the same, and its beginning stands in the trail.
    pub fn end(&self, detail: &Value) -> Result<()> {
        self.write("end", detail)
            .context("the audit trail has the beginning of this run, but not its end")
    }

    fn write(&self, phase: &str, detail: &Value) -> Result<()> {
        let mut detail = detail.clone();
        if let Value::Object(fields) = &mut detail {
            fields.insert("phase".to_owned(), json!(phase));
        }
        let entry = Entry::new(self.command, self.arguments.clone(), self.run_id, detail);
        if let Some(root) = self.lake {
            entry.to_lake(root)?;
        }
        if let Some(database) = self.database {
            entry.to_database(&mut Session::open(database)?.conn)?;
        }
        Ok(())
    }
}
