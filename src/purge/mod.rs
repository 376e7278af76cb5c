//! Retention: makes a plan from what is there, shows it to a person, and deletes exactly what the plan names.

pub mod confirm;
mod history;
mod outcome;
mod plan;
mod rows;

use anyhow::Result;
use chrono::{SecondsFormat, Utc};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::audit::{CommandLine, Trail, TrailPlace};
use crate::config::{Kind, Retention, Settings, Topic};
use crate::exit::usage;
use crate::lake::{Lake, RecordDay, kept, left_out};
use crate::locked::Locked;
use crate::print::bars::Display;
use crate::print::{self, Log, PrintOptions};
use crate::problem::{About, Problem};
use crate::report::{Report, TargetReport, TopicReport};
use crate::run::select;
use crate::stop::Stop;
use crate::target::TargetKind;
use crate::warehouse::Warehouse;
pub use history::show as show_history;
use outcome::{PurgeOutcome, PurgedFolder, amounts, audit, planned, summary};
pub use plan::{FolderPlan, Plan, TopicPlan};

/// What a purge by retention is asked for.
#[derive(Debug, Clone)]
pub struct PurgeRequest {
    /// Names and globs; none: every topic.
    pub topics: Vec<String>,
    /// One of the two alone.
    pub only: Option<TargetKind>,
    /// Instead of what is configured.
    pub older_than: Option<Retention>,
    /// The file of a plan that is executed as it stands.
    pub plan: Option<PathBuf>,
    /// The file that the plan is written to; then nothing is deleted.
    pub plan_out: Option<PathBuf>,
    /// Of a topic's records or a table's rows: more are not deleted.
    pub max_fraction: f64,
    /// No row is deleted after this time.
    pub max_duration: Option<Duration>,
    /// How long another run's lock is waited for.
    pub wait: Duration,
    /// Nobody is asked.
    pub yes: bool,
    /// Implausible days and rows are deleted, too.
    pub yes_implausible: bool,
}

/// The lake and the warehouse to purge from, as far as asked for.
struct Targets<'a> {
    settings: &'a Settings,
    lake: Option<Lake<'a>>,
    warehouse: Option<Warehouse>,
    /// The lake, for its audit trail, even if only the warehouse is purged.
    audited_lake: Option<Lake<'a>>,
    /// How long to wait for another run's lock.
    wait: Duration,
    deadline: Option<Instant>,
    display: Display,
}

/// Runs `lakectl purge` by retention.
pub fn execute(
    request: &PurgeRequest,
    print: PrintOptions,
    settings: &Settings,
    report: &mut Report,
    stop: &Stop,
) -> Result<()> {
    report.text_is_log = true;
    let display = Display::new(print, report, stop);
    let targets = Targets::open(request, settings, display, report)?;
    let mut plan = match &request.plan {
        Some(file) => targets.load(file, request.only)?,
        None => targets.plan(request, report)?,
    };
    plan.part_implausible(request.yes_implausible);
    for warning in plan.implausible_left() {
        report.warn_of(warning);
        report.needs_attention();
    }
    report.outcome(&planned(&plan));
    for table in &plan.tables {
        if let Some(statement) = &table.missing_index {
            report.warn_of(
                Problem::new(format!(
                    "table `{}`: no index begins with {}",
                    table.table, table.column
                ))
                .about_topic(&table.topic)
                .fix(format!("make it first: {statement}")),
            );
            report.needs_attention();
        }
    }
    for table in plan
        .tables
        .iter()
        .filter(|table| table.keeps_history && table.doomed() > 0)
    {
        report.warn_of(
            Problem::new(format!(
                "table `{}` keeps a history (system versioning), in which purged rows stay",
                table.table
            ))
            .about_topic(&table.topic)
            .fix(format!(
                "to delete it: DELETE HISTORY FROM `{}` BEFORE SYSTEM_TIME '…'",
                table.table
            )),
        );
    }
    let refused = plan.check_fraction(request.max_fraction);
    if report.dry_run || request.plan_out.is_some() {
        report.text = plan.text();
        report.text.extend(amounts("would purge", &planned(&plan)));
        if let Err(error) = refused {
            report.warn_of(Problem::of(&error.context("without --dry-run this is refused")));
        }
        return request.plan_out.as_ref().map_or(Ok(()), |file| plan.save(file));
    }
    refused?;
    let text = plan.text();
    let shown = !print.json && !print.quiet;
    if shown {
        print::lines(&text, &Log::new(print.log_format, report));
    }
    if !plan.is_empty() && !request.yes {
        confirm::check_someone_is_there()?;
        confirm::ask(
            if shown { &[] } else { &text },
            "Delete this for good?",
            confirm::NOT_DELETED,
            stop,
        )?;
    }
    let run_id = report.run_id.clone();
    let trail = targets.trail(&run_id);
    // From here on the report says what was deleted, not what was planned.
    report.outcome(&PurgeOutcome::default());
    if !plan.is_empty() {
        for warning in trail.begin(&plan.audit())? {
            report.warn(warning);
        }
    }
    let outcome = targets.execute(&plan, report, stop)?;
    report.outcome(&outcome);
    if !plan.is_empty() {
        for warning in trail.end(&audit(&outcome, report))? {
            report.warn(warning);
        }
    }
    report.text = summary(&outcome, &plan);
    Ok(())
}

