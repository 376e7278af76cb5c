//! Exact amounts: whole cents inside, a JSON number with two decimals outside, never a float in between.

use std::fmt;
use std::iter::Sum;
use std::ops::AddAssign;
use std::str::FromStr;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// An amount in hundredths. `12.30` is written with its zero, as ksqlDB writes a DECIMAL of scale 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cents(pub(crate) i128);

impl Cents {
    /// `self × numerator / denominator`, halves rounded up; for positive amounts.
    pub(crate) fn scaled(self, numerator: i128, denominator: i128) -> Cents {
        Cents((self.0 * numerator * 2 + denominator) / (denominator * 2))
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", magnitude / 100, magnitude % 100)
    }
}

impl FromStr for Cents {
    type Err = String;

    /// Takes what this generator writes and whole numbers; more than two decimals or an exponent is an error.
    fn from_str(text: &str) -> Result<Cents, String> {
        let refused = || format!("{text} is not an amount with at most two decimals");
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 18 || fraction.len() > 2 || !plain(whole) || !plain(fraction) {
            return Err(refused());
        }
        let cents: i128 = format!("{whole}{fraction:0<2}").parse().map_err(|_| refused())?;
        Ok(Cents(if negative { -cents } else { cents }))
    }
}

impl AddAssign for Cents {
    fn add_assign(&mut self, other: Cents) {
        self.0 += other.0;
    }
}

impl Sum for Cents {
    fn sum<I: Iterator<Item = Cents>>(amounts: I) -> Cents {
        Cents(amounts.map(|amount| amount.0).sum())
    }
}

impl Serialize for Cents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string())
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cents, D::Error> {
        Box::<RawValue>::deserialize(deserializer)?
            .get()
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_scale_and_survive_the_round_trip() {
        for text in ["0.00", "12.30", "0.05", "-0.05", "99999999999999999.99"] {
            let cents: Cents = text.parse().expect("an amount");
            assert_eq!(cents.to_string(), text);
            assert_eq!(serde_json::to_string(&cents).expect("JSON"), text);
            assert_eq!(serde_json::from_str::<Cents>(text).expect("JSON"), cents);
        }
        assert_eq!("7".parse(), Ok(Cents(700)));
        assert_eq!("7.5".parse(), Ok(Cents(750)));
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for text in ["1.234", "1e3", "", "-", ".5", "1.-2", "\"1.00\"", "null"] {
            assert!(text.parse::<Cents>().is_err(), "{text}");
        }
    }

    #[test]
    fn sums_are_exact_where_doubles_are_not() {
        let total: Cents = std::iter::repeat_n(Cents(10), 1_000_003).sum();
        assert_eq!(total.to_string(), "100000.30");
    }

    #[test]
    fn scaling_rounds_halves_up() {
        assert_eq!(Cents(1000).scaled(1_085_000, 1_000_000), Cents(1085));
        assert_eq!(Cents(1).scaled(1, 2), Cents(1));
        assert_eq!(Cents(1).scaled(1, 3), Cents(0));
    }
}
