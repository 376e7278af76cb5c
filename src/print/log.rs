//! Lines on stderr and in logs: errors, warnings, and how far a run has come.

use anstyle::{AnsiColor, Style};
use chrono::{SecondsFormat, Utc};
use clap::ValueEnum;
use serde::Serialize;
use std::io::{IsTerminal, Write};

use super::paint::Paint;
use crate::problem::Problem;
use crate::report::Report;
use crate::words::printable;

/// The form of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Time,
    Json,
}

/// The form of the lines, and what each says about the run.
#[derive(Debug, Clone)]
pub struct Log {
    format: LogFormat,
    command: &'static str,
    run_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Info,
    Warning,
    Error,
}

/// A line of `--log-format json`.
#[derive(Serialize)]
struct LogLine<'a> {
    time: String,
    level: Level,
    run_id: &'a str,
    command: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    message: &'a str,
}

impl Log {
    pub fn new(format: LogFormat, report: &Report) -> Self {
        Log {
            format,
            command: report.command,
            run_id: report.run_id.clone(),
        }
    }

    /// Whether lines on stdout are plain, without time or JSON around them.
    pub(super) fn is_plain(&self) -> bool {
        self.format == LogFormat::Text
    }

    /// Whether a line has the topic in a field beside its message.
    pub(super) fn names_the_topic(&self) -> bool {
        self.format == LogFormat::Json
    }

    /// Writes to stderr. If that fails, there is no place to report it.
    pub fn tell(&self, level: Level, topic: Option<&str>, message: &str) {
        self.tell_problem(level, topic, &Problem::new(message));
    }

    pub(super) fn tell_problem(&self, level: Level, topic: Option<&str>, problem: &Problem) {
        let stderr = std::io::stderr();
        let line = match self.format {
            LogFormat::Json => self.json(level, topic, &problem.to_string()),
            LogFormat::Text if stderr.is_terminal() => diagnostic(level, topic, problem),
            LogFormat::Text | LogFormat::Time => format!("{} {}", now(), diagnostic(level, topic, problem)),
        };
        let _ = writeln!(stderr.lock(), "{line}");
    }

    /// A line for stdout.
    pub(super) fn line(&self, topic: Option<&str>, line: &str) -> String {
        match self.format {
            LogFormat::Text => line.to_owned(),
            LogFormat::Time => format!("{} {line}", now()),
            LogFormat::Json => self.json(Level::Info, topic, line),
        }
    }

    fn json(&self, level: Level, topic: Option<&str>, message: &str) -> String {
        let line = LogLine {
            time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            level,
            run_id: &self.run_id,
            command: self.command,
            topic,
            message,
        };
        serde_json::to_string(&line).unwrap_or_else(|_| message.to_owned())
    }
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn diagnostic(level: Level, topic: Option<&str>, problem: &Problem) -> String {
    let paint = Paint::for_stderr();
    let (color, word) = match level {
        Level::Info => (None, ""),
        Level::Warning => (Some(AnsiColor::Yellow), "warning: "),
        Level::Error => (Some(AnsiColor::Red), ""),
    };
    let style = color.map_or(Style::new(), |color| color.on_default().bold());
    let head = paint.text(style, format!("lakectl: {word}").trim_end());
    let message = printable(&problem.to_string());
    // A message names its topic, but not twice.
    match topic.filter(|_| problem.subject.is_none()) {
        Some(topic) => format!("{head} topic {topic}: {message}"),
        None => format!("{head} {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_named_whatever_letters_its_message_has() {
        let line = diagnostic(Level::Error, Some("is"), &Problem::new("the disk is full"));
        assert!(line.contains("topic is: the disk is full"), "{line}");
    }
}
