//! The columns of a topic's typed files: the types that hold all values so far without changing them. They only widen.

mod seen;

use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fmt;

pub use seen::{SeenKinds, comes_back};

/// The most digits that decimals of every reader can have.
pub const DIGITS_MAX: u8 = 38;

/// The type of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredType {
    Boolean,
    /// 32 bits.
    Int,
    Bigint,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Double,
    Text,
    /// Any JSON value, as text.
    Json,
    Bytes,
    Date,
    /// In milli- or microseconds; in UTC, or local to no known place.
    Timestamp {
        micros: bool,
        utc: bool,
    },
    Struct(Vec<(String, StoredType)>),
    List(Box<StoredType>),
    Map(Box<StoredType>),
}

impl StoredType {
    /// The type that holds the values of two declared types.
    fn wider(&self, other: &StoredType) -> StoredType {
        match (self.decimal(), other.decimal()) {
            _ if self == other => self.clone(),
            _ if self.is_int_beside_double(other) || other.is_int_beside_double(self) => StoredType::Double,
            (Some(_), Some(_)) if self.is_integer() && other.is_integer() => StoredType::Bigint,
            (Some((whole, scale)), Some((other_whole, other_scale))) => {
                let (whole, scale) = (whole.max(other_whole), scale.max(other_scale));
                match whole + scale {
                    precision @ 0..=DIGITS_MAX => StoredType::Decimal { precision, scale },
                    _ => StoredType::Text,
                }
            }
            _ => match (self, other) {
                (StoredType::Struct(fields), StoredType::Struct(others)) => all_fields(fields, others),
                (StoredType::List(of), StoredType::List(other)) => StoredType::List(of.wider(other).into()),
                (StoredType::Map(of), StoredType::Map(other)) => StoredType::Map(of.wider(other).into()),
                _ if self.is_nested() && other.is_nested() => StoredType::Json,
                _ => StoredType::Text,
            },
        }
    }

    /// A structure of these fields. One that readers can't have is JSON.
    pub fn structure(fields: Vec<(String, StoredType)>) -> StoredType {
        let mut seen = HashSet::new();
        let has_distinct_names = fields.iter().all(|(name, _)| seen.insert(name.to_lowercase()));
        match has_distinct_names && !fields.is_empty() {
            true => StoredType::Struct(fields),
            false => StoredType::Json,
        }
    }

    /// A double holds each number of 32 bits.
    fn is_int_beside_double(&self, other: &StoredType) -> bool {
        *self == StoredType::Int && *other == StoredType::Double
    }

    fn is_integer(&self) -> bool {
        matches!(self, StoredType::Int | StoredType::Bigint)
    }

    fn is_nested(&self) -> bool {
        use StoredType::{Json, List, Map, Struct};
        matches!(self, Json | Struct(_) | List(_) | Map(_))
    }

    /// The digits before and behind the point that its numbers may have, if they are exact.
    fn decimal(&self) -> Option<(u8, u8)> {
        match self {
            StoredType::Int => Some((10, 0)),
            StoredType::Bigint => Some((19, 0)),
            StoredType::Decimal { precision, scale } => Some((precision - scale, *scale)),
            _ => None,
        }
    }
}

/// A structure of the fields of both.
fn all_fields(fields: &[(String, StoredType)], others: &[(String, StoredType)]) -> StoredType {
    let mut all = fields.to_vec();
    for (name, kind) in others {
        match all.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = known.wider(kind),
            None => all.push((name.clone(), kind.clone())),
        }
    }
    StoredType::structure(all)
}

impl fmt::Display for StoredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoredType::Boolean => f.write_str("BOOLEAN"),
            StoredType::Int => f.write_str("INT"),
            StoredType::Bigint => f.write_str("BIGINT"),
            StoredType::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            StoredType::Double => f.write_str("DOUBLE"),
            StoredType::Text => f.write_str("VARCHAR"),
            StoredType::Json => f.write_str("JSON"),
            StoredType::Bytes => f.write_str("BYTES"),
            StoredType::Date => f.write_str("DATE"),
            StoredType::Timestamp { micros, utc } => write!(
                f,
                "{}TIMESTAMP({})",
                if *utc { "" } else { "LOCAL " },
                if *micros { 6 } else { 3 }
            ),
            StoredType::Struct(fields) => {
                f.write_str("STRUCT(")?;
                for (at, (name, kind)) in fields.iter().enumerate() {
                    write!(f, "{}{name} {kind}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            StoredType::List(of) => write!(f, "{of}[]"),
            StoredType::Map(of) => write!(f, "MAP(VARCHAR, {of})"),
        }
    }
}