impl<'a> Targets<'a> {
    fn open(
        request: &PurgeRequest,
        settings: &'a Settings,
        display: Display,
        report: &mut Report,
    ) -> Result<Self> {
        let lake = match request.only {
            Some(TargetKind::Warehouse) => None,
            _ => Some(Lake::at(settings, false)?.ok_or_else(|| {
                Problem::usage(format!("there is no lake at {}", settings.lake.root.display())).fix(
                    "is its disk mounted, and is lake.root right? (--only warehouse leaves the lake out)",
                )
            })?),
        };
        let warehouse = match (request.only, &settings.database) {
            (Some(TargetKind::Lake), _) => None,
            (_, Some(database)) => Some(Warehouse::connect(database)?),
            (Some(TargetKind::Warehouse), None) => {
                return Err(usage(
                    "--only warehouse: no warehouse is configured (warehouse.url)",
                ));
            }
            (None, None) => {
                if settings
                    .topics
                    .values()
                    .any(|topic| topic.row_retention.is_some())
                {
                    report.warn("no warehouse is configured (warehouse.url): its rows are not purged");
                }
                None
            }
        };
        Ok(Targets {
            settings,
            lake,
            warehouse,
            audited_lake: Lake::at(settings, false)?,
            wait: request.wait,
            deadline: request.max_duration.map(|limit| Instant::now() + limit),
            display,
        })
    }

    fn lake_root(&self) -> String {
        let root = &self.settings.lake.root;
        root.canonicalize()
            .unwrap_or_else(|_| root.clone())
            .display()
            .to_string()
    }

    fn load(&self, file: &std::path::Path, only: Option<TargetKind>) -> Result<Plan> {
        let database = self.settings.database.as_ref().map(|database| database.shown());
        let today = RecordDay::today(self.settings.lake.timezone);
        let mut plan = Plan::load(file, &self.lake_root(), database.as_deref(), today)?;
        match only {
            Some(TargetKind::Lake) => plan.tables.clear(),
            Some(TargetKind::Warehouse) => plan.topics.clear(),
            None => {}
        }
        if !plan.topics.is_empty() && self.lake.is_none()
            || !plan.tables.is_empty() && self.warehouse.is_none()
        {
            return Err(usage(format!(
                "{} needs a lake or a warehouse that is not configured",
                file.display()
            )));
        }
        Ok(plan)
    }

    /// Plans all topics. One that can't be read is put into the report as failed.
    fn plan(&self, request: &PurgeRequest, report: &mut Report) -> Result<Plan> {
        let today = RecordDay::today(self.settings.lake.timezone);
        let survey = self
            .lake
            .as_ref()
            .map(Lake::survey)
            .transpose()?
            .unwrap_or_default();
        if self.lake.is_some() && survey.is_empty() && self.warehouse.is_none() {
            return Problem::usage(format!("the lake at {} is empty", self.lake_root()))
                .fix("is lake.root right?")
                .err();
        }
        let known = survey.iter().map(|(topic, _)| topic.as_str());
        let known = known.chain(self.settings.topics.keys().map(String::as_str));
        let chosen = select::among(
            &request.topics,
            &known.collect::<Vec<_>>(),
            "neither lake nor configuration knows",
        )?;
        let mut plan = Plan {
            version: 1,
            made: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            lake_root: self.lake.as_ref().map(|_| self.lake_root()),
            database: self
                .warehouse
                .as_ref()
                .and(self.settings.database.as_ref())
                .map(|database| database.shown()),
            ..Plan::default()
        };
        for (topic, days) in survey.into_iter().filter(|(topic, _)| chosen(topic)) {
            let days = match days {
                Ok(days) => days,
                Err(error) => {
                    let kind = self.settings.topics.get(&topic).map(|entry| entry.kind);
                    settle(report, &topic, kind.unwrap_or(Kind::Stream), Err(error));
                    continue;
                }
            };
            plan.left.extend(days.strangers.iter().cloned());
            if let Some(keep) = request.older_than.or_else(|| self.lake_retention(&topic)) {
                self.plan_topic(plan::topic(&days, keep, today), &mut plan, report);
            }
        }
        if let Some(warehouse) = &self.warehouse {
            let unfit = &mut |topic: &Topic, error| settle(report, &topic.name, topic.kind, Err(error));
            plan.tables = rows::plan(
                warehouse,
                self.settings,
                &chosen,
                request.older_than,
                today,
                unfit,
            )?;
        }
        Ok(plan)
    }

