//! The day folder of a record.

use chrono::{NaiveDate, Utc};
use chrono_tz::Tz;

use super::paths::{DayClock, HivePartition};
use crate::config::{PartitionTime, TimeUnit, Topic, units};
use crate::decode::key::DecodedKey;
use crate::decode::{Body, Decoded};
use crate::report::TimeDoubt;
use crate::types::plausible::PlausibleDays;
use crate::types::time::{self, WrittenTime};

/// Finds a record's day by the time that the topic's `lake.partition_time` names.
#[derive(Debug)]
pub struct RecordDay {
    clock: DayClock,
    zone: Tz,
    by: PartitionTime,
    unit: TimeUnit,
    latest: HivePartition,
    plausible: PlausibleDays,
    doubts: DayDoubts,
}

/// Records whose day is in doubt.
#[derive(Debug, Clone, Default)]
pub struct DayDoubts {
    /// Records without a usable time.
    pub without_day: Option<TimeDoubt>,
    /// Records of implausible days.
    pub implausible: Option<TimeDoubt>,
}

impl DayDoubts {
    fn about(&mut self, day: HivePartition) -> &mut Option<TimeDoubt> {
        match day {
            HivePartition::Day(_) => &mut self.implausible,
            HivePartition::Null => &mut self.without_day,
        }
    }
}

impl RecordDay {
    pub fn new(zone: Tz, topic: &Topic) -> Self {
        RecordDay {
            clock: DayClock::new(zone),
            zone,
            by: topic.partition_time.clone(),
            unit: topic.lake_unit,
            latest: HivePartition::Null,
            plausible: PlausibleDays::now(),
            doubts: DayDoubts::default(),
        }
    }

    /// Whether a field of the value decides the day.
    pub fn is_by_field(&self) -> bool {
        matches!(self.by, PartitionTime::Field(_))
    }

    pub fn today(zone: Tz) -> NaiveDate {
        Utc::now().with_timezone(&zone).date_naive()
    }

    pub fn of(&mut self, record: &Decoded<'_>) -> HivePartition {
        let time = self.raw_time(record);
        self.clock.day_of(time)
    }

    /// The time that decides the day, in milliseconds since 1970; -1 if there is none, or it is outside 1970-9999.
    pub fn time_of(&mut self, record: &Decoded<'_>) -> i64 {
        let time = self.raw_time(record);
        match self.clock.day_of(time) {
            HivePartition::Null => -1,
            day => {
                if self.latest == HivePartition::Null || day > self.latest {
                    self.latest = day;
                }
                time
            }
        }
    }

    pub fn of_time(&mut self, time_ms: i64) -> HivePartition {
        self.clock.day_of(time_ms)
    }

    /// The latest day among the times that `time_of` returned.
    pub fn latest(&self) -> HivePartition {
        self.latest
    }

    /// Counts a record that was taken into `day`, if that is in doubt.
    pub fn note(&mut self, record: &Decoded<'_>, day: HivePartition) {
        if matches!(day, HivePartition::Day(day) if self.plausible.have(day)) {
            return;
        }
        match self.doubts.about(day) {
            Some(doubt) => doubt.records += 1,
            None => *self.doubts.about(day) = Some(self.explain(record, day)),
        }
    }

    pub fn doubts(&self) -> &DayDoubts {
        &self.doubts
    }

    /// The time in milliseconds since 1970, which may be outside of 1970-9999; -1 if there is none.
    fn raw_time(&self, record: &Decoded<'_>) -> i64 {
        match &self.by {
            PartitionTime::Kafka => self.in_ms(record.at.timestamp_ms).unwrap_or(-1),
            PartitionTime::Window => window_start(record).unwrap_or(-1),
            PartitionTime::Field(name) => record
                .body
                .field(name)
                .and_then(|raw| time::of_json(raw, self.unit).ok())
                .map_or(-1, |time| match time {
                    // A date begins where the lake's days begin.
                    WrittenTime::Day(day) => units::midnight_ms(day, self.zone),
                    WrittenTime::Instant(time) => time.and_utc().timestamp_millis(),
                }),
        }
    }

    /// Kafka's timestamp in milliseconds, of which -1 means none; None: outside of all calendars.
    fn in_ms(&self, timestamp: i64) -> Option<i64> {
        if timestamp < 0 || self.unit == TimeUnit::Ms {
            return Some(timestamp);
        }
        let nanoseconds = i128::from(timestamp) * i128::from(self.unit.nanoseconds());
        i64::try_from(nanoseconds / i128::from(TimeUnit::Ms.nanoseconds())).ok()
    }

