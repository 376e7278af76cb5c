//! Signals. The first Ctrl-C or SIGTERM asks the run to commit the records it has and end; the second one ends it at once.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::locked::Locked;

/// How long a signal may go unnoticed while a run waits for another run.
const STEP_MAX: Duration = Duration::from_secs(1);

/// The signal's name, as in `kill -l`.
pub fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT (Ctrl-C)",
        SIGTERM => "SIGTERM",
        _ => "a signal",
    }
}

/// Whether a signal has asked this run to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// Handles the signals for the rest of the process.
    pub fn on_signals() -> Result<Stop> {
        let stop = Stop::default();
        let armed = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Order matters: the shutdown checks the flag, which only an earlier signal has set.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&armed))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&armed)))
                .and_then(|_| signal_hook::flag::register_usize(signal, Arc::clone(&stop.0), signal as usize))
                .context("taking over signals")?;
        }
        // Beyond a limit of file sizes a write shall fail with an error, not kill the run in silence.
        signal_hook::flag::register(SIGXFSZ, Arc::default()).context("taking over signals")?;
        Ok(stop)
    }

    /// The signal that came, if any did.
    pub fn signal(&self) -> Option<i32> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            signal => i32::try_from(signal).ok(),
        }
    }

    /// Attempts to take what another run may hold, for up to `wait`. It goes in steps, so that a signal ends the wait;
    /// `attempt` gets the length of a step.
    pub fn attempt<T>(
        &self,
        wait: Duration,
        mut attempt: impl FnMut(Duration) -> Result<Locked<T>>,
    ) -> Result<Locked<T>> {
        let deadline = Instant::now() + wait;
        loop {
            let left = match self.signal() {
                None => deadline.saturating_duration_since(Instant::now()),
                Some(_) => Duration::ZERO,
            };
            match attempt(left.min(STEP_MAX))? {
                Locked::HeldBy(_) if !left.is_zero() => {}
                settled => return Ok(settled),
            }
        }
    }
}
