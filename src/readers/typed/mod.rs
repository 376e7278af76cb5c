//! Topics with Parquet files, and maybe lines of JSON beside them: one statement reads both, with one type for each column.

pub(super) mod duckdb;
pub(super) mod metastore;
pub(super) mod polars;
pub(super) mod spark;

use anyhow::Result;
use std::collections::BTreeMap;

use super::sample::readable;
use super::schema::{ColumnReport, FilesLocation, Schema, SchemaField};
use super::{Comments, JsonColumn, ROUNDED};
use crate::config::{FileFormat, Kind, Topic};
use crate::lake::{FileColumn, Lake, TopicFiles, file_columns};
use crate::types::column::Type;
use crate::types::stored::{StoredColumns, StoredType};

#[derive(Debug, Clone)]
pub struct TypedSchema {
    topic: String,
    /// The topic's table in a metastore.
    table: String,
    kind: Kind,
    place: FilesLocation,
    columns: Vec<TypedColumn>,
    /// The lines of JSON beside the Parquet files.
    lines: Option<Schema>,
}

/// A column, with the type that holds the values of all files.
#[derive(Debug, Clone)]
struct TypedColumn {
    name: String,
    kind: StoredType,
    /// Other types that it has in some Parquet files.
    older: Vec<StoredType>,
}

/// The values of a field in lines of JSON, as far as they decide how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineValues {
    /// Whole numbers that fit 64 bits, or nothing yet.
    Integers,
    LargeIntegers,
    Numbers {
        exponents: bool,
    },
    Others,
}

impl TypedSchema {
    /// Makes the schema. `lines`: what was seen of the topic's lines of JSON, if it has some, and the columns that hold these,
    /// too.
    ///
    /// # Errors
    /// A Parquet file can't be read.
    pub fn new(
        lake: &Lake<'_>,
        topic: &Topic,
        files: &TopicFiles,
        table: String,
        place: FilesLocation,
        prefix: &str,
        lines: Option<(Schema, StoredColumns)>,
    ) -> Result<TypedSchema> {
        let (lines, columns) = match lines {
            Some((lines, columns)) => (Some(lines), columns),
            None => (None, files.columns.clone()),
        };
        let parquet = || readable(files).filter(|file| file.columns.is_some());
        let outdated = || parquet().filter(|file| file.columns < Some(files.columns.retyped));
        let mut written = vec![file_columns(&files.columns, prefix)];
        let versions: BTreeMap<_, _> = outdated().map(|file| (file.columns, &file.path)).collect();
        for path in versions.into_values() {
            written.extend(lake.columns_of(path)?);
        }
        Ok(TypedSchema {
            topic: topic.name.clone(),
            table,
            kind: files.kind,
            place,
            columns: file_columns(&columns, prefix)
                .into_iter()
                .map(|column| TypedColumn::of(column, &written))
                .collect(),
            lines,
        })
    }

    /// Whether readers find files of this kind: Parquet or not.
    pub fn finds(files: &TopicFiles, parquet: bool) -> bool {
        readable(files).any(|file| (FileFormat::of(&file.path) == FileFormat::Parquet) == parquet)
    }

    pub fn report(&self) -> Vec<ColumnReport<'_>> {
        let columns = self.columns.iter();
        columns
            .map(|column| ColumnReport {
                name: &column.name,
                r#type: column.kind.to_string(),
                values: None,
                remark: None,
            })
            .collect()
    }

    fn comments(&self, mark: &'static str, reader: &str) -> Comments {
        let head = self.lines.as_ref().map_or_else(
            || vec!["The types are those of the topic's Parquet files.".to_owned()],
            |lines| {
                let made = lines.head.iter().map(|line| format!("Lines of JSON: {line}"));
                std::iter::once("The topic has Parquet files and lines of JSON.".to_owned())
                    .chain(made)
                    .collect()
            },
        );
        Comments::new(mark, &self.topic, self.kind, reader, &head)
    }

    /// Names the columns that older files have with another type, if the reader can't make the new one of it. `loud`: what it
    /// does then.
    fn about_older(
        &self,
        comments: &mut Comments,
        reads: &dyn Fn(&StoredType, &StoredType) -> bool,
        does: &str,
    ) {
        let mut found = false;
        for column in &self.columns {
            for older in column.older.iter().filter(|older| !reads(older, &column.kind)) {
                found = true;
                comments.add(&format!(
                    "{:?} is {} in some Parquet files, and {} in all: {does}.",
                    column.name, older, column.kind
                ));
            }
        }
        if found && self.kind == Kind::Stream {
            comments.add(&format!(
                "This gives all closed days the types of today: {}",
                self.compact()
            ));
        }
    }

    /// The command that makes one kind of file of all.
    fn compact(&self) -> String {
        format!("lakectl compact --format parquet --topics {}", self.topic)
    }

    /// The fields of lines that have a column, which may differ in case.
    fn line_fields<'s>(
        &'s self,
        fields: impl IntoIterator<Item = &'s SchemaField>,
    ) -> Vec<(&'s TypedColumn, &'s SchemaField)> {
        let by_name: BTreeMap<String, &TypedColumn> = self
            .columns
            .iter()
            .map(|column| (column.name.to_lowercase(), column))
            .collect();
        let fields = fields.into_iter();
        fields
            .filter_map(|field| Some((*by_name.get(&field.column.name.to_lowercase())?, field)))
            .collect()
    }
}

