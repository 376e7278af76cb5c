//! Signals. The first Ctrl-C or SIGTERM asks the run to commit the records it has and end; the second one ends it at once.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::locked::Locked;

/// How often a wait looks for a signal.
const TICK: Duration = Duration::from_millis(200);
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

    /// What `work` gives back, which hears no signal while it waits, and so does that in a thread of this name. None: it was left
    /// behind at the deadline.
    pub fn hearing<T: Send + 'static>(
        &self,
        name: &str,
        mut deadline: Deadline,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>> {
        let (tell, told) = channel();
        // Nobody listens any more if it was left behind.
        let work = move || drop(tell.send(work()));
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .context("starting a thread")?;
        loop {
            let step = deadline.step(self);
            match told.recv_timeout(step) {
                Ok(answer) => return Ok(Some(answer)),
                Err(RecvTimeoutError::Timeout) if !step.is_zero() => {}
                Err(_) => return Ok(None),
            }
        }
    }

    /// Sleeps for so long, or until a signal comes.
    pub fn sleep(&self, duration: Duration) {
        let mut deadline = Deadline::of(duration, Duration::ZERO);
        loop {
            match deadline.step(self) {
                Duration::ZERO => return,
                step => std::thread::sleep(step),
            }
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

/// The end of a wait, which a signal brings nearer.
#[derive(Debug)]
pub struct Deadline {
    at: Instant,
    after_signal: Option<Duration>,
}

impl Deadline {
    /// `after_signal`: how long a wait may still take once a signal has come.
    pub fn of(timeout: Duration, after_signal: Duration) -> Deadline {
        Deadline {
            at: Instant::now() + timeout,
            after_signal: Some(after_signal),
        }
    }

    /// How long to wait before the next look at the signals; zero: no longer.
    pub fn step(&mut self, stop: &Stop) -> Duration {
        if stop.signal().is_some()
            && let Some(hurried) = self.after_signal.take()
        {
            self.at = self.at.min(Instant::now() + hurried);
        }
        self.at.saturating_duration_since(Instant::now()).min(TICK)
    }
}
