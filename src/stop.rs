//! Signals. Of Ctrl-C and SIGTERM the first one asks the run to commit what it has and end, the second, whichever of
//! the two it is, ends it at once.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::locked::Locked;

/// How long a signal may go unseen while a run waits for another one.
const STEP_MAX: Duration = Duration::from_secs(1);

/// As `kill -l` calls it.
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
    /// Takes the signals over for the rest of the process.
    pub fn on_signals() -> Result<Stop> {
        let stop = Stop::default();
        let armed = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Order matters: the shutdown looks at what an earlier signal has armed.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&armed))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&armed)))
                .and_then(|_| signal_hook::flag::register_usize(signal, Arc::clone(&stop.0), signal as usize))
                .context("taking over signals")?;
        }
        // Past a limit of file sizes a write shall fail and be told, not kill the run in silence.
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

    /// Attempts what another run may hold up, for as long as `wait`, in steps, so that a signal ends the wait. `attempt`
    /// is told how long it may wait itself.
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
