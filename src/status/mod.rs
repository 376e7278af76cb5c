//! The status of every topic, by the lake's ledger, the database and Kafka, which are asked side by side; as text and page.

mod ask;
mod ends;
mod html;
mod model;
mod text;
mod topics;

pub use ask::{StatusAnswer, ask};
pub use html::page;
pub use model::{LakeState, LakeStatus, PartitionStatus, Source, TableStatus, TopicStatus};
pub use text::lines;
