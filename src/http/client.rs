//! Requests to a server: the next address where one is down, a pause where it is busy, an error that says what it said.

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use ureq::http::{HeaderMap, Response, StatusCode, Uri, header};
use ureq::{Agent, RequestBuilder};

use super::fault::{Effect, RequestFault, Said};
use super::{HttpDialect, HttpPeer, tls};
use crate::config::{HttpLogin, HttpSettings, Secret};
use crate::problem::Problem;
use crate::stop::{Deadline, Stop};

/// The pauses between attempts, unless the server asks for other ones.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// The largest schemas and lists have some megabytes.
const BODY_MAX: u64 = 64 << 20;
const REDIRECTS_MAX: u32 = 5;
/// How long a server may still take to answer after a signal has come.
const AFTER_SIGNAL: Duration = Duration::from_secs(2);

/// A client of one server, which may have several addresses. Connections are not kept: a run asks for little, and many minutes may
/// lie between two requests.
pub struct HttpClient {
    agent: Agent,
    peer: HttpPeer,
    urls: Vec<String>,
    /// The address that answered last: the next request goes there first.
    current: AtomicUsize,
    login: Option<HttpLogin>,
    headers: Vec<(String, Secret)>,
    timeout: Duration,
    stop: Stop,
}

/// An answer of the server itself.
#[derive(Debug)]
pub enum Answer<T> {
    Found(T),
    /// HTTP 404 with an error_code of its own.
    Missing(Said),
}

/// No answer that counts.
#[derive(Debug, Clone)]
pub struct Unanswered {
    pub problem: Problem,
    /// Nothing else would be answered either.
    pub is_down: bool,
}

