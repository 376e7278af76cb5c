//! The schema of a topic for readers: where its files are, and its columns with their types.

use serde::Serialize;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

use super::sample::Made;
use crate::config::{Kind, Topic};
use crate::decode::declared;
use crate::lake::TopicFiles;
use crate::types::column::{FieldTypes, Type};
use crate::words::count;

/// The Hive partitions of the lake, as columns.
pub const DAY: [&str; 3] = ["year", "month", "day"];

#[derive(Debug, Clone)]
pub struct Schema {
    pub topic: String,
    /// The topic's table in a metastore.
    pub table: String,
    pub kind: Kind,
    pub place: FilesLocation,
    pub columns: Vec<SchemaField>,
    /// Comments before the statement.
    pub head: Vec<String>,
    /// Bytes of the longest line.
    pub longest: usize,
}

#[derive(Debug, Clone)]
pub struct SchemaField {
    pub column: FieldTypes,
    pub ty: Type,
    pub remark: Option<String>,
}

/// The place of a topic's files.
#[derive(Debug, Clone)]
pub struct FilesLocation {
    /// The topic's folder, absolute.
    pub folder: String,
    /// A table's link in `current/`, absolute.
    pub current: Option<String>,
    /// The ends of the data files' names: `.json`, `.json.gz`, `.json.zst`.
    pub extensions: Vec<&'static str>,
}

/// The topic's table in a metastore, which knows lower case only: `_` stands for dots and hyphens. Where that is another
/// topic's name as well, each has its own hash at the end.
///
/// `topics` are all topics of the lake. No two of them have the same table.
pub fn table_name<'t>(topic: &str, topics: impl IntoIterator<Item = &'t str>) -> String {
    let folded = |topic: &str| topic.to_lowercase().replace(['.', '-'], "_");
    let hashed = |topic: &str| format!("{}__{:016x}", folded(topic), xxh3_64(topic.as_bytes()));
    let name = folded(topic);
    let mut others = topics.into_iter().filter(|other| *other != topic);
    if others.any(|other| folded(other) == name || hashed(other) == name) {
        hashed(topic)
    } else {
        name
    }
}

/// One column, for scripts.
#[derive(Debug, Serialize)]
pub struct ColumnReport<'s> {
    pub name: &'s str,
    pub r#type: String,
    /// Of lines of JSON; Parquet's columns are declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<&'s str>,
}

impl FilesLocation {
    /// `root` is the lake's absolute path.
    pub fn of(root: &str, topic: &str, files: &TopicFiles) -> FilesLocation {
        let root = root.trim_end_matches('/');
        let ends = |extension: &&'static str| files.files.iter().any(|file| file.path.ends_with(*extension));
        let mut extensions: Vec<_> = [".json", ".json.gz", ".json.zst"]
            .into_iter()
            .filter(ends)
            .collect();
        if extensions.is_empty() {
            extensions.push(".json");
        }
        FilesLocation {
            folder: format!("{root}/{}/{topic}", files.kind.folder()),
            current: files.current.as_ref().map(|(link, _)| format!("{root}/{link}")),
            extensions,
        }
    }

    pub fn has_zstd(&self) -> bool {
        self.extensions.contains(&".json.zst")
    }
}

impl Schema {
    /// Makes the schema. It always has lakectl's own fields, as the first record with one of them may come late.
    pub fn new(
        topic: &Topic,
        table: String,
        place: FilesLocation,
        metadata: bool,
        prefix: &str,
        made: Made,
    ) -> Schema {
        let mut head = vec![made_from(&made)];
        if !metadata && topic.kind == Kind::Stream {
            head.push(format!(
                "lake.metadata is false: only records whose value is not an ordinary object have {prefix}partition, \
                 {prefix}offset and so on."
            ));
        }
        let mut seen = made.columns;
        let mut ours = |name: &str, ty| SchemaField {
            column: take(&mut seen, &format!("{prefix}{name}")),
            ty,
            remark: None,
        };
        let mut columns = vec![
            ours("partition", Type::Integer),
            ours("offset", Type::Integer),
            ours("timestamp", Type::Integer),
        ];
        let mut key = ours("key", Type::Text).column;
        let key_bytes = ours("key_base64", Type::Text);
        let windows = [
            ours("window_start", Type::Integer),
            ours("window_end", Type::Integer),
        ];
        let headers = ours("headers", Type::Nested);
        let last = [
            ours("value", Type::Mixed),
            ours("value_text", Type::Text),
            ours("value_base64", Type::Text),
            ours("error", Type::Text),
        ];
        // The types must fit future records, too.
        key.expect(&topic.key.shown_example());
        expect_stated(&mut seen, topic);
        columns.extend([SchemaField::of(key), key_bytes]);
        if topic.key.window.is_some() || windows[0].column.values > 0 {
            columns.extend(windows);
        }
        columns.push(headers);
        columns.extend(seen.into_iter().map(SchemaField::of));
        columns.extend(last);
        Schema {
            topic: topic.name.clone(),
            table,
            kind: topic.kind,
            place,
            columns,
            head,
            longest: made.longest,
        }
    }

