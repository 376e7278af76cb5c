//! The units of configuration and flags: retentions, durations, sizes, times.

use anyhow::Result;
use chrono::{DateTime, Days, Months, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;
use std::time::Duration;

use crate::problem::Problem;

/// How long something is kept, by the calendar: three years are the same date three years ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    Days(u32),
    Months(u32),
}

impl Retention {
    /// The first day that is kept when today is `today`: everything before it may go.
    /// A date that the target month lacks (29 February, 31 April) is that month's last day.
    pub fn cutoff(self, today: NaiveDate) -> Option<NaiveDate> {
        match self {
            Retention::Days(days) => today.checked_sub_days(Days::new(days.into())),
            Retention::Months(months) => today.checked_sub_months(Months::new(months)),
        }
    }
}

impl std::fmt::Display for Retention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Retention::Days(days) => write!(f, "{days}d"),
            Retention::Months(months) if months % 12 == 0 => write!(f, "{}y", months / 12),
            Retention::Months(months) => write!(f, "{months}mo"),
        }
    }
}

/// Reads `7d`, `2w`, `6mo`, `3y`; `none` keeps for ever.
pub fn retention(text: &str) -> Result<Option<Retention>> {
    if text == "none" {
        return Ok(None);
    }
    let (number, unit) = split_unit(text)?;
    if number == 0 {
        return Problem::usage(format!("`{text}` would delete everything"))
            .fix("a retention is at least one day, or `none` to keep for ever")
            .err();
    }
    let too_long = || Problem::usage(format!("`{text}` is too long for a retention"));
    let n = u32::try_from(number).ok().filter(|&n| n <= 100_000);
    let n = n.ok_or_else(too_long)?;
    Ok(Some(match unit {
        "d" => Retention::Days(n),
        "w" => Retention::Days(n.checked_mul(7).ok_or_else(too_long)?),
        "mo" => Retention::Months(n),
        "y" => Retention::Months(n.checked_mul(12).ok_or_else(too_long)?),
        "m" => {
            return Problem::usage(format!("`{text}` may mean minutes or months"))
                .fix(format!(
                    "write `{n}mo` for months; a retention is like 7d, 2w, 6mo, 3y or none"
                ))
                .err();
        }
        _ => return malformed(text, "a retention", "write it like 7d, 2w, 6mo, 3y or none"),
    }))
}

/// Reads `500ms`, `90s`, `5m`, `12h`, `7d`, `2w`.
pub fn duration(text: &str) -> Result<Duration> {
    let (number, unit) = split_unit(text)?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return malformed(text, "a duration", "write it like 90s, 5m, 12h, 7d or 2w"),
    };
    match number
        .checked_mul(millis)
        .filter(|&ms| ms <= i64::MAX as u64 / 1000)
    {
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => Problem::usage(format!("`{text}` is too long for a duration")).err(),
    }
}

/// A duration in the largest unit that divides it, as [`duration`] reads it.
pub fn shortest(ms: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let fits = UNITS.iter().find(|(unit_ms, _)| ms.is_multiple_of(*unit_ms));
    let (unit_ms, unit) = fits.copied().unwrap_or((1, "ms"));
    format!("{}{unit}", ms / unit_ms)
}

/// Reads `64KiB`, `256MiB`, `1GiB`, `10MB`, or plain bytes.
pub fn size(text: &str) -> Result<u64> {
    let (number, unit) = split_unit(text)?;
    let scale: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return malformed(text, "a size", "write it like 64KiB, 256MiB or 1GiB"),
    };
    match number.checked_mul(scale) {
        Some(0) => Problem::usage("a size must be more than 0").err(),
        Some(bytes) => Ok(bytes),
        None => Problem::usage(format!("`{text}` is too large for a size")).err(),
    }
}

/// Reads RFC 3339, or a date, which means midnight in `zone`. Returns milliseconds since 1970.
pub fn time_ms(text: &str, zone: Tz) -> Result<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    match date(text) {
        Ok(day) => Ok(midnight_ms(day, zone)),
        Err(_) => malformed(
            text,
            "a time",
            "write RFC 3339 (2025-10-31T12:00:00Z) or a date (2025-10-31)",
        ),
    }
}

/// Reads `YYYY-MM-DD` and nothing else.
pub fn date(text: &str) -> Result<NaiveDate> {
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) if text.len() == 10 => Ok(day),
        _ => malformed(text, "a date", "write it like 2025-10-31"),
    }
}

/// The first instant of a day in `zone`: where the clock jumps over midnight, the instant of the jump.
pub fn midnight_ms(day: NaiveDate, zone: Tz) -> i64 {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    match zone.from_local_datetime(&midnight).earliest() {
        Some(time) => time.timestamp_millis(),
        None => first_instant_after_gap(day, zone),
    }
}

fn first_instant_after_gap(day: NaiveDate, zone: Tz) -> i64 {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    (1..=24 * 60)
        .filter_map(|minute| midnight.checked_add_signed(chrono::TimeDelta::minutes(minute)))
        .find_map(|local| zone.from_local_datetime(&local).earliest())
        .map_or_else(
            || Utc.from_utc_datetime(&midnight).timestamp_millis(),
            |time| time.timestamp_millis(),
        )
}

fn split_unit(text: &str) -> Result<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    match number.parse() {
        Ok(number) => Ok((number, unit)),
        Err(_) => Problem::usage(format!("`{text}` must be a positive whole number with a unit")).err(),
    }
}

