//! Converts lines to Parquet.

use anyhow::{Context, Result};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::io::{BufWriter, Write};

use super::builder::ColumnBuilder;
use super::cell::{ColumnValue, column_value};
use super::schema::{BEFORE, FileSchema, LineFields, METADATA, OFFSET, VALUE};
use crate::config::{Kind, LakeSettings, ParquetCompression};
use crate::lake::disk::checksum::Checksum;
use crate::types::stored::{ColumnFinder, StoredColumns};

/// Bytes of a row group, encoded.
const ROW_GROUP: usize = 32 * 1024 * 1024;
/// Rows, and bytes of their lines, that are handed over at once.
const BATCH_ROWS: usize = 4096;
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// A file's size is looked at this often on its way to the largest.
const STEPS: u64 = 16;
/// DuckDB's and Spark's own level.
const ZSTD_LEVEL: i32 = 3;

/// What a topic's files are to be.
#[derive(Debug, Clone, Copy)]
pub(in crate::lake) struct ParquetTarget<'t> {
    /// A stream's rows are in the order of their offsets, a table's in that of their keys.
    pub kind: Kind,
    pub columns: &'t StoredColumns,
    pub prefix: &'t str,
    pub compression: ParquetCompression,
}

impl<'t> ParquetTarget<'t> {
    pub fn of(kind: Kind, columns: &'t StoredColumns, lake: &'t LakeSettings) -> Self {
        ParquetTarget {
            kind,
            columns,
            prefix: &lake.prefix,
            compression: lake.parquet_compression,
        }
    }
}

/// A complete file.
#[derive(Debug, Clone, Default)]
pub(in crate::lake) struct ConvertedFile {
    pub records: u64,
    pub bytes: u64,
    pub checksum: String,
    /// Offsets of the first and last record.
    pub first: i64,
    pub last: i64,
    /// Objects that can't be what their columns are.
    pub irregular: u64,
}

/// Converts the lines that `next` reads, until it returns false, to files that `create` makes: one, or more where one would have
/// more than `max_file_bytes`.
///
/// # Errors
/// A line can't be read, or a file can't be written.
pub(in crate::lake) fn convert(
    mut next: impl FnMut(&mut Vec<u8>) -> Result<bool>,
    target: ParquetTarget<'_>,
    max_file_bytes: u64,
    mut create: impl FnMut() -> Result<File>,
) -> Result<Vec<ConvertedFile>> {
    let mut files = Vec::new();
    let mut line = Vec::new();
    let mut file = ParquetFile::new(create()?, target)?;
    while next(&mut line)? {
        if file.is_full(max_file_bytes)? {
            files.push(file.finish()?);
            file = ParquetFile::new(create()?, target)?;
        }
        file.add(&line)?;
    }
    files.push(file.finish()?);
    Ok(files)
}

/// A Parquet file that lines are added to.
pub(in crate::lake) struct ParquetFile {
    rows: Rows,
    open: OpenParquet,
}

impl ParquetFile {
    pub fn new(file: File, target: ParquetTarget<'_>) -> Result<Self> {
        let rows = Rows::new(&target);
        Ok(ParquetFile {
            open: OpenParquet::new(file, &rows, target)?,
            rows,
        })
    }

    pub fn add(&mut self, line: &[u8]) -> Result<()> {
        self.open.add(&mut self.rows, line)?;
        if self.rows.count >= BATCH_ROWS || self.rows.bytes >= BATCH_BYTES {
            self.open.write(&mut self.rows)?;
        }
        Ok(())
    }

    /// Bytes so far, without rows that are not encoded yet.
    pub fn size(&self) -> u64 {
        self.open.size()
    }

    /// Whether it has reached this size; rows are encoded often enough to tell.
    fn is_full(&mut self, max_file_bytes: u64) -> Result<bool> {
        if self.rows.bytes >= max_file_bytes / STEPS {
            self.open.write(&mut self.rows)?;
        }
        Ok(self.open.found.records > 0 && self.open.size() >= max_file_bytes)
    }

    pub fn finish(mut self) -> Result<ConvertedFile> {
        self.open.write(&mut self.rows)?;
        self.open.close()
    }
}

/// Rows that are not handed over yet.
struct Rows {
    schema: FileSchema,
    arrow: SchemaRef,
    finder: ColumnFinder,
    fields: LineFields,
    columns: Vec<ColumnBuilder>,
    count: usize,
    /// Bytes of their lines.
    bytes: u64,
}

impl Rows {
    fn new(target: &ParquetTarget<'_>) -> Self {
        let schema = FileSchema::of(target.columns, target.prefix);
        Rows {
            arrow: schema.arrow(),
            finder: ColumnFinder::of(target.columns),
            fields: LineFields::default(),
            columns: schema
                .columns
                .iter()
                .map(|(_, kind)| ColumnBuilder::new(kind))
                .collect(),
            schema,
            count: 0,
            bytes: 0,
        }
    }

