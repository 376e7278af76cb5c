//! Notices rows with an implausible time in their retention column: a purge would take them for old.

use chrono::NaiveDateTime;
use mysql::Value;

use super::cell::Cell;
use super::cells::RowValues;
use super::time::date_time_of;
use crate::config::Topic;
use crate::record::Coordinates;
use crate::report::TimeDoubt;
use crate::types::plausible::PlausibleDays;
use crate::warehouse::table::column::{Column, ColumnType};
use crate::warehouse::table::target::TargetTable;

/// Counts them for one table; other columns may hold any time, as a date of birth does.
#[derive(Debug)]
pub(in crate::warehouse) struct OddTimes {
    /// The retention column and its index, if there is one.
    column: Option<(usize, Column)>,
    plausible: PlausibleDays,
    doubt: Option<TimeDoubt>,
}

impl OddTimes {
    pub fn new(topic: &Topic, table: &TargetTable) -> OddTimes {
        let wanted = topic.row_retention.as_ref();
        let wanted = wanted.map(|retention| retention.column.to_lowercase());
        let mut columns = table.columns.iter().enumerate();
        let found = columns.find(|(_, column)| Some(column.name.to_lowercase()) == wanted);
        OddTimes {
            column: found.map(|(at, column)| (at, column.clone())),
            plausible: PlausibleDays::now(),
            doubt: None,
        }
    }

    pub fn note(&mut self, record: Coordinates, row: &RowValues<'_>) {
        let Some((at, column)) = &self.column else {
            return;
        };
        let Some(Cell::Time(value)) = &row.cells[*at] else {
            return;
        };
        let Some(time) = date_time_of(value).filter(|time| !self.plausible.have(time.date())) else {
            return;
        };
        match &mut self.doubt {
            Some(doubt) => doubt.records += 1,
            None => self.doubt = Some(self.first(record, column, value, time)),
        }
    }

    /// The records noted since the last call.
    pub fn take(&mut self) -> Option<TimeDoubt> {
        self.doubt.take()
    }

    fn first(&self, record: Coordinates, column: &Column, value: &Value, time: NaiveDateTime) -> TimeDoubt {
        let why = format!(
            "column {} is {}",
            column.name,
            value.as_sql(true).trim_matches('\'')
        );
        // A number in a DATE counts days.
        let number = (column.kind != ColumnType::Date).then(|| {
            let nanoseconds = i128::from(time.and_utc().timestamp_micros()) * 1_000;
            i64::try_from(nanoseconds.div_euclid(column.time_unit.nanoseconds().into())).ok()
        });
        let number = number.flatten();
        let likely =
            number.and_then(|number| Some((number, self.plausible.likely_unit(number, column.time_unit)?)));
        TimeDoubt::first(record, why, likely)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Kind, Retention, RowRetention, TimeUnit};
    use crate::warehouse::value::convert::Input;

    fn table(kind: ColumnType) -> TargetTable {
        TargetTable {
            name: "t".to_owned(),
            columns: vec![Column::named("at", kind)],
            primary_key: Vec::new(),
            may_refuse: false,
        }
    }

    fn noted(kind: ColumnType, retention: &str, raws: &[&str]) -> Option<TimeDoubt> {
        let table = table(kind);
        let topic = Topic {
            row_retention: Some(RowRetention {
                column: retention.to_owned(),
                keep: Retention::Days(1),
            }),
            ..Topic::ad_hoc("T", Kind::Table, None).unwrap()
        };
        let mut times = OddTimes::new(&topic, &table);
        for (offset, raw) in (5..).zip(raws) {
            let mut row = RowValues::default();
            row.make_room(1);
            row.set(&table, 0, &Input::from_json(raw).unwrap()).unwrap();
            let at = Coordinates {
                partition: 2,
                offset,
                timestamp_ms: 0,
            };
            times.note(at, &row);
        }
        times.take()
    }

    const DATE_TIME: ColumnType = ColumnType::DateTime { places: 0 };

    #[test]
    fn only_odd_times_of_the_retention_column_are_noted() {
        let raws = [
            "1766000000000",
            "null",
            "1766000000",
            "\"2025-10-31\"",
            "1766000001",
        ];
        let doubt = noted(DATE_TIME, "AT", &raws).unwrap();
        assert_eq!((doubt.records, doubt.partition, doubt.offset), (2, 2, 7));
        assert_eq!(doubt.likely_unit, Some(TimeUnit::S));
        assert_eq!(
            doubt.why,
            "column at is 1970-01-21 10:33:20; it looks like seconds: 1766000000 would be 2025-12-17"
        );
        assert_eq!(noted(DATE_TIME, "other", &raws), None);
        assert_eq!(noted(DATE_TIME, "at", &raws[..2]), None);
        let doubt = noted(ColumnType::Date, "at", &["1766"]).unwrap();
        assert_eq!(
            (doubt.why.as_str(), doubt.likely_unit),
            ("column at is 1974-11-02", None)
        );
        assert!(noted(DATE_TIME, "at", &["\"2999-01-01\""]).is_some());
    }
}
