//! The unit of times that are numbers.

use serde::{Deserialize, Serialize};

/// What a number since 1970 counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    S,
    #[default]
    Ms,
    Us,
    Ns,
    /// Of fields that are stated to be DATE; no timestamp_unit.
    Days,
}

impl TimeUnit {
    /// Those of timestamps.
    pub const ALL: [TimeUnit; 4] = [TimeUnit::S, TimeUnit::Ms, TimeUnit::Us, TimeUnit::Ns];

    /// As in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            TimeUnit::S => "s",
            TimeUnit::Ms => "ms",
            TimeUnit::Us => "us",
            TimeUnit::Ns => "ns",
            TimeUnit::Days => "days",
        }
    }

    /// As in sentences.
    pub fn word(self) -> &'static str {
        match self {
            TimeUnit::S => "seconds",
            TimeUnit::Ms => "milliseconds",
            TimeUnit::Us => "microseconds",
            TimeUnit::Ns => "nanoseconds",
            TimeUnit::Days => "days",
        }
    }

    /// One of it in nanoseconds: a factor, times ten to a power.
    pub fn factor_and_power(self) -> (i64, u32) {
        match self {
            TimeUnit::S => (1, 9),
            TimeUnit::Ms => (1, 6),
            TimeUnit::Us => (1, 3),
            TimeUnit::Ns => (1, 0),
            TimeUnit::Days => (86_400, 9),
        }
    }

    pub fn nanoseconds(self) -> i64 {
        let (factor, power) = self.factor_and_power();
        factor * 10i64.pow(power)
    }

    /// Whether the unit was left at its default.
    pub fn is_default(&self) -> bool {
        *self == TimeUnit::default()
    }
}
