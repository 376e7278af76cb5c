//! Decimal numbers as text: exact, never through a float.

use std::fmt;

/// `digits` × 10^`exponent`; no leading zero, so that zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// 0 to 9 each, the most significant first.
    digits: Vec<u8>,
    exponent: i64,
}

/// A number with a larger exponent is zero, or does not fit any column.
const EXPONENT_MAX: i64 = 1_000_000;

impl Decimal {
    /// `-12.340`, `1E3`, `0E-19`, `+.5`; None for anything else.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let negative = mantissa.starts_with('-');
        let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        if whole.len() + fraction.len() == 0 {
            return None;
        }
        let mut digits = Vec::with_capacity(whole.len() + fraction.len());
        for byte in whole.bytes().chain(fraction.bytes()) {
            match byte {
                b'0' if digits.is_empty() => {}
                b'0'..=b'9' => digits.push(byte - b'0'),
                _ => return None,
            }
        }
        let places = i64::try_from(fraction.len()).ok()?;
        Some(Decimal {
            negative,
            digits,
            exponent: exponent.saturating_sub(places),
        })
    }

    /// Rounded, half away from zero as MySQL does, to `scale` decimal places;
    /// None if that takes more than `precision` digits.
    pub fn fixed(&self, precision: u32, scale: u32) -> Option<Fixed> {
        let surplus = -i64::from(scale) - self.exponent;
        let digits = match usize::try_from(surplus) {
            Ok(dropped) => rounded(&self.digits, dropped),
            Err(_) => {
                let mut digits = self.digits.clone();
                let zeros = usize::try_from(-surplus).ok()?;
                // Checked before memory is allocated for an exponent from outside.
                if !digits.is_empty() && digits.len() + zeros > precision as usize {
                    return None;
                }
                if !digits.is_empty() {
                    digits.resize(digits.len() + zeros, 0);
                }
                digits
            }
        };
        (digits.len() <= precision as usize).then_some(Fixed {
            negative: self.negative && !digits.is_empty(),
            digits,
            scale: scale as usize,
        })
    }

    /// How many decimal places its value needs.
    pub fn places(&self) -> i64 {
        let zeros = self.digits.iter().rev().take_while(|&&digit| digit == 0).count();
        match self.digits.is_empty() {
            true => 0,
            false => -(self.exponent.saturating_add(zeros as i64)),
        }
    }

    /// How many digits it has before the point.
    pub fn whole_digits(&self) -> u64 {
        let digits = self.digits.len() as i64;
        u64::try_from(digits.saturating_add(self.exponent)).map_or(0, |whole| whole * u64::from(digits > 0))
    }

    /// Whether both have the same value.
    pub fn is_equal(&self, other: &Decimal) -> bool {
        let significant = |number: &Decimal| {
            let zeros = number
                .digits
                .iter()
                .rev()
                .take_while(|&&digit| digit == 0)
                .count();
            number.digits.len() - zeros
        };
        let same_digits = self.digits[..significant(self)] == other.digits[..significant(other)];
        let is_zero = self.digits.is_empty();
        same_digits && (is_zero || self.negative == other.negative && self.places() == other.places())
    }

    /// The number × 10^`places`.
    pub fn shifted(self, places: u32) -> Decimal {
        Decimal {
            exponent: self.exponent.saturating_add(i64::from(places)),
            ..self
        }
    }

    /// The number as an integer; None if it has a fraction or is too large.
    pub fn integer(&self) -> Option<i128> {
        let zeros = self.digits.iter().rev().take_while(|&&digit| digit == 0).count();
        if self.digits.is_empty() {
            return Some(0);
        }
        if self.exponent + i64::try_from(zeros).ok()? < 0 {
            return None;
        }
        self.floor()
    }

    /// The largest integer that is not above the number; None if it is too large.
    pub fn floor(&self) -> Option<i128> {
        let cut = usize::try_from(-self.exponent)
            .unwrap_or(0)
            .min(self.digits.len());
        let (whole, fraction) = self.digits.split_at(self.digits.len() - cut);
        let zeros = usize::try_from(self.exponent).unwrap_or(0);
        if !whole.is_empty() && whole.len() + zeros > 38 {
            return None;
        }
        let mut number: i128 = 0;
        for &digit in whole {
            number = number * 10 + i128::from(digit);
        }
        if !whole.is_empty() {
            number *= 10i128.checked_pow(u32::try_from(zeros).ok()?)?;
        }
        let below = self.negative && fraction.iter().any(|&digit| digit != 0);
        Some(if self.negative { -number } else { number } - i128::from(below))
    }
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or(EXPONENT_MAX).min(EXPONENT_MAX);
    Some(if text.starts_with('-') { -size } else { size })
}

