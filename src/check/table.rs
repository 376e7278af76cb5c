//! A topic's MySQL table: whether it fits the key, takes the records of the sample, and can be purged.

use super::scope::CheckedTopic;
use super::{CheckStatus, Checks};
use crate::warehouse::{DependentRows, Trial, Warehouse};
use crate::words::count;

/// Checks the table, and returns it ready for a sample; None if it does not fit.
pub(super) fn begin(warehouse: &Warehouse, subject: &CheckedTopic, checks: &mut Checks) -> Option<Trial> {
    let place = (subject.name(), "table");
    match warehouse.trial(&subject.topic) {
        Ok(trial) => {
            let (table, key) = trial.table();
            let folding = trial.folding_key_columns();
            let advice = (!folding.is_empty()).then(|| {
                format!(
                    "keys that differ only in case, accents or trailing blanks may become one row, by the collation of \
                     {}: utf8mb4_0900_bin (MariaDB: utf8mb4_nopad_bin) keeps them apart",
                    folding.join(", ")
                )
            });
            checks.ok_but(place, format!("`{table}`, InnoDB, primary key ({key})"), advice);
            retention(warehouse, subject, checks);
            references(warehouse, subject, checks);
            Some(trial)
        }
        Err(error) => {
            let otherwise = "have key.columns, window and warehouse.columns fill it, or give the table a primary key of \
                             just the record key's columns (and window_start of a windowed one)";
            checks.error(place, &error, otherwise);
            checks.unknown((subject.name(), "rows"), "the table does not fit");
            None
        }
    }
}

fn retention(warehouse: &Warehouse, subject: &CheckedTopic, checks: &mut Checks) {
    let Some(retention) = &subject.topic.row_retention else {
        return;
    };
    let place = (subject.name(), "retention");
    match warehouse.retention_index(&subject.topic, &retention.column) {
        Ok(None) => checks.ok(place, format!("an index begins with `{}`", retention.column)),
        Ok(Some(statement)) => checks.wrong(
            place,
            format!(
                "no index begins with `{}`: a purge would read the whole table for each of its steps",
                retention.column
            ),
            statement,
        ),
        Err(error) => checks.error(
            place,
            &error,
            "name a TIMESTAMP, DATETIME or DATE column of the table in warehouse.retention",
        ),
    }
}

/// Names the foreign keys by which deletions reach other tables.
fn references(warehouse: &Warehouse, subject: &CheckedTopic, checks: &mut Checks) {
    let place = (subject.name(), "references");
    match warehouse.dependents(&subject.topic) {
        Ok(dependents) if dependents.is_empty() => {}
        Ok(dependents) => {
            let keys: Vec<String> = dependents.iter().map(DependentRows::foreign_key).collect();
            checks.ok_but(
                place,
                format!("deletions reach other tables by foreign key {}", keys.join(", ")),
                Some(
                    "purges and erasures count these rows; tombstones and rebuilds delete or change them uncounted: \
                     where that must not be, have the foreign keys RESTRICT"
                        .to_owned(),
                ),
            )
        }
        Err(error) => checks.error(
            place,
            &error,
            "purges and erasures of this table are refused until its dependent rows can be counted",
        ),
    }
}

/// Reports how the records of the sample fit the table.
pub(super) fn finish(trial: Trial, subject: &CheckedTopic, checks: &mut Checks) {
    let place = (subject.name(), "rows");
    let tried = trial.finish();
    for finding in &tried.wrong {
        checks.add(CheckStatus::Wrong, place, &finding.message, finding.fix.clone());
    }
    if tried.wrong.is_empty() || !tried.notes.is_empty() {
        let notes: Vec<&str> = tried.notes.iter().map(|note| note.message.as_str()).collect();
        let fixes: Vec<String> = tried.notes.iter().filter_map(|note| note.fix.clone()).collect();
        let fit = format!(
            "{} and {} fit",
            count(tried.upserts, "update"),
            count(tried.deletes, "deletion")
        );
        // Beside errors, "0 updates fit" would read as if it were all right.
        let some_fit = tried.wrong.is_empty() || tried.upserts + tried.deletes > 0;
        let told: Vec<&str> = some_fit
            .then_some(fit.as_str())
            .into_iter()
            .chain(notes)
            .collect();
        let message = told.join("; ");
        checks.ok_but(place, message, (!fixes.is_empty()).then(|| fixes.join("; ")));
    }
    if let Some(doubt) = &tried.odd_times {
        let place = (subject.name(), "retention");
        checks.odd_times(place, doubt, "would be purged by a time");
    }
}
