//! `lakectl warehouse`: table topics into MySQL.

use anyhow::Result;

use super::drain_options;
use crate::cli::{Common, WarehouseArgs};
use crate::config::Overrides;
use crate::decode::registry::Registry;
use crate::kafka::Client;
use crate::problem::Problem;
use crate::report::{Report, TargetReport, WarehouseReport};
use crate::run::{Chosen, RebuildRequest, Run};
use crate::stop::Stop;
use crate::warehouse::Warehouse;

pub(super) fn execute(common: &Common, args: &WarehouseArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let overrides = Overrides {
        url: args.database.url.clone(),
        ..drain_options::overrides(&args.drain)
    };
    let settings = super::settings(common, &overrides, stop)?;
    let database = super::database(&settings)?;
    if let Some((one, other)) = settings.topics_of_one_table() {
        return Problem::usage(format!(
            "topics {} and {} would both fill table `{}`, each with rows of its own",
            one.name, other.name, one.table
        ))
        .fix("set warehouse.table of one of them")
        .err();
    }
    let mut options = drain_options::run_options(common, &args.drain, &settings, report, stop)?;
    options.rebuild = args.rebuild.then_some(RebuildRequest::Tables);
    options.check_rebuild()?;
    let client = Client::new(&settings.kafka, "warehouse")?.stopped_by(stop);
    let empty = TargetReport::Warehouse(WarehouseReport::default());
    let mut run = Run {
        client: &client,
        options,
        empty,
        report,
    };
    let mut chosen = run.choose(&settings, true)?;
    let warehouse = Warehouse::connect(database)?.with_registry(Registry::new(settings.registry.as_ref())?);
    if common.dry_run {
        return run.preview(Some(&warehouse), &chosen);
    }
    match put_parents_first(&warehouse, &mut chosen, run.report) {
        Ok(()) => run.drain(&warehouse, &chosen),
        Err(error) => {
            run.fail_all(&chosen, &error);
            Ok(())
        }
    }
}

/// Orders the topics so that a table is loaded before those that refer to it.
fn put_parents_first(warehouse: &Warehouse, chosen: &mut Chosen, report: &mut Report) -> Result<()> {
    if chosen.len() < 2 {
        return Ok(());
    }
    let tables: Vec<&str> = chosen.iter().map(|(topic, _)| topic.table.as_str()).collect();
    let order = warehouse.load_order(&tables)?;
    if !order.circle.is_empty() {
        let tables: Vec<&str> = order.circle.iter().map(|&at| tables[at]).collect();
        report.warn_of(
            Problem::new(format!(
                "the foreign keys of the tables {} form a circle: none of them can be loaded before the others",
                tables.join(", ")
            ))
            .fix("if rows are rejected for that, run it again with --rebuild"),
        );
    }
    let mut as_configured: Vec<_> = std::mem::take(chosen).into_iter().map(Some).collect();
    chosen.extend(order.places.iter().filter_map(|&at| as_configured[at].take()));
    Ok(())
}
