//! `lakectl init-db --for TOPIC`: proposes the table of a topic, and makes it when a person agrees.

mod known;
mod sample;

use anyhow::Result;
use serde::Serialize;

use crate::config::{Database, Kind, Settings, Topic, did_you_mean};
use crate::decode::registry::Registry;
use crate::exit::usage;
use crate::problem::{About, Problem};
use crate::purge::confirm;
use crate::report::Report;
use crate::stop::Stop;
use crate::warehouse::{TableDefinition, TableDiff, apply_table, define, table_diff};

/// What a person wants.
#[derive(Debug, Clone)]
pub struct ProposalRequest {
    pub topic: String,
    pub mode: ProposalMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalMode {
    /// Show the SQL; also of a dry run.
    Print,
    /// Say what the table lacks.
    Check,
    /// Ask before it is done.
    Ask,
    Apply,
}

/// What was proposed, and done.
#[derive(Debug, Serialize)]
struct Proposed<'a> {
    topic: &'a str,
    /// None: no database is configured.
    database: Option<String>,
    table: &'a str,
    /// Whether there was no such table.
    is_new: bool,
    /// The columns that it lacks, or had lacked.
    columns: &'a [String],
    missing_keys: &'a [String],
    sql: Option<&'a str>,
    applied: bool,
    notes: &'a [String],
}

/// Proposes the topic's table, and does what the request says.
///
/// # Errors
/// The topic is not a configured table topic, or nobody can be asked: exit code 2. Kafka, the registry or the database can't
/// be asked, or refuses: exit code 1.
pub fn execute(
    request: &ProposalRequest,
    settings: &Settings,
    report: &mut Report,
    stop: &Stop,
) -> Result<()> {
    if request.mode == ProposalMode::Ask {
        confirm::check_someone_is_there()?;
    }
    let database = match request.mode {
        ProposalMode::Print => settings.database.as_ref(),
        _ => Some(Database::configured(settings.database.as_ref())?),
    };
    let topic = table_topic(settings, &request.topic)?;
    let registry = Registry::new(settings.registry.as_ref())?;
    let known = sample::read(&settings.kafka, topic, &registry, stop)
        .and_then(|sample| known::columns(topic, &registry, &sample))
        .about_topic(&topic.name)?;
    let definition = define(topic, &known);
    let change = table_diff(database, &definition)?;
    let applied = match (request.mode, database, &change.sql) {
        (ProposalMode::Ask | ProposalMode::Apply, Some(database), Some(_)) => {
            if request.mode == ProposalMode::Ask {
                let question = format!("Run this on {}?", database.shown());
                confirm::ask(
                    &shown(&change, &definition),
                    &question,
                    "nothing was changed",
                    stop,
                )?;
            }
            apply_table(database, &definition, &change)?;
            true
        }
        _ => false,
    };
    let proposed = Proposed {
        topic: &topic.name,
        database: database.map(Database::shown),
        table: &change.table,
        is_new: change.is_new,
        columns: &change.columns,
        missing_keys: &change.missing_keys,
        sql: change.sql.as_deref(),
        applied,
        notes: &definition.notes,
    };
    report.outcome(&proposed);
    tell(request.mode, &change, &definition, applied, report);
    Ok(())
}

/// The topic, whose rows go to MySQL.
fn table_topic<'s>(settings: &'s Settings, name: &str) -> Result<&'s Topic> {
    let Some(topic) = settings.topics.get(name) else {
        let known = settings.topics.keys().map(String::as_str);
        let near = did_you_mean(name, known);
        return Problem::usage(format!("topic {name} is not configured"))
            .fix(near.unwrap_or_else(|| "write an entry for it: lakectl discover proposes one".to_owned()))
            .err();
    };
    if topic.kind != Kind::Table || !topic.warehouse_enabled {
        return Problem::usage(format!("topic {name} is not one whose rows go to MySQL"))
            .fix("only tables do: set kind = \"table\", and leave warehouse.enabled out")
            .err();
    }
    if topic.key.is_always_null() {
        return Err(usage(format!(
            "topic {name}: key.format is none, but the rows of a table need a key"
        )));
    }
    Ok(topic)
}

/// The SQL with what a person should know, as comments.
fn shown(change: &TableDiff, definition: &TableDefinition) -> Vec<String> {
    let notes = definition.notes.iter().map(|note| format!("-- {note}"));
    let sql = change.sql.iter().flat_map(|sql| sql.lines());
    let mut lines: Vec<String> = notes.chain(sql.map(str::to_owned)).collect();
    if let (Some(last), Some(_)) = (lines.last_mut(), &change.sql) {
        last.push(';');
    }
    lines
}

fn tell(
    mode: ProposalMode,
    change: &TableDiff,
    definition: &TableDefinition,
    applied: bool,
    report: &mut Report,
) {
    let table = &change.table;
    let columns = change.columns.join(", ");
    for key in &change.missing_keys {
        report.text.push(format!(
            "{}table `{table}` lacks `{key}`, which is part of the record's key: its primary key is another one",
            if mode == ProposalMode::Print { "-- " } else { "" }
        ));
    }
    let nothing = change.sql.is_none() && change.missing_keys.is_empty();
    match mode {
        ProposalMode::Print => report.text.extend(shown(change, definition)),
        _ => report.text.extend(definition.notes.iter().cloned()),
    }
    match mode {
        _ if nothing => report.text.push(format!(
            "{}table `{table}` has a column for every field",
            if mode == ProposalMode::Print { "-- " } else { "" }
        )),
        ProposalMode::Check if change.is_new => report.text.push(format!("there is no table `{table}`")),
        ProposalMode::Check if change.sql.is_some() => {
            report.text.push(format!("table `{table}` lacks: {columns}"));
        }
        _ if applied && change.is_new => report.text.push(format!("created table `{table}`: {columns}")),
        _ if applied => report.text.push(format!("added to table `{table}`: {columns}")),
        _ => {}
    }
    // What can't be added needs a person, whoever has asked.
    if (mode == ProposalMode::Check && !nothing) || !change.missing_keys.is_empty() {
        report.needs_attention();
    }
}
