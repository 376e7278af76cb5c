//! Tries records on a table: they become rows as in a load, but are not written.

use anyhow::Result;
use mysql::Value;
use std::collections::{BTreeMap, BTreeSet};

use super::alter_column::Definitions;
use super::width::{WiderType, Width};
use crate::config::{Topic, closest};
use crate::decode::Decoded;
use crate::problem::About;
use crate::report::TimeDoubt;
use crate::warehouse::connected::Warehouse;
use crate::warehouse::load::read_record::{RowChange, RowReader};
use crate::warehouse::load::table_sink::STATEMENT_OVERHEAD_BYTES;
use crate::warehouse::server::connect;
use crate::warehouse::table::column::{Column, ColumnType};
use crate::warehouse::table::mapping;
use crate::warehouse::table::target::TargetTable;
use crate::warehouse::value::cell::{Cell, values_bytes};
use crate::warehouse::value::cells::Wanted;
use crate::warehouse::value::odd_times::OddTimes;
use crate::warehouse::value::refusal::{Refusal, RefusalKind};
use crate::words::count;

/// A problem with the table or its records, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub message: String,
    pub fix: Option<String>,
}

/// The result of trying a sample of records.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    /// Updates that fit; none of them if all would fill the key alone.
    pub upserts: u64,
    pub deletes: u64,
    /// Problems that would lose or refuse records.
    pub wrong: Vec<Finding>,
    /// Losses that a load would accept: fields without a column, rounded decimals.
    pub notes: Vec<Finding>,
    /// Rows with an implausible time in their retention column.
    pub odd_times: Option<TimeDoubt>,
}

/// A table, and what the records tried so far would do to it.
#[derive(Debug)]
pub struct Trial {
    table: TargetTable,
    definitions: Definitions,
    reader: RowReader,
    /// The same table with columns that take everything as text, to measure which types the records need.
    loose: TargetTable,
    loose_reader: RowReader,
    strict: bool,
    packet_max: usize,
    largest: usize,
    keyless: u64,
    upserts: u64,
    deletes: u64,
    rejects: u64,
    refused: BTreeMap<Refusal, RefusedSample>,
    widths: BTreeMap<usize, Width>,
    /// Column -> how many records had a number that it rounds.
    rounded: BTreeMap<usize, u64>,
    odd_times: OddTimes,
}

#[derive(Debug)]
struct RefusedSample {
    records: u64,
    first: (i32, i64),
}

impl Warehouse {
    /// Opens the topic's table for a trial.
    ///
    /// # Errors
    /// A table that is missing or does not fit the topic: exit code 2.
    pub fn trial(&self, topic: &Topic) -> Result<Trial> {
        let (table, reader, definitions) = self.look(connect::READ_TIMEOUT, |conn| {
            let (table, reader) = self.fit(conn, topic).about_topic(&topic.name)?;
            let definitions = Definitions::read(conn, &self.server, &table.name)?;
            Ok((table, reader, definitions))
        })?;
        let loose = loosened(&table);
        let (names, plan) = mapping::plan(topic, &loose)?;
        Ok(Trial {
            loose_reader: RowReader::new(topic, &self.registry, names, plan),
            loose,
            reader,
            strict: topic.strict,
            odd_times: OddTimes::new(topic, &table),
            packet_max: self.server.packet_max,
            table,
            definitions,
            largest: 0,
            keyless: 0,
            upserts: 0,
            deletes: 0,
            rejects: 0,
            refused: BTreeMap::new(),
            widths: BTreeMap::new(),
            rounded: BTreeMap::new(),
        })
    }
}

fn loose(column: &Column) -> Column {
    Column {
        kind: ColumnType::Text {
            chars_max: None,
            bytes_max: u64::MAX,
            fixed: false,
        },
        nullable: true,
        required: false,
        ..column.clone()
    }
}

fn loosened(table: &TargetTable) -> TargetTable {
    TargetTable {
        name: table.name.clone(),
        columns: table.columns.iter().map(loose).collect(),
        primary_key: table.primary_key.clone(),
        may_refuse: false,
    }
}

impl Trial {
    /// The table's name as MySQL spells it, and its primary key.
    pub fn table(&self) -> (&str, String) {
        (&self.table.name, self.table.key_names())
    }

