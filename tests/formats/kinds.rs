//! Types of values, found by looking at them: schemas and tables are made of these.

use crate::exact::Exact;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Only nulls were seen.
    Unknown,
    Boolean,
    Long,
    Decimal {
        precision: usize,
        scale: usize,
    },
    Text,
    Array(Box<Kind>),
    Record(Vec<(String, Kind)>),
}

impl Kind {
    /// The type that has all of these values.
    pub fn of<'v>(values: impl IntoIterator<Item = &'v Exact>) -> Kind {
        values
            .into_iter()
            .map(Kind::of_one)
            .reduce(Kind::with)
            .unwrap_or(Kind::Unknown)
    }

    fn of_one(value: &Exact) -> Kind {
        match value {
            Exact::Null => Kind::Unknown,
            Exact::Bool(_) => Kind::Boolean,
            Exact::Text(_) => Kind::Text,
            Exact::Array(items) => Kind::Array(Box::new(Kind::of(items))),
            Exact::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| (name.clone(), Kind::of_one(value)));
                Kind::Record(fields.collect())
            }
            Exact::Number(number) => match number.trim_start_matches('-').split_once('.') {
                None => Kind::Long,
                Some((whole, fraction)) => Kind::Decimal {
                    precision: whole.len() + fraction.len(),
                    scale: fraction.len(),
                },
            },
        }
    }

    fn with(self, other: Kind) -> Kind {
        match (self, other) {
            (Kind::Unknown, kind) | (kind, Kind::Unknown) => kind,
            (Kind::Array(one), Kind::Array(other)) => Kind::Array(Box::new(one.with(*other))),
            (Kind::Record(one), Kind::Record(other)) => {
                assert_eq!(one.len(), other.len());
                let both = one.into_iter().zip(other);
                Kind::Record(
                    both.map(|((name, one), (_, other))| (name, one.with(other)))
                        .collect(),
                )
            }
            (
                Kind::Decimal { precision, scale },
                Kind::Decimal {
                    precision: other,
                    scale: same,
                },
            ) => {
                assert_eq!(scale, same, "ksqlDB's decimals keep their scale");
                let precision = precision.max(other);
                Kind::Decimal { precision, scale }
            }
            (one, other) => {
                assert_eq!(one, other);
                one
            }
        }
    }

    pub fn fields(&self) -> &[(String, Kind)] {
        match self {
            Kind::Record(fields) => fields,
            other => panic!("no record: {other:?}"),
        }
    }

    /// The column that holds such a value.
    pub fn sql(&self) -> String {
        match self {
            Kind::Unknown | Kind::Text => "VARCHAR(99) COLLATE utf8mb4_bin".to_owned(),
            Kind::Boolean => "TINYINT(1)".to_owned(),
            Kind::Long => "BIGINT".to_owned(),
            Kind::Decimal { precision, scale } => format!("DECIMAL({precision},{scale})"),
            Kind::Array(_) | Kind::Record(_) => "JSON".to_owned(),
        }
    }

    /// The digits of a decimal, as a whole number.
    pub fn unscaled(number: &str) -> i128 {
        number.replacen('.', "", 1).parse().unwrap()
    }
}
