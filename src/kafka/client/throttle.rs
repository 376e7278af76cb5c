//! Quotas: how long Kafka lets this client wait on purpose.

use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What Kafka's quotas have done to this client so far.
#[derive(Debug, Clone, Default)]
pub(in crate::kafka) struct Throttle(Arc<Mutex<Slowed>>);

#[derive(Debug, Clone, Copy, Default)]
struct Slowed {
    /// Until then a broker may leave everything unanswered.
    until: Option<Instant>,
    /// The longest wait for one answer.
    longest: Duration,
    /// Over all answers.
    total: Duration,
}

/// The part of librdkafka's statistics that tells of quotas, since the statistics before.
#[derive(Deserialize)]
struct Statistics {
    brokers: HashMap<String, BrokerStatistics>,
}

#[derive(Deserialize)]
struct BrokerStatistics {
    throttle: ThrottleTimes,
}

/// Of its answers, in milliseconds.
#[derive(Deserialize)]
struct ThrottleTimes {
    max: u64,
    sum: u64,
}

impl Throttle {
    /// Takes librdkafka's statistics in, as JSON. What can't be read tells of no quota.
    pub(in crate::kafka) fn hear(&self, statistics: &[u8]) {
        let Ok(statistics) = serde_json::from_slice::<Statistics>(statistics) else {
            return;
        };
        for broker in statistics.brokers.values() {
            if broker.throttle.max > 0 {
                self.add(broker.throttle.max, broker.throttle.sum);
            }
        }
    }

    fn add(&self, max_ms: u64, sum_ms: u64) {
        let longest = Duration::from_millis(max_ms);
        if let Ok(mut slowed) = self.0.lock() {
            slowed.until = slowed.until.max(Some(Instant::now() + longest));
            slowed.longest = slowed.longest.max(longest);
            slowed.total += Duration::from_millis(sum_ms);
        }
    }

    fn slowed(&self) -> Slowed {
        self.0.lock().map_or_else(|_| Slowed::default(), |slowed| *slowed)
    }

    /// When Kafka began, or begins, to answer again; None: it never let us wait.
    pub(in crate::kafka) fn until(&self) -> Option<Instant> {
        self.slowed().until
    }

    pub(in crate::kafka) fn is_on(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    pub(in crate::kafka) fn longest(&self) -> Duration {
        self.slowed().longest
    }

    pub(in crate::kafka) fn total(&self) -> Duration {
        self.slowed().total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_tell_of_quotas() {
        let throttle = Throttle::default();
        throttle
            .hear(b"{\"brokers\":{\"h:1/1\":{\"nodeid\":1,\"throttle\":{\"max\":0,\"sum\":0,\"cnt\":0}}}}");
        throttle.hear(b"not JSON");
        assert!(!throttle.is_on() && throttle.until().is_none());
        throttle.hear(b"{\"brokers\":{\"h:1/1\":{\"throttle\":{\"max\":60000,\"sum\":61000,\"cnt\":2}}}}");
        assert!(throttle.is_on());
        throttle.hear(b"{\"brokers\":{\"h:1/1\":{\"throttle\":{\"max\":1,\"sum\":1,\"cnt\":1}}}}");
        assert_eq!(throttle.longest().as_secs(), 60);
        assert_eq!(throttle.total().as_millis(), 61_001);
        assert!(throttle.is_on());
    }
}
