//! The columns of a Parquet file: lakectl's own, which every file has, and those of the topic's values.

use anyhow::{Context, Result};
use arrow_schema::{Field, Schema, SchemaRef};
use parquet::file::metadata::ParquetMetaData;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::builder::data_type;
use crate::decode::fields::{Field as LineField, FieldReader};
use crate::decode::line::{OURS, OwnFields};
use crate::problem::Problem;
use crate::types::stored::{StoredColumns, StoredType};

/// The key of a file's metadata under which its columns stand.
pub(super) const METADATA: &str = "lakectl.columns";
/// How many of lakectl's own columns stand before those of the values.
pub(super) const BEFORE: usize = 8;
/// The places of our columns that are told apart.
pub(super) const OFFSET: usize = 1;
pub(super) const KEY: usize = 3;
pub(super) const KEY_BASE64: usize = 4;
pub(super) const VALUE: usize = 8;

/// A column of a file: its name and type.
pub type FileColumn = (String, StoredType);

/// The columns of files that are written with these ones: lakectl's own, and those of the values.
pub fn file_columns(columns: &StoredColumns, prefix: &str) -> Vec<FileColumn> {
    FileSchema::of(columns, prefix).columns
}

/// The columns of a file in their order, with the types that its JSON is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lake) struct FileSchema {
    pub(super) prefix: String,
    pub(super) columns: Vec<FileColumn>,
}

impl FileSchema {
    /// The columns of a topic's next files.
    pub fn of(columns: &StoredColumns, prefix: &str) -> FileSchema {
        let time = StoredType::Timestamp {
            micros: false,
            utc: true,
        };
        let ours = [
            StoredType::Int,
            StoredType::Bigint,
            time.clone(),
            columns.key(),
            StoredType::Text,
            time.clone(),
            time,
            StoredType::Json,
            StoredType::Json,
            StoredType::Text,
            StoredType::Text,
            StoredType::Text,
        ];
        let mut all: Vec<_> = OURS
            .iter()
            .zip(ours)
            .map(|(name, kind)| (format!("{prefix}{name}"), kind))
            .collect();
        let values = columns.all().iter();
        all.splice(
            BEFORE..BEFORE,
            values.map(|column| (column.name.clone(), column.kind())),
        );
        FileSchema {
            prefix: prefix.to_owned(),
            columns: all,
        }
    }

    /// Where our column of this number stands.
    pub(super) fn place(&self, ours: usize) -> usize {
        if ours < BEFORE {
            ours
        } else {
            self.columns.len() - OURS.len() + ours
        }
    }

    /// Which of our columns stands here; None: one of the values.
    pub(super) fn ours_at(&self, place: usize) -> Option<usize> {
        let values = self.columns.len() - OURS.len();
        match place {
            _ if place < BEFORE => Some(place),
            _ if place < BEFORE + values => None,
            _ => Some(place - values),
        }
    }

    pub(super) fn arrow(&self) -> SchemaRef {
        let fields: Vec<_> = self
            .columns
            .iter()
            .map(|(name, kind)| Field::new(name, data_type(kind), true))
            .collect();
        Arc::new(Schema::new(fields))
    }

    pub(super) fn to_metadata(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    pub(super) fn of_file(metadata: &ParquetMetaData) -> Result<FileSchema> {
        let about = metadata.file_metadata().key_value_metadata();
        let columns = about.and_then(|about| about.iter().find(|pair| pair.key == METADATA));
        FileSchema::from_metadata(columns.and_then(|pair| pair.value.as_deref()))
    }

    pub(super) fn from_metadata(text: Option<&str>) -> Result<FileSchema> {
        let text = text.ok_or_else(|| Problem::new("it was not written by lakectl"))?;
        let schema: FileSchema = serde_json::from_str(text).context("its columns can't be read")?;
        if schema.columns.len() < OURS.len() {
            return Problem::new("it lacks columns that every file has").err();
        }
        Ok(schema)
    }
}

/// A line taken apart.
#[derive(Debug)]
pub(in crate::lake) struct LineParts<'t> {
    line: &'t str,
    own: OwnFields<'t>,
    /// The fields of the line's value.
    pub values: Vec<LineField<'t>>,
}

/// Takes lines apart, and keeps its memory.
#[derive(Debug, Default)]
pub(in crate::lake) struct LineFields(FieldReader);

impl LineFields {
    /// Reads a line that begins with our fields.
    pub fn read<'t>(&mut self, line: &'t [u8]) -> Result<LineParts<'t>> {
        let line = std::str::from_utf8(line)
            .context("a line is not UTF-8")?
            .trim_ascii();
        let fields = self
            .0
            .read(line)
            .map_err(|reason| anyhow::anyhow!("a line can't be read: {reason}"))?;
        let (mut own, mut values) = (OwnFields::default(), Vec::new());
        for field in fields {
            if !own.take(field.name.clone(), field.raw, line) {
                values.push(field);
            }
        }
        if !own.are_there() {
            return Problem::new("a line lacks lakectl's own fields, which Parquet's files always have")
                .fix("set lake.metadata = true and rebuild the days before, or keep them as JSON")
                .err();
        }
        Ok(LineParts { line, own, values })
    }
}

impl<'t> LineParts<'t> {
    /// The raw values of our fields.
    pub fn ours(&self) -> &[Option<&'t str>; OURS.len()] {
        &self.own.found
    }

    /// The value's object, which was spliced into the line after our own fields.
    pub fn object(&self) -> String {
        self.own.behind(self.line)
    }
}
