//! `lakectl lake`: topics into the data lake.

mod verify;

use anyhow::Result;

use super::drain_options;
use crate::cli::{Common, LakeArgs};
use crate::config::{Kind, Overrides};
use crate::exit::usage;
use crate::kafka::Client;
use crate::lake::Lake;
use crate::problem::Problem;
use crate::report::{LakeReport, Report, TargetReport};
use crate::run::{Chosen, RebuildRequest, Run};
use crate::stop::Stop;

pub(super) fn execute(common: &Common, args: &LakeArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let overrides = Overrides {
        lake_root: args.root.lake_root.clone(),
        ..drain_options::overrides(&args.drain)
    };
    let settings = super::settings(common, &overrides, stop)?;
    if args.verify {
        return verify::execute(&settings, &args.drain, report, stop);
    }
    let mut options = drain_options::run_options(common, &args.drain, &settings, report, stop)?;
    options.rebuild = match &args.rebuild {
        None => None,
        Some(None) => Some(RebuildRequest::Tables),
        Some(Some(days)) => Some(drain_options::days_to_rebuild(days)?),
    };
    options.check_rebuild()?;
    let client = Client::new(&settings.kafka, "lake")?.stopped_by(stop);
    let empty = TargetReport::Lake(LakeReport::default());
    let mut run = Run {
        client: &client,
        options,
        empty,
        report,
    };
    let mut chosen = run.choose(&settings, false)?;
    if let Some(rebuild) = run.options.rebuild {
        keep_rebuildable(rebuild, !run.options.patterns.is_empty(), &mut chosen)?;
    }
    let mut known = Lake::at(&settings, false)?;
    if known.is_none() && !args.new_lake && has_mirror(&client, &chosen)? {
        // Another run may have begun the lake, and told Kafka of it, since that look.
        known = Lake::at(&settings, false)?;
        if known.is_none() {
            return Err(unmounted(&client, &settings.lake.root));
        }
    }
    if common.dry_run {
        return run.preview(known.as_ref(), &chosen);
    }
    match Lake::at(&settings, true)? {
        Some(lake) => {
            let drained = run.drain(&lake, &chosen);
            show_paths(report, common.verbose);
            drained
        }
        None => Err(anyhow::anyhow!(
            "the lake root {} vanished",
            settings.lake.root.display()
        )),
    }
}

/// The report of an ordinary run stays small.
fn show_paths(report: &mut Report, verbose: bool) {
    for topic in report.topics.iter_mut() {
        if let TargetReport::Lake(lake) = &mut topic.target {
            lake.paths = verbose.then(|| lake.paths.take().unwrap_or_default());
        }
    }
}

/// Days belong to streams, whole folds to tables; of topics that nobody named, the others are left alone.
fn keep_rebuildable(rebuild: RebuildRequest, named: bool, chosen: &mut Chosen) -> Result<()> {
    let (kind, hint) = match rebuild {
        RebuildRequest::Tables => (
            Kind::Table,
            "say which days of it: --rebuild 2025-10-01..2025-10-07",
        ),
        RebuildRequest::Days { .. } => (
            Kind::Stream,
            "a table is rebuilt as a whole: --rebuild without days",
        ),
    };
    match chosen
        .iter()
        .map(|(topic, _)| topic)
        .find(|topic| topic.kind != kind)
    {
        Some(other) if named => Problem::usage(format!("--rebuild: {} is a {}", other.name, other.kind))
            .fix(hint)
            .err(),
        _ => {
            chosen.retain(|(topic, _)| topic.kind == kind);
            Ok(())
        }
    }
}

fn has_mirror(client: &Client, chosen: &Chosen) -> Result<bool> {
    let partitions = chosen
        .iter()
        .map(|(topic, partitions)| (topic.name.clone(), partitions.clone()))
        .collect();
    client.has_mirror(&partitions)
}

/// A root without a ledger while Kafka remembers a lake: an unmounted disk or a wrong path, and a second copy of all.
fn unmounted(client: &Client, root: &std::path::Path) -> anyhow::Error {
    usage(format!(
        "there is no lake at {}, but Kafka's group {} has been through these topics: is a disk not mounted, or \
         lake.root wrong? To begin a new lake there, say --new-lake",
        root.display(),
        client.group()
    ))
}
