//! The columns of a target table, as information_schema describes them.

use crate::config::TimeUnit;

/// A column's type and limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::warehouse) enum ColumnType {
    Integer {
        min: i128,
        max: i128,
    },
    Decimal {
        precision: u32,
        scale: u32,
        unsigned: bool,
    },
    /// FLOAT if `single`, else DOUBLE; `places` if it has a scale, like `FLOAT(7,4)`.
    Float {
        single: bool,
        places: Option<u32>,
    },
    /// CHAR if `fixed`: it loses trailing blanks.
    Text {
        chars_max: Option<u64>,
        bytes_max: u64,
        fixed: bool,
    },
    /// BINARY if `fixed`: it is padded with zero bytes.
    Binary {
        bytes_max: u64,
        fixed: bool,
    },
    Json,
    Enum(Vec<String>),
    Date,
    /// `places`: decimal places of a second.
    Time {
        places: u32,
    },
    DateTime {
        places: u32,
    },
    /// Ends in 2106 if `long`, else in 2038.
    Timestamp {
        places: u32,
        long: bool,
    },
    /// MariaDB's.
    Uuid,
    Inet4,
    Inet6,
    /// Any other type: only the server checks its values.
    Other,
}

#[derive(Debug, Clone)]
pub(in crate::warehouse) struct Column {
    pub name: String,
    pub kind: ColumnType,
    pub nullable: bool,
    pub in_key: bool,
    /// NOT NULL without a default: every row must fill it.
    pub required: bool,
    /// Computed by MySQL from other columns.
    pub generated: bool,
    /// Filled by MySQL with the next number, unless the record fills it.
    pub auto_increment: bool,
    /// MySQL fills it where no record does: a number that it counts up, or the time of the change.
    pub filled_by_server: bool,
    pub collation: Option<String>,
    /// The unit of numbers that fill it, if it holds times.
    pub time_unit: TimeUnit,
}

impl Column {
    /// A column of tests, which takes NULL and is in no key.
    #[cfg(test)]
    pub fn named(name: &str, kind: ColumnType) -> Column {
        Column {
            name: name.to_owned(),
            kind,
            nullable: true,
            in_key: false,
            required: false,
            generated: false,
            auto_increment: false,
            filled_by_server: false,
            collation: None,
            time_unit: TimeUnit::Ms,
        }
    }

    /// Whether its character set may lack some characters, or need more bytes for them than UTF-8.
    pub fn has_own_characters(&self) -> bool {
        let collation = self.collation.as_deref().unwrap_or_default();
        matches!(self.kind, ColumnType::Text { .. }) && !collation.starts_with("utf8mb4_")
    }

    /// Whether a number in it is a time since 1970. In a DATE it counts days anyway, and in a TIME the milliseconds of the day.
    pub fn has_unit(&self) -> bool {
        matches!(
            self.kind,
            ColumnType::DateTime { .. } | ColumnType::Timestamp { .. }
        )
    }

    /// Whether it is MySQL's binary JSON type. MariaDB's is text, which has a collation.
    pub fn is_binary_json(&self) -> bool {
        self.kind == ColumnType::Json && self.collation.is_none()
    }
}

/// A column's description in information_schema, without its name.
#[derive(Debug, Clone, Default)]
pub(super) struct TypeFacts {
    /// `decimal`
    pub data_type: String,
    /// `decimal(15,2) unsigned`
    pub column_type: String,
    pub chars: Option<u64>,
    pub bytes: Option<u64>,
    pub precision: Option<u64>,
    pub scale: Option<u64>,
    pub places: Option<u64>,
    /// MariaDB's JSON is a LONGTEXT with a CHECK.
    pub(super) checked_json: bool,
    pub(super) long_timestamps: bool,
}

