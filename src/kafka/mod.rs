//! Kafka: what is there, what of it a run will read, and the read itself.

mod admin;
mod client;
mod drain;
mod fault;
mod handover;
mod native_headers;
mod options;
mod parts;
mod patience;
mod plan;
mod reasons;
mod refusal;
mod settings;
mod shares;
mod survey;
#[cfg(test)]
mod tests;
mod turns;

pub use client::{Client, TopicList};
pub use drain::{Limits, Outcome, Reading};
pub use plan::{Accept, DrainPlan, From, OffsetRange, PartitionOffsets, plan};
pub use settings::TopicSettings;
pub use survey::Leadership;
