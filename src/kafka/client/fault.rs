//! Errors of Kafka, and whether it helps to ask again a moment later.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// A question that failed, or one part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kafka) struct KafkaFault {
    code: Option<Code>,
    text: String,
    /// Whether it is known that asking again is in vain.
    lasts: bool,
}

impl KafkaFault {
    pub(in crate::kafka) fn new(code: Code, text: impl Into<String>) -> KafkaFault {
        KafkaFault {
            code: Some(code),
            text: text.into(),
            lasts: false,
        }
    }

    /// A fault of which no more is known.
    pub(in crate::kafka) fn of(code: Code) -> KafkaFault {
        KafkaFault::new(code, code.to_string())
    }

    pub(in crate::kafka) fn no_answer() -> KafkaFault {
        KafkaFault::new(Code::OperationTimedOut, "no answer in time")
    }

    /// A fault that trying again does not mend.
    pub(in crate::kafka) fn lasting(text: impl Into<String>) -> KafkaFault {
        KafkaFault {
            code: None,
            text: text.into(),
            lasts: true,
        }
    }

    pub(in crate::kafka) fn is(&self, code: Code) -> bool {
        self.code == Some(code)
    }

    /// The same fault under a more fitting code.
    pub(in crate::kafka) fn with_code(mut self, code: Code) -> KafkaFault {
        self.code = Some(code);
        self
    }

    /// The same fault, but asking again is in vain.
    pub(in crate::kafka) fn that_lasts(mut self) -> KafkaFault {
        self.lasts = true;
        self
    }

    /// The same fault, with the place where it happened.
    pub(in crate::kafka) fn at(mut self, place: &str) -> KafkaFault {
        self.text = format!("{place}: {}", self.text);
        self
    }

    /// Whether no broker has answered.
    pub(in crate::kafka) fn is_silence(&self) -> bool {
        self.code.is_some_and(is_silence)
    }

    /// Whether it goes away by itself.
    pub(in crate::kafka) fn passes(&self) -> bool {
        !self.lasts && self.code.is_some_and(passes)
    }
}

impl std::fmt::Display for KafkaFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for KafkaFault {}

impl From<KafkaError> for KafkaFault {
    fn from(error: KafkaError) -> KafkaFault {
        KafkaFault {
            code: error.rdkafka_error_code(),
            text: error.to_string(),
            lasts: false,
        }
    }
}

/// A name or a list that librdkafka cannot take.
impl From<std::ffi::NulError> for KafkaFault {
    fn from(error: std::ffi::NulError) -> KafkaFault {
        KafkaFault::lasting(error.to_string())
    }
}

fn is_silence(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::Resolve
            // librdkafka begins again with kafka.brokers, and drops the questions that it has sent.
            | Code::DestroyBroker
    )
}

/// Errors that Kafka or librdkafka mends by itself: brokers come back, leaders and coordinators are chosen, and what one
/// broker knows reaches the others.
pub(in crate::kafka) fn passes(code: Code) -> bool {
    is_silence(code)
        || matches!(
            code,
            Code::RequestTimedOut
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::ReplicaNotAvailable
                | Code::NetworkException
                | Code::NotController
                | Code::NotCoordinator
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::WaitingForCoordinator
                | Code::UnstableOffsetCommit
                | Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
                | Code::OffsetNotAvailable
                | Code::KafkaStorageError
                | Code::UnknownTopicOrPartition
        )
}