/// One column, and what is known of its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumn {
    pub name: String,
    #[serde(flatten)]
    known: ColumnOrigin,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ColumnOrigin {
    Declared(StoredType),
    Seen(SeenKinds),
}

impl StoredColumn {
    pub fn kind(&self) -> StoredType {
        match &self.known {
            ColumnOrigin::Declared(kind) => kind.clone(),
            ColumnOrigin::Seen(seen) => seen.judge(),
        }
    }

    fn declare(&mut self, kind: &StoredType) {
        self.known = ColumnOrigin::Declared(match &self.known {
            ColumnOrigin::Declared(before) => before.wider(kind),
            ColumnOrigin::Seen(seen) if seen.is_empty() => kind.clone(),
            ColumnOrigin::Seen(seen) => seen.judge().wider(kind),
        });
    }
}

/// A topic's columns, as its ledger remembers them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumns {
    /// How often their types have changed.
    pub version: u64,
    /// The first version whose files have the types of today; older files may only lack columns that came later.
    #[serde(default)]
    pub retyped: u64,
    key: SeenKinds,
    columns: Vec<StoredColumn>,
}

impl StoredColumns {
    /// Whether no file has been written with them.
    pub fn is_new(&self) -> bool {
        self.version == 0
    }

    pub fn all(&self) -> &[StoredColumn] {
        &self.columns
    }

    /// The type of the key. Keys of several kinds are told apart, because persons are found by them.
    pub fn key(&self) -> StoredType {
        self.key.judge_key()
    }

    /// Takes a key, as JSON.
    pub fn see_key(&mut self, raw: &str) {
        self.key.take(raw);
    }

    /// Takes a value of a column that was found or added before.
    pub fn see(&mut self, at: usize, raw: &str) {
        if let Some(StoredColumn {
            known: ColumnOrigin::Seen(seen),
            ..
        }) = self.columns.get_mut(at)
        {
            seen.take(raw);
        }
    }

    /// Adds a column without values.
    pub fn add(&mut self, name: &str) -> usize {
        self.columns.push(StoredColumn {
            name: name.to_owned(),
            known: ColumnOrigin::Seen(SeenKinds::default()),
        });
        self.columns.len() - 1
    }

    /// Declares types of columns, of which there are at most `max_columns`. One that was declared or seen before becomes as wide
    /// as both.
    pub fn declare(&mut self, declared: &[(String, StoredType)], max_columns: usize) {
        let mut finder = ColumnFinder::of(self);
        for (name, kind) in declared {
            match finder.by_name.get(&name.to_lowercase()) {
                Some(&at) => self.columns[at].declare(kind),
                None if self.columns.len() >= max_columns => {}
                None => {
                    let at = self.add(name);
                    finder.by_name.insert(name.to_lowercase(), at);
                    self.columns[at].declare(kind);
                }
            }
        }
    }

    /// Counts a change of types since `before`.
    pub fn number_since(&mut self, before: &StoredColumns) {
        let types = |columns: &StoredColumns| {
            let all = columns.columns.iter();
            let all = all.map(|column| (column.name.clone(), column.kind()));
            (columns.key(), all.collect::<Vec<_>>())
        };
        let (old, new) = (types(before), types(self));
        let changed = before.version == 0 || old != new;
        self.version = before.version + u64::from(changed);
        // Columns are added at the end.
        let kept = old.0 == new.0 && new.1.starts_with(&old.1);
        self.retyped = if before.version > 0 && kept {
            before.retyped
        } else {
            self.version
        };
    }
}

/// Finds columns by their names, whose case does not matter; records mostly have the same fields in the same order.
#[derive(Debug, Default)]
pub struct ColumnFinder {
    by_name: HashMap<String, usize>,
    /// What was found at each place of the record before.
    order: Vec<(String, usize)>,
}

impl ColumnFinder {
    pub fn of(columns: &StoredColumns) -> ColumnFinder {
        let all = columns.columns.iter().enumerate();
        ColumnFinder {
            by_name: all.map(|(at, column)| (column.name.to_lowercase(), at)).collect(),
            order: Vec::new(),
        }
    }

    /// The column of the field at this place of its record.
    pub fn find(&mut self, place: usize, name: &str) -> Option<usize> {
        if let Some((_, at)) = self.order.get(place).filter(|(known, _)| known == name) {
            return Some(*at);
        }
        let at = *self.by_name.get(&name.to_lowercase())?;
        self.remember(place, name, at);
        Some(at)
    }

