//! Retention in MySQL: rows whose timestamp column is older than the cutoff.

use anyhow::Result;
use chrono::NaiveDate;
use std::time::{Duration, Instant};

use super::outcome::PurgedTable;
use crate::config::{Retention, Settings, Topic};
use crate::exit::usage;
use crate::locked::Locked;
use crate::print::bars::Display;
use crate::stop::Stop;
use crate::warehouse::{PurgeEnded, TablePlan, Warehouse};

/// Plans every table with a configured retention column, before anything is deleted. Tables that can't be purged go to
/// `unfit`, and don't stop the others.
pub(super) fn plan(
    warehouse: &Warehouse,
    settings: &Settings,
    chosen: &dyn Fn(&str) -> bool,
    older_than: Option<Retention>,
    today: NaiveDate,
    unfit: &mut dyn FnMut(&Topic, anyhow::Error),
) -> Result<Vec<TablePlan>> {
    let mut plans = Vec::new();
    for topic in settings
        .topics
        .values()
        .filter(|topic| topic.warehouse_enabled && chosen(&topic.name))
    {
        let Some(retention) = &topic.row_retention else {
            continue;
        };
        let keep = older_than.unwrap_or(retention.keep);
        let cutoff = keep
            .cutoff(today)
            .ok_or_else(|| usage(format!("{keep} ago is not a date")));
        let survey = |cutoff| warehouse.survey_rows(topic, &retention.column, cutoff, settings.lake.timezone);
        match cutoff.and_then(survey) {
            Ok(plan) => plans.push(plan),
            Err(error) => unfit(topic, error),
        }
    }
    Ok(plans)
}

/// Deletes rows in short transactions, and counts them in `tables`, even if an error ends it early.
pub(super) fn execute(
    warehouse: &Warehouse,
    plan: &TablePlan,
    until: (Duration, Option<Instant>),
    stop: &Stop,
    display: &Display,
    tables: &mut Vec<PurgedTable>,
) -> Result<Locked<()>> {
    let bar = display.rows(&plan.table, plan.doomed());
    let (wait, deadline) = until;
    let purged = warehouse.purge_rows(plan, wait, deadline, stop, &mut |rows| bar.deleted(rows));
    let ended = purged
        .as_ref()
        .err()
        .and_then(|error| error.downcast_ref::<PurgeEnded>());
    let (rows, unknown) = match (&purged, ended) {
        (Ok(Locked::Ours(rows)), _) => (rows.clone(), 0),
        (_, Some(ended)) => (ended.purged.clone(), ended.unknown),
        _ => return purged.map(|purged| purged.map(drop)),
    };
    tables.push(PurgedTable {
        table: plan.table.clone(),
        column: plan.column.clone(),
        cutoff: plan.cutoff.clone(),
        rows: rows.deleted,
        rows_left: rows.left,
        rows_unknown: unknown,
        rows_without_time: plan.rows_without_time,
        dependents: rows.dependents,
        rejects: rows.rejects,
        keeps_history: plan.keeps_history,
    });
    purged.map(|purged| purged.map(drop))
}
