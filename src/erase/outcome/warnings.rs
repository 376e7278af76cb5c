//! What an erasure leaves to a person.

use super::{ErasureOutcome, FileReport};
use crate::problem::Problem;
use crate::words::count;

/// Rejected records that a warning names at most.
const PLACES_SHOWN: usize = 5;

impl ErasureOutcome {
    /// What a person still has to do.
    pub(in crate::erase) fn warnings(&self, dry_run: bool) -> Vec<Problem> {
        let erased = &self.erased;
        let left = if dry_run { "would be left" } else { "were left" };
        let mut warnings = Vec::new();
        let lines = |files: &[FileReport]| files.iter().map(|file| file.lines).sum::<u64>();
        if !erased.not_searchable.is_empty() {
            let what = format!(
                "{} in {} can't be read but hold the subject's bytes: they {left}",
                count(lines(&erased.not_searchable), "line"),
                count(erased.not_searchable.len() as u64, "file"),
            );
            let fix = format!("look at them ({}, …)", erased.not_searchable[0].path);
            warnings.push(Problem::new(what).fix(fix));
        }
        if !erased.mentions.is_empty() {
            let what = format!(
                "{} in {} hold the subject in another field, or in a key without a name: they {left}",
                count(lines(&erased.mentions), "line"),
                count(erased.mentions.len() as u64, "file"),
            );
            let fix = format!("look at them ({}, …)", erased.mentions[0].path);
            warnings.push(Problem::new(what).fix(fix));
        }
        for without in &erased.without_key {
            let what = format!(
                "{} without a key (lake.metadata = false) can't be found by --key",
                count(without.lines, "line")
            );
            warnings.push(Problem::new(what).about_topic(&without.topic).fix("use --where"));
        }
        for table in erased.tables.iter().filter(|table| !table.unsearched.is_empty()) {
            warnings.push(Problem::new(format!(
                "table `{}`: JSON columns are not searched: {}",
                table.table,
                table.unsearched.join(", ")
            )));
        }
        for table in erased
            .tables
            .iter()
            .filter(|table| !table.doubtful_rejects.is_empty())
        {
            let places = &table.doubtful_rejects;
            let what = format!(
                "{} in lakectl_rejects can't be decoded and may be the subject's: they {left}",
                count(places.len() as u64, "record")
            );
            let fix = format!(
                "look at them (Kafka partition/offset {}{}), and DELETE those that are",
                places[..places.len().min(PLACES_SHOWN)].join(", "),
                if places.len() > PLACES_SHOWN { ", …" } else { "" }
            );
            warnings.push(Problem::new(what).about_topic(&table.topic).fix(fix));
        }
        for table in erased.tables.iter().filter(|table| table.history > 0) {
            let what = format!(
                "table `{}` keeps a history (system versioning), in which {} of the subject {left}",
                table.table,
                count(table.history, "version")
            );
            let fix = format!(
                "only the history of all rows can be deleted: DELETE HISTORY FROM `{}`",
                table.table
            );
            warnings.push(Problem::new(what).fix(fix));
        }
        for left in erased.not_done.iter().filter(|left| left.unreached) {
            warnings.push(Problem::new(format!(
                "the {} was not reached, nothing was erased there: {}",
                left.target, left.why
            )));
        }
        warnings.extend(
            erased
                .locked
                .iter()
                .map(|holder| Problem::new(holder).fix("run the same again, or say --wait")),
        );
        warnings
    }
}
