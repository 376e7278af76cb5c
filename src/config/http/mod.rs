//! The settings of the connections to servers that speak HTTP: a schema registry, ksqlDB. Addresses, login, TLS.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::{HeaderName, HeaderValue, Uri};

use super::file::HttpSection;
use super::{Env, Secret, secret, units};
use crate::exit::usage;
use crate::problem::Problem;
use crate::stop::Stop;

/// Which server it is, as settings and messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpService {
    /// The section of its settings: `schema_registry`.
    pub section: &'static str,
    /// In a message, before its address: `schema registry`.
    pub name: &'static str,
    /// In a question: `a schema registry`.
    pub one: &'static str,
    /// An address as it is written.
    like: &'static str,
    url_variable: Option<&'static str>,
    password_variable: Option<&'static str>,
}

pub const SCHEMA_REGISTRY: HttpService = HttpService {
    section: "schema_registry",
    name: "schema registry",
    one: "a schema registry",
    like: "https://registry:8081",
    url_variable: Some("LAKECTL_SCHEMA_REGISTRY_URL"),
    password_variable: Some("LAKECTL_SCHEMA_REGISTRY_PASSWORD"),
};

pub const KSQLDB: HttpService = HttpService {
    section: "ksqldb",
    name: "ksqlDB",
    one: "ksqlDB",
    like: "http://ksqldb:8088",
    url_variable: None,
    password_variable: None,
};

/// A server and how to log in.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    pub service: HttpService,
    /// At least one, in the order in which they are asked; without a slash at the end, and without secrets.
    pub urls: Vec<String>,
    pub login: Option<HttpLogin>,
    /// More headers of each request. Any may be a secret.
    pub headers: Vec<(String, Secret)>,
    /// The only CAs that count; None: those of the system.
    pub ca: Option<PemFile>,
    /// Who we are, for servers that ask for a certificate.
    pub identity: Option<ClientIdentity>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Whether waits for answers are to end.
    pub stop: Stop,
}

impl HttpSettings {
    pub(crate) fn stopped_by(self, stop: &Stop) -> HttpSettings {
        HttpSettings {
            stop: stop.clone(),
            ..self
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpLogin {
    Basic { user: String, password: Secret },
    Bearer(Secret),
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    pub certificate: PemFile,
    pub key: PemFile,
}

/// A file in PEM's format. Keys are secrets, so all are treated as secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemFile {
    /// The setting that names it.
    pub setting: String,
    pub path: PathBuf,
    pub text: Secret,
}

impl HttpService {
    /// The setting by its full name: `schema_registry.url`.
    pub fn setting(&self, key: &str) -> String {
        format!("{}.{key}", self.section)
    }
}

impl PemFile {
    /// A problem of this file.
    pub fn problem(&self, what: &str) -> Problem {
        Problem::usage(format!("{}: {} {what}", self.setting, self.path.display()))
    }
}

/// None: no address is configured.
pub(super) fn from_file(
    service: HttpService,
    file: &HttpSection,
    folder: &Path,
    env: Env<'_>,
) -> Result<Option<HttpSettings>> {
    let section = SectionReader {
        service,
        file,
        folder,
        env,
    };
    section.settings()
}

/// A section of the file, with its environment.
struct SectionReader<'a> {
    service: HttpService,
    file: &'a HttpSection,
    folder: &'a Path,
    env: Env<'a>,
}

impl SectionReader<'_> {
    fn settings(&self) -> Result<Option<HttpSettings>> {
        let variable = self.service.url_variable;
        let from_env = variable.and_then(|name| Some((name, (self.env)(name)?)));
        let from_env = from_env.filter(|(_, url)| !url.is_empty());
        let (url, source) = match (&from_env, &self.file.url) {
            (Some((name, url)), _) => (url, (*name).to_owned()),
            (None, Some(url)) => (url, self.setting("url")),
            (None, None) => return Ok(None),
        };
        let settings = HttpSettings {
            service: self.service,
            urls: self.urls(url, &source)?,
            login: self.login()?,
            headers: self.headers()?,
            ca: self.public(self.file.tls_ca_file.as_deref(), "tls_ca_file")?,
            identity: self.identity()?,
            timeout: self.timeout()?,
            stop: Stop::default(),
        };
        let is_plain = settings.urls.iter().all(|url| url.starts_with("http://"));
        if is_plain && (settings.ca.is_some() || settings.identity.is_some()) {
            let tls = self.setting("tls_…");
            return Problem::usage(format!("{tls} is given, but {source} is not https"))
                .fix("write https://, or leave tls_… out")
                .err();
        }
        Ok(Some(settings))
    }

