//! The question before anything is deleted.

use anyhow::{Context, Result, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{BufRead, IsTerminal, Write};

use crate::exit::usage;
use crate::stop::Stop;
use crate::words::printable;

/// How often a question that is open lets us look at signals.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// Whether a person can be asked.
///
/// # Errors
/// Nobody there: exit code 2.
pub fn check_someone_is_there() -> Result<()> {
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        Ok(())
    } else {
        Err(usage(
            "there is no terminal to ask at: say --yes, or look first with --dry-run",
        ))
    }
}

/// Goes on with a typed `yes`; `plan` is shown first.
///
/// # Errors
/// Another answer: exit code 2.
pub fn ask(plan: &[String], question: &str, stop: &Stop) -> Result<()> {
    let mut stderr = std::io::stderr().lock();
    for line in plan {
        writeln!(stderr, "{}", printable(line)).context("asking")?;
    }
    write!(stderr, "{question} Type yes: ")
        .and_then(|()| stderr.flush())
        .context("asking")?;
    wait_for_an_answer(stop)?;
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

/// The first Ctrl-C shall end the question, and not be taken for a part of the answer.
fn wait_for_an_answer(stop: &Stop) -> Result<()> {
    let stdin = std::io::stdin();
    loop {
        let mut answer = [PollFd::new(&stdin, PollFlags::IN)];
        // Interrupted by a signal, it finds the signal below.
        let ready = poll(&mut answer, Some(&TICK)).unwrap_or(0);
        if stop.signal().is_some() {
            eprintln!();
            return Err(anyhow!("nothing was deleted: stopped at the question"));
        }
        if ready > 0 {
            return Ok(());
        }
    }
}
