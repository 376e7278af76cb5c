//! The values seen in a column, and the type that holds all of them.

use crate::words::count;

/// The most digits that decimals of every reader can have.
const DIGITS_MAX: usize = 38;
/// Decimals of up to this many digits take 8 bytes in every reader, wider ones 16; narrower ones save nothing.
const DIGITS_SHORT: usize = 18;
/// Decimal numbers of up to this many digits survive a double.
const DIGITS_IN_DOUBLE: usize = 15;

/// The values of one field, counted by kind.
#[derive(Debug, Clone, Default)]
pub struct FieldTypes {
    pub name: String,
    /// Values other than null.
    pub values: u64,
    pub texts: u64,
    pub booleans: u64,
    /// Objects and arrays.
    pub nested: u64,
    pub numbers: Numbers,
}

/// Numbers by how they are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    pub count: u64,
    /// Numbers with a point.
    pub fractions: u64,
    pub exponents: u64,
    /// Whether one does not fit into a signed 64-bit integer.
    pub large: bool,
    /// The most digits before the point, of any number, and of any number with a point.
    pub whole: usize,
    pub whole_of_fractions: usize,
    /// The most digits after the point.
    pub scale: usize,
}

/// The type that holds a column's values without changing them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Fits 64 bits.
    Integer,
    /// Up to 38 digits.
    LargeInteger,
    /// Whole numbers that no number type holds.
    Digits,
    Decimal {
        precision: usize,
        scale: usize,
        /// Whether the numbers survive a reader that parses them as doubles first.
        survives_double: bool,
    },
    Double,
    Boolean,
    Text,
    /// Objects and arrays.
    Nested,
    /// More than one kind.
    Mixed,
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Type::Integer => f.write_str("integer"),
            Type::LargeInteger => f.write_str("large integer"),
            Type::Digits => f.write_str("digits"),
            Type::Decimal { precision, scale, .. } => write!(f, "decimal({precision},{scale})"),
            Type::Double => f.write_str("double"),
            Type::Boolean => f.write_str("boolean"),
            Type::Text => f.write_str("text"),
            Type::Nested => f.write_str("nested"),
            Type::Mixed => f.write_str("mixed"),
        }
    }
}

impl FieldTypes {
    pub fn named(name: impl Into<String>) -> FieldTypes {
        FieldTypes {
            name: name.into(),
            ..FieldTypes::default()
        }
    }

    /// Counts a value, given as it is written.
    pub fn add(&mut self, value: &str) {
        match value.as_bytes().first() {
            Some(b'"') => self.texts += 1,
            Some(b't' | b'f') => self.booleans += 1,
            Some(b'{' | b'[') => self.nested += 1,
            Some(b'-' | b'0'..=b'9') => self.numbers.add(value),
            _ => return,
        }
        self.values += 1;
    }

    /// Makes the type hold values like this one, too, which need not have been seen.
    pub fn expect(&mut self, value: &str) {
        let values = self.values;
        self.add(value);
        self.values = values;
    }

    /// Adds the counts of another column.
    pub fn merge(&mut self, other: &FieldTypes) {
        self.values += other.values;
        self.texts += other.texts;
        self.booleans += other.booleans;
        self.nested += other.nested;
        self.numbers.merge(&other.numbers);
    }

    pub fn judge(&self) -> Type {
        match [self.texts, self.booleans, self.nested, self.numbers.count].map(|n| n > 0) {
            [false, false, false, false] | [true, false, false, false] => Type::Text,
            [false, true, false, false] => Type::Boolean,
            [false, false, true, false] => Type::Nested,
            [false, false, false, true] => self.numbers.judge(),
            _ => Type::Mixed,
        }
    }

    /// A short remark on the type, for people.
    pub fn remark(&self) -> Option<String> {
        let numbers = &self.numbers;
        let seen = |what: &str| {
            format!(
                "up to {} before the point and {} behind it{what}",
                count(numbers.whole as u64, "digit"),
                numbers.scale
            )
        };
        match self.judge() {
            _ if self.values == 0 => Some("no value seen".to_owned()),
            Type::Mixed => Some(format!("mixed: {}", self.kinds())),
            Type::Decimal { .. } => Some(seen("")),
            Type::LargeInteger => Some(format!("whole numbers of up to {} digits", numbers.whole)),
            Type::Digits => Some(format!(
                "whole numbers of up to {} digits, as text",
                numbers.whole
            )),
            Type::Double if numbers.exponents > 0 => Some("numbers with exponents".to_owned()),
            Type::Double => Some(seen(": no decimal holds them, so they are rounded")),
            _ => None,
        }
    }

