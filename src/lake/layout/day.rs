//! The day folder of a record.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;

use super::paths::{DayClock, HivePartition};
use crate::config::{PartitionTime, units};
use crate::decode::Decoded;
use crate::decode::key::DecodedKey;

/// Finds a record's day by the time that the topic's `lake.partition_time` names.
#[derive(Debug)]
pub struct RecordDay {
    clock: DayClock,
    zone: Tz,
    by: PartitionTime,
    latest: HivePartition,
}

impl RecordDay {
    pub fn new(zone: Tz, by: PartitionTime) -> Self {
        RecordDay {
            clock: DayClock::new(zone),
            zone,
            by,
            latest: HivePartition::Null,
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

    fn raw_time(&self, record: &Decoded<'_>) -> i64 {
        match &self.by {
            PartitionTime::Kafka => record.at.timestamp_ms,
            PartitionTime::Window => match record.key {
                DecodedKey::Key {
                    window: Some(window), ..
                } => window.start_ms,
                _ => -1,
            },
            PartitionTime::Field(name) => {
                let field = record.body.field(name);
                field.and_then(|raw| field_time(&raw, self.zone)).unwrap_or(-1)
            }
        }
    }
}

/// The time in a field: epoch milliseconds, ISO 8601, or a date, which is midnight in `zone`.
/// A time of day without an offset is UTC, as ksqlDB means it.
fn field_time(raw: &str, zone: Tz) -> Option<i64> {
    match &serde_json::from_str(raw).ok()? {
        serde_json::Value::Number(number) => number.as_i64(),
        serde_json::Value::String(text) => DateTime::parse_from_rfc3339(text)
            .map(|time| time.timestamp_millis())
            .or_else(|_| {
                text.parse::<NaiveDateTime>()
                    .map(|time| time.and_utc().timestamp_millis())
            })
            .ok()
            .or_else(|| units::date(text).ok().map(|day| units::midnight_ms(day, zone))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeySchema;
    use crate::decode::Decoder;
    use crate::record::Record;

    fn day(by: PartitionTime, value: &str) -> String {
        let record = Record {
            partition: 0,
            offset: 0,
            timestamp_ms: 0,
            key: Some(b"k\x00\x00\x01\x8b\xcf\xe6\xee\xa0"),
            value: Some(value.as_bytes()),
            headers: Vec::new(),
        };
        let window = Some(crate::config::Window::Time { size_ms: 1 });
        let key = KeySchema {
            window,
            ..KeySchema::default()
        };
        let decoded = Decoder::new(key).decode(&record);
        RecordDay::new(Tz::Europe__Paris, by).of(&decoded).to_string()
    }

    #[test]
    fn each_time_can_decide() {
        assert_eq!(day(PartitionTime::Kafka, "{}"), "1970-01-01");
        assert_eq!(day(PartitionTime::Window, "{}"), "2023-11-14");
        let field = || PartitionTime::Field("t".to_owned());
        assert_eq!(day(field(), r#"{"t":1761868799000}"#), "2025-10-31");
        assert_eq!(day(field(), r#"{"t":"2025-10-30T23:30:00Z"}"#), "2025-10-31");
        assert_eq!(day(field(), r#"{"t":"2025-10-30T23:30:00.5"}"#), "2025-10-31");
        assert_eq!(day(field(), r#"{"t":"2025-10-30"}"#), "2025-10-30");
        for value in ["{}", "[]", "{\"t\":null}", "{\"t\":\"soon\"}", "{\"t\":-5}"] {
            assert_eq!(day(field(), value), HivePartition::Null.to_string(), "{value}");
        }
    }
}
