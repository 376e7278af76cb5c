//! Checks the configuration file. It is valid, as it has been loaded.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{CONFIGURATION, CheckScope, Checks};
use crate::config::names_secret_option;
use crate::words::count;

pub(super) fn look(scope: &CheckScope<'_>, topics: usize, checks: &mut Checks) {
    let file = (CONFIGURATION, "file");
    let Some(path) = &scope.settings.file else {
        checks.ok(file, "none was found: all settings are the defaults");
        return needs_topics(scope, topics, checks);
    };
    let shown = path.display();
    match std::fs::metadata(path).map(|meta| meta.mode()) {
        Ok(mode) if mode & 0o002 != 0 => checks.wrong(
            file,
            format!("everybody may change {shown}, and with it where the data goes"),
            format!("chmod o-w {shown}"),
        ),
        Ok(mode) => {
            let topics = count(scope.settings.topics.len() as u64, "topic");
            checks.ok(file, format!("{shown}: {topics}"));
            secrets(path, mode, checks);
        }
        Err(error) => checks.unknown(file, format!("{shown}: {error}")),
    }
    if let (true, Some((one, other))) = (scope.warehouse, scope.settings.topics_of_one_table()) {
        checks.wrong(
            (CONFIGURATION, "tables"),
            format!(
                "{} and {} would both fill table `{}`",
                one.name, other.name, one.table
            ),
            "set warehouse.table of one of them",
        );
    }
    needs_topics(scope, topics, checks);
}

fn needs_topics(scope: &CheckScope<'_>, topics: usize, checks: &mut Checks) {
    if topics > 0 {
        return;
    }
    let kind = if scope.lake { "topic" } else { "table topic" };
    checks.wrong(
        (CONFIGURATION, "topics"),
        format!("no {kind} is configured: there is nothing to do"),
        "add a [topics.NAME] entry with its kind, or name one with --topics",
    );
}

/// Checks who can read the secrets that are written in the file itself.
fn secrets(path: &Path, mode: u32, checks: &mut Checks) {
    let shown = path.display();
    let written: Vec<String> = std::fs::read_to_string(path)
        .ok()
        .and_then(|text| text.parse::<toml::Table>().ok())
        .as_ref()
        .and_then(|file| file.get("kafka")?.get("options")?.as_table())
        .into_iter()
        .flatten()
        .filter(|(key, value)| names_secret_option(key) && value.is_str())
        .map(|(key, _)| format!("{key:?}"))
        .collect();
    if written.is_empty() {
        return;
    }
    let place = (CONFIGURATION, "secrets");
    let names = written.join(", ");
    let fix = format!(
        "chmod o-rwx {shown}, or write {{ file = \"…\" }} or {{ env = \"…\" }} in place of the secret"
    );
    match mode & 0o007 {
        0 => checks.ok(
            place,
            format!("{names}: written in {shown}, which others can't read"),
        ),
        _ => checks.wrong(
            place,
            format!("{names}: written in {shown}, which everybody can read"),
            fix,
        ),
    }
}
