//! Records, as tests write them down and as Kafka gives them back.

/// 2025-10-30T12:00:00Z
pub const NOON_MS: i64 = 1_761_825_600_000;
pub const HOUR_MS: i64 = 3_600_000;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// A record as Kafka has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A record to be produced into Kafka partition 0 at `NOON_MS`, unless it says otherwise.
pub fn record(key: &str, value: &str) -> Record {
    Record {
        partition: 0,
        offset: -1,
        timestamp_ms: NOON_MS,
        key: Some(key.as_bytes().to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers: Vec::new(),
    }
}

/// A record with a null value.
pub fn tombstone(key: &str) -> Record {
    Record {
        value: None,
        ..record(key, "")
    }
}

impl Record {
    pub fn to(self, partition: i32) -> Self {
        Record { partition, ..self }
    }

    /// Milliseconds since 1970.
    pub fn at(self, timestamp_ms: i64) -> Self {
        Record { timestamp_ms, ..self }
    }

    /// RFC 3339.
    pub fn on(self, time: &str) -> Self {
        self.at(time_ms(time))
    }

    pub fn bytes(self, value: &[u8]) -> Self {
        Record {
            value: Some(value.to_vec()),
            ..self
        }
    }

    pub fn key(self, key: Option<&[u8]>) -> Self {
        Record {
            key: key.map(<[u8]>::to_vec),
            ..self
        }
    }

    pub fn header(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.map(<[u8]>::to_vec)));
        self
    }
}

pub fn time_ms(time: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time)
        .unwrap()
        .timestamp_millis()
}

/// `count` records over `partitions` Kafka partitions, a minute apart, told apart by `label`.
pub fn numbered(label: &str, count: usize, partitions: i32) -> Vec<Record> {
    let one = |i: usize| {
        let value = format!("{{\"ID\":\"{label}-{i}\",\"AMOUNT\":{i}.50,\"CITY\":\"Orléans\"}}");
        let partition = i32::try_from(i).unwrap() % partitions;
        record(&format!("{label}-{i}"), &value)
            .to(partition)
            .at(NOON_MS + i as i64 * 60_000)
    };
    (0..count).map(one).collect()
}
