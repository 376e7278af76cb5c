//! One-shot batch commands that take Kafka and ksqlDB topics into a data lake and a MySQL warehouse.
//!
//! The way of the data: config -> plan -> drain -> stage -> commit -> mirror -> report.

pub mod cli;
pub mod config;
pub mod exit;
pub mod json;
pub mod ksqldb;
pub mod record;
pub mod report;
pub mod sink;
pub mod warehouse;
