//! What nobody may be able to do to a lake, a warehouse or their secrets: damage, planted links, odd names, prying eyes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod damage;
mod links;
mod names;
mod secrets;
#[path = "../warehouse/world.rs"]
#[allow(dead_code, reason = "its own tests use the rest")]
mod world;

use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs mostly wait, for Kafka and for the disk.
const AT_ONCE: usize = 8;

/// Checks cases side by side; each is told its number.
fn each<T: Sync>(cases: &[T], check: impl Fn(usize, &T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(at) else { break };
                    check(at, case);
                }
            });
        }
    });
}
