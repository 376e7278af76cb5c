//! `lakectl init-db` and `lakectl warehouse` from outside: the built binary on the real Kafka and the real MySQL, the
//! tables compared with a fold of what Kafka holds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod content;
mod envelopes;
mod example;
mod faults;
mod incidents;
mod init_db;
mod kills;
mod large;
mod locks;
mod many;
mod moved;
mod proposals;
mod records;
mod references;
mod refused;
mod runs;
mod tables;
mod told;
mod turns;
mod unanswered;
mod units;
mod world;