impl TypeFacts {
    pub fn column_type(&self) -> ColumnType {
        let column_type = self.column_type.to_lowercase();
        let unsigned = column_type.contains("unsigned");
        let small = |number: Option<u64>| number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let integer = |bits: u32| {
            if unsigned {
                ColumnType::Integer {
                    min: 0,
                    max: (1i128 << bits) - 1,
                }
            } else {
                ColumnType::Integer {
                    min: -(1i128 << (bits - 1)),
                    max: (1i128 << (bits - 1)) - 1,
                }
            }
        };
        let text = |chars_max, fixed| ColumnType::Text {
            chars_max,
            bytes_max: self.bytes.unwrap_or(u64::MAX),
            fixed,
        };
        let float = |single| ColumnType::Float {
            single,
            places: self.scale.and_then(|scale| u32::try_from(scale).ok()),
        };
        let binary = |fixed| ColumnType::Binary {
            bytes_max: self.bytes.unwrap_or(u64::MAX),
            fixed,
        };
        match self.data_type.to_lowercase().as_str() {
            "tinyint" => integer(8),
            "smallint" => integer(16),
            "mediumint" => integer(24),
            "int" | "integer" => integer(32),
            "bigint" => integer(64),
            "bit" => ColumnType::Integer {
                min: 0,
                max: (1i128 << self.precision.unwrap_or(1).min(64)) - 1,
            },
            "year" => ColumnType::Integer { min: 1901, max: 2155 },
            "decimal" | "numeric" => ColumnType::Decimal {
                precision: small(self.precision),
                scale: small(self.scale),
                unsigned,
            },
            "float" => float(true),
            "double" | "real" => float(false),
            "longtext" if self.checked_json => ColumnType::Json,
            "char" => text(self.chars, true),
            "varchar" => text(self.chars, false),
            "tinytext" | "text" | "mediumtext" | "longtext" => text(None, false),
            "binary" => binary(true),
            "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => binary(false),
            "json" => ColumnType::Json,
            "enum" => ColumnType::Enum(enum_members(&self.column_type)),
            "date" => ColumnType::Date,
            "time" => ColumnType::Time {
                places: small(self.places),
            },
            "datetime" => ColumnType::DateTime {
                places: small(self.places),
            },
            "timestamp" => ColumnType::Timestamp {
                places: small(self.places),
                long: self.long_timestamps,
            },
            "uuid" => ColumnType::Uuid,
            "inet4" => ColumnType::Inet4,
            "inet6" => ColumnType::Inet6,
            _ => ColumnType::Other,
        }
    }
}

impl ColumnType {
    /// Whether its values can be spelled in several ways, see [`crate::warehouse::value::canonical`].
    pub fn has_spellings(&self) -> bool {
        matches!(self, ColumnType::Uuid | ColumnType::Inet4 | ColumnType::Inet6)
    }

    /// Whether only the server can decide which values it accepts.
    pub(super) fn only_server_can_judge(&self) -> bool {
        self.has_spellings() || *self == ColumnType::Other
    }
}

/// The members of `enum('a','it''s')`.
fn enum_members(column_type: &str) -> Vec<String> {
    let list = column_type
        .split_once('(')
        .and_then(|(_, rest)| rest.rsplit_once(')'))
        .map_or("", |(list, _)| list);
    let mut members = Vec::new();
    let mut member: Option<String> = None;
    let mut chars = list.chars().peekable();
    while let Some(c) = chars.next() {
        match (&mut member, c) {
            (None, '\'') => member = Some(String::new()),
            (None, _) => {}
            (Some(text), '\'') if chars.peek() == Some(&'\'') => {
                chars.next();
                text.push('\'');
            }
            (Some(_), '\'') => members.extend(member.take()),
            (Some(text), c) => text.push(c),
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(data_type: &str, column_type: &str) -> ColumnType {
        TypeFacts {
            data_type: data_type.to_owned(),
            column_type: column_type.to_owned(),
            precision: Some(15),
            scale: Some(2),
            ..TypeFacts::default()
        }
        .column_type()
    }

    #[test]
    fn types_and_their_limits() {
        assert_eq!(
            kind("tinyint", "tinyint(1)"),
            ColumnType::Integer { min: -128, max: 127 }
        );
        assert_eq!(
            kind("bigint", "bigint unsigned"),
            ColumnType::Integer {
                min: 0,
                max: u64::MAX.into()
            }
        );
        assert_eq!(
            kind("decimal", "decimal(15,2)"),
            ColumnType::Decimal {
                precision: 15,
                scale: 2,
                unsigned: false
            }
        );
        assert_eq!(
            kind("enum", "enum('read','it''s, (odd)','none')"),
            ColumnType::Enum(vec!["read".into(), "it's, (odd)".into(), "none".into()])
        );
        assert_eq!(kind("point", "point"), ColumnType::Other);
    }
}
