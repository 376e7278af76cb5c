//! Retention: a plan from what is there, looked at by a person, and executed by value.

mod plan;

pub use plan::{FolderPlan, Plan, TablePlan, TopicPlan, topic};
