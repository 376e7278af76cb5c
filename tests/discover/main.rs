//! `lakectl discover`: against a ksqlDB of our own, which says what a test wants, a real Kafka and a real registry.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod failing;
mod ksqldb;
mod place;
mod seen;
mod written;
