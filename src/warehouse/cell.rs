//! The values of one row, as a record gives them.

use mysql::Value;
use std::borrow::Cow;

use super::convert::{Input, convert, surely_fits};
use super::schema::TargetTable;

/// A column's value, in the record's own bytes where it can be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Int(i64),
    UInt(u64),
    Double(f64),
    Bytes(Cow<'a, [u8]>),
    /// A date or time.
    Time(Value),
}

impl<'a> Cell<'a> {
    pub(super) fn of(value: &'a Value) -> Cell<'a> {
        match value {
            Value::NULL => Cell::Null,
            Value::Int(number) => Cell::Int(*number),
            Value::UInt(number) => Cell::UInt(*number),
            Value::Double(number) => Cell::Double(*number),
            Value::Float(number) => Cell::Double(f64::from(*number)),
            Value::Bytes(bytes) => Cell::Bytes(Cow::Borrowed(bytes)),
            Value::Date(..) | Value::Time(..) => Cell::Time(value.clone()),
        }
    }

    pub(super) fn into_value(self) -> Value {
        match self {
            Cell::Null => Value::NULL,
            Cell::Int(number) => Value::Int(number),
            Cell::UInt(number) => Value::UInt(number),
            Cell::Double(number) => Value::Double(number),
            Cell::Bytes(bytes) => Value::Bytes(bytes.into_owned()),
            Cell::Time(value) => value,
        }
    }

    /// What it takes on the wire, about.
    pub(super) fn wire_bytes(&self) -> usize {
        match self {
            Cell::Bytes(bytes) => bytes_on_wire(bytes.len()),
            _ => FIXED_ON_WIRE,
        }
    }
}

/// A value's length goes before it.
pub(super) fn bytes_on_wire(length: usize) -> usize {
    length + 9
}

/// Numbers and times, at most.
pub(super) const FIXED_ON_WIRE: usize = 13;

/// What a record gives the table's columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Row<'a> {
    /// The values that were wanted.
    pub(super) cells: Vec<Option<Cell<'a>>>,
    /// What each column takes on the wire, about; 0: the record does not fill it.
    pub(super) sizes: Vec<usize>,
}

/// What a record is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The primary key's values and times. Of the rest only whether the columns take it: most records are followed by
    /// another of their key before they are ever written.
    Fold,
    Values,
}

impl<'a> Row<'a> {
    /// The same memory, holding nothing of the record before.
    pub(super) fn emptied<'b>(mut self) -> Row<'b> {
        self.cells.clear();
        self.sizes.clear();
        Row {
            cells: self.cells.into_iter().map(|_| None).collect(),
            sizes: self.sizes,
        }
    }

    pub(super) fn make_room(&mut self, columns: usize) {
        self.cells.resize_with(columns, || None);
        self.sizes.resize(columns, 0);
    }

    pub(super) fn set(&mut self, table: &TargetTable, at: usize, input: &Input<'a>) -> Result<(), String> {
        let cell = convert(&table.columns[at], input)?;
        self.sizes[at] = cell.wire_bytes();
        self.cells[at] = Some(cell);
        Ok(())
    }

    /// Sets a column that is no part of the key to a field of the record's value.
    pub(super) fn set_field(
        &mut self,
        table: &TargetTable,
        at: usize,
        raw: &'a str,
        wanted: Wanted,
    ) -> Result<(), String> {
        if wanted == Wanted::Fold
            && let Some(size) = surely_fits(&table.columns[at], raw)
        {
            self.cells[at] = None;
            self.sizes[at] = size;
            return Ok(());
        }
        self.set(table, at, &Input::from_json(raw)?)
    }

    /// The primary key's values; fields don't touch them.
    pub(super) fn key(&self, table: &TargetTable) -> Vec<Value> {
        let filled = |&at: &usize| self.cells[at].clone().map_or(Value::NULL, Cell::into_value);
        table.primary_key.iter().map(filled).collect()
    }
}
