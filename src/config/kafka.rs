//! The settings of the connection to Kafka.

use anyhow::{Context, Result};
use std::path::Path;
use std::time::Duration;

use super::{Env, Overrides, Secret, file, secret, units};
use crate::exit::usage;
use crate::problem::Problem;

#[derive(Debug, Clone)]
pub struct KafkaSettings {
    pub brokers: String,
    /// `GROUP.lake` and `GROUP.warehouse` mirror the progress in Kafka.
    pub group: String,
    /// librdkafka properties. Any value may be a secret, so all are treated as secrets.
    pub options: Vec<(String, Secret)>,
    /// How long Kafka may stay silent in the middle of a read before the topic fails.
    pub timeout: Duration,
    /// Whether the broker is librdkafka's own: `LAKECTL_EMBEDDED_KAFKA` names its address, so that a leftover variable does
    /// not apply to another broker.
    pub is_embedded: bool,
}

/// The address of an embedded broker. Only `scripts/services` and `scripts/quickstart` set it, for `--embedded`.
const EMBEDDED: &str = "LAKECTL_EMBEDDED_KAFKA";

/// Properties that lakectl's guarantees rest on, and why users can't set them.
const REFUSED: [(&str, &str); 11] = [
    ("bootstrap.servers", "kafka.brokers or --brokers sets it"),
    ("metadata.broker.list", "kafka.brokers or --brokers sets it"),
    ("group.id", "kafka.group or --group sets it"),
    (
        "auto.offset.reset",
        "a jump over lost records must be an error, not silent",
    ),
    (
        "enable.auto.commit",
        "progress belongs to the lake and the database, not to a timer",
    ),
    (
        "enable.auto.offset.store",
        "progress belongs to the lake and the database, not to a timer",
    ),
    (
        "isolation.level",
        "aborted transactions must never reach the lake or the warehouse",
    ),
    ("check.crcs", "a corrupt record must be an error"),
    ("enable.partition.eof", "a run ends by it"),
    (
        "allow.auto.create.topics",
        "a mistyped topic must be an error, not a new topic",
    ),
    ("group.instance.id", "lakectl assigns Kafka partitions by itself"),
];

pub(super) fn from_file(
    file: &file::KafkaSection,
    folder: &Path,
    overrides: &Overrides,
    env: Env<'_>,
) -> Result<KafkaSettings> {
    let pick = |flag: &Option<String>, variable: &str, file: &Option<String>, default: &str| {
        let text = flag.clone().or_else(|| env(variable)).or_else(|| file.clone());
        text.filter(|text| !text.is_empty())
            .unwrap_or_else(|| default.to_owned())
    };
    let mut options = Vec::new();
    for (key, value) in &file.options {
        check_option(key)?;
        options.push((key.clone(), option_value(key, value, folder, env)?));
    }
    for text in &overrides.kafka_options {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| Problem::usage(format!("-X {text} has no `=`")).fix("write it as key=value"))?;
        check_option(key)?;
        if names_secret_option(key) {
            return Problem::usage(format!(
                "-X {key}=…: secrets don't belong on a command line, where everyone can see them"
            ))
            .fix(format!(
                "put it in the configuration: [kafka.options] \"{key}\" = {{ file = \"…\" }} or {{ env = \"…\" }}"
            ))
            .err();
        }
        options.push((key.to_owned(), Secret::new(value)));
    }
    let brokers = pick(
        &overrides.brokers,
        "LAKECTL_BROKERS",
        &file.brokers,
        "localhost:9092",
    );
    Ok(KafkaSettings {
        is_embedded: env(EMBEDDED).is_some_and(|address| address == brokers),
        brokers,
        group: pick(&overrides.group, "LAKECTL_GROUP", &file.group, "lakectl"),
        options,
        timeout: units::duration(file.timeout.as_deref().unwrap_or("30s")).context("kafka.timeout")?,
    })
}

fn check_option(key: &str) -> Result<()> {
    match REFUSED.iter().find(|(refused, _)| *refused == key) {
        Some((_, why)) => Err(usage(format!("kafka option `{key}` can't be set: {why}"))),
        None => Ok(()),
    }
}

