//! What a table has to hold: the fold of its topic, written out as MySQL would, without any of lakectl's code.

use chrono::{DateTime, Utc};
use mysql::Conn;
use mysql::prelude::Queryable;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

use super::world::{Row, Warehouse, query};
use crate::common::compare::fold;
use crate::common::kafka::{Record, Topic, record};

/// Where a column's content comes from.
#[derive(Clone, Copy)]
pub enum Source {
    /// The key, or its text before the window.
    Key,
    /// A field of a JSON key.
    KeyField(&'static str),
    /// Milliseconds in the key's last eight bytes.
    WindowStart,
    /// Numbers in the value, as they are written.
    Decimal(&'static str),
    Whole(&'static str),
    Json(&'static str),
    /// RFC 3339; the fraction is cut.
    Time(&'static str),
}
use Source::*;

/// A table: all its columns in their order, but for last_updated_at.
#[derive(Clone, Copy)]
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Source)],
}

pub const COUNTS: Table = Table {
    name: "product_purchase_counts",
    columns: &[("product_id", Key), ("purchase_count", Whole("PURCHASE_COUNT"))],
};

pub const BY_TYPE: Table = Table {
    name: "total_par_transaction_type",
    columns: &[
        ("transaction_type", Key),
        ("total_amount", Decimal("TOTAL_AMOUNT")),
        ("transaction_count", Whole("TRANSACTION_COUNT")),
    ],
};

pub const LIFECYCLE: Table = Table {
    name: "transaction_lifecycle",
    columns: &[
        ("transaction_id", Key),
        ("status_history", Json("STATUS_HISTORY")),
        ("last_update_time", Time("LAST_UPDATE_TIME")),
    ],
};

pub const SPENT: Table = Table {
    name: "total_depense_par_user_type",
    columns: &[
        ("user_id", KeyField("USER_ID")),
        ("transaction_type", KeyField("TRANSACTION_TYPE")),
        ("total_depense_usd", Decimal("TOTAL_DEPENSE_USD")),
    ],
};

pub const SLIDING: Table = Table {
    name: "total_par_type_5min_sliding",
    columns: &[
        ("window_start_time", WindowStart),
        ("transaction_type", Key),
        ("total_amount_5min", Decimal("TOTAL_AMOUNT_5MIN")),
    ],
};

/// A record of the table COUNTS.
pub fn count(product: &str, count: i64) -> Record {
    record(product, &format!("{{\"PURCHASE_COUNT\":{count}}}"))
}

impl Table {
    /// The table's rows equal the fold of its topic.
    pub fn assert_equals(self, warehouse: &Warehouse, topic: &Topic) {
        let (rows, wanted) = (self.rows(&mut warehouse.session()), self.fold(&topic.read()));
        self.assert_same(&rows, &wanted);
    }

    /// The table's rows equal the fold of what lies below its progress, wherever the last run was stopped.
    pub fn assert_whole(
        self,
        warehouse: &Warehouse,
        topic: &Topic,
        records: &[Record],
    ) -> BTreeMap<i32, i64> {
        let mut session = warehouse.session();
        // One moment for both: the server may still be ending the session of a run that was killed.
        session
            .query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            .unwrap();
        let rows = self.rows(&mut session);
        let next: Vec<(i32, i64)> = session
            .exec(
                "SELECT kafka_partition, next_offset FROM lakectl_progress \
                 WHERE table_name = ? AND topic = ? AND next_offset IS NOT NULL",
                (self.name, &topic.name),
            )
            .unwrap();
        let next: BTreeMap<i32, i64> = next.into_iter().collect();
        let taken = |record: &&Record| {
            next.get(&record.partition)
                .is_some_and(|next| record.offset < *next)
        };
        let taken: Vec<Record> = records.iter().filter(taken).cloned().collect();
        self.assert_same(&rows, &self.fold(&taken));
        next
    }

    fn assert_same(self, rows: &[Row], wanted: &[Row]) {
        let not_in = |these: &[Row], those: &[Row]| -> Vec<Row> {
            these.iter().filter(|row| !those.contains(row)).cloned().collect()
        };
        assert!(
            rows == wanted,
            "{}: {} rows, the fold has {}\nonly in MySQL: {:#?}\nonly in the fold: {:#?}",
            self.name,
            rows.len(),
            wanted.len(),
            not_in(rows, wanted),
            not_in(wanted, rows)
        );
    }

    /// What MySQL has, sorted.
    pub fn rows(self, session: &mut Conn) -> Vec<Row> {
        let result = session
            .query_iter(format!("SELECT * FROM {} LIMIT 0", self.name))
            .unwrap();
        let names: Vec<String> = result
            .columns()
            .as_ref()
            .iter()
            .map(|column| column.name_str().into_owned())
            .collect();
        drop(result);
        let own: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, [&own[..], &["last_updated_at"]].concat(), "{}", self.name);
        let mut rows = query(session, &format!("SELECT {} FROM {}", own.join(", "), self.name));
        for row in &mut rows {
            for (cell, (_, source)) in row.iter_mut().zip(self.columns) {
                if let (Json(_), Some(text)) = (source, cell) {
                    *text = serde_json::from_str::<Value>(text).unwrap().to_string();
                }
            }
        }
        rows.sort_unstable();
        rows
    }

    /// What it should have, sorted.
    pub fn fold(self, records: &[Record]) -> Vec<Row> {
        let mut rows: Vec<Row> = fold(records)
            .values()
            .map(|record| {
                let cell = |(_, source): &(&str, Source)| source.cell(record);
                self.columns.iter().map(cell).collect()
            })
            .collect();
        rows.sort_unstable();
        rows
    }
}

impl Source {
    fn cell(self, record: &Record) -> Option<String> {
        let (key, value) = (record.key.as_deref().unwrap(), record.value.as_deref().unwrap());
        let field = |name: &str| {
            let mut fields: BTreeMap<String, &RawValue> = serde_json::from_slice(value).unwrap();
            let raw = fields
                .remove(name)
                .unwrap_or_else(|| panic!("no {name} in {record:?}"));
            (raw.get() != "null").then(|| raw.get().to_owned())
        };
        match self {
            Key => {
                // A window's start is a time of these centuries: its first byte is 0, which no text has.
                let text = key.split(|byte| *byte == 0).next().unwrap();
                Some(std::str::from_utf8(text).unwrap().to_owned())
            }
            KeyField(name) => {
                let key: Value = serde_json::from_slice(key).unwrap();
                Some(key[name].as_str().unwrap().to_owned())
            }
            WindowStart => {
                let start = key[key.len() - 8..].try_into().unwrap();
                Some(time(
                    DateTime::from_timestamp_millis(i64::from_be_bytes(start)).unwrap(),
                ))
            }
            Decimal(name) => field(name).map(|text| two_decimals(&text)),
            Whole(name) => field(name),
            Json(name) => field(name).map(|text| serde_json::from_str::<Value>(&text).unwrap().to_string()),
            Time(name) => field(name).map(|text| {
                let text: String = serde_json::from_str(&text).unwrap();
                time(DateTime::parse_from_rfc3339(&text).unwrap().to_utc())
            }),
        }
    }
}

fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// As a DECIMAL of scale 2 prints a number that was written with no more decimals.
fn two_decimals(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(
        fraction.len() <= 2 && fraction.bytes().all(|b| b.is_ascii_digit()),
        "{text}"
    );
    format!("{whole}.{fraction:0<2}")
}
