//! One-shot batch commands that take Kafka and ksqlDB topics into a data lake and a MySQL warehouse.
//!
//! The way of the data: choose -> plan -> read -> decode -> take -> commit -> mirror -> report.

pub mod advice;
pub mod atomic_file;
pub mod audit;
pub mod check;
pub mod cli;
pub mod commands;
pub mod config;
pub mod decode;
pub mod discover;
pub mod erase;
pub mod exit;
pub mod grants;
pub mod http;
pub mod json;
pub mod kafka;
pub mod lake;
pub mod locked;
pub mod memory;
pub mod metrics;
pub mod print;
pub mod problem;
pub mod proposal;
pub mod purge;
pub mod readers;
pub mod record;
pub mod report;
pub mod run;
pub mod run_id;
pub mod status;
pub mod stop;
pub mod subjects;
pub mod target;
pub mod types;
pub mod version;
pub mod warehouse;
pub mod words;