    /// Why the record's day is in doubt.
    fn explain(&self, record: &Decoded<'_>, day: HivePartition) -> TimeDoubt {
        let (why, number) = match &self.by {
            PartitionTime::Kafka => match record.at.timestamp_ms {
                -1 => ("Kafka has no timestamp of it".to_owned(), None),
                number => (self.reading("its timestamp", number, day), Some(number)),
            },
            PartitionTime::Window => match window_start(record) {
                None => ("its key has no window".to_owned(), None),
                Some(start) => (self.reading("its window's start", start, day), None),
            },
            PartitionTime::Field(name) => self.explain_field(name, record, day),
        };
        let likely = number.and_then(|number| Some((number, self.plausible.likely_unit(number, self.unit)?)));
        TimeDoubt::first(record.at, why, likely)
    }

    fn explain_field(&self, name: &str, record: &Decoded<'_>, day: HivePartition) -> (String, Option<i64>) {
        let Some(raw) = record.body.field(name) else {
            let why = match record.body {
                Body::Tombstone => "a record without a value has no fields".to_owned(),
                _ => format!("it has no field {name}"),
            };
            return (why, None);
        };
        let number = raw.trim_matches([' ', '\t', '\n', '\r', '"']).parse().ok();
        let why = match (time::of_json(raw, self.unit), number) {
            (Err(reason), _) => format!("field {name}: {reason}"),
            (Ok(_), Some(number)) => self.reading(&format!("field {name}"), number, day),
            (Ok(_), None) => format!("field {name} is {}", told(day)),
        };
        (why, number)
    }

    fn reading(&self, what: &str, number: i64, day: HivePartition) -> String {
        format!("{what}, {number}, read as {} is {}", self.unit.word(), told(day))
    }
}

fn window_start(record: &Decoded<'_>) -> Option<i64> {
    match record.key {
        DecodedKey::Key {
            window: Some(window), ..
        } => Some(window.start_ms),
        _ => None,
    }
}

