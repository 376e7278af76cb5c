//! `lakectl schema`: how other programs read a topic.

use anyhow::Result;
use serde_json::json;

use crate::cli::{Common, SchemaArgs};
use crate::config::{Kind, Topic, did_you_mean};
use crate::lake::{Lake, Since, TopicFiles};
use crate::problem::Problem;
use crate::readers::{self, ColumnReport, FilesLocation, Schema, TypedSchema};
use crate::report::Report;
use crate::stop::Stop;

pub(in crate::commands) fn execute(
    common: &Common,
    args: &SchemaArgs,
    report: &mut Report,
    stop: &Stop,
) -> Result<()> {
    let settings = crate::commands::settings_of_lake(common, &args.root, stop)?;
    let lake = Lake::existing(&settings)?;
    let files = files_of(&lake, &args.topic, None)?;
    if files.kind == Kind::Table && files.current.is_none() {
        return Problem::usage(format!(
            "the lake has no snapshot of the table {} yet",
            args.topic
        ))
        .fix("lakectl lake makes one")
        .err();
    }
    let topic = match settings.topics.get(&args.topic) {
        Some(topic) if topic.kind == files.kind => topic.clone(),
        _ => Topic::ad_hoc(&args.topic, files.kind, None)?,
    };
    let place = FilesLocation::of(&absolute_root(&lake)?, &args.topic, &files);
    let topics = lake.topic_names()?;
    let table = readers::table_name(&topic.name, topics.iter().map(String::as_str));
    let (metadata, prefix) = (settings.lake.metadata, &settings.lake.prefix);
    let is_typed = TypedSchema::finds(&files, true);
    let lines = if !is_typed || TypedSchema::finds(&files, false) {
        let (made, columns) = readers::look(&lake, &files, prefix, args.all, stop)?;
        let lines = Schema::new(&topic, table.clone(), place.clone(), metadata, prefix, made);
        Some((lines, columns))
    } else {
        None
    };
    let mut tell = |columns: Vec<ColumnReport<'_>>, statement: String| {
        report.outcome(&json!({
            "topic": args.topic,
            "kind": files.kind,
            "columns": columns,
            "statement": statement,
        }));
        report.output = Some(statement);
    };
    match lines {
        Some((lines, _)) if !is_typed => tell(lines.report(), readers::statement(&lines, args.reader)),
        lines => {
            let schema = TypedSchema::new(&lake, &topic, &files, table, place, prefix, lines)?;
            tell(schema.report(), readers::typed_statement(&schema, args.reader));
        }
    }
    Ok(())
}

/// The files of a topic that somebody named.
pub(super) fn files_of(lake: &Lake<'_>, topic: &str, since: Option<Since>) -> Result<TopicFiles> {
    crate::config::check_topic_name(topic)?;
    if let Some(files) = lake.files(topic, since)? {
        return Ok(files);
    }
    let known = lake.topic_names()?;
    Problem::usage(format!("the lake has no topic `{topic}`"))
        .fix_if_known(did_you_mean(topic, known.iter().map(String::as_str)))
        .err()
}

/// The lake's root as other programs find it, from wherever they are started.
pub(super) fn absolute_root(lake: &Lake<'_>) -> Result<String> {
    let path = std::path::absolute(lake.root().path())?;
    let shown = path.display().to_string();
    path.into_os_string().into_string().map_err(|_| {
        Problem::new(format!("{shown} is not UTF-8, and no text can name it"))
            .fix("give the lake another root, or a symlink to it")
            .into()
    })
}
