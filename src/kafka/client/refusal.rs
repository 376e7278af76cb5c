//! What to do when a connection to Kafka fails, found by words in librdkafka's message.

/// What to do, and whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kafka) struct Remedy {
    pub(in crate::kafka) advice: &'static str,
    /// Trying again will not help.
    pub(in crate::kafka) lasts: bool,
}

const UNREACHABLE: Remedy = Remedy {
    advice: "is the broker up, and is the address right (kafka.brokers, LAKECTL_BROKERS or --brokers)?",
    lasts: false,
};

/// A part of the message, and the remedy; the first match counts.
const KNOWN: [(&str, Remedy); 9] = [
    ("uthentication", LOGIN),
    ("UNSUPPORTED_SASL_MECHANISM", LOGIN),
    (
        "certificate verify failed",
        Remedy {
            advice: "set \"ssl.ca.location\" in [kafka.options] to the CA that has signed the broker's certificate, and \
                     name the broker in kafka.brokers as its certificate does",
            lasts: true,
        },
    ),
    ("PLAINTEXT broker listener", NO_TLS),
    ("wrong version number", NO_TLS),
    (
        "certificate",
        Remedy {
            advice: "the broker wants a certificate of ours: set \"ssl.certificate.location\" and \"ssl.key.location\" in \
                     [kafka.options]",
            lasts: true,
        },
    ),
    (
        "APIVERSION_QUERY",
        Remedy {
            advice: "is the broker up, and does this port want TLS? Then set \"security.protocol\" in [kafka.options] to \
                     SSL or SASL_SSL",
            lasts: false,
        },
    ),
    // A broker that does not speak TLS may just hang up; so may one that is shutting down.
    (
        "in state SSL_HANDSHAKE",
        Remedy {
            lasts: false,
            ..NO_TLS
        },
    ),
    (
        "SSL connection closed by peer",
        Remedy {
            advice: "does this port want a login? Then set \"security.protocol\" in [kafka.options] to SASL_SSL",
            lasts: false,
        },
    ),
];

const LOGIN: Remedy = Remedy {
    advice: "look at \"sasl.username\" and \"sasl.password\" in [kafka.options], and whether \"sasl.mechanism\" is the one \
             that this user has at the broker",
    lasts: true,
};

const NO_TLS: Remedy = Remedy {
    advice: "this port speaks no TLS: is it the right one, or should \"security.protocol\" in [kafka.options] be PLAINTEXT \
             or SASL_PLAINTEXT?",
    lasts: true,
};

pub(in crate::kafka) fn remedy(reason: &str) -> Remedy {
    let known = KNOWN.iter().find(|(part, _)| reason.contains(part));
    known.map_or(UNREACHABLE, |(_, remedy)| *remedy)
}

/// What to do when librdkafka makes no client from the options; None if its own message says it.
pub(in crate::kafka) fn advice_on_creation(description: &str) -> Option<&'static str> {
    // The default is Kerberos, which needs another library.
    description.contains("No provider for SASL mechanism").then_some(
        "set \"sasl.mechanism\" in [kafka.options] to PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER",
    )
}

/// The message without the name of librdkafka's thread, which it begins with.
pub(in crate::kafka) fn without_thread(reason: &str) -> &str {
    let rest = reason
        .strip_prefix("[thrd:")
        .and_then(|rest| rest.split_once("]: "));
    rest.map_or(reason, |(_, rest)| rest)
}

/// The address that Kafka has named for one of its brokers, and what failed there, if the message is about that. librdkafka
/// calls a broker of kafka.brokers `host:port/bootstrap`, one that Kafka has named `host:port/id`, and a group's
/// `GroupCoordinator: host:port`.
pub(in crate::kafka) fn named_address(reason: &str) -> Option<(&str, &str)> {
    let text = without_thread(reason);
    let is_protocol = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let protocol = text.split_once("://").filter(|(word, _)| is_protocol(word));
    let text = protocol.map_or(text, |(_, rest)| rest);
    let (broker, failure) = text.split_once(": ")?;
    if broker == "GroupCoordinator" {
        return failure.split_once(": ");
    }
    let (address, id) = broker.rsplit_once('/')?;
    id.parse::<u32>().ok().map(|_| (address, failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_is_told_by_the_reason() {
        let login =
            "[thrd:sasl_ssl://h:1/bootstrap]: sasl_ssl://h:1/bootstrap: SASL authentication error: no";
        assert_eq!(remedy(login), LOGIN);
        assert!(without_thread(login).starts_with("sasl_ssl://h:1/bootstrap: SASL"));
        let verify = "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate";
        assert!(remedy(verify).advice.contains("ssl.ca.location") && remedy(verify).lasts);
        let ours =
            "Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert number 42";
        assert!(remedy(ours).advice.contains("ssl.key.location"));
        let hung_up = "Disconnected: SSL connection closed by peer (after 8ms in state SSL_HANDSHAKE)";
        assert_eq!(
            (remedy(hung_up).advice, remedy(hung_up).lasts),
            (NO_TLS.advice, false)
        );
        let refused = "Connect to ipv4#127.0.0.1:1 failed: Connection refused";
        assert_eq!((remedy(refused), without_thread(refused)), (UNREACHABLE, refused));
    }

    #[test]
    fn addresses_that_kafka_has_named_are_told_from_ours() {
        for (reason, named) in [
            (
                "[thrd:h:1/bootstrap]: h:1/bootstrap: Connect to ipv4#1.2.3.4:1 failed: no",
                None,
            ),
            (
                "[thrd:h:1/7]: h:1/7: Failed to resolve 'h:1': no",
                Some(("h:1", "Failed to resolve 'h:1': no")),
            ),
            (
                "[thrd:sasl_ssl://h:1/7]: sasl_ssl://h:1/7: no",
                Some(("h:1", "no")),
            ),
            (
                "[thrd:GroupCoordinator]: GroupCoordinator: h:1: no",
                Some(("h:1", "no")),
            ),
            ("[thrd:[::1]:1/7]: [::1]:1/7: no", Some(("[::1]:1", "no"))),
            ("no answer in time", None),
        ] {
            assert_eq!(named_address(reason), named, "{reason}");
        }
    }
}
