//! `lakectl discover`: entries for topics that the configuration lacks.

use anyhow::Result;

use crate::cli::{Common, DiscoverArgs};
use crate::config::Overrides;
use crate::discover::{self, DiscoverRequest};
use crate::report::Report;
use crate::stop::Stop;

pub(super) fn execute(common: &Common, args: &DiscoverArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let overrides = Overrides {
        brokers: args.kafka.brokers.clone(),
        kafka_options: args.kafka.options.clone(),
        ..Overrides::default()
    };
    let settings = super::settings(common, &overrides, stop)?;
    let request = DiscoverRequest {
        topics: args.topics.clone(),
        write: args.write,
        dry_run: common.dry_run,
    };
    discover::execute(&request, &settings, report, stop)
}
