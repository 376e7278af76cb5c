//! Asks Kafka again while its errors pass by themselves, as in a cluster that has just started.

use std::time::{Duration, Instant};

use super::admin::EachEntry;
use super::fault::KafkaFault;
use super::throttle::Throttle;
use crate::stop::{Deadline, Stop};

/// A broker that refuses us does so at once, so look for that after a short first try.
const FIRST_TRY: Duration = Duration::from_secs(2);
/// A question that is asked again gets at least this long, so that the brokers that are well can answer it.
const LAST_TRY: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(200);
/// How long a run that was told to stop still waits for an answer.
const HURRIED_TIMEOUT: Duration = Duration::from_secs(1);
/// librdkafka ends a question in time itself, and then still says what some brokers have answered.
const OVERTIME: Duration = Duration::from_millis(500);

/// How long to wait for an answer.
#[derive(Debug, Clone)]
pub(in crate::kafka) struct Patience {
    /// Without any answer.
    pub(in crate::kafka) silence: Duration,
    /// While Kafka says that it is not ready.
    pub(in crate::kafka) not_ready: Duration,
    /// A signal ends the wait.
    pub(in crate::kafka) stop: Stop,
    /// While a quota holds answers back, Kafka is not silent.
    pub(in crate::kafka) throttle: Throttle,
}

impl Patience {
    /// Asks until there is an answer, an error that does not pass, or no time left. `ask` gets the time that it may wait.
    pub(in crate::kafka) fn ask<T>(
        &self,
        mut ask: impl FnMut(Duration) -> Result<T, KafkaFault>,
    ) -> Result<T, KafkaFault> {
        let mut wait = self.wait();
        loop {
            match ask(wait.left()) {
                Err(fault) if wait.goes_on(&fault) => {}
                settled => return settled,
            }
        }
    }

    /// The same for a question about many entries, each of which may have its own error.
    pub(in crate::kafka) fn ask_each<K, V>(
        &self,
        ask: impl FnMut(Duration) -> EachEntry<K, V>,
    ) -> EachEntry<K, V> {
        self.wait().ask_each(ask)
    }

    /// One wait for several questions.
    pub(in crate::kafka) fn wait(&self) -> Wait<'_> {
        Wait::new(self)
    }
}

/// The wait for an answer, or for those to several questions.
pub(in crate::kafka) struct Wait<'p> {
    patience: &'p Patience,
    began: Instant,
    heard: Instant,
    is_first: bool,
}

impl<'p> Wait<'p> {
    fn new(patience: &'p Patience) -> Wait<'p> {
        let now = Instant::now();
        Wait {
            patience,
            began: now,
            heard: now,
            is_first: true,
        }
    }

    /// Asks until every entry has an answer or an error that does not pass, or no time is left.
    pub(in crate::kafka) fn ask_each<K, V>(
        &mut self,
        mut ask: impl FnMut(Duration) -> EachEntry<K, V>,
    ) -> EachEntry<K, V> {
        loop {
            let answer = ask(self.left());
            let faults = match &answer {
                Ok(each) => each.values().filter_map(|one| one.as_ref().err()).collect(),
                Err(fault) => vec![fault],
            };
            match faults.into_iter().find(|fault| fault.passes()) {
                Some(fault) if self.goes_on(fault) => {}
                _ => {
                    // The next question's silence begins now.
                    self.heard = Instant::now();
                    return answer;
                }
            }
        }
    }

    fn left(&self) -> Duration {
        let left = self
            .patience
            .silence
            .saturating_sub(self.silent_for())
            .max(LAST_TRY);
        if self.is_first { left.min(FIRST_TRY) } else { left }
    }

    /// How long there was no sign of Kafka, though it could have given one.
    fn silent_for(&self) -> Duration {
        let throttled_until = self.patience.throttle.until();
        throttled_until
            .map_or(self.heard, |until| until.max(self.heard))
            .elapsed()
    }

    /// Whether to ask again, after a pause.
    fn goes_on(&mut self, fault: &KafkaFault) -> bool {
        self.is_first = false;
        let patience = self.patience;
        if !fault.passes() || patience.stop.signal().is_some() {
            return false;
        }
        let is_over = if fault.is_silence() {
            self.silent_for() >= patience.silence
        } else {
            self.heard = Instant::now();
            self.began.elapsed() >= patience.not_ready
        };
        if !is_over {
            std::thread::sleep(PAUSE);
        }
        !is_over
    }
}

/// The end of the wait for one answer of librdkafka, which ends it by itself after `timeout`.
pub(super) fn deadline(timeout: Duration) -> Deadline {
    Deadline::of(timeout + OVERTIME, HURRIED_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::error::RDKafkaErrorCode as Code;
    use std::collections::BTreeMap;

    const LONG: Duration = Duration::from_secs(3600);

    fn patience(silence: Duration, not_ready: Duration) -> Patience {
        Patience {
            silence,
            not_ready,
            stop: Stop::default(),
            throttle: Throttle::default(),
        }
    }

    fn fails_with(code: Code) -> impl Fn(Duration) -> Result<(), KafkaFault> {
        move |_| Err(KafkaFault::new(code, "no"))
    }

    #[test]
    fn what_passes_is_asked_again() {
        let faults = [
            Code::NotCoordinator,
            Code::OperationTimedOut,
            Code::LeaderNotAvailable,
        ];
        let mut faults = faults.into_iter();
        let answer = patience(LONG, LONG).ask(|_| match faults.next() {
            Some(code) => Err(KafkaFault::new(code, "no")),
            None => Ok(7),
        });
        assert_eq!(answer, Ok(7));
    }

    #[test]
    fn what_lasts_is_not() {
        let mut asked = 0;
        let answer = patience(LONG, LONG).ask(|_| {
            asked += 1;
            fails_with(Code::TopicAuthorizationFailed)(LONG)
        });
        assert_eq!((answer.is_err(), asked), (true, 1));
    }

    #[test]
    fn every_wait_ends() {
        let (silent, refusing) = (Code::BrokerTransportFailure, Code::NotCoordinator);
        assert!(patience(Duration::ZERO, LONG).ask(fails_with(silent)).is_err());
        assert!(patience(LONG, Duration::ZERO).ask(fails_with(refusing)).is_err());
    }

    #[test]
    fn the_rest_has_its_answer_where_one_has_none() {
        let answer = patience(LONG, Duration::ZERO).ask_each(|_| {
            let one = Err(KafkaFault::new(Code::LeaderNotAvailable, "no"));
            Ok(BTreeMap::from([(1, one), (2, Ok(7))]))
        });
        let answer = answer.unwrap();
        assert!(answer[&1].is_err());
        assert_eq!(answer[&2], Ok(7));
    }
}
