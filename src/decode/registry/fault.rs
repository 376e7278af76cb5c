//! What was wrong with a request, in words: the connection, the registry's own message, or an answer of something else.

use serde::Deserialize;
use std::error::Error;
use std::io;
use std::time::Duration;
use ureq::http::{HeaderMap, StatusCode, Uri, header};

use crate::config::RegistryLogin;
use crate::words::one_line;

/// How much of somebody else's text goes into an error.
const SHOWN_MAX: usize = 500;

/// Why one request brought nothing.
#[derive(Debug, Clone)]
pub(super) struct RequestFault {
    pub what: String,
    pub fix: Option<String>,
    pub effect: Effect,
    /// Another server of the same registry may answer.
    pub is_of_the_server: bool,
}

/// What follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The server can't be reached.
    Down,
    /// It may answer later, after as long as it says.
    Busy { wait: Option<Duration> },
    /// Asking again brings the same.
    Final,
}

/// The registry's own words.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    is_json: bool,
    pub code: Option<i64>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error_code: Option<i64>,
    message: Option<String>,
}

impl Said {
    /// Reads the body of an answer that is no success.
    pub fn read(body: &[u8]) -> Said {
        match serde_json::from_slice::<ErrorAnswer>(body) {
            Ok(answer) => Said {
                is_json: true,
                code: answer.error_code,
                message: answer.message.filter(|message| !message.trim().is_empty()),
            },
            Err(error) => Said {
                is_json: error.is_data(),
                ..Said::default()
            },
        }
    }

    /// Whether a 404 means that the registry doesn't have it, and not that nothing is at this path.
    pub fn is_of_the_registry(&self) -> bool {
        self.code.is_some_and(|code| (40400..40500).contains(&code))
    }

    /// What it said after the status: `: Schema 7 not found (error_code 40403)`.
    pub fn shown(&self) -> String {
        let mut shown = String::new();
        if let Some(message) = &self.message {
            shown = format!(": {}", shortened(message));
        }
        if let Some(code) = self.code {
            shown = format!("{shown} (error_code {code})");
        }
        shown
    }
}

impl RequestFault {
    /// A fault that stays.
    pub fn last(what: impl Into<String>) -> RequestFault {
        RequestFault {
            what: what.into(),
            fix: None,
            effect: Effect::Final,
            is_of_the_server: false,
        }
    }

    fn fix(self, fix: impl Into<String>) -> RequestFault {
        RequestFault {
            fix: Some(fix.into()),
            ..self
        }
    }

    /// A success whose body is not what a registry sends.
    pub fn of_answer(error: &serde_json::Error) -> RequestFault {
        let what = if error.is_data() {
            format!(
                "the answer is JSON, but not a registry's: {}",
                shortened(&error.to_string())
            )
        } else {
            "the answer is not JSON".to_owned()
        };
        RequestFault::last(what).fix("is this a schema registry? check schema_registry.url and its path")
    }

    /// A redirect to another server.
    pub fn of_redirect(location: &str) -> RequestFault {
        let uri: Option<Uri> = location.parse().ok();
        let shown = uri.and_then(|uri| Some(format!("{}://{}", uri.scheme_str()?, uri.host()?)));
        let shown = shown.unwrap_or_else(|| "another address".to_owned());
        RequestFault::last(format!("it redirects to {}", shortened(&shown))).fix(
            "write the address of the registry itself in schema_registry.url: logins are not sent elsewhere",
        )
    }

    /// Any other status than 200, with what the registry said.
    pub fn of_status(
        status: StatusCode,
        headers: &HeaderMap,
        said: &Said,
        login: Option<&RegistryLogin>,
        path: &str,
    ) -> RequestFault {
        let not_json = if said.is_json {
            ""
        } else {
            ", and the answer is not JSON"
        };
        let fault = RequestFault::last(format!("HTTP {}{}{not_json}", status.as_u16(), said.shown()));
        match status {
            StatusCode::UNAUTHORIZED => fault.fix(match login {
                None => "write schema_registry.user with password_file, or token_file",
                Some(RegistryLogin::Basic { .. }) => "check schema_registry.user and its password",
                Some(RegistryLogin::Bearer(_)) => {
                    "check schema_registry.token_file: the token may have expired"
                }
            }),
            StatusCode::FORBIDDEN => fault.fix(match login {
                None => "write schema_registry.user with password_file, or token_file",
                Some(RegistryLogin::Basic { .. }) => "let schema_registry.user read subjects and schemas",
                Some(RegistryLogin::Bearer(_)) => {
                    "let the owner of schema_registry.token_file read subjects and schemas"
                }
            }),
            StatusCode::NOT_FOUND if path.starts_with("/schemas/guids/") => {
                fault.fix("ids that are GUIDs need a newer registry (Confluent's has them since 8.0), or another path in schema_registry.url")
            }
            StatusCode::NOT_FOUND => fault.fix(
                "is this a schema registry? check the path in schema_registry.url (Apicurio's is /apis/ccompat/v7)",
            ),
            StatusCode::TOO_MANY_REQUESTS => RequestFault {
                effect: Effect::Busy {
                    wait: retry_after(headers),
                },
                ..fault
            },
            status if status.is_server_error() => RequestFault {
                effect: Effect::Busy {
                    wait: retry_after(headers),
                },
                is_of_the_server: true,
                ..fault
            },
            _ if !said.is_json => fault.fix("is this a schema registry? check schema_registry.url"),
            _ => fault,
        }
    }

