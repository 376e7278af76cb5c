//! Times as records write them: ISO 8601 text, or a number since 1970. The days of the lake and the columns of MySQL are both
//! read here, so that a time which one of them understands is the same time to the other.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use std::borrow::Cow;

use super::decimal::Decimal;
use crate::config::TimeUnit;

/// A time as a record gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenTime {
    /// A date alone: when it begins depends on the time zone.
    Day(NaiveDate),
    /// An instant, in UTC.
    Instant(NaiveDateTime),
}

impl WrittenTime {
    /// The instant; a date alone is its midnight in UTC.
    pub fn in_utc(self) -> NaiveDateTime {
        match self {
            WrittenTime::Day(day) => day.and_time(NaiveTime::MIN),
            WrittenTime::Instant(time) => time,
        }
    }
}

/// Reads one JSON value: a number in `unit`, or text as [`of_text`] does.
///
/// # Errors
/// The reason why it is not a time. It never repeats the value.
pub fn of_json(raw: &str, unit: TimeUnit) -> Result<WrittenTime, String> {
    let raw = raw.trim_matches([' ', '\t', '\n', '\r']);
    match raw.as_bytes().first() {
        Some(b'"') => {
            let text: JsonText<'_> = serde_json::from_str(raw).map_err(|_| "not text".to_owned())?;
            of_text(&text.0, unit)
        }
        Some(b'-' | b'0'..=b'9') => of_number(raw, unit).map(|time| match unit {
            TimeUnit::Days => WrittenTime::Day(time.date()),
            _ => WrittenTime::Instant(time),
        }),
        Some(b'n') => Err("null".to_owned()),
        _ => Err("not a date or time".to_owned()),
    }
}

/// Borrowed unless it has escapes.
#[derive(serde::Deserialize)]
struct JsonText<'t>(#[serde(borrow)] Cow<'t, str>);

/// Reads an ISO 8601 date, with or without a time; without an offset it is UTC, and Java's `…+01:00[Europe/Paris]` is
/// read by its offset. Text of digits alone is a number in `unit` if it is long enough not to be a date.
///
/// # Errors
/// The reason why it is not a time. It never repeats the text.
pub fn of_text(text: &str, unit: TimeUnit) -> Result<WrittenTime, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() >= digits_min(unit) && digits.bytes().all(|b| b.is_ascii_digit()) {
        of_number(text, unit).map(WrittenTime::Instant)
    } else {
        parse_iso(text).ok_or_else(|| "not an ISO 8601 date or time".to_owned())
    }
}

/// Reads a number in `unit` since 1970. What is smaller than a nanosecond is dropped.
///
/// # Errors
/// The reason why it is not a time. It never repeats the number.
pub fn of_number(number: &str, unit: TimeUnit) -> Result<NaiveDateTime, String> {
    let nanoseconds = match number.parse::<i64>() {
        Ok(number) => Some(i128::from(number) * i128::from(unit.nanoseconds())),
        Err(_) => {
            let (factor, power) = unit.factor_and_power();
            let number = Decimal::parse(number).ok_or("not a number")?;
            let whole = number.shifted(power).floor();
            whole.and_then(|whole| whole.checked_mul(factor.into()))
        }
    };
    nanoseconds
        .and_then(instant)
        .ok_or_else(|| format!("out of range for {} since 1970", unit.word()))
}

/// The instant so many nanoseconds after 1970; None if chrono's calendar does not reach it.
fn instant(nanoseconds: i128) -> Option<NaiveDateTime> {
    let second = i128::from(TimeUnit::S.nanoseconds());
    let rest = u32::try_from(nanoseconds.rem_euclid(second)).ok()?;
    let seconds = i64::try_from(nanoseconds.div_euclid(second)).ok()?;
    DateTime::from_timestamp(seconds, rest).map(|time| time.naive_utc())
}

/// Fewer digits could be a date without its dashes; so many reach from the spring of 1970 or 1973 on.
fn digits_min(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::S => 9,
        TimeUnit::Ms => 11,
        TimeUnit::Us => 14,
        TimeUnit::Ns => 17,
        TimeUnit::Days => usize::MAX,
    }
}

