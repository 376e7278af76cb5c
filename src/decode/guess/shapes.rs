//! What values look like by their bytes alone.

use crate::decode::delimited;
use crate::json::Checker;

/// The delimiters that are tried where the configured one does not fit.
const DELIMITERS: [char; 5] = [',', ';', '\t', '|', ' '];
/// Doubles of real records are mostly in this range; the bits of one in it are an improbable whole number.
const PLAUSIBLE_DOUBLE: std::ops::Range<f64> = 1e-6..1e12;

/// What all values so far have in common.
#[derive(Debug)]
pub(super) struct Shapes {
    pub values: u64,
    /// JSON objects.
    pub objects: bool,
    /// UTF-8 without control characters.
    pub text: bool,
    /// How many bytes each has; None: they differ.
    pub length: Option<usize>,
    /// Eight bytes that are more likely a DOUBLE than a BIGINT.
    pub doubles: bool,
    /// By the delimiter: how many fields each has.
    fields: Vec<(char, FieldCount)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldCount {
    Unseen,
    All(usize),
    Differing,
}

impl Shapes {
    /// Looks for fields at the usual delimiters and at this one.
    pub fn of(delimiter: char) -> Shapes {
        let others = DELIMITERS.into_iter().filter(|&other| other != delimiter);
        Shapes {
            values: 0,
            objects: true,
            text: true,
            length: None,
            doubles: true,
            fields: [delimiter]
                .into_iter()
                .chain(others)
                .map(|delimiter| (delimiter, FieldCount::Unseen))
                .collect(),
        }
    }

    pub fn take(&mut self, value: &[u8]) {
        self.values += 1;
        self.length = match self.length {
            None if self.values == 1 => Some(value.len()),
            length => length.filter(|&length| length == value.len()),
        };
        self.objects &= value.trim_ascii_start().starts_with(b"{") && Checker::default().check(value).is_ok();
        self.doubles &= value
            .try_into()
            .is_ok_and(|bytes| looks_double(f64::from_be_bytes(bytes)));
        let text = std::str::from_utf8(value).ok();
        let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
        let text = text.filter(|text| !text.contains(control));
        self.text &= text.is_some();
        for (delimiter, fields) in &mut self.fields {
            let split = text.and_then(|text| delimited::split(text, *delimiter).ok());
            *fields = match (split.map(|split| split.len()), *fields) {
                (Some(count), FieldCount::Unseen) => FieldCount::All(count),
                (Some(count), FieldCount::All(other)) if count == other => FieldCount::All(count),
                _ => FieldCount::Differing,
            };
        }
    }

    /// How many fields each has at this delimiter.
    pub fn fields_at(&self, delimiter: char) -> Option<usize> {
        let (_, fields) = self.fields.iter().find(|(own, _)| *own == delimiter)?;
        match fields {
            FieldCount::All(count) => Some(*count),
            FieldCount::Unseen | FieldCount::Differing => None,
        }
    }

    /// The delimiter that gives so many fields.
    pub fn delimiter_of(&self, count: usize) -> Option<char> {
        let fits = self
            .fields
            .iter()
            .find(|(_, fields)| *fields == FieldCount::All(count));
        fits.map(|(delimiter, _)| *delimiter)
    }

    /// The type of one column that each value would be.
    pub fn number(&self) -> Option<&'static str> {
        match self.length? {
            4 if !self.text => Some("INT"),
            8 if !self.text && self.doubles => Some("DOUBLE"),
            8 if !self.text => Some("BIGINT"),
            _ => None,
        }
    }
}

pub(super) fn looks_double(number: f64) -> bool {
    number != 0.0 && PLAUSIBLE_DOUBLE.contains(&number.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&[u8]]) -> Shapes {
        let mut shapes = Shapes::of(',');
        values.iter().for_each(|value| shapes.take(value));
        shapes
    }

    #[test]
    fn what_values_have_in_common_is_seen() {
        let numbers = |values: &[&[u8]]| of(values).number();
        assert_eq!(
            numbers(&[&7i32.to_be_bytes(), &(-7i32).to_be_bytes()]),
            Some("INT")
        );
        assert_eq!(
            numbers(&[&7i64.to_be_bytes(), &i64::MAX.to_be_bytes()]),
            Some("BIGINT")
        );
        assert_eq!(
            numbers(&[&1.5f64.to_be_bytes(), &(-1e6f64).to_be_bytes()]),
            Some("DOUBLE")
        );
        assert_eq!(numbers(&[&7i64.to_be_bytes(), &7i32.to_be_bytes()]), None);
        assert_eq!(numbers(&[b"abcd"]), None);
        let lines = of(&[b"a;1", b"b,c;2"]);
        assert_eq!(
            (lines.fields_at(';'), lines.fields_at(','), lines.delimiter_of(2)),
            (Some(2), None, Some(';'))
        );
        assert!(of(&[b" {\"a\":1}"]).objects && !of(&[b"{}", b"{"]).objects);
        assert!(!of(&[b"a\0b"]).text);
    }
}