fn malformed<T>(text: &str, wanted: &str, fix: &str) -> Result<T> {
    Problem::usage(format!("`{text}` is not {wanted}")).fix(fix).err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        date(text).unwrap()
    }

    #[test]
    fn retentions_follow_the_calendar() {
        let years = |n| retention(&format!("{n}y")).unwrap().unwrap();
        assert_eq!(years(3).cutoff(day("2026-11-22")), Some(day("2023-11-22")));
        assert_eq!(years(1).cutoff(day("2024-02-29")), Some(day("2023-02-28")));
        assert_eq!(years(4).cutoff(day("2024-02-29")), Some(day("2020-02-29")));
        let half = retention("6mo").unwrap().unwrap();
        assert_eq!(half.cutoff(day("2026-08-31")), Some(day("2026-02-28")));
        assert_eq!(
            retention("2w").unwrap().unwrap().cutoff(day("2026-01-10")),
            Some(day("2025-12-27"))
        );
        assert_eq!(retention("none").unwrap(), None);
    }

    #[test]
    fn a_doubtful_retention_is_refused() {
        assert!(retention("3m").unwrap_err().to_string().contains("3mo"));
        for text in ["0d", "-3y", "3", "y", "", "3 y", "99999999999y", "1.5y"] {
            assert!(retention(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_and_sizes() {
        assert_eq!(duration("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(duration("2w").unwrap(), Duration::from_secs(14 * 86_400));
        assert!(duration("5").is_err() && duration("5mo").is_err());
        assert_eq!(size("256MiB").unwrap(), 256 << 20);
        assert!(size("0").is_err() && size("1XB").is_err());
        for text in ["90s", "2h", "14d", "1m", "1500ms"] {
            assert_eq!(shortest(duration(text).unwrap().as_millis() as u64), text);
        }
    }

    #[test]
    fn a_date_is_midnight_in_the_zone() {
        let paris: Tz = "Europe/Paris".parse().unwrap();
        assert_eq!(time_ms("2025-10-31", paris).unwrap(), 1_761_865_200_000);
        assert_eq!(time_ms("2025-10-31T00:00:00Z", paris).unwrap(), 1_761_868_800_000);
        // Santiago's clocks jump over midnight on 2025-09-07: its day begins at 01:00.
        let santiago: Tz = "America/Santiago".parse().unwrap();
        assert_eq!(time_ms("2025-09-07", santiago).unwrap(), 1_757_217_600_000);
        assert!(time_ms("yesterday", paris).is_err() && time_ms("2025-2-3", paris).is_err());
    }

    /// The number before a unit, read digit by digit.
    fn number(text: &str, unit: &str) -> Option<u128> {
        let digits = text.strip_suffix(unit)?;
        let digit = |sum: u128, c: char| Some(sum * 10 + u128::from(c.to_digit(10)?));
        (!digits.is_empty() && digits.len() < 30).then(|| digits.chars().try_fold(0, digit))?
    }

    proptest! {
        /// Every unit means what its table says, and no other text is read as a unit.
        #[test]
        fn units_mean_what_they_say(text in prop_oneof!["[0-9]{1,12}(ms|s|m|h|d|w|mo|y|B|KiB|MB|TiB|)", "[0-9]{0,22}[a-zA-Z ]{0,3}", "\\PC{0,8}"]) {
            let table = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];
            let exact = table.iter().find_map(|(unit, ms)| number(&text, unit).map(|n| n * ms));
            match duration(&text) {
                Ok(found) => prop_assert_eq!(Some(found.as_millis()), exact, "{}", text),
                Err(_) => prop_assert!(exact.is_none_or(|ms| ms > i64::MAX as u128 / 1_000), "{}", text),
            }
            let table = [("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("kB", 1_000), ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000u128)];
            let exact = table.iter().find_map(|(unit, bytes)| number(&text, unit).map(|n| n * bytes));
            match size(&text) {
                Ok(found) => prop_assert_eq!(Some(u128::from(found)), exact, "{}", text),
                Err(_) => prop_assert!(exact.is_none_or(|bytes| bytes == 0 || bytes > u64::MAX.into()), "{}", text),
            }
            let table = [("d", 1), ("w", 7), ("mo", 1), ("y", 12)];
            let exact = table.iter().find_map(|(unit, scale)| number(&text, unit).map(|n| n * scale));
            match retention(&text) {
                Ok(None) => prop_assert_eq!(&text, "none"),
                Ok(Some(Retention::Days(n) | Retention::Months(n))) => prop_assert_eq!(Some(u128::from(n)), exact, "{}", text),
                Err(error) => prop_assert!(exact.is_none_or(|n| n == 0 || n > 100_000) && error.to_string().contains(&text)),
            }
        }

        /// A cutoff never lies in the future, and a longer retention keeps no less.
        #[test]
        fn cutoffs_lie_in_the_past(n in 1u32..100_000, today in 0i32..3_000_000) {
            let today = NaiveDate::from_num_days_from_ce_opt(today).unwrap();
            for unit in ["d", "w", "mo", "y"] {
                let keep = |n: u32| retention(&format!("{n}{unit}")).ok().flatten().and_then(|keep| keep.cutoff(today));
                if let (Some(cutoff), Some(longer)) = (keep(n), keep(n + 1)) {
                    prop_assert!(cutoff < today && longer < cutoff, "{}{} before {}", n, unit, today);
                }
            }
        }

        #[test]
        fn any_text_is_a_time_or_none(text in "\\PC{0,30}") {
            let _ = time_ms(&text, Tz::America__Santiago);
            prop_assert!(date(&text).is_ok_and(|day| day.to_string() == text) || date(&text).is_err());
        }
    }
}
