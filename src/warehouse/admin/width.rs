//! Measures which column type values need: length, digits and kind.

use std::fmt;

use crate::warehouse::table::column::ColumnType;

/// A longer VARCHAR might not fit into a row of 65,535 bytes.
const VARCHAR_MAX: u64 = 4_096;
/// MySQL's own limits of a DECIMAL.
const DIGITS_MAX: u32 = 65;
const PLACES_MAX: u32 = 30;

/// A type that takes what a column refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WiderType {
    Bigint,
    Decimal { digits: u32, places: u32 },
    Datetime { places: u32 },
    Varchar { chars: u64 },
    Longtext,
    Json,
}

impl fmt::Display for WiderType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WiderType::Bigint => f.write_str("BIGINT"),
            WiderType::Decimal { digits, places } => write!(f, "DECIMAL({digits},{places})"),
            WiderType::Datetime { places: 0 } => f.write_str("DATETIME"),
            WiderType::Datetime { places } => write!(f, "DATETIME({places})"),
            WiderType::Varchar { chars } => write!(f, "VARCHAR({chars})"),
            WiderType::Longtext => f.write_str("LONGTEXT"),
            WiderType::Json => f.write_str("JSON"),
        }
    }
}

/// The largest sizes of all values seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Width {
    chars: u64,
    /// Digits before and after the point, of numbers.
    digits: u32,
    places: u32,
    numbers: u64,
    /// Objects and arrays.
    nested: u64,
    values: u64,
}

impl Width {
    pub fn take(&mut self, text: &str) {
        self.values += 1;
        self.chars = self.chars.max(text.chars().count() as u64);
        self.nested += u64::from(text.starts_with(['{', '[']));
        if let Some((digits, places)) = digits_of(text) {
            self.numbers += 1;
            self.digits = self.digits.max(digits);
            self.places = self.places.max(places);
        }
    }

    /// Decimal places, if all values are plain numbers.
    pub fn places(&self) -> Option<u32> {
        self.all_numbers().then_some(self.places)
    }

    fn all_numbers(&self) -> bool {
        self.values > 0 && self.numbers == self.values
    }

    /// A DECIMAL that holds all of them, with at least `scale` decimal places.
    pub fn decimal(&self, scale: u32) -> WiderType {
        let places = self.places.max(scale).min(PLACES_MAX);
        // Room to spare, because sums grow.
        let digits = (self.digits + 3).min(DIGITS_MAX - places);
        WiderType::Decimal {
            digits: digits + places,
            places,
        }
    }

    /// A type that takes the values that `kind` refuses; None if there is none.
    pub fn wider_type(&self, kind: &ColumnType) -> Option<WiderType> {
        if self.values == 0 {
            return None;
        }
        if self.nested > 0 && !matches!(kind, ColumnType::Text { .. }) {
            return Some(WiderType::Json);
        }
        Some(match kind {
            ColumnType::Timestamp { places, .. } => WiderType::Datetime { places: *places },
            ColumnType::Integer { .. } if self.all_numbers() && self.places == 0 && self.digits <= 18 => {
                WiderType::Bigint
            }
            ColumnType::Integer { .. } if self.all_numbers() => self.decimal(0),
            ColumnType::Decimal { scale, .. } if self.all_numbers() => self.decimal(*scale),
            ColumnType::Binary { .. } => return None,
            _ => self.text(),
        })
    }

    fn text(&self) -> WiderType {
        let rooms = [64, 255, 1_024, VARCHAR_MAX];
        match rooms.into_iter().find(|room| self.chars <= *room) {
            Some(chars) => WiderType::Varchar { chars },
            None => WiderType::Longtext,
        }
    }
}

/// Digits before and after the point: 2 and 3 for `-12.340`. None if the text is not a plain number.
fn digits_of(text: &str) -> Option<(u32, u32)> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return None;
    }
    let length = |part: &str| u32::try_from(part.len()).ok();
    Some((length(whole.trim_start_matches('0'))?, length(fraction)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Width {
        let mut width = Width::default();
        values.iter().for_each(|value| width.take(value));
        width
    }

    #[test]
    fn a_wider_type_is_named() {
        let text = ColumnType::Text {
            chars_max: Some(3),
            bytes_max: 12,
            fixed: false,
        };
        let tiny = ColumnType::Integer { min: -128, max: 127 };
        let decimal = ColumnType::Decimal {
            precision: 3,
            scale: 2,
            unsigned: false,
        };
        let wider = |values: &[&str], kind: &ColumnType| of(values).wider_type(kind).unwrap().to_string();
        assert_eq!(wider(&["abcé", "a"], &text), "VARCHAR(64)");
        assert_eq!(wider(&[&"x".repeat(5_000)], &text), "LONGTEXT");
        assert_eq!(wider(&["300"], &tiny), "BIGINT");
        assert_eq!(wider(&["1.5", "-20"], &tiny), "DECIMAL(6,1)");
        assert_eq!(wider(&["12345.678"], &decimal), "DECIMAL(11,3)");
        assert_eq!(wider(&["{\"a\":1}"], &tiny), "JSON");
        assert_eq!(wider(&["soon"], &tiny), "VARCHAR(64)");
        assert_eq!(of(&[]).wider_type(&tiny), None);
    }
}