    /// Notes a column that was added.
    pub fn add(&mut self, place: usize, name: &str, at: usize) {
        self.by_name.insert(name.to_lowercase(), at);
        self.remember(place, name, at);
    }

    fn remember(&mut self, place: usize, name: &str, at: usize) {
        if place < self.order.len() {
            self.order[place] = (name.to_owned(), at);
        } else if place == self.order.len() {
            self.order.push((name.to_owned(), at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(precision: u8, scale: u8) -> StoredType {
        StoredType::Decimal { precision, scale }
    }

    #[test]
    fn declared_types_only_widen() {
        let declared = |kinds: &[StoredType]| {
            let mut columns = StoredColumns::default();
            // What is declared again changes nothing.
            for kind in [kinds, kinds].concat() {
                let name = if columns.all().is_empty() { "C" } else { "c" };
                columns.declare(&[(name.to_owned(), kind)], 1);
            }
            assert_eq!(columns.all().len(), 1);
            columns.all()[0].kind()
        };
        assert_eq!(
            declared(&[StoredType::Int, StoredType::Bigint]),
            StoredType::Bigint
        );
        assert_eq!(declared(&[StoredType::Int, decimal(9, 2)]), decimal(12, 2));
        assert_eq!(declared(&[decimal(38, 0), decimal(10, 2)]), StoredType::Text);
        assert_eq!(declared(&[StoredType::Date, StoredType::Int]), StoredType::Text);
        let list = StoredType::List(Box::new(StoredType::Int));
        assert_eq!(declared(&[list, StoredType::Json]), StoredType::Json);
        assert_eq!(
            declared(&[StoredType::Int, StoredType::Double]),
            StoredType::Double
        );
        assert_eq!(
            declared(&[StoredType::Bigint, StoredType::Double]),
            StoredType::Text
        );
    }

    #[test]
    fn nested_types_widen_part_by_part() {
        let structure = |fields: &[(&str, StoredType)]| {
            let fields = fields.iter().cloned();
            StoredType::structure(fields.map(|(name, kind)| (name.to_owned(), kind)).collect())
        };
        let list = |of| StoredType::List(Box::new(of));
        let first = list(structure(&[("a", StoredType::Int), ("b", StoredType::Text)]));
        let second = list(structure(&[("c", StoredType::Date), ("a", StoredType::Bigint)]));
        let both = list(structure(&[
            ("a", StoredType::Bigint),
            ("b", StoredType::Text),
            ("c", StoredType::Date),
        ]));
        assert_eq!(first.wider(&second), both);
        assert_eq!(both.wider(&second), both);
        assert_eq!(both.wider(&first), both);
        let of_case = list(structure(&[("A", StoredType::Int)]));
        assert_eq!(first.wider(&of_case), list(StoredType::Json));
        assert_eq!(structure(&[]), StoredType::Json);
        let map = |of| StoredType::Map(Box::new(of));
        assert_eq!(
            map(StoredType::Int).wider(&map(StoredType::Text)),
            map(StoredType::Text)
        );
        assert_eq!(
            map(StoredType::Int).wider(&list(StoredType::Int)),
            StoredType::Json
        );
    }

    #[test]
    fn there_are_no_more_columns_than_may_be() {
        let mut columns = StoredColumns::default();
        let declared = ["A", "B", "C"].map(|name| (name.to_owned(), StoredType::Int));
        columns.declare(&declared, 2);
        columns.declare(&[("a".to_owned(), StoredType::Bigint)], 2);
        let all: Vec<_> = columns
            .all()
            .iter()
            .map(|column| (&*column.name, column.kind()))
            .collect();
        assert_eq!(all, [("A", StoredType::Bigint), ("B", StoredType::Int)]);
    }

    #[test]
    fn a_change_of_types_has_a_new_version() {
        let mut columns = StoredColumns::default();
        columns.number_since(&StoredColumns::default());
        assert_eq!(columns.version, 1);
        let before = columns.clone();
        columns.number_since(&before);
        assert_eq!(columns.version, 1);
        let at = columns.add("A");
        columns.see(at, "1");
        columns.number_since(&before);
        assert_eq!((columns.version, columns.retyped), (2, 1), "a column more");
        let before = columns.clone();
        columns.see(at, "22");
        columns.number_since(&before);
        assert_eq!(columns.version, 2, "its type is still the same");
        columns.see(at, "1.5");
        columns.number_since(&before);
        assert_eq!((columns.version, columns.retyped), (3, 3));
        let text = serde_json::to_string(&columns).unwrap();
        assert_eq!(serde_json::from_str::<StoredColumns>(&text).unwrap(), columns);
    }
}
