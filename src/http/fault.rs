//! What was wrong with a request, in words: the connection, the server's own message, or an answer of something else.

use serde::Deserialize;
use std::error::Error;
use std::io;
use std::time::Duration;
use ureq::http::{HeaderMap, StatusCode, Uri, header};

use super::HttpPeer;
use crate::config::HttpLogin;
use crate::words::one_line;

/// How much of somebody else's text goes into an error.
const SHOWN_MAX: usize = 500;

/// Why one request brought nothing.
#[derive(Debug, Clone)]
pub(super) struct RequestFault {
    pub what: String,
    pub fix: Option<String>,
    pub effect: Effect,
    /// Another address of the same server may answer.
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

/// The server's own words.
#[derive(Debug, Clone, Default)]
pub struct Said {
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

    /// Whether a 404 means that the server doesn't have it, and not that nothing is at this path.
    pub fn is_of_its_own(&self) -> bool {
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
}

impl HttpPeer {
    fn setting(&self, key: &str) -> String {
        self.service.setting(key)
    }

    fn is_it_one(&self) -> String {
        format!("is this {}? check {}", self.service.one, self.setting("url"))
    }

    /// A success whose body is not what such a server sends.
    pub fn of_answer(&self, error: &serde_json::Error) -> RequestFault {
        let what = if error.is_data() {
            let told = shortened(&error.to_string());
            format!("the answer is JSON, but not that of {}: {told}", self.service.one)
        } else {
            "the answer is not JSON".to_owned()
        };
        RequestFault::last(what).fix(format!("{} and its path", self.is_it_one()))
    }

    /// A redirect to another server.
    pub fn of_redirect(&self, location: &str) -> RequestFault {
        let uri: Option<Uri> = location.parse().ok();
        let shown = uri.and_then(|uri| Some(format!("{}://{}", uri.scheme_str()?, uri.host()?)));
        let shown = shown.unwrap_or_else(|| "another address".to_owned());
        RequestFault::last(format!("it redirects to {}", shortened(&shown))).fix(format!(
            "write the address of the server itself in {}: logins are not sent elsewhere",
            self.setting("url")
        ))
    }

    /// Any other status than 200, with what the server said.
    pub fn of_status(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        said: &Said,
        login: Option<&HttpLogin>,
        path: &str,
    ) -> RequestFault {
        let not_json = if said.is_json {
            ""
        } else {
            ", and the answer is not JSON"
        };
        let fault = RequestFault::last(format!("HTTP {}{}{not_json}", status.as_u16(), said.shown()));
        let (user, token_file) = (self.setting("user"), self.setting("token_file"));
        let log_in = || format!("write {user} with password_file, or token_file");
        match status {
            StatusCode::UNAUTHORIZED => fault.fix(match login {
                None => log_in(),
                Some(HttpLogin::Basic { .. }) => format!("check {user} and its password"),
                Some(HttpLogin::Bearer(_)) => format!("check {token_file}: the token may have expired"),
            }),
            StatusCode::FORBIDDEN => fault.fix(match login {
                None => log_in(),
                Some(HttpLogin::Basic { .. }) => format!("let {user} {}", self.dialect.rights),
                Some(HttpLogin::Bearer(_)) => {
                    format!("let the owner of {token_file} {}", self.dialect.rights)
                }
            }),
            StatusCode::NOT_FOUND => fault.fix((self.dialect.at_wrong_path)(path)),
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
            _ if !said.is_json => fault.fix(self.is_it_one()),
            _ => fault,
        }
    }

    /// No answer at all.
    pub fn of_transport(
        &self,
        error: &ureq::Error,
        timeout: Duration,
        proxy: Option<String>,
    ) -> RequestFault {
        let (what, fix) = self.told(error, timeout);
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

    /// What happened to a connection, and what to do about it.
    fn told(&self, error: &ureq::Error, timeout: Duration) -> (String, String) {
        let check = || format!("check {}, and whether the server runs", self.setting("url"));
        match error {
            ureq::Error::Timeout(_) => (format!("no answer within {timeout:?}"), check()),
            ureq::Error::HostNotFound => ("no such host is known".to_owned(), check()),
            ureq::Error::BodyExceedsLimit(max) => (format!("the answer has more than {max} bytes"), check()),
            ureq::Error::Rustls(error) => self.told_tls(error),
            ureq::Error::Io(error) => match tls_error(error) {
                Some(error) => self.told_tls(error),
                None => (shortened(&error.to_string()), check()),
            },
            ureq::Error::Http(_) | ureq::Error::Protocol(_) => (
                "the answer is not HTTP".to_owned(),
                format!(
                    "check {}: https:// where the port speaks TLS",
                    self.setting("url")
                ),
            ),
            other => (shortened(&other.to_string()), check()),
        }
    }

    fn told_tls(&self, error: &rustls::Error) -> (String, String) {
        use rustls::AlertDescription as Alert;
        use rustls::CertificateError as Bad;
        let (url, ca, certificate) = (
            self.setting("url"),
            self.setting("tls_ca_file"),
            self.setting("tls_cert_file"),
        );
        let fix = match error {
            rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => format!("name its CA in {ca}"),
            rustls::Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
                format!("write the server's name in {url} as its certificate does")
            }
            rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
                "the server needs a new certificate".to_owned()
            }
            rustls::Error::AlertReceived(
                Alert::CertificateRequired
                | Alert::HandshakeFailure
                | Alert::BadCertificate
                | Alert::UnknownCA
                | Alert::CertificateUnknown
                | Alert::AccessDenied,
            ) => format!("does it want a certificate? check {certificate} and tls_key_file"),
            rustls::Error::InvalidMessage(_) => format!("this port may speak no TLS: check {url}"),
            rustls::Error::General(_) => {
                format!("install the system's CAs (ca-certificates), or name one in {ca}")
            }
            _ => format!("check {url} and its tls_… settings"),
        };
        (format!("TLS: {}", shortened(&error.to_string())), fix)
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    let inner: &(dyn Error + 'static) = error.get_ref()?;
    inner.downcast_ref()
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
                (said.is_of_its_own(), said.shown().as_str()),
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
