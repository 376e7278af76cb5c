//! Dates, times and durations as text.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Offset, TimeZone, Timelike};
use chrono_tz::Tz;

use super::text::push;

/// `google.protobuf.Duration` holds about 10,000 years.
const DURATION_SECONDS_MAX: i64 = 315_576_000_000;
const NANOS_PER_SECOND: u32 = 1_000_000_000;
/// Offsets from UTC reach from -18 to +18 hours.
const OFFSET_SECONDS_MAX: i64 = 18 * 3600;

/// A year with all days.
const LEAP_YEAR: i64 = 2000;

/// A date that may lack its year, or its month and day.
pub(super) struct PartialDate {
    pub year: i64,
    pub month: i64,
    pub day: i64,
}

pub(super) struct ClockTime {
    pub hours: i64,
    pub minutes: i64,
    pub seconds: i64,
    pub nanos: i64,
}

/// What is known of the place of a date and time.
pub(super) enum LocalOffset<'a> {
    Unknown,
    Seconds(i64),
    Zone(&'a str),
}

/// `2025-10-31T23:30:00.123Z`, with 3, 6 or 9 digits. False, and nothing is written: it is not within the years 1 to 9999, or
/// its nanoseconds are more than a second.
pub(super) fn push_timestamp(out: &mut String, seconds: i64, nanos: i64) -> bool {
    let Some(nanos) = nanos_of_second(nanos) else {
        return false;
    };
    let Some(time) =
        DateTime::from_timestamp(seconds, nanos).filter(|time| (1..=9999).contains(&time.year()))
    else {
        return false;
    };
    out.push('"');
    push_date(out, time.date_naive());
    out.push('T');
    push_time(out, time.time());
    push_fraction(out, nanos);
    out.push_str("Z\"");
    true
}

/// As in Protobuf's JSON mapping: `-1.500s`. False, and nothing is written: the mapping has no such duration.
pub(super) fn push_duration(out: &mut String, seconds: i64, nanos: i64) -> bool {
    let Some(fraction) = nanos_of_second(nanos.abs()) else {
        return false;
    };
    let signs_differ = (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0);
    if signs_differ || seconds.unsigned_abs() > DURATION_SECONDS_MAX as u64 {
        return false;
    }
    out.push('"');
    if seconds < 0 || nanos < 0 {
        out.push('-');
    }
    push(out, seconds.unsigned_abs());
    if fraction != 0 {
        push_fraction(out, fraction);
    }
    out.push_str("s\"");
    true
}

impl PartialDate {
    /// `2025-10-31`; without a day `2025-10`, without a month `2025`, without a year `--10-31`, as ISO 8601 has them.
    /// False, and nothing is written: there is no such date.
    pub fn push(&self, out: &mut String) -> bool {
        let text = match (self.year, self.month, self.day) {
            (year, 0, 0) => date(year, 1, 1).map(|_| format!("{year:04}")),
            (0, month, day) => date(LEAP_YEAR, month, day).map(|_| format!("--{month:02}-{day:02}")),
            (year, month, 0) => date(year, month, 1).map(|_| format!("{year:04}-{month:02}")),
            (year, month, day) => date(year, month, day).map(|_| format!("{year:04}-{month:02}-{day:02}")),
        };
        let Some(text) = text else {
            return false;
        };
        push(out, format_args!("\"{text}\""));
        true
    }
}

impl ClockTime {
    /// `23:30:00.123`, with 3, 6 or 9 digits. The end of a day may be 24:00:00, and a minute may have a leap second.
    /// False, and nothing is written: there is no such time.
    pub fn push(&self, out: &mut String) -> bool {
        let Some(nanos) = nanos_of_second(self.nanos) else {
            return false;
        };
        let is_end = (self.hours, self.minutes, self.seconds, self.nanos) == (24, 0, 0, 0);
        let is_time = (0..24).contains(&self.hours)
            && (0..60).contains(&self.minutes)
            && (0..=60).contains(&self.seconds);
        if !is_end && !is_time {
            return false;
        }
        push(
            out,
            format_args!("\"{:02}:{:02}:{:02}", self.hours, self.minutes, self.seconds),
        );
        push_fraction(out, nanos);
        out.push('"');
        true
    }
}

/// `2025-10-31T23:30:00.123+01:00`, `…Z` in UTC, and neither if the place is unknown. Of a local time that comes twice, the first.
/// False, and nothing is written: there is no such time, or its time zone is unknown.
pub(super) fn push_local(
    out: &mut String,
    day: &PartialDate,
    time: &ClockTime,
    offset: &LocalOffset<'_>,
) -> bool {
    let known = || {
        let (hours, minutes, seconds) = (number(time.hours)?, number(time.minutes)?, number(time.seconds)?);
        let clock = NaiveTime::from_hms_nano_opt(hours, minutes, seconds, nanos_of_second(time.nanos)?)?;
        let local = date(day.year, day.month, day.day)?.and_time(clock);
        let offset_seconds = match offset {
            LocalOffset::Unknown => None,
            LocalOffset::Seconds(seconds) if seconds.abs() > OFFSET_SECONDS_MAX || seconds % 60 != 0 => {
                return None;
            }
            LocalOffset::Seconds(seconds) => Some(*seconds),
            LocalOffset::Zone(name) => {
                let zone: Tz = name.parse().ok()?;
                let offset = zone.offset_from_local_datetime(&local).earliest()?;
                Some(i64::from(offset.fix().local_minus_utc()))
            }
        };
        Some((local, offset_seconds))
    };
    let Some((local, offset_seconds)) = known() else {
        return false;
    };
    out.push('"');
    push_date(out, local.date());
    out.push('T');
    push_time(out, local.time());
    push_fraction(out, local.nanosecond());
    match offset_seconds {
        None => {}
        Some(0) => out.push('Z'),
        Some(seconds) => {
            let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
            push(out, format_args!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
        }
    }
    out.push('"');
    true
}

fn date(year: i64, month: i64, day: i64) -> Option<NaiveDate> {
    let year = i32::try_from(year)
        .ok()
        .filter(|year| (1..=9999).contains(year))?;
    NaiveDate::from_ymd_opt(year, number(month)?, number(day)?)
}

fn number(value: i64) -> Option<u32> {
    u32::try_from(value).ok()
}

fn nanos_of_second(nanos: i64) -> Option<u32> {
    number(nanos).filter(|nanos| *nanos < NANOS_PER_SECOND)
}

fn push_date(out: &mut String, date: NaiveDate) {
    push(
        out,
        format_args!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()),
    );
}

fn push_time(out: &mut String, time: NaiveTime) {
    push(
        out,
        format_args!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second()),
    );
}

/// With 3, 6 or 9 digits.
fn push_fraction(out: &mut String, nanos: u32) {
    match nanos {
        _ if nanos.is_multiple_of(1_000_000) => push(out, format_args!(".{:03}", nanos / 1_000_000)),
        _ if nanos.is_multiple_of(1_000) => push(out, format_args!(".{:06}", nanos / 1_000)),
        _ => push(out, format_args!(".{nanos:09}")),
    }
}