    /// Adds a line; returns its offset, and whether its object had to be kept as JSON.
    fn add(&mut self, line: &[u8]) -> Result<(i64, bool)> {
        let parts = self.fields.read(line)?;
        let mut row: Vec<ColumnValue<'_>> = vec![ColumnValue::Null; self.columns.len()];
        for (ours, raw) in parts.ours().iter().enumerate() {
            let Some(raw) = raw else { continue };
            let place = self.schema.place(ours);
            let (name, kind) = &self.schema.columns[place];
            row[place] = match raw.trim_ascii() {
                // A tombstone is no row of nulls.
                "null" if ours == VALUE => ColumnValue::Text("null".into()),
                raw => {
                    column_value(kind, raw).with_context(|| format!("{name} is {raw}, which is no {kind}"))?
                }
            };
        }
        let mut fits = true;
        for (place, field) in parts.values.iter().enumerate() {
            let at = self.finder.find(place, &field.name).map(|at| at + BEFORE);
            match at.and_then(|at| Some((at, column_value(&self.schema.columns[at].1, field.raw)?))) {
                // Two fields of one column would hide each other.
                Some((at, cell)) if row[at] == ColumnValue::Null => row[at] = cell,
                None if at.is_none() && field.raw.trim_ascii() == "null" => {}
                _ => {
                    fits = false;
                    break;
                }
            }
        }
        if !fits {
            let value = self.schema.place(VALUE);
            row[BEFORE..value].fill(ColumnValue::Null);
            row[value] = ColumnValue::Text(parts.object().into());
        }
        let ColumnValue::Bigint(offset) = row[OFFSET] else {
            anyhow::bail!("a line has no offset");
        };
        self.columns
            .iter_mut()
            .zip(row)
            .for_each(|(column, cell)| column.push(cell));
        self.count += 1;
        self.bytes += line.len() as u64;
        Ok((offset, !fits))
    }

    fn take(&mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .map(ColumnBuilder::take)
            .collect::<Result<_, _>>()?;
        (self.count, self.bytes) = (0, 0);
        Ok(RecordBatch::try_new(self.arrow.clone(), columns)?)
    }
}

/// A file on its way.
struct OpenParquet {
    writer: ArrowWriter<BufWriter<Hashed>>,
    found: ConvertedFile,
}

impl OpenParquet {
    fn new(file: File, rows: &Rows, target: ParquetTarget<'_>) -> Result<Self> {
        let by_offset = SortingColumn {
            column_idx: i32::try_from(OFFSET)?,
            descending: false,
            nulls_first: false,
        };
        let properties = WriterProperties::builder()
            .set_compression(match target.compression {
                ParquetCompression::Zstd => Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?),
                ParquetCompression::Snappy => Compression::SNAPPY,
                ParquetCompression::None => Compression::UNCOMPRESSED,
            })
            .set_max_row_group_row_count(None)
            .set_max_row_group_bytes(Some(ROW_GROUP))
            .set_created_by(format!("lakectl version {}", env!("CARGO_PKG_VERSION")))
            .set_sorting_columns((target.kind == Kind::Stream).then(|| vec![by_offset]))
            .set_key_value_metadata(Some(vec![KeyValue::new(
                METADATA.to_owned(),
                rows.schema.to_metadata()?,
            )]))
            .build();
        let hashed = Hashed {
            file,
            checksum: Checksum::default(),
            bytes: 0,
        };
        Ok(OpenParquet {
            writer: ArrowWriter::try_new(BufWriter::new(hashed), rows.arrow.clone(), Some(properties))?,
            found: ConvertedFile::default(),
        })
    }

    fn add(&mut self, rows: &mut Rows, line: &[u8]) -> Result<()> {
        let (offset, irregular) = rows.add(line)?;
        if self.found.records == 0 {
            self.found.first = offset;
        }
        self.found.last = offset;
        self.found.records += 1;
        self.found.irregular += u64::from(irregular);
        Ok(())
    }

    fn write(&mut self, rows: &mut Rows) -> Result<()> {
        if rows.count > 0 {
            self.writer.write(&rows.take()?)?;
        }
        Ok(())
    }

    /// Bytes so far, with those of the row group that is not written yet.
    fn size(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    fn close(self) -> Result<ConvertedFile> {
        let hashed = self
            .writer
            .into_inner()?
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        Ok(ConvertedFile {
            bytes: hashed.bytes,
            checksum: hashed.checksum.to_string(),
            ..self.found
        })
    }
}

/// A file and the checksum of what was written to it.
struct Hashed {
    file: File,
    checksum: Checksum,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.checksum.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
