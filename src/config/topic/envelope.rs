//! The envelope that a connector puts around the rows of a topic.

use serde::{Deserialize, Serialize};

/// The wrapping that a topic's values come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Envelope {
    /// Debezium's change events: the row is in `after`. They may in turn be in Connect's.
    Debezium,
    /// Kafka Connect's JsonConverter with schemas.enable: the row is in `payload`.
    Connect,
}

/// What to set where keys that should be columns are in an envelope: which of the two, only the values tell.
pub const ENVELOPE_OF_KEYS_FIX: &str =
    "set value.unwrap = \"connect\", or \"debezium\" if the values are its change events";

impl std::fmt::Display for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Envelope::Debezium => "debezium",
            Envelope::Connect => "connect",
        })
    }
}
