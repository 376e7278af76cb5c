//! `lakectl check`: what a run would meet.

use anyhow::Result;

use crate::check::{self, CheckRequest};
use crate::cli::{CheckArgs, Common};
use crate::config::Overrides;
use crate::report::Report;
use crate::stop::Stop;

pub(super) fn execute(common: &Common, args: &CheckArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let overrides = Overrides {
        brokers: args.kafka.brokers.clone(),
        kafka_options: args.kafka.options.clone(),
        lake_root: args.root.lake_root.clone(),
        url: args.database.url.clone(),
        ..Overrides::default()
    };
    let settings = super::settings(common, &overrides, stop)?;
    let request = CheckRequest {
        topics: args.topics.clone(),
        only: args.only,
        kind: args.kind,
        sample: args.sample,
    };
    check::execute(&request, common.print_options(), &settings, report, stop)
}
