//! `lakectl grant`: folder permissions, and what makes them real.

use anyhow::Result;

use crate::audit::Entry;
use crate::cli::{self, Access, Common, GrantAction, GrantArgs};
use crate::config::{Overrides, Settings};
use crate::exit::{self, usage};
use crate::grants::{self, Apply, Checked, GrantChange, GrantOutcome, Permission, Rules};
use crate::lake::disk::root::Root;
use crate::lake::ledger;
use crate::locked::Locked;
use crate::problem::Problem;
use crate::report::Report;
use crate::stop::Stop;
use crate::target::TargetKind;

pub(super) fn execute(common: &Common, args: &GrantArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let answers = matches!(args.action, GrantAction::Check { .. });
    match run(common, args, report, stop) {
        // Exit code 1 is an answer there: whatever goes wrong is 2.
        Err(error) if answers => Err(usage(format!("{error:#}"))),
        other => other,
    }
}

fn run(common: &Common, args: &GrantArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let overrides = Overrides {
        lake_root: args.lake_root.clone(),
        url: args.url.clone(),
        ..Overrides::default()
    };
    let settings = super::settings(common, &overrides, stop)?;
    let outcome = match &args.action {
        GrantAction::Set {
            user,
            path,
            permission,
        } => set(&settings, (user, path), permission_of(*permission), report)?,
        GrantAction::Revoke { user, path } => revoke(&settings, user, path, report)?,
        GrantAction::List { user, path } => list(&settings, user.as_deref(), path.as_deref(), report)?,
        GrantAction::Check { user, path, access } => check(&settings, user, path, *access, report)?,
        GrantAction::Apply { only } => apply(&settings, *only, report)?,
    };
    report.outcome(&outcome);
    Ok(())
}

fn permission_of(argument: cli::PermissionArg) -> Permission {
    match argument {
        cli::PermissionArg::Read => Permission::Read,
        cli::PermissionArg::Write => Permission::Write,
        cli::PermissionArg::None => Permission::None,
    }
}

fn set(
    settings: &Settings,
    (user, text): (&str, &str),
    permission: Permission,
    report: &mut Report,
) -> Result<GrantOutcome> {
    grants::check_user(user)?;
    let path = grants::normalise(text)?;
    let root = lake(settings)?;
    look_for(settings, root.as_ref(), &path, report);
    let mut session = grants::open(super::database(settings)?)?;
    let (run_id, dry_run) = (report.run_id.clone(), report.dry_run);
    let (change, entry) = grants::set(&mut session, (user, &path), permission, &run_id, dry_run)?;
    Ok(changed(root.as_ref(), change, entry, report))
}

fn revoke(settings: &Settings, user: &str, path: &str, report: &mut Report) -> Result<GrantOutcome> {
    grants::check_user(user)?;
    let root = lake(settings)?;
    let mut session = grants::open(super::database(settings)?)?;
    let (change, entry) = grants::revoke(&mut session, user, path, &report.run_id, report.dry_run)?;
    Ok(changed(root.as_ref(), change, entry, report))
}

/// The row is changed and audited in MySQL; the lake's trail gets the same entry.
fn changed(
    root: Option<&Root>,
    change: GrantChange,
    entry: Option<Entry>,
    report: &mut Report,
) -> GrantOutcome {
    if let (Some(root), Some(entry)) = (root, entry)
        && let Err(error) = entry.to_lake(root)
    {
        report.warn_of(Problem::of(&error.context(
            "the change is made and in lakectl_audit, but not in the lake's audit trail",
        )));
        report.needs_attention();
    }
    report.text.push(change.line(report.dry_run));
    GrantOutcome::Changed(change)
}

fn list(
    settings: &Settings,
    user: Option<&str>,
    path: Option<&str>,
    report: &mut Report,
) -> Result<GrantOutcome> {
    let path = path.map(grants::normalise).transpose()?;
    let mut session = grants::open(super::database(settings)?)?;
    let mut permissions = grants::read(&mut session)?;
    permissions.retain(|rule| {
        let below = |path: &String| {
            grants::normalise(&rule.folder_path).is_ok_and(|found| grants::concerns(path, &found))
        };
        user.is_none_or(|user| rule.user_id == user) && path.as_ref().is_none_or(below)
    });
    report.text = grants::listed(&permissions);
    Ok(GrantOutcome::Listed { permissions })
}

fn check(
    settings: &Settings,
    user: &str,
    path: &str,
    access: Access,
    report: &mut Report,
) -> Result<GrantOutcome> {
    grants::check_user(user)?;
    let path = grants::normalise(path)?;
    let mut session = grants::open(super::database(settings)?)?;
    let rules = Rules::new(grants::read(&mut session)?);
    let decision = rules.decide(user, &path);
    let checked = Checked::new(user, &path, access == Access::Write, decision);
    report.is_answer = true;
    report.exit_code = if checked.allowed { exit::DONE } else { exit::FAILED };
    report.text.push(checked.line());
    Ok(GrantOutcome::Checked(checked))
}

fn apply(settings: &Settings, only: Option<TargetKind>, report: &mut Report) -> Result<GrantOutcome> {
    let root = lake(settings)?;
    let apply = Apply {
        settings,
        root: root.as_ref(),
        to_lake: only != Some(TargetKind::Warehouse),
        to_tables: only != Some(TargetKind::Lake),
        run_id: &report.run_id,
        dry_run: report.dry_run,
    };
    let mut session = grants::open(super::database(settings)?)?;
    let applied = match grants::apply(&apply, &mut session)? {
        Locked::Ours(applied) => applied,
        Locked::HeldBy(holder) => {
            report.exit_code = exit::LOCKED;
            report.text.push(holder);
            return Ok(GrantOutcome::Applied(grants::ApplyOutcome::default()));
        }
    };
    for warning in &applied.warnings {
        report.warn(warning);
    }
    if !applied.could_not.is_empty() {
        report.needs_attention();
    }
    report.text = applied.lines(report.dry_run);
    Ok(GrantOutcome::Applied(applied))
}

/// The lake, if the root holds one.
fn lake(settings: &Settings) -> Result<Option<Root>> {
    let lake = &settings.lake;
    match Root::open(&lake.root, lake.file_mode, lake.dir_mode, false)? {
        Some(root) if ledger::exists(&root)? => Ok(Some(root)),
        _ => Ok(None),
    }
}

fn look_for(settings: &Settings, root: Option<&Root>, path: &str, report: &mut Report) {
    let Some(root) = root else {
        let root = settings.lake.root.display();
        report.warn(format!(
            "there is no lake at {root}, so `{path}` was not looked for in it"
        ));
        return;
    };
    match root.folder_or_file(path) {
        Ok(true) => {}
        Ok(false) => report.warn(format!(
            "`{path}` does not exist in the lake {} (names differ by case and accents)",
            root.path().display()
        )),
        Err(error) => report.warn_of(Problem::of(&error)),
    }
}
