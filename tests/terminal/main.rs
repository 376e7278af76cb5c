//! Who looks at lakectl: a person at a terminal, a log, Prometheus, and Kafka's own tools.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "these tests need a part of it")]
#[path = "../warehouse/world.rs"]
mod world;

mod exposition;
mod kafkas_tools;
mod logs;
mod metrics;
mod monitoring;
mod plans;
mod proposals;
mod pty;
mod signals;
mod table;
