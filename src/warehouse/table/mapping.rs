//! Which name in a record fills which column. As much as possible is decided before anything is read.

use anyhow::Result;
use std::collections::HashMap;

use super::target::TargetTable;
use crate::config::{DeclaredColumn, DeclaredType, TimeUnit, Topic, did_you_mean};
use crate::exit::usage;
use crate::problem::Problem;
use crate::warehouse::server::identifier::quote;

pub(in crate::warehouse) const WINDOW_START: &str = "window_start";
pub(in crate::warehouse) const WINDOW_END: &str = "window_end";

/// Names in records -> columns of one table.
#[derive(Debug, Clone)]
pub(in crate::warehouse) struct FieldNames {
    /// Lower-case name in the record -> column.
    columns: HashMap<String, usize>,
}

/// Which columns a key fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::warehouse) enum KeyColumns {
    /// `names[i]`, as configured, fills column `columns[i]`.
    Named { names: Vec<String>, columns: Vec<usize> },
    /// Each key names its own fields, which must fill these primary-key columns.
    OnTheWire(Vec<usize>),
}

/// The whole plan for a topic's keys.
#[derive(Debug, Clone)]
pub(in crate::warehouse) struct KeyPlan {
    pub columns: KeyColumns,
    pub window_start: Option<usize>,
    pub window_end: Option<usize>,
}

impl KeyPlan {
    /// Lets numbers that fill the table's times be in the topic's unit, or count days if their fields are stated to be DATE;
    /// a window's bounds are always milliseconds.
    pub fn set_time_units(&self, table: &mut TargetTable, topic: &Topic, names: &FieldNames) {
        let dates = |columns: &[DeclaredColumn]| {
            let dates = columns.iter().filter(|column| column.kind == DeclaredType::Date);
            dates.filter_map(|column| names.column(&column.name)).collect()
        };
        let (key_dates, value_dates): (Vec<usize>, Vec<usize>) =
            (dates(&topic.key.columns), dates(&topic.value.columns));
        for (at, column) in table.columns.iter_mut().enumerate() {
            if self.window_start == Some(at) || self.window_end == Some(at) {
                continue;
            }
            let dates = if column.in_key { &key_dates } else { &value_dates };
            column.time_unit = match dates.contains(&at) {
                true => TimeUnit::Days,
                false => topic.warehouse_unit,
            };
        }
    }
}

impl FieldNames {
    /// # Errors
    /// `warehouse.columns` names a column that the table lacks: exit code 2.
    fn new(topic: &Topic, table: &TargetTable) -> Result<FieldNames> {
        let mut columns: HashMap<String, usize> = HashMap::new();
        for (at, column) in table.columns.iter().enumerate() {
            if !column.generated {
                columns.insert(column.name.to_lowercase(), at);
            }
        }
        let mut renamed = Vec::new();
        for (field, column) in &topic.columns {
            let Some(&at) = columns.get(&column.to_lowercase()) else {
                let known = table.columns.iter().map(|column| column.name.as_str());
                return Problem::usage(format!(
                    "warehouse.columns: table `{}` has no column `{column}`",
                    table.name
                ))
                .fix_if_known(did_you_mean(column, known))
                .err();
            };
            renamed.push((field.to_lowercase(), column.to_lowercase(), at));
        }
        // A column that a setting fills is no longer found under its own name.
        for (_, column, _) in &renamed {
            columns.remove(column);
        }
        columns.extend(renamed.into_iter().map(|(field, _, at)| (field, at)));
        Ok(FieldNames { columns })
    }

    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.get(&name.to_lowercase()).copied()
    }
}

/// Plans names and key. The key and the window must fill exactly the primary key.
///
/// # Errors
/// They don't fill the primary key: exit code 2.
pub(in crate::warehouse) fn plan(topic: &Topic, table: &TargetTable) -> Result<(FieldNames, KeyPlan)> {
    let names = FieldNames::new(topic, table)?;
    if topic.key.is_always_null() {
        return Err(usage("key.format is none, but the rows of a table need a key"));
    }
    let (window_start, window_end) = match topic.key.window {
        None => (None, None),
        Some(_) => (names.column(WINDOW_START), names.column(WINDOW_END)),
    };
    let in_key = |at: &usize| table.primary_key.contains(at);
    let windows: Vec<usize> = [window_start, window_end]
        .into_iter()
        .flatten()
        .filter(in_key)
        .collect();
    if topic.key.window.is_some() && windows.is_empty() {
        return Err(no_window(table, window_start.or(window_end)));
    }
    let rest: Vec<usize> = table
        .primary_key
        .iter()
        .copied()
        .filter(|at| !windows.contains(at))
        .collect();
    let columns = key_columns(topic, table, &names, rest)?;
    let plan = KeyPlan {
        columns,
        window_start,
        window_end,
    };
    Ok((names, plan))
}

