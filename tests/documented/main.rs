//! docs/FORMATS.md and examples/lakectl-avro.toml, run as they stand: real Kafka, registry and MySQL.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "only a part of it is needed here")]
#[path = "../warehouse/world.rs"]
mod world;

mod avro;
mod entries;
mod example;
mod page;
mod registry;
mod types;