fn parse_iso(text: &str) -> Option<WrittenTime> {
    let text = match text.split_once('[') {
        Some((time, zone)) if zone.ends_with(']') => time,
        _ => text,
    };
    let (day, rest) = text.split_at_checked(10)?;
    let day = parse_day(day)?;
    if rest.is_empty() {
        return Some(WrittenTime::Day(day));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, offset) = rest.split_at(at);
    day.and_time(parse_clock(clock)?)
        .checked_sub_signed(TimeDelta::seconds(parse_offset(offset)?))
        .map(WrittenTime::Instant)
}

fn parse_day(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    (bytes[4] == b'-' && bytes[7] == b'-').then_some(())?;
    let year = digits(text.get(0..4)?)?;
    NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        digits(text.get(5..7)?)?,
        digits(text.get(8..10)?)?,
    )
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction` (a comma counts as the point, as ISO 8601 says).
pub fn parse_clock(text: &str) -> Option<NaiveTime> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let mut parts = whole.split(':');
    let hour = two_digits(parts.next()?)?;
    let minute = two_digits(parts.next()?)?;
    let second = match parts.next() {
        Some(second) => two_digits(second)?,
        None if whole.len() == text.len() => 0,
        None => return None,
    };
    if parts.next().is_some() || fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)
}

/// The offset in seconds east of UTC, from `Z`, `+02`, `+0200`, `+02:00`, or nothing.
fn parse_offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first() {
        None | Some(b'Z' | b'z') => return (text.len() <= 1).then_some(0),
        Some(b'-') => -1,
        Some(_) => 1,
    };
    let text = text.get(1..)?;
    let (hours, minutes) = match text.len() {
        2 => (text, "00"),
        4 => text.split_at_checked(2)?,
        _ => text.split_once(':')?,
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours <= 18 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
}

fn two_digits(text: &str) -> Option<u32> {
    (text.len() == 2).then(|| digits(text)).flatten()
}

fn digits(text: &str) -> Option<u32> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> Option<String> {
        let time = of_text(text, TimeUnit::Ms).ok()?;
        Some(time.in_utc().to_string())
    }

    #[test]
    fn iso_8601_in_its_forms() {
        for (written, expected) in [
            ("2025-10-31T12:34:56Z", "2025-10-31 12:34:56"),
            ("2025-10-31 12:34:56", "2025-10-31 12:34:56"),
            ("2025-10-31T12:34:56.789Z", "2025-10-31 12:34:56.789"),
            (
                "2025-10-31T12:34:56.123456789123Z",
                "2025-10-31 12:34:56.123456789",
            ),
            ("2025-10-31T00:30:00+01:00", "2025-10-30 23:30:00"),
            ("2025-10-31T23:30:00-0100", "2025-11-01 00:30:00"),
            ("2025-10-31T12:34:56+02", "2025-10-31 10:34:56"),
            ("2025-10-31T12:34Z", "2025-10-31 12:34:00"),
            ("2025-10-31", "2025-10-31 00:00:00"),
            ("2025-10-31T12:00:00+01:00[Europe/Paris]", "2025-10-31 11:00:00"),
            ("2024-02-29T00:00:00Z", "2024-02-29 00:00:00"),
        ] {
            assert_eq!(text(written).as_deref(), Some(expected), "{written}");
        }
        let day = NaiveDate::from_ymd_opt(2025, 10, 31).unwrap();
        assert_eq!(of_text("2025-10-31", TimeUnit::Ms), Ok(WrittenTime::Day(day)));
    }

    #[test]
    fn what_is_not_a_time() {
        for written in [
            "",
            "2025",
            "20251031",
            "2025-13-01",
            "2025-02-29",
            "2025-10-31T",
            "2025-10-31T25:00:00Z",
            "2025-10-31T12",
            "2025-10-31T12:34:60Z",
            "2025-10-31T12:34:56X",
            "2025-10-31T12:34:56+99:00",
            "2025-10-31x",
            "31/10/2025",
            "2025-10-31T12:34:56.Z",
            "2025-10-31T12:34:56Zz",
            "+2025-1-01",
            "２０２５-10-31",
            "2025-10-3é",
        ] {
            assert_eq!(text(written), None, "{written}");
        }
    }

    #[test]
    fn numbers_count_their_unit() {
        use TimeUnit::{Ms, Ns, S, Us};
        for (number, unit, expected) in [
            ("1761868799999", Ms, "2025-10-30 23:59:59.999"),
            ("-1", Ms, "1969-12-31 23:59:59.999"),
            ("1.761868799E12", Ms, "2025-10-30 23:59:59"),
            ("1761868799999.5", Ms, "2025-10-30 23:59:59.999500"),
            ("1761868799", S, "2025-10-30 23:59:59"),
            ("1761868799.25", S, "2025-10-30 23:59:59.250"),
            ("-0.5", S, "1969-12-31 23:59:59.500"),
            ("1761868799999123", Us, "2025-10-30 23:59:59.999123"),
            ("1761868799999123456", Ns, "2025-10-30 23:59:59.999123456"),
        ] {
            let read = of_number(number, unit).map(|time| time.to_string());
            assert_eq!(read.as_deref(), Ok(expected), "{number}");
            assert_eq!(of_json(number, unit).map(|time| time.in_utc().to_string()), read);
        }
        for number in ["1e30", "9223372036854775807", "", "x", "1e999999999999"] {
            assert!(of_number(number, S).is_err(), "{number}");
        }
    }

    #[test]
    fn text_of_digits_is_a_number_if_it_is_no_date() {
        use TimeUnit::{Ms, Ns, S, Us};
        for (digits, unit) in [
            ("1761868799", S),
            ("1761868799000", Ms),
            ("1761868799000000", Us),
            ("1761868799000000000", Ns),
        ] {
            let read = of_text(digits, unit).map(|time| time.in_utc().to_string());
            assert_eq!(read.as_deref(), Ok("2025-10-30 23:59:59"), "{digits}");
            assert!(of_text("20251031", unit).is_err());
        }
        assert!(of_text("1761868799", Ms).is_err());
    }

    #[test]
    fn json_is_read_by_its_type() {
        let read = |raw| of_json(raw, TimeUnit::Ms).map(|time| time.in_utc().to_string());
        assert_eq!(
            read(" \"2025-10-31T00:00:00\\u005a\"\n").as_deref(),
            Ok("2025-10-31 00:00:00")
        );
        assert_eq!(read("null"), Err("null".to_owned()));
        for raw in ["true", "{}", "[1]", "", "\"soon\"", "\"\\ud800\""] {
            assert!(read(raw).is_err(), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,40}") {
            for unit in TimeUnit::ALL {
                let _ = (of_text(&text, unit), of_number(&text, unit), of_json(&text, unit));
            }
            let _ = parse_clock(&text);
        }

        #[test]
        fn what_chrono_prints_is_read_back(ms in -62_135_596_800_000i64..253_402_300_800_000) {
            let time = DateTime::from_timestamp_millis(ms).unwrap();
            let read = of_text(&time.to_rfc3339(), TimeUnit::Ms);
            prop_assert_eq!(read, Ok(WrittenTime::Instant(time.naive_utc())));
        }

        /// The same instant in every unit, as an integer and as a decimal.
        #[test]
        fn units_agree(seconds in -62_135_596_800i64..253_402_300_800) {
            let expected = DateTime::from_timestamp(seconds, 0).unwrap().naive_utc();
            for unit in TimeUnit::ALL {
                let number = i128::from(seconds) * 10i128.pow(9 - unit.factor_and_power().1);
                prop_assert_eq!(of_number(&number.to_string(), unit), Ok(expected));
                prop_assert_eq!(of_number(&format!("{number}.0"), unit), Ok(expected));
            }
        }
    }
}
