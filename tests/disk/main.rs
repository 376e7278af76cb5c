//! Disks that lose power, fill up, break, or take nothing more: what a run said is done stays done, and what it could not do
//! the next run does.
//!
//! Must run as root, since it mounts file systems of its own; needs strace and mkfs.ext4.
//! `LAKECTL_TORTURE_MINUTES` makes the random part long, `LAKECTL_TORTURE_SEED` repeats one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod controls;
mod cuts;
mod errors;
mod full;
mod limits;
mod mounts;
mod rounds;
mod scene;
mod tree;
mod volume;
