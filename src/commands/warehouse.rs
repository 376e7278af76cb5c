//! `lakectl warehouse`: table topics into MySQL.

use anyhow::Result;

use crate::cli::{Common, WarehouseArgs};
use crate::config::Overrides;
use crate::kafka::Client;
use crate::report::{Report, TargetReport, WarehouseReport};
use crate::run::{self, Options, RebuildArg};
use crate::stop::Stop;
use crate::warehouse::Warehouse;

pub(super) fn execute(common: &Common, args: &WarehouseArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let overrides = Overrides {
        url: args.database.url.clone(),
        ..run::overrides(&args.drain)
    };
    let settings = super::settings(common, &overrides)?;
    let database = super::database(&settings)?;
    let mut options = Options::new(common, &args.drain, &settings, stop)?;
    options.rebuild = args.rebuild.then_some(RebuildArg::Tables);
    options.check_rebuild()?;
    let client = Client::new(&settings.kafka, "warehouse")?;
    let empty = TargetReport::Warehouse(WarehouseReport::default());
    let (topics, partitions) = run::choose(&settings, &options, true, &empty, &client, report)?;
    let warehouse = Warehouse::connect(database)?;
    match options.dry_run {
        true => run::preview(
            Some(&warehouse),
            &topics,
            &partitions,
            &options,
            &empty,
            &client,
            report,
        ),
        false => run::drain_topics(
            &warehouse,
            &topics,
            &partitions,
            &mut options,
            &empty,
            &client,
            report,
        ),
    }
}
