//! Retention in MySQL: rows whose timestamp column is older than the cutoff.

use anyhow::Result;
use chrono::NaiveDate;
use std::time::{Duration, Instant};

use super::outcome::PurgedTable;
use super::plan::TablePlan;
use crate::config::{Retention, Settings, Topic};
use crate::exit::usage;
use crate::locked::Locked;
use crate::progress::Display;
use crate::stop::Stop;
use crate::warehouse::Warehouse;

/// Every table with a configured retention column, checked before anything is deleted; `unfit` is told which can't be purged,
/// and keeps none of the others.
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
            .ok_or_else(|| usage(format!("{keep} ago is no date")));
        let survey = |cutoff| warehouse.survey_rows(topic, &retention.column, cutoff, settings.lake.timezone);
        match cutoff.and_then(survey) {
            Ok(plan) => plans.push(plan),
            Err(error) => unfit(topic, error),
        }
    }
    Ok(plans)
}

/// Deletes in short transactions.
pub(super) fn execute(
    warehouse: &Warehouse,
    plan: &TablePlan,
    wait: Duration,
    deadline: Option<Instant>,
    stop: &Stop,
    display: &Display,
) -> Result<Locked<PurgedTable>> {
    let bar = display.rows(&plan.table, plan.rows);
    let purged = warehouse.purge_rows(plan, wait, deadline, stop, &mut |rows| bar.deleted(rows))?;
    Ok(purged.map(|rows| PurgedTable {
        table: plan.table.clone(),
        column: plan.column.clone(),
        cutoff: plan.cutoff.clone(),
        rows: rows.deleted,
        rows_left: rows.left,
        rows_without_time: plan.rows_without_time,
    }))
}
