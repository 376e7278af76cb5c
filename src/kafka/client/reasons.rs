//! librdkafka's log, errors and statistics, of which the last reason and the quotas are kept.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::throttle::Throttle;

/// Remembers why the last connection failed, and keeps librdkafka's own log off the terminal.
#[derive(Default)]
pub(in crate::kafka) struct Reasons {
    last: Mutex<Option<String>>,
    /// Whether Kafka has refused access to the group.
    group_refused: AtomicBool,
    pub(super) throttle: Throttle,
}

impl Reasons {
    pub(in crate::kafka) fn last(&self) -> Option<String> {
        self.last.lock().ok()?.clone()
    }

    /// Whether Kafka has refused access to the group since this was asked last.
    pub(super) fn take_group_refusal(&self) -> bool {
        self.group_refused.swap(false, Ordering::Relaxed)
    }

    fn remember(&self, reason: &str) {
        if let Ok(mut last) = self.last.lock() {
            *last = Some(reason.to_owned());
        }
    }
}

impl ClientContext for Reasons {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if (level as i32) <= RDKafkaLogLevel::Error as i32 || facility == "FAIL" {
            self.remember(message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
            self.group_refused.store(true, Ordering::Relaxed);
        }
        // "All brokers are down" says less than why the last one is down.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.remember(reason);
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.throttle.hear(statistics);
    }
}

impl ConsumerContext for Reasons {}
