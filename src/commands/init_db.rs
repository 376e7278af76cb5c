//! `lakectl init-db`: the warehouse's schema.

use anyhow::Result;

use crate::cli::{Common, InitDbArgs};
use crate::config::Overrides;
use crate::report::Report;
use crate::{exit, warehouse};

pub(super) fn execute(common: &Common, args: &InitDbArgs, report: &mut Report) -> Result<()> {
    let overrides = Overrides {
        url: args.database.url.clone(),
        ..Overrides::default()
    };
    let settings = super::settings(common, &overrides)?;
    let outcome = warehouse::init_db(settings.database.as_ref(), args, common.dry_run)?;
    report.exit_code = exit::worst([report.exit_code, outcome.exit_code]);
    report.text = outcome.lines.clone();
    report.outcome(&outcome);
    Ok(())
}
