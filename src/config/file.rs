//! The configuration file as it is written: all keys, not validated yet.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

use super::topic_heading;
use crate::problem::Problem;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub kafka: KafkaSection,
    pub lake: LakeSection,
    pub warehouse: WarehouseSection,
    pub schema_registry: HttpSection,
    pub ksqldb: HttpSection,
    pub topics: BTreeMap<String, TopicSection>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KafkaSection {
    pub brokers: Option<String>,
    pub group: Option<String>,
    pub timeout: Option<String>,
    /// librdkafka properties: a value, or a table that names the file or variable of a secret.
    pub options: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LakeSection {
    pub root: Option<PathBuf>,
    pub timezone: Option<String>,
    pub files: Option<super::Files>,
    pub max_file_size: Option<String>,
    pub metadata: Option<bool>,
    pub metadata_prefix: Option<String>,
    pub format: Option<super::Format>,
    pub compression: Option<super::Compression>,
    pub parquet_compression: Option<super::ParquetCompression>,
    pub max_columns: Option<usize>,
    pub retention: Option<String>,
    pub file_mode: Option<String>,
    pub dir_mode: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WarehouseSection {
    pub url: Option<String>,
    pub password_file: Option<PathBuf>,
    pub tls: Option<super::TlsMode>,
    pub tls_ca_file: Option<PathBuf>,
    pub strict: Option<bool>,
}

/// A server that speaks HTTP.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpSection {
    pub url: Option<String>,
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub token_file: Option<PathBuf>,
    pub headers: BTreeMap<String, super::Secret>,
    pub tls_ca_file: Option<PathBuf>,
    pub tls_cert_file: Option<PathBuf>,
    pub tls_key_file: Option<PathBuf>,
    pub timeout: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopicSection {
    pub kind: super::Kind,
    #[serde(default)]
    pub key: KeySection,
    #[serde(default)]
    pub value: ValueSection,
    pub window: Option<WindowSection>,
    pub timestamp_unit: Option<super::TimeUnit>,
    #[serde(default)]
    pub lake: TopicLake,
    #[serde(default)]
    pub warehouse: TopicWarehouse,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeySection {
    pub format: Option<super::topic::key::KeyFormatName>,
    pub columns: Vec<String>,
    pub delimiter: Option<String>,
    pub separator: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ValueSection {
    pub format: Option<super::ValueFormat>,
    pub columns: Vec<String>,
    pub delimiter: Option<String>,
    pub undecodable: Option<super::Undecodable>,
    pub unwrap: Option<super::Envelope>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowSection {
    #[serde(rename = "type")]
    pub kind: WindowKind,
    pub size: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WindowKind {
    Tumbling,
    Hopping,
    Session,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TopicLake {
    pub enabled: Option<bool>,
    pub retention: Option<String>,
    pub partition_time: Option<String>,
    pub timestamp_unit: Option<super::TimeUnit>,
    pub history: Option<bool>,
    pub format: Option<super::Format>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TopicWarehouse {
    pub enabled: Option<bool>,
    pub table: Option<String>,
    pub columns: BTreeMap<String, String>,
    pub timestamp_unit: Option<super::TimeUnit>,
    pub retention: Option<RowRetentionSection>,
    pub strict: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowRetentionSection {
    pub column: String,
    pub keep: String,
}

/// Parses a file; an error names the line and, for an unknown key, the closest known one.
pub(super) fn parse(text: &str, path: &Path) -> anyhow::Result<File> {
    toml::from_str(text).map_err(|error| {
        let (problem, at) = match unquoted_topic(text) {
            Some((name, at)) => (unquoted(&name), at),
            None => {
                let at = error.span().map_or(0, |span| span.start);
                (explain(error.message(), || key_at(text, at)), at)
            }
        };
        let line = 1 + text[..at.min(text.len())].matches('\n').count();
        let what = format!("{}:{line}: {}", path.display(), problem.what);
        Problem { what, ..problem }.into()
    })
}

/// A topic whose name has dots and no quotes, so that TOML reads it as tables within tables, and where it stands. No table
/// within a topic's has a `kind`, except that a record may have a field of that name.
fn unquoted_topic(text: &str) -> Option<(String, usize)> {
    let file = DeTable::parse(text).ok()?;
    let (_, topics) = file
        .get_ref()
        .iter()
        .find(|(name, _)| name.get_ref() == "topics")?;
    topics.get_ref().as_table()?.iter().find_map(|(name, topic)| {
        let (rest, at) = with_kind(topic.get_ref().as_table()?)?;
        Some((format!("{}.{rest}", name.get_ref()), at))
    })
}

fn with_kind(table: &DeTable<'_>) -> Option<(String, usize)> {
    table.iter().find_map(|(name, value)| {
        let inner = value.get_ref().as_table()?;
        if inner.iter().any(|(key, _)| key.get_ref() == "kind") {
            return Some((name.get_ref().to_string(), name.span().start));
        }
        if name.get_ref() == "warehouse" {
            return None;
        }
        let (rest, at) = with_kind(inner)?;
        Some((format!("{}.{rest}", name.get_ref()), at))
    })
}

fn unquoted(name: &str) -> Problem {
    Problem::usage(format!(
        "[topics.{name}] is not the topic `{name}`: TOML reads a dot as a table within a table"
    ))
    .fix(format!("quote the name: {}", topic_heading(name)))
}

/// The key whose value stands there, without the heading of a topic.
fn key_at(text: &str, at: usize) -> Option<String> {
    let file = DeTable::parse(text).ok()?;
    let mut path = Vec::new();
    find_key(file.get_ref(), at, &mut path).then_some(())?;
    Some(match &path[..] {
        [topics, _, key @ ..] if topics == "topics" => key.join("."),
        key => key.join("."),
    })
}

/// Puts the names that lead to the value into `path`. Tables are searched wherever they stand, as a heading is not all of one.
fn find_key(table: &DeTable<'_>, at: usize, path: &mut Vec<String>) -> bool {
    table.iter().any(|(name, value)| {
        path.push(name.get_ref().to_string());
        let found = match value.get_ref().as_table() {
            Some(inner) => find_key(inner, at, path),
            None => value.span().contains(&at),
        };
        if !found {
            path.pop();
        }
        found
    })
}

/// Puts serde's messages into the words of the configuration. They read: unknown field `x`, expected one of `a`, `b`; unknown
/// variant `x`, expected `a` or `b`; and: invalid type: string "x", expected struct Kafka.
fn explain(message: &str, key: impl FnOnce() -> Option<String>) -> Problem {
    if let Some((what, expected)) = message.split_once(", expected ")
        && let Some((kind, _)) = what.split_once(" \"")
        && kind.starts_with("invalid ")
    {
        // The value is left out: it may be a secret in the wrong place.
        let expected = if expected.starts_with("struct ") || expected == "a map" {
            "a table"
        } else {
            expected
        };
        return Problem::usage(format!("{kind}, expected {expected}"));
    }
    let is_value = message.starts_with("unknown variant `");
    if !is_value && !message.starts_with("unknown field `") {
        return Problem::usage(message);
    }
    // The unknown name is whatever was written, backticks included; the known ones have none.
    let (unknown, known) = message.rsplit_once("`, expected ").unwrap_or((message, ""));
    let unknown = unknown.split_once('`').map_or(unknown, |(_, name)| name);
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    if is_value {
        let key = key().unwrap_or_else(|| "a value".to_owned());
        return Problem::usage(format!("{key} is `{unknown}`"))
            .fix(format!("it can be `{}`", known.join("`, `")));
    }
    let fix = did_you_mean(unknown, known.iter().copied())
        .unwrap_or_else(|| format!("known here: {}", known.join(", ")));
    Problem::usage(format!("unknown key `{unknown}`")).fix(fix)
}

/// The known name that is most like `name`; None if none is like it.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// [`closest`] as the advice of a problem with an unknown name.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(name, known).map(|near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text, Path::new("lakectl.toml")).err().unwrap().to_string()
    }

    #[test]
    fn an_unknown_key_names_line_and_closest() {
        let message = error("[kafka]\nbrokers = \"b\"\ngrup = \"g\"\n");
        assert_eq!(
            message,
            "lakectl.toml:3: unknown key `grup`; did you mean `group`?"
        );
        let message = error("[topics.A]\nkind = \"stream\"\nwarehouse.retension = 3\n");
        assert!(
            message.starts_with("lakectl.toml:3: unknown key `retension`; did you mean `retention`?"),
            "{message}"
        );
        assert!(error("[lak]\n").contains("did you mean `lake`?"));
    }

    #[test]
    fn a_name_with_dots_wants_quotes() {
        for (text, name, line) in [
            ("[topics.a.b]\nkind = \"stream\"\n", "a.b", 1),
            (
                "[topics.a]\nkind = \"table\"\n[topics.a.b.c-d]\nkind = \"table\"\n",
                "a.b.c-d",
                3,
            ),
            ("[topics]\na.key = { kind = \"stream\" }\n", "a.key", 2),
            ("[topics]\nb.a.kind = \"stream\"\n", "b.a", 2),
        ] {
            let message = error(text);
            assert!(
                message.starts_with(&format!("lakectl.toml:{line}: [topics.{name}] ")),
                "{message}"
            );
            assert!(
                message.ends_with(&format!("; quote the name: [topics.\"{name}\"]")),
                "{message}"
            );
        }
        let quoted = parse("[topics.\"a.b\"]\nkind = \"stream\"\n", Path::new("lakectl.toml"));
        assert!(quoted.unwrap().topics.contains_key("a.b"));
        // A record may have a field of any name.
        let field = error("[topics.a]\nkind = \"table\"\nwarehouse.columns.kind = \"k\"\nx = 1\n");
        assert!(field.contains("unknown key `x`"), "{field}");
    }

    #[test]
    fn a_topic_says_its_kind() {
        assert!(error("[topics.A]\nkey = {}\n").contains("kind"));
    }

    #[test]
    fn an_unknown_value_names_its_key_and_the_known_ones() {
        for (text, told) in [
            (
                "[topics.A]\nkind = \"stream\"\nvalue.unwrap = \"avro\"\n",
                "3: value.unwrap is `avro`; it can be `debezium`, `connect`",
            ),
            (
                "[topics.\"a.b\"]\nkind = \"tabel\"\n",
                "2: kind is `tabel`; it can be `stream`, `table`",
            ),
            (
                "[topics.A]\nkind = \"stream\"\n[topics.B]\nkind = \"table\"\n[topics.B.value]\nunwrap = \"`, expected\"\n",
                "6: value.unwrap is ``, expected`; it can be `debezium`, `connect`",
            ),
            (
                "[topics]\nA = { kind = \"table\", window = { type = \"sliding\" } }\n",
                "2: window.type is `sliding`; it can be `tumbling`, `hopping`, `session`",
            ),
            (
                "[lake]\nroot = \"r\"\ncompression = \"lz4\"\n",
                "3: lake.compression is `lz4`; it can be `none`, `gzip`, `zstd`",
            ),
        ] {
            assert_eq!(error(text), format!("lakectl.toml:{told}"));
        }
    }
}
