//! One record becomes one change of one row, or is refused with a reason.

use mysql::Value;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::batch::change::{PendingChange, Write};
use super::unfilled::Unfilled;
use crate::config::{ENVELOPE_OF_KEYS_FIX, Envelope, Topic};
use crate::decode::key::{DecodedKey, Key};
use crate::decode::registry::Registry;
use crate::decode::registry::header::Side;
use crate::decode::{Body, Decoded, Decoder, Field, FieldReader, KeyPlaces, Object, Reason};
use crate::record::Record;
use crate::warehouse::table::column::ColumnType;
use crate::warehouse::table::key_fields::{KeyFieldColumns, by_name_or_place};
use crate::warehouse::table::mapping::{FieldNames, KeyColumns, KeyPlan};
use crate::warehouse::table::target::TargetTable;
use crate::warehouse::value::cell::Cell;
use crate::warehouse::value::cells::{RowValues, Wanted};
use crate::warehouse::value::convert::Input;
use crate::warehouse::value::refusal::{Refusal, RefusalKind};

/// The change that a record makes.
#[derive(Debug)]
pub(in crate::warehouse) enum RowChange<'a> {
    /// All of the primary key's columns are filled.
    Upsert(RowValues<'a>),
    /// The primary key's values.
    Delete { key: Vec<Value> },
    /// A record without a key, which changes no row.
    NoKey,
    /// The record can't become a row.
    Refused {
        refusal: Refusal,
        /// The primary key, if it could be read: its row stays as it is.
        key: Option<Vec<Value>>,
    },
}

/// Field names come from outside, so their number in memory is bounded.
const NAMES_MAX: usize = 10_000;
const ORDER_MAX: usize = 1_000;
const ORDER_NAME_MAX: usize = 256;

/// Reads the records of one topic for one table.
#[derive(Debug, Clone)]
pub(in crate::warehouse) struct RowReader {
    decoder: Decoder,
    /// Decodes waiting rows again when they are written. Most updates are replaced before that, so their values are not kept.
    again: Decoder,
    names: FieldNames,
    plan: KeyPlan,
    key_fields: FieldReader,
    key_columns: KeyFieldColumns,
    /// Exact names seen so far, with the columns that take them.
    known: HashMap<String, Option<usize>>,
    /// The names of the previous record, in its order, with the columns that take them.
    order: Vec<(String, Option<usize>)>,
    without_column: BTreeSet<String>,
    /// Whether any key has filled the primary key.
    pub(super) key_fitted: bool,
    /// Why the first key that did not fit it failed.
    pub(super) key_misfit: Option<String>,
    /// Whether a field of any record had a column.
    has_filled: bool,
    unfilled: Option<Unfilled>,
    /// Memory for the next record's row.
    row: RowValues<'static>,
}

/// Reads the values of pending changes again from their records.
#[derive(Debug)]
pub(in crate::warehouse) struct Rereader<'a> {
    pub reader: &'a mut RowReader,
    pub table: &'a TargetTable,
}

impl Rereader<'_> {
    /// The values of an update's columns, or the key of a deletion.
    pub fn values<'p>(&mut self, pending: &'p PendingChange) -> Cow<'p, [Value]> {
        match &pending.write {
            Write::Upsert {
                merged: Some(values), ..
            }
            | Write::Delete { key: values, .. } => Cow::Borrowed(values),
            Write::Upsert { merged: None, .. } => {
                Cow::Owned(self.reader.values(self.table, &pending.record()))
            }
        }
    }
}

impl RowReader {
    pub fn new(topic: &Topic, registry: &Registry, names: FieldNames, plan: KeyPlan) -> Self {
        let decoder = Decoder::of(topic, registry).with_fields();
        RowReader {
            again: decoder.clone().of_rows(),
            decoder,
            names,
            plan,
            key_fields: FieldReader::default(),
            key_columns: KeyFieldColumns::default(),
            known: HashMap::new(),
            order: Vec::new(),
            without_column: BTreeSet::new(),
            key_fitted: false,
            key_misfit: None,
            has_filled: false,
            unfilled: None,
            row: RowValues::default(),
        }
    }