/// Whether a librdkafka property of this name holds a secret.
pub fn names_secret_option(key: &str) -> bool {
    [
        "password",
        "secret",
        "jaas",
        "key.pem",
        "oauthbearer.config",
        "token",
    ]
    .iter()
    .any(|part| key.contains(part))
}

fn option_value(key: &str, value: &toml::Value, folder: &Path, env: Env<'_>) -> Result<Secret> {
    let shown = format!("kafka.options.\"{key}\"");
    match value {
        toml::Value::String(text) => Ok(Secret::new(text.as_str())),
        toml::Value::Integer(number) => Ok(Secret::new(number.to_string())),
        toml::Value::Float(number) => Ok(Secret::new(number.to_string())),
        toml::Value::Boolean(on) => Ok(Secret::new(on.to_string())),
        toml::Value::Table(table) => match table.iter().collect::<Vec<_>>()[..] {
            [(name, toml::Value::String(file))] if name == "file" => secret::read(&folder.join(file), &shown),
            [(name, toml::Value::String(variable))] if name == "env" => env(variable)
                .map(Secret::new)
                .ok_or_else(|| usage(format!("{shown}: the environment variable {variable} is not set"))),
            _ => {
                let unknown = table
                    .keys()
                    .find(|name| !["file", "env"].contains(&name.as_str()));
                let what = match unknown {
                    Some(name) => format!("{shown}: unknown key `{name}`"),
                    None => format!("{shown} must name one file or one variable"),
                };
                Problem::usage(what)
                    .fix("write { file = \"…\" } or { env = \"…\" }")
                    .err()
            }
        },
        _ => Err(usage(format!(
            "{shown} must be text, a number, true or false, {{ file = \"…\" }} or {{ env = \"…\" }}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_text;
    use super::*;

    #[test]
    fn safety_relevant_options_are_refused_with_the_reason() {
        for (key, why) in REFUSED {
            let text = format!("[kafka.options]\n\"{key}\" = \"x\"\n");
            let error = format!("{:#}", load_text(&text, &[], &Overrides::default()).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn only_the_address_itself_is_embedded() {
        let is_embedded = |env: &[(&str, &str)], brokers: Option<&str>| {
            let overrides = Overrides {
                brokers: brokers.map(str::to_owned),
                ..Overrides::default()
            };
            load_text("", env, &overrides).unwrap().kafka.is_embedded
        };
        let both = [("LAKECTL_BROKERS", "h:1"), (EMBEDDED, "h:1")];
        assert!(is_embedded(&both, None));
        assert!(!is_embedded(&both, Some("h:2")));
        assert!(!is_embedded(&both[..1], None));
        assert!(!is_embedded(&[both[0], (EMBEDDED, "1")], None));
    }

    #[test]
    fn secrets_never_come_from_the_command_line() {
        let overrides = Overrides {
            kafka_options: vec!["sasl.password=hunter2".into()],
            ..Overrides::default()
        };
        let error = format!("{:#}", load_text("", &[], &overrides).unwrap_err());
        assert!(error.contains("file = ") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_odd_option_is_named() {
        for odd in ["{ fil = \"x\" }", "{ env = \"HOME\", mode = \"x\" }", "[1]"] {
            let text = format!("[kafka.options]\n\"sasl.password\" = {odd}\n");
            let error = format!(
                "{:#}",
                load_text(&text, &[("HOME", "/")], &Overrides::default()).unwrap_err()
            );
            assert!(
                error.contains("kafka.options.\"sasl.password\"") && error.contains("{ file = "),
                "{error}"
            );
        }
    }

    #[test]
    fn a_secret_comes_from_the_environment() {
        let text = "[kafka.options]\n\"sasl.password\" = { env = \"PW\" }\n";
        let settings = load_text(text, &[("PW", "hunter2")], &Overrides::default()).unwrap();
        assert_eq!(settings.kafka.options[0].1.reveal(), "hunter2");
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert!(load_text(text, &[], &Overrides::default()).is_err());
    }
}
