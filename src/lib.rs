//! One-shot batch commands that take Kafka and ksqlDB topics into a data lake and a MySQL warehouse.
//!
//! The way of the data: config -> plan -> drain -> decode -> stage -> commit -> mirror -> report.

pub mod advice;
pub mod audit;
pub mod check;
pub mod cli;
pub mod commands;
pub mod config;
pub mod decode;
pub mod erase;
pub mod exit;
mod fetch;
pub mod grants;
pub mod json;
pub mod kafka;
pub mod key_hash;
pub mod ksqldb;
pub mod lake;
pub mod locked;
pub mod metrics;
pub mod print;
pub mod problem;
pub mod progress;
pub mod purge;
mod rank;
pub mod readers;
pub mod record;
pub mod replace;
pub mod report;
pub mod run;
pub mod run_id;
pub mod select;
pub mod sink;
pub mod status;
pub mod stop;
pub mod version;
pub mod warehouse;
