//! Kills: at every system call by which a command changes anything, and at any moment under a live producer. After one
//! more plain run all is as if nothing had happened, judged by readers that know nothing of lakectl's code.
//!
//! The short form is part of scripts/test; scripts/torture runs the long one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;

#[allow(dead_code, reason = "this binary uses its own part of it")]
#[path = "../warehouse/tables.rs"]
mod tables;
#[allow(dead_code, reason = "this binary uses its own part of it")]
#[path = "../warehouse/world.rs"]
mod world;

mod database;
mod governance;
mod init_db;
mod lake;
mod many;
mod picture;
mod random;
mod source;
mod sweep;
mod torture;
mod warehouse;
