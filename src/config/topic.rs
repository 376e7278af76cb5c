//! The settings of one topic: where its records go and how its keys and values are read.

pub(super) mod column;
pub(super) mod envelope;
pub(super) mod formats;
pub(super) mod key;
pub(super) mod schema_kind;
pub(super) mod time_unit;
pub(super) mod value;
pub(super) mod written;

use anyhow::{Context, Result};
use std::collections::BTreeMap;

use super::{Format, KeySchema, Kind, Retention, TimeUnit, ValueSchema, file, units};
use crate::exit::usage;
use crate::problem::Problem;

#[derive(Debug, Clone)]
pub struct Topic {
    pub name: String,
    pub kind: Kind,
    pub key: KeySchema,
    pub value: ValueSchema,
    pub lake_enabled: bool,
    /// None keeps for ever.
    pub lake_retention: Option<Retention>,
    pub partition_time: PartitionTime,
    /// The unit of the numbers by which its days go.
    pub lake_unit: TimeUnit,
    /// Whether a table keeps its last snapshot of each day.
    pub history: bool,
    /// What its files hold; None: what the lake's files hold.
    pub lake_format: Option<Format>,
    /// Only tables go to the warehouse.
    pub warehouse_enabled: bool,
    /// The MySQL table.
    pub table: String,
    /// Name in the record -> MySQL column, where they differ.
    pub columns: BTreeMap<String, String>,
    /// The unit of numbers that fill MySQL's columns for times.
    pub warehouse_unit: TimeUnit,
    pub row_retention: Option<RowRetention>,
    /// A record field without a column is an error.
    pub strict: bool,
}

/// Which time decides the day folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionTime {
    Kafka,
    /// The window's start.
    Window,
    /// A field of the value: a number since 1970, or ISO 8601. A dot leads into an object.
    Field(String),
}

impl std::fmt::Display for PartitionTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PartitionTime::Kafka => f.write_str("kafka"),
            PartitionTime::Window => f.write_str("window"),
            PartitionTime::Field(name) => write!(f, "field:{name}"),
        }
    }
}

/// Rows whose `column` is older than `keep` may be purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRetention {
    pub column: String,
    pub keep: Retention,
}

impl Topic {
    /// The settings of a topic without an entry: string keys, JSON values, no window, the lake's retention.
    pub fn ad_hoc(name: &str, kind: Kind, lake_retention: Option<Retention>) -> Result<Topic> {
        check_topic_name(name)?;
        Ok(Topic {
            name: name.to_owned(),
            kind,
            key: KeySchema::default(),
            value: ValueSchema::default(),
            lake_enabled: true,
            lake_retention,
            partition_time: PartitionTime::Kafka,
            lake_unit: TimeUnit::default(),
            history: false,
            lake_format: None,
            warehouse_enabled: kind == Kind::Table,
            table: name.to_lowercase(),
            columns: BTreeMap::new(),
            warehouse_unit: TimeUnit::default(),
            row_retention: None,
            strict: false,
        })
    }
}

impl Topic {
    /// Whether the schemas of its keys or values are in the registry.
    pub fn needs_registry(&self) -> bool {
        self.key.format.is_registered() || self.value.format.is_registered()
    }
}

/// Checks Kafka's rule for topic names, before a path is made of one.
pub fn check_topic_name(name: &str) -> Result<()> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > 249 || name == "." || name == ".." || !name.bytes().all(legal) {
        return Err(usage(format!(
            "`{}` is not a topic name: Kafka allows 1 to 249 of A-Z a-z 0-9 . _ -",
            name.escape_debug()
        )));
    }
    Ok(())
}

/// The heading of the topic's entry in the configuration. TOML reads a bare dot as a table within a table.
pub fn topic_heading(name: &str) -> String {
    if name.contains('.') {
        format!("[topics.\"{name}\"]")
    } else {
        format!("[topics.{name}]")
    }
}

pub(super) fn from_file(
    name: &str,
    file: &file::TopicSection,
    lake_retention: Option<Retention>,
    strict: bool,
) -> Result<Topic> {
    let mut topic = Topic::ad_hoc(name, file.kind, lake_retention)?;
    topic.key = formats::of_key(file)?;
    topic.value = formats::of_value(file)?;
    topic.lake_enabled = file.lake.enabled.unwrap_or(true);
    if let Some(text) = &file.lake.retention {
        topic.lake_retention = units::retention(text).context("lake.retention")?;
    }
    topic.partition_time = partition_time(file)?;
    units_of_times(&mut topic, file)?;
    topic.history = file.lake.history.unwrap_or(false);
    topic.lake_format = file.lake.format;
    if topic.history && topic.kind == Kind::Stream {
        return Problem::usage("lake.history is for tables: a stream keeps its history anyway")
            .fix("leave it out")
            .err();
    }
    warehouse(&mut topic, &file.warehouse, strict)?;
    Ok(topic)
}

