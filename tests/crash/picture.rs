//! A lake as an undisturbed run decides it: names and bytes of the data, and the ledger without clocks and run ids.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::sweep::World;
use crate::common::lake::Lake;

/// What lies at each path below the root.
pub type Picture = BTreeMap<String, String>;

impl World for Lake {
    type Picture = Picture;

    fn fill(&self, command: &mut Command) {
        command.current_dir(self.folder());
    }

    fn picture(&self) -> Picture {
        let passing = |path: &str| {
            path.starts_with(".lakectl/locks")
                || [".lakectl/lake.lock", ".lakectl/audit.jsonl"].contains(&path)
        };
        let listing = self.listing().into_iter();
        listing
            .map(|(path, entry)| (path.to_str().unwrap().to_owned(), entry))
            .filter(|(path, _)| !passing(path))
            .map(|(path, entry)| {
                let content = match &entry.link {
                    Some(target) => target.display().to_string(),
                    None if entry.is_file() => content(&self.root().join(&path), &path),
                    None => String::new(),
                };
                (without_run(&path), format!("{:o} {content}", entry.mode))
            })
            .collect()
    }
}

fn content(file: &Path, path: &str) -> String {
    let bytes = std::fs::read(file).unwrap();
    if path.starts_with(".lakectl/") && bytes.starts_with(b"lakectl 1 ") {
        ledger(&bytes)
    } else {
        bytes.escape_ascii().to_string()
    }
}

/// A file of the ledger without what differs from run to run.
fn ledger(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).unwrap();
    let (_seal, json) = text.split_once('\n').unwrap();
    let mut json: Value = serde_json::from_str(json).unwrap();
    mask_times(&mut json);
    without_run(&json.to_string())
}

/// When a run looked at the clock: a drain's end, an erasure, the first day that a purge left by today's date. And in
/// which commit a file came: a rebuild that is killed behind its commit and run again makes two of one. What is told of
/// these commits is tested with `lakectl files`, kills included.
fn mask_times(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                match &**name {
                    "changes" | "made" | "changed" => *value = "commits".into(),
                    "complete_ms" | "at" | "cutoff" if !value.is_null() => *value = "a time".into(),
                    _ => mask_times(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask_times),
        _ => {}
    }
}

/// `20261122T225650682Z-8d494fa1` is a run's id.
fn without_run(text: &str) -> String {
    const LENGTH: usize = 28;
    let is_run = |part: &str| {
        part.len() == LENGTH
            && part.bytes().enumerate().all(|(at, byte)| match at {
                8 => byte == b'T',
                18 => byte == b'Z',
                19 => byte == b'-',
                20.. => byte.is_ascii_hexdigit(),
                _ => byte.is_ascii_digit(),
            })
    };
    let mut text = text.to_owned();
    while let Some(at) = (0..text.len()).find(|&at| text.get(at..at + LENGTH).is_some_and(is_run)) {
        text.replace_range(at..at + LENGTH, "RUN");
    }
    text
}
