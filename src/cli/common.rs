//! What every command takes.

pub mod heading;
pub mod place;

use clap::{ArgAction, Args, ValueEnum};
use std::path::PathBuf;

use crate::exit;
use crate::print::{LogFormat, PrintOptions};
use heading::EVERYWHERE;

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = EVERYWHERE)]
pub struct Common {
    /// Configuration file [default: $LAKECTL_CONFIG, ./lakectl.toml, /etc/lakectl/lakectl.toml]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say exactly what would be done, and touch nothing
    #[arg(short = 'n', long, global = true)]
    pub dry_run: bool,
    /// Print the run report as one JSON object on stdout, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// text: errors and warnings, with the time where stderr is not a terminal; time: every line with its time;
    /// json: every line one JSON object [default: text] [env: LAKECTL_LOG_FORMAT]
    #[arg(long, global = true, value_name = "FORMAT", hide_possible_values = true)]
    pub log_format: Option<LogFormat>,
    /// Write what a run of lake, warehouse, compact or purge did for Prometheus' textfile collector, like
    /// /var/lib/prometheus/node-exporter/lakectl.prom [env: LAKECTL_METRICS_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Print help
    #[arg(short, long, global = true, action = ArgAction::Help)]
    help: Option<bool>,
    /// Print version
    #[arg(short = 'V', long, global = true, action = ArgAction::Version)]
    version: Option<bool>,
}

impl Common {
    /// Takes from the environment what the command line leaves out, so that a crontab sets it once.
    ///
    /// # Errors
    /// The environment names an unknown log format: exit code 2.
    pub fn take_from(&mut self, environment: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<()> {
        if self.metrics_file.is_none() {
            self.metrics_file = environment("LAKECTL_METRICS_FILE").map(PathBuf::from);
        }
        if let (None, Some(text)) = (self.log_format, environment("LAKECTL_LOG_FORMAT")) {
            let format = LogFormat::from_str(&text, true).map_err(|_| {
                exit::usage(format!(
                    "LAKECTL_LOG_FORMAT: {text:?} is not one of text, time, json"
                ))
            })?;
            self.log_format = Some(format);
        }
        Ok(())
    }

    pub fn print_options(&self) -> PrintOptions {
        PrintOptions {
            json: self.json,
            quiet: self.quiet,
            verbose: self.verbose,
            log_format: self.log_format.unwrap_or_default(),
        }
    }
}
