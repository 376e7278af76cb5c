//! The values seen of one field, as far as it matters for a column that is to hold them.

use std::borrow::Cow;

use super::column::{FieldTypes, Numbers, Type};
use super::time::{WrittenTime, of_text, parse_clock};
use crate::config::TimeUnit;

/// A sum over values.
#[derive(Debug, Clone, Default)]
pub struct SeenValues {
    kinds: FieldTypes,
    /// Of the longest one, written as text.
    chars: u64,
    days: u64,
    instants: u64,
    clocks: u64,
    /// The most digits of a second's fraction.
    digits: u8,
}

/// What all texts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenTimes {
    Days,
    Clocks { digits: u8 },
    Instants { digits: u8 },
}

impl SeenValues {
    /// Takes one JSON value, as it was written.
    pub fn take(&mut self, raw: &str) {
        let raw = raw.trim_ascii();
        self.kinds.add(raw);
        match raw.as_bytes().first() {
            Some(b'"') => self.take_text(&unquoted(raw)),
            Some(b'n') | None => {}
            Some(_) => self.chars = self.chars.max(raw.chars().count() as u64),
        }
    }

    fn take_text(&mut self, text: &str) {
        self.chars = self.chars.max(text.chars().count() as u64);
        match of_text(text, TimeUnit::Ms) {
            // Digits alone are more often a number.
            _ if !text.contains(['-', ':']) => return,
            Ok(WrittenTime::Day(_)) => self.days += 1,
            Ok(WrittenTime::Instant(_)) => self.instants += 1,
            Err(_) if parse_clock(text).is_some() => self.clocks += 1,
            Err(_) => return,
        }
        let fraction = text.split_once(['.', ',']).map_or("", |(_, fraction)| fraction);
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        self.digits = self.digits.max(u8::try_from(digits).unwrap_or(u8::MAX));
    }

    /// How many, without nulls.
    pub fn count(&self) -> u64 {
        self.kinds.values
    }

    /// Characters of the longest one.
    pub fn chars(&self) -> u64 {
        self.chars
    }

    pub fn numbers(&self) -> &Numbers {
        &self.kinds.numbers
    }

    pub fn kind(&self) -> Type {
        self.kinds.judge()
    }

    /// Whether there is an object or array among them.
    pub fn has_nested(&self) -> bool {
        self.kinds.nested > 0
    }

    /// What all of them are, if they are texts of times. Days among instants are instants.
    pub fn times(&self) -> Option<SeenTimes> {
        let digits = self.digits;
        match self.kinds.values {
            0 => None,
            all if all == self.days => Some(SeenTimes::Days),
            all if all == self.days + self.instants => Some(SeenTimes::Instants { digits }),
            all if all == self.clocks => Some(SeenTimes::Clocks { digits }),
            _ => None,
        }
    }
}

/// The text of a JSON string; one that is not valid stays as it is.
fn unquoted(raw: &str) -> Cow<'_, str> {
    match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => Cow::Borrowed(inner),
        _ => serde_json::from_str(raw).map_or(Cow::Borrowed(raw), Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> SeenValues {
        let mut seen = SeenValues::default();
        values.iter().for_each(|value| seen.take(value));
        seen
    }

    #[test]
    fn times_are_those_that_all_are() {
        let times = |values: &[&str]| of(values).times();
        assert_eq!(times(&["\"2025-10-31\"", "null"]), Some(SeenTimes::Days));
        assert_eq!(
            times(&["\"2025-10-31\"", "\"2025-10-31T23:30:00.1234+02:00\""]),
            Some(SeenTimes::Instants { digits: 4 })
        );
        assert_eq!(times(&["\"23:30:00.5\""]), Some(SeenTimes::Clocks { digits: 1 }));
        for values in [
            &["null"][..],
            &["\"2025-10-31\"", "\"soon\""],
            &["\"1700000000000\""],
            &["1700000000000"],
            &["\"2025-10-31\"", "1"],
            &["\"23:30:00\"", "\"2025-10-31\""],
        ] {
            assert_eq!(times(values), None, "{values:?}");
        }
    }

    #[test]
    fn the_longest_counts_as_it_reads() {
        assert_eq!(of(&["\"é\\u00e9\"", "12", "null"]).chars(), 2);
        assert_eq!(of(&[" [1, 2] "]).chars(), 6);
        assert_eq!(of(&["null"]).count(), 0);
    }
}
