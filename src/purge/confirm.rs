//! The question before anything is deleted.

use anyhow::{Context, Result, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{BufRead, IsTerminal, Write};

use crate::exit::usage;
use crate::problem::Problem;
use crate::stop::Stop;
use crate::words::printable;

/// How often an open question looks for signals.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// What is said of purges and erasures that were not confirmed.
pub const NOT_DELETED: &str = "nothing was deleted";

/// Checks that a person can be asked.
///
/// # Errors
/// There is no terminal: exit code 2.
pub fn check_someone_is_there() -> Result<()> {
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        Ok(())
    } else {
        Problem::usage("there is no terminal to ask at")
            .fix("say --yes, or look first with --dry-run")
            .err()
    }
}

/// Shows `plan`, and waits for a typed `yes`; `undone` is what is said of any other answer: `nothing was deleted`.
///
/// # Errors
/// Another answer: exit code 2.
pub fn ask(plan: &[String], question: &str, undone: &str, stop: &Stop) -> Result<()> {
    let mut stderr = std::io::stderr().lock();
    for line in plan {
        writeln!(stderr, "{}", printable(line)).context("asking")?;
    }
    write!(stderr, "{question} Type yes: ")
        .and_then(|()| stderr.flush())
        .context("asking")?;
    wait_for_an_answer(undone, stop)?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("reading the answer")?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => Err(usage(format!("{undone}: the answer was not yes"))),
    }
}

/// Reads the answer. The first Ctrl-C ends the question.
fn wait_for_an_answer(undone: &str, stop: &Stop) -> Result<()> {
    let stdin = std::io::stdin();
    loop {
        let mut answer = [PollFd::new(&stdin, PollFlags::IN)];
        // A signal has interrupted it; it is noticed below.
        let ready = poll(&mut answer, Some(&TICK)).unwrap_or(0);
        if stop.signal().is_some() {
            eprintln!();
            return Err(anyhow!("{undone}: stopped at the question"));
        }
        if ready > 0 {
            return Ok(());
        }
    }
}