fn warehouse(topic: &mut Topic, file: &file::TopicWarehouse, strict: bool) -> Result<()> {
    if topic.kind == Kind::Stream {
        if file.enabled == Some(true)
            || file.table.is_some()
            || file.timestamp_unit.is_some()
            || !file.columns.is_empty()
            || file.retention.is_some()
        {
            return Problem::usage("only table topics go to the warehouse, and this one is a stream")
                .fix("leave the warehouse keys out, or set kind = \"table\"")
                .err();
        }
        return Ok(());
    }
    topic.warehouse_enabled = file.enabled.unwrap_or(true);
    if let Some(table) = &file.table {
        topic.table = check_identifier(table, "warehouse.table")?;
    }
    for (field, column) in &file.columns {
        topic
            .columns
            .insert(field.clone(), check_identifier(column, "warehouse.columns")?);
    }
    topic.row_retention = match &file.retention {
        None => None,
        Some(retention) => units::retention(&retention.keep)
            .context("warehouse.retention.keep")?
            .map(|keep| {
                let column = check_identifier(&retention.column, "warehouse.retention.column")?;
                Ok::<_, anyhow::Error>(RowRetention { column, keep })
            })
            .transpose()?,
    };
    topic.strict = file.strict.unwrap_or(strict);
    Ok(())
}

/// MySQL's limit for the names of tables and columns, in characters.
pub const MYSQL_NAME_MAX: usize = 64;

/// MySQL's rule for names: at most [`MYSQL_NAME_MAX`] characters, none of them NUL or past U+FFFF, no blank at the end.
pub fn is_mysql_name(name: &str) -> bool {
    let illegal = |c: char| c == '\0' || c > '\u{ffff}';
    !name.is_empty()
        && name.chars().count() <= MYSQL_NAME_MAX
        && !name.contains(illegal)
        && !name.ends_with(' ')
}

fn check_identifier(name: &str, key: &str) -> Result<String> {
    if !is_mysql_name(name) {
        return Err(usage(format!(
            "{key}: `{}` is not a MySQL name",
            name.escape_debug()
        )));
    }
    Ok(name.to_owned())
}

fn partition_time(file: &file::TopicSection) -> Result<PartitionTime> {
    match file.lake.partition_time.as_deref() {
        None | Some("kafka") => Ok(PartitionTime::Kafka),
        Some("window") if file.window.is_none() => {
            Err(usage("lake.partition_time = \"window\" needs a window entry"))
        }
        Some("window") => Ok(PartitionTime::Window),
        Some(text) => match text.strip_prefix("field:") {
            Some(name) if !name.is_empty() => Ok(PartitionTime::Field(name.to_owned())),
            _ => Problem::usage(format!("lake.partition_time: `{text}` is unknown"))
                .fix("write kafka, window or field:NAME")
                .err(),
        },
    }
}