fn told(day: HivePartition) -> String {
    match day {
        HivePartition::Day(day) => day.to_string(),
        HivePartition::Null => "before 1970 or past the year 9999".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KeySchema, Kind};
    use crate::decode::Decoder;
    use crate::record::Record;
    use proptest::prelude::*;

    fn topic(by: PartitionTime, unit: TimeUnit) -> Topic {
        Topic {
            partition_time: by,
            lake_unit: unit,
            ..Topic::ad_hoc("T", Kind::Stream, None).unwrap()
        }
    }

    fn field(name: &str) -> PartitionTime {
        PartitionTime::Field(name.to_owned())
    }

    /// The day of one record in Paris, and the doubts about it.
    fn noted(by: PartitionTime, unit: TimeUnit, timestamp: i64, value: &str) -> (String, DayDoubts) {
        let record = Record {
            partition: 3,
            offset: 17,
            timestamp_ms: timestamp,
            key: Some(b"k\x00\x00\x01\x8b\xcf\xe6\xee\xa0"),
            value: Some(value.as_bytes()),
            headers: Vec::new(),
        };
        let window = Some(crate::config::Window::Time { size_ms: 1 });
        let key = KeySchema {
            window,
            ..KeySchema::default()
        };
        let decoded = Decoder::of_keys(key).decode(&record).unwrap();
        let mut days = RecordDay::new(Tz::Europe__Paris, &topic(by, unit));
        let day = days.of(&decoded);
        days.note(&decoded, day);
        (day.to_string(), days.doubts)
    }

    fn day(by: PartitionTime, value: &str) -> String {
        noted(by, TimeUnit::Ms, 0, value).0
    }

    #[test]
    fn each_time_can_decide() {
        assert_eq!(day(PartitionTime::Kafka, "{}"), "1970-01-01");
        assert_eq!(day(PartitionTime::Window, "{}"), "2023-11-14");
        for (value, expected) in [
            (r#"{"t":1761868799000}"#, "2025-10-31"),
            (r#"{"t":"1761868799000"}"#, "2025-10-31"),
            (r#"{"t":1.761868799E12}"#, "2025-10-31"),
            (r#"{"t":"2025-10-30T23:30:00Z"}"#, "2025-10-31"),
            (r#"{"t":"2025-10-30T23:30:00.5"}"#, "2025-10-31"),
            (r#"{"t":"2025-10-30 23:30"}"#, "2025-10-31"),
            (r#"{"t":"2025-10-31T01:30:00+0200[Europe/Berlin]"}"#, "2025-10-31"),
            (r#"{"t":"2025-10-30"}"#, "2025-10-30"),
            (r#"{"T":"2025-10-30"}"#, "2025-10-30"),
        ] {
            assert_eq!(day(field("t"), value), expected, "{value}");
        }
        for value in ["{}", "[]", "{\"t\":null}", "{\"t\":\"soon\"}", "{\"t\":-5}"] {
            assert_eq!(day(field("t"), value), HivePartition::Null.to_string(), "{value}");
        }
        assert_eq!(day(field("m.at"), r#"{"M":{"at":"2025-10-30"}}"#), "2025-10-30");
    }

    #[test]
    fn numbers_have_the_topics_unit() {
        use TimeUnit::{Ms, Ns, S, Us};
        for (unit, number) in [
            (S, 1_761_868_799),
            (Ms, 1_761_868_799_000),
            (Us, 1_761_868_799_000_000),
            (Ns, 1_761_868_799_000_000_000),
        ] {
            assert_eq!(noted(PartitionTime::Kafka, unit, number, "{}").0, "2025-10-31");
            for value in [format!("{{\"t\":{number}}}"), format!("{{\"t\":\"{number}\"}}")] {
                let (day, doubts) = noted(field("t"), unit, 0, &value);
                assert_eq!(day, "2025-10-31", "{value}");
                assert!(doubts.without_day.is_none() && doubts.implausible.is_none());
            }
        }
        for number in ["20392", "20392.0"] {
            let (day, doubts) = noted(field("t"), TimeUnit::Days, 0, &format!("{{\"t\":{number}}}"));
            assert_eq!(day, "2025-10-31");
            assert!(doubts.without_day.is_none() && doubts.implausible.is_none());
        }
        for unit in TimeUnit::ALL {
            assert_eq!(
                noted(PartitionTime::Kafka, unit, -1, "{}").0,
                HivePartition::Null.to_string()
            );
        }
        assert_eq!(
            noted(PartitionTime::Kafka, S, i64::MAX, "{}").0,
            HivePartition::Null.to_string()
        );
    }

    #[test]
    fn a_doubtful_day_is_explained_by_its_first_record() {
        let kafka = || PartitionTime::Kafka;
        for (by, timestamp, value, why, likely) in [
            (kafka(), -1, "{}", "no timestamp", None),
            (kafka(), -7, "{}", "-7", None),
            (
                kafka(),
                1_766_000_000,
                "{}",
                "1766000000, read as milliseconds is 1970-01-21",
                Some(TimeUnit::S),
            ),
            (
                kafka(),
                1_766_000_000_000_000,
                "{}",
                "past the year 9999",
                Some(TimeUnit::Us),
            ),
            (field("t"), 0, "{}", "no field t", None),
            (field("t"), 0, r#"{"t":null}"#, "field t: null", None),
            (field("t"), 0, r#"{"t":"soon"}"#, "field t: not an ISO 8601", None),
            (
                field("t"),
                0,
                r#"{"t":1766000000}"#,
                "field t, 1766000000,",
                Some(TimeUnit::S),
            ),
            (
                field("t"),
                0,
                r#"{"t":"1766000000"}"#,
                "field t: not an ISO 8601",
                Some(TimeUnit::S),
            ),
            (
                field("t"),
                0,
                r#"{"t":"1980-05-05"}"#,
                "field t is 1980-05-05",
                None,
            ),
            (
                field("t"),
                0,
                r#"{"t":"2999-05-05"}"#,
                "field t is 2999-05-05",
                None,
            ),
        ] {
            let (_, doubts) = noted(by, TimeUnit::Ms, timestamp, value);
            let doubt = doubts.without_day.or(doubts.implausible).unwrap();
            assert_eq!((doubt.records, doubt.partition, doubt.offset), (1, 3, 17));
            assert_eq!(doubt.likely_unit, likely, "{value}");
            assert!(doubt.why.contains(why), "{}", doubt.why);
            assert_eq!(
                doubt.why.contains("would be 2025-12-17"),
                likely.is_some(),
                "{}",
                doubt.why
            );
        }
    }

    proptest! {
        #[test]
        fn no_timestamp_panics(timestamp in any::<i64>()) {
            for unit in TimeUnit::ALL {
                noted(PartitionTime::Kafka, unit, timestamp, "{}");
                noted(field("t"), unit, 0, &format!("{{\"t\":{timestamp}}}"));
            }
        }
    }
}
