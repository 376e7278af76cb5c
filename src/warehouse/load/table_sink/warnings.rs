//! What a person should know about a load, beside the numbers of its report.

use std::collections::BTreeMap;

use super::TableSink;
use crate::problem::Problem;
use crate::warehouse::load::transaction::Landed;
use crate::warehouse::load::unfilled::Unfilled;
use crate::warehouse::table::target::TargetTable;
use crate::words::count;

/// How many names of fields one warning lists.
const NAMES_SHOWN: usize = 20;

/// A warning if the collation of a key column makes different keys equal.
pub(super) fn of_folding_keys(table: &TargetTable) -> Option<Problem> {
    let folding = table.folding_key_columns();
    if folding.is_empty() {
        return None;
    }
    let what = format!(
        "table `{}`: keys that differ only in case, accents or trailing blanks may become one row, by the \
         collation of {}",
        table.name,
        folding.join(", ")
    );
    Some(Problem::new(what).fix("utf8mb4_0900_bin (MariaDB: utf8mb4_nopad_bin) keeps them apart"))
}

impl TableSink {
    /// The warnings since the last call.
    pub(super) fn collect_warnings(&mut self) -> Vec<Problem> {
        // After a commit the loader has nothing left to write. After a failed read, its transaction may still commit.
        if let Err(error) = self.wait_for_loader() {
            self.warnings.push(Problem::of(&error));
        }
        if self.counts.landed != Landed::default() && self.batch.has_missed_some() {
            self.warn_of_moved_keys(0);
        }
        self.warn_of_landed();
        self.counts.landed = Landed::default();
        let names = self.reader.take_names_without_column();
        if !names.is_empty() {
            self.warnings.push(Problem::new(self.without_column(&names)));
        }
        std::mem::take(&mut self.warnings)
    }

    /// Says what earlier transactions of a failed load have committed.
    pub(super) fn warn_of_landed(&mut self) {
        let landed = self.counts.landed;
        if landed != Landed::default() {
            let what = format!(
                "table `{}`: earlier transactions of this run are committed, with {} rows upserted, {} deleted and {} records \
                 rejected",
                self.table.name, landed.upserted, landed.deleted, landed.rejected
            );
            self.warnings
                .push(Problem::new(what).fix("the next run continues after them"));
        }
    }

    /// `unsure`: for how many keys this holds; 0 if they were not counted.
    pub(super) fn warn_of_moved_keys(&mut self, unsure: u64) {
        let (table, topic) = (&self.table.name, &self.topic.name);
        let some = match unsure {
            0 => "for some".to_owned(),
            1 => "for 1 key".to_owned(),
            unsure => format!("for {unsure} keys"),
        };
        let what = format!(
            "table `{table}`: keys of topic {topic} occur in several Kafka partitions, as after their number was changed, and this \
             load had more keys than it can remember: {some}, an older record may have been written last, or fields of an older \
             one may be left"
        );
        let fix = format!("to correct the table, run: lakectl warehouse --rebuild --topics {topic}");
        self.warnings.push(Problem::new(what).fix(fix));
    }

    pub(super) fn warn_of_rounded(&mut self, columns: &BTreeMap<usize, u64>) {
        if columns.is_empty() {
            return;
        }
        let told = columns.iter().map(|(&at, &records)| {
            format!(
                "{} (of {})",
                self.table.columns[at].name,
                count(records, "record")
            )
        });
        let what = format!(
            "table `{}`: numbers with more digits than their columns keep were rounded: {}",
            self.table.name,
            told.collect::<Vec<_>>().join(", ")
        );
        self.warnings
            .push(Problem::new(what).fix("`lakectl check` names types that keep them"));
    }

    pub(super) fn warn_of_numbers(&mut self) {
        if let Some(told) = self.table.numbers_in_words() {
            let what = format!("table `{}`: {}", self.table.name, told.what);
            self.warnings.push(Problem { what, ..told });
        }
    }

    pub(super) fn warn_of_foreign_keys(&mut self, records: u64) {
        let what = format!(
            "table `{}`: {records} of the rejected were refused by a foreign key: a row that they refer to is not there yet, \
             or rows of another table still refer to theirs",
            self.table.name
        );
        let fix = format!(
            "once the other table is as it should be, run: lakectl warehouse --rebuild --topics {}",
            self.topic.name
        );
        self.warnings.push(Problem::new(what).fix(fix));
    }

    pub(super) fn warn_of_long_first_load(&mut self) {
        let what = format!(
            "table `{}`: its first load is not complete yet, and goes on: rows whose tombstones Kafka has dropped since it \
             began stay until a rebuild",
            self.table.name
        );
        let fix = format!(
            "to remove them once it is complete, run: lakectl warehouse --rebuild --topics {}",
            self.topic.name
        );
        self.warnings.push(Problem::new(what).fix(fix));
    }

    /// What is told if no record of the run filled more than its key.
    pub(super) fn of_unfilled(&self, unfilled: &Unfilled) -> Problem {
        Problem::new(format!(
            "table `{}`: no record of this run filled a column beside the key ({}): {}",
            self.table.name,
            self.table.key_names(),
            unfilled.shown(&self.table)
        ))
        .fix(format!(
            "{}; then load the rows again: lakectl warehouse --rebuild --topics {}",
            unfilled.fix(),
            self.topic.name
        ))
    }

    pub(super) fn without_column(&self, names: &[String]) -> String {
        let shown = names
            .iter()
            .take(NAMES_SHOWN)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let more = match names.len().saturating_sub(NAMES_SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "fields without a column in table `{}`, left out: {shown}{more}",
            self.table.name
        )
    }
}
