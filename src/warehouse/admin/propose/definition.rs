//! The table for a topic, as far as its configuration and what is known of its fields decide it. Pure: nothing is asked.

use std::collections::HashSet;

use super::column_type::{self, ProposedType};
use super::key_type;
use crate::config::{Topic, Window, is_mysql_name};
use crate::decode::schema::SchemaType;
use crate::types::seen::SeenValues;
use crate::warehouse::table::mapping::{WINDOW_END, WINDOW_START};

/// Bytes of a row without what is stored elsewhere: MySQL's limit is 65,535, and columns are still to come.
const ROW_BYTES_MAX: u32 = 60_000;

/// What is known of a topic's fields.
#[derive(Debug, Clone, Default)]
pub struct KnownColumns {
    /// In the order of the key.
    pub key: Vec<KnownColumn>,
    pub value: Vec<KnownColumn>,
}

/// A field: what a schema or the configuration says of it, and its values in a sample.
#[derive(Debug, Clone, Default)]
pub struct KnownColumn {
    pub name: String,
    pub declared: Option<SchemaType>,
    pub seen: SeenValues,
}

/// A table as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDefinition {
    pub name: String,
    /// The primary key's come first.
    pub(super) columns: Vec<ColumnDefinition>,
    /// The column by which rows are purged, if it needs an index of its own.
    pub(super) retention: Option<String>,
    /// What a person should know, one line each.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnDefinition {
    pub name: String,
    pub kind: ProposedType,
    pub in_key: bool,
}

/// Makes the definition.
pub fn define(topic: &Topic, known: &KnownColumns) -> TableDefinition {
    let mut draft = TableDraft {
        topic,
        columns: Vec::new(),
        taken: HashSet::new(),
        notes: Vec::new(),
    };
    draft.key(&known.key);
    draft.values(&known.value);
    draft.keep_rows_short();
    let retention = draft.retention();
    TableDefinition {
        name: topic.table.clone(),
        columns: draft.columns,
        retention,
        notes: draft.notes,
    }
}

struct TableDraft<'a> {
    topic: &'a Topic,
    columns: Vec<ColumnDefinition>,
    /// Names in small letters: MySQL's columns have no case.
    taken: HashSet<String>,
    notes: Vec<String>,
}

impl TableDraft<'_> {
    fn key(&mut self, key: &[KnownColumn]) {
        let kinds = key
            .iter()
            .map(|c| key_type::of_column(c.declared.as_ref(), &c.seen));
        let mut kinds: Vec<ProposedType> = kinds.collect();
        let windows: &[&str] = match self.topic.key.window {
            None => &[],
            Some(Window::Time { .. }) => &[WINDOW_START],
            Some(Window::Session) => &[WINDOW_START, WINDOW_END],
        };
        kinds.extend(windows.iter().map(|_| ProposedType::Datetime { places: 3 }));
        key_type::share_out(&mut kinds);
        let names = key
            .iter()
            .map(|column| column.name.as_str())
            .chain(windows.iter().copied());
        for (name, kind) in names.zip(kinds) {
            self.add(name, kind, true);
        }
        for (known, column) in key.iter().zip(&self.columns) {
            if let ProposedType::Varchar(chars) = column.kind
                && known.seen.chars() > u64::from(chars)
            {
                self.notes.push(format!(
                    "key column `{}` takes {chars} characters, as InnoDB indexes no more, but keys of {} were seen",
                    column.name,
                    known.seen.chars()
                ));
            }
        }
    }

    /// All columns outside of the key take NULL: a field may be missing in any record.
    fn values(&mut self, values: &[KnownColumn]) {
        let retention = self
            .topic
            .row_retention
            .as_ref()
            .map(|retention| retention.column.to_lowercase());
        for field in values {
            let mut kind = column_type::of_column(field.declared.as_ref(), &field.seen);
            if retention == Some(self.column_of(&field.name).to_lowercase()) {
                kind = as_time(kind);
            }
            self.add(&field.name, kind, false);
        }
    }

    fn add(&mut self, field: &str, kind: ProposedType, in_key: bool) {
        let name = self.column_of(field);
        if !is_mysql_name(&name) {
            self.notes.push(format!(
                "field `{}` has no column: its name can be none of MySQL's; name one: warehouse.columns",
                field.escape_debug()
            ));
            return;
        }
        // A key's column comes first, also where the value repeats it.
        if self.taken.insert(name.to_lowercase()) {
            self.columns.push(ColumnDefinition { name, kind, in_key });
        }
    }

    /// The column that the configuration names for the field, or one of its own name.
    fn column_of(&self, field: &str) -> String {
        let wanted = field.to_lowercase();
        let mut renamed = self.topic.columns.iter();
        match renamed.find(|(from, _)| from.to_lowercase() == wanted) {
            Some((_, column)) => column.clone(),
            None => field.to_owned(),
        }
    }

    /// Takes the limit from the longest texts until a row fits.
    fn keep_rows_short(&mut self) {
        while self.columns.iter().map(|column| column.kind.bytes()).sum::<u32>() > ROW_BYTES_MAX {
            let limited =
                |column: &&mut ColumnDefinition| !column.in_key && column.kind.unlimited().is_some();
            let longest = self
                .columns
                .iter_mut()
                .filter(limited)
                .max_by_key(|column| column.kind.bytes());
            let Some((column, unlimited)) = longest.and_then(|column| {
                let unlimited = column.kind.unlimited()?;
                Some((column, unlimited))
            }) else {
                break;
            };
            column.kind = unlimited;
        }
    }

    /// The retention's column, unless the primary key begins with it.
    fn retention(&mut self) -> Option<String> {
        let wanted = &self.topic.row_retention.as_ref()?.column;
        let same = |column: &ColumnDefinition| column.name.to_lowercase() == wanted.to_lowercase();
        match self.columns.iter().position(same) {
            None => {
                self.notes.push(format!(
                    "warehouse.retention: no field fills a column `{wanted}`; add it by hand, or name another one"
                ));
                None
            }
            Some(0) if self.columns[0].in_key => None,
            Some(at) => Some(self.columns[at].name.clone()),
        }
    }
}

