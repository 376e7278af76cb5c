//! Dates, times and durations as ISO 8601 text. What can't be written so is written as the number that it is.

use crate::decode::text::{push_ascii, push_integer};

/// Of the years 1 to 9999, as days since 1970.
const DAY_MIN: i64 = -719_162;
const DAY_MAX: i64 = 2_932_896;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Appends the day so many days after 1970: `"2025-10-31"`.
pub(super) fn push_date(out: &mut String, days: i32) {
    if !(DAY_MIN..=DAY_MAX).contains(&days.into()) {
        return push_integer(out, days);
    }
    let mut text = AsciiText::default();
    text.push(b'"');
    text.push_day(days.into());
    text.push(b'"');
    push_ascii(out, text.written());
}

/// Appends a time of day, in units of which `10^digits` are a second: `"23:30:00.123"`.
pub(super) fn push_time(out: &mut String, time: i64, digits: u8) {
    let instant = Instant::of(time, digits);
    if instant.day != 0 {
        return push_integer(out, time);
    }
    let mut text = AsciiText::default();
    text.push(b'"');
    text.push_clock(&instant, digits);
    text.push(b'"');
    push_ascii(out, text.written());
}

/// Appends the instant so many units after 1970: `"2025-10-31T23:30:00.123Z"`, without the Z if it is local.
pub(super) fn push_timestamp(out: &mut String, time: i64, digits: u8, utc: bool) {
    let instant = Instant::of(time, digits);
    if !(DAY_MIN..=DAY_MAX).contains(&instant.day) {
        return push_integer(out, time);
    }
    let mut text = AsciiText::default();
    text.push(b'"');
    text.push_day(instant.day);
    text.push(b'T');
    text.push_clock(&instant, digits);
    if utc {
        text.push(b'Z');
    }
    text.push(b'"');
    push_ascii(out, text.written());
}

/// Appends a duration: `"P1M2DT3.004S"`. Its three parts don't convert into each other, so none of them is carried over.
pub(super) fn push_duration(out: &mut String, months: u32, days: u32, milliseconds: u32) {
    out.push_str("\"P");
    if months > 0 {
        push_integer(out, months);
        out.push('M');
    }
    if days > 0 {
        push_integer(out, days);
        out.push('D');
    }
    if milliseconds > 0 || (months == 0 && days == 0) {
        out.push('T');
        push_integer(out, milliseconds / 1000);
        if !milliseconds.is_multiple_of(1000) {
            let mut text = AsciiText::default();
            text.push(b'.');
            text.push_digits(milliseconds % 1000, 3);
            push_ascii(out, text.written());
        }
        out.push('S');
    }
    out.push('"');
}

/// An instant as its day since 1970, the second of the day, and the fraction of that.
struct Instant {
    day: i64,
    second: u32,
    fraction: u32,
}

impl Instant {
    /// By the number of units since 1970, of which `10^digits`, at most nanoseconds, are a second.
    fn of(time: i64, digits: u8) -> Instant {
        match digits {
            // Constants spare the processor the divisions.
            3 => Instant::by_units(time, 1_000),
            6 => Instant::by_units(time, 1_000_000),
            _ => Instant::by_units(time, 10i64.pow(digits.into())),
        }
    }

    #[inline(always)]
    fn by_units(time: i64, units: i64) -> Instant {
        let (second, fraction) = (time.div_euclid(units), time.rem_euclid(units));
        Instant {
            day: second.div_euclid(DAY_SECONDS),
            // Both fit 32 bits: a day's seconds, and nanoseconds at most.
            second: second.rem_euclid(DAY_SECONDS) as u32,
            fraction: fraction as u32,
        }
    }
}

/// The numbers of two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

/// The longest is a timestamp with nanoseconds in its quotes.
#[derive(Default)]
struct AsciiText {
    bytes: [u8; 32],
    length: usize,
}

impl AsciiText {
    fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    /// A number below 100.
    fn push_pair(&mut self, number: u32) {
        let pair = PAIRS[number as usize % PAIRS.len()];
        self.bytes[self.length..self.length + 2].copy_from_slice(&pair);
        self.length += 2;
    }