    /// Leaves out days with files that are not lakectl's, and reports these files.
    fn plan_topic(&self, planned: Option<TopicPlan>, plan: &mut Plan, report: &mut Report) {
        let (Some(mut planned), Some(lake)) = (planned, &self.lake) else {
            return;
        };
        match lake.part_foreign(&planned.topic, planned.kind, planned.day_folders()) {
            Ok((clean, foreign)) => {
                let clean: BTreeSet<_> = clean.into_iter().map(|folder| folder.path).collect();
                planned.folders.retain(|folder| clean.contains(&folder.path));
                tell(report, foreign.iter().map(|path| left_out(&planned.topic, path)));
                plan.left.extend(foreign);
                plan.topics.push(planned);
            }
            Err(error) => settle(report, &planned.topic, planned.kind, Err(error)),
        }
    }

    fn lake_retention(&self, topic: &str) -> Option<Retention> {
        match self.settings.topics.get(topic) {
            Some(entry) => entry.lake_retention,
            None => self.settings.lake.retention,
        }
    }

    /// The audit trails of lake and database, including the one that is not purged.
    fn trail<'t>(&'t self, run_id: &'t str) -> Trail<'t> {
        Trail {
            lake: TrailPlace::of(self.audited_lake.as_ref().map(Lake::root), self.lake.is_some()),
            database: TrailPlace::of(self.settings.database.as_ref(), self.warehouse.is_some()),
            command: "purge",
            arguments: CommandLine::of_process(),
            run_id,
        }
    }

    fn execute(&self, plan: &Plan, report: &mut Report, stop: &Stop) -> Result<PurgeOutcome> {
        let mut outcome = PurgeOutcome {
            folders: Vec::new(),
            tables: Vec::new(),
            ..planned(plan)
        };
        if let Some(lake) = &self.lake {
            for topic in &plan.topics {
                if stop.signal().is_none() {
                    self.purge_topic(lake, topic, report, stop, &mut outcome);
                }
            }
        }
        if let Some(warehouse) = &self.warehouse {
            let doomed = plan.tables.iter().filter(|table| !table.is_empty());
            for table in doomed.filter(|_| stop.signal().is_none()) {
                let purged = stop.attempt(self.wait, |step| {
                    let until = (step, self.deadline);
                    rows::execute(warehouse, table, until, stop, &self.display, &mut outcome.tables)
                });
                settle(report, &table.topic, Kind::Table, purged);
            }
        }
        Ok(outcome)
    }

    fn purge_topic(
        &self,
        lake: &Lake<'_>,
        plan: &TopicPlan,
        report: &mut Report,
        stop: &Stop,
        outcome: &mut PurgeOutcome,
    ) {
        let folders = plan.day_folders();
        let purged = stop
            .attempt(self.wait, |step| {
                lake.purge(&plan.topic, plan.cutoff, &folders, &report.run_id, step)
            })
            .about_topic(&plan.topic);
        let purged = purged.map(|purged| {
            purged.map(|purged| {
                let foreign = purged.foreign.iter();
                tell(report, foreign.map(|path| left_out(&plan.topic, path)));
                tell(report, purged.kept.iter().map(|path| kept(&plan.topic, path)));
                outcome.left.extend(purged.foreign);
                outcome.left.extend(purged.kept);
                let folders = purged
                    .folders
                    .iter()
                    .map(|folder| PurgedFolder::of(&plan.topic, folder));
                outcome.folders.extend(folders);
            })
        });
        settle(report, &plan.topic, plan.kind, purged);
    }
}

/// Warns of what a person has to look at.
fn tell(report: &mut Report, warnings: impl Iterator<Item = Problem>) {
    for warning in warnings {
        report.warn_of(warning);
        report.needs_attention();
    }
}

/// Puts a topic that failed or is locked into the report; the others go on.
fn settle(report: &mut Report, topic: &str, kind: Kind, result: Result<Locked<()>>) {
    let mut line = TopicReport::new(topic, kind, TargetReport::None {});
    match result {
        Ok(Locked::Ours(())) => return,
        Ok(Locked::HeldBy(holder)) => line.lock_out(holder),
        Err(error) => line.fail(&error),
    }
    report.topics.push(line);
}