    fn setting(&self, key: &str) -> String {
        self.service.setting(key)
    }

    fn urls(&self, list: &str, source: &str) -> Result<Vec<String>> {
        let urls: Vec<&str> = list.split(',').map(str::trim).collect();
        urls.iter().map(|text| self.url(text, source)).collect()
    }

    /// Checks an address. It is never repeated: there may be a password in it.
    fn url(&self, text: &str, source: &str) -> Result<String> {
        let like = format!("write it like {}", self.service.like);
        let parsed: Option<Uri> = text.parse().ok();
        let scheme = |uri: &Uri| uri.scheme_str().map(str::to_ascii_lowercase);
        let http = parsed.filter(|uri| {
            matches!(scheme(uri).as_deref(), Some("http" | "https"))
                && uri.host().is_some_and(|h| !h.is_empty())
        });
        let Some(uri) = http else {
            return Problem::usage(format!("{source} is not an address by http:// or https://"))
                .fix(like)
                .err();
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            let (user, password) = (self.setting("user"), self.ways_of_a_password("password_file"));
            return Problem::usage(format!("{source} holds a user or a password"))
                .fix(format!("write {user}, and {password}"))
                .err();
        }
        if text.contains(['?', '#']) {
            let headers = self.setting("headers");
            return Problem::usage(format!("{source} has a query"))
                .fix(format!(
                    "{like}, with a path if need be; what a gateway wants goes into {headers}"
                ))
                .err();
        }
        Ok(text.trim_end_matches('/').to_owned())
    }

    fn ways_of_a_password(&self, file: &str) -> String {
        match self.service.password_variable {
            Some(variable) => format!("{file} or {variable}"),
            None => file.to_owned(),
        }
    }

    fn login(&self) -> Result<Option<HttpLogin>> {
        let file = self.file;
        let variable = self.service.password_variable;
        let from_env = variable.and_then(|name| Some((name, Secret::new((self.env)(name)?))));
        let password = match (&from_env, &file.password_file) {
            (Some((name, _)), _) => Some((*name).to_owned()),
            (None, Some(_)) => Some(self.setting("password_file")),
            (None, None) => None,
        };
        let token_file = || self.setting("token_file");
        let login = match (&file.token_file, &file.user, password) {
            (Some(_), Some(_), _) => return both(&token_file(), &self.setting("user")),
            (Some(_), None, Some(password)) => return both(&token_file(), &password),
            (Some(path), None, None) => HttpLogin::Bearer(self.token(path)?),
            (None, None, Some(password)) => {
                return Problem::usage(format!("{password} is given, but no {}", self.setting("user")))
                    .fix("write the user whose password it is")
                    .err();
            }
            (None, Some(_), None) => {
                let ways = match variable {
                    Some(variable) => format!("{}, or set {variable}", self.setting("password_file")),
                    None => self.setting("password_file"),
                };
                return Problem::usage(format!("{} is given, but no password", self.setting("user")))
                    .fix(format!("write {ways}"))
                    .err();
            }
            (None, Some(user), Some(_)) => {
                if user.contains(':') {
                    let user = self.setting("user");
                    return Problem::usage(format!("{user}: no user's name can hold a colon"))
                        .fix(format!(
                            "write its password into {}",
                            self.setting("password_file")
                        ))
                        .err();
                }
                let from_file = || match &file.password_file {
                    Some(path) => secret::read(&self.folder.join(path), &self.setting("password_file")),
                    None => Ok(Secret::new("")),
                };
                HttpLogin::Basic {
                    user: user.clone(),
                    password: from_env.map_or_else(from_file, |(_, password)| Ok(password))?,
                }
            }
            (None, None, None) => return Ok(None),
        };
        Ok(Some(login))
    }

