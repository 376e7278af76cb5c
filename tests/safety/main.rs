//! What nobody may be able to do to a lake, a warehouse or their secrets: damage, planted links, odd names, prying eyes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod damage;
