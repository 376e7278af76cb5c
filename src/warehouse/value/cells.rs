//! The values of one row, as a record gives them.

use mysql::Value;

use super::cell::Cell;
use super::convert::{Input, convert, surely_fits};
use super::refusal::{Refusal, RefusalKind};
use crate::warehouse::table::target::TargetTable;

/// What a record gives the table's columns.
#[derive(Debug, Clone, Default)]
pub(in crate::warehouse) struct RowValues<'a> {
    /// The values that were wanted.
    pub cells: Vec<Option<Cell<'a>>>,
    /// What each column takes on the wire, about; 0: the record does not fill it.
    pub sizes: Vec<usize>,
}

/// What a record is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::warehouse) enum Wanted {
    /// The primary key's values and times. Of the rest only whether the columns take it: most records are followed by
    /// another of their key before they are ever written.
    Fold,
    Values,
}

impl<'a> RowValues<'a> {
    /// The same memory, holding nothing of the record before.
    pub fn emptied<'b>(mut self) -> RowValues<'b> {
        self.cells.clear();
        self.sizes.clear();
        RowValues {
            cells: self.cells.into_iter().map(|_| None).collect(),
            sizes: self.sizes,
        }
    }

    pub fn make_room(&mut self, columns: usize) {
        self.cells.resize_with(columns, || None);
        self.sizes.resize(columns, 0);
    }

    pub fn set(&mut self, table: &TargetTable, at: usize, input: &Input<'a>) -> Result<(), Refusal> {
        let cell = convert(&table.columns[at], input).map_err(|kind| Refusal::of_column(at, kind))?;
        self.sizes[at] = cell.wire_bytes();
        self.cells[at] = Some(cell);
        Ok(())
    }

    /// Sets a column that is no part of the key to a field of the record's value.
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
        self.set_json(table, at, raw)
    }

    /// Sets a column to one JSON value.
    pub fn set_json(&mut self, table: &TargetTable, at: usize, raw: &'a str) -> Result<(), Refusal> {
        let input = Input::from_json(raw);
        let input = input.map_err(|reason| Refusal::of_column(at, RefusalKind::Unfit(reason)))?;
        self.set(table, at, &input)
    }

    /// The primary key's values; fields don't touch them.
    pub fn key(&self, table: &TargetTable) -> Vec<Value> {
        let filled = |&at: &usize| self.cells[at].clone().map_or(Value::NULL, Cell::into_value);
        table.primary_key.iter().map(filled).collect()
    }
}
