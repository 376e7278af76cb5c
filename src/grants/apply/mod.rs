//! `grant apply`: sets ACLs on the lake's folders and grants SELECT on the warehouse's tables, as the rows say.

mod files;
mod groups;
mod people;
mod tables;
mod wanted;

use anyhow::{Context, Result};
use serde_json::json;
use std::time::Duration;

use super::{ApplyOutcome, Permission, Rules, path, table};
use crate::audit::{CommandLine, Entry};
use crate::config::Settings;
use crate::lake::disk::root::Root;
use crate::lake::layout::paths::topic_folder;
use crate::locked::Locked;
use crate::warehouse::Session;
use people::People;

/// How long to wait for another apply to end.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How many failures are listed; further ones are only counted.
const LISTED_MAX: usize = 100;

/// What to apply, and where.
#[derive(Debug)]
pub struct Apply<'a> {
    pub settings: &'a Settings,
    /// None if there is no lake here.
    pub root: Option<&'a Root>,
    pub to_lake: bool,
    pub to_tables: bool,
    pub run_id: &'a str,
    pub dry_run: bool,
}

/// Applies the rows of user_permissions, unless another apply is running.
///
/// # Errors
/// An error that stops the whole apply. What could not be done for one user, folder or table is in the result.
pub fn apply(apply: &Apply<'_>, session: &mut Session) -> Result<Locked<ApplyOutcome>> {
    if !apply.dry_run && !session.lock("grant apply", LOCK_WAIT)? {
        return Ok(Locked::HeldBy("another grant apply is at work".to_owned()));
    }
    let rules = Rules::new(table::read(session)?);
    let mut out = ApplyOutcome::default();
    for (rule, reason) in &rules.unusable {
        out.could_not(
            Some(&rule.user_id),
            rule.folder_path.clone(),
            format!("the row is ignored: {reason}"),
        );
    }
    let mut trail = ApplyTrail { apply, begun: false };
    let done = work(apply, &rules, &mut trail, session, &mut out);
    trail.end(session, &mut out, done.as_ref().err())?;
    done.map(|()| Locked::Ours(out))
}

fn work(
    apply: &Apply<'_>,
    rules: &Rules,
    trail: &mut ApplyTrail<'_>,
    session: &mut Session,
    out: &mut ApplyOutcome,
) -> Result<()> {
    if apply.to_tables {
        tables::apply(apply, rules, trail, session, out)?;
    }
    if apply.to_lake {
        match apply.root {
            Some(root) => to_files(apply, root, rules, &mut || trail.begin(session), out)?,
            None => out.could_not(
                None,
                apply.settings.lake.root.display().to_string(),
                "there is no lake here; --only warehouse leaves it out",
            ),
        }
    }
    Ok(())
}

fn to_files(
    apply: &Apply<'_>,
    root: &Root,
    rules: &Rules,
    begin: &mut dyn FnMut() -> Result<()>,
    out: &mut ApplyOutcome,
) -> Result<()> {
    let people = People::find(root, rules, out)?;
    if people.is_nobody() {
        return Ok(());
    }
    make_topic_folders(apply, root, rules, begin, out)?;
    if !apply.dry_run {
        people.remember_all(root)?;
    }
    let whole = files::apply(root, rules, &people, apply.dry_run, begin, out)?;
    if whole && !apply.dry_run {
        people.forget_users_without_rules(root)?;
    }
    Ok(())
}

/// Creates the folder of a configured topic that has a row but no folder yet, so that everything in it inherits the entries.
fn make_topic_folders(
    apply: &Apply<'_>,
    root: &Root,
    rules: &Rules,
    begin: &mut dyn FnMut() -> Result<()>,
    out: &mut ApplyOutcome,
) -> Result<()> {
    for topic in apply.settings.topics.values().filter(|topic| topic.lake_enabled) {
        let folder = topic_folder(topic.kind, &topic.name);
        let meant = rules.users().any(|user| rules.on(user, &folder).is_some());
        if !meant || root.stat(&folder)?.is_some() {
            continue;
        }
        if !apply.dry_run {
            begin()?;
            root.make_dirs(&folder)?;
        }
        out.changed = true;
        out.made.push(folder);
    }
    Ok(())
}

/// The audit trail of one apply: an entry before the first change, and one with all changes at the end.
struct ApplyTrail<'a> {
    apply: &'a Apply<'a>,
    begun: bool,
}

impl ApplyTrail<'_> {
    /// Writes the first entry. It must be called before each change.
    fn begin(&mut self, session: &mut Session) -> Result<()> {
        if self.begun || self.apply.dry_run {
            return Ok(());
        }
        self.write(session, json!({ "phase": "begin" }))
            .context("nothing was changed, because the audit trail can't be written")?;
        self.begun = true;
        Ok(())
    }

    fn end(
        &self,
        session: &mut Session,
        out: &mut ApplyOutcome,
        error: Option<&anyhow::Error>,
    ) -> Result<()> {
        if !self.begun {
            return Ok(());
        }
        let detail = json!({
            "phase": "end",
            "outcome": &out,
            "error": error.map(|error| format!("{error:#}")),
        });
        self.write(session, detail)
            .context("the audit trail has the beginning of this apply, but not its end")
    }

    fn write(&self, session: &mut Session, detail: serde_json::Value) -> Result<()> {
        let entry = Entry::new(
            "grant apply",
            CommandLine::of_process(),
            self.apply.run_id,
            detail,
        );
        entry.to_session(session)?;
        match self.apply.root {
            Some(root) => entry.to_lake(root),
            None => Ok(()),
        }
    }
}