    /// No answer at all.
    pub fn of_transport(error: &ureq::Error, timeout: Duration, proxy: Option<String>) -> RequestFault {
        let (what, fix) = told(error, timeout);
        let by = proxy.map_or_else(String::new, |proxy| format!(" (by the proxy {proxy})"));
        let fault = RequestFault {
            is_of_the_server: true,
            effect: Effect::Down,
            ..RequestFault::last(format!("{what}{by}"))
        };
        match error {
            ureq::Error::BodyExceedsLimit(_) => RequestFault {
                is_of_the_server: false,
                effect: Effect::Final,
                ..fault
            },
            _ => fault.fix(fix),
        }
    }
}

/// What happened to a connection, and what to do about it.
fn told(error: &ureq::Error, timeout: Duration) -> (String, &'static str) {
    const CHECK: &str = "check schema_registry.url, and whether the registry runs";
    match error {
        ureq::Error::Timeout(_) => (format!("no answer within {timeout:?}"), CHECK),
        ureq::Error::HostNotFound => ("no such host is known".to_owned(), CHECK),
        ureq::Error::BodyExceedsLimit(max) => (format!("the answer has more than {max} bytes"), CHECK),
        ureq::Error::Rustls(error) => told_tls(error),
        ureq::Error::Io(error) => match tls_error(error) {
            Some(error) => told_tls(error),
            None => (shortened(&error.to_string()), CHECK),
        },
        ureq::Error::Http(_) | ureq::Error::Protocol(_) => (
            "the answer is not HTTP".to_owned(),
            "check schema_registry.url: https:// where the port speaks TLS",
        ),
        other => (shortened(&other.to_string()), CHECK),
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    let inner: &(dyn Error + 'static) = error.get_ref()?;
    inner.downcast_ref()
}

fn told_tls(error: &rustls::Error) -> (String, &'static str) {
    use rustls::AlertDescription as Alert;
    use rustls::CertificateError as Bad;
    let fix = match error {
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => "name its CA in schema_registry.tls_ca_file",
        rustls::Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            "write the registry's name in schema_registry.url as its certificate does"
        }
        rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "the registry needs a new certificate"
        }
        rustls::Error::AlertReceived(
            Alert::CertificateRequired
            | Alert::HandshakeFailure
            | Alert::BadCertificate
            | Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::AccessDenied,
        ) => "does it want a certificate? check schema_registry.tls_cert_file and tls_key_file",
        rustls::Error::InvalidMessage(_) => "this port may speak no TLS: check schema_registry.url",
        rustls::Error::General(_) => {
            "install the system's CAs (ca-certificates), or name one in schema_registry.tls_ca_file"
        }
        _ => "check schema_registry.url and its tls_… settings",
    };
    (format!("TLS: {}", shortened(&error.to_string())), fix)
}

/// Somebody else's text, fit for one line of an error.
fn shortened(text: &str) -> String {
    let text = one_line(text.trim());
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// How long a server asks to wait: seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    (then.to_utc() - chrono::Utc::now()).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_codes_say_that_it_has_none() {
        for (body, is_its_own, shown) in [
            (
                r#"{"error_code":40403,"message":"Schema 7 not found"}"#,
                true,
                ": Schema 7 not found (error_code 40403)",
            ),
            (
                r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#,
                false,
                ": HTTP 404 Not Found (error_code 404)",
            ),
            (
                r#"{"error_code":0,"message":"a\nb"}"#,
                false,
                ": a\\nb (error_code 0)",
            ),
            (r#"{"error_code":40401}"#, true, " (error_code 40401)"),
            (r#"{"error_code":"40403"}"#, false, ""),
            (r#"{"message":" "}"#, false, ""),
            ("<html>", false, ""),
            ("", false, ""),
        ] {
            let said = Said::read(body.as_bytes());
            assert_eq!(
                (said.is_of_the_registry(), said.shown().as_str()),
                (is_its_own, shown),
                "{body}"
            );
            assert_eq!(said.is_json, body.starts_with('{'), "{body}");
        }
        let long = Said::read(format!("{{\"message\":\"{}\"}}", "é".repeat(9_999)).as_bytes());
        assert_eq!(long.shown().chars().count(), 2 + SHOWN_MAX + 1);
    }

    #[test]
    fn a_server_says_when_to_come_back() {
        let after = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), None);
        let then = chrono::Utc::now() + chrono::TimeDelta::hours(2);
        let wait = after(&then.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).unwrap();
        assert!(
            wait <= Duration::from_secs(7200) && wait > Duration::from_secs(7000),
            "{wait:?}"
        );
        for text in ["soon", "-1", "1.5", ""] {
            assert_eq!(after(text), None, "{text}");
        }
    }
}
