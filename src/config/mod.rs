//! Reads TOML, environment and flags into settings. All settings that leave this module are valid.

mod file;
mod file_format;
mod http;
mod kafka;
mod secret;
#[cfg(test)]
mod tests;
mod topic;
pub mod units;
mod warehouse;

use anyhow::{Context, Result};
use chrono_tz::Tz;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::exit::usage;
use crate::problem::Problem;
pub use file::{closest, did_you_mean};
pub use file_format::{Compression, FileFormat, Files, Format, ParquetCompression};
pub use http::{ClientIdentity, HttpLogin, HttpService, HttpSettings, KSQLDB, PemFile, SCHEMA_REGISTRY};
pub use kafka::{KafkaSettings, names_secret_option};
pub use secret::Secret;
pub use topic::column::{DeclaredColumn, DeclaredType};
pub use topic::envelope::{ENVELOPE_OF_KEYS_FIX, Envelope};
pub use topic::formats::{delimiter_name, delimiter_named};
pub use topic::key::{KeyFormat, KeySchema, Window};
pub use topic::schema_kind::{SchemaKind, SchemaPayload};
pub use topic::time_unit::TimeUnit;
pub use topic::value::{Undecodable, ValueFormat, ValueSchema};
pub use topic::written::{WrittenSetting, quoted};
pub use topic::{
    MYSQL_NAME_MAX, PartitionTime, RowRetention, Topic, check_topic_name, is_mysql_name, topic_heading,
};
pub use units::Retention;
pub use warehouse::{Database, TlsMode};

/// All settings, validated.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    pub kafka: KafkaSettings,
    pub lake: LakeSettings,
    /// None where no url is configured.
    pub database: Option<Database>,
    /// None where no url is configured.
    pub registry: Option<HttpSettings>,
    /// None where no url is configured. Only `lakectl discover` asks it.
    pub ksqldb: Option<HttpSettings>,
    pub topics: BTreeMap<String, Topic>,
}

impl Settings {
    /// Two table topics whose names differ only in case and that name no MySQL table: both would fill the same one, each with
    /// its own keys.
    pub fn topics_of_one_table(&self) -> Option<(&Topic, &Topic)> {
        let mut seen: BTreeMap<String, &Topic> = BTreeMap::new();
        let tables = self.topics.values().filter(|topic| topic.warehouse_enabled);
        let mut by_default = tables.filter(|topic| topic.table == topic.name.to_lowercase());
        by_default.find_map(|topic| Some((seen.insert(topic.table.clone(), topic)?, topic)))
    }
}

#[derive(Debug, Clone)]
pub struct LakeSettings {
    /// Absolute, or relative to the working directory.
    pub root: PathBuf,
    /// The time zone of the day folders.
    pub timezone: Tz,
    pub files: Files,
    /// Bytes of lines in one data file, before compression.
    pub max_file_bytes: u64,
    /// Whether lines of streams carry lakectl's own fields.
    pub metadata: bool,
    pub prefix: String,
    /// What files hold, unless a topic says otherwise.
    pub format: Format,
    /// Of lines of JSON.
    pub compression: Compression,
    pub parquet_compression: ParquetCompression,
    /// The most columns of a topic's values in Parquet.
    pub max_columns: usize,
    /// None keeps for ever.
    pub retention: Option<Retention>,
    pub file_mode: u32,
    pub dir_mode: u32,
}

impl LakeSettings {
    /// How a topic's next files are written.
    pub fn format_of(&self, topic: &Topic) -> FileFormat {
        self.written_as(topic.lake_format.unwrap_or(self.format))
    }

    /// How a file of this format is written.
    pub fn written_as(&self, format: Format) -> FileFormat {
        match format {
            Format::Json => FileFormat::Json(self.compression),
            Format::Parquet => FileFormat::Parquet,
        }
    }
}

/// The default of lake.max_columns.
const MAX_COLUMNS: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Stream,
    Table,
}

