//! `lakectl purge`: what is older than its retention, or one person's records, out of lake and warehouse.

use anyhow::Result;

use crate::cli::{Common, PurgeArgs};
use crate::report::Report;
use crate::stop::Stop;

pub(super) fn execute(common: &Common, args: &PurgeArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let _ = (common, args, report, stop);
    Err(anyhow::anyhow!("not built yet"))
}