    fn kinds(&self) -> String {
        let kinds = [
            (self.texts, "texts"),
            (self.booleans, "booleans"),
            (self.nested, "objects or arrays"),
            (self.numbers.count, "numbers"),
        ];
        let seen = kinds.iter().filter(|(n, _)| *n > 0);
        seen.map(|(n, kind)| format!("{kind} ({n})"))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl Numbers {
    fn add(&mut self, number: &str) {
        self.count += 1;
        let digits = number.strip_prefix('-').unwrap_or(number);
        if digits.contains(['e', 'E']) {
            self.exponents += 1;
            return;
        }
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let length = if whole == "0" { 0 } else { whole.len() };
        self.whole = self.whole.max(length);
        if fraction.is_empty() {
            self.large |= length > 18 && number.parse::<i64>().is_err();
        } else {
            self.fractions += 1;
            self.whole_of_fractions = self.whole_of_fractions.max(length);
            self.scale = self.scale.max(fraction.len());
        }
    }

    fn merge(&mut self, other: &Numbers) {
        self.count += other.count;
        self.fractions += other.fractions;
        self.exponents += other.exponents;
        self.large |= other.large;
        self.whole = self.whole.max(other.whole);
        self.whole_of_fractions = self.whole_of_fractions.max(other.whole_of_fractions);
        self.scale = self.scale.max(other.scale);
    }

    fn judge(&self) -> Type {
        let precision = self.whole + self.scale;
        match self {
            _ if self.exponents > 0 => Type::Double,
            Numbers {
                fractions: 0,
                large: false,
                ..
            } => Type::Integer,
            Numbers { fractions: 0, .. } if precision <= DIGITS_MAX => Type::LargeInteger,
            Numbers { fractions: 0, .. } => Type::Digits,
            _ if precision > DIGITS_MAX => Type::Double,
            _ => Type::Decimal {
                precision: if precision <= DIGITS_SHORT {
                    DIGITS_SHORT
                } else {
                    DIGITS_MAX
                },
                scale: self.scale,
                survives_double: self.whole_of_fractions + self.scale <= DIGITS_IN_DOUBLE,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(values: &[&str]) -> Type {
        let mut column = FieldTypes::named("c");
        values.iter().for_each(|value| column.add(value));
        column.judge()
    }

    fn decimal(precision: usize, scale: usize, survives_double: bool) -> Type {
        Type::Decimal {
            precision,
            scale,
            survives_double,
        }
    }

    #[test]
    fn every_value_fits_the_type() {
        assert_eq!(judge(&["null"]), Type::Text);
        assert_eq!(judge(&["\"a\"", "null"]), Type::Text);
        assert_eq!(judge(&["true", "false"]), Type::Boolean);
        assert_eq!(judge(&["{}", "[1]"]), Type::Nested);
        assert_eq!(
            judge(&["9223372036854775807", "-9223372036854775808"]),
            Type::Integer
        );
        assert_eq!(judge(&["1", "9223372036854775808"]), Type::LargeInteger);
        assert_eq!(judge(&[&"9".repeat(38)]), Type::LargeInteger);
        assert_eq!(judge(&[&"9".repeat(39)]), Type::Digits);
        assert_eq!(judge(&["1", "\"1\""]), Type::Mixed);
        assert_eq!(judge(&["{}", "\"{}\""]), Type::Mixed);
        assert_eq!(judge(&["1", "1e3"]), Type::Double);
    }

    #[test]
    fn decimals_are_as_wide_as_the_widest() {
        assert_eq!(judge(&["1", "1.5"]), decimal(18, 1, true));
        assert_eq!(judge(&["12.340", "-0.5"]), decimal(18, 3, true));
        assert_eq!(judge(&["123456789012345678", "0.5"]), decimal(38, 1, true));
        assert_eq!(judge(&["12345678901234.56"]), decimal(18, 2, false));
        assert_eq!(judge(&["0.5", "1000000000000000", "0.123"]), decimal(38, 3, true));
        assert_eq!(judge(&[&format!("{}.5", "9".repeat(37))]), decimal(38, 1, false));
        assert_eq!(judge(&[&format!("{}.5", "9".repeat(38))]), Type::Double);
    }
}
