//! Appends entries to the configuration file. What stands there stays as it is, byte for byte.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

use crate::atomic_file;
use crate::config::{Settings, topic_of_entry};
use crate::problem::Problem;

/// The file that entries are appended to, past symlinks.
///
/// # Errors
/// There is no file: exit code 2.
pub(super) fn file(settings: &Settings) -> Result<PathBuf> {
    let Some(path) = &settings.file else {
        return Problem::usage("--write: there is no configuration file to append to")
            .fix("make ./lakectl.toml, or name one with --config; without --write the entries are printed")
            .err();
    };
    path.canonicalize()
        .with_context(|| format!("looking for {}", path.display()))
}

/// Appends the entries of these topics. Readers see the old file or the new one.
///
/// # Errors
/// The file can't be read or written, or entries can't stand at its end: it stays as it is.
pub(super) fn append(path: &Path, entries: &str, topics: &[&str]) -> Result<()> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {shown}"))?;
    let whole = appended(&text, entries);
    for topic in topics {
        if let Err(error) = topic_of_entry(topic, &whole) {
            let why = Problem::of(&error).without_fix();
            return Problem::new(format!("entries can't be appended to {shown}: with them, {why}"))
                .fix("run this without --write, and put the entries where they belong")
                .err();
        }
    }
    atomic_file::rewrite(path, &text, &whole).with_context(|| format!("writing {shown}"))
}

/// The text with the entries behind it, with its own line ends.
fn appended(text: &str, entries: &str) -> String {
    let (end, entries) = match text.contains("\r\n") {
        true => ("\r\n", entries.replace('\n', "\r\n")),
        false => ("\n", entries.to_owned()),
    };
    let ended = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        end
    };
    let gap = if text.trim().is_empty() { "" } else { end };
    format!("{text}{ended}{gap}{entries}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const ENTRY: &str = "[topics.B]\nkind = \"stream\"\n";

    fn written(text: &str) -> (Result<()>, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lakectl.toml");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let result = append(&path, ENTRY, &["B"]);
        let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode, dir.path().read_dir().unwrap().count()), (0o640, 1));
        (result, std::fs::read_to_string(&path).unwrap())
    }

    #[test]
    fn what_was_there_stays_as_it_was() {
        for (before, between) in [
            ("", ""),
            ("# a comment\r\n[lake]\r\n", "\r\n"),
            ("# a comment, é\n\n[topics.A]   \nkind = 'table' # x", "\n\n"),
            ("[lake]\n", "\n"),
        ] {
            let (result, after) = written(before);
            result.unwrap();
            let entry = if before.contains('\r') {
                ENTRY.replace('\n', "\r\n")
            } else {
                ENTRY.to_owned()
            };
            assert_eq!(after, format!("{before}{between}{entry}"));
        }
    }

    #[test]
    fn a_file_that_takes_no_entries_at_its_end_stays() {
        for before in [
            "topics = { A = { kind = \"stream\" } }\n",
            "[topics.B]\nkind = \"table\"\n",
            "x = \"\"\"\n",
        ] {
            let (result, after) = written(before);
            let error = format!("{:#}", result.unwrap_err());
            assert!(error.contains("--write"), "{error}");
            assert_eq!(after, before);
        }
    }
}
