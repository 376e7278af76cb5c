//! Columns in memory, built value by value.

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder,
    Int64Builder, StringBuilder,
};
use arrow_array::{
    ArrayRef, ListArray, MapArray, StructArray, TimestampMicrosecondArray, TimestampMillisecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, TimeUnit};
use std::sync::Arc;

use super::cell::ColumnValue;
use crate::types::stored::StoredType;

/// The names inside lists and maps, as Parquet's specification has them.
const ELEMENT: &str = "element";
const ENTRIES: &str = "key_value";

/// The type as Arrow has it.
pub(super) fn data_type(kind: &StoredType) -> DataType {
    match kind {
        StoredType::Boolean => DataType::Boolean,
        StoredType::Int => DataType::Int32,
        StoredType::Bigint => DataType::Int64,
        // A scale is at most 38.
        StoredType::Decimal { precision, scale } => {
            DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(0))
        }
        StoredType::Double => DataType::Float64,
        StoredType::Text | StoredType::Json => DataType::Utf8,
        StoredType::Bytes => DataType::Binary,
        StoredType::Date => DataType::Date32,
        StoredType::Timestamp { micros, utc } => {
            let unit = if *micros {
                TimeUnit::Microsecond
            } else {
                TimeUnit::Millisecond
            };
            DataType::Timestamp(unit, utc.then(|| "UTC".into()))
        }
        StoredType::Struct(of) => DataType::Struct(fields(of)),
        StoredType::List(of) => DataType::List(Arc::new(Field::new(ELEMENT, data_type(of), true))),
        StoredType::Map(of) => DataType::Map(Arc::new(entries(of)), false),
    }
}

fn fields(of: &[(String, StoredType)]) -> Fields {
    of.iter()
        .map(|(name, kind)| Field::new(name, data_type(kind), true))
        .collect()
}

fn entries(of: &StoredType) -> Field {
    let fields = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", data_type(of), true),
    ]);
    Field::new(ENTRIES, DataType::Struct(fields), false)
}

/// A column that grows.
#[derive(Debug)]
pub(super) enum ColumnBuilder {
    Boolean(BooleanBuilder),
    Int(Int32Builder),
    Bigint(Int64Builder),
    Decimal(Decimal128Builder, DataType),
    Double(Float64Builder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Timestamp {
        numbers: Int64Builder,
        micros: bool,
        utc: bool,
    },
    Struct {
        kind: Vec<(String, StoredType)>,
        columns: Vec<ColumnBuilder>,
        valid: Vec<bool>,
    },
    List {
        kind: StoredType,
        ends: ListEnds,
        items: Box<ColumnBuilder>,
    },
    Map {
        kind: StoredType,
        ends: ListEnds,
        names: StringBuilder,
        items: Box<ColumnBuilder>,
    },
}

/// Where each list ends, and which of them are null.
#[derive(Debug, Default)]
pub(super) struct ListEnds {
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

impl ListEnds {
    fn push(&mut self, length: usize, valid: bool) {
        self.lengths.push(length);
        self.valid.push(valid);
    }

    fn take(&mut self) -> (OffsetBuffer<i32>, NullBuffer) {
        let lengths = std::mem::take(&mut self.lengths);
        (
            OffsetBuffer::from_lengths(lengths),
            NullBuffer::from(std::mem::take(&mut self.valid)),
        )
    }
}

impl ColumnBuilder {
    pub fn new(kind: &StoredType) -> ColumnBuilder {
        match kind {
            StoredType::Boolean => ColumnBuilder::Boolean(BooleanBuilder::new()),
            StoredType::Int => ColumnBuilder::Int(Int32Builder::new()),
            StoredType::Bigint => ColumnBuilder::Bigint(Int64Builder::new()),
            StoredType::Decimal { .. } => ColumnBuilder::Decimal(Decimal128Builder::new(), data_type(kind)),
            StoredType::Double => ColumnBuilder::Double(Float64Builder::new()),
            StoredType::Text | StoredType::Json => ColumnBuilder::Text(StringBuilder::new()),
            StoredType::Bytes => ColumnBuilder::Bytes(BinaryBuilder::new()),
            StoredType::Date => ColumnBuilder::Date(Date32Builder::new()),
            StoredType::Timestamp { micros, utc } => ColumnBuilder::Timestamp {
                numbers: Int64Builder::new(),
                micros: *micros,
                utc: *utc,
            },
            StoredType::Struct(of) => ColumnBuilder::Struct {
                kind: of.clone(),
                columns: of.iter().map(|(_, kind)| ColumnBuilder::new(kind)).collect(),
                valid: Vec::new(),
            },
            StoredType::List(of) => ColumnBuilder::List {
                kind: (**of).clone(),
                ends: ListEnds::default(),
                items: Box::new(ColumnBuilder::new(of)),
            },
            StoredType::Map(of) => ColumnBuilder::Map {
                kind: (**of).clone(),
                ends: ListEnds::default(),
                names: StringBuilder::new(),
                items: Box::new(ColumnBuilder::new(of)),
            },
        }
    }