impl Kind {
    /// The folder under the lake root, which is also the plural in messages.
    pub fn folder(self) -> &'static str {
        match self {
            Kind::Stream => "streams",
            Kind::Table => "tables",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Kind::Stream => "stream",
            Kind::Table => "table",
        })
    }
}

/// Settings of the command line, which win over environment and file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    pub brokers: Option<String>,
    pub group: Option<String>,
    /// `-X key=value`
    pub kafka_options: Vec<String>,
    pub lake_root: Option<PathBuf>,
    pub url: Option<String>,
}

/// Returns the value of an environment variable; tests give values of their own.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads the configuration file, then lets environment and flags win over it.
///
/// # Errors
/// A key or value that is missing, unknown or contradictory: exit code 2.
pub fn load(path: Option<&Path>, overrides: &Overrides, env: Env<'_>) -> Result<Settings> {
    let path = find_file(path, env)?;
    let (file, folder) = match &path {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| usage(format!("cannot read the configuration {}: {e}", path.display())))?;
            let folder = path
                .parent()
                .filter(|p| !p.as_os_str().is_empty())
                .unwrap_or(Path::new("."));
            (file::parse(&text, path)?, folder.to_owned())
        }
        None => (file::File::default(), PathBuf::from(".")),
    };
    let named = path
        .as_ref()
        .map_or_else(|| "the configuration".to_owned(), |p| p.display().to_string());
    let lake = lake(&file.lake, &folder, overrides, env).context(named.clone())?;
    let mut topics = BTreeMap::new();
    for (name, entry) in &file.topics {
        let topic = topic::from_file(
            name,
            entry,
            lake.retention,
            file.warehouse.strict.unwrap_or(false),
        )
        .with_context(|| format!("{named}: {}", topic_heading(&name.escape_debug().to_string())))?;
        check_format(&file.lake, lake.format_of(&topic))
            .with_context(|| format!("{named}: {}", topic_heading(&name.escape_debug().to_string())))?;
        topics.insert(name.clone(), topic);
    }
    if lake.format == Format::Parquet {
        check_format(&file.lake, FileFormat::Parquet).context(named.clone())?;
        check_uncompressed(&file.lake).context(named.clone())?;
    }
    Ok(Settings {
        kafka: kafka::from_file(&file.kafka, &folder, overrides, env).context(named.clone())?,
        database: warehouse::from_file(&file.warehouse, path.as_deref(), &folder, overrides, env)
            .context(named.clone())?,
        registry: http::from_file(SCHEMA_REGISTRY, &file.schema_registry, &folder, env)
            .context(named.clone())?,
        ksqldb: http::from_file(KSQLDB, &file.ksqldb, &folder, env).context(named)?,
        lake,
        topics,
        file: path,
    })
}

/// The settings that a text gives a topic, if it is a configuration file.
///
/// # Errors
/// It is none, it leaves the topic out, or it can't be meant so: exit code 2.
pub fn topic_of_entry(name: &str, text: &str) -> Result<Topic> {
    let file = file::parse(text, Path::new("the entry"))?;
    let entry = file
        .topics
        .get(name)
        .ok_or_else(|| usage(format!("there is no entry {}", topic_heading(name))))?;
    topic::from_file(name, entry, None, false)
}

fn find_file(named: Option<&Path>, env: Env<'_>) -> Result<Option<PathBuf>> {
    let named = named
        .map(Path::to_owned)
        .or_else(|| env("LAKECTL_CONFIG").map(PathBuf::from));
    if let Some(path) = named {
        return if path.is_file() {
            Ok(Some(path))
        } else {
            Err(usage(format!(
                "there is no configuration file {}",
                path.display()
            )))
        };
    }
    Ok(["lakectl.toml", "/etc/lakectl/lakectl.toml"]
        .map(PathBuf::from)
        .into_iter()
        .find(|p| p.is_file()))
}

