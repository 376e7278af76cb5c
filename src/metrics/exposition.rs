//! Prometheus' text format, as far as lakectl uses it: gauges with labels. It writes such files and reads them back.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The names of all metrics, in the file's order, and their help texts.
pub const FAMILIES: [(&str, &str); 30] = [
    (
        "lakectl_last_run_timestamp_seconds",
        "When the last run of the command ended.",
    ),
    (
        "lakectl_last_success_timestamp_seconds",
        "When a run of the command last ended with exit code 0 or 3; 0: never.",
    ),
    (
        "lakectl_last_run_duration_seconds",
        "How long the last run of the command took.",
    ),
    (
        "lakectl_last_run_exit_code",
        "Exit code of the last run of the command.",
    ),
    (
        "lakectl_last_run_warnings",
        "Warnings of the last run of the command.",
    ),
    (
        "lakectl_topic_last_run_timestamp_seconds",
        "When the last run that had the topic ended.",
    ),
    (
        "lakectl_topic_last_success_timestamp_seconds",
        "When a run last did all that it should of the topic; 0: never.",
    ),
    (
        "lakectl_topic_exit_code",
        "What the topic alone makes of the exit code: 0 done, 1 failed, 2 misconfigured, 3 needs a person, 11 locked.",
    ),
    (
        "lakectl_topic_read_records",
        "Records that the last run that did the topic read.",
    ),
    ("lakectl_topic_written_records", "Lines or rows that it wrote."),
    (
        "lakectl_topic_deleted_rows",
        "Rows that it deleted, for tombstones.",
    ),
    ("lakectl_topic_written_bytes", "Bytes that it wrote, on disk."),
    (
        "lakectl_topic_remaining_offsets",
        "Offsets that a limit or a signal left for the next run.",
    ),
    (
        "lakectl_topic_held_records",
        "Offsets that an open transaction held back.",
    ),
    (
        "lakectl_topic_rejected_records",
        "Records that went to lakectl_rejects.",
    ),
    (
        "lakectl_topic_irregular_records",
        "Records that were kept as text, or skipped for want of a key.",
    ),
    (
        "lakectl_topic_gap_offsets",
        "Offsets that Kafka had deleted before they were read.",
    ),
    (
        "lakectl_topic_below_retention_records",
        "Records that were left out because a purge has deleted their days.",
    ),
    (
        "lakectl_topic_without_day_records",
        "Records that have no day in the lake.",
    ),
    (
        "lakectl_topic_implausible_time_records",
        "Records whose day or retention column lies before 2000 or more than a year ahead.",
    ),
    (
        "lakectl_verify_differences",
        "Differences between the lake and its ledger.",
    ),
    (
        "lakectl_compacted_days",
        "Days that the last compaction of the topic has written anew.",
    ),
    ("lakectl_compacted_records", "Records in them."),
    ("lakectl_compacted_files", "Files that it replaced."),
    ("lakectl_compacted_into_files", "Files that it made of them."),
    (
        "lakectl_compact_days_left",
        "Days that a limit or a signal left for the next compaction.",
    ),
    (
        "lakectl_purged_day_folders",
        "Day folders that the last purge of the topic deleted.",
    ),
    ("lakectl_purged_records", "Records in them."),
    ("lakectl_purged_bytes", "Their bytes, on disk."),
    (
        "lakectl_purged_rows",
        "Rows that the last purge of the table deleted.",
    ),
];

/// Labels, in the order of their names.
pub type Labels = BTreeMap<String, String>;

/// Samples by the index of their name in `FAMILIES`, and by labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples(pub BTreeMap<(usize, Labels), f64>);

impl Samples {
    /// Sets a sample. A name that is not in `FAMILIES` is a bug, which the tests find.
    pub fn set(&mut self, name: &str, labels: &Labels, value: f64) {
        if let Some(family) = family(name) {
            self.0.insert((family, labels.clone()), value);
        }
    }

    pub fn get(&self, name: &str, labels: &Labels) -> Option<f64> {
        self.0.get(&(family(name)?, labels.clone())).copied()
    }

    pub fn render(&self) -> String {
        let mut text = String::new();
        let mut last = None;
        for ((family, labels), value) in &self.0 {
            let (name, help) = FAMILIES[*family];
            if last != Some(family) {
                let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
                last = Some(family);
            }
            let labels: Vec<_> = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let _ = writeln!(text, "{name}{{{}}} {value}", labels.join(","));
        }
        text
    }

    /// Reads a file that lakectl has written. Names that this version doesn't know are left out.
    ///
    /// # Errors
    /// A line that lakectl can't have written.
    pub fn parse(text: &str) -> Result<Samples> {
        let mut samples = Samples::default();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, labels, value) = sample(line).with_context(|| format!("line {}", number + 1))?;
            samples.set(name, &labels, value);
        }
        Ok(samples)
    }
}

fn family(name: &str) -> Option<usize> {
    FAMILIES.iter().position(|(known, _)| *known == name)
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn sample(line: &str) -> Result<(&str, Labels, f64)> {
    let Some((name, mut rest)) = line
        .split_once('{')
        .filter(|(name, _)| name.starts_with("lakectl_"))
    else {
        bail!("it is not one of lakectl's");
    };
    let mut labels = Labels::new();
    loop {
        let (label, value) = rest.split_once("=\"").context("a label has no value")?;
        let (value, after) = unescaped(value).context("a label's value has no end")?;
        labels.insert(label.to_owned(), value);
        if let Some(value) = after.strip_prefix("} ") {
            return Ok((name, labels, value.parse().context("the value is not a number")?));
        }
        rest = after.strip_prefix(',').context("the labels have no end")?;
    }
}

/// The text up to the closing quote, and the rest.
fn unescaped(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of: &[(&str, &str)]) -> Labels {
        of.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut samples = Samples::default();
        let odd = labels(&[("command", "lake"), ("topic", "a\"b\\c\nd,e}f=\" {é")]);
        samples.set("lakectl_topic_read_records", &odd, 1_234_567_890_123.0);
        samples.set(
            "lakectl_last_run_timestamp_seconds",
            &labels(&[("command", "lake")]),
            1_795_312_051.772,
        );
        let text = samples.render();
        assert!(
            text.contains("lakectl_last_run_timestamp_seconds{command=\"lake\"} 1795312051.772\n"),
            "{text}"
        );
        assert!(text.contains("} 1234567890123\n"), "{text}");
        assert_eq!(Samples::parse(&text).unwrap(), samples);
    }

    #[test]
    fn what_is_not_ours_is_told() {
        for text in [
            "node_x{a=\"b\"} 1",
            "hello",
            "lakectl_x 1",
            "lakectl_x{command=\"lake} 1",
            "lakectl_x{c=\"l\"} one",
        ] {
            assert!(Samples::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Samples::parse("# a remark\n\nlakectl_of_another_version{c=\"l\"} 1\n").unwrap(),
            Samples::default()
        );
    }
}
