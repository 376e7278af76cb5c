//! What the tests from outside share: topics on the real Kafka, lakes in temporary folders, and readers of both that
//! know nothing of lakectl's own code.
#![allow(dead_code, reason = "each test binary uses its own part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

pub mod account;
pub mod avro;
pub mod compare;
pub mod envelope;
pub mod example;
pub mod files;
pub mod inject;
pub mod kafka;
pub mod kafka_proxy;
pub mod lake;
pub mod parquet;
pub mod program;
pub mod proxy;
pub mod python;
pub mod records;
pub mod registry;
pub mod strace;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a test waits for something that should take no more than seconds.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A service of the tests, by its environment variable. A missing one fails the test.
pub fn service(variable: &str) -> String {
    match std::env::var(variable) {
        Ok(text) if !text.is_empty() => text,
        _ => panic!("{variable} is not set: {HOW}"),
    }
}

/// What to do about a missing service.
pub const HOW: &str = "run `scripts/services up kafka mysql mariadb registry`, then `eval \"$(scripts/services env)\"`, and test again";

/// A name that no other test, thread or run has.
pub fn unique(label: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since_1970 = std::time::UNIX_EPOCH.elapsed().unwrap();
    let (seconds, count) = (since_1970.as_secs(), COUNT.fetch_add(1, Ordering::Relaxed));
    format!("{label}.{seconds:x}.{}.{count}", std::process::id())
}

/// Asks again and again until there is an answer, or the deadline passes.
pub fn poll<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
