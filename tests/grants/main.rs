//! `lakectl grant` from outside: the built binary, real MySQL, real users of this system and real accounts of MySQL.
//! Must run as root, since it makes and removes users.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod drained;
mod files;
mod rows;
mod tables;
mod world;
