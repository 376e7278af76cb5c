//! Kafka: the client, the plan of a read, and the bounded read. Nothing is decoded here.

mod client;
mod plan;
mod read;
mod tail;

pub use client::offsets::TopicOffsets;
pub use client::settings::TopicSettings;
pub use client::survey::Leadership;
pub use client::{Client, TopicList};
pub use plan::{Accept, From, LogChanges, PartitionOffsets, difference, is_renamed, plan};
pub use read::{Limits, ReadOutcome, Reading};
pub use tail::read_newest;