/// Each target may have a unit of its own: Kafka's timestamps are mostly milliseconds, whatever the fields hold.
fn units_of_times(topic: &mut Topic, file: &file::TopicSection) -> Result<()> {
    let given = [
        file.timestamp_unit,
        file.lake.timestamp_unit,
        file.warehouse.timestamp_unit,
    ];
    if given.contains(&Some(TimeUnit::Days)) {
        return Problem::usage("timestamp_unit is `days`, but it is one of `s`, `ms`, `us`, `ns`")
            .fix("name fields that count days in value.columns: \"NAME DATE\"")
            .err();
    }
    let whole = file.timestamp_unit.unwrap_or_default();
    topic.warehouse_unit = file.warehouse.timestamp_unit.unwrap_or(whole);
    topic.lake_unit = file.lake.timestamp_unit.unwrap_or(whole);
    if topic.partition_time == PartitionTime::Window {
        if file.lake.timestamp_unit.is_some() {
            return Problem::usage(
                "lake.timestamp_unit is given, but the days go by windows, whose bounds are milliseconds",
            )
            .fix("leave it out")
            .err();
        }
        topic.lake_unit = TimeUnit::default();
    }
    if let PartitionTime::Field(name) = &topic.partition_time
        && file.lake.timestamp_unit.is_none()
        && topic.value.is_date(name)
    {
        topic.lake_unit = TimeUnit::Days;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{
        Envelope, KeyFormat, Overrides, SchemaKind, Undecodable, ValueFormat, Window, tests::load_text,
    };
    use super::*;
    use proptest::prelude::*;

    fn topic(entry: &str) -> Result<Topic> {
        let settings = load_text(&format!("[topics.T_A]\n{entry}"), &[], &Overrides::default())?;
        Ok(settings.topics["T_A"].clone())
    }

    #[test]
    fn a_windowed_table() {
        let entry = "kind = \"table\"\nkey = { format = \"string\", columns = [\"t\"] }\n\
                     window = { type = \"hopping\", size = \"5m\" }\n\
                     warehouse.columns = { window_start = \"window_start_time\" }\n\
                     warehouse.retention = { column = \"window_start_time\", keep = \"7d\" }\n";
        let topic = topic(entry).unwrap();
        assert_eq!(topic.table, "t_a");
        assert_eq!(topic.key.window, Some(Window::Time { size_ms: 300_000 }));
        assert_eq!(topic.row_retention.unwrap().keep, Retention::Days(7));
    }

    #[test]
    fn an_envelope_is_also_that_of_the_keys() {
        let topic = topic("kind = \"table\"\nkey.format = \"json\"\nvalue.unwrap = \"debezium\"\n").unwrap();
        assert_eq!(topic.value.unwrap, Some(Envelope::Debezium));
        assert!(topic.key.unwrap);
    }

    #[test]
    fn formats_are_read() {
        let read = |entry: &str| topic(&format!("kind = \"table\"\n{entry}\n")).unwrap();
        let kafka = |column: &str| {
            read(&format!(
                "key = {{ format = \"kafka\", columns = [\"{column}\"] }}"
            ))
            .key
            .format
        };
        assert_eq!(kafka("A"), KeyFormat::String);
        assert_eq!(kafka("A INT"), KeyFormat::Int);
        assert_eq!(kafka("A BIGINT"), KeyFormat::Bigint);
        assert_eq!(kafka("A DOUBLE"), KeyFormat::Double);
        assert_eq!(kafka("A BYTES"), KeyFormat::Bytes);
        for (format, column) in [
            ("int", "A INT"),
            ("bigint", "A BIGINT"),
            ("double", "A"),
            ("bytes", "A BYTES"),
        ] {
            let key = read(&format!(
                "key = {{ format = \"{format}\", columns = [\"{column}\"] }}"
            ))
            .key;
            assert_eq!(key.format.to_string(), format);
        }
        let old = read("key = { separator = \"|+|\", columns = [\"A\", \"B BIGINT\"] }").key;
        assert_eq!(
            (old.separator.as_deref(), old.names()),
            (Some("|+|"), vec!["A".to_owned(), "B".to_owned()])
        );
        let value = read(
            "value = { format = \"delimited\", columns = [\"A\", \"B DECIMAL(9,2)\"], delimiter = \"TAB\", undecodable = \"keep\" }",
        )
        .value;
        assert_eq!((value.format, value.delimiter), (ValueFormat::Delimited, '\t'));
        assert_eq!(value.columns[1].kind.to_string(), "DECIMAL(9,2)");
        assert_eq!(value.undecodable, Undecodable::Keep);
        for (name, format) in [
            ("avro", ValueFormat::Registered(SchemaKind::Avro)),
            ("json_sr", ValueFormat::Registered(SchemaKind::JsonSchema)),
            ("none", ValueFormat::None),
        ] {
            assert_eq!(read(&format!("value.format = \"{name}\"")).value.format, format);
            assert_eq!(
                read(&format!("key.format = \"{name}\"")).key.format.to_string(),
                name
            );
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for entry in [
            "kind = \"stream\"\nwarehouse.table = \"t\"\n",
            "kind = \"stream\"\nlake.history = true\n",
            "kind = \"table\"\nkey = { format = \"delimited\" }\n",
            "kind = \"table\"\nkey = { columns = [\"a\", \"b\"] }\n",
            "kind = \"table\"\nkey = { format = \"kafka\", columns = [\"a DATE\"] }\n",
            "kind = \"table\"\nkey = { format = \"bigint\", columns = [\"a INT\"] }\n",
            "kind = \"table\"\nkey = { format = \"int\", columns = [\"a DATE\"] }\n",
            "kind = \"table\"\nkey = { format = \"bytes\", columns = [\"a DOUBLE\"] }\n",
            "kind = \"table\"\nkey = { columns = [\"a\"], separator = \"|+|\" }\n",
            "kind = \"table\"\nkey = { format = \"json\", columns = [\"a\", \"b\"], separator = \"|+|\" }\n",
            "kind = \"table\"\nkey = { format = \"json\", delimiter = \";\" }\n",
            "kind = \"stream\"\nvalue = { format = \"delimited\" }\n",
            "kind = \"stream\"\nvalue = { format = \"kafka\", columns = [\"a\", \"b\"] }\n",
            "kind = \"stream\"\nvalue = { format = \"kafka\", columns = [\"a BOOLEAN\"] }\n",
            "kind = \"stream\"\nvalue = { format = \"bytes\", columns = [\"a INT\"] }\n",
            "kind = \"stream\"\nvalue = { format = \"avro\", columns = [\"a\", \"b\"] }\n",
            "kind = \"stream\"\nvalue = { format = \"none\", columns = [\"a\"] }\n",
            "kind = \"table\"\nkey.format = \"none\"\nwindow = { type = \"session\" }\n",
            "kind = \"stream\"\nvalue = { delimiter = \";\" }\n",
            "kind = \"stream\"\nvalue = { format = \"kafka\", unwrap = \"debezium\" }\n",
            "kind = \"stream\"\nvalue = { format = \"delimited\", columns = [\"a\"], delimiter = \"ab\" }\n",
            "kind = \"stream\"\nvalue = { format = \"delimited\", columns = [\"a\"], delimiter = \"e\u{301}\" }\n",
            "kind = \"stream\"\nvalue = { format = \"delimited\", columns = [\"a\"], delimiter = \"\" }\n",
            "kind = \"table\"\nwindow = { type = \"hopping\" }\n",
            "kind = \"table\"\nwindow = { type = \"tumbling\", size = \"0s\" }\n",
            "kind = \"table\"\nlake.partition_time = \"window\"\n",
            "kind = \"table\"\nlake.partition_time = \"field:\"\n",
            "kind = \"stream\"\ntimestamp_unit = \"sec\"\n",
            "kind = \"table\"\nwarehouse.timestamp_unit = \"days\"\n",
            "kind = \"stream\"\nwarehouse.timestamp_unit = \"s\"\n",
            "kind = \"table\"\nwindow = { type = \"session\" }\nlake = { partition_time = \"window\", timestamp_unit = \"s\" }\n",
            "kind = \"table\"\nwindow = { type = \"session\" }\nvalue.unwrap = \"connect\"\n",
            "kind = \"table\"\nvalue.unwrap = \"debezum\"\n",
        ] {
            let error = topic(entry).unwrap_err();
            assert_eq!(crate::exit::code_of(&error), crate::exit::USAGE, "{entry}");
        }
    }

    #[test]
    fn a_unit_is_for_both_targets_unless_one_has_its_own() {
        use TimeUnit::{Days, Ms, Ns, S, Us};
        for (entry, lake, warehouse) in [
            ("", Ms, Ms),
            ("timestamp_unit = \"s\"\n", S, S),
            ("timestamp_unit = \"s\"\nlake.timestamp_unit = \"ms\"\n", Ms, S),
            (
                "timestamp_unit = \"us\"\nwarehouse.timestamp_unit = \"ns\"\n",
                Us,
                Ns,
            ),
            (
                "timestamp_unit = \"s\"\nwindow = { type = \"session\" }\nlake.partition_time = \"window\"\n",
                Ms,
                S,
            ),
            (
                "value.columns = [\"Day DATE\"]\nlake.partition_time = \"field:DAY\"\ntimestamp_unit = \"s\"\n",
                Days,
                S,
            ),
            (
                "value.columns = [\"d DATE\"]\nlake = { partition_time = \"field:d\", timestamp_unit = \"s\" }\n",
                S,
                Ms,
            ),
        ] {
            let topic = topic(&format!("kind = \"table\"\n{entry}")).unwrap();
            assert_eq!(
                (topic.lake_unit, topic.warehouse_unit),
                (lake, warehouse),
                "{entry}"
            );
        }
        let error = topic("kind = \"table\"\ntimestamp_unit = \"sec\"\n").unwrap_err();
        assert!(
            format!("{error:#}").contains("`s`, `ms`, `us`, `ns`"),
            "{error:#}"
        );
    }

    #[test]
    fn topic_names_cannot_leave_their_folder() {
        for name in ["", ".", "..", "a/b", "a b", "é", "a\0", &"x".repeat(250)] {
            assert!(check_topic_name(name).is_err(), "{name}");
        }
        assert!(check_topic_name("_a.B-9").is_ok());
    }

    proptest! {
        /// Kafka's rule, which excludes every name that leads a path out of its folder.
        #[test]
        fn exactly_kafkas_names_are_topic_names(
            name in prop_oneof!["[A-Za-z0-9._-]{0,12}", "[A-Za-z0-9._-]{240,260}", "\\PC{0,6}", "[./]{1,4}", "[a-z]{0,3}[\u{0}-\u{2c}/:\u{7f}é][a-z]{0,3}"],
        ) {
            let legal = |c: char| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-');
            let expected = (1..=249).contains(&name.chars().count()) && name.chars().all(legal) && name != "." && name != "..";
            let checked = check_topic_name(&name);
            prop_assert_eq!(checked.is_ok(), expected, "{:?}", name);
            if let Err(error) = checked {
                prop_assert_eq!(crate::exit::code_of(&error), crate::exit::USAGE);
                prop_assert!(!error.to_string().chars().any(char::is_control), "{:?}", name);
            }
        }
    }
}
