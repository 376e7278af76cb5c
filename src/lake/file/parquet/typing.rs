//! Sees the lines that are to be converted, so that the topic's columns are as wide as all of their values.

use anyhow::Result;

use super::schema::{KEY, LineFields};
use crate::types::stored::{ColumnFinder, StoredColumns, StoredType};

/// Widens a topic's columns.
#[derive(Debug)]
pub(in crate::lake) struct Typing {
    columns: StoredColumns,
    before: StoredColumns,
    finder: ColumnFinder,
    fields: LineFields,
    max_columns: usize,
}

impl Typing {
    /// Begins with the columns that the topic has had so far, and those that are declared.
    pub fn new(mut columns: StoredColumns, declared: &[(String, StoredType)], max_columns: usize) -> Self {
        let before = columns.clone();
        columns.declare(declared, max_columns);
        Typing {
            finder: ColumnFinder::of(&columns),
            before,
            columns,
            fields: LineFields::default(),
            max_columns,
        }
    }

    /// Sees all lines that `next` reads, until it returns false.
    ///
    /// # Errors
    /// A line can't be read.
    pub fn see(&mut self, mut next: impl FnMut(&mut Vec<u8>) -> Result<bool>) -> Result<()> {
        let mut line = Vec::new();
        while next(&mut line)? {
            let parts = self.fields.read(&line)?;
            if let Some(key) = parts.ours()[KEY] {
                self.columns.see_key(key);
            }
            for (place, field) in parts.values.iter().enumerate() {
                let at = match self.finder.find(place, &field.name) {
                    Some(at) => at,
                    // A field that was never anything but null needs no column.
                    None if field.raw.trim_ascii() == "null" => continue,
                    None if self.columns.all().len() >= self.max_columns => continue,
                    None => {
                        let at = self.columns.add(&field.name);
                        self.finder.add(place, &field.name, at);
                        at
                    }
                };
                self.columns.see(at, field.raw);
            }
        }
        Ok(())
    }

    /// The columns, with a new version if their types have changed.
    pub fn into_columns(mut self) -> StoredColumns {
        self.columns.number_since(&self.before);
        self.columns
    }
}