fn lake(
    file: &file::LakeSection,
    folder: &Path,
    overrides: &Overrides,
    env: Env<'_>,
) -> Result<LakeSettings> {
    // A root from flag or environment is relative to the shell, one from the file to the file.
    let root = overrides
        .lake_root
        .clone()
        .or_else(|| env("LAKECTL_LAKE_ROOT").map(PathBuf::from))
        .unwrap_or_else(|| folder.join(file.root.as_deref().unwrap_or(Path::new("data_lake"))));
    let zone = file.timezone.as_deref().unwrap_or("UTC");
    let size = file.max_file_size.as_deref().unwrap_or("256MiB");
    let retention = file.retention.as_deref().unwrap_or("none");
    Ok(LakeSettings {
        root,
        timezone: zone.parse().map_err(|_| {
            let zones = || chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name());
            let is_city = |name: &&str| {
                name.rsplit('/')
                    .next()
                    .is_some_and(|city| city.eq_ignore_ascii_case(zone))
            };
            let near = zones()
                .find(is_city)
                .or_else(|| closest(zone, zones()))
                .unwrap_or("UTC");
            Problem::usage(format!("lake.timezone: `{zone}` is not an IANA time zone"))
                .fix(format!("did you mean `{near}`?"))
        })?,
        files: file.files.unwrap_or(Files::Batch),
        max_file_bytes: units::size(size).context("lake.max_file_size")?,
        metadata: file.metadata.unwrap_or(true),
        prefix: prefix(file.metadata_prefix.as_deref().unwrap_or("_"))?,
        format: file.format.unwrap_or_default(),
        compression: file.compression.unwrap_or(Compression::None),
        parquet_compression: file.parquet_compression.unwrap_or_default(),
        max_columns: file.max_columns.unwrap_or(MAX_COLUMNS),
        retention: units::retention(retention).context("lake.retention")?,
        file_mode: mode(
            file.file_mode.as_deref().unwrap_or("0640"),
            0o600,
            "lake.file_mode",
        )?,
        dir_mode: mode(file.dir_mode.as_deref().unwrap_or("0750"), 0o700, "lake.dir_mode")?,
    })
}

/// Checks that files of this format can be as the settings of all files want them.
fn check_format(lake: &file::LakeSection, format: FileFormat) -> Result<()> {
    let problem = match (format, lake.files, lake.metadata) {
        (FileFormat::Parquet, Some(Files::Message), _) => {
            "lake.files = \"message\" is for JSON: Parquet has many records in a file"
        }
        (FileFormat::Parquet, _, Some(false)) => {
            "lake.metadata = false is for JSON: in Parquet lakectl's own columns are always there"
        }
        _ => return Ok(()),
    };
    Problem::usage(problem)
        .fix("leave it out, or set lake.format = \"json\"")
        .err()
}

/// Checks that nothing is said of JSON's compression where no file is JSON.
fn check_uncompressed(lake: &file::LakeSection) -> Result<()> {
    match lake.compression {
        None => Ok(()),
        Some(_) => Problem::usage("lake.compression is for JSON: Parquet compresses its own pages")
            .fix("leave it out, and set lake.parquet_compression if zstd is not what you want")
            .err(),
    }
}

/// Checks the prefix of lakectl's own fields: their names stay plain identifiers, so that no reader has to quote them.
fn prefix(text: &str) -> Result<String> {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if text.is_empty() || !plain || text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(usage(format!(
            "lake.metadata_prefix: `{text}` must be letters, digits and _, like `_` or `kafka_`"
        )));
    }
    Ok(text.to_owned())
}

/// Reads an octal mode, which must leave lakectl, the owner, the rights in `needed`.
fn mode(text: &str, needed: u32, key: &str) -> Result<u32> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode & !0o7777 == 0 && mode & needed == needed => Ok(mode),
        _ => Err(usage(format!(
            "{key}: `{text}` must be an octal mode that contains {needed:04o}"
        ))),
    }
}
