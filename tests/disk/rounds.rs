//! How often a random part is played: a spread of places in the short form, chance in the long one.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::{Duration, Instant};

/// Random tests of this binary, which share the long form's minutes.
const TESTS: u32 = 8;
/// What the long form plays of each at least.
const LONG_MIN: usize = 20;

pub struct Rounds {
    /// Rounds of the short form, or the least of the long one.
    wanted: usize,
    played: usize,
    long: Option<(StdRng, Instant)>,
}

impl Rounds {
    pub fn new(test: &str, short: usize) -> Rounds {
        let Ok(minutes) = std::env::var("LAKECTL_TORTURE_MINUTES") else {
            return Rounds {
                wanted: short,
                played: 0,
                long: None,
            };
        };
        let minutes: f64 = minutes.parse().expect("LAKECTL_TORTURE_MINUTES is a number");
        let seed = match std::env::var("LAKECTL_TORTURE_SEED") {
            Ok(seed) => seed.parse().expect("LAKECTL_TORTURE_SEED is a number"),
            Err(_) => rand::random::<u32>().into(),
        };
        eprintln!(
            "LAKECTL_TORTURE_MINUTES={minutes} LAKECTL_TORTURE_SEED={seed} cargo test --test disk {test}"
        );
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = minutes * 60.0 * threads as f64 / f64::from(TESTS);
        Rounds {
            wanted: LONG_MIN,
            played: 0,
            long: Some((
                StdRng::seed_from_u64(seed),
                Instant::now() + Duration::from_secs_f64(share),
            )),
        }
    }

    /// The next place out of so many; None: it's enough.
    pub fn next(&mut self, places: usize) -> Option<usize> {
        let place = match &mut self.long {
            Some((_, end)) if self.played >= self.wanted && Instant::now() >= *end => None,
            Some((random, _)) => Some(random.random_range(0..places)),
            None => (self.played < self.wanted).then(|| self.played * places / self.wanted),
        };
        self.played += usize::from(place.is_some());
        place
    }

    /// How many were played; the long form says it, for its summary.
    pub fn done(self, what: &str) {
        if self.long.is_some() {
            println!("{what}: {} rounds", self.played);
        }
    }
}
