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
    pub fn from_env() -> Torture {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            let number: u64 = text
                .parse()
                .unwrap_or_else(|_| panic!("{name}={text} is no number"));
            Some(number)
        };
        Torture {
            deadline: number("LAKECTL_TORTURE_MINUTES")
                .map(|minutes| Instant::now() + Duration::from_secs(60 * minutes)),
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
        match self.is_long() {
            true => format!("again with: scripts/torture --seed {}", self.seed),
            false => format!(
                "again with: LAKECTL_TORTURE_SEED={} scripts/test --test crash",
                self.seed
            ),
        }
    }
}
