//! A broker and a MySQL that take encrypted connections and logins only: what works, and what is said where it doesn't.
//! Both are private to this test binary; they go when the binary ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../check/answer.rs"]
#[allow(dead_code, reason = "some of it is used here")]
mod answer;
#[path = "../common/mod.rs"]
mod common;
#[path = "../broker/private.rs"]
#[allow(dead_code, reason = "nothing is killed here")]
mod private;
#[path = "../warehouse/world.rs"]
#[allow(dead_code, reason = "the answers of a check come with it")]
mod world;

mod examples;
mod kafka;
mod mysql;
mod secured;