/// What a column must be by which rows are purged.
fn as_time(kind: ProposedType) -> ProposedType {
    match kind {
        ProposedType::Date | ProposedType::Datetime { .. } => kind,
        _ => ProposedType::Datetime { places: 3 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Kind, Retention, RowRetention};

    fn column(name: &str, declared: SchemaType) -> KnownColumn {
        KnownColumn {
            name: name.to_owned(),
            declared: Some(declared),
            seen: SeenValues::default(),
        }
    }

    fn topic() -> Topic {
        Topic::ad_hoc("T", Kind::Table, None).unwrap()
    }

    /// Each column as `name TYPE`, a key's with a star.
    fn shown(definition: &TableDefinition) -> Vec<String> {
        let columns = definition.columns.iter();
        let star = |column: &ColumnDefinition| if column.in_key { "*" } else { "" };
        columns
            .map(|c| format!("{}{} {}", star(c), c.name, c.kind))
            .collect()
    }

    #[test]
    fn the_key_and_its_window_are_the_primary_key() {
        let known = KnownColumns {
            key: vec![column("TYPE", SchemaType::Text), column("N", SchemaType::Bigint)],
            value: vec![
                column("type", SchemaType::Text),
                column("TOTAL", SchemaType::Double),
            ],
        };
        let mut topic = topic();
        assert_eq!(
            shown(&define(&topic, &known)),
            ["*TYPE VARCHAR(255)", "*N BIGINT", "TOTAL DOUBLE"]
        );
        topic.key.window = Some(Window::Time { size_ms: 1 });
        topic.columns.insert("Window_Start".into(), "since".into());
        topic.columns.insert("total".into(), "sum".into());
        assert_eq!(
            shown(&define(&topic, &known)),
            [
                "*TYPE VARCHAR(255)",
                "*N BIGINT",
                "*since DATETIME(3)",
                "sum DOUBLE"
            ]
        );
        topic.key.window = Some(Window::Session);
        assert_eq!(shown(&define(&topic, &known))[3], "*window_end DATETIME(3)");
    }

    #[test]
    fn long_keys_share_what_innodb_indexes() {
        let known = KnownColumns {
            key: ["a", "b", "c", "d"]
                .map(|name| column(name, SchemaType::Text))
                .to_vec(),
            value: Vec::new(),
        };
        let definition = define(&topic(), &known);
        assert_eq!(shown(&definition)[0], "*a VARCHAR(191)");
        let mut long = known.clone();
        long.key.truncate(1);
        long.key[0].seen.take(&format!("\"{}\"", "x".repeat(900)));
        let definition = define(&topic(), &long);
        assert_eq!(shown(&definition), ["*a VARCHAR(767)"]);
        assert!(
            definition.notes[0].contains("keys of 900"),
            "{:?}",
            definition.notes
        );
    }

    #[test]
    fn a_retention_column_is_a_time_with_an_index() {
        let mut topic = topic();
        let known = KnownColumns {
            key: vec![column("id", SchemaType::Text)],
            value: vec![column("AT", SchemaType::Bigint)],
        };
        let mut with = |name: &str| {
            topic.row_retention = Some(RowRetention {
                column: name.to_owned(),
                keep: Retention::Days(7),
            });
            define(&topic, &known)
        };
        let definition = with("at");
        assert_eq!(shown(&definition)[1], "AT DATETIME(3)");
        assert_eq!(definition.retention.as_deref(), Some("AT"));
        assert_eq!(with("id").retention, None);
        assert!(with("other").notes[0].contains("`other`"));
    }

    #[test]
    fn wide_rows_lose_the_limits_of_their_longest_texts() {
        let mut known = KnownColumns {
            key: vec![column("id", SchemaType::Text)],
            value: (0..40)
                .map(|n| column(&format!("c{n}"), SchemaType::Text))
                .collect(),
        };
        known.value[0].seen.take("\"short\"");
        let definition = define(&topic(), &known);
        let bytes: u32 = definition.columns.iter().map(|column| column.kind.bytes()).sum();
        assert!(bytes <= ROW_BYTES_MAX, "{bytes}");
        let shown = shown(&definition);
        assert_eq!(shown[1], "c0 VARCHAR(255)");
        assert!(
            shown.iter().any(|column| column.ends_with("LONGTEXT")),
            "{shown:?}"
        );
        assert!(
            shown.iter().any(|column| column.ends_with("VARCHAR(1024)")),
            "{shown:?}"
        );
    }

    #[test]
    fn names_that_mysql_has_not_are_told() {
        let known = KnownColumns {
            key: vec![column("id", SchemaType::Text)],
            value: vec![
                column(&"x".repeat(65), SchemaType::Int),
                column("a ", SchemaType::Int),
                column("a.b`", SchemaType::Int),
            ],
        };
        let definition = define(&topic(), &known);
        assert_eq!(shown(&definition), ["*id VARCHAR(255)", "a.b` INT"]);
        assert_eq!(definition.notes.len(), 2);
    }
}
