//! `lakectl status` from outside: its figures against the reports of the runs before it, with everything that may be
//! missing, and its page in a real browser.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "made for the tests of the warehouse")]
#[path = "../warehouse/world.rs"]
mod world;

mod browser;
mod figures;
mod hostile;
mod missing;
mod page;
mod quiet;
mod refused;
mod scene;
