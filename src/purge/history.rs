//! `purge --history`: what was purged and erased so far, from the audit trails of lake and MySQL.

use anyhow::Result;
use std::collections::BTreeSet;

use crate::audit::{self, Entry};
use crate::config::Settings;
use crate::exit::usage;
use crate::lake::Lake;
use crate::problem::Problem;
use crate::report::Report;
use crate::target::TargetKind;
use crate::warehouse::Session;

/// Puts the entries of both trails into the report, the newest last, and each deletion once.
///
/// # Errors
/// There is no trail: exit code 2.
pub fn show(only: Option<TargetKind>, settings: &Settings, report: &mut Report) -> Result<()> {
    let lake = if only == Some(TargetKind::Warehouse) {
        None
    } else {
        Lake::at(settings, false)?
    };
    let database = settings
        .database
        .as_ref()
        .filter(|_| only != Some(TargetKind::Lake));
    if lake.is_none() && database.is_none() {
        return Err(usage(
            "there is no history: neither a lake nor a configured warehouse",
        ));
    }
    let mut entries = Vec::new();
    if let Some(lake) = &lake {
        let history = audit::read_lake(lake.root())?;
        for complaint in history.complaints() {
            report.warn(complaint);
            report.needs_attention();
        }
        entries.extend(history.entries);
    }
    if let Some(database) = database {
        let found = Session::open(database).and_then(|mut session| audit::read_database(&mut session.conn));
        match found {
            Ok(found) => entries.extend(found),
            // The lake's trail is shown anyway.
            Err(error) if lake.is_some() => {
                report.warn_of(Problem::of(&error.context("the warehouse's part is missing")));
                report.needs_attention();
            }
            Err(error) => return Err(error),
        }
    }
    entries.retain(|entry| matches!(entry.command.as_str(), "purge" | "erase"));
    entries.sort_by(|a, b| a.at.cmp(&b.at));
    // A deletion in both places is an entry of both trails.
    let mut seen = BTreeSet::new();
    entries.retain(|entry| seen.insert((entry.run_id.clone(), entry.detail["phase"].to_string())));
    report.text = entries.iter().map(line).collect();
    if entries.is_empty() {
        report.text.push("nothing was purged or erased so far".to_owned());
    }
    report.outcome(&serde_json::json!({ "history": entries }));
    Ok(())
}

fn line(entry: &Entry) -> String {
    let who = match (&entry.os_user, &entry.sudo_user) {
        (Some(user), Some(sudo)) => format!("{user} (sudo by {sudo})"),
        (Some(user), None) => user.clone(),
        (None, _) => format!("uid {}", entry.uid),
    };
    let mut detail = entry.detail.clone();
    let phase = match detail.as_object_mut().and_then(|fields| fields.remove("phase")) {
        Some(serde_json::Value::String(phase)) => phase,
        _ => String::new(),
    };
    format!(
        "{}  {who}@{}  {} {phase}  {}  {detail}",
        entry.at,
        entry.host,
        entry.command,
        entry.arguments.join(" ")
    )
}
