//! The type of a column that takes all values of a field, those to come included.

use std::fmt;

use crate::decode::schema::SchemaType;
use crate::types::column::{Numbers, Type};
use crate::types::seen::{SeenTimes, SeenValues};

/// MySQL's own limits of a DECIMAL.
const PRECISION_MAX: u32 = 65;
const SCALE_MAX: u32 = 30;
/// Numbers with more places are doubles: what people count has fewer.
const PLACES_MAX: usize = 12;
/// Room beside the longest value seen, and the digits of the largest number.
const MORE_DIGITS: usize = 6;
const MORE_PLACES: usize = 4;
/// Characters of a VARCHAR, and bytes of a VARBINARY.
const ROOMS: [u32; 3] = [255, 1_024, 4_096];
/// Where no value was seen.
const ROOM_UNSEEN: u32 = 1_024;

/// A type of MySQL and MariaDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProposedType {
    Boolean,
    Int,
    Bigint,
    UnsignedBigint,
    Double,
    Decimal { precision: u32, scale: u32 },
    Varchar(u32),
    Longtext,
    Varbinary(u32),
    Longblob,
    Date,
    Time { places: u8 },
    Datetime { places: u8 },
    Json,
}

impl fmt::Display for ProposedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProposedType::Boolean => f.write_str("BOOLEAN"),
            ProposedType::Int => f.write_str("INT"),
            ProposedType::Bigint => f.write_str("BIGINT"),
            ProposedType::UnsignedBigint => f.write_str("BIGINT UNSIGNED"),
            ProposedType::Double => f.write_str("DOUBLE"),
            ProposedType::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            ProposedType::Varchar(chars) => write!(f, "VARCHAR({chars})"),
            ProposedType::Longtext => f.write_str("LONGTEXT"),
            ProposedType::Varbinary(bytes) => write!(f, "VARBINARY({bytes})"),
            ProposedType::Longblob => f.write_str("LONGBLOB"),
            ProposedType::Date => f.write_str("DATE"),
            ProposedType::Time { places } => write!(f, "TIME({places})"),
            ProposedType::Datetime { places } => write!(f, "DATETIME({places})"),
            ProposedType::Json => f.write_str("JSON"),
        }
    }
}

impl ProposedType {
    /// The most bytes that it takes in a row or in a key, beside what is stored elsewhere.
    pub fn bytes(self) -> u32 {
        match self {
            ProposedType::Boolean => 1,
            ProposedType::Date => 3,
            ProposedType::Int => 4,
            ProposedType::Time { .. } => 6,
            ProposedType::Bigint | ProposedType::UnsignedBigint | ProposedType::Double => 8,
            ProposedType::Datetime { .. } => 8,
            // 4 bytes for each 9 digits, before and behind the point.
            ProposedType::Decimal { precision, .. } => (precision / 9 + 2) * 4,
            ProposedType::Longtext | ProposedType::Longblob | ProposedType::Json => 12,
            ProposedType::Varchar(chars) => chars * 4 + 2,
            ProposedType::Varbinary(bytes) => bytes + 2,
        }
    }

    /// The same without a limit of length, which takes less of a row. None: it has none.
    pub fn unlimited(self) -> Option<ProposedType> {
        match self {
            ProposedType::Varchar(_) => Some(ProposedType::Longtext),
            ProposedType::Varbinary(_) => Some(ProposedType::Longblob),
            _ => None,
        }
    }
}

/// The type by what a schema declares, else by the values.
pub(super) fn of_column(declared: Option<&SchemaType>, seen: &SeenValues) -> ProposedType {
    match declared {
        None | Some(SchemaType::Any) => of_values(seen),
        Some(declared) => of_schema(declared, seen),
    }
}