    /// Key columns, with their collation, in which two different keys can be one row.
    pub fn folding_key_columns(&self) -> Vec<String> {
        self.table.folding_key_columns()
    }

    pub fn take(&mut self, record: &Decoded<'_>) {
        match self.reader.read(&self.table, record, Wanted::Values) {
            RowChange::NoKey => self.keyless += 1,
            RowChange::Delete { .. } => self.deletes += 1,
            RowChange::Upsert(row) => {
                self.upserts += 1;
                for &column in &row.rounded {
                    *self.rounded.entry(column).or_default() += 1;
                }
                self.odd_times.note(record.at, &row);
                let values: Vec<Value> = row.cells.into_iter().flatten().map(Cell::into_value).collect();
                self.largest = self.largest.max(values_bytes(&values));
            }
            RowChange::Refused { refusal, .. } => {
                self.rejects += 1;
                self.refuse(record, refusal);
            }
        }
        if let RowChange::Upsert(row) = self.loose_reader.read(&self.loose, record, Wanted::Values) {
            for (at, cell) in row.cells.into_iter().enumerate() {
                if let Some(Cell::Bytes(text)) = cell {
                    self.widths
                        .entry(at)
                        .or_default()
                        .take(&String::from_utf8_lossy(&text));
                }
            }
        }
    }

    /// Counts the refusal, and all further ones that the record would meet if that one were fixed.
    fn refuse(&mut self, record: &Decoded<'_>, mut refusal: Refusal) {
        let mut table = self.table.clone();
        loop {
            let column = refusal.column;
            let refused = self
                .refused
                .entry(refusal.without_place())
                .or_insert(RefusedSample {
                    records: 0,
                    first: (record.at.partition, record.at.offset),
                });
            refused.records += 1;
            // Each round loosens one more column, or is the last.
            let Some(column) = column.map(|at| &mut table.columns[at]) else {
                return;
            };
            let made = loose(column);
            if (&column.kind, column.nullable, column.required) == (&made.kind, true, false) {
                return;
            }
            *column = made;
            match self.reader.read(&table, record, Wanted::Values) {
                RowChange::Refused { refusal: next, .. } => refusal = next,
                _ => return,
            }
        }
    }

    pub fn finish(mut self) -> Tried {
        let mut tried = Tried {
            upserts: self.upserts,
            deletes: self.deletes,
            ..Tried::default()
        };
        let all = self.upserts + self.deletes + self.keyless + self.rejects;
        for (refusal, refused) in &self.refused {
            let (partition, offset) = refused.first;
            let reason = refusal.in_words(&self.table);
            tried.wrong.push(Finding {
                message: format!(
                    "{} of {} would be rejected: {reason} (the first in Kafka partition {partition} at offset {offset})",
                    refused.records,
                    count(all, "record"),
                ),
                fix: Some(self.fix(refusal)),
            });
        }
        if self.keyless > 0 {
            tried.wrong.push(Finding {
                message: format!(
                    "{} without a key would be skipped: without a key there is no row to change",
                    count(self.keyless, "record")
                ),
                fix: Some(
                    "give the records a key where they are produced (in ksqlDB: PARTITION BY)".to_owned(),
                ),
            });
        }
        let row_bytes = self.largest + STATEMENT_OVERHEAD_BYTES;
        if row_bytes > self.packet_max {
            tried.wrong.push(Finding {
                message: format!(
                    "a row of {} bytes does not fit into the server's max_allowed_packet of {} bytes",
                    self.largest, self.packet_max
                ),
                fix: Some(format!(
                    "SET PERSIST max_allowed_packet = {}",
                    row_bytes.next_power_of_two()
                )),
            });
        }
        if let Some(unfilled) = self.reader.unfilled(&self.table) {
            tried.upserts = 0;
            tried.wrong.push(Finding {
                message: format!(
                    "no record of the sample fills a column beside the key ({}): {}",
                    self.table.key_names(),
                    unfilled.shown(&self.table)
                ),
                fix: Some(unfilled.fix()),
            });
        }
        self.report_names_without_column(&mut tried);
        tried.notes.extend(self.rounded());
        tried.notes.extend(self.numbered());
        tried.odd_times = self.odd_times.take();
        tried
    }