    /// Adds a value of the column's type; any other is added as null.
    pub fn push(&mut self, cell: ColumnValue<'_>) {
        match (self, cell) {
            (ColumnBuilder::Boolean(column), ColumnValue::Boolean(value)) => column.append_value(value),
            (ColumnBuilder::Int(column), ColumnValue::Int(value)) => column.append_value(value),
            (ColumnBuilder::Bigint(column), ColumnValue::Bigint(value)) => column.append_value(value),
            (ColumnBuilder::Decimal(column, _), ColumnValue::Decimal(value)) => column.append_value(value),
            (ColumnBuilder::Double(column), ColumnValue::Double(value)) => column.append_value(value),
            (ColumnBuilder::Text(column), ColumnValue::Text(value)) => column.append_value(value),
            (ColumnBuilder::Bytes(column), ColumnValue::Bytes(value)) => column.append_value(value),
            (ColumnBuilder::Date(column), ColumnValue::Date(value)) => column.append_value(value),
            (ColumnBuilder::Timestamp { numbers, .. }, ColumnValue::Timestamp(value)) => {
                numbers.append_value(value)
            }
            (ColumnBuilder::Struct { columns, valid, .. }, ColumnValue::Struct(cells)) => {
                valid.push(true);
                columns
                    .iter_mut()
                    .zip(cells)
                    .for_each(|(column, cell)| column.push(cell));
            }
            (ColumnBuilder::List { ends, items, .. }, ColumnValue::List(cells)) => {
                ends.push(cells.len(), true);
                cells.into_iter().for_each(|cell| items.push(cell));
            }
            (
                ColumnBuilder::Map {
                    ends, names, items, ..
                },
                ColumnValue::Map(cells),
            ) => {
                ends.push(cells.len(), true);
                for (name, cell) in cells {
                    names.append_value(name);
                    items.push(cell);
                }
            }
            (column, _) => column.push_null(),
        }
    }

    fn push_null(&mut self) {
        match self {
            ColumnBuilder::Boolean(column) => column.append_null(),
            ColumnBuilder::Int(column) => column.append_null(),
            ColumnBuilder::Bigint(column) => column.append_null(),
            ColumnBuilder::Decimal(column, _) => column.append_null(),
            ColumnBuilder::Double(column) => column.append_null(),
            ColumnBuilder::Text(column) => column.append_null(),
            ColumnBuilder::Bytes(column) => column.append_null(),
            ColumnBuilder::Date(column) => column.append_null(),
            ColumnBuilder::Timestamp { numbers, .. } => numbers.append_null(),
            ColumnBuilder::Struct { columns, valid, .. } => {
                valid.push(false);
                columns.iter_mut().for_each(ColumnBuilder::push_null);
            }
            ColumnBuilder::List { ends, .. } | ColumnBuilder::Map { ends, .. } => ends.push(0, false),
        }
    }

    /// Takes the values so far.
    pub fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            ColumnBuilder::Boolean(column) => Arc::new(column.finish()),
            ColumnBuilder::Int(column) => Arc::new(column.finish()),
            ColumnBuilder::Bigint(column) => Arc::new(column.finish()),
            ColumnBuilder::Decimal(column, kind) => Arc::new(column.finish().with_data_type(kind.clone())),
            ColumnBuilder::Double(column) => Arc::new(column.finish()),
            ColumnBuilder::Text(column) => Arc::new(column.finish()),
            ColumnBuilder::Bytes(column) => Arc::new(column.finish()),
            ColumnBuilder::Date(column) => Arc::new(column.finish()),
            ColumnBuilder::Timestamp { numbers, micros, utc } => {
                let (_, values, nulls) = numbers.finish().into_parts();
                let zone = utc.then_some("UTC");
                match *micros {
                    true => Arc::new(TimestampMicrosecondArray::new(values, nulls).with_timezone_opt(zone)),
                    false => Arc::new(TimestampMillisecondArray::new(values, nulls).with_timezone_opt(zone)),
                }
            }
            ColumnBuilder::Struct { kind, columns, valid } => {
                let arrays = columns
                    .iter_mut()
                    .map(ColumnBuilder::take)
                    .collect::<Result<Vec<_>, _>>()?;
                let nulls = NullBuffer::from(std::mem::take(valid));
                let length = nulls.len();
                Arc::new(StructArray::try_new_with_length(
                    fields(kind),
                    arrays,
                    Some(nulls),
                    length,
                )?)
            }
            ColumnBuilder::List { kind, ends, items } => {
                let (offsets, nulls) = ends.take();
                let element = Arc::new(Field::new(ELEMENT, data_type(kind), true));
                Arc::new(ListArray::try_new(element, offsets, items.take()?, Some(nulls))?)
            }
            ColumnBuilder::Map {
                kind,
                ends,
                names,
                items,
            } => {
                let (offsets, nulls) = ends.take();
                let entries = Arc::new(entries(kind));
                let DataType::Struct(fields) = entries.data_type() else {
                    return Err(ArrowError::SchemaError("a map's entries are a struct".to_owned()));
                };
                let columns = StructArray::try_new(
                    fields.clone(),
                    vec![Arc::new(names.finish()), items.take()?],
                    None,
                )?;
                Arc::new(MapArray::try_new(entries, offsets, columns, Some(nulls), false)?)
            }
        })
    }
}
