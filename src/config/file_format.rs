//! How data files are written.

use clap::ValueEnum;
use serde::Deserialize;

/// What data files hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON lines
    #[default]
    Json,
    /// Typed columns
    Parquet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Files {
    /// One file per Kafka partition, day and run.
    Batch,
    /// One file per record.
    Message,
}

/// How lines of JSON are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

/// How the pages of Parquet files are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParquetCompression {
    #[default]
    Zstd,
    Snappy,
    None,
}

/// A data file's format, which its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    Json(Compression),
    Parquet,
}

impl FileFormat {
    pub const ALL: [FileFormat; 4] = [
        FileFormat::Json(Compression::None),
        FileFormat::Json(Compression::Gzip),
        FileFormat::Json(Compression::Zstd),
        FileFormat::Parquet,
    ];

    /// The end of a data file's name.
    pub fn extension(self) -> &'static str {
        match self {
            FileFormat::Json(Compression::None) => ".json",
            FileFormat::Json(Compression::Gzip) => ".json.gz",
            FileFormat::Json(Compression::Zstd) => ".json.zst",
            FileFormat::Parquet => ".parquet",
        }
    }

    /// The format that a data file's name tells.
    pub fn of(name: &str) -> FileFormat {
        let told = FileFormat::ALL
            .into_iter()
            .find(|format| name.ends_with(format.extension()));
        told.unwrap_or(FileFormat::Json(Compression::None))
    }
}
