//! The values of one row, read from a record.

use mysql::Value;

use super::cell::Cell;
use super::convert::{Input, convert, surely_fits};
use super::exact;
use super::refusal::{Refusal, RefusalKind};
use crate::config::TimeUnit;
use crate::warehouse::table::column::Column;
use crate::warehouse::table::target::TargetTable;

/// The values that a record has for the table's columns.
#[derive(Debug, Clone, Default)]
pub(in crate::warehouse) struct RowValues<'a> {
    /// The values that were wanted.
    pub cells: Vec<Option<Cell<'a>>>,
    /// Approximate size of each column's value on the wire; 0 if the record does not fill the column.
    pub sizes: Vec<usize>,
    /// Columns that round their number.
    pub rounded: Vec<usize>,
}

/// Which values are read from a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::warehouse) enum Wanted {
    /// The primary key's values and times; the other fields are only checked, because most records are replaced by a later
    /// one of their key before they are written.
    Fold,
    Values,
}

impl<'a> RowValues<'a> {
    /// The same memory, without the previous record's values.
    pub fn emptied<'b>(mut self) -> RowValues<'b> {
        self.cells.clear();
        self.sizes.clear();
        self.rounded.clear();
        RowValues {
            cells: self.cells.into_iter().map(|_| None).collect(),
            sizes: self.sizes,
            rounded: self.rounded,
        }
    }

    pub fn make_room(&mut self, columns: usize) {
        self.cells.resize_with(columns, || None);
        self.sizes.resize(columns, 0);
    }

    pub fn set(&mut self, table: &TargetTable, at: usize, input: &Input<'a>) -> Result<(), Refusal> {
        self.convert(&table.columns[at], at, input)
    }

    fn convert(&mut self, column: &Column, at: usize, input: &Input<'a>) -> Result<(), Refusal> {
        let cell = convert(column, input).map_err(|kind| Refusal::of_column(at, kind))?;
        self.sizes[at] = cell.wire_bytes();
        self.cells[at] = Some(cell);
        Ok(())
    }

    /// Sets a column outside of the key to a field of the record's value.
    pub fn set_field(
        &mut self,
        table: &TargetTable,
        at: usize,
        raw: &'a str,
        wanted: Wanted,
    ) -> Result<(), Refusal> {
        if wanted == Wanted::Fold
            && let Some(size) = surely_fits(&table.columns[at], raw)
        {
            self.cells[at] = None;
            self.sizes[at] = size;
            return Ok(());
        }
        let input = json_input(at, raw)?;
        if exact::rounds(&table.columns[at], &input) {
            self.rounded.push(at);
        }
        self.set(table, at, &input)
    }

    /// Sets a column of times to a number of days since 1970.
    pub fn set_days(&mut self, table: &TargetTable, at: usize, raw: &'a str) -> Result<(), Refusal> {
        let column = Column {
            time_unit: TimeUnit::Days,
            ..table.columns[at].clone()
        };
        self.convert(&column, at, &json_input(at, raw)?)
    }

    /// Sets a column to one JSON value.
    pub fn set_json(&mut self, table: &TargetTable, at: usize, raw: &'a str) -> Result<(), Refusal> {
        self.set(table, at, &json_input(at, raw)?)
    }

    /// The primary key's values, which fields of the value never overwrite.
    pub fn key(&self, table: &TargetTable) -> Vec<Value> {
        let filled = |&at: &usize| self.cells[at].clone().map_or(Value::NULL, Cell::into_value);
        table.primary_key.iter().map(filled).collect()
    }
}

fn json_input(at: usize, raw: &str) -> Result<Input<'_>, Refusal> {
    Input::from_json(raw).map_err(|reason| Refusal::of_column(at, RefusalKind::Unfit(reason)))
}