impl TypedColumn {
    /// `written`: the columns of all kinds of files.
    fn of((name, kind): FileColumn, written: &[Vec<FileColumn>]) -> TypedColumn {
        let mut older = Vec::new();
        for (_, other) in written.iter().flatten().filter(|(other, _)| *other == name) {
            if *other != kind && !older.contains(other) {
                older.push(other.clone());
            }
        }
        TypedColumn { name, kind, older }
    }
}

impl LineValues {
    fn of(field: &SchemaField) -> LineValues {
        let column = &field.column;
        let numbers = &column.numbers;
        match numbers.count {
            _ if column.texts + column.booleans + column.nested > 0 => LineValues::Others,
            _ if numbers.exponents > 0 || numbers.fractions > 0 => LineValues::Numbers {
                exponents: numbers.exponents > 0,
            },
            _ if numbers.large => LineValues::LargeIntegers,
            _ => LineValues::Integers,
        }
    }
}

/// The fields of lines as a reader of JSON takes them.
fn json_columns<'s>(
    fields: &[(&TypedColumn, &'s SchemaField)],
    read_type: impl Fn(&StoredType, &SchemaField) -> String,
) -> Vec<JsonColumn<'s>> {
    let read = |(column, field): &(&TypedColumn, &'s SchemaField)| {
        let ty = read_type(&column.kind, field);
        (field.column.name.as_str(), ty, rounded(field))
    };
    fields.iter().map(read).collect()
}

/// What makes each column of the fields of lines: of several, if their names differ only in case.
fn expressions<'s>(
    fields: &[(&'s TypedColumn, &'s SchemaField)],
    converted: impl Fn(&StoredType, &SchemaField) -> String,
) -> Vec<(&'s str, Vec<String>)> {
    let mut merged: Vec<(&str, Vec<String>)> = Vec::new();
    for (column, field) in fields {
        let to = converted(&column.kind, field);
        match merged.iter_mut().find(|(name, _)| *name == column.name) {
            Some((_, parts)) => parts.push(to),
            None => merged.push((&column.name, vec![to])),
        }
    }
    merged
}

/// The fields of a structure, as a reader's type lists them.
fn listed_fields(fields: &[(String, StoredType)], one: impl Fn(&str, &StoredType) -> String) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, kind)| one(name, kind)).collect();
    fields.join(", ")
}

/// What to say of a field of lines for a reader that parses numbers with a point as doubles.
fn rounded(field: &SchemaField) -> Option<String> {
    let is_rounded = matches!(
        field.ty,
        Type::Decimal {
            survives_double: false,
            ..
        }
    );
    is_rounded.then(|| ROUNDED.to_owned())
}

/// Whether a cast makes of each value of the one type what a conversion of its line makes of it.
fn casts(from: &StoredType, to: &StoredType) -> bool {
    use StoredType::{Bigint, Boolean, Date, Decimal, Double, Int, Json, Text};
    matches!(
        (from, to),
        (Int, Bigint)
            | (Int | Bigint, Decimal { .. } | Double | Text)
            | (Decimal { .. }, Decimal { .. } | Text)
            | (Boolean | Date | Json, Text)
            // A column of texts without a value was no column of texts.
            | (Text, Boolean | Bigint | Decimal { .. } | Double)
    )
}