    fn token(&self, path: &Path) -> Result<Secret> {
        let (path, setting) = (self.folder.join(path), self.setting("token_file"));
        let token = secret::read(&path, &setting)?;
        let is_plain = |byte: u8| byte.is_ascii_graphic();
        if token.reveal().is_empty() || !token.reveal().bytes().all(is_plain) {
            return Problem::usage(format!("{setting}: {} does not hold a token", path.display()))
                .fix("write the token there, alone and on one line")
                .err();
        }
        Ok(token)
    }

    fn headers(&self) -> Result<Vec<(String, Secret)>> {
        let header = |(name, value): (&String, &Secret)| {
            let shown = format!("{}.\"{}\"", self.setting("headers"), name.escape_debug());
            let refused = |(refused, _): &&(&str, &str)| name.eq_ignore_ascii_case(refused);
            if let Some((_, fix)) = REFUSED.iter().find(refused) {
                return Problem::usage(format!("{shown} can't be set")).fix(*fix).err();
            }
            if name.parse::<HeaderName>().is_err() {
                return Err(usage(format!("{shown} is not the name of a header")));
            }
            if HeaderValue::from_str(value.reveal()).is_err() {
                return Err(usage(format!("{shown} has characters that a header can't hold")));
            }
            Ok((name.clone(), value.clone()))
        };
        self.file.headers.iter().map(header).collect()
    }

    fn identity(&self) -> Result<Option<ClientIdentity>> {
        let lacks = |given: &str, lacking: &str| {
            let (given, lacking) = (self.setting(given), self.setting(lacking));
            Problem::usage(format!("{given} is given, but not {lacking}"))
                .fix("a certificate of ours needs its key: write both, or neither")
                .err()
        };
        match (&self.file.tls_cert_file, &self.file.tls_key_file) {
            (None, None) => Ok(None),
            (Some(_), None) => lacks("tls_cert_file", "tls_key_file"),
            (None, Some(_)) => lacks("tls_key_file", "tls_cert_file"),
            (certificate, Some(key)) => {
                let setting = self.setting("tls_key_file");
                let path = self.folder.join(key);
                let text = secret::read(&path, &setting)?;
                let key = PemFile { setting, path, text };
                let certificate = self.public(certificate.as_deref(), "tls_cert_file")?;
                Ok(certificate.map(|certificate| ClientIdentity { certificate, key }))
            }
        }
    }

    /// A file that everybody may read.
    fn public(&self, path: Option<&Path>, key: &str) -> Result<Option<PemFile>> {
        let Some(path) = path else { return Ok(None) };
        let (path, setting) = (self.folder.join(path), self.setting(key));
        let bytes = std::fs::read(&path)
            .map_err(|e| usage(format!("{setting}: cannot read {}: {e}", path.display())))?;
        // Bundles of CAs have comments in all encodings.
        let text = Secret::new(String::from_utf8_lossy(&bytes));
        Ok(Some(PemFile { setting, path, text }))
    }

    fn timeout(&self) -> Result<Duration> {
        let setting = self.setting("timeout");
        let text = self.file.timeout.as_deref().unwrap_or("10s");
        let timeout = units::duration(text).context(setting.clone())?;
        if timeout.is_zero() {
            return Err(usage(format!("{setting} must be more than 0")));
        }
        Ok(timeout)
    }
}

fn both<T>(one: &str, other: &str) -> Result<T> {
    Problem::usage(format!("{one} and {other} are two ways to log in"))
        .fix("leave one of them out")
        .err()
}

/// Headers that the login or the request itself sets, and what to do instead.
const REFUSED: [(&str, &str); 8] = [
    ("authorization", "write user and password_file, or token_file"),
    ("accept", "leave it out"),
    ("accept-encoding", "leave it out"),
    ("connection", "leave it out"),
    ("content-length", "leave it out"),
    ("content-type", "leave it out"),
    ("host", "write the name in the url"),
    ("transfer-encoding", "leave it out"),
];

#[cfg(test)]
mod tests;
