//! The formats of ksqlDB, by the names that its statements give them.

use super::StatedSettings;
use crate::config::{
    DeclaredColumn, DeclaredType, KeyFormat, KeySchema, SchemaKind, SchemaPayload, ValueFormat, ValueSchema,
    delimiter_named,
};

/// A column of a stream or table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KsqlColumn {
    pub name: String,
    pub kind: KsqlType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KsqlType {
    Plain(DeclaredType),
    Array,
    /// MAP or STRUCT: an object of its own.
    Object,
    Unknown,
}

/// What a statement's WITH clause says of keys or values.
#[derive(Debug, Clone, Copy, Default)]
pub struct KsqlProperties<'a> {
    /// KEY_DELIMITER, VALUE_DELIMITER
    pub delimiter: Option<&'a str>,
    /// WRAP_SINGLE_VALUE = false
    pub is_unwrapped: bool,
    /// VALUE_PROTOBUF_NULLABLE_REPRESENTATION
    pub has_nulls: bool,
}

/// The formats where ksqlDB names none.
pub const KEY_FORMAT: &str = "KAFKA";
pub const VALUE_FORMAT: &str = "JSON";
/// The property by which nulls are kept in a format that has none.
pub const NULLS_PROPERTY: &str = "VALUE_PROTOBUF_NULLABLE_REPRESENTATION";

/// Whether records of this KEY_FORMAT have no key.
pub fn has_no_keys(format: &str) -> bool {
    format.eq_ignore_ascii_case("NONE")
}

impl KsqlColumn {
    fn declared(&self) -> DeclaredColumn {
        DeclaredColumn {
            name: self.name.clone(),
            kind: match self.kind {
                KsqlType::Plain(kind) => kind,
                _ => DeclaredType::default(),
            },
        }
    }

    fn is_plain(&self) -> bool {
        matches!(self.kind, KsqlType::Plain(_))
    }
}

fn declared(columns: &[KsqlColumn]) -> Vec<DeclaredColumn> {
    columns.iter().map(KsqlColumn::declared).collect()
}

/// The settings of keys with this KEY_FORMAT. There is at least one column, unless the format is NONE.
pub fn keys(
    format: &str,
    columns: &[KsqlColumn],
    properties: KsqlProperties<'_>,
) -> StatedSettings<KeySchema> {
    let of = |format, columns| {
        StatedSettings::of(KeySchema {
            format,
            columns,
            ..KeySchema::default()
        })
    };
    let kept = |why: String| of(KeyFormat::Bytes, Vec::new()).note(why).doubtful();
    match (&*format.to_uppercase(), columns) {
        ("KAFKA", [column]) => match column.kind {
            KsqlType::Plain(kind) => match KeyFormat::of_kafka(kind) {
                Some(format) => of(format, declared(columns)),
                None => kept(format!("KAFKA has no {kind}: such keys are kept as bytes")),
            },
            _ => kept("KAFKA has no type of this key: such keys are kept as bytes".to_owned()),
        },
        ("JSON", _) => of(KeyFormat::Json, declared(columns)),
        ("DELIMITED", _) => {
            let mut stated = of(KeyFormat::Delimited, declared(columns));
            match delimiter(properties) {
                Ok(delimiter) => stated.schema.delimiter = delimiter,
                Err(why) => return kept(why),
            }
            stated
        }
        ("NONE", _) => of(KeyFormat::None, Vec::new()),
        (other, _) => match registered(other) {
            Some(kind) => of(KeyFormat::Registered(kind), declared(columns)),
            None => kept(unsupported(other)),
        },
    }
}

