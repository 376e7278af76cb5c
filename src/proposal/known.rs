//! What is known of a topic's fields: by the registry's schemas, by the configuration, and by the newest records.

use anyhow::Result;
use std::borrow::Cow;

use super::sample::NewestRecords;
use crate::config::Topic;
use crate::decode::declared::{self, NamedColumn};
use crate::decode::registry::{Lookup, Registry};
use crate::decode::schema::{Registered, SchemaColumn, SchemaId, SchemaType};
use crate::decode::{SchemaShape, columns_of};
use crate::problem::Problem;
use crate::types::column::Type;
use crate::warehouse::{KnownColumn, KnownColumns};

/// Puts together what all of them say: schemas first, then the configuration, then records.
///
/// # Errors
/// The registry can't be asked, or a schema can't be read. Nothing says what the key's columns are called: exit code 2.
pub(super) fn columns(topic: &Topic, registry: &Registry, sample: &NewestRecords) -> Result<KnownColumns> {
    let keys = match topic.key.format.is_registered() {
        true => shape(registry, &topic.name, "key", &sample.key_schemas)?,
        false => None,
    };
    // Of a row in an envelope, the schema describes the envelope.
    let values = match topic.value.format.is_registered() && topic.value.unwrap.is_none() {
        true => shape(registry, &topic.name, "value", &sample.value_schemas)?,
        false => None,
    };
    let key = key_columns(topic, keys, sample)?;
    let value = value_columns(topic, values, sample);
    if value.is_empty() && sample.records == 0 {
        return Problem::new(
            "nothing is known of its fields: the topic is empty, and no schema or value.columns tells them",
        )
        .fix("write value.columns, or wait for its first records")
        .err();
    }
    Ok(KnownColumns { key, value })
}

/// The newest schema of the topic's subject, and where it has none, those of the newest records.
fn shape(registry: &Registry, topic: &str, side: &str, ids: &[SchemaId]) -> Result<Option<SchemaShape>> {
    if let Some(schema) = registry.latest(&format!("{topic}-{side}"))? {
        return read(&schema).map(Some);
    }
    let mut merged: Option<SchemaShape> = None;
    for &id in ids {
        let Lookup::Known(schema) = registry.schema(id)? else {
            continue;
        };
        let other = read(&schema)?;
        match &mut merged {
            None => merged = Some(other),
            Some(newest) => merge(newest, other),
        }
    }
    Ok(merged)
}

fn read(schema: &Registered) -> Result<SchemaShape> {
    columns_of(schema).map_err(|reason| schema.unreadable(&reason).into())
}

/// Adds the fields that only the older schema has.
fn merge(newest: &mut SchemaShape, older: SchemaShape) {
    if let (Some(columns), Some(older)) = (&mut newest.columns, older.columns) {
        for column in older {
            if !columns.iter().any(|own| own.name == column.name) {
                columns.push(column);
            }
        }
    }
}

fn key_columns(
    topic: &Topic,
    shape: Option<SchemaShape>,
    sample: &NewestRecords,
) -> Result<Vec<KnownColumn>> {
    let named = declared::of_keys(&topic.key);
    let (columns, top) = shape.map_or((None, None), |shape| (shape.columns, Some(shape.top)));
    let columns = columns.unwrap_or_default();
    if named.is_empty() {
        return unnamed_key(columns, top, sample);
    }
    let is_object = !columns.is_empty() || sample.whole_keys.has_nested();
    let is_bare = named.len() == 1 && !is_object;
    let known = named.into_iter().enumerate().map(|(at, column)| {
        // By name, or by place, which renames them.
        let of_schema = by_name(&columns, &column.name).or_else(|| columns.get(at));
        let seen = match is_bare {
            true => sample.whole_keys.clone(),
            false => sample.key_field(&column.name, at),
        };
        let of_schema = of_schema.map(|column| column.kind.clone());
        let whole = top.clone().filter(|_| is_bare);
        KnownColumn {
            declared: column.kind.or(of_schema).or(whole),
            name: column.name,
            seen,
        }
    });
    Ok(known.collect())
}

/// A key that has its names with it.
fn unnamed_key(
    columns: Vec<SchemaColumn>,
    top: Option<SchemaType>,
    sample: &NewestRecords,
) -> Result<Vec<KnownColumn>> {
    if !columns.is_empty() {
        let known = columns.into_iter().enumerate().map(|(at, column)| KnownColumn {
            seen: sample.key_field(&column.name, at),
            declared: Some(column.kind),
            name: column.name,
        });
        return Ok(known.collect());
    }
    let is_object = top.is_none() && matches!(sample.whole_keys.kind(), Type::Nested);
    if is_object && !sample.keys.is_empty() {
        let known = sample.key_names.iter().enumerate().map(|(at, name)| KnownColumn {
            name: name.clone(),
            declared: None,
            seen: sample.key_field(name, at),
        });
        return Ok(known.collect());
    }
    Problem::usage(
        "nothing says what the key's column is called: the key is a bare value, or no record has one",
    )
    .fix("write its name in key.columns")
    .err()
}

fn value_columns(topic: &Topic, shape: Option<SchemaShape>, sample: &NewestRecords) -> Vec<KnownColumn> {
    let named = declared::of_values(&topic.value);
    let (columns, top) = shape.map_or((None, None), |shape| (shape.columns, Some(shape.top)));
    let mut known: Vec<KnownColumn> = Vec::new();
    let mut add = |name: Cow<'_, str>, declared: Option<SchemaType>| {
        let lower = name.to_lowercase();
        if known.iter().any(|column| column.name.to_lowercase() == lower) {
            return;
        }
        known.push(KnownColumn {
            seen: sample.values.get(&lower).cloned().unwrap_or_default(),
            name: name.into_owned(),
            declared,
        });
    };
    for column in columns.iter().flatten() {
        add(
            (&*column.name).into(),
            configured(&named, &column.name).or(Some(column.kind.clone())),
        );
    }
    for column in &named {
        // A bare value goes under the one name.
        let whole = top.clone().filter(|_| columns.is_none() && named.len() == 1);
        add((&*column.name).into(), column.kind.clone().or(whole));
    }
    for name in &sample.value_names {
        add(name.into(), None);
    }
    known
}

fn configured(named: &[NamedColumn], name: &str) -> Option<SchemaType> {
    let column = named
        .iter()
        .find(|column| column.name.to_lowercase() == name.to_lowercase());
    column.and_then(|column| column.kind.clone())
}

fn by_name<'c>(columns: &'c [SchemaColumn], name: &str) -> Option<&'c SchemaColumn> {
    columns
        .iter()
        .find(|column| column.name.to_lowercase() == name.to_lowercase())
}
