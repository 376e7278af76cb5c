//! Records as Debezium and Kafka Connect's JsonConverter write them.

use super::records::{Record, record, tombstone};

/// How a connector's converters dress keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Converter {
    /// JsonConverter without schemas.
    Bare,
    /// JsonConverter with schemas.enable. Its schema has a version, which changes with the table.
    WithSchema(u32),
}

impl Converter {
    pub fn dress(self, payload: &str) -> String {
        match self {
            Converter::Bare => payload.to_owned(),
            Converter::WithSchema(version) => format!(
                "{{\"schema\":{{\"type\":\"struct\",\"fields\":[{{\"field\":\"id\",\"type\":\"int32\",\"optional\":false}}],\
                 \"optional\":false,\"name\":\"shop.people.Envelope\",\"version\":{version}}},\"payload\":{payload}}}"
            ),
        }
    }

    pub fn key(self, id: u32) -> String {
        self.dress(&format!("{{\"id\":{id}}}"))
    }

    /// A row of Connect's own, as the JDBC source writes it.
    pub fn row(self, id: u32, row: &str) -> Record {
        record(&self.key(id), &self.dress(row))
    }

    /// A change of Debezium's; `null` stands for no row.
    pub fn change(self, id: u32, op: &str, before: &str, after: &str) -> Record {
        let event = format!(
            "{{\"before\":{before},\"after\":{after},\"source\":{{\"version\":\"3.2.0.Final\",\"connector\":\"mysql\",\
             \"name\":\"shop\",\"ts_ms\":1761825600000,\"snapshot\":\"false\",\"db\":\"shop\",\"table\":\"people\"}},\
             \"transaction\":null,\"op\":\"{op}\",\"ts_ms\":1761825600123}}"
        );
        record(&self.key(id), &self.dress(&event))
    }

    /// What Debezium sends after a deletion.
    pub fn tombstone(self, id: u32) -> Record {
        tombstone(&self.key(id))
    }
}

pub fn person(id: u32, name: &str) -> String {
    format!("{{\"id\":{id},\"name\":\"{name}\",\"payload\":{{\"after\":{{\"op\":\"d\"}}}}}}")
}