/// The settings of values with this VALUE_FORMAT.
pub fn values(
    format: &str,
    columns: &[KsqlColumn],
    properties: KsqlProperties<'_>,
) -> StatedSettings<ValueSchema> {
    let of = |format, columns| {
        StatedSettings::of(ValueSchema {
            format,
            columns,
            ..ValueSchema::default()
        })
    };
    let kept = |why: String| of(ValueFormat::Bytes, Vec::new()).note(why).doubtful();
    let plain = || {
        columns
            .iter()
            .filter(|column| column.is_plain())
            .map(KsqlColumn::declared)
            .collect()
    };
    match (&*format.to_uppercase(), columns) {
        ("JSON", _) => of(ValueFormat::Json, bare(columns, properties).unwrap_or_else(plain)),
        ("DELIMITED", [_, ..]) => {
            let mut stated = of(ValueFormat::Delimited, declared(columns));
            match delimiter(properties) {
                Ok(delimiter) => stated.schema.delimiter = delimiter,
                Err(why) => return kept(why),
            }
            stated
        }
        ("KAFKA", [column]) => match column.kind {
            KsqlType::Plain(kind) if KeyFormat::of_kafka(kind).is_some() => {
                of(ValueFormat::Kafka, declared(columns))
            }
            _ => kept("KAFKA has no type of this column: such values are kept as bytes".to_owned()),
        },
        ("NONE", _) => of(ValueFormat::None, Vec::new()),
        ("DELIMITED" | "KAFKA", _) => kept(format!(
            "{format} needs the columns of the values, which ksqlDB does not tell: they are kept as bytes"
        )),
        (other, _) => {
            let Some(kind) = registered(other) else {
                return kept(unsupported(other));
            };
            let format = ValueFormat::Registered(kind);
            match kind.traits().payload {
                SchemaPayload::Typed => of(format, bare(columns, properties).unwrap_or_default()),
                SchemaPayload::Json => of(format, bare(columns, properties).unwrap_or_else(plain)),
                SchemaPayload::Message if properties.has_nulls => of(format, Vec::new()),
                SchemaPayload::Message => of(format, Vec::new()).note(PROTOBUF_NULLS),
            }
        }
    }
}

/// The format of this name, if its schemas are in a registry.
fn registered(format: &str) -> Option<SchemaKind> {
    SchemaKind::find(|traits| traits.ksqldb == format)
}

/// What ksqlDB's PROTOBUF loses.
pub const PROTOBUF_NULLS: &str = "ksqlDB's plain PROTOBUF writes NULL as 0 or '': only VALUE_PROTOBUF_NULLABLE_REPRESENTATION \
                                  = 'OPTIONAL' or 'WRAPPER' in its statement tells them apart";

/// The name of a bare value's only column. An object of its own is read as the whole value.
fn bare(columns: &[KsqlColumn], properties: KsqlProperties<'_>) -> Option<Vec<DeclaredColumn>> {
    match columns {
        [column] if properties.is_unwrapped && column.kind != KsqlType::Object => Some(declared(columns)),
        _ => None,
    }
}

fn delimiter(properties: KsqlProperties<'_>) -> Result<char, String> {
    let Some(text) = properties.delimiter else {
        return Ok(',');
    };
    delimiter_named(text).ok_or_else(|| format!("the delimiter `{text}` can't be set: kept as bytes"))
}

