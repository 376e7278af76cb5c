//! `lakectl init-db`: the warehouse's schema.

use anyhow::Result;

use crate::cli::{Common, InitDbArgs};
use crate::config::Overrides;
use crate::exit;
use crate::proposal::{self, ProposalMode, ProposalRequest};
use crate::report::Report;
use crate::stop::Stop;
use crate::warehouse::{InitDbMode, init_db};

pub(super) fn execute(common: &Common, args: &InitDbArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let overrides = Overrides {
        brokers: args.kafka.brokers.clone(),
        kafka_options: args.kafka.options.clone(),
        url: args.database.url.clone(),
        ..Overrides::default()
    };
    let settings = super::settings(common, &overrides, stop)?;
    if let Some(topic) = &args.topic {
        let request = ProposalRequest {
            topic: topic.clone(),
            mode: proposal_mode(common, args),
        };
        return proposal::execute(&request, &settings, report, stop);
    }
    let outcome = init_db(settings.database.as_ref(), mode(common, args))?;
    report.exit_code = exit::worst([report.exit_code, outcome.exit_code]);
    report.text = outcome.lines.clone();
    report.outcome(&outcome);
    Ok(())
}

/// What only reads is the same in a dry run.
fn mode(common: &Common, args: &InitDbArgs) -> InitDbMode {
    if args.print {
        InitDbMode::Print
    } else if args.check {
        InitDbMode::Check
    } else if common.dry_run {
        InitDbMode::Preview
    } else {
        InitDbMode::Apply
    }
}

fn proposal_mode(common: &Common, args: &InitDbArgs) -> ProposalMode {
    if args.check {
        ProposalMode::Check
    } else if args.print || common.dry_run {
        ProposalMode::Print
    } else if args.yes {
        ProposalMode::Apply
    } else {
        ProposalMode::Ask
    }
}