fn of_schema(declared: &SchemaType, seen: &SeenValues) -> ProposedType {
    match declared {
        SchemaType::Boolean => ProposedType::Boolean,
        // A JSON Schema doesn't say how large its integers get.
        SchemaType::Int | SchemaType::Bigint if seen.numbers().large => of_values(seen),
        SchemaType::Int => ProposedType::Int,
        SchemaType::Bigint => ProposedType::Bigint,
        SchemaType::UnsignedBigint => ProposedType::UnsignedBigint,
        // MySQL's FLOAT shows six digits only.
        SchemaType::Float | SchemaType::Double => ProposedType::Double,
        &SchemaType::Decimal { precision, scale } => decimal(precision, scale),
        // New symbols come with new schemas, and an ENUM would refuse them.
        SchemaType::Text | SchemaType::Enum(_) => text(seen),
        SchemaType::Bytes => bytes(seen),
        SchemaType::Date => ProposedType::Date,
        SchemaType::Time { digits } => ProposedType::Time {
            places: places(*digits),
        },
        SchemaType::Timestamp { digits, .. } => ProposedType::Datetime {
            places: places(*digits),
        },
        SchemaType::Array | SchemaType::Map | SchemaType::Record => ProposedType::Json,
        SchemaType::Any => of_values(seen),
    }
}

fn of_values(seen: &SeenValues) -> ProposedType {
    let numbers = seen.numbers();
    match (seen.kind(), seen.times()) {
        (_, Some(SeenTimes::Days)) => ProposedType::Date,
        (_, Some(SeenTimes::Clocks { digits })) => ProposedType::Time {
            places: places(digits),
        },
        (_, Some(SeenTimes::Instants { digits })) => ProposedType::Datetime {
            places: places(digits),
        },
        (Type::Boolean, _) => ProposedType::Boolean,
        (Type::Integer, _) => ProposedType::Bigint,
        (Type::LargeInteger | Type::Digits, _) => wider(numbers),
        (Type::Decimal { .. }, _) => wider(numbers),
        (Type::Double, _) if numbers.exponents > 0 || numbers.scale > PLACES_MAX => ProposedType::Double,
        (Type::Double, _) => wider(numbers),
        (Type::Nested, _) => ProposedType::Json,
        (Type::Mixed, _) if seen.has_nested() => ProposedType::Json,
        (Type::Text | Type::Mixed, _) => text(seen),
    }
}

/// A decimal with room for more than was seen.
fn wider(numbers: &Numbers) -> ProposedType {
    if numbers.scale > PLACES_MAX {
        return ProposedType::Double;
    }
    let scale = match numbers.fractions {
        0 => 0,
        _ => numbers.scale + MORE_PLACES,
    };
    let whole = (numbers.whole + MORE_DIGITS).max(15);
    let number = |digits: usize| u32::try_from(digits).unwrap_or(u32::MAX);
    let (seen, most) = (number(numbers.whole + scale), number(whole + scale));
    if seen > PRECISION_MAX {
        return decimal(seen, number(scale));
    }
    decimal(most.min(PRECISION_MAX), number(scale))
}

/// A number that no DECIMAL holds is text, with its sign, its point and a zero before it.
fn decimal(precision: u32, scale: u32) -> ProposedType {
    if (1..=PRECISION_MAX).contains(&precision) && scale <= SCALE_MAX.min(precision) {
        return ProposedType::Decimal { precision, scale };
    }
    room(precision.max(scale).saturating_add(3)).map_or(ProposedType::Longtext, ProposedType::Varchar)
}

fn text(seen: &SeenValues) -> ProposedType {
    room_of(seen, seen.chars()).map_or(ProposedType::Longtext, ProposedType::Varchar)
}

/// Base64 has four characters for three bytes.
fn bytes(seen: &SeenValues) -> ProposedType {
    match seen.count() {
        0 => ProposedType::Longblob,
        _ => room_of(seen, seen.chars() / 4 * 3).map_or(ProposedType::Longblob, ProposedType::Varbinary),
    }
}

/// Room for twice as much as was seen.
fn room_of(seen: &SeenValues, longest: u64) -> Option<u32> {
    match seen.count() {
        0 => Some(ROOM_UNSEEN),
        _ => room(u32::try_from(longest.saturating_mul(2)).ok()?),
    }
}

fn room(wanted: u32) -> Option<u32> {
    ROOMS.into_iter().find(|room| wanted <= *room)
}

