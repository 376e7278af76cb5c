//! Reads Parquet back as lines. Numbers and times are in the normal form of their columns' types; fields that are null are left out.

use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType,
};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use std::fs::File;

use super::cell;
use super::schema::{FileColumn, FileSchema, KEY, KEY_BASE64, VALUE};
use crate::lake::line::head::string;
use crate::types::stored::StoredType;

/// Bytes of values that are read at once, and the most rows.
const BATCH_BYTES: i64 = 4 * 1024 * 1024;
const BATCH_ROWS: usize = 1024;

/// The columns of a Parquet file.
pub(in crate::lake) fn read_columns(file: File) -> Result<Vec<FileColumn>> {
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
    Ok(FileSchema::of_file(metadata.metadata())?.columns)
}

/// The lines of a Parquet file.
pub(in crate::lake) struct ParquetLines {
    schema: FileSchema,
    /// `"NAME":` of each column.
    names: Vec<Vec<u8>>,
    /// The columns in the order of a line's fields: ours come first.
    order: Vec<usize>,
    batches: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    row: usize,
}

impl ParquetLines {
    pub fn new(file: File) -> Result<Self> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let metadata = builder.metadata();
        let schema = FileSchema::of_file(metadata)?;
        if builder.schema().fields() != schema.arrow().fields() {
            anyhow::bail!("its columns are not those that its metadata names");
        }
        let rows = metadata.file_metadata().num_rows().max(1);
        let bytes: i64 = metadata
            .row_groups()
            .iter()
            .map(|group| group.total_byte_size())
            .sum();
        let fitting = usize::try_from(BATCH_BYTES / (bytes / rows).max(1)).unwrap_or(1);
        let names = schema.columns.iter().map(|(name, _)| {
            let mut quoted = Vec::new();
            string(&mut quoted, name);
            quoted.push(b':');
            quoted
        });
        let (ours, values): (Vec<usize>, Vec<usize>) =
            (0..schema.columns.len()).partition(|place| schema.ours_at(*place).is_some());
        Ok(ParquetLines {
            order: [ours, values].concat(),
            names: names.collect(),
            schema,
            batches: builder.with_batch_size(fitting.clamp(1, BATCH_ROWS)).build()?,
            batch: None,
            row: 0,
        })
    }

    /// Appends the next line with its line feed; false at the end.
    pub fn next(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        while self
            .batch
            .as_ref()
            .is_none_or(|batch| self.row >= batch.num_rows())
        {
            self.row = 0;
            self.batch = self.batches.next().transpose()?;
            if self.batch.is_none() {
                return Ok(false);
            }
        }
        let batch = self.batch.as_ref().context("there is no batch")?;
        line.push(b'{');
        let is_undecoded = !batch.column(self.schema.place(KEY_BASE64)).is_null(self.row);
        let mut separator = b"".as_slice();
        for &place in &self.order {
            let column = batch.column(place);
            let role = self.schema.ours_at(place);
            let shown = !column.is_null(self.row) || (role == Some(KEY) && !is_undecoded);
            if !shown {
                continue;
            }
            line.extend_from_slice(separator);
            separator = b",";
            line.extend_from_slice(&self.names[place]);
            let kind = &self.schema.columns[place].1;
            match role {
                // Our own times are numbers in a line.
                Some(VALUE) | None => write_value(kind, column, self.row, line)?,
                Some(_) if matches!(kind, StoredType::Timestamp { .. }) => {
                    let number = column.as_primitive::<TimestampMillisecondType>().value(self.row);
                    line.extend_from_slice(number.to_string().as_bytes());
                }
                Some(_) => write_value(kind, column, self.row, line)?,
            }
        }
        line.extend_from_slice(b"}\n");
        self.row += 1;
        Ok(true)
    }
}

/// Appends the JSON of a value.
fn write_value(kind: &StoredType, column: &dyn Array, row: usize, out: &mut Vec<u8>) -> Result<()> {
    if column.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match kind {
        StoredType::Boolean if column.as_boolean().value(row) => out.extend_from_slice(b"true"),
        StoredType::Boolean => out.extend_from_slice(b"false"),
        StoredType::Int => number(column.as_primitive::<Int32Type>().value(row), out),
        StoredType::Bigint => number(column.as_primitive::<Int64Type>().value(row), out),
        StoredType::Decimal { scale, .. } => {
            cell::write_decimal(column.as_primitive::<Decimal128Type>().value(row), *scale, out);
        }
        StoredType::Double => cell::write_double(column.as_primitive::<Float64Type>().value(row), out),
        StoredType::Text => string(out, column.as_string::<i32>().value(row)),
        StoredType::Json => out.extend_from_slice(column.as_string::<i32>().value(row).as_bytes()),
        StoredType::Bytes => cell::write_bytes(column.as_binary::<i32>().value(row), out),
        StoredType::Date => cell::write_date(column.as_primitive::<Date32Type>().value(row), out),
        StoredType::Timestamp { micros: true, utc } => {
            let time = column.as_primitive::<TimestampMicrosecondType>().value(row);
            cell::write_timestamp(time, true, *utc, out);
        }
        StoredType::Timestamp { micros: false, utc } => {
            let time = column.as_primitive::<TimestampMillisecondType>().value(row);
            cell::write_timestamp(time, false, *utc, out);
        }
        StoredType::Struct(of) => {
            let columns = column.as_struct();
            let mut before = b'{';
            for (at, (name, kind)) in of.iter().enumerate() {
                if columns.column(at).is_null(row) {
                    continue;
                }
                out.push(before);
                before = b',';
                string(out, name);
                out.push(b':');
                write_value(kind, columns.column(at), row, out)?;
            }
            out.extend_from_slice(if before == b'{' { b"{}" } else { b"}" });
        }
        StoredType::List(of) => {
            let items = column.as_list::<i32>().value(row);
            out.push(b'[');
            for at in 0..items.len() {
                if at > 0 {
                    out.push(b',');
                }
                write_value(of, &items, at, out)?;
            }
            out.push(b']');
        }
        StoredType::Map(of) => {
            let entries = column.as_map().value(row);
            let (names, values) = (entries.column(0).as_string::<i32>(), entries.column(1));
            out.push(b'{');
            for at in 0..entries.len() {
                if at > 0 {
                    out.push(b',');
                }
                string(out, names.value(at));
                out.push(b':');
                write_value(of, values, at, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn number(number: impl std::fmt::Display, out: &mut Vec<u8>) {
    out.extend_from_slice(number.to_string().as_bytes());
}