/// Drops the last `dropped` digits; half rounds up.
fn rounded(digits: &[u8], dropped: usize) -> Vec<u8> {
    let Some(kept) = digits.len().checked_sub(dropped) else {
        return Vec::new();
    };
    let mut result = digits[..kept].to_vec();
    if digits.get(kept).is_some_and(|&digit| digit >= 5) {
        for digit in result.iter_mut().rev() {
            if *digit < 9 {
                *digit += 1;
                return result;
            }
            *digit = 0;
        }
        result.insert(0, 1);
    }
    result
}

/// A decimal with its column's decimal places; equal numbers have equal text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    pub negative: bool,
    digits: Vec<u8>,
    scale: usize,
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(self.digits.len() + self.scale + 3);
        if self.negative {
            text.push('-');
        }
        let width = self.digits.len().max(self.scale + 1);
        let zeros = width - self.digits.len();
        let padded = std::iter::repeat_n(&0, zeros).chain(&self.digits);
        for (at, digit) in padded.enumerate() {
            if self.scale > 0 && at == width - self.scale {
                text.push('.');
            }
            text.push(char::from(b'0' + digit));
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fixed(text: &str, precision: u32, scale: u32) -> Option<String> {
        Decimal::parse(text)
            .unwrap()
            .fixed(precision, scale)
            .map(|fixed| fixed.to_string())
    }

    #[test]
    fn every_digit_is_kept() {
        for (text, expected) in [
            ("12.340", "12.34"),
            ("9999999999999.99", "9999999999999.99"),
            ("-0.005", "-0.01"),
            ("0.005", "0.01"),
            ("0.0049999999999999999999", "0.00"),
            ("1.005", "1.01"),
            ("-0.004", "0.00"),
            ("0E-19", "0.00"),
            ("-0", "0.00"),
            ("1E3", "1000.00"),
            ("1.5e-1", "0.15"),
            ("4.6116860184E9", "4611686018.40"),
            ("99.995", "100.00"),
            ("0.996", "1.00"),
            ("1e-999999999999", "0.00"),
            ("0e999999999999", "0.00"),
        ] {
            assert_eq!(fixed(text, 15, 2).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(fixed("12.5", 3, 0).as_deref(), Some("13"));
        assert_eq!(
            fixed("0.12345678901234567890123456789", 30, 29).unwrap().len(),
            31
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for text in ["10000000000000", "9999999999999.995", "1E13", "1e999999999999"] {
            assert_eq!(fixed(text, 15, 2), None, "{text}");
        }
        for text in ["", "-", ".", "1e", "1e+", "0x10", "NaN", "1 ", "1.2.3", "١"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn integers() {
        let integer = |text: &str| Decimal::parse(text).unwrap().integer();
        assert_eq!(integer("12.000"), Some(12));
        assert_eq!(integer("1.2E1"), Some(12));
        assert_eq!(integer("100e-2"), Some(1));
        assert_eq!(integer("-9223372036854775808"), Some(i64::MIN.into()));
        assert_eq!(integer("0E-19"), Some(0));
        assert_eq!(integer("12.5"), None);
        assert_eq!(integer("1e300"), None);
        let floor = |text: &str| Decimal::parse(text).unwrap().floor();
        assert_eq!(floor("-0.5"), Some(-1));
        assert_eq!(floor("1.7E12"), Some(1_700_000_000_000));
        assert_eq!(floor("1e-400"), Some(0));
    }

    proptest! {
        /// Rounding is half away from zero, as integer arithmetic has it.
        #[test]
        fn rounding_agrees_with_integer_arithmetic(number in -10i64.pow(15)..10i64.pow(15), places in 0u32..9, scale in 0u32..9) {
            let text = format!("{number}e-{places}");
            let found = fixed(&text, 40, scale).unwrap();
            let wide = i128::from(number) * 10i128.pow(scale);
            let unit = 10i128.pow(places);
            let expected = wide.signum() * ((wide.abs() + unit / 2) / unit);
            prop_assert_eq!(found.replace('.', "").parse::<i128>().unwrap(), expected);
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[-+0-9.eE]{0,20}") {
            if let Some(decimal) = Decimal::parse(&text) {
                decimal.fixed(65, 30);
                decimal.integer();
                decimal.floor();
            }
        }
    }
}