/// The setting, as TOML, that lets a field fill a column of another name.
pub(in crate::warehouse) fn columns_setting(field: &str, column: &str) -> String {
    // TOML has JSON's escapes, too.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let key = if !field.is_empty() && field.chars().all(is_bare) {
        field.to_owned()
    } else {
        quoted(field)
    };
    format!("warehouse.columns = {{ {key} = {} }}", quoted(column))
}

/// `column`: a column for the window that the table has outside of its primary key. Either bound identifies a window
/// of a key, because the windows of a key don't overlap or begin at different times.
fn no_window(table: &TargetTable, column: Option<usize>) -> anyhow::Error {
    let fix = match column {
        None => format!("name it: warehouse.columns = {{ {WINDOW_START} = \"…\" }}"),
        Some(at) => {
            let key = table.primary_key.iter().chain([&at]);
            let key: Vec<String> = key.map(|&at| quote(&table.columns[at].name)).collect();
            format!(
                "run: ALTER TABLE {} DROP PRIMARY KEY, ADD PRIMARY KEY ({})",
                quote(&table.name),
                key.join(", ")
            )
        }
    };
    Problem::usage(format!(
        "the topic is windowed, but the primary key of `{}` ({}) has no column for the window: all windows of a key \
         would become one row",
        table.name,
        table.key_names()
    ))
    .fix(fix)
    .into()
}

