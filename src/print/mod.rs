//! Prints the report at the end of a run: as one JSON object, as lines for a log, or as a table at a terminal.

pub mod bars;
pub mod fit;
mod log;
mod paint;
mod plain;
mod table;

use std::io::{IsTerminal, Write};

use crate::exit;
use crate::problem::ProblemSubject;
use crate::report::{Report, Status};
use crate::words::printable;
pub use log::{Level, Log, LogFormat};
pub use paint::Paint;

/// What is printed of a run, and in which form.
#[derive(Debug, Clone, Copy, Default)]
pub struct PrintOptions {
    /// The report as one JSON object, and nothing else on stdout.
    pub json: bool,
    /// Nothing but errors.
    pub quiet: bool,
    pub verbose: bool,
    pub log_format: LogFormat,
}

impl PrintOptions {
    /// The width that the text of a report is to fit into; None if it is not for a terminal.
    pub fn width(&self) -> Option<usize> {
        let at_terminal = !self.json && self.log_format == LogFormat::Text && std::io::stdout().is_terminal();
        at_terminal.then(fit::terminal_width)
    }
}

/// Prints the report in the form that the flags ask for. Errors and warnings go to stderr.
///
/// # Errors
/// Stdout can't be written. A closed pipe is not an error: its reader wants no more.
pub fn report(report: &Report, options: PrintOptions) -> std::io::Result<()> {
    let log = Log::new(options.log_format, report);
    let mut stdout = std::io::stdout();
    let text = match (options.json, options.quiet) {
        (true, _) => serde_json::to_string(report)? + "\n",
        _ if let Some(output) = &report.output => output.clone(),
        (false, true) => String::new(),
        _ if log.is_plain() && stdout.is_terminal() => table::of(report, options.verbose),
        _ => plain::of(report, options.verbose, &log),
    };
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    diagnostics(report, options.quiet, &log);
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
fn diagnostics(report: &Report, quiet: bool, log: &Log) {
    if quiet && report.exit_code == exit::DONE {
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
