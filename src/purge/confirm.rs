//! The question before anything is deleted.

use anyhow::{Context, Result};
use std::io::{BufRead, IsTerminal, Write};

use crate::exit::usage;

/// Whether a person can be asked.
///
/// # Errors
/// Nobody there: exit code 2.
pub fn check_someone_is_there() -> Result<()> {
    match std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        true => Ok(()),
        false => Err(usage(
            "there is no terminal to ask at: say --yes, or look first with --dry-run",
        )),
    }
}

/// Goes on with a typed `yes`; `plan` is shown first.
///
/// # Errors
/// Another answer: exit code 2.
pub fn ask(plan: &[String], question: &str) -> Result<()> {
    let mut stderr = std::io::stderr().lock();
    for line in plan {
        writeln!(stderr, "{line}").context("asking")?;
    }
    write!(stderr, "{question} Type yes: ")
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