    /// Whether the headers of records may say how to read their keys, or their values.
    pub fn reads_header_of(&self, side: Side) -> bool {
        self.decoder.reads_header_of(side)
    }

    /// A decoder for the records that this reads.
    pub fn decoder(&self) -> Decoder {
        self.decoder.clone()
    }

    /// Takes a row's memory back, for the next record.
    pub fn take_back(&mut self, row: RowValues<'_>) {
        self.row = row.emptied();
    }

    pub fn read<'a>(
        &mut self,
        table: &TargetTable,
        record: &'a Decoded<'_>,
        wanted: Wanted,
    ) -> RowChange<'a> {
        if let Body::Unreadable { reason, .. } = &record.body
            && self.decoder.unwraps()
        {
            return self.refuse_envelope(table, record, reason);
        }
        let (key, window) = match &record.key {
            DecodedKey::Null => return RowChange::NoKey,
            DecodedKey::Undecodable { reason, .. } => {
                return refused(RefusalKind::Key(reason.clone()), None);
            }
            DecodedKey::Key { key, window } => (key, window),
        };
        let mut row = std::mem::take(&mut self.row).emptied();
        row.make_room(table.columns.len());
        if let Err(refusal) = self.fill_key(table, key, &record.key_places, &mut row) {
            return refused(refusal, None);
        }
        if let Some(window) = window {
            let bounds = [
                (self.plan.window_start, window.start_ms),
                (self.plan.window_end, window.end_ms),
            ];
            for (column, ms) in bounds {
                let Some(at) = column else { continue };
                if let Err(refusal) = row.set(table, at, &Input::Number(ms.to_string().into())) {
                    return refused(refusal, None);
                }
            }
        }
        self.key_fitted = true;
        let filled = match &record.body {
            Body::Tombstone => return RowChange::Delete { key: row.key(table) },
            Body::Object(object) => {
                let filled = self.fill_fields(table, object, &mut row, wanted);
                if !self.has_filled && self.unfilled.is_none() {
                    self.unfilled = Some(Unfilled::new(record.at, object));
                }
                filled
            }
            Body::Other(_) => {
                Err(RefusalKind::value("JSON, but not an object, so it names no column").into())
            }
            Body::Unreadable { reason, .. } => Err(RefusalKind::value(reason.clone()).into()),
        };
        match filled {
            Ok(()) => RowChange::Upsert(row),
            Err(refusal) => refused(refusal, Some(row.key(table))),
        }
    }

    /// Refuses a record that could not be taken out of its envelope. It may be a message, or mean the whole table, so it need not
    /// have the key of a row.
    fn refuse_envelope(
        &mut self,
        table: &TargetTable,
        record: &Decoded<'_>,
        reason: &Reason,
    ) -> RowChange<'static> {
        let mut row = RowValues::default();
        row.make_room(table.columns.len());
        let misfit = self.key_misfit.take();
        let fits = match &record.key {
            DecodedKey::Key { key, .. } => self.fill_key(table, key, &record.key_places, &mut row).is_ok(),
            DecodedKey::Null | DecodedKey::Undecodable { .. } => false,
        };
        self.key_misfit = misfit;
        refused(RefusalKind::value(reason.clone()), fits.then(|| row.key(table)))
    }

    /// A record that filled nothing but the key, if no record has filled more, and the table has columns for more.
    pub fn unfilled(&self, table: &TargetTable) -> Option<&Unfilled> {
        let mut columns = table.columns.iter().enumerate();
        let takes_fields = columns.any(|(at, column)| {
            !(column.in_key || column.generated || column.filled_by_server || self.is_window(at))
        });
        self.unfilled
            .as_ref()
            .filter(|_| takes_fields && !self.has_filled)
    }

    /// The values of a record that was read as an update before. Were it not one now, the driver would refuse the empty
    /// list as too few values.
    pub fn values(&mut self, table: &TargetTable, record: &Record<'_>) -> Vec<Value> {
        // What was decoded once is decoded again without a doubt.
        let Ok(decoded) = self.again.decode(record) else {
            return Vec::new();
        };
        let values = match self.read(table, &decoded, Wanted::Values) {
            RowChange::Upsert(mut row) => {
                let filled = table.key_first().filter_map(|at| row.cells[at].take());
                let mut values = Vec::with_capacity(table.columns.len());
                values.extend(filled.map(Cell::into_value));
                self.take_back(row);
                values
            }
            _ => Vec::new(),
        };
        self.again.take_back([decoded]);
        values
    }

    /// The column that takes a field of this name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.names.column(name)
    }

    /// The configured names of the key's columns; empty if the key itself names its fields.
    pub fn key_names(&self) -> &[String] {
        match &self.plan.columns {
            KeyColumns::Named { names, .. } => names,
            KeyColumns::OnTheWire(_) => &[],
        }
    }

    /// The primary-key columns that a key fills, with their values: all but the window's.
    pub fn key_values(&mut self, table: &TargetTable, key: &Key<'_>) -> Result<Vec<(usize, Value)>, Refusal> {
        let mut row = RowValues::default();
        row.make_room(table.columns.len());
        self.fill_key(table, key, &KeyPlaces::default(), &mut row)?;
        let filled = row.cells.into_iter().enumerate();
        Ok(filled
            .filter_map(|(at, cell)| Some((at, cell?.into_value())))
            .collect())
    }

    /// Names of fields that no column takes, since the last call.
    pub fn take_names_without_column(&mut self) -> Vec<String> {
        std::mem::take(&mut self.without_column).into_iter().collect()
    }

    pub fn names_without_column(&self) -> impl Iterator<Item = &str> {
        self.without_column.iter().map(String::as_str)
    }

    pub(super) fn has_names_without_column(&self) -> bool {
        !self.without_column.is_empty()
    }

    fn fill_key<'a>(
        &mut self,
        table: &TargetTable,
        key: &'a Key<'_>,
        places: &KeyPlaces,
        row: &mut RowValues<'a>,
    ) -> Result<(), Refusal> {
        match key {
            Key::Json(raw) if raw.starts_with('{') => self.fill_key_object(table, raw, places, row),
            Key::Json(raw) => {
                let input = Input::from_json(raw).map_err(RefusalKind::key)?;
                self.fill_single(table, &input, row)
            }
            Key::Text(text) => self.fill_single(table, &key_text(text, table, &self.plan), row),
            Key::Int(number) => self.fill_single(table, &Input::Number(number.to_string().into()), row),
            Key::Double(number) => self.fill_single(table, &Input::Number(format!("{number:?}").into()), row),
            Key::Bytes(bytes) => self.fill_single(table, &Input::Bytes(bytes), row),
        }
    }

    /// Sets the one column of a key that is a single value.
    fn fill_single<'a>(
        &mut self,
        table: &TargetTable,
        input: &Input<'a>,
        row: &mut RowValues<'a>,
    ) -> Result<(), Refusal> {
        let columns = match &self.plan.columns {
            KeyColumns::Named { columns, .. } | KeyColumns::OnTheWire(columns) => columns,
        };
        match columns[..] {
            [at] => row.set(table, at, input),
            _ => {
                let reason = format!(
                    "the key is one value, but the primary key of `{}` is ({})",
                    table.name,
                    table.key_names()
                );
                self.key_misfit.get_or_insert_with(|| reason.clone());
                Err(RefusalKind::key(reason).into())
            }
        }
    }

    fn fill_key_object<'a>(
        &mut self,
        table: &TargetTable,
        raw: &'a str,
        places: &KeyPlaces,
        row: &mut RowValues<'a>,
    ) -> Result<(), Refusal> {
        let fields = match places.fields(raw) {
            Some(fields) => fields,
            None => self.key_fields.read(raw).map_err(RefusalKind::key)?,
        };
        let targets = self.key_columns.of(&fields, |fields| match &self.plan.columns {
            KeyColumns::Named { names, columns } => by_name_or_place(fields, names, columns),
            KeyColumns::OnTheWire(columns) => {
                let found: Vec<_> = fields.iter().map(|(name, _)| self.names.column(name)).collect();
                let complete =
                    found.len() == columns.len() && columns.iter().all(|at| found.contains(&Some(*at)));
                complete.then(|| found.into_iter().flatten().collect())
            }
        });
        let Some(targets) = targets else {
            let names: Vec<String> = fields
                .map(|field| field.name.escape_debug().to_string())
                .collect();
            let fix = match Envelope::seen_in(raw) {
                Some(_) => ENVELOPE_OF_KEYS_FIX,
                None => "set key.columns",
            };
            let reason = format!(
                "the key's fields are ({}), but the primary key of `{}` is ({}); {fix}",
                names.join(", "),
                table.name,
                table.key_names()
            );
            self.key_misfit.get_or_insert_with(|| reason.clone());
            return Err(RefusalKind::key(reason).into());
        };
        for (&at, Field { raw, .. }) in targets.iter().zip(fields) {
            row.set_json(table, at, raw)?;
        }
        Ok(())
    }

    fn fill_fields<'a>(
        &mut self,
        table: &TargetTable,
        object: &'a Object<'_>,
        row: &mut RowValues<'a>,
        wanted: Wanted,
    ) -> Result<(), Refusal> {
        let fields = object.fields().map_err(RefusalKind::value)?;
        for (place, Field { name, raw, .. }) in fields.enumerate() {
            if let Some(at) = self.column_at(table, place, &name) {
                self.has_filled = true;
                let is_number = raw
                    .trim_ascii_start()
                    .starts_with(|c: char| c == '-' || c.is_ascii_digit());
                if is_number && table.columns[at].has_unit() && self.decoder.has_date(&name) {
                    row.set_days(table, at, raw)?;
                } else {
                    row.set_field(table, at, raw, wanted)?;
                }
            }
        }
        let missing = table
            .columns
            .iter()
            .zip(&row.sizes)
            .position(|(column, size)| column.required && *size == 0);
        match missing {
            None => Ok(()),
            Some(at) => Err(Refusal::of_column(at, RefusalKind::Missing)),
        }
    }

    fn is_window(&self, at: usize) -> bool {
        self.plan.window_start == Some(at) || self.plan.window_end == Some(at)
    }

    /// Fields mostly come in the previous record's order, and comparing is cheaper than looking up.
    fn column_at(&mut self, table: &TargetTable, place: usize, name: &str) -> Option<usize> {
        if let Some((expected, column)) = self.order.get(place)
            && expected == name
        {
            return *column;
        }
        // The key wins over a copy of it in the value.
        let column = self
            .column_of(name)
            .filter(|&at| !table.columns[at].in_key && !self.is_window(at));
        if name.len() <= ORDER_NAME_MAX {
            let found = (name.to_owned(), column);
            if place < self.order.len() {
                self.order[place] = found;
            } else if place == self.order.len() && place < ORDER_MAX {
                self.order.push(found);
            }
        }
        column
    }

    fn column_of(&mut self, name: &str) -> Option<usize> {
        if let Some(found) = self.known.get(name) {
            return *found;
        }
        let found = self.names.column(name);
        if self.known.len() < NAMES_MAX {
            self.known.insert(name.to_owned(), found);
            if found.is_none() {
                self.without_column.insert(name.to_owned());
            }
        }
        found
    }
}

fn refused(refusal: impl Into<Refusal>, key: Option<Vec<Value>>) -> RowChange<'static> {
    RowChange::Refused {
        refusal: refusal.into(),
        key,
    }
}

/// Text that is not JSON goes into a BINARY column as its bytes, not as base64.
fn key_text<'a>(text: &'a str, table: &TargetTable, plan: &KeyPlan) -> Input<'a> {
    let column = match &plan.columns {
        KeyColumns::Named { columns, .. } | KeyColumns::OnTheWire(columns) => columns.first(),
    };
    match column.map(|&at| &table.columns[at].kind) {
        Some(ColumnType::Binary { .. }) => Input::Bytes(text.as_bytes()),
        _ => Input::Text(text.into()),
    }
}
