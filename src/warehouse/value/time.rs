//! Dates and times: ISO 8601 and epoch numbers become MySQL's values, in UTC.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use mysql::Value;

use super::decimal::Decimal;

/// The last day of year 9999, in days since 1970: the end of DATE and DATETIME.
const DAY_MAX: i128 = 2_932_896;

/// Reads an ISO 8601 date, with or without a time; without an offset it is UTC.
///
/// Java's `…+01:00[Europe/Paris]` is read by its offset.
pub(super) fn parse_iso(text: &str) -> Result<NaiveDateTime, String> {
    let wrong = || "not an ISO 8601 date or time".to_owned();
    let text = match text.split_once('[') {
        Some((time, zone)) if zone.ends_with(']') => time,
        _ => text,
    };
    let (day, rest) = text.split_at_checked(10).ok_or_else(wrong)?;
    let day = parse_day(day).ok_or_else(wrong)?;
    let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else {
        return match rest {
            "" => Ok(day.and_time(chrono::NaiveTime::MIN)),
            _ => Err(wrong()),
        };
    };
    let at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, offset) = rest.split_at(at);
    let time = parse_clock(clock).ok_or_else(wrong)?;
    let offset = parse_offset(offset).ok_or_else(wrong)?;
    day.and_time(time)
        .checked_sub_signed(TimeDelta::seconds(offset))
        .ok_or_else(wrong)
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
pub(super) fn parse_clock(text: &str) -> Option<chrono::NaiveTime> {
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
    chrono::NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)
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

/// Reads epoch milliseconds; a fraction of a millisecond is dropped.
pub(super) fn from_epoch_ms(number: &Decimal) -> Result<NaiveDateTime, String> {
    number
        .floor()
        .and_then(|ms| i64::try_from(ms).ok())
        .and_then(DateTime::from_timestamp_millis)
        .map(|time| time.naive_utc())
        .ok_or_else(|| "epoch milliseconds out of range".to_owned())
}

/// Reads ksqlDB's DATE: days since 1970.
pub(super) fn from_epoch_days(number: &Decimal) -> Result<NaiveDate, String> {
    number
        .integer()
        .filter(|days| days.abs() <= DAY_MAX)
        .and_then(|days| NaiveDate::default().checked_add_signed(TimeDelta::days(i64::try_from(days).ok()?)))
        .ok_or_else(|| "not a number of days since 1970 that a DATE can hold".to_owned())
}

/// Reads ksqlDB's TIME: milliseconds since midnight.
pub(super) fn from_ms_of_day(number: &Decimal) -> Result<chrono::NaiveTime, String> {
    let ms = number.integer().filter(|ms| (0..86_400_000).contains(ms));
    ms.and_then(|ms| u32::try_from(ms).ok())
        .and_then(|ms| {
            chrono::NaiveTime::from_num_seconds_from_midnight_opt(ms / 1000, ms % 1000 * 1_000_000)
        })
        .ok_or_else(|| "not a number of milliseconds since midnight".to_owned())
}

/// Cuts a time to `places` decimal places of a second, because MySQL would round: 23:59:59.7 must not become tomorrow.
/// The second value is whether anything was lost.
pub(super) fn truncated_micros(nanos: u32, places: u32) -> (u32, bool) {
    let unit = 10u32.pow(9 - places.min(6));
    let kept = nanos - nanos % unit;
    (kept / 1000, kept != nanos)
}

pub(super) fn date_value(day: NaiveDate) -> Result<Value, String> {
    date_time_value(day.and_time(chrono::NaiveTime::MIN), 0)
}

/// The time as a DATETIME or TIMESTAMP parameter.
pub(in crate::warehouse) fn date_time_value(time: NaiveDateTime, micros: u32) -> Result<Value, String> {
    match u16::try_from(time.year()) {
        Ok(year @ 1..=9999) => Ok(Value::Date(
            year,
            time.month() as u8,
            time.day() as u8,
            time.hour() as u8,
            time.minute() as u8,
            time.second() as u8,
            micros,
        )),
        _ => Err("out of the years 1 to 9999".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn iso(text: &str) -> Option<String> {
        parse_iso(text).ok().map(|time| time.to_string())
    }

    #[test]
    fn iso_8601_in_its_forms() {
        for (text, expected) in [
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
            assert_eq!(iso(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "2025",
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
            "1761868799000",
            "2025-10-31T12:34:56.Z",
            "2025-10-31T12:34:56Zz",
            "+2025-1-01",
            "２０２５-10-31",
            "2025-10-3é",
        ] {
            assert_eq!(iso(text), None, "{text}");
        }
    }

    #[test]
    fn epochs() {
        let ms = |text| from_epoch_ms(&Decimal::parse(text).unwrap()).map(|time| time.to_string());
        assert_eq!(ms("1761868799999").unwrap(), "2025-10-30 23:59:59.999");
        assert_eq!(ms("-1").unwrap(), "1969-12-31 23:59:59.999");
        assert_eq!(ms("1.761868799E12").unwrap(), "2025-10-30 23:59:59");
        assert!(ms("1e30").is_err());
        let days = |text| from_epoch_days(&Decimal::parse(text).unwrap()).map(|day| day.to_string());
        assert_eq!(days("20392").unwrap(), "2025-10-31");
        assert!(days("1761868799000").is_err() && days("0.5").is_err());
    }

    #[test]
    fn fractions_are_cut_not_rounded() {
        assert_eq!(truncated_micros(700_000_000, 0), (0, true));
        assert_eq!(truncated_micros(999_999_999, 3), (999_000, true));
        assert_eq!(truncated_micros(123_456_000, 6), (123_456, false));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,40}") {
            let _ = parse_iso(&text);
            let _ = parse_clock(&text);
        }

        #[test]
        fn what_chrono_prints_is_read_back(ms in -62_135_596_800_000i64..253_402_300_800_000) {
            let time = DateTime::from_timestamp_millis(ms).unwrap();
            prop_assert_eq!(parse_iso(&time.to_rfc3339()), Ok(time.naive_utc()));
        }
    }
}
