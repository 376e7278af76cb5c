//! Reads how the keys and values of one topic are serialised.

use anyhow::{Context, Result};

use super::column::{self, DeclaredColumn};
use super::key::KeyFormatName;
use crate::config::file;
use crate::config::{DeclaredType, Envelope, KeyFormat, KeySchema, ValueFormat, ValueSchema, Window, units};
use crate::exit::usage;
use crate::problem::Problem;

pub(in crate::config) fn of_key(file: &file::TopicSection) -> Result<KeySchema> {
    let columns = column::parse_all(&file.key.columns, "key.columns")?;
    let format = key_format(&file.key, &columns)?;
    if format == KeyFormat::Delimited && columns.is_empty() {
        return Problem::usage("key.format = \"delimited\" needs key.columns: the names are not on the wire")
            .fix("write the names in the order of the key's fields")
            .err();
    }
    if file.key.delimiter.is_some() && format != KeyFormat::Delimited {
        return misplaced("key.delimiter", "key.format = \"delimited\"");
    }
    if format == KeyFormat::None && file.window.is_some() {
        return misplaced("window", "a key.format that has keys");
    }
    let separator = separator(&file.key, format, &columns)?;
    if format.is_single() && separator.is_none() && columns.len() > 1 {
        return Err(usage(format!(
            "key.columns: a key of format {format} has one column"
        )));
    }
    if let (true, [column]) = (format.is_binary(), &columns[..])
        && column.kind != DeclaredType::default()
        && KeyFormat::of_kafka(column.kind) != Some(format)
    {
        return Problem::usage(format!(
            "key.columns: a key of format {format} is no {}",
            column.kind
        ))
        .fix("leave the type out: the format says it; or set the key.format that the keys have")
        .err();
    }
    Ok(KeySchema {
        format,
        delimiter: delimiter(file.key.delimiter.as_deref(), "key.delimiter")?,
        separator,
        columns,
        window: window(file)?,
        unwrap: file.value.unwrap.is_some(),
    })
}

fn key_format(key: &file::KeySection, columns: &[DeclaredColumn]) -> Result<KeyFormat> {
    match key.format {
        None => Ok(KeyFormat::default()),
        Some(KeyFormatName::Of(format)) => Ok(format),
        Some(KeyFormatName::Kafka) => {
            let kind = columns
                .first()
                .map_or(DeclaredType::Varchar, |column| column.kind);
            KeyFormat::of_kafka(kind).ok_or_else(|| not_kafka("key", kind))
        }
    }
}

fn not_kafka(part: &str, kind: DeclaredType) -> anyhow::Error {
    Problem::usage(format!("{part}.columns: ksqlDB's KAFKA format has no {kind}"))
        .fix("write VARCHAR, INT, BIGINT, DOUBLE or BYTES")
        .into()
}

fn misplaced<T>(key: &str, only_with: &str) -> Result<T> {
    Problem::usage(format!("{key} is given without {only_with}"))
        .fix("leave it out")
        .err()
}

fn separator(
    key: &file::KeySection,
    format: KeyFormat,
    columns: &[DeclaredColumn],
) -> Result<Option<String>> {
    let Some(separator) = &key.separator else {
        return Ok(None);
    };
    if format != KeyFormat::String {
        return misplaced("key.separator", "key.format = \"string\"");
    }
    if separator.is_empty() {
        return Err(usage("key.separator must not be empty"));
    }
    if columns.len() < 2 {
        return Problem::usage("key.separator needs key.columns: the names are not on the wire")
            .fix("write two or more names in the order of the key's parts")
            .err();
    }
    Ok(Some(separator.clone()))
}

fn delimiter(text: Option<&str>, key: &str) -> Result<char> {
    let Some(text) = text else { return Ok(',') };
    delimiter_named(text).ok_or_else(|| usage(format!("{key}: `{text}` must be one character, SPACE or TAB")))
}

