//! Which days are plausible, and the unit in which an implausible number would be such a day.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::config::TimeUnit;

/// The first plausible day, 2000-01-01. Where milliseconds are meant, seconds make days of 1970, and nothing sets a purge
/// right that took them for old.
pub const FIRST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2000, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// How far a clock may be ahead of ours.
const DAYS_AHEAD: i64 = 366;

/// The plausible days, as of now.
#[derive(Debug, Clone, Copy)]
pub struct PlausibleDays {
    last: NaiveDate,
}

impl PlausibleDays {
    pub fn now() -> PlausibleDays {
        let today = Utc::now().date_naive();
        PlausibleDays {
            last: today
                .checked_add_signed(TimeDelta::days(DAYS_AHEAD))
                .unwrap_or(NaiveDate::MAX),
        }
    }

    pub fn have(self, day: NaiveDate) -> bool {
        (FIRST_DAY..=self.last).contains(&day)
    }

    /// The unit other than `given` in which a number since 1970 would be a plausible day, with that day. There is at most
    /// one, because units lie a factor of a thousand apart. None for days: no timestamp_unit changes what a DATE counts.
    pub fn likely_unit(self, number: i64, given: TimeUnit) -> Option<(TimeUnit, NaiveDate)> {
        let others = TimeUnit::ALL.into_iter().filter(|unit| *unit != given);
        let mut others = others.filter(|_| given != TimeUnit::Days);
        others.find_map(|unit| {
            let seconds = (i128::from(number) * i128::from(unit.nanoseconds()))
                .div_euclid(i128::from(TimeUnit::S.nanoseconds()));
            let day = DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)?.date_naive();
            self.have(day).then_some((unit, day))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_unit_is_seen_and_the_right_one_found() {
        let plausible = PlausibleDays::now();
        let second = 1_766_000_000i64;
        let day = NaiveDate::from_ymd_opt(2025, 12, 17).unwrap();
        for (unit, scale) in TimeUnit::ALL
            .into_iter()
            .zip([1, 1_000, 1_000_000, 1_000_000_000])
        {
            for given in TimeUnit::ALL {
                let expected = (given != unit).then_some((unit, day));
                assert_eq!(plausible.likely_unit(second * scale, given), expected);
            }
        }
        for number in [0, -1, 20_392, 100_000_000, i64::MAX, i64::MIN] {
            assert_eq!(plausible.likely_unit(number, TimeUnit::Ms), None, "{number}");
        }
    }

    #[test]
    fn plausible_days_begin_in_2000_and_end_a_year_ahead() {
        let plausible = PlausibleDays::now();
        let today = Utc::now().date_naive();
        let after = |days| today + TimeDelta::days(days);
        assert!(plausible.have(FIRST_DAY) && plausible.have(after(365)));
        assert!(!plausible.have(FIRST_DAY.pred_opt().unwrap()) && !plausible.have(after(400)));
        assert_eq!(FIRST_DAY.to_string(), "2000-01-01");
    }
}
