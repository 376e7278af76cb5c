//! Names in the lake: Hive's day folders and the data files in them.

use chrono::{DateTime, Datelike, NaiveDate};
use chrono_tz::Tz;
use std::fmt;

use crate::config::{FileFormat, Kind, units};

/// The folder of the ledger, locks, staging and trash; readers don't need it.
pub const HOME: &str = ".lakectl";

/// Hive's own name for rows without a partition value.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The folder of one day, below a topic's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HivePartition {
    Day(NaiveDate),
    /// For records without a usable timestamp.
    Null,
}

impl HivePartition {
    /// `year=2025/month=10/day=29`
    pub fn path(self) -> String {
        match self {
            HivePartition::Day(day) => {
                format!(
                    "year={:04}/month={:02}/day={:02}",
                    day.year(),
                    day.month(),
                    day.day()
                )
            }
            HivePartition::Null => format!("year={NULL}/month={NULL}/day={NULL}"),
        }
    }

    /// Reads `year=…/month=…/day=…` exactly as `path` writes it: `day=9` is not ours.
    pub fn parse_path(path: &str) -> Option<HivePartition> {
        let mut names = path.split('/');
        let values = ["year=", "month=", "day="].map(|prefix| names.next()?.strip_prefix(prefix));
        let [Some(year), Some(month), Some(day)] = values else {
            return None;
        };
        // Years past 9999 go to the null partition, because their names would not sort.
        if year.len() > 4 && year != NULL {
            return None;
        }
        let partition = if [year, month, day] == [NULL; 3] {
            HivePartition::Null
        } else {
            HivePartition::Day(NaiveDate::from_ymd_opt(
                year.parse().ok()?,
                month.parse().ok()?,
                day.parse().ok()?,
            )?)
        };
        (names.next().is_none() && partition.path() == path).then_some(partition)
    }

    /// Reads what `Display` writes: `2025-10-29`, or Hive's null name.
    pub fn parse(text: &str) -> Option<HivePartition> {
        match text {
            NULL => Some(HivePartition::Null),
            _ => units::date(text).ok().map(HivePartition::Day),
        }
    }
}

impl fmt::Display for HivePartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HivePartition::Day(day) => write!(f, "{day}"),
            HivePartition::Null => f.write_str(NULL),
        }
    }
}

/// The folder of a path relative to the lake root; empty for the root itself.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// `streams/TOPIC` or `tables/TOPIC`
pub fn topic_folder(kind: Kind, topic: &str) -> String {
    format!("{}/{topic}", kind.folder())
}

/// `streams/TOPIC/year=…/month=…/day=…`
pub fn day_folder(kind: Kind, topic: &str, day: HivePartition) -> String {
    format!("{}/{}", topic_folder(kind, topic), day.path())
}

/// What file names of a topic that was created again end with, so that no name repeats.
pub fn generation_suffix(generation: u32) -> String {
    match generation {
        0 | 1 => String::new(),
        generation => format!("-g{generation}"),
    }
}

/// `part-00000-00000000000000000000-00000000000000000041.json`
pub fn batch_name(partition: i32, first: i64, last: i64, generation: u32, format: FileFormat) -> String {
    let (suffix, extension) = (generation_suffix(generation), format.extension());
    format!("part-{partition:05}-{first:020}-{last:020}{suffix}{extension}")
}

/// `part-00000-00000000000000000000-00000000000000000041-c7.json`: made of others by the topic's seventh commit, so that no file
/// has had the name before.
pub fn compacted_name(
    partition: i32,
    (first, last): (i64, i64),
    commit: u64,
    generation: u32,
    format: FileFormat,
) -> String {
    let (suffix, extension) = (generation_suffix(generation), format.extension());
    format!("part-{partition:05}-{first:020}-{last:020}-c{commit}{suffix}{extension}")
}

/// `offset-00000-00000000000000000041.json`
pub fn message_name(partition: i32, offset: i64, generation: u32, format: FileFormat) -> String {
    let (suffix, extension) = (generation_suffix(generation), format.extension());
    format!("offset-{partition:05}-{offset:020}{suffix}{extension}")
}

/// `snapshot_complet.json`
pub fn snapshot_name(format: FileFormat) -> String {
    format!("snapshot_complet{}", format.extension())
}

