//! What ksqlDB writes to Kafka: key formats and window suffixes.

mod key;

pub use key::{DecodedKey, Key, KeyFormat, KeySchema, Window, WindowBounds};