    /// Reports fields that no column takes, and the column that one of them may be meant for.
    fn report_names_without_column(&mut self, tried: &mut Tried) {
        let names = self.reader.take_names_without_column();
        if names.is_empty() {
            return;
        }
        let idle: Vec<&str> = (0..self.table.columns.len())
            .filter(|at| !self.widths.contains_key(at) && !self.table.columns[*at].in_key)
            .map(|at| self.table.columns[at].name.as_str())
            .collect();
        let meant = names
            .iter()
            .find_map(|name| Some((name, closest(name, idle.iter().copied())?)));
        let fix = match meant {
            Some((name, column)) => {
                let setting = mapping::columns_setting(name, column);
                format!("if {name} belongs in `{column}`, which nothing fills: {setting}")
            }
            None => format!("ALTER TABLE `{}` ADD COLUMN … would keep them", self.table.name),
        };
        let finding = Finding {
            message: format!("fields without a column, left out: {}", names.join(", ")),
            fix: Some(fix),
        };
        if self.strict {
            tried.wrong.push(Finding {
                message: format!("{} (warehouse.strict = true)", finding.message),
                ..finding
            })
        } else {
            tried.notes.push(finding)
        }
    }

    /// Names the columns that round numbers, and types that keep them.
    fn rounded(&self) -> Vec<Finding> {
        let finding = |(&at, &records): (&usize, &u64)| {
            let column = &self.table.columns[at];
            let width = self.widths.get(&at).cloned().unwrap_or_default();
            // With exponents there is no telling how wide a DECIMAL must be.
            let exact = || match width.places() {
                Some(_) => width.decimal(0),
                None => WiderType::Varchar { chars: 64 },
            };
            let (how, wanted) = match column.kind {
                ColumnType::Decimal { scale, .. } => {
                    let how = match width.places() {
                        Some(places) => format!("to {scale} of {places} decimal places"),
                        None => format!("to {scale} decimal places"),
                    };
                    (how, width.decimal(scale))
                }
                ColumnType::Json => (
                    "numbers in JSON to 64 bits: about 16 digits, 20 of integers".to_owned(),
                    WiderType::Longtext,
                ),
                ColumnType::Float {
                    places: Some(places), ..
                } => (format!("to {places} decimal places"), exact()),
                ColumnType::Float { single: true, .. } => ("to 24 bits, about 7 digits".to_owned(), exact()),
                _ => ("to 53 bits, about 16 digits".to_owned(), exact()),
            };
            Finding {
                message: format!(
                    "column {} rounds {how}, in {}",
                    column.name,
                    count(records, "record")
                ),
                fix: Some(self.modify(column, wanted)),
            }
        };
        self.rounded.iter().map(finding).collect()
    }

    fn numbered(&self) -> Option<Finding> {
        let at = self.table.numbered_column()?;
        let takes_numbers = self.upserts > 0 && !self.widths.contains_key(&at);
        let told = self.table.numbers_in_words().filter(|_| takes_numbers)?;
        Some(Finding {
            message: told.what,
            fix: told.fix,
        })
    }

    fn fix(&self, refusal: &Refusal) -> String {
        let Some(at) = refusal.column else {
            return match refusal.kind {
                RefusalKind::Key(_) => "see the findings about the keys".to_owned(),
                _ => "fix what produces them, or leave them in lakectl_rejects".to_owned(),
            };
        };
        let column = &self.table.columns[at];
        let name = &column.name;
        match refusal.kind {
            RefusalKind::Missing => {
                let setting = mapping::columns_setting(&self.name_most_like(name), name);
                format!(
                    "let `{name}` be NULL or give it a DEFAULT, or name the field that fills it: {setting}"
                )
            }
            RefusalKind::Null => format!("let `{name}` be NULL, or send no nulls"),
            _ => {
                let width = self.widths.get(&at).cloned().unwrap_or_default();
                match width.wider_type(&column.kind) {
                    Some(wider) => self.modify(column, wider),
                    None => {
                        format!("give `{name}` a type that holds such values, or fix what produces them")
                    }
                }
            }
        }
    }

    /// The field without a column that is most like `column`, or `FIELD`.
    fn name_most_like(&self, column: &str) -> String {
        let names: BTreeSet<&str> = self.reader.names_without_column().collect();
        closest(column, names).unwrap_or("FIELD").to_owned()
    }

    fn modify(&self, column: &Column, wanted: WiderType) -> String {
        self.definitions.modify(&self.table.name, column, wanted)
    }
}
