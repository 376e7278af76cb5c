//! Columns as the configuration declares them: `"WSTART BIGINT"`, `"NAME"`.

use anyhow::Result;

use crate::exit::usage;
use crate::problem::Problem;

/// A column of a key or value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredColumn {
    pub name: String,
    pub kind: DeclaredType,
}

/// ksqlDB's types of columns that are not nested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeclaredType {
    Boolean,
    Int,
    Bigint,
    Double,
    Decimal {
        precision: u32,
        scale: u32,
    },
    #[default]
    Varchar,
    Bytes,
    /// Days since 1970.
    Date,
    /// Milliseconds of the day.
    Time,
    /// Milliseconds since 1970.
    Timestamp,
}

const NAMES: &str = "BOOLEAN, INT, BIGINT, DOUBLE, DECIMAL(p,s), VARCHAR, BYTES, DATE, TIME or TIMESTAMP";

impl DeclaredColumn {
    /// A column without a declared type.
    pub fn named(name: &str) -> DeclaredColumn {
        DeclaredColumn {
            name: name.to_owned(),
            kind: DeclaredType::default(),
        }
    }
}

impl DeclaredType {
    /// Reads a type by ksqlDB's name, in any case.
    pub fn parse(text: &str) -> Option<DeclaredType> {
        Some(match &*text.to_uppercase() {
            "BOOLEAN" => DeclaredType::Boolean,
            "INT" | "INTEGER" => DeclaredType::Int,
            "BIGINT" => DeclaredType::Bigint,
            "DOUBLE" => DeclaredType::Double,
            "VARCHAR" | "STRING" => DeclaredType::Varchar,
            "BYTES" => DeclaredType::Bytes,
            "DATE" => DeclaredType::Date,
            "TIME" => DeclaredType::Time,
            "TIMESTAMP" => DeclaredType::Timestamp,
            decimal => {
                let digits = decimal.strip_prefix("DECIMAL")?.trim_start();
                let (precision, scale) = digits.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
                let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
                if precision == 0 || scale > precision {
                    return None;
                }
                DeclaredType::Decimal { precision, scale }
            }
        })
    }
}

impl std::fmt::Display for DeclaredColumn {
    /// As the configuration has it: `WSTART BIGINT`, `NAME`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.name.contains(' ') || self.name.starts_with('`') {
            write!(f, "`{}`", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        match self.kind {
            DeclaredType::Varchar => Ok(()),
            kind => write!(f, " {kind}"),
        }
    }
}

impl std::fmt::Display for DeclaredType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DeclaredType::Boolean => "BOOLEAN",
            DeclaredType::Int => "INT",
            DeclaredType::Bigint => "BIGINT",
            DeclaredType::Double => "DOUBLE",
            DeclaredType::Decimal { precision, scale } => {
                return write!(f, "DECIMAL({precision},{scale})");
            }
            DeclaredType::Varchar => "VARCHAR",
            DeclaredType::Bytes => "BYTES",
            DeclaredType::Date => "DATE",
            DeclaredType::Time => "TIME",
            DeclaredType::Timestamp => "TIMESTAMP",
        })
    }
}

/// Reads declared columns: a name, and a blank and a type behind it. Without a type it is VARCHAR.
///
/// # Errors
/// A name is missing or occurs twice, or the last word is almost one of the types: exit code 2.
pub(super) fn parse_all(texts: &[String], key: &str) -> Result<Vec<DeclaredColumn>> {
    let columns: Vec<DeclaredColumn> = texts.iter().map(|text| parse(text, key)).collect::<Result<_>>()?;
    let mut seen = std::collections::BTreeSet::new();
    match columns
        .iter()
        .find(|column| !seen.insert(column.name.to_lowercase()))
    {
        Some(twice) => Err(usage(format!("{key}: `{}` is named twice", twice.name))),
        None => Ok(columns),
    }
}

fn parse(text: &str, key: &str) -> Result<DeclaredColumn> {
    // A name with blanks is safe in backquotes, as ksqlDB writes it.
    let (name, kind) = match text.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
        Some((name, kind)) => (name, kind.trim()),
        None => text
            .split_once(' ')
            .map_or((text, ""), |(name, kind)| (name, kind.trim())),
    };
    if name.is_empty() {
        return Err(usage(format!("{key}: `{text}` has no name")));
    }
    let named = |name: &str, kind| {
        Ok(DeclaredColumn {
            name: name.to_owned(),
            kind,
        })
    };
    match DeclaredType::parse(kind) {
        Some(kind) => named(name, kind),
        None if kind.is_empty() => named(name, DeclaredType::default()),
        // A name with blanks, as keys of MySQL's tables may have it.
        None if !text.starts_with('`') && !is_like_a_type(kind) => named(text, DeclaredType::default()),
        None => Problem::usage(format!("{key}: `{text}` ends in no type of a column"))
            .fix(format!(
                "write a name, a blank and {NAMES}; a name with blanks goes in backquotes"
            ))
            .err(),
    }
}

/// Whether the last word was probably meant as a type.
fn is_like_a_type(text: &str) -> bool {
    let last = text.rsplit(' ').next().unwrap_or(text).to_uppercase();
    let is_like = |name: &str| strsim::jaro_winkler(&last, name) > 0.9;
    let names = NAMES.split([',', ' ']).filter(|name| name.len() > 2);
    last.contains('(') || names.into_iter().any(is_like)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, String)> {
        let column = parse(text, "value.columns").ok()?;
        Some((column.name, column.kind.to_string()))
    }

    #[test]
    fn a_column_is_a_name_and_a_type() {
        for (text, name, kind) in [
            ("NAME", "NAME", "VARCHAR"),
            ("WSTART BIGINT", "WSTART", "BIGINT"),
            ("a  decimal(10, 2)", "a", "DECIMAL(10,2)"),
            ("a DECIMAL (4,4)", "a", "DECIMAL(4,4)"),
            ("`Total amount` INTEGER", "Total amount", "INT"),
            ("`a`", "a", "VARCHAR"),
            ("s String", "s", "VARCHAR"),
            ("primary key", "primary key", "VARCHAR"),
            ("a b", "a b", "VARCHAR"),
            ("event type", "event type", "VARCHAR"),
        ] {
            assert_eq!(parsed(text), Some((name.to_owned(), kind.to_owned())), "{text}");
        }
        for text in [
            "",
            " INT",
            "``",
            "a BIGINTT",
            "a DECIMAL(2,3)",
            "a DECIMAL(0,0)",
            "a DECIMAL",
            "a b INT",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn a_column_is_shown_as_it_is_written() {
        for text in ["NAME", "WSTART BIGINT", "`Total amount` DECIMAL(9,2)", "`a b`"] {
            assert_eq!(parse(text, "value.columns").unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_name_stands_once() {
        let error = parse_all(&["a INT".to_owned(), "A".to_owned()], "key.columns").unwrap_err();
        assert_eq!(error.to_string(), "key.columns: `A` is named twice");
    }
}
