//! Prints clap's errors on the command line.

use clap::{CommandFactory, ValueEnum};
use std::io::Write;

use super::Cli;
use crate::audit::{CommandLine, names_secret};
use crate::exit;
use crate::print::{Level, Log, LogFormat, Paint};
use crate::report::Report;

/// Prints clap's error, or the help, and returns the exit code.
pub fn tell(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        // A closed pipe, as in `--help | head`, is not an error.
        let _ = error.print();
        return exit::DONE;
    }
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let plain = without_secrets(error.render().to_string(), &arguments);
    let mut report = Report::new(command_of(&arguments), false);
    report.fail(&exit::usage(plain.trim_end()));
    report.finish(None);
    if arguments.iter().any(|argument| argument == "--json")
        && let Ok(text) = serde_json::to_string(&report)
    {
        let _ = writeln!(std::io::stdout(), "{text}");
    }
    match log_format(&arguments) {
        LogFormat::Text => {
            let text = if Paint::for_stderr().is_on() {
                without_secrets(error.render().ansi().to_string(), &arguments)
            } else {
                plain
            };
            let _ = write!(std::io::stderr(), "{text}");
        }
        format => Log::new(format, &report).tell(Level::Error, None, plain.trim_end()),
    }
    exit::USAGE
}

/// The command on the command line, as far as it is recognisable.
fn command_of(arguments: &[String]) -> &'static str {
    let cli = Cli::command();
    let known = |argument: &&String| {
        cli.get_subcommands()
            .any(|command| command.get_name() == argument.as_str())
    };
    // Reports need a name that lives as long as the process, which ends soon.
    arguments
        .iter()
        .find(known)
        .map_or("", |found| String::leak(found.clone()))
}

/// The log format, which clap does not give after an error.
fn log_format(arguments: &[String]) -> LogFormat {
    let mut said = arguments.iter().enumerate().filter_map(|(at, argument)| {
        match argument.strip_prefix("--log-format")? {
            "" => arguments.get(at + 1).cloned(),
            value => value.strip_prefix('=').map(str::to_owned),
        }
    });
    let text = said.next().or_else(|| std::env::var("LAKECTL_LOG_FORMAT").ok());
    text.and_then(|text| LogFormat::from_str(&text, true).ok())
        .unwrap_or_default()
}

/// Hides secrets in clap's message, which quotes arguments.
fn without_secrets(mut text: String, arguments: &[String]) -> String {
    let kept = CommandLine::new(arguments.iter().cloned()).into_arguments();
    for (at, (argument, kept)) in arguments.iter().zip(kept).enumerate() {
        let names_a_secret = at > 0 && names_secret(&arguments[at - 1]);
        let shown = if names_a_secret { "***" } else { &kept };
        text = text.replace(&format!("'{argument}'"), &format!("'{shown}'"));
    }
    text
}
