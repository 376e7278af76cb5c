//! Kafka: what is there, what of it a run will read, and the read itself.

mod admin;
mod client;
mod drain;
mod handover;
mod native_headers;
mod options;
mod parts;
mod plan;
mod refusal;
mod shares;
mod survey;
mod turns;

pub use admin::TopicSettings;
pub use client::{Client, TopicList};
pub use drain::{Limits, Outcome, Reading};
pub use plan::{Accept, DrainPlan, From, OffsetRange, PartitionOffsets, plan};
pub use survey::Leadership;
