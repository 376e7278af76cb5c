//! Parses the command line, runs the command, prints the report, exits.

use clap::Parser;
use std::process::ExitCode;

use lakectl::cli::{Cli, usage};
use lakectl::report::Report;
use lakectl::stop::Stop;
use lakectl::{commands, exit, print};

fn main() -> ExitCode {
    let mut cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(usage::tell(&error)),
    };
    let mut report = Report::new(cli.command.name(), cli.common.dry_run);
    let stop = Stop::on_signals();
    let ready = commands::check_environment().and_then(|()| cli.common.take_from(&commands::environment));
    let result = ready.and_then(|()| match &stop {
        Ok(stop) => commands::execute(&cli, &mut report, stop),
        Err(error) => Err(anyhow::anyhow!("{error:#}")),
    });
    if let Err(error) = &result {
        report.fail(error);
    }
    report.finish(stop.ok().and_then(|stop| stop.signal()));
    commands::write_metrics(&cli, &mut report);
    let printed = print::report(&report, cli.common.print_options());
    ExitCode::from(match report.exit_code {
        exit::DONE | exit::ATTENTION if printed.is_err() => exit::FAILED,
        code => code,
    })
}
