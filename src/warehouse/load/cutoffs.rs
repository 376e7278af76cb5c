//! `lakectl_cutoffs`: rows that a purge has deleted stay away, even if their records are read again.
//!
//! A row whose column is before its cutoff does not come back: a record that would make one deletes its key's row
//! instead. A purge records the cutoff before it deletes, under the table's lock, which every load holds too.

use anyhow::Result;
use mysql::prelude::Queryable;
use mysql::{Conn, Value};

use crate::problem::Problem;
use crate::stop::Stop;
use crate::warehouse::server::locked_session::{Link, PATIENCE};
use crate::warehouse::server::statement::rows_of;
use crate::warehouse::table::column::ColumnType;
use crate::warehouse::table::target::TargetTable;
use crate::warehouse::value::cell::Cell;
use crate::warehouse::value::cells::RowValues;

pub(in crate::warehouse) const TABLE: &str = "lakectl_cutoffs";

/// Year, month, day, hour, minute, second, microsecond, in UTC: as MySQL sends them, and in the order of time.
type Moment = (u16, u8, u8, u8, u8, u8, u32);

/// Which times of a column a purge has deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PurgedTimes {
    /// Earlier times are not covered, as they are implausible; None: they are.
    since: Option<Moment>,
    cutoff: Moment,
}

/// The cutoffs of one table, by column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::warehouse) struct Cutoffs(Vec<(String, PurgedTimes)>);

/// The same, by index into the table's columns.
#[derive(Debug, Default)]
pub(in crate::warehouse) struct RowCutoffs {
    pub cutoffs: Cutoffs,
    columns: Vec<(usize, PurgedTimes)>,
}

pub(in crate::warehouse) fn read(conn: &mut Conn, table: &str) -> mysql::Result<Cutoffs> {
    let rows: Vec<(String, Value, Value)> = conn.exec(
        format!("SELECT column_name, since, cutoff FROM {TABLE} WHERE table_name = ? ORDER BY column_name"),
        (table,),
    )?;
    let dated = |(column, since, cutoff): (String, Value, Value)| {
        let times = PurgedTimes {
            since: moment(&since),
            cutoff: moment(&cutoff)?,
        };
        Some((column, times))
    };
    Ok(Cutoffs(rows.into_iter().filter_map(dated).collect()))
}

/// Records a cutoff, unless a later one is recorded already, and the time since which rows are purged; NULL: all are.
pub(crate) fn raise(
    link: &mut Link,
    table: &str,
    column: &str,
    (since, cutoff): (&Value, &Value),
    stop: &Stop,
) -> Result<()> {
    let all = *since == Value::NULL;
    let sql = format!(
        "INSERT INTO {TABLE} (table_name, column_name, since, cutoff) VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE \
         updated_at = IF(cutoff < VALUES(cutoff) OR (since IS NOT NULL AND {all}), CURRENT_TIMESTAMP(3), updated_at), \
         since = IF({all}, NULL, since), cutoff = GREATEST(cutoff, VALUES(cutoff))"
    );
    let values = [table.into(), column.into(), since.clone(), cutoff.clone()];
    link.change(PATIENCE, stop, &mut rows_of(&sql, &values))?;
    Ok(())
}

impl Cutoffs {
    /// Each column with its cutoff in UTC, as `YYYY-MM-DD HH:MM:SS`.
    pub fn shown(&self) -> Vec<(String, String)> {
        let text = |(year, month, day, hour, minute, second, _): Moment| {
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
        };
        let cutoffs = self.0.iter();
        cutoffs
            .map(|(column, times)| (column.clone(), text(times.cutoff)))
            .collect()
    }
}

impl RowCutoffs {
    /// # Errors
    /// A column is gone or no longer holds a time, so nothing could keep purged rows away: exit code 2.
    pub fn new(cutoffs: Cutoffs, table: &TargetTable) -> Result<RowCutoffs> {
        let mut columns = Vec::with_capacity(cutoffs.0.len());
        for (name, times) in &cutoffs.0 {
            let lower = name.to_lowercase();
            let at = table
                .columns
                .iter()
                .position(|column| column.name.to_lowercase() == lower && has_time(&column.kind));
            let Some(at) = at else {
                return Problem::usage(format!(
                    "table `{}`: a purge deleted rows by column `{name}`, which is no longer there as a TIMESTAMP, \
                     DATETIME or DATE: a load could bring them back",
                    table.name
                ))
                .fix(format!(
                    "where the column has a new name, put it into {TABLE} (table_name '{}'), else delete that row of {TABLE}",
                    table.name
                ))
                .err();
            };
            columns.push((at, *times));
        }
        Ok(RowCutoffs { cutoffs, columns })
    }

    /// Whether a row with these values was purged, or would be.
    pub fn covers(&self, row: &RowValues<'_>) -> bool {
        self.columns
            .iter()
            .any(|(column, times)| match &row.cells[*column] {
                Some(Cell::Time(value)) => moment(value).is_some_and(|moment| times.cover(moment)),
                _ => false,
            })
    }
}

impl PurgedTimes {
    fn cover(&self, moment: Moment) -> bool {
        moment < self.cutoff && self.since.is_none_or(|since| moment >= since)
    }
}

/// Whether the column can be compared with a cutoff.
pub(crate) fn has_time(kind: &ColumnType) -> bool {
    matches!(
        kind,
        ColumnType::Date | ColumnType::DateTime { .. } | ColumnType::Timestamp { .. }
    )
}

fn moment(value: &Value) -> Option<Moment> {
    match *value {
        Value::Date(year, month, day, hour, minute, second, micros) => {
            Some((year, month, day, hour, minute, second, micros))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_before_the_cutoff_is_covered() {
        let times = PurgedTimes {
            since: None,
            cutoff: (2023, 11, 22, 0, 0, 0, 0),
        };
        let mut purged = RowCutoffs {
            cutoffs: Cutoffs::default(),
            columns: vec![(3, times)],
        };
        let covers = |purged: &RowCutoffs, column: usize, value: Value| {
            let mut row = RowValues {
                cells: vec![Some(Cell::Int(7)), None, None, None],
                ..RowValues::default()
            };
            row.cells[column] = Some(Cell::of(&value));
            purged.covers(&row)
        };
        let last = Value::Date(2023, 11, 21, 23, 59, 59, 999_999);
        let wrong_unit = Value::Date(1970, 1, 21, 10, 33, 20, 0);
        assert!(covers(&purged, 3, last.clone()));
        assert!(!covers(&purged, 3, Value::Date(2023, 11, 22, 0, 0, 0, 0)));
        assert!(covers(&purged, 3, Value::Date(2022, 12, 31, 0, 0, 0, 0)));
        assert!(!covers(&purged, 3, Value::NULL));
        assert!(!covers(&purged, 2, Value::Date(2000, 1, 1, 0, 0, 0, 0)));
        assert!(covers(&purged, 3, wrong_unit.clone()));
        purged.columns[0].1.since = Some((2000, 1, 1, 0, 0, 0, 0));
        assert!(covers(&purged, 3, last) && !covers(&purged, 3, wrong_unit));
    }
}
