//! `lakectl warehouse`: table topics into MySQL.

use anyhow::Result;

use super::drain_options;
use crate::cli::{Common, WarehouseArgs};
use crate::config::Overrides;
use crate::kafka::Client;
use crate::problem::Problem;
use crate::report::{Report, TargetReport, WarehouseReport};
use crate::run::{RebuildRequest, Run};
use crate::stop::Stop;
use crate::warehouse::Warehouse;

pub(super) fn execute(common: &Common, args: &WarehouseArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let overrides = Overrides {
        url: args.database.url.clone(),
        ..drain_options::overrides(&args.drain)
    };
    let settings = super::settings(common, &overrides)?;
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
    let chosen = run.choose(&settings, true)?;
    let warehouse = Warehouse::connect(database)?;
    if common.dry_run {
        run.preview(Some(&warehouse), &chosen)
    } else {
        run.drain(&warehouse, &chosen)
    }
}
