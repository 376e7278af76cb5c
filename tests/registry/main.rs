//! The client of schema registries: against one of our own, which says what a test wants, and against a real one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../warehouse/world.rs"]
#[allow(dead_code, reason = "some of it is used here")]
mod world;

mod asked;
mod erasure;
mod failing;
mod login;
mod place;
mod real;
mod runs;
mod scene;
mod tls;
