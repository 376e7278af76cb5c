//! Kafka: what is there, what of it a run will read, and the read itself.

mod client;
mod plan;
mod read;

pub use client::settings::TopicSettings;
pub use client::survey::Leadership;
pub use client::{Client, TopicList};
pub use plan::{Accept, From, PartitionOffsets, plan};
pub use read::{Limits, ReadOutcome, Reading};
