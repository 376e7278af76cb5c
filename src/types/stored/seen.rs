//! The kinds of values seen in a column, as far as they decide its type.

use serde::{Deserialize, Serialize};

use super::{DIGITS_MAX, StoredType};
use crate::types::decimal::Decimal;

/// Decimals of up to this many digits take 8 bytes in every reader.
const DIGITS_SHORT: u64 = 18;
/// Numbers of up to this many significant digits come back from a double.
const DIGITS_IN_DOUBLE: usize = 15;
/// Digits that are surely more than any type has.
const TOO_MANY: u64 = 1000;

/// Kinds of values; a sum over all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeenKinds {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    texts: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    booleans: bool,
    /// Objects and arrays.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    nested: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<SeenNumbers>,
}

/// Numbers by their exact values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SeenNumbers {
    /// The most digits before the point, and behind it.
    whole: u64,
    scale: u64,
    /// Whether one is written with a point and no exponent, like 1.0.
    points: bool,
    /// Whether one is written with an exponent.
    exponents: bool,
    /// Whether one does not fit into a signed 64-bit integer.
    large: bool,
    /// Whether all come back from a double as they were.
    doubles: bool,
}

impl SeenKinds {
    /// Takes a JSON value, as it was written.
    pub fn take(&mut self, raw: &str) {
        let raw = raw.trim_ascii();
        match raw.as_bytes().first() {
            Some(b'"') => self.texts = true,
            Some(b't' | b'f') => self.booleans = true,
            Some(b'{' | b'[') => self.nested = true,
            Some(b'-' | b'0'..=b'9') => self.numbers.get_or_insert_default().take(raw),
            _ => {}
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == SeenKinds::default()
    }

    /// The type that holds all of them.
    pub fn judge(&self) -> StoredType {
        match (self.texts, self.booleans, self.nested, &self.numbers) {
            (false, true, false, None) => StoredType::Boolean,
            (false, false, true, None) => StoredType::Json,
            (false, false, false, Some(numbers)) => numbers.judge(),
            _ => StoredType::Text,
        }
    }

    /// The type of keys: several kinds stay apart as JSON.
    pub(super) fn judge_key(&self) -> StoredType {
        let kinds = [self.texts, self.booleans, self.nested, self.numbers.is_some()];
        match kinds.iter().filter(|seen| **seen).count() {
            0 | 1 => self.judge(),
            _ => StoredType::Json,
        }
    }
}

impl Default for SeenNumbers {
    fn default() -> Self {
        SeenNumbers {
            whole: 0,
            scale: 0,
            points: false,
            exponents: false,
            large: false,
            doubles: true,
        }
    }
}

impl SeenNumbers {
    fn take(&mut self, number: &str) {
        if number.contains(['e', 'E']) {
            self.exponents = true;
            let Some(exact) = Decimal::parse(number) else {
                return;
            };
            let scale = u64::try_from(exact.places()).unwrap_or(0);
            self.add(exact.whole_digits().min(TOO_MANY), scale.min(TOO_MANY));
            self.large |= scale == 0 && exact.integer().is_none_or(|exact| i64::try_from(exact).is_err());
        } else {
            let digits = number.strip_prefix('-').unwrap_or(number);
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            let whole = if whole == "0" { 0 } else { whole.len() };
            self.points |= !fraction.is_empty();
            self.add(whole as u64, fraction.len() as u64);
            self.large |= whole > 18 && (!fraction.is_empty() || number.parse::<i64>().is_err());
        }
        self.doubles = self.doubles && comes_back(number);
    }

    fn add(&mut self, whole: u64, scale: u64) {
        self.whole = self.whole.max(whole);
        self.scale = self.scale.max(scale);
    }

    fn judge(&self) -> StoredType {
        let digits = self.whole + self.scale;
        let is_whole = self.scale == 0 && !self.points;
        match digits {
            _ if is_whole && !self.large => StoredType::Bigint,
            0..=DIGITS_SHORT if !is_whole => self.decimal(DIGITS_SHORT),
            _ if digits <= u64::from(DIGITS_MAX) => self.decimal(DIGITS_MAX.into()),
            _ if self.exponents && self.doubles => StoredType::Double,
            _ => StoredType::Text,
        }
    }

    fn decimal(&self, precision: u64) -> StoredType {
        StoredType::Decimal {
            precision: u8::try_from(precision).unwrap_or(DIGITS_MAX),
            scale: u8::try_from(self.scale).unwrap_or(DIGITS_MAX),
        }
    }
}

/// Whether a double, written in the shortest form, has the number's exact value.
pub fn comes_back(number: &str) -> bool {
    let is_short = number.len() <= DIGITS_IN_DOUBLE && !number.contains(['e', 'E']);
    is_short
        || match (number.parse::<f64>(), Decimal::parse(number)) {
            (Ok(double), Some(exact)) if double.is_finite() => {
                Decimal::parse(&format!("{double:e}")).is_some_and(|back| back.is_equal(&exact))
            }
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(values: &[&str]) -> StoredType {
        let mut seen = SeenKinds::default();
        values.iter().for_each(|value| seen.take(value));
        seen.judge()
    }

    fn decimal(precision: u8, scale: u8) -> StoredType {
        StoredType::Decimal { precision, scale }
    }

    #[test]
    fn the_type_holds_every_value() {
        assert_eq!(judge(&["null"]), StoredType::Text);
        assert_eq!(judge(&["\"a\"", "null"]), StoredType::Text);
        assert_eq!(judge(&["true", " false "]), StoredType::Boolean);
        assert_eq!(judge(&["{}", "[1]"]), StoredType::Json);
        assert_eq!(judge(&["1", "\"1\""]), StoredType::Text);
        assert_eq!(
            judge(&["9223372036854775807", "-9223372036854775808"]),
            StoredType::Bigint
        );
        assert_eq!(judge(&["9223372036854775808"]), decimal(38, 0));
        assert_eq!(judge(&[&"9".repeat(39)]), StoredType::Text);
        assert_eq!(judge(&["1", "1.50"]), decimal(18, 2));
        assert_eq!(judge(&["1.0"]), decimal(18, 1));
        assert_eq!(judge(&["1234567890123456789", "0.1"]), decimal(38, 1));
        assert_eq!(judge(&[&format!("{}.5", "9".repeat(38))]), StoredType::Text);
    }

    #[test]
    fn numbers_with_exponents_count_by_their_values() {
        assert_eq!(judge(&["1.0E7"]), StoredType::Bigint);
        assert_eq!(judge(&["1.0E7", "0.5"]), decimal(18, 1));
        assert_eq!(judge(&["1e-3"]), decimal(18, 3));
        assert_eq!(judge(&["1e20"]), decimal(38, 0));
        assert_eq!(judge(&["1e300", "0.1", "5"]), StoredType::Double);
        assert_eq!(judge(&["2.2250738585072014E-308"]), StoredType::Double);
        assert_eq!(judge(&["1e300", "12345678901234567891"]), StoredType::Text);
        assert_eq!(judge(&["1e999999999"]), StoredType::Text);
        assert_eq!(judge(&["0e999999999"]), StoredType::Bigint);
    }

    #[test]
    fn numbers_that_come_back_from_a_double() {
        for number in ["0.1", "-1.5e10", "1e22", "123456789012345678", "9007199254740992"] {
            assert_eq!(comes_back(number), number != "123456789012345678", "{number}");
        }
    }
}