/// Milliseconds, or what MySQL has at most.
fn places(digits: u8) -> u8 {
    if digits <= 3 { 3 } else { 6 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(values: &[&str]) -> SeenValues {
        let mut seen = SeenValues::default();
        values.iter().for_each(|value| seen.take(value));
        seen
    }

    #[test]
    fn a_schemas_types_are_kept() {
        let of = |declared: SchemaType| of_column(Some(&declared), &SeenValues::default()).to_string();
        let decimal = |precision, scale| SchemaType::Decimal { precision, scale };
        let at = |digits| SchemaType::Timestamp { digits, utc: true };
        for (declared, expected) in [
            (SchemaType::Boolean, "BOOLEAN"),
            (SchemaType::Int, "INT"),
            (SchemaType::Bigint, "BIGINT"),
            (SchemaType::UnsignedBigint, "BIGINT UNSIGNED"),
            (SchemaType::Float, "DOUBLE"),
            (SchemaType::Double, "DOUBLE"),
            (decimal(10, 4), "DECIMAL(10,4)"),
            (decimal(65, 30), "DECIMAL(65,30)"),
            (decimal(66, 2), "VARCHAR(255)"),
            (decimal(64, 31), "VARCHAR(255)"),
            (decimal(5_000, 2), "LONGTEXT"),
            (SchemaType::Text, "VARCHAR(1024)"),
            (SchemaType::Enum(vec!["a".into()]), "VARCHAR(1024)"),
            (SchemaType::Bytes, "LONGBLOB"),
            (SchemaType::Date, "DATE"),
            (SchemaType::Time { digits: 3 }, "TIME(3)"),
            (SchemaType::Time { digits: 6 }, "TIME(6)"),
            (at(3), "DATETIME(3)"),
            (at(6), "DATETIME(6)"),
            (at(9), "DATETIME(6)"),
            (SchemaType::Array, "JSON"),
            (SchemaType::Map, "JSON"),
            (SchemaType::Record, "JSON"),
        ] {
            assert_eq!(of(declared.clone()), expected, "{declared:?}");
        }
    }

    #[test]
    fn a_samples_types_have_room_for_more() {
        let of = |values: &[&str]| of_column(None, &seen(values)).to_string();
        let (long, longer) = (
            format!("\"{}\"", "é".repeat(600)),
            format!("\"{}\"", "x".repeat(3_000)),
        );
        let digits = "9".repeat(70);
        for (values, expected) in [
            (&["1", "-20"][..], "BIGINT"),
            (&["9223372036854775808"], "DECIMAL(25,0)"),
            (&[digits.as_str()], "VARCHAR(255)"),
            (&["1.5", "20"], "DECIMAL(20,5)"),
            (&["123456789012.34"], "DECIMAL(24,6)"),
            (&["0.1234567890123"], "DOUBLE"),
            (&["1e3", "2"], "DOUBLE"),
            (&["true"], "BOOLEAN"),
            (&["{}", "[1]"], "JSON"),
            (&["{}", "1"], "JSON"),
            (&["\"a\"", "1"], "VARCHAR(255)"),
            (&["\"a\""], "VARCHAR(255)"),
            (&[long.as_str()], "VARCHAR(4096)"),
            (&[longer.as_str()], "LONGTEXT"),
            (&["\"2025-10-31\""], "DATE"),
            (&["\"23:30:00\""], "TIME(3)"),
            (&["\"2025-10-31T23:30:00Z\""], "DATETIME(3)"),
            (&["\"2025-10-31T23:30:00.123456Z\""], "DATETIME(6)"),
            (&["null"], "VARCHAR(1024)"),
        ] {
            assert_eq!(of(values), expected, "{values:?}");
        }
    }

    #[test]
    fn values_tell_what_a_schema_leaves_open() {
        let of =
            |declared: SchemaType, values: &[&str]| of_column(Some(&declared), &seen(values)).to_string();
        assert_eq!(of(SchemaType::Any, &["1.5"]), "DECIMAL(20,5)");
        assert_eq!(of(SchemaType::Bigint, &["18446744073709551616"]), "DECIMAL(26,0)");
        assert_eq!(of(SchemaType::Text, &["\"2025-10-31\""]), "VARCHAR(255)");
        assert_eq!(of(SchemaType::Bytes, &["\"AAAA\""]), "VARBINARY(255)");
    }
}
