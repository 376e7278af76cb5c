//! Dates and times become MySQL's values, in UTC.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use mysql::Value;

use crate::types::decimal::Decimal;

/// The last day of year 9999, in days since 1970: the end of DATE and DATETIME.
const DAY_MAX: i128 = 2_932_896;

/// Reads ksqlDB's DATE: days since 1970.
pub(super) fn from_epoch_days(number: &Decimal) -> Result<NaiveDate, String> {
    number
        .integer()
        .filter(|days| days.abs() <= DAY_MAX)
        .and_then(|days| NaiveDate::default().checked_add_signed(TimeDelta::days(i64::try_from(days).ok()?)))
        .ok_or_else(|| "not a number of days since 1970 that a DATE can hold".to_owned())
}

/// Reads ksqlDB's TIME: milliseconds since midnight.
pub(super) fn from_ms_of_day(number: &Decimal) -> Result<NaiveTime, String> {
    let ms = number.integer().filter(|ms| (0..86_400_000).contains(ms));
    ms.and_then(|ms| u32::try_from(ms).ok())
        .and_then(|ms| NaiveTime::from_num_seconds_from_midnight_opt(ms / 1000, ms % 1000 * 1_000_000))
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
    date_time_value(day.and_time(NaiveTime::MIN), 0)
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

/// The time in a parameter of [`date_time_value`].
pub(super) fn date_time_of(value: &Value) -> Option<NaiveDateTime> {
    match *value {
        Value::Date(year, month, day, hour, minute, second, micros) => NaiveDate::from_ymd_opt(
            year.into(),
            month.into(),
            day.into(),
        )?
        .and_hms_micro_opt(hour.into(), minute.into(), second.into(), micros),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_since_1970() {
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
}