impl HttpClient {
    /// Makes no request yet.
    ///
    /// # Errors
    /// A certificate or a key can't be used: exit code 2.
    pub fn new(settings: &HttpSettings, dialect: &'static HttpDialect) -> Result<HttpClient> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .timeout_global(Some(settings.timeout))
            .user_agent(concat!("lakectl/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls::config(settings)?);
        Ok(HttpClient {
            agent: config.build().into(),
            peer: HttpPeer {
                service: settings.service,
                dialect,
            },
            urls: settings.urls.clone(),
            current: AtomicUsize::new(0),
            login: settings.login.clone(),
            headers: settings.headers.clone(),
            timeout: settings.timeout,
            stop: settings.stop.clone(),
        })
    }

    /// All addresses, for messages.
    pub fn shown(&self) -> String {
        self.urls.join(", ")
    }

    /// Gets what is at this path. It ends: attempts, addresses and waits are few.
    ///
    /// # Errors
    /// No server gives an answer that counts.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, Unanswered> {
        self.send(path, None)
    }

    /// The same for a question that is JSON, and that may be asked again.
    ///
    /// # Errors
    /// As [`HttpClient::get`].
    pub fn post<T: DeserializeOwned>(&self, path: &str, question: &Value) -> Result<Answer<T>, Unanswered> {
        self.send(path, Some(&question.to_string()))
    }

    fn send<T: DeserializeOwned>(&self, path: &str, question: Option<&str>) -> Result<Answer<T>, Unanswered> {
        let mut pauses = PAUSES.iter();
        loop {
            let faults = match self.ask_each(path, question) {
                Ok(answer) => return Ok(answer),
                Err(faults) => faults,
            };
            let is_final = faults.iter().any(|fault| fault.effect == Effect::Final);
            let may_wait = !is_final && self.stop.signal().is_none();
            match (self.wanted_pause(&faults), pauses.next()) {
                (Some(wanted), Some(&pause)) if may_wait => self.stop.sleep(wanted.max(pause)),
                _ => {
                    return Err(Unanswered {
                        problem: self.problem(&faults),
                        is_down: !is_final,
                    });
                }
            }
        }
    }

    /// How long the server asks to wait, at most as long as a request may take; None if trying again is no use.
    fn wanted_pause(&self, faults: &[RequestFault]) -> Option<Duration> {
        let busy = faults.iter().filter_map(|fault| match fault.effect {
            Effect::Busy { wait } => Some(wait.unwrap_or_default().min(self.timeout)),
            Effect::Down | Effect::Final => None,
        });
        busy.max()
    }

    /// Asks the addresses one after the other, as long as each of them is down.
    fn ask_each<T: DeserializeOwned>(
        &self,
        path: &str,
        question: Option<&str>,
    ) -> Result<Answer<T>, Vec<RequestFault>> {
        let first = self.current.load(Ordering::Relaxed);
        let mut faults = Vec::new();
        for turn in 0..self.urls.len() {
            let index = (first + turn) % self.urls.len();
            let url = &self.urls[index];
            match self.ask(url, path, question) {
                Ok(answer) => {
                    self.current.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(fault) => {
                    let next_may_answer = fault.is_of_the_server;
                    faults.push(RequestFault {
                        what: format!("{url}: {}", fault.what),
                        ..fault
                    });
                    if !next_may_answer {
                        break;
                    }
                }
            }
        }
        Err(faults)
    }

    fn ask<T: DeserializeOwned>(
        &self,
        url: &str,
        path: &str,
        question: Option<&str>,
    ) -> Result<Answer<T>, RequestFault> {
        let mut at = format!("{url}{path}");
        for _ in 0..=REDIRECTS_MAX {
            let (status, headers, body) = self.request(&at, question)?;
            if status.is_redirection() {
                at = redirected(self.peer, &at, &headers)?;
            } else if status == StatusCode::OK {
                let parsed = serde_json::from_slice(&body);
                return parsed
                    .map(Answer::Found)
                    .map_err(|error| self.peer.of_answer(&error));
            } else {
                let said = Said::read(&body);
                if status == StatusCode::NOT_FOUND && said.is_of_its_own() {
                    return Ok(Answer::Missing(said));
                }
                return Err(self
                    .peer
                    .of_status(status, &headers, &said, self.login.as_ref(), path));
            }
        }
        Err(RequestFault::last("it redirects in a circle"))
    }

    fn request(
        &self,
        at: &str,
        question: Option<&str>,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), RequestFault> {
        let ask: Box<dyn FnOnce() -> Result<Response<ureq::Body>, ureq::Error> + Send> = match question {
            None => {
                let request = self.with_headers(self.agent.get(at));
                Box::new(move || request.call())
            }
            Some(question) => {
                let request = self
                    .with_headers(self.agent.post(at))
                    .header(header::CONTENT_TYPE, self.peer.dialect.content_type);
                let question = question.to_owned();
                Box::new(move || request.send(question))
            }
        };
        let answer = move || -> Result<(Response<ureq::Body>, Vec<u8>), ureq::Error> {
            let mut response = ask()?;
            let body = response.body_mut().with_config().limit(BODY_MAX).read_to_vec()?;
            Ok((response, body))
        };
        // Each request ends by itself.
        let deadline = Deadline::of(self.timeout * 2, AFTER_SIGNAL);
        let answered = match self.stop.hearing("http", deadline, answer) {
            Ok(Some(answered)) => answered,
            Ok(None) => return Err(RequestFault::last("stopped by a signal before it had answered")),
            Err(error) => return Err(RequestFault::last(format!("{error:#}"))),
        };
        let (response, body) =
            answered.map_err(|error| self.peer.of_transport(&error, self.timeout, self.proxy(at)))?;
        Ok((response.status(), response.headers().clone(), body))
    }

    fn with_headers<Any>(&self, request: RequestBuilder<Any>) -> RequestBuilder<Any> {
        let mut request = request
            .header(header::ACCEPT, self.peer.dialect.accept)
            .header(header::CONNECTION, "close");
        for (name, value) in &self.headers {
            request = request.header(name, value.reveal());
        }
        if let Some(login) = &self.login {
            request = request.header(header::AUTHORIZATION, authorization(login));
        }
        request
    }

    /// The proxy that requests to this address go through, without its login.
    fn proxy(&self, at: &str) -> Option<String> {
        let proxy = self.agent.config().proxy()?;
        let uri: Uri = at.parse().ok()?;
        (!proxy.is_no_proxy(&uri)).then(|| format!("{}:{}", proxy.host(), proxy.port()))
    }

    fn problem(&self, faults: &[RequestFault]) -> Problem {
        let whats: Vec<&str> = faults.iter().map(|fault| fault.what.as_str()).collect();
        let what = self.without_secrets(&whats.join(", "));
        let fix = faults.iter().rev().find_map(|fault| fault.fix.clone());
        Problem::new(format!("{} {what}", self.peer.service.name)).fix_if_known(fix)
    }

    /// A text of the server without our secrets: some gateways repeat what they were sent.
    pub fn without_secrets(&self, text: &str) -> String {
        let mut secrets: Vec<String> = self
            .headers
            .iter()
            .map(|(_, value)| value.reveal().to_owned())
            .collect();
        match &self.login {
            Some(login @ HttpLogin::Basic { password, .. }) => {
                let sent = authorization(login).replace("Basic ", "");
                secrets.extend([sent, password.reveal().to_owned()]);
            }
            Some(HttpLogin::Bearer(token)) => secrets.push(token.reveal().to_owned()),
            None => {}
        }
        let secrets = secrets.iter().filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

fn authorization(login: &HttpLogin) -> String {
    match login {
        HttpLogin::Basic { user, password } => {
            let both = format!("{user}:{}", password.reveal());
            format!("Basic {}", BASE64_STANDARD.encode(both))
        }
        HttpLogin::Bearer(token) => format!("Bearer {}", token.reveal()),
    }
}

/// Where a redirect leads to. Only another path of the same server is followed: no other one may see login and headers.
fn redirected(peer: HttpPeer, from: &str, headers: &HeaderMap) -> Result<String, RequestFault> {
    let location = headers
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok());
    let location = location.unwrap_or_default();
    let origin = origin(from);
    if location.starts_with('/') && !location.starts_with("//") {
        return Ok(format!("{origin}{location}"));
    }
    match location.strip_prefix(origin) {
        Some(path) if path.starts_with('/') => Ok(location.to_owned()),
        _ => Err(peer.of_redirect(location)),
    }
}

/// `http://host:port` of an address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    &url[..end]
}

/// A name as one part of a path.
pub fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SCHEMA_REGISTRY;

    fn peer() -> HttpPeer {
        static DIALECT: HttpDialect = HttpDialect {
            accept: "application/json",
            content_type: "application/json",
            rights: "read",
            at_wrong_path: |_| "look at the path",
        };
        HttpPeer {
            service: SCHEMA_REGISTRY,
            dialect: &DIALECT,
        }
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(encoded("a-B_9.~"), "a-B_9.~");
        assert_eq!(encoded(":.ctx:a/b ?#%"), "%3A.ctx%3Aa%2Fb%20%3F%23%25");
        assert_eq!(encoded("é"), "%C3%A9");
    }

    #[test]
    fn only_the_same_server_gets_the_login() {
        let to = |location: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, location.parse().unwrap());
            redirected(peer(), "http://a:81/x/schemas", &headers)
        };
        assert_eq!(to("/y?z").unwrap(), "http://a:81/y?z");
        assert_eq!(to("http://a:81/y").unwrap(), "http://a:81/y");
        for elsewhere in [
            "http://b:81/y",
            "http://a:82/y",
            "https://a:81/y",
            "http://a:81@b/y",
            "http://a:810/y",
            "//b/y",
            "y",
            "",
        ] {
            let told = to(elsewhere).unwrap_err();
            assert!(told.what.starts_with("it redirects to "), "{}", told.what);
        }
        assert_eq!(origin("http://a:81"), "http://a:81");
    }
}
