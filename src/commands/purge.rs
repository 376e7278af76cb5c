//! `lakectl purge`: what is older than its retention, or one person's records, out of lake and warehouse.

use anyhow::Result;

use crate::cli::{Common, PurgeArgs};
use crate::config::Overrides;
use crate::exit::usage;
use crate::report::Report;
use crate::stop::Stop;
use crate::{erase, purge};

pub(super) fn execute(common: &Common, args: &PurgeArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    if !(0.0..=1.0).contains(&args.max_fraction) {
        return Err(usage("--max-fraction must lie between 0 and 1"));
    }
    let overrides = Overrides {
        lake_root: args.root.lake_root.clone(),
        url: args.database.url.clone(),
        ..Overrides::default()
    };
    let settings = super::settings(common, &overrides)?;
    if args.history {
        return purge::show_history(args, &settings, report);
    }
    if erase::is_asked_for(args) {
        return erase::execute(common, args, &settings, report, stop);
    }
    purge::execute(common, args, &settings, report, stop)
}
