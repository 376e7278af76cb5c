//! `lakectl check` on the real Kafka and MySQL: what is wrong is found and has its fix, and nothing is changed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../disk/volume.rs"]
#[allow(dead_code, reason = "no power is cut here")]
mod volume;
#[path = "../warehouse/world.rs"]
#[allow(dead_code, reason = "some of it is used here")]
mod world;

mod answer;
mod configuration;
mod envelopes;
mod formats;
mod kafka;
mod mysql;
mod place;
mod records;
mod whole;