/// Whether a file has a name that lakectl gives to data files.
pub fn is_data_name(name: &str) -> bool {
    let digits = |text: &str, least: usize| text.len() >= least && text.bytes().all(|b| b.is_ascii_digit());
    let Some(stem) = FileFormat::ALL
        .iter()
        .find_map(|format| name.strip_suffix(format.extension()))
    else {
        return false;
    };
    let (stem, generation) = stem.split_once("-g").unwrap_or((stem, "1"));
    let parts: Vec<&str> = stem.split('-').collect();
    digits(generation, 1)
        && match parts[..] {
            ["snapshot_complet"] => true,
            ["part", partition, first, last] => digits(partition, 5) && digits(first, 20) && digits(last, 20),
            ["part", partition, first, last, commit] => {
                let numbers = digits(partition, 5) && digits(first, 20) && digits(last, 20);
                numbers && commit.strip_prefix('c').is_some_and(|commit| digits(commit, 1))
            }
            ["offset", partition, offset] => digits(partition, 5) && digits(offset, 20),
            _ => false,
        }
}

/// Whether a compaction has given the name.
pub fn is_compacted_name(name: &str) -> bool {
    is_data_name(name) && name.contains("-c")
}

/// The generation in a data file's name: 1, and one more for each time the topic was created again.
pub fn generation_of(name: &str) -> u32 {
    let number = name.split_once("-g").map(|(_, rest)| rest.split('.').next());
    number.flatten().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Finds the day of timestamps. It remembers the bounds of the last day, because neighbours mostly share it.
#[derive(Debug)]
pub struct DayClock {
    zone: Tz,
    /// Milliseconds, half open.
    bounds: (i64, i64),
    day: HivePartition,
}

impl DayClock {
    pub fn new(zone: Tz) -> Self {
        DayClock {
            zone,
            bounds: (0, 0),
            day: HivePartition::Null,
        }
    }

    /// The day of a time in milliseconds since 1970; times before 1970 or past 9999 have none.
    pub fn day_of(&mut self, time_ms: i64) -> HivePartition {
        if time_ms >= self.bounds.0 && time_ms < self.bounds.1 {
            return self.day;
        }
        let day = match DateTime::from_timestamp_millis(time_ms) {
            Some(time) if time_ms >= 0 => time.with_timezone(&self.zone).date_naive(),
            _ => return HivePartition::Null,
        };
        if day.year() > 9999 {
            return HivePartition::Null;
        }
        if let Some(next) = day.succ_opt() {
            let bounds = (
                units::midnight_ms(day, self.zone).max(0),
                units::midnight_ms(next, self.zone),
            );
            // A clock change may repeat midnight: bounds are remembered only if they hold the time itself.
            if time_ms >= bounds.0 && time_ms < bounds.1 {
                (self.bounds, self.day) = (bounds, HivePartition::Day(day));
            }
        }
        HivePartition::Day(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Compression;
    use proptest::prelude::*;

    fn day(clock: &mut DayClock, time: &str) -> String {
        clock
            .day_of(DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis())
            .to_string()
    }

    #[test]
    fn midnight_depends_on_the_zone() {
        let mut utc = DayClock::new(Tz::UTC);
        assert_eq!(day(&mut utc, "2025-10-25T23:59:59.999Z"), "2025-10-25");
        assert_eq!(day(&mut utc, "2025-10-26T00:00:00Z"), "2025-10-26");
        let mut paris = DayClock::new(Tz::Europe__Paris);
        // The day on which the clocks go back has 25 hours.
        assert_eq!(day(&mut paris, "2025-10-25T21:59:59.999Z"), "2025-10-25");
        assert_eq!(day(&mut paris, "2025-10-25T22:00:00Z"), "2025-10-26");
        assert_eq!(day(&mut paris, "2025-10-26T22:59:59.999Z"), "2025-10-26");
        assert_eq!(day(&mut paris, "2025-10-26T23:00:00Z"), "2025-10-27");
    }

    #[test]
    fn unusable_times_have_no_day() {
        let mut clock = DayClock::new(Tz::UTC);
        for time in [-1, i64::MIN, i64::MAX, 253_402_300_800_000] {
            assert_eq!(clock.day_of(time), HivePartition::Null, "{time}");
        }
        assert_eq!(clock.day_of(0).to_string(), "1970-01-01");
        assert_eq!(clock.day_of(253_402_300_799_999).to_string(), "9999-12-31");
    }

    #[test]
    fn names() {
        let partition = HivePartition::parse_path("year=2025/month=10/day=09").unwrap();
        assert_eq!(
            day_folder(Kind::Stream, "T", partition),
            "streams/T/year=2025/month=10/day=09"
        );
        assert_eq!(
            batch_name(3, 0, 41, 2, FileFormat::Json(Compression::Gzip)),
            "part-00003-00000000000000000000-00000000000000000041-g2.json.gz"
        );
        assert_eq!(
            message_name(0, 7, 1, FileFormat::Json(Compression::None)),
            "offset-00000-00000000000000000007.json"
        );
        for name in [
            batch_name(0, 1, 2, 1, FileFormat::Json(Compression::None)),
            batch_name(100_000, 1, i64::MAX, 12, FileFormat::Json(Compression::Zstd)),
            message_name(0, 7, 3, FileFormat::Json(Compression::Gzip)),
            compacted_name(0, (1, 2), 17, 1, FileFormat::Json(Compression::Zstd)),
            compacted_name(0, (1, 2), 1, 2, FileFormat::Json(Compression::None)),
            snapshot_name(FileFormat::Json(Compression::None)),
            batch_name(0, 1, 2, 1, FileFormat::Parquet),
            compacted_name(0, (1, 2), 1, 2, FileFormat::Parquet),
            snapshot_name(FileFormat::Parquet),
        ] {
            assert!(is_data_name(&name), "{name}");
        }
        for name in [
            "part-0.json",
            "part-00000-a.json",
            "_SUCCESS",
            "notes.json",
            "snapshot_complet",
            "part.json",
            "part-00000-00000000000000000001-00000000000000000002-c.json",
            "part-00000-00000000000000000001-00000000000000000002-17.json",
        ] {
            assert!(!is_data_name(name), "{name}");
        }
        assert_eq!(
            generation_of(&message_name(0, 7, 3, FileFormat::Json(Compression::Gzip))),
            3
        );
        assert_eq!(
            generation_of(&batch_name(0, 1, 2, 1, FileFormat::Json(Compression::None))),
            1
        );
        let compacted = compacted_name(3, (0, 41), 7, 2, FileFormat::Json(Compression::Gzip));
        assert_eq!(
            compacted,
            "part-00003-00000000000000000000-00000000000000000041-c7-g2.json.gz"
        );
        assert_eq!(generation_of(&compacted), 2);
        assert!(is_compacted_name(&compacted));
        assert!(!is_compacted_name(&batch_name(
            0,
            1,
            2,
            1,
            FileFormat::Json(Compression::None)
        )));
        assert!(HivePartition::parse_path("year=2025/month=10/day=9").is_none());
        assert!(HivePartition::parse_path("year=2025/month=02/day=30").is_none());
        assert!(HivePartition::parse_path("year=2025/month=10/day=09/x").is_none());
        let null = HivePartition::Null.path();
        assert_eq!(HivePartition::parse_path(&null), Some(HivePartition::Null));
    }

    /// Days per month by the calendar's own rule, without chrono.
    fn is_day(year: u32, month: u32, day: u32) -> bool {
        let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
        let last = match month {
            2 => 28 + u32::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        (1..=last).contains(&day)
    }

    proptest! {
        /// A folder's name is a day exactly as it would be written, and nothing that only looks like one.
        #[test]
        fn only_whole_days_are_read(year in 0u32..11_000, month in 0u32..15, day in 0u32..34, spoilt in "[=/ 0-9yY.+-]{1,2}", at in any::<prop::sample::Index>()) {
            let path = format!("year={year:04}/month={month:02}/day={day:02}");
            let read = HivePartition::parse_path(&path);
            prop_assert_eq!(read.is_some(), is_day(year, month, day) && year < 10_000, "{}", path);
            if let Some(partition) = read {
                prop_assert_eq!(partition.path(), path.clone());
                prop_assert_eq!(partition.to_string(), format!("{year:04}-{month:02}-{day:02}"));
            }
            let at = at.index(path.len() + 1);
            let spoilt = format!("{}{spoilt}{}", &path[..at], &path[at..]);
            prop_assert_eq!(HivePartition::parse_path(&spoilt), None, "{}", spoilt);
            prop_assert_eq!(HivePartition::parse_path(&path.replace('=', "")), None);
        }

        #[test]
        fn any_text_is_a_day_or_none(text in "\\PC{0,30}") {
            prop_assert!(HivePartition::parse_path(&text).is_none_or(|day| day.path() == text));
            prop_assert!(HivePartition::parse(&text).is_none_or(|day| day.to_string() == text));
            let _ = is_data_name(&text);
            let _ = generation_of(&text);
        }

        /// Every day's path reads back, and the remembered bounds never change an answer.
        #[test]
        fn path_and_day_are_inverse(times in proptest::collection::vec(0i64..253_402_300_800_000, 1..20)) {
            for zone in [Tz::UTC, Tz::Europe__Paris, Tz::America__Santiago, Tz::Asia__Kolkata] {
                let mut clock = DayClock::new(zone);
                for &time in &times {
                    let day = clock.day_of(time);
                    prop_assert_eq!(day, DayClock::new(zone).day_of(time));
                    prop_assert_eq!(HivePartition::parse_path(&day.path()), Some(day));
                    prop_assert_eq!(HivePartition::parse(&day.to_string()), Some(day));
                }
            }
        }
    }
}
