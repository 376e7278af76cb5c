//! How long and with which dice: the short form of scripts/test, or the long one of scripts/torture.

use rand::SeedableRng;
use rand::rngs::StdRng;
use std::time::{Duration, Instant};

/// The short form's seed: a test must not fail today because of today's dice.
const SEED: u64 = 1;
/// Rounds of the long form, unless it is told otherwise.
const ROUNDS: u64 = 200;

pub struct Torture {
    /// When the long form may end; None: the short form.
    deadline: Option<Instant>,
    pub seed: u64,
    rounds: u64,
}

impl Torture {
    /// With this part of the minutes of the long form, from now on.
    pub fn from_env(part: f64) -> Torture {
        let minutes: Option<u32> = number("LAKECTL_TORTURE_MINUTES");
        let time = |minutes| Duration::from_secs(60).mul_f64(f64::from(minutes) * part);
        Torture {
            deadline: minutes.map(|minutes| Instant::now() + time(minutes)),
            seed: number("LAKECTL_TORTURE_SEED").unwrap_or(SEED),
            rounds: number("LAKECTL_TORTURE_ROUNDS").unwrap_or(ROUNDS),
        }
    }

    pub fn is_long(&self) -> bool {
        self.deadline.is_some()
    }

    pub fn random(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }

    /// Whether one more round is due after so many.
    pub fn goes_on(&self, rounds: u64, short: u64) -> bool {
        match self.deadline {
            None => rounds < short,
            Some(deadline) => rounds < self.rounds || Instant::now() < deadline,
        }
    }

    /// The time of the long form is over.
    pub fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// How a person repeats it.
    pub fn again(&self) -> String {
        if self.is_long() {
            format!("again with: scripts/torture --seed {}", self.seed)
        } else {
            format!(
                "again with: LAKECTL_TORTURE_SEED={} scripts/test --test crash",
                self.seed
            )
        }
    }
}

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse().ok();
    assert!(number.is_some(), "{variable}={text} is not a number");
    number
}
