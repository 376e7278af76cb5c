//! `lakectl files`: a topic's data files, or what has changed of them.

use anyhow::Result;
use serde_json::json;

use super::schema::{absolute_root, files_of};
use crate::cli::{Common, FilesArgs};
use crate::config::Overrides;
use crate::exit::usage;
use crate::lake::Lake;
use crate::report::Report;

pub(super) fn execute(common: &Common, args: &FilesArgs, report: &mut Report) -> Result<()> {
    let overrides = Overrides {
        lake_root: args.root.lake_root.clone(),
        ..Overrides::default()
    };
    let settings = super::settings(common, &overrides)?;
    let lake = Lake::existing(&settings)?;
    let files = files_of(&lake, &args.topic, args.since.as_deref())?;
    let root = absolute_root(&lake)?;
    let root = root.trim_end_matches('/');
    let mut listed = json!({
        "topic": args.topic,
        "kind": files.kind,
        "root": root,
        "last_run": files.last_run,
    });
    let mut output = String::new();
    let mut line = |mark: &str, path: &str| {
        output.push_str(mark);
        if !args.relative {
            output.push_str(root);
            output.push('/');
        }
        output.push_str(path);
        output.push(if args.null { '\0' } else { '\n' });
    };
    match (&args.since, &files.since) {
        (None, _) => {
            listed["files"] = files
                .files
                .iter()
                .map(|file| json!({ "path": file.path, "day": file.day, "records": file.records, "bytes": file.bytes }))
                .collect();
            files.files.iter().for_each(|file| line("", &file.path));
        }
        (Some(since), Some(changed)) => {
            listed["since"] = json!(since);
            listed["paths"] = json!(changed);
            changed
                .lines()
                .for_each(|(mark, path)| line(&format!("{mark} "), path));
            if args.last_run {
                output.push_str("= ");
                output.push_str(&files.last_run);
                output.push(if args.null { '\0' } else { '\n' });
            }
        }
        (Some(since), None) => return Err(unknown(&args.topic, since, &files.last_run)),
    }
    report.outcome(&listed);
    report.output = Some(output);
    Ok(())
}

fn unknown(topic: &str, since: &str, last_run: &str) -> anyhow::Error {
    usage(format!(
        "--since: what has changed in {topic} since `{}` is not known: the ledger remembers some hundred runs and \
         some thousand removed files of a topic. Load it anew: `lakectl files {topic}` lists all files, and go on from `--since {last_run}`",
        since.escape_debug()
    ))
}
