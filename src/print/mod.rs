//! Prints the report at the end of a run: as one JSON object, as lines for a log, or as a table at a terminal.

pub mod bars;
mod log;
mod paint;
mod plain;
mod table;
mod usage;

use std::io::{IsTerminal, Write};

use crate::cli::Common;
use crate::exit;
use crate::problem::ProblemSubject;
use crate::report::{Report, Status};
use crate::words::printable;
pub use log::{Level, Log};
pub use usage::usage;

/// Prints the report in the form that the flags ask for. Errors and warnings go to stderr.
///
/// # Errors
/// Stdout can't be written. A closed pipe is not an error: its reader wants no more.
pub fn report(report: &Report, common: &Common) -> std::io::Result<()> {
    let log = Log::new(common, report);
    let mut stdout = std::io::stdout();
    let text = match (common.json, common.quiet) {
        (true, _) => serde_json::to_string(report)? + "\n",
        _ if let Some(output) = &report.output => output.clone(),
        (false, true) => String::new(),
        _ if log.is_plain() && stdout.is_terminal() => table::of(report, common.verbose),
        _ => plain::of(report, common.verbose, &log),
    };
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    diagnostics(report, common, &log);
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            log.tell(
                Level::Error,
                None,
                &format!(
                    "what should be done is done, as far as nothing else is said here, but stdout took no report of \
                     it: {error}"
                ),
            );
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Prints warnings, then errors of topics, then that of the run.
fn diagnostics(report: &Report, common: &Common, log: &Log) {
    if common.quiet && report.exit_code == exit::DONE {
        return;
    }
    for warning in &report.warnings {
        let topic = warning.subject.as_ref().map(ProblemSubject::topic_name);
        log.tell_problem(Level::Warning, topic, warning);
    }
    for topic in &report.topics {
        let level = match topic.status {
            Status::Locked => Level::Warning,
            _ => Level::Error,
        };
        if let Some(error) = &topic.error {
            log.tell_problem(level, Some(&topic.topic), error);
        }
    }
    if let Some(error) = &report.error {
        log.tell_problem(Level::Error, None, error);
    }
}

/// Prints lines on stdout at once.
pub fn lines(lines: &[String], log: &Log) {
    let mut stdout = std::io::stdout().lock();
    for line in lines {
        let _ = writeln!(stdout, "{}", log.line(None, &printable(line)));
    }
}