/// The delimiter that is written so, by ksqlDB's statements and in the configuration.
pub fn delimiter_named(text: &str) -> Option<char> {
    let mut chars = text.chars();
    match (text, chars.next(), chars.next()) {
        ("SPACE", ..) => Some(' '),
        ("TAB", ..) => Some('\t'),
        (_, Some(one), None) => Some(one),
        _ => None,
    }
}

/// The text that [`delimiter_named`] reads.
pub fn delimiter_name(delimiter: char) -> String {
    match delimiter {
        ' ' => "SPACE".to_owned(),
        '\t' => "TAB".to_owned(),
        other => other.to_string(),
    }
}

pub(in crate::config) fn of_value(file: &file::TopicSection) -> Result<ValueSchema> {
    let value = &file.value;
    let format = value.format.unwrap_or_default();
    let columns = column::parse_all(&value.columns, "value.columns")?;
    match format {
        ValueFormat::Delimited if columns.is_empty() => {
            return Problem::usage(
                "value.format = \"delimited\" needs value.columns: the names are not on the wire",
            )
            .fix("write the names, each with its type, in the order of the value's fields")
            .err();
        }
        ValueFormat::Kafka | ValueFormat::Bytes if columns.len() > 1 => {
            return too_many(format, "has one column");
        }
        ValueFormat::Registered(_) if columns.len() > 1 && !format.is_json() => {
            return too_many(format, "has its columns from its schema");
        }
        ValueFormat::Kafka => {
            if let Some(column) = columns.first()
                && KeyFormat::of_kafka(column.kind).is_none()
            {
                return Err(not_kafka("value", column.kind));
            }
        }
        ValueFormat::Bytes => {
            if let Some(column) = columns.first()
                && !matches!(column.kind, DeclaredType::Bytes | DeclaredType::Varchar)
            {
                return Err(usage(format!(
                    "value.columns: a value of format bytes is BYTES, not {}",
                    column.kind
                )));
            }
        }
        ValueFormat::None if !columns.is_empty() => {
            return misplaced("value.columns", "a value.format that has columns");
        }
        _ => {}
    }
    if value.delimiter.is_some() && format != ValueFormat::Delimited {
        return misplaced("value.delimiter", "value.format = \"delimited\"");
    }
    Ok(ValueSchema {
        format,
        columns,
        delimiter: delimiter(value.delimiter.as_deref(), "value.delimiter")?,
        undecodable: value.undecodable.unwrap_or_default(),
        unwrap: unwrap(file, format)?,
    })
}

fn too_many<T>(format: ValueFormat, why: &str) -> Result<T> {
    Problem::usage(format!("value.columns: a value of format {format} {why}"))
        .fix("name one column, or none")
        .err()
}

fn unwrap(file: &file::TopicSection, format: ValueFormat) -> Result<Option<Envelope>> {
    if file.value.unwrap.is_some() && file.window.is_some() {
        return Problem::usage(
            "value.unwrap and window are both given, but no connector writes windowed keys",
        )
        .fix("leave one of them out")
        .err();
    }
    let has_envelopes = format == ValueFormat::Json || format.is_registered();
    if file.value.unwrap.is_some() && !has_envelopes {
        return Problem::usage(format!(
            "value.unwrap is given, but values of format {format} have no envelope"
        ))
        .fix("leave it out")
        .err();
    }
    Ok(file.value.unwrap)
}

fn window(file: &file::TopicSection) -> Result<Option<Window>> {
    let Some(window) = &file.window else {
        return Ok(None);
    };
    match (window.kind, &window.size) {
        (file::WindowKind::Session, None) => Ok(Some(Window::Session)),
        (file::WindowKind::Session, Some(_)) => {
            Problem::usage("window.size is given, but the key of a session holds the window's end")
                .fix("leave it out")
                .err()
        }
        (_, None) => Problem::usage("window.size is missing: the window's end is not on the wire")
            .fix("write size = \"5m\"")
            .err(),
        (_, Some(size)) => {
            let size = units::duration(size).context("window.size")?;
            match i64::try_from(size.as_millis()) {
                Ok(size_ms) if size_ms > 0 => Ok(Some(Window::Time { size_ms })),
                _ => Err(usage("window.size must be more than 0")),
            }
        }
    }
}