/// `rest`: the primary-key columns that no window fills.
fn key_columns(
    topic: &Topic,
    table: &TargetTable,
    names: &FieldNames,
    rest: Vec<usize>,
) -> Result<KeyColumns> {
    let shown = |columns: &[usize]| {
        let names: Vec<&str> = columns
            .iter()
            .map(|&at| table.columns[at].name.as_str())
            .collect();
        names.join(", ")
    };
    if topic.key.columns.is_empty() {
        return match (topic.key.format.is_single(), rest.len()) {
            (_, 0) => Err(usage(format!(
                "the primary key of `{}` ({}) has no column for the record's key",
                table.name,
                table.key_names()
            ))),
            (false, _) => Ok(KeyColumns::OnTheWire(rest)),
            // The key is one value and the primary key one column, so there is nothing to choose.
            (true, 1) => Ok(KeyColumns::Named {
                names: vec![table.columns[rest[0]].name.clone()],
                columns: rest,
            }),
            (true, _) => Err(usage(format!(
                "a key of format {} is one column, but the primary key of `{}` also needs: {}",
                topic.key.format,
                table.name,
                shown(&rest)
            ))),
        };
    }
    let mut columns = Vec::with_capacity(topic.key.columns.len());
    let key_names = topic.key.names();
    for name in &key_names {
        match names.column(name) {
            Some(at) if rest.contains(&at) => columns.push(at),
            Some(_) => {
                return Err(usage(format!(
                    "key column `{name}` is not in the primary key of `{}` ({}): keys that differ only there would \
                     become one row",
                    table.name,
                    table.key_names()
                )));
            }
            None => {
                return Problem::usage(format!(
                    "key column `{name}` has no column in `{}`, whose primary key is ({})",
                    table.name,
                    table.key_names()
                ))
                .fix(format!("set key.columns, or {}", columns_setting(name, "…")))
                .err();
            }
        }
    }
    let missing: Vec<usize> = rest.into_iter().filter(|at| !columns.contains(at)).collect();
    if !missing.is_empty() {
        return Err(usage(format!(
            "neither the record's key nor its window fills the primary-key column {} of `{}`",
            shown(&missing),
            table.name
        )));
    }
    Ok(KeyColumns::Named {
        names: key_names,
        columns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DeclaredColumn, KeyFormat, Kind, Window};
    use crate::warehouse::table::column::{Column, ColumnType};

    fn table(columns: &[&str], key: &[usize]) -> TargetTable {
        let columns = columns.iter().enumerate().map(|(at, name)| Column {
            nullable: !key.contains(&at),
            in_key: key.contains(&at),
            ..Column::named(name, ColumnType::Other)
        });
        TargetTable {
            name: "t".to_owned(),
            columns: columns.collect(),
            primary_key: key.to_vec(),
            may_refuse: false,
        }
    }

    #[test]
    fn a_setting_is_toml_whatever_the_names_are() {
        assert_eq!(
            columns_setting("A-1_b", "n"),
            "warehouse.columns = { A-1_b = \"n\" }"
        );
        for (field, column) in [
            ("ba`ck", "b"),
            ("", "é \"q\" \\ \u{1}"),
            ("a.b", "x'y"),
            ("\u{1f600}\n", "z"),
        ] {
            let read: toml::Table = columns_setting(field, column).parse().unwrap();
            assert_eq!(read["warehouse"]["columns"][field].as_str(), Some(column));
        }
    }

    fn topic(columns: &[&str], format: KeyFormat, window: Option<Window>) -> Topic {
        let mut topic = Topic::ad_hoc("T", Kind::Table, None).unwrap();
        topic.key.columns = columns.iter().map(|name| DeclaredColumn::named(name)).collect();
        topic.key.format = format;
        topic.key.window = window;
        topic
    }

    fn error(topic: &Topic, table: &TargetTable) -> String {
        let error = plan(topic, table).unwrap_err();
        assert_eq!(crate::exit::code_of(&error), crate::exit::USAGE);
        error.to_string()
    }

    #[test]
    fn a_renamed_window_fills_its_column() {
        let hopping = Some(Window::Time { size_ms: 300_000 });
        let mut topic = topic(&["transaction_type"], KeyFormat::String, hopping);
        let table = table(&["window_start_time", "Transaction_Type", "total"], &[0, 1]);
        assert!(error(&topic, &table).contains("windowed"));
        topic
            .columns
            .insert("window_start".into(), "window_start_time".into());
        let (names, plan) = plan(&topic, &table).unwrap();
        assert_eq!((plan.window_start, plan.window_end), (Some(0), None));
        assert_eq!(
            plan.columns,
            KeyColumns::Named {
                names: vec!["transaction_type".into()],
                columns: vec![1]
            }
        );
        assert_eq!(names.column("TOTAL"), Some(2));
        assert_eq!(names.column("WINDOW_START_TIME"), None);
    }

    #[test]
    fn the_key_fills_the_primary_key_and_nothing_beyond_it() {
        let table = table(&["a", "b", "c"], &[0, 1]);
        assert!(error(&topic(&["a"], KeyFormat::String, None), &table).contains("column b"));
        assert!(error(&topic(&["a", "c"], KeyFormat::Delimited, None), &table).contains("`c`"));
        assert!(error(&topic(&["a", "x"], KeyFormat::Json, None), &table).contains("`x`"));
        assert!(error(&topic(&[], KeyFormat::String, None), &table).contains("a, b"));
        assert!(error(&topic(&[], KeyFormat::None, None), &table).contains("key.format"));
        assert!(plan(&topic(&["B", "A"], KeyFormat::Delimited, None), &table).is_ok());
        let (_, wire) = plan(&topic(&[], KeyFormat::Json, None), &table).unwrap();
        assert_eq!(wire.columns, KeyColumns::OnTheWire(vec![0, 1]));
    }

    #[test]
    fn a_single_unnamed_key_takes_the_only_column_there_is() {
        let table = table(&["id", "n"], &[0]);
        let (_, plan) = plan(&topic(&[], KeyFormat::String, None), &table).unwrap();
        assert!(matches!(plan.columns, KeyColumns::Named { columns, .. } if columns == [0]));
    }

    #[test]
    fn a_renaming_to_no_column_names_the_closest() {
        let mut topic = topic(&["id"], KeyFormat::String, None);
        topic.columns.insert("x".into(), "amuont".into());
        assert!(error(&topic, &table(&["id", "amount"], &[0])).contains("`amount`"));
    }
}