fn unsupported(format: &str) -> String {
    format!("the format {format} is not supported: kept as bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::stated::shown;

    fn column(text: &str) -> KsqlColumn {
        let (name, kind) = text.split_once(' ').unwrap();
        KsqlColumn {
            name: name.to_owned(),
            kind: match kind {
                "ARRAY" => KsqlType::Array,
                "STRUCT" => KsqlType::Object,
                kind => KsqlType::Plain(DeclaredType::parse(kind).unwrap()),
            },
        }
    }

    fn key(format: &str, columns: &[&str], delimiter: Option<&str>) -> String {
        let columns: Vec<_> = columns.iter().map(|text| column(text)).collect();
        let properties = KsqlProperties {
            delimiter,
            ..KsqlProperties::default()
        };
        shown(keys(format, &columns, properties).schema.written())
    }

    fn value(format: &str, columns: &[&str], properties: KsqlProperties<'_>) -> String {
        let columns: Vec<_> = columns.iter().map(|text| column(text)).collect();
        shown(values(format, &columns, properties).schema.written())
    }

    #[test]
    fn every_key_format_has_its_settings() {
        for (format, columns, expected) in [
            (
                "KAFKA",
                &["A STRING"][..],
                "key.format = 'string'; key.columns = ['A']",
            ),
            ("KAFKA", &["A INTEGER"], "key.format = 'int'; key.columns = ['A']"),
            (
                "KAFKA",
                &["A BIGINT"],
                "key.format = 'bigint'; key.columns = ['A']",
            ),
            (
                "KAFKA",
                &["A DOUBLE"],
                "key.format = 'double'; key.columns = ['A']",
            ),
            ("KAFKA", &["A BYTES"], "key.format = 'bytes'; key.columns = ['A']"),
            ("KAFKA", &["A DATE"], "key.format = 'bytes'"),
            ("JSON", &["A INT"], "key.format = 'json'; key.columns = ['A INT']"),
            (
                "JSON",
                &["A INT", "B STRING"],
                "key.format = 'json'; key.columns = ['A INT', 'B']",
            ),
            ("json", &["A ARRAY"], "key.format = 'json'; key.columns = ['A']"),
            (
                "AVRO",
                &["A BIGINT"],
                "key.format = 'avro'; key.columns = ['A BIGINT']",
            ),
            (
                "JSON_SR",
                &["A DATE"],
                "key.format = 'json_sr'; key.columns = ['A DATE']",
            ),
            (
                "PROTOBUF",
                &["A INT"],
                "key.format = 'protobuf'; key.columns = ['A INT']",
            ),
            ("NONE", &[], "key.format = 'none'"),
            ("PROTOBUF_NOSR", &["A INT"], "key.format = 'bytes'"),
        ] {
            assert_eq!(key(format, columns, None), expected, "{format}");
        }
        let delimited = "key.format = 'delimited'; key.columns = ['A', 'B INT']";
        let columns = ["A STRING", "B INT"];
        assert_eq!(key("DELIMITED", &columns, None), delimited);
        assert_eq!(
            key("DELIMITED", &columns, Some("TAB")),
            format!("{delimited}; key.delimiter = 'TAB'")
        );
        assert_eq!(
            key("DELIMITED", &columns, Some("é")),
            format!("{delimited}; key.delimiter = 'é'")
        );
        assert_eq!(key("DELIMITED", &columns, Some("||")), "key.format = 'bytes'");
    }

    #[test]
    fn every_value_format_has_its_settings() {
        let none = KsqlProperties::default();
        let unwrapped = KsqlProperties {
            is_unwrapped: true,
            ..none
        };
        for (format, columns, properties, expected) in [
            (
                "JSON",
                &["A DECIMAL(9,2)", "L ARRAY", "B STRING"][..],
                none,
                "value.format = 'json'; value.columns = ['A DECIMAL(9,2)', 'B']",
            ),
            ("JSON", &["L ARRAY"], none, "value.format = 'json'"),
            (
                "JSON",
                &["L ARRAY"],
                unwrapped,
                "value.format = 'json'; value.columns = ['L']",
            ),
            ("JSON", &["S STRUCT"], unwrapped, "value.format = 'json'"),
            (
                "JSON_SR",
                &["A INT"],
                none,
                "value.format = 'json_sr'; value.columns = ['A INT']",
            ),
            ("AVRO", &["A INT", "B INT"], none, "value.format = 'avro'"),
            ("AVRO", &["A INT"], none, "value.format = 'avro'"),
            (
                "AVRO",
                &["A INT"],
                unwrapped,
                "value.format = 'avro'; value.columns = ['A INT']",
            ),
            ("PROTOBUF", &["A INT"], unwrapped, "value.format = 'protobuf'"),
            (
                "KAFKA",
                &["A DOUBLE"],
                none,
                "value.format = 'kafka'; value.columns = ['A DOUBLE']",
            ),
            ("KAFKA", &["A DATE"], none, "value.format = 'bytes'"),
            ("DELIMITED", &[], none, "value.format = 'bytes'"),
            ("NONE", &[], none, "value.format = 'none'"),
            ("XML", &["A INT"], none, "value.format = 'bytes'"),
        ] {
            assert_eq!(value(format, columns, properties), expected, "{format}");
        }
        let space = KsqlProperties {
            delimiter: Some("SPACE"),
            ..none
        };
        assert_eq!(
            value("DELIMITED", &["A DATE", "B STRING"], space),
            "value.format = 'delimited'; value.columns = ['A DATE', 'B']; value.delimiter = 'SPACE'"
        );
    }

    #[test]
    fn what_is_lost_is_said() {
        let columns = [column("A INT")];
        let plain = values("PROTOBUF", &columns, KsqlProperties::default());
        assert_eq!(
            (plain.notes, plain.is_doubtful),
            (vec![PROTOBUF_NULLS.to_owned()], false)
        );
        let nullable = KsqlProperties {
            has_nulls: true,
            ..KsqlProperties::default()
        };
        assert!(values("PROTOBUF", &columns, nullable).notes.is_empty());
        let unknown = values("PROTOBUF_NOSR", &columns, nullable);
        assert!(unknown.is_doubtful && unknown.notes[0].contains("PROTOBUF_NOSR is not supported"));
    }
}
