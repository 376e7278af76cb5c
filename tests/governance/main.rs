//! Backfills and retention from outside: what a person runs by hand and must be able to trust.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod kills;
mod rebuild;
mod retention;
mod units;

use common::lake::Lake;
use common::program::{self, Run};

/// Runs `lakectl purge` with the lake's configuration.
fn purge(lake: &Lake, arguments: &[&str]) -> Run {
    std::fs::write(lake.folder().join("lakectl.toml"), lake.config()).unwrap();
    let all = [&["purge", "--json", "--only", "lake"], arguments].concat();
    program::start(lake.folder(), &all, &[]).wait()
}
