//! A broker or a MySQL that is killed, stopped or cut off while `lakectl` is at work, and what the next run finds.
//! What gets killed here is private to this test binary; it goes when the binary ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../warehouse/tables.rs"]
#[allow(dead_code, reason = "one of its tables is used here")]
mod tables;
#[path = "../warehouse/world.rs"]
#[allow(dead_code, reason = "some of it is used here")]
mod world;

mod astray;
mod killed;
mod mysqld;
#[allow(dead_code, reason = "where its files lie is asked by other tests")]
mod private;
mod quota;
mod settings;
mod sick;
mod truncated;
mod untold;
mod wire;
mod young;