    /// Columns for readers whose names ignore case, but which read only the field of exactly that name: among names that
    /// differ only in case, the one with the most values. Also returns the columns that are left out.
    pub fn one_of_each_case(&self) -> (Vec<&SchemaField>, Vec<String>) {
        let mut kept = Vec::new();
        let mut left_out = Vec::new();
        for fields in self.by_case().into_values() {
            let best = fields.iter().copied().max_by_key(|field| field.column.values);
            kept.extend(best);
            for other in fields
                .iter()
                .filter(|field| best.is_some_and(|best| best.column.name != field.column.name))
            {
                left_out.push(format!(
                    "{:?} ({}), which differs from another column in case alone",
                    other.column.name,
                    count(other.column.values, "value")
                ));
            }
        }
        let place = |field: &&SchemaField| {
            self.columns
                .iter()
                .position(|other| other.column.name == field.column.name)
        };
        kept.sort_by_key(place);
        (kept, left_out)
    }

    /// Columns for readers that ignore case altogether: such fields are one column, whose type fits the values of all.
    pub fn merged_by_case(&self) -> Vec<SchemaField> {
        let mut by_case = self.by_case();
        let first_of = |field: &SchemaField| by_case.remove(&field.column.name.to_lowercase());
        let merged = |fields: Vec<&SchemaField>| match fields[..] {
            [only] => only.clone(),
            _ => {
                let mut column = FieldTypes::named(&fields[0].column.name);
                fields.iter().for_each(|field| column.merge(&field.column));
                SchemaField::of(column)
            }
        };
        self.columns.iter().filter_map(first_of).map(merged).collect()
    }

    /// Whether two fields have names that differ only in case.
    pub fn has_case_variants(&self) -> bool {
        self.by_case().len() < self.columns.len()
    }

    fn by_case(&self) -> BTreeMap<String, Vec<&SchemaField>> {
        let mut by_case: BTreeMap<String, Vec<&SchemaField>> = BTreeMap::new();
        for field in &self.columns {
            by_case
                .entry(field.column.name.to_lowercase())
                .or_default()
                .push(field);
        }
        by_case
    }

    pub fn report(&self) -> Vec<ColumnReport<'_>> {
        self.columns.iter().map(SchemaField::report).collect()
    }
}

impl SchemaField {
    fn of(column: FieldTypes) -> SchemaField {
        SchemaField {
            ty: column.judge(),
            remark: column.remark(),
            column,
        }
    }

    fn report(&self) -> ColumnReport<'_> {
        ColumnReport {
            name: &self.column.name,
            r#type: self.ty.to_string(),
            values: Some(self.column.values),
            remark: self.remark.as_deref(),
        }
    }
}

/// Lets columns have the types that value.columns states, whatever the sample holds of them.
fn expect_stated(columns: &mut Vec<FieldTypes>, topic: &Topic) {
    for (name, example) in declared::examples(&topic.value) {
        let folded = name.to_lowercase();
        let is_it = |column: &FieldTypes| column.name.to_lowercase() == folded;
        if !columns.iter().any(is_it) {
            columns.push(FieldTypes::named(name));
        }
        let stated = columns.iter_mut().filter(|column| is_it(column));
        stated.for_each(|column| column.expect(&example));
    }
}

fn take(columns: &mut Vec<FieldTypes>, name: &str) -> FieldTypes {
    match columns.iter().position(|column| column.name == *name) {
        Some(at) => columns.remove(at),
        None => FieldTypes::named(name),
    }
}

fn made_from(made: &Made) -> String {
    let in_files = count(made.files as u64, "file");
    if made.files == made.files_in_all {
        format!("Made from all {} in {in_files}.", count(made.records, "record"))
    } else {
        format!(
            "Made from {} of {} records, in {in_files} of {}: the newest ones, and others evenly spread. Readers round or \
             refuse what comes later and fits no type below; --all looks at every record.",
            made.records, made.records_in_all, made.files_in_all
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_table_is_named_like_its_topic() {
        let name = |topic| table_name(topic, ["TRANSACTIONS_FLAT", "a.b", "a_b", "Orders", "orders-eu"]);
        assert_eq!(name("TRANSACTIONS_FLAT"), "transactions_flat");
        assert_eq!(name("orders-eu"), "orders_eu");
        let twins = ["a.b", "a_b"].map(name);
        assert!(twins.iter().all(|name| name.starts_with("a_b__")), "{twins:?}");
        assert_ne!(twins[0], twins[1]);
    }

    proptest! {
        #[test]
        fn no_two_topics_have_the_same_table(
            topics in proptest::collection::btree_set("[aAb._-]{1,4}", 1..40), look_alikes in any::<bool>(),
        ) {
            let mut topics: BTreeSet<String> = topics;
            if look_alikes {
                // Topics that are named like the tables of others.
                let names: Vec<String> = topics.iter().map(|topic| table_name(topic, topics.iter().map(String::as_str))).collect();
                topics.extend(names);
            }
            let names: BTreeSet<String> = topics.iter().map(|topic| table_name(topic, topics.iter().map(String::as_str))).collect();
            prop_assert_eq!(names.len(), topics.len());
            prop_assert!(names.iter().all(|name| name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))));
        }
    }
}
