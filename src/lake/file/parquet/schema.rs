//! The columns of a Parquet file: lakectl's own, which every file has, and those of the topic's values.

use anyhow::{Context, Result};
use arrow_schema::{Field, Schema, SchemaRef};
use parquet::file::metadata::ParquetMetaData;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::builder::data_type;
use crate::decode::fields::{Field as LineField, FieldReader};
use crate::decode::line::OURS;
use crate::problem::Problem;
use crate::types::stored::{StoredColumns, StoredType};

/// The key of a file's metadata under which its columns stand.
pub(super) const METADATA: &str = "lakectl.columns";
/// How many of lakectl's own columns stand before those of the values.
pub(super) const BEFORE: usize = 8;
/// The places of our columns that are told apart.
pub(super) const PARTITION: usize = 0;
pub(super) const OFFSET: usize = 1;
const TIMESTAMP: usize = 2;
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
    /// The raw values of our fields.
    pub ours: [Option<&'t str>; OURS.len()],
    /// The fields of the line's value.
    pub values: Vec<LineField<'t>>,
    /// Where our last field ends in the line.
    ours_end: usize,
}

/// Takes lines apart, and keeps its memory.
#[derive(Debug, Default)]
pub(in crate::lake) struct LineFields {
    reader: FieldReader,
    /// Of the line before; files may have been written with another one than the configuration has.
    prefix: String,
}

impl LineFields {
    /// Reads a line that begins with our fields.
    pub fn read<'t>(&mut self, line: &'t [u8]) -> Result<LineParts<'t>> {
        let LineFields { reader, prefix } = self;
        let line = std::str::from_utf8(line)
            .context("a line is not UTF-8")?
            .trim_ascii();
        let mut parts = LineParts {
            ours: [None; OURS.len()],
            values: Vec::new(),
            ours_end: 0,
        };
        let fields = reader
            .read(line)
            .map_err(|reason| anyhow::anyhow!("a line can't be read: {reason}"))?;
        for (at, field) in fields.enumerate() {
            if at == 0
                && field
                    .name
                    .strip_suffix(OURS[PARTITION])
                    .is_some_and(|own| own != prefix)
            {
                *prefix = field
                    .name
                    .strip_suffix(OURS[PARTITION])
                    .unwrap_or_default()
                    .to_owned();
            }
            let ours = field
                .name
                .strip_prefix(prefix.as_str())
                .and_then(|rest| OURS.iter().position(|ours| *ours == rest));
            // A value's own fields may have such names, but not these three in front.
            let in_order = at > TIMESTAMP || ours == Some(at);
            match ours.filter(|_| in_order && parts.values.is_empty()) {
                Some(at) => {
                    parts.ours[at] = Some(field.raw);
                    // The raw value is a slice of the line, so its address gives its place.
                    parts.ours_end = (field.raw.as_ptr() as usize + field.raw.len()) - line.as_ptr() as usize;
                }
                None => parts.values.push(field),
            }
        }
        if parts.ours[TIMESTAMP].is_none() {
            return Problem::new("a line lacks lakectl's own fields, which Parquet's files always have")
                .fix("set lake.metadata = true and rebuild the days before, or keep them as JSON")
                .err();
        }
        Ok(parts)
    }
}

impl LineParts<'_> {
    /// The value's object, which was spliced into the line after our own fields.
    pub fn object(&self, line: &[u8]) -> Vec<u8> {
        let line = line.trim_ascii();
        let rest = line.get(self.ours_end..).unwrap_or_default().trim_ascii_start();
        let rest = rest.strip_prefix(b",").unwrap_or(rest);
        [b"{", rest].concat()
    }
}
