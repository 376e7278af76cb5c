//! How every topic stands: what the lake's ledger, the database and Kafka say, asked side by side, as text and as a page.

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