    fn push_digits(&mut self, mut number: u32, count: usize) {
        for digit in self.bytes[self.length..self.length + count].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self.length += count;
    }

    fn push_day(&mut self, days: i64) {
        let (year, month, day) = civil(days);
        self.push_pair(year / 100);
        self.push_pair(year % 100);
        self.push(b'-');
        self.push_pair(month);
        self.push(b'-');
        self.push_pair(day);
    }

    fn push_clock(&mut self, at: &Instant, digits: u8) {
        self.push_pair(at.second / 3600);
        self.push(b':');
        self.push_pair(at.second / 60 % 60);
        self.push(b':');
        self.push_pair(at.second % 60);
        self.push(b'.');
        self.push_digits(at.fraction, digits.into());
    }

    fn written(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Year, month and day of a day of these years, as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms". Its years
/// begin in March, so that the leap day is their last one.
fn civil(days: i64) -> (u32, u32, u32) {
    // Since the first of March of the year 0, which is before all of them.
    let days = (days + 719_468) as u32;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u32::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Datelike, NaiveDate};

    fn text(push: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        push(&mut out);
        out
    }

    #[test]
    fn every_day_is_chronos_day() {
        let first = NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
        let last = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap();
        for day in first.iter_days().take_while(|&day| day <= last) {
            let number = i64::from(day.num_days_from_ce()) + DAY_MIN - 1;
            let civil = civil(number);
            assert_eq!(civil, (day.year() as u32, day.month(), day.day()));
        }
        assert_eq!(text(|out| push_date(out, DAY_MIN as i32)), "\"0001-01-01\"");
        assert_eq!(text(|out| push_date(out, DAY_MAX as i32)), "\"9999-12-31\"");
        assert_eq!(text(|out| push_date(out, DAY_MIN as i32 - 1)), "-719163");
        assert_eq!(text(|out| push_date(out, i32::MAX)), "2147483647");
    }

    #[test]
    fn instants_are_chronos_instants() {
        for time in [
            0,
            1,
            -1,
            999,
            1_761_953_400_123,
            -62_135_596_800_000,
            253_402_300_799_999,
        ] {
            let millis = DateTime::from_timestamp_millis(time).unwrap();
            let expected = format!("\"{}\"", millis.format("%Y-%m-%dT%H:%M:%S%.3fZ"));
            assert_eq!(text(|out| push_timestamp(out, time, 3, true)), expected);
        }
        for time in [-1, 1_761_953_400_123_456_789, i64::MIN, i64::MAX] {
            let nanos = DateTime::from_timestamp_nanos(time);
            let expected = format!("\"{}\"", nanos.format("%Y-%m-%dT%H:%M:%S%.9f"));
            assert_eq!(text(|out| push_timestamp(out, time, 9, false)), expected);
        }
        for time in [-62_135_596_800_001, 253_402_300_800_000, i64::MIN, i64::MAX] {
            assert_eq!(text(|out| push_timestamp(out, time, 3, true)), time.to_string());
        }
    }

    #[test]
    fn times_of_day() {
        assert_eq!(text(|out| push_time(out, 0, 3)), "\"00:00:00.000\"");
        assert_eq!(text(|out| push_time(out, 86_399_999, 3)), "\"23:59:59.999\"");
        assert_eq!(
            text(|out| push_time(out, 84_600_123_456, 6)),
            "\"23:30:00.123456\""
        );
        assert_eq!(text(|out| push_time(out, 86_400_000, 3)), "86400000");
        assert_eq!(text(|out| push_time(out, -1, 6)), "-1");
    }

    #[test]
    fn durations() {
        assert_eq!(text(|out| push_duration(out, 1, 2, 3004)), "\"P1M2DT3.004S\"");
        assert_eq!(text(|out| push_duration(out, 0, 0, 0)), "\"PT0S\"");
        assert_eq!(text(|out| push_duration(out, 14, 0, 0)), "\"P14M\"");
        assert_eq!(
            text(|out| push_duration(out, 0, 0, u32::MAX)),
            "\"PT4294967.295S\""
        );
    }
}
