//! `lakectl lake` from outside: the built binary on the real Kafka, its files compared with what Kafka holds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod content;
mod days;
mod envelopes;
mod example;
mod incidents;
mod kafka_ends;
mod limits;
mod many;
mod parquet;
mod runs;
mod same_log;
mod selection;
mod streams;
mod tables;
mod verify;
