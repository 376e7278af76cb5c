//! The question before anything is deleted.

use anyhow::{Context, Result};
use std::io::{BufRead, IsTerminal, Write};

use super::plan::Plan;
use crate::cli::Common;
use crate::exit::usage;

/// Goes on with `--yes` or a typed `yes`.
///
/// # Errors
/// Nobody there to ask, or another answer: exit code 2.
pub(super) fn ask(yes: bool, common: &Common, plan: &Plan) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(usage(
            "there is no terminal to ask at: say --yes, or look first with --dry-run",
        ));
    }
    let mut stderr = std::io::stderr().lock();
    if common.json || common.quiet {
        for line in plan.text() {
            writeln!(stderr, "{line}").context("asking")?;
        }
    }
    write!(stderr, "Delete this for good? Type yes: ")
        .and_then(|()| stderr.flush())
        .context("asking")?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("reading the answer")?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => Err(usage("nothing was deleted: the answer was not yes")),
    }
}
