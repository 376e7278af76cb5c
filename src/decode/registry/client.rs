//! Requests to a registry: the next address where one is down, a pause where it is busy, an error that says what it said.

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use ureq::Agent;
use ureq::http::{HeaderMap, Response, StatusCode, Uri, header};

use super::fault::{Effect, RequestFault, Said};
use super::tls;
use crate::config::{RegistryLogin, RegistrySettings, Secret};
use crate::problem::Problem;

/// Registries answer in all of them; some old ones know only the first, or only the last.
const ACCEPT: &str =
    "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json";
/// The pauses between attempts, unless the registry asks for other ones.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// The largest schemas have some megabytes.
const BODY_MAX: u64 = 64 << 20;
const REDIRECTS_MAX: u32 = 5;

/// A client of one registry. Connections are not kept: a run asks for a few schemas, and many minutes may lie between them.
pub(super) struct HttpClient {
    agent: Agent,
    urls: Vec<String>,
    /// The address that answered last: the next request goes there first.
    current: AtomicUsize,
    login: Option<RegistryLogin>,
    headers: Vec<(String, Secret)>,
    timeout: Duration,
}

/// An answer of the registry itself.
#[derive(Debug)]
pub(super) enum Answer<T> {
    Found(T),
    /// HTTP 404 with an error_code of the registry's own.
    Missing(Said),
}

/// No answer that counts.
#[derive(Debug, Clone)]
pub(super) struct Unanswered {
    pub problem: Problem,
    /// Nothing else would be answered either.
    pub is_down: bool,
}

impl HttpClient {
    pub fn new(settings: &RegistrySettings) -> Result<HttpClient> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .timeout_global(Some(settings.timeout))
            .user_agent(concat!("lakectl/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls::config(settings)?);
        Ok(HttpClient {
            agent: config.build().into(),
            urls: settings.urls.clone(),
            current: AtomicUsize::new(0),
            login: settings.login.clone(),
            headers: settings.headers.clone(),
            timeout: settings.timeout,
        })
    }

    /// All addresses, for messages.
    pub fn shown(&self) -> String {
        self.urls.join(", ")
    }

    /// Gets what is at this path. It ends: attempts, addresses and waits are few.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, Unanswered> {
        let mut pauses = PAUSES.iter();
        loop {
            let faults = match self.ask_each(path) {
                Ok(answer) => return Ok(answer),
                Err(faults) => faults,
            };
            let is_final = faults.iter().any(|fault| fault.effect == Effect::Final);
            match (self.wanted_pause(&faults), pauses.next()) {
                (Some(wanted), Some(&pause)) if !is_final => std::thread::sleep(wanted.max(pause)),
                _ => {
                    return Err(Unanswered {
                        problem: self.problem(&faults),
                        is_down: !is_final,
                    });
                }
            }
        }
    }

    /// How long the registry asks to wait, at most as long as a request may take; None if trying again is no use.
    fn wanted_pause(&self, faults: &[RequestFault]) -> Option<Duration> {
        let busy = faults.iter().filter_map(|fault| match fault.effect {
            Effect::Busy { wait } => Some(wait.unwrap_or_default().min(self.timeout)),
            Effect::Down | Effect::Final => None,
        });
        busy.max()
    }

    /// Asks the addresses one after the other, as long as each of them is down.
    fn ask_each<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, Vec<RequestFault>> {
        let first = self.current.load(Ordering::Relaxed);
        let mut faults = Vec::new();
        for turn in 0..self.urls.len() {
            let index = (first + turn) % self.urls.len();
            let url = &self.urls[index];
            match self.ask(url, path) {
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

    fn ask<T: DeserializeOwned>(&self, url: &str, path: &str) -> Result<Answer<T>, RequestFault> {
        let mut at = format!("{url}{path}");
        for _ in 0..=REDIRECTS_MAX {
            let (status, headers, body) = self.request(&at)?;
            if status.is_redirection() {
                at = redirected(&at, &headers)?;
            } else if status == StatusCode::OK {
                let parsed = serde_json::from_slice(&body);
                return parsed
                    .map(Answer::Found)
                    .map_err(|error| RequestFault::of_answer(&error));
            } else {
                let said = Said::read(&body);
                if status == StatusCode::NOT_FOUND && said.is_of_the_registry() {
                    return Ok(Answer::Missing(said));
                }
                return Err(RequestFault::of_status(
                    status,
                    &headers,
                    &said,
                    self.login.as_ref(),
                    path,
                ));
            }
        }
        Err(RequestFault::last("it redirects in a circle"))
    }

    fn request(&self, at: &str) -> Result<(StatusCode, HeaderMap, Vec<u8>), RequestFault> {
        let answer = || -> Result<(Response<ureq::Body>, Vec<u8>), ureq::Error> {
            let mut request = self
                .agent
                .get(at)
                .header(header::ACCEPT, ACCEPT)
                .header(header::CONNECTION, "close");
            for (name, value) in &self.headers {
                request = request.header(name, value.reveal());
            }
            if let Some(login) = &self.login {
                request = request.header(header::AUTHORIZATION, authorization(login));
            }
            let mut response = request.call()?;
            let body = response.body_mut().with_config().limit(BODY_MAX).read_to_vec()?;
            Ok((response, body))
        };
        let (response, body) =
            answer().map_err(|error| RequestFault::of_transport(&error, self.timeout, self.proxy(at)))?;
        Ok((response.status(), response.headers().clone(), body))
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
        Problem::new(format!("schema registry {what}")).fix_if_known(fix)
    }

    /// A text of the registry without our secrets: some gateways repeat what they were sent.
    pub fn without_secrets(&self, text: &str) -> String {
        let mut secrets: Vec<String> = self
            .headers
            .iter()
            .map(|(_, value)| value.reveal().to_owned())
            .collect();
        match &self.login {
            Some(login @ RegistryLogin::Basic { password, .. }) => {
                let sent = authorization(login).replace("Basic ", "");
                secrets.extend([sent, password.reveal().to_owned()]);
            }
            Some(RegistryLogin::Bearer(token)) => secrets.push(token.reveal().to_owned()),
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

fn authorization(login: &RegistryLogin) -> String {
    match login {
        RegistryLogin::Basic { user, password } => {
            let both = format!("{user}:{}", password.reveal());
            format!("Basic {}", BASE64_STANDARD.encode(both))
        }
        RegistryLogin::Bearer(token) => format!("Bearer {}", token.reveal()),
    }
}

/// Where a redirect leads to. Only another path of the same server is followed: no other one may see login and headers.
fn redirected(from: &str, headers: &HeaderMap) -> Result<String, RequestFault> {
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
        _ => Err(RequestFault::of_redirect(location)),
    }
}

/// `http://host:port` of an address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    &url[..end]
}

/// A name as one part of a path.
pub(super) fn encoded(name: &str) -> String {
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
            redirected("http://a:81/x/schemas", &headers)
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
