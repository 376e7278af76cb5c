//! `lakectl files`: a topic's data files, or those that have changed.

use anyhow::Result;
use serde_json::json;

use super::schema::{absolute_root, files_of};
use crate::cli::{Common, FilesArgs};
use crate::exit::usage;
use crate::lake::{Lake, Since, commit_of, token_of};
use crate::problem::Problem;
use crate::report::Report;
use crate::stop::Stop;

pub(in crate::commands) fn execute(
    common: &Common,
    args: &FilesArgs,
    report: &mut Report,
    stop: &Stop,
) -> Result<()> {
    let settings = crate::commands::settings_of_lake(common, &args.root, stop)?;
    let lake = Lake::existing(&settings)?;
    let since = args
        .since
        .as_deref()
        .map(|token| commit(&args.topic, token))
        .transpose()?
        .map(|commit| Since {
            commit,
            compacted: args.compacted,
        });
    let files = files_of(&lake, &args.topic, since)?;
    let last = token_of(files.commit);
    let root = absolute_root(&lake)?;
    let root = root.trim_end_matches('/');
    let mut listed = json!({
        "topic": args.topic,
        "kind": files.kind,
        "root": root,
        "last_run": last,
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
                output.push_str(&last);
                output.push(if args.null { '\0' } else { '\n' });
            }
        }
        (Some(since), None) => return Err(unknown(&args.topic, since, &last)),
    }
    report.outcome(&listed);
    report.output = Some(output);
    Ok(())
}

fn commit(topic: &str, token: &str) -> Result<u64> {
    commit_of(token).ok_or_else(|| {
        Problem::usage(format!(
            "--since: `{}` does not name a commit (run ids are not taken)",
            token.escape_debug()
        ))
        .fix(format!(
            "c0 stands before the first one, and `lakectl files {topic} --since c0 --last-run` ends with the last one"
        ))
        .into()
    })
}

fn unknown(topic: &str, since: &str, last: &str) -> anyhow::Error {
    usage(format!(
        "--since: what has changed in {topic} since {since} is not known: its last commit is {last}, and the ledger \
         remembers some thousand removed files of a topic. Load it again: `lakectl files {topic}` lists all files; then \
         continue from `--since {last}`"
    ))
}
