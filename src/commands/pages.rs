//! `lakectl completions` and `lakectl man`: what the shell and `man` want, from the command line's own definitions.

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_mangen::Man;
use serde::Serialize;
use std::path::Path;

use crate::cli::{Cli, Common, CompletionsArgs, ManArgs, heading};
use crate::exit::usage;
use crate::report::Report;

/// In the report of `--json`, in place of the text itself.
#[derive(Serialize)]
struct Page {
    page: String,
}

pub(super) fn completions(args: &CompletionsArgs, report: &mut Report) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lakectl", &mut script);
    show(report, script)
}

pub(super) fn man(common: &Common, args: &ManArgs, report: &mut Report) -> Result<()> {
    // The foot of a page has room for the number alone.
    let mut program = Cli::command()
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true);
    program.build();
    match &args.out {
        Some(folder) => write_all(&program, folder, common, report),
        None => show(report, page(named(program, &args.command)?)?.into_bytes()),
    }
}

/// What all our commands say after their options is what clap_mangen calls extra, and man pages call otherwise.
fn page(command: clap::Command) -> Result<String> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    let page = String::from_utf8(page)?.replace("\n.SH EXTRA\n", "\n.SH \"EXIT STATUS\"\n");
    Ok(below_options(page))
}

/// Our headings stand below the section of options, where readers of man pages look, and not beside it.
fn below_options(mut page: String) -> String {
    const OPTIONS: &str = "\n.SH OPTIONS\n";
    for heading in heading::ALL {
        let title = heading.to_uppercase();
        let subsection = format!("\n.SS \"{heading}\"\n");
        for section in [format!("\n.SH {title}\n"), format!("\n.SH \"{title}\"\n")] {
            let Some(at) = page.find(&section) else { continue };
            let begun = page[..at].contains(OPTIONS);
            let begin = if begun { "" } else { OPTIONS.trim_end() };
            page.replace_range(at..at + section.len(), &format!("{begin}{subsection}"));
        }
    }
    page
}

fn named(program: clap::Command, names: &[String]) -> Result<clap::Command> {
    names.iter().try_fold(program, |command, name| {
        let found = command.find_subcommand(name).cloned();
        found.ok_or_else(|| usage(format!("{} has no command `{name}`", command.get_name())))
    })
}

fn show(report: &mut Report, text: Vec<u8>) -> Result<()> {
    let text = String::from_utf8(text)?;
    report.outcome(&Page { page: text.clone() });
    report.output = Some(text);
    Ok(())
}

fn write_all(program: &clap::Command, folder: &Path, common: &Common, report: &mut Report) -> Result<()> {
    if !common.dry_run {
        std::fs::create_dir_all(folder)
            .map_err(anyhow::Error::new)
            .and_then(|()| write_with_those_below(program, folder))
            .with_context(|| format!("writing man pages into {}", folder.display()))?;
    }
    let would = if common.dry_run { "would write" } else { "wrote" };
    report.text.push(format!(
        "{would} lakectl.1 and one page for each command into {}",
        folder.display()
    ));
    Ok(())
}

fn write_with_those_below(command: &clap::Command, folder: &Path) -> Result<()> {
    let name = Man::new(command.clone()).get_filename();
    std::fs::write(folder.join(name), page(command.clone())?)?;
    command
        .get_subcommands()
        .try_for_each(|below| write_with_those_below(below, folder))
}
